//! A License Server with a transport of its own: it shows what goes over each port, and lets another one carry it.
use license_server::{
    Connection, Direct, Failure, HttpAnswer, LicenseServer, Network, PayloadName, Transport, TrustFile,
};

struct Shown(Direct);

impl Transport for Shown {
    fn connect<'a>(&'a self, main_server: &TrustFile) -> Result<Box<dyn Connection + 'a>, Failure> {
        Ok(Box::new(ShownConnection(self.0.connect(main_server)?)))
    }
}

struct ShownConnection<'a>(Box<dyn Connection + 'a>);

impl Connection for ShownConnection<'_> {
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure> {
        shown("443", self.0.post_request(request))
    }

    fn get_payload(&self, name: &PayloadName, at_most: usize) -> Result<HttpAnswer, Failure> {
        shown("8080", self.0.get_payload(name, at_most))
    }

    fn get_health(&self) -> Result<HttpAnswer, Failure> {
        shown("443", self.0.get_health())
    }
}

fn shown(port: &str, answer: Result<HttpAnswer, Failure>) -> Result<HttpAnswer, Failure> {
    match &answer {
        Ok(answer) => println!("port {port}: status {}, {} bytes", answer.status, answer.body.len()),
        Err(failure) => println!("port {port}: {}", failure.code()),
    }
    answer
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).ok_or("the state directory of a License Server that was set up")?;
    let server = LicenseServer::open(directory)?;
    let done = server.synchronize(&Shown(Direct::new(Network::default())))?;
    println!("{}", done.answered().code);
    Ok(())
}
