//! One file for each verb of the command line: open the state, ask the core, store, report.

mod answered;
mod automatic;
mod doctor;
mod export_request;
mod history;
mod import_response;
mod init;
mod may_issue;
mod new_key_pair;
mod pages;
mod request_clear;
mod serve;
mod session;
mod status;
mod synchronize;

use std::time::{Duration, Instant};

use solme_sync_protocol::{TrustFile, UtcTime};

use crate::cli::Verb;
use crate::clock::{self, Span};
use crate::conduct::Standard;
use crate::core::Failure;
use crate::output::{Exit, Report, Trouble};
use crate::seams::{MakeTransport, OnReport, Pause, Seams};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::store::{DurableSteps, Place};
use crate::transport::{DirectTransport, Transport};

/// How long to wait for another process that uses the state, or synchronizes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a pause looks whether it should end early.
const LOOK: Duration = Duration::from_secs(2);
/// A clock that moves by so many seconds more or less than it should was set.
const CLOCK_STEP: u64 = 30;

/// What every verb works with.
pub(crate) struct Context {
    settings: Settings,
    place: Place,
    offset: Span,
    clock: Option<Box<dyn Fn() -> UtcTime>>,
    transport: Option<MakeTransport>,
    pause: Option<Pause>,
    on_report: Option<OnReport>,
    stop: Stop,
}

impl Context {
    pub(crate) fn new(settings: Settings, offset: Span, seams: Seams) -> Self {
        let Seams { durable_step, clock, transport, conduct, patience, pause, on_report } = seams;
        let steps = DurableSteps::new(durable_step);
        let (conduct, patience) = (conduct.unwrap_or(&Standard), patience.unwrap_or(PATIENCE));
        let place = Place { path: settings.state.clone(), steps, patience, conduct };
        Self { settings, place, offset, clock, transport, pause, on_report, stop: Stop::NEVER }
    }

    /// The local clock.
    fn now(&self) -> UtcTime {
        self.clock.as_ref().map_or_else(clock::real, |clock| clock()).offset(self.offset.seconds)
    }

    /// From now on SIGTERM and SIGINT are a wish to stop, and not the end of the process.
    fn stop_on_signals(&mut self) -> Result<(), Trouble> {
        self.stop = Stop::on_signals().map_err(|error| Trouble {
            exit: Exit::LocalState,
            code: "signals",
            message: format!("signals cannot be listened to: {error}"),
            cure: "Check the limits of the process (`ulimit -a`), then start it again.".to_owned(),
        })?;
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
    fn transport(&self, trust: &TrustFile) -> Result<Box<dyn Transport>, Failure> {
        match &self.transport {
            Some(transport) => Ok(transport(trust)),
            None => {
                let transport = DirectTransport::new(trust, &self.settings.network, self.place.conduct)?;
                Ok(Box::new(transport.until(self.stop.clone())))
            }
        }
    }
}

/// Carries out a verb that needs neither settings nor state.
pub(crate) fn run_without_state(verb: &Verb) -> Option<Result<Report, Trouble>> {
    match verb {
        Verb::Completions { shell } => Some(Ok(pages::completions(*shell))),
        Verb::ManPages { directory } => Some(pages::man_pages(directory)),
        _ => None,
    }
}

/// Carries out one verb.
pub(crate) fn run(context: &mut Context, verb: Verb, as_json: bool) -> Result<Report, Trouble> {
    match verb {
        Verb::AutomaticSynchronization { mode } => automatic::run(context, mode),
        Verb::Serve { .. } => {
            context.stop_on_signals()?;
            serve::run(context, as_json)
        }
        Verb::Init { id, trust } => init::run(context, &id, &trust),
        Verb::Synchronize { .. } => synchronize::run(context),
        Verb::Config { .. } => Ok(Report::new(Exit::Done, context.settings.to_json(), context.settings.to_text())),
        Verb::Doctor { .. } => doctor::run(context),
        Verb::Completions { .. } | Verb::ManPages { .. } => unreachable!("they need no state"),
        Verb::Status => status::run(context),
        Verb::MayIssue { license_number } => may_issue::run(context, license_number.as_ref()),
        Verb::NewKeyPair { yes } => new_key_pair::run(context, yes),
        Verb::History => history::run(context),
        Verb::ExportRequest { file } => export_request::run(context, &file, as_json),
        Verb::ImportResponse { file, dry_run } => import_response::run(context, &file, dry_run),
        Verb::RequestClear { out, smtp, from } => request_clear::run(context, out, smtp.as_deref(), &from, as_json),
    }
}
