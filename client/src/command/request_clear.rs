//! `request-clear`: the mail that asks to have the key pair in use cleared (P 16.1).

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::{Mailbox, header::ContentType};
use lettre::{Message, SmtpTransport, Transport as _};
use serde::Serialize;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

use super::Context;
use super::export_request::{is_stdout, refuse_two_on_stdout, write_out};
use super::session::{Ending, Session};
use crate::output::{Done, Error, Exit, Report, Text, sentence};

const EVENT: &str = "request-clear";
const TO: &str = "licensing@solme.se";
const SMTP_LIMIT: Duration = Duration::from_secs(30);

pub(super) fn run(
    context: &Context,
    out: Option<PathBuf>,
    smtp: Option<&str>,
    from: &str,
    as_json: bool,
) -> Result<Report, Error> {
    if let Some(out) = &out {
        refuse_two_on_stdout(out, as_json)?;
    }
    let by = match smtp {
        Some(server) => {
            let (host, port) = host_and_port(server)?;
            ClearRequestBy::Smtp { host: host.to_owned(), port }
        }
        None => ClearRequestBy::File(out),
    };
    Ok(request_clear(context, by, from)?.report())
}

/// How a mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClearRequestBy {
    /// Written to a file; without a name, `clear-request-ID.eml` in the working directory.
    File(Option<PathBuf>),
    /// Handed to a mail server of one's own network.
    Smtp {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// A request to have the key pair in use cleared (P 16.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClearRequest {
    /// That it was done.
    #[serde(flatten)]
    pub done: Done,
    /// The license server id.
    pub license_server_id: LicenseServerId,
    /// The key pair that the mail names.
    pub key_thumbprint: KeyThumbprint,
    /// The key pair here was never synchronized: it is the new one, for which the id may be reserved (P 16.6).
    pub key_pair_is_new: bool,
    /// Whom the mail is to.
    pub to: &'static str,
    /// The mail, if it was not sent.
    pub file: Option<PathBuf>,
}

/// Writes the mail that asks to have the key pair cleared, or sends it.
pub(crate) fn request_clear(context: &Context, by: ClearRequestBy, from: &str) -> Result<ClearRequest, Error> {
    let sender: Mailbox = from.parse().map_err(|error| usage(format!("{from:?} is not a mail address: {error}")))?;
    let mut session = Session::open(context, EVENT)?;
    let mut request = ClearRequest::of(&session);
    let mail = request.mail(sender).map_err(|error| usage(format!("the mail cannot be written: {error}")))?;
    let code = match by {
        ClearRequestBy::Smtp { host, port } => {
            drop(session); // a mail server may be slow, and others need the state
            send(&mail, &host, port)?;
            session = Session::open(context, EVENT)?;
            request.done = Done::new("sent", format!("the clear request was sent to {TO} through {host}:{port}"));
            "sent"
        }
        ClearRequestBy::File(file) => {
            let usual = || PathBuf::from(format!("clear-request-{}.eml", request.license_server_id));
            let file = file.unwrap_or_else(usual);
            write_out(&file, &mail.formatted(), session.store.steps(), ["mail written", "mail in place"])?;
            request.file = Some(file);
            "written"
        }
    };
    session.note(EVENT, Ending { outcome: "done", code, message: &request.done.message })?;
    Ok(request)
}

impl ClearRequest {
    fn of(session: &Session) -> Self {
        Self {
            done: Done::new("written", format!("the clear request was written as a mail to {TO}")),
            license_server_id: session.identity.license_server_id.clone(),
            key_thumbprint: session.identity.key_thumbprint,
            key_pair_is_new: session.server.last_receipt().is_none(),
            to: TO,
            file: None,
        }
    }

    fn mail(&self, sender: Mailbox) -> Result<Message, String> {
        let to: Mailbox = TO.parse().map_err(|error| format!("{error}"))?;
        Message::builder()
            .from(sender)
            .to(to)
            .subject(format!("Clear the key pair of license server id {}", self.license_server_id))
            .message_id(None) // one is made up
            .header(ContentType::TEXT_PLAIN)
            .body(self.body())
            .map_err(|error| error.to_string())
    }

    fn body(&self) -> String {
        let (id, thumbprint) = (&self.license_server_id, &self.key_thumbprint);
        let key = if self.key_pair_is_new {
            format!(
                "The server has a new key pair and is waiting for the clear. Please reserve the\n\
                 license server id for it.\n\nNew key pair: {thumbprint}\n"
            )
        } else {
            format!(
                "The server still has the key pair that it last synchronized with.\n\nKey pair in use: {thumbprint}\n"
            )
        };
        format!(
            "Dear Solme licensing,\n\nplease clear the key pair in use for our license server id.\n\n\
             License server id: {id}\n\n{key}\nThank you.\n"
        )
    }

    fn report(&self) -> Report {
        let mut text = Text::default();
        text.good(sentence(&self.done.message));
        text.value("license server id", &self.license_server_id);
        text.value(if self.key_pair_is_new { "new key pair" } else { "key pair in use" }, self.key_thumbprint);
        if let Some(file) = &self.file {
            text.value("mail", file.display());
        }
        let send = if self.file.is_some() { "send the mail; when" } else { "when" };
        let then = if self.key_pair_is_new {
            "run `license-server synchronize`."
        } else {
            "run `license-server new-key-pair --yes`, then `license-server synchronize`."
        };
        text.next(format_args!("{send} Solme confirms that the key pair is cleared, {then}"));
        let stdout_is_taken = self.file.as_deref().is_some_and(is_stdout);
        Report { stdout_is_taken, ..Report::of(Exit::Done, self, text) }
    }
}

fn send(mail: &Message, host: &str, port: u16) -> Result<(), Error> {
    // A mail server of one's own network, as a rule without TLS; the mail holds no secret.
    let server = SmtpTransport::builder_dangerous(host).port(port).timeout(Some(SMTP_LIMIT)).build();
    server.send(mail).map(drop).map_err(|error| Error {
        exit: Exit::NotReached,
        code: "mail-not-sent",
        message: format!("the mail server {host}:{port} did not take the mail: {error}"),
        cure:
            "Run `license-server request-clear` without --smtp, and send the file that it writes with any mail program."
                .to_owned(),
    })
}

pub(crate) fn host_and_port(text: &str) -> Result<(&str, u16), Error> {
    let wrong = || usage(format!("{text:?} is not a mail server; expected HOST:PORT"));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match port.parse() {
        Ok(port) if !host.is_empty() && port != 0 => Ok((host, port)),
        _ => Err(wrong()),
    }
}

fn usage(message: String) -> Error {
    Error { exit: Exit::Usage, code: "usage", message, cure: "See `license-server request-clear --help`.".to_owned() }
}
