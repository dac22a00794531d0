//! `request-clear`: the mail that asks to have the key pair in use cleared (P 16.1).

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::{Mailbox, header::ContentType};
use lettre::{Message, SmtpTransport, Transport as _};
use serde_json::json;

use super::Context;
use super::export_request::{is_stdout, refuse_two_on_stdout, write_out};
use super::session::{Ending, Session};
use crate::output::{Exit, Report, Text, Trouble, sentence};

const EVENT: &str = "request-clear";
const TO: &str = "licensing@solme.se";
const SMTP_LIMIT: Duration = Duration::from_secs(30);

pub(super) fn run(
    context: &Context,
    out: Option<PathBuf>,
    smtp: Option<&str>,
    from: &str,
    as_json: bool,
) -> Result<Report, Trouble> {
    if let Some(out) = &out {
        refuse_two_on_stdout(out, as_json)?;
    }
    let sender: Mailbox = from.parse().map_err(|error| usage(format!("{from:?} is no mail address: {error}")))?;
    let server = smtp.map(host_and_port).transpose()?;
    let session = Session::open(context, EVENT)?;
    let request = Request::of(&session);
    let mail = request.mail(sender).map_err(|error| usage(format!("the mail cannot be written: {error}")))?;
    if let Some((host, port)) = server {
        drop(session); // a mail server may be slow, and others need the state
        send(&mail, host, port)?;
        let mut session = Session::open(context, EVENT)?;
        let message = format!("the request to clear was sent to {TO} by {host}:{port}");
        session.note(EVENT, Ending { outcome: "done", code: "sent", message: &message })?;
        return Ok(request.report("sent", &message, None));
    }
    let mut session = session;
    let file = out.unwrap_or_else(|| PathBuf::from(format!("clear-request-{}.eml", request.license_server_id)));
    write_out(&file, &mail.formatted(), session.store.steps(), ["mail written", "mail in place"])?;
    let message = format!("the request to clear was written as a mail to {TO}");
    session.note(EVENT, Ending { outcome: "done", code: "written", message: &message })?;
    Ok(request.report("written", &message, Some(file)))
}

/// What is asked for.
struct Request {
    license_server_id: String,
    key_thumbprint: String,
    /// The key pair here was never synchronized: it is the new one, for which the id may be reserved (P 16.6).
    is_new: bool,
}

impl Request {
    fn of(session: &Session) -> Self {
        Self {
            license_server_id: session.identity.license_server_id.to_string(),
            key_thumbprint: session.identity.key_thumbprint.to_string(),
            is_new: session.server.last_receipt().is_none(),
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
        let key = if self.is_new {
            format!(
                "The server has a new key pair and waits for the clear. Please reserve the\n\
                 license server id for it.\n\nNew key pair: {thumbprint}\n"
            )
        } else {
            format!("The server still has the key pair that it synchronized with.\n\nKey pair in use: {thumbprint}\n")
        };
        format!(
            "Dear Solme licensing,\n\nplease clear the key pair in use for our license server id.\n\n\
             License server id: {id}\n\n{key}\nThank you.\n"
        )
    }

    fn report(&self, code: &str, message: &str, file: Option<PathBuf>) -> Report {
        let mut text = Text::default();
        text.good(sentence(message));
        text.value("license server id", &self.license_server_id);
        text.value(if self.is_new { "new key pair" } else { "key pair in use" }, &self.key_thumbprint);
        if let Some(file) = &file {
            text.value("mail", file.display());
        }
        let send = if file.is_some() { "send the mail; when" } else { "when" };
        let then = if self.is_new {
            "run `license-server synchronize`."
        } else {
            "run `license-server new-key-pair --yes`, then `license-server synchronize`."
        };
        text.next(format_args!("{send} Solme has answered that the key pair is cleared, {then}"));
        let json = json!({
            "outcome": "done", "code": code, "message": message, "cure": null,
            "license_server_id": self.license_server_id,
            "key_thumbprint": self.key_thumbprint,
            "key_pair_is_new": self.is_new,
            "to": TO,
            "file": file,
        });
        let stdout_is_taken = file.as_deref().is_some_and(is_stdout);
        Report { stdout_is_taken, ..Report::new(Exit::Done, json, text) }
    }
}

fn send(mail: &Message, host: &str, port: u16) -> Result<(), Trouble> {
    // A mail server of one's own network, as a rule without TLS; the mail holds no secret.
    let server = SmtpTransport::builder_dangerous(host).port(port).timeout(Some(SMTP_LIMIT)).build();
    server.send(mail).map(drop).map_err(|error| Trouble {
        exit: Exit::NotReached,
        code: "mail-not-sent",
        message: format!("the mail server {host}:{port} did not take the mail: {error}"),
        cure:
            "Run `license-server request-clear` without --smtp, and send the file that it writes with any mail program."
                .to_owned(),
    })
}

fn host_and_port(text: &str) -> Result<(&str, u16), Trouble> {
    let wrong = || usage(format!("{text:?} is no mail server: write it as HOST:PORT"));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match port.parse() {
        Ok(port) if !host.is_empty() && port != 0 => Ok((host, port)),
        _ => Err(wrong()),
    }
}

fn usage(message: String) -> Trouble {
    Trouble { exit: Exit::Usage, code: "usage", message, cure: "See `license-server request-clear --help`.".to_owned() }
}
