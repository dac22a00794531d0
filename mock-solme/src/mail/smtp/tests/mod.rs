//! The listener against real clients and hostile ones.

mod hostile;
mod mails;
mod time;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::*;
use crate::connections::{Pool, Port};

/// What the sink has taken.
type Taken = Arc<Mutex<Vec<ReceivedMail>>>;

/// A running listener.
struct Open {
    smtp: Smtp,
    address: SocketAddr,
    pool: Arc<Pool>,
}

impl Open {
    async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }
}

/// A running listener and what it has taken.
struct Desk {
    open: Open,
    taken: Taken,
}

impl Desk {
    fn open() -> Self {
        let taken = Taken::default();
        Self { open: open(keep(&taken)), taken }
    }

    async fn connect(&self) -> Client<TcpStream> {
        self.open.connect().await
    }

    fn mails(&self) -> Vec<ReceivedMail> {
        self.taken.lock().unwrap().clone()
    }
}

fn open<D, F>(sink: D) -> Open
where
    D: Fn(ReceivedMail) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let pool = Pool::new();
    let listener = Listener::new(TcpListener::bind("127.0.0.1:0").unwrap(), Port::Smtp, &pool).unwrap();
    let address = listener.local_addr();
    Open { smtp: Smtp::start(listener, sink), address, pool }
}

fn keep(taken: &Taken) -> impl Fn(ReceivedMail) -> std::future::Ready<Result<(), String>> + Send + Sync + 'static {
    let taken = Arc::clone(taken);
    move |mail| {
        taken.lock().unwrap().push(mail);
        std::future::ready(Ok(()))
    }
}

/// A client that says what it is told and nothing else.
struct Client<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer, all its lines; empty when the connection has ended.
    async fn answer(&mut self) -> String {
        let mut answer = String::new();
        loop {
            let start = answer.len();
            if self.stream.read_line(&mut answer).await.unwrap_or(0) == 0 || answer[start..].get(3..4) != Some("-") {
                return answer;
            }
        }
    }

    async fn code(&mut self) -> u16 {
        let answer = self.answer().await;
        answer.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// Sends lines one after the other and collects the codes.
    async fn talk(&mut self, lines: &[&str]) -> Vec<u16> {
        let mut codes = Vec::new();
        for line in lines {
            self.send(format!("{line}\r\n")).await;
            codes.push(self.code().await);
        }
        codes
    }

    /// Greeting, EHLO, envelope and DATA; what follows is the text of a mail.
    async fn begin_text(&mut self) {
        assert_eq!(self.code().await, 220);
        assert_eq!(self.talk(&ENVELOPE).await, [250, 250, 250, 354]);
    }

    /// Codes until the connection ends.
    async fn codes_to_the_end(&mut self) -> Vec<u16> {
        let mut codes = Vec::new();
        loop {
            match self.code().await {
                0 => return codes,
                code => codes.push(code),
            }
        }
    }
}

const ENVELOPE: [&str; 4] =
    ["EHLO client.example", "MAIL FROM:<anna@customer.example>", "RCPT TO:<licensing@solme.se>", "DATA"];
