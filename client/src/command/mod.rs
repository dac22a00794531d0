//! One file for each verb of the command line: open the state, ask the core, store, report.

mod automatic;
mod doctor;
mod export_request;
mod history;
mod import_response;
mod init;
mod may_issue;
mod new_key_pair;
mod outcome;
mod pages;
mod request_clear;
mod serve;
mod session;
mod status;
mod synchronize;

pub use automatic::Automatic;
pub(crate) use automatic::automatic;
pub use doctor::Diagnosis;
pub(crate) use doctor::diagnosis;
pub(crate) use export_request::export;
pub use export_request::{Export, ExportedRequest};
pub use history::History;
pub(crate) use history::history;
pub use import_response::Import;
pub(crate) use import_response::{act, check, import};
pub use init::MainServer;
pub(crate) use init::init;
pub use may_issue::Verdict;
pub(crate) use may_issue::{ask, judge};
pub use new_key_pair::NewKeyPair;
pub(crate) use new_key_pair::new_key_pair;
pub(crate) use outcome::Outcome;
pub use outcome::{Answered, Synchronization};
pub use request_clear::{ClearRequest, ClearRequestBy};
pub(crate) use request_clear::{host_and_port, request_clear};
pub(crate) use session::Session;
pub(crate) use status::status;
pub use status::{AllocatedLicense, Clock, OutstandingRequest, Status};
pub(crate) use synchronize::{carry, once};

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use solme_sync_protocol::UtcTime;

use crate::cli::Verb;
use crate::clock::{self, Span};
use crate::conduct::Standard;
use crate::core::Proved;
use crate::output::{Error, Exit, Report};
use crate::seams::{MakeTransport, OnReport, Pause, Seams};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::store::{DurableSteps, Place};
use crate::transport::{Direct, Transport};

/// How long to wait for another process that uses the state, or synchronizes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a pause looks whether it should end early.
const LOOK: Duration = Duration::from_secs(2);
/// A clock that is off by more than this many seconds was set meanwhile.
const CLOCK_STEP: u64 = 30;

/// What every verb works with.
pub(crate) struct Context {
    direct: Direct,
    warning_command: Option<String>,
    pub(crate) place: Place,
    offset: Span,
    clock: Option<Box<dyn Fn() -> UtcTime>>,
    transport: Option<MakeTransport>,
    pause: Option<Pause>,
    on_report: Option<OnReport>,
    stop: Stop,
    proved: Memory,
}

/// What a process remembers from one command to the next.
pub(crate) type Memory = Arc<Mutex<Option<Proved>>>;

impl Context {
    pub(crate) fn new(settings: Settings, offset: Span, seams: Seams) -> Self {
        let Seams { durable_step, clock, transport, conduct, patience, pause, on_report } = seams;
        let steps = DurableSteps::new(durable_step);
        let (conduct, patience) = (conduct.unwrap_or(&Standard), patience.unwrap_or(PATIENCE));
        let Settings { state: path, network, warning_command, .. } = settings;
        let place = Place { path, steps, patience, conduct };
        let direct = Direct::behaving(network, conduct);
        Self {
            direct,
            warning_command,
            place,
            offset,
            clock,
            transport,
            pause,
            on_report,
            stop: Stop::NEVER,
            proved: Memory::default(),
        }
    }

    /// With the memory of a process that has used this state before.
    pub(crate) fn remembering(self, proved: Memory) -> Self {
        Self { proved, ..self }
    }

    fn proved(&self) -> Option<Proved> {
        self.proved.lock().ok()?.clone()
    }

    /// Remembers that what a session goes by is verified.
    fn prove(&self, session: &Session) {
        if let (Some(applied), Ok(mut proved)) = (session.server.applied(), self.proved.lock()) {
            *proved = Some(Proved::new(&session.identity, applied));
        }
    }

    fn now(&self) -> UtcTime {
        self.clock.as_ref().map_or_else(clock::real, |clock| clock()).offset(self.offset.seconds)
    }

    /// From now on SIGTERM and SIGINT are a wish to stop, and not the end of the process.
    fn stop_on_signals(&mut self) -> Result<(), Error> {
        let stop = Stop::on_signals().map_err(|error| Error {
            exit: Exit::LocalState,
            code: "signals",
            message: format!("cannot listen to signals: {error}"),
            cure: "Check the limits of the process (`ulimit -a`), then start it again.".to_owned(),
        })?;
        self.direct.until(stop.clone());
        self.stop = stop;
        Ok(())
    }

    /// Lets time pass until then, or until the state, the clock, or a wish to stop ask for a look. The answer is whether
    /// to stop.
    fn pause(&self, until: UtcTime) -> bool {
        if let Some(pause) = &self.pause {
            return pause(until);
        }
        let (began, clock, state) = (Instant::now(), self.now(), self.place.stamp());
        loop {
            let now = self.now();
            let awaited = clock.plus(began.elapsed().as_secs());
            if now >= until || now.since(awaited).max(awaited.since(now)) > CLOCK_STEP || self.place.stamp() != state {
                return false;
            }
            if self.stop.within(LOOK.min(Duration::from_secs(until.since(now)))) {
                return true;
            }
        }
    }

    /// The way to the main server.
    fn transport(&self) -> &dyn Transport {
        self.transport.as_ref().map_or(&self.direct, |transport| transport)
    }
}

/// Carries out a verb that needs neither settings nor state.
pub(crate) fn run_without_state(verb: &Verb) -> Option<Result<Report, Error>> {
    match verb {
        Verb::Completions { shell } => Some(Ok(pages::completions(*shell))),
        Verb::ManPages { directory } => Some(pages::man_pages(directory)),
        _ => None,
    }
}

pub(crate) fn run(context: &mut Context, verb: Verb, as_json: bool) -> Result<Report, Error> {
    match verb {
        Verb::AutomaticSynchronization { mode } => automatic(context, mode).map(|automatic| automatic.report()),
        Verb::Serve { .. } => {
            context.stop_on_signals()?;
            serve::run(context, as_json)
        }
        Verb::Init { id, trust } => init::run(context, &id, &trust),
        Verb::Synchronize { .. } => Ok(once(context, context.transport())?.report()),
        Verb::Doctor { .. } => Ok(diagnosis(context, context.transport()).report()),
        Verb::Completions { .. } | Verb::ManPages { .. } | Verb::Config { .. } | Verb::Manager { .. } => {
            unreachable!("they need no context")
        }
        Verb::Status => Ok(status(context)?.report()),
        Verb::MayIssue { license_number } => Ok(ask(context, license_number.as_ref())?.report()),
        Verb::NewKeyPair { yes } => new_key_pair::run(context, yes),
        Verb::History => Ok(history(context)?.report()),
        Verb::ExportRequest { file } => export_request::run(context, &file, as_json),
        Verb::ImportResponse { file, dry_run } => Ok(import(context, &file, dry_run)?.report()),
        Verb::RequestClear { out, smtp, from } => request_clear::run(context, out, smtp.as_deref(), &from, as_json),
    }
}
