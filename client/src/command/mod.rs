//! One file for each verb of the command line: open the state, ask the core, store, report.

mod answered;
mod export_request;
mod history;
mod import_response;
mod init;
mod may_issue;
mod new_key_pair;
mod request_clear;
mod session;
mod status;
mod synchronize;

use std::time::Duration;

use protocol::{TrustFile, UtcTime};

use crate::cli::Verb;
use crate::clock::{self, Span};
use crate::core::Failure;
use crate::mutant::Mutant;
use crate::output::{Exit, Report, Trouble};
use crate::seams::{MakeTransport, Seams};
use crate::settings::Settings;
use crate::store::{DurableSteps, Place};
use crate::transport::{DirectTransport, Transport};

/// How long to wait for another process that uses the state, or synchronizes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every verb works with.
pub(crate) struct Context {
    settings: Settings,
    place: Place,
    offset: Span,
    clock: Option<Box<dyn Fn() -> UtcTime>>,
    transport: Option<MakeTransport>,
    mutant: Option<Mutant>,
}

impl Context {
    pub(crate) fn new(settings: Settings, offset: Span, seams: Seams) -> Self {
        let Seams { durable_step, clock, transport, mutant, patience, on_report: _ } = seams;
        let steps = DurableSteps::new(durable_step);
        let place = Place { path: settings.state.clone(), steps, patience: patience.unwrap_or(PATIENCE) };
        Self { settings, place, offset, clock, transport, mutant }
    }

    /// The local clock.
    fn now(&self) -> UtcTime {
        self.clock.as_ref().map_or_else(clock::real, |clock| clock()).offset(self.offset.seconds)
    }

    /// The way to the main server.
    fn transport(&self, trust: &TrustFile) -> Result<Box<dyn Transport>, Failure> {
        match &self.transport {
            Some(transport) => Ok(transport(trust)),
            None => {
                let transport = DirectTransport::new(trust, self.settings.limits)?;
                let follows_redirects = self.mutant == Some(Mutant::FollowsRedirects);
                Ok(Box::new(if follows_redirects { transport.following_redirects() } else { transport }))
            }
        }
    }
}

/// Carries out one verb.
pub(crate) fn run(context: &Context, verb: Verb, as_json: bool) -> Result<Report, Trouble> {
    match verb {
        Verb::Init { id, trust } => init::run(context, &id, &trust),
        Verb::Synchronize { .. } => synchronize::run(context),
        Verb::Config { .. } => Ok(Report::new(Exit::Done, context.settings.to_json(), context.settings.to_text())),
        Verb::Status => status::run(context),
        Verb::MayIssue { license_number } => may_issue::run(context, license_number.as_ref()),
        Verb::NewKeyPair { yes } => new_key_pair::run(context, yes),
        Verb::History => history::run(context),
        Verb::ExportRequest { file } => export_request::run(context, &file, as_json),
        Verb::ImportResponse { file, dry_run } => import_response::run(context, &file, dry_run),
        Verb::RequestClear { out, smtp, from } => request_clear::run(context, out, smtp.as_deref(), &from, as_json),
    }
}
