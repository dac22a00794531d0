//! `harness mock-solme-subject`: the contract of harness/SUBJECT.md for a main server, over our own `mock-solme`.
//!
//! `serve` holds the simulator; the other verbs are processes of their own, which find it through a file in the data
//! directory, hand their verb over, and print its answer.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use mock_solme::testing::{Conduct, Protocol, Seams};
use mock_solme::{Clear, ClearOutcome, Listeners, MockSolme, NewLicense, OperatorError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use solme_sync_protocol::{KeyThumbprint, LicenseNumber, LicenseServerId};

use super::contract;
use crate::main_server_mutants::{self, Mutant};
use crate::programs::MOCK_SOLME_SUBJECT;
use crate::work_folders::copy_folder;

/// What the simulator keeps.
const STATE: &str = "state";
/// A copy of it.
const SNAPSHOT: &str = "snapshot";
/// Where the process that serves takes verbs: an address.
const CONTROL: &str = "control";

/// The subject contract for a main server, over mock-solme.
#[derive(Parser)]
#[command(name = MOCK_SOLME_SUBJECT, about)]
struct Arguments {
    /// The bug that it is to have, for judging the judge
    #[arg(long, value_name = "NAME", value_parser = main_server_mutants::named)]
    mutant: Option<&'static Mutant>,
    /// A directory of its own
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

/// See harness/SUBJECT.md.
#[derive(Subcommand, Serialize, Deserialize)]
enum Verb {
    Serve,
    AddId {
        #[arg(long)]
        id: LicenseServerId,
    },
    Allocate {
        #[arg(long)]
        id: LicenseServerId,
        #[arg(long)]
        number: LicenseNumber,
    },
    RemoveLicense {
        #[arg(long)]
        id: LicenseServerId,
        #[arg(long)]
        number: LicenseNumber,
    },
    Disable {
        #[arg(long)]
        id: LicenseServerId,
    },
    Enable {
        #[arg(long)]
        id: LicenseServerId,
    },
    Clear {
        #[arg(long)]
        id: LicenseServerId,
        #[arg(long, allow_hyphen_values = true)]
        thumbprint: Option<KeyThumbprint>,
        #[arg(long, allow_hyphen_values = true)]
        reserve_for: Option<KeyThumbprint>,
    },
    Reserve {
        #[arg(long)]
        id: LicenseServerId,
        #[arg(long, allow_hyphen_values = true)]
        thumbprint: Option<KeyThumbprint>,
    },
    AdvanceClock {
        #[arg(long, allow_hyphen_values = true)]
        seconds: i64,
    },
    ProcessRequest {
        #[arg(long = "in", value_name = "FILE", value_parser = absolute)]
        request: PathBuf,
        #[arg(long = "out", value_name = "FILE", value_parser = absolute)]
        response: PathBuf,
    },
    Snapshot,
    Restore,
}

/// The process that serves has another current directory than the one that was called.
fn absolute(path: &str) -> std::io::Result<PathBuf> {
    std::path::absolute(path)
}

/// Runs one verb, or as a worker many; `args` begin with the name of the program.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    contract::run(args, carry_out)
}

fn carry_out(Arguments { mutant, data, verb }: Arguments) -> Result<Value> {
    let data = data.context("--data is missing")?;
    match verb {
        Verb::Serve => {
            let conduct = mutant.map_or_else(|| Arc::new(Protocol) as Arc<dyn Conduct>, Mutant::conduct);
            serve(&data, conduct).map(|()| Value::Null)
        }
        verb => hand_over(&data, &verb),
    }
}

fn serve(data: &Path, conduct: Arc<dyn Conduct>) -> Result<()> {
    fs::create_dir_all(data)?;
    let subject = Running::start(data, conduct)?;
    let ready = subject.ready()?;
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    fs::write(data.join(CONTROL), control.local_addr()?.to_string())?;
    let subject = Arc::new(Mutex::new(subject));
    let served = Arc::clone(&subject);
    std::thread::spawn(move || {
        for connection in control.incoming().flatten() {
            let mut subject = served.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = take_over(&mut subject, &connection) {
                anstream::eprintln!("mock-solme-subject: {error:#}");
            }
        }
    });
    anstream::println!("{ready}");
    // Whoever started us closes our standard input, or dies, which closes it too.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Sends a verb to the process that serves, and gives its answer.
fn hand_over(data: &Path, verb: &Verb) -> Result<Value> {
    let address = fs::read_to_string(data.join(CONTROL)).context("nothing serves in this directory")?;
    let address: SocketAddr = address.parse().context("the control file is damaged")?;
    let mut connection = TcpStream::connect(address).context("nothing serves in this directory any longer")?;
    writeln!(connection, "{}", serde_json::to_string(verb)?)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let answer: Value = serde_json::from_str(&answer).context("the main server has not answered")?;
    match answer["error"].as_str() {
        Some(error) => bail!("{error}"),
        None => Ok(answer),
    }
}

/// Takes a verb, carries it out, and answers.
fn take_over(subject: &mut Running, mut connection: &TcpStream) -> Result<()> {
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line)?;
    let answer = match subject.carry_out(serde_json::from_str(&line)?) {
        Ok(outcome) => json!({ "outcome": outcome }),
        Err(error) => json!({ "error": format!("{error:#}") }),
    };
    Ok(write!(connection, "{answer}")?)
}

/// The simulator with what it takes to start it again.
struct Running {
    data: PathBuf,
    conduct: Arc<dyn Conduct>,
    /// Kept over a restart: a port that was given back for a moment may belong to somebody else by then.
    listeners: Listeners,
    /// `None` only while it is being started again.
    mock: Option<MockSolme>,
}

impl Running {
    fn start(data: &Path, conduct: Arc<dyn Conduct>) -> Result<Self> {
        let mut subject = Self { data: data.to_owned(), conduct, listeners: Listeners::ephemeral()?, mock: None };
        subject.listen()?;
        Ok(subject)
    }

    fn listen(&mut self) -> Result<()> {
        let Listeners { https, http, admin, smtp } = &self.listeners;
        let listeners = Listeners {
            https: https.try_clone()?,
            http: http.try_clone()?,
            admin: admin.try_clone()?,
            smtp: smtp.try_clone()?,
        };
        let seams = Seams { conduct: Arc::clone(&self.conduct), ..Seams::default() };
        let state = self.data.join(STATE);
        self.mock = Some(MockSolme::builder().empty().data(state).listeners(listeners).seams(seams).try_start()?);
        Ok(())
    }

    fn mock(&self) -> Result<&MockSolme> {
        self.mock.as_ref().context("the main server did not start again")
    }

    fn ready(&self) -> Result<Value> {
        let mock = self.mock()?;
        Ok(json!({ "https": mock.https(), "http": mock.http(), "trust_file": mock.trust_file() }))
    }

    fn carry_out(&mut self, verb: Verb) -> Result<&'static str> {
        let mock = self.mock()?;
        match verb {
            Verb::Serve => bail!("it already serves"),
            Verb::AddId { id } => drop(mock.add_id(&id, &[])?),
            Verb::Allocate { id, number } => {
                drop(mock.add_license(&id, NewLicense { number: Some(number), ..NewLicense::default() })?);
            }
            Verb::RemoveLicense { id, number } => drop(mock.remove_license(&id, &number)?),
            Verb::Disable { id } => drop(mock.disable(&id)?),
            Verb::Enable { id } => drop(mock.enable(&id)?),
            Verb::Clear { id, thumbprint, reserve_for } => {
                return Ok(match mock.clear_key_pair(&id, Clear { thumbprint, reserve_for, ..Clear::default() })? {
                    ClearOutcome::Cleared { .. } => "done",
                    ClearOutcome::AlreadyDone { .. } => "already-done",
                });
            }
            Verb::Reserve { id, thumbprint: Some(thumbprint) } => drop(mock.reserve(&id, thumbprint)?),
            Verb::Reserve { id, thumbprint: None } => drop(mock.lift_reservation(&id)?),
            Verb::AdvanceClock { seconds } => mock.advance_clock(seconds)?,
            Verb::ProcessRequest { request, response } => return process_request(mock, &request, &response),
            Verb::Snapshot => self.while_stopped(STATE, SNAPSHOT)?,
            Verb::Restore => self.while_stopped(SNAPSHOT, STATE)?,
        }
        Ok("done")
    }

    /// Copies one directory over the other while nothing runs, then goes on at the same addresses.
    fn while_stopped(&mut self, from: &str, to: &str) -> Result<()> {
        drop(self.mock.take());
        let (from, to) = (self.data.join(from), self.data.join(to));
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        copy_folder(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        self.listen()
    }
}

/// P 14.5: what cannot be read gets no response file.
fn process_request(mock: &MockSolme, request: &Path, response: &Path) -> Result<&'static str> {
    match mock.process_request_file(&fs::read(request)?) {
        Ok(file) => {
            fs::write(response, file.bytes)?;
            Ok("done")
        }
        Err(OperatorError::File(_) | OperatorError::ResponseFile | OperatorError::UnreadableRequest(_)) => Ok("failed"),
        Err(error) => Err(error.into()),
    }
}
