//! A License Server that synchronizes, and asks before it issues a license.
use license_server::{Direct, LicenseServer, Network, Synchronization, TrustFile, printable};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [directory, id, trust, number] = words.as_slice() else { return Err("DIRECTORY ID TRUST_FILE NUMBER".into()) };

    // Once, and again whenever you like: the key pair is made the first time, and stays.
    let trust = TrustFile::parse(&std::fs::read(trust)?)?;
    let server = LicenseServer::init(directory, id.parse()?, &trust)?;

    // At least every 366 days. What the server has stays valid, however this ends.
    match server.synchronize(&Direct::new(Network::default()))? {
        Synchronization::Synchronized(done) => println!("{} licenses added", done.changes.added.len()),
        Synchronization::Refused(no) | Synchronization::Failed(no) => {
            println!("{}: {} {}", no.code, printable(&no.message), no.cure.unwrap_or_default());
        }
    }

    // Before every license.
    let verdict = server.may_issue(&number.parse()?)?;
    if verdict.may_issue {
        println!("issued {number}");
    } else {
        println!("{}: {} {}", verdict.code, printable(&verdict.message), verdict.cure.unwrap_or_default());
    }
    Ok(())
}
