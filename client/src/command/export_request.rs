//! `export-request`: synchronize via file, first half (P 14).

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use solme_sync_protocol::{Digest, LicenseServerId, MainServerId, RequestId, SyncFile, UtcTime};

use super::Context;
use super::outcome::{Outcome, Synchronization};
use super::session::{Ending, Session};
use crate::core::{Carrier, Identity, Outstanding};
use crate::output::{Done, Error, Exit, Report, Text, sentence};
use crate::store::{DurableSteps, Readers, write_atomically};

const EVENT: &str = "export-request";

/// A request file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedRequest {
    /// That it was done.
    #[serde(flatten)]
    pub done: Done,
    /// The file.
    pub file: PathBuf,
    /// The license server id.
    pub license_server_id: LicenseServerId,
    /// The main server that the file goes to.
    pub main_server_id: MainServerId,
    /// The request.
    pub request_id: RequestId,
    /// The request digest (P 4.8).
    pub request_digest: Digest,
    /// Whether it was exported or sent before: it is the same one then (P 12.2).
    pub again: bool,
    #[serde(skip)]
    made_at: UtcTime,
}

/// What came of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Export {
    /// The file is written.
    Written(ExportedRequest),
    /// The key pair was cleared, so there is nothing to ask (P 16.4).
    Refused(Synchronization),
}

pub(crate) fn export(context: &Context, file: &Path) -> Result<Export, Error> {
    let mut session = Session::open(context, EVENT)?;
    if let Some(outcome) = Outcome::cleared(&session, Carrier::File) {
        return Ok(Export::Refused(outcome.of(&session)));
    }
    let again = session.outstanding.is_some();
    let bytes = {
        let jws = session.request()?.jws.clone();
        SyncFile::Request(session.identity.conduct.sends(&jws).into_owned()).to_bytes(&about(&session.identity))
    };
    write_out(file, &bytes, session.store.steps(), ["request file written", "request file in place"])?;
    let (code, message) = match again {
        true => ("exported-again", "the outstanding request was exported again, it is the same one"),
        false => ("exported", "a request was exported"),
    };
    session.note(EVENT, Ending { outcome: "done", code, message })?;
    let Some(Outstanding { request, digest, .. }) = session.outstanding else {
        unreachable!("it was exported just now")
    };
    Ok(Export::Written(ExportedRequest {
        done: Done::new(code, message),
        file: file.to_owned(),
        license_server_id: session.identity.license_server_id,
        main_server_id: session.identity.trust.main_server_id,
        request_id: request.request_id,
        request_digest: digest,
        again,
        made_at: request.made_at,
    }))
}

pub(super) fn run(context: &Context, file: &Path, as_json: bool) -> Result<Report, Error> {
    refuse_two_on_stdout(file, as_json)?;
    Ok(match export(context, file)? {
        Export::Written(exported) => exported.report(),
        Export::Refused(synchronization) => synchronization.report(),
    })
}

/// The readable header of the file. It is never trusted (P 14.2).
fn about(identity: &Identity) -> Vec<String> {
    let (id, main) = (&identity.license_server_id, &identity.trust.main_server_id);
    [
        format!("Solme license synchronization: REQUEST of license server id {id}"),
        format!("for main server {main}."),
        "What to do: send this file to the main server's side, as an attachment.".to_owned(),
        "A response file comes back; import it at the license server with".to_owned(),
        "license-server import-response FILE".to_owned(),
    ]
    .to_vec()
}

impl ExportedRequest {
    fn report(&self) -> Report {
        let mut text = Text::default();
        text.good(sentence(&self.done.message));
        text.value("file", self.file.display());
        text.value("license server id", &self.license_server_id);
        text.value("request", format_args!("{}, made at {}", self.request_id, self.made_at));
        text.next("have the file processed at the main server, then run `license-server import-response FILE` with what comes back.");
        Report { stdout_is_taken: is_stdout(&self.file), ..Report::of(Exit::Done, self, text) }
    }
}

/// Writes a file for a person, `-` for standard output.
pub(super) fn write_out(
    file: &Path,
    bytes: &[u8],
    steps: &DurableSteps,
    names: [&'static str; 2],
) -> Result<(), Error> {
    let written = if is_stdout(file) {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    } else if fs::metadata(file).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        // A pipe or a device takes bytes; a file of that name would take its place.
        fs::OpenOptions::new().write(true).open(file).and_then(|mut there| there.write_all(bytes))
    } else {
        write_atomically(file, bytes, Readers::Usual, steps, names)
    };
    written.map_err(|error| Error {
        exit: Exit::FileNotUsable,
        code: "file-not-written",
        message: format!("the file {} cannot be written: {error}", file.display()),
        cure: "Check the directory, its permissions and the space on its disk, then run the command again.".to_owned(),
    })
}

/// Standard output carries the file or the JSON object, not both.
pub(super) fn refuse_two_on_stdout(file: &Path, as_json: bool) -> Result<(), Error> {
    if !(as_json && is_stdout(file)) {
        return Ok(());
    }
    Err(Error {
        exit: Exit::Usage,
        code: "usage",
        message: "--json and the file - both want standard output".to_owned(),
        cure: "Name a file, or leave --json out.".to_owned(),
    })
}

pub(super) fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}
