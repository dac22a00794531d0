//! One SMTP dialogue without I/O: a line in, a step out.
//!
//! The state machine and the grammar are `mailin`'s. What it lacks is put around it here:
//! - it has no grammar for the null sender `<>` nor for `SIZE=`: the MAIL line is read here first and handed on
//!   without them;
//! - its answer to EHLO cannot be extended: ours takes its place (SIZE, PIPELINING);
//! - its handler is synchronous, and after an error at the end of DATA it stays in DATA, so that the next commands
//!   would become a mail: the handler always agrees to the end, and the final answer is made here, after the sink.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailin::{Action, Handler, Response, Session, SessionBuilder};

use super::{COMMANDS, DISCARDED_BYTES, ERRORS, MESSAGE_BYTES, NAME, RECIPIENTS};
use crate::mail::{LICENSING, ReceivedMail};

/// What is to be done after a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: a line of a mail.
    Continue,
    /// Send this answer, and go on.
    Answer(String),
    /// Hand this mail to the sink, and answer as that went.
    Deliver(ReceivedMail),
    /// Send this answer and end the connection.
    Close(String),
}

/// The dialogue with one client.
pub(super) struct Dialogue {
    session: Session<Desk>,
    mail: Arc<Mutex<Mail>>,
    commands: usize,
    errors: usize,
}

/// The mail under way.
#[derive(Default)]
struct Mail {
    stage: Stage,
    /// The MAIL line now before the state machine had `<>`, for which it has seen a stand-in.
    null_sender: bool,
    envelope_from: Option<String>,
    envelope_to: Vec<String>,
    raw: Vec<u8>,
    /// Bytes of the mail that came in, kept or not.
    taken: usize,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No mail is under way.
    #[default]
    None,
    /// MAIL FROM was accepted.
    Envelope,
    /// The lines of the mail are coming in.
    Text,
    /// The line with the single dot has come in.
    Ended,
}

impl Dialogue {
    pub(super) fn new(client: IpAddr) -> Self {
        let mail = Arc::<Mutex<Mail>>::default();
        let session = SessionBuilder::new(NAME).build(client, Desk(Arc::clone(&mail)));
        Self { session, mail, commands: 0, errors: 0 }
    }

    /// The first line of the dialogue.
    pub(super) fn greeting(&self) -> String {
        answer(220, &format!("{NAME} ESMTP simulator of Solme's main license server"))
    }

    /// Takes one line, CR LF included.
    pub(super) fn line(&mut self, line: &[u8]) -> Step {
        if self.in_text() {
            return self.text_line(line);
        }
        self.commands += 1;
        if self.commands > COMMANDS {
            return Step::Close(answer(421, "Too many commands; connect again"));
        }
        match self.command(line) {
            Step::Answer(text) if text.starts_with(['4', '5']) => {
                self.errors += 1;
                if self.errors > ERRORS {
                    Step::Close(answer(421, "Too many errors; connect again"))
                } else {
                    Step::Answer(text)
                }
            }
            step => step,
        }
    }

    /// A mail is under way: MAIL FROM was accepted and the end has not come.
    pub(super) fn in_mail(&self) -> bool {
        self.mail().stage != Stage::None
    }

    /// The next line belongs to a mail and is no command.
    pub(super) fn in_text(&self) -> bool {
        self.mail().stage == Stage::Text
    }

    fn command(&mut self, line: &[u8]) -> Step {
        let verb = line.get(..4).map(<[u8]>::to_ascii_uppercase).unwrap_or_default();
        let response = if verb == b"MAIL" {
            match mail_line(line) {
                Ok((line, null_sender)) => {
                    self.mail().null_sender = null_sender;
                    self.session.process(&line)
                }
                Err(refusal) => return Step::Answer(refusal),
            }
        } else {
            self.session.process(line)
        };
        if response.is_error || response.action == Action::Close {
            return step(&response);
        }
        match &verb[..] {
            b"RSET" => *self.mail() = Mail::default(),
            b"EHLO" => {
                let extensions =
                    format!("250-{NAME}\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SIZE {MESSAGE_BYTES}\r\n");
                return Step::Answer(extensions);
            }
            _ => {}
        }
        step(&response)
    }

    fn text_line(&mut self, line: &[u8]) -> Step {
        self.session.process(line);
        let mut mail = self.mail();
        let exceeds = mail.taken > MESSAGE_BYTES;
        if mail.stage == Stage::Ended {
            let Mail { envelope_from, envelope_to, raw, .. } = std::mem::take(&mut *mail);
            return if exceeds {
                Step::Answer(too_large())
            } else {
                Step::Deliver(ReceivedMail { envelope_from, envelope_to, raw })
            };
        }
        if exceeds && mail.taken - MESSAGE_BYTES > DISCARDED_BYTES {
            return Step::Close(too_large());
        }
        Step::Continue
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        lock(&self.mail)
    }
}

/// `mailin`'s half of the mail under way: it owns its handler and gives no way to it, so the two share.
struct Desk(Arc<Mutex<Mail>>);

impl Handler for Desk {
    fn helo(&mut self, _client: IpAddr, _domain: &str) -> Response {
        *lock(&self.0) = Mail::default();
        Response::custom(250, NAME.to_owned())
    }

    fn mail(&mut self, _client: IpAddr, _domain: &str, from: &str) -> Response {
        let mut mail = lock(&self.0);
        let envelope_from = (!mail.null_sender).then(|| from.to_owned());
        *mail = Mail { stage: Stage::Envelope, envelope_from, ..Mail::default() };
        mailin::response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        let mut mail = lock(&self.0);
        if !LICENSING.eq_ignore_ascii_case(to) {
            return Response::custom(550, format!("No such mailbox here, and no relaying; write to {LICENSING}"));
        }
        if mail.envelope_to.len() >= RECIPIENTS {
            return Response::custom(452, "Too many recipients".to_owned());
        }
        mail.envelope_to.push(to.to_owned());
        mailin::response::OK
    }

    fn data_start(&mut self, _domain: &str, _from: &str, _is_8bit: bool, _to: &[String]) -> Response {
        lock(&self.0).stage = Stage::Text;
        mailin::response::OK
    }

    fn data(&mut self, line: &[u8]) -> std::io::Result<()> {
        lock(&self.0).take_line(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        lock(&self.0).stage = Stage::Ended;
        mailin::response::OK
    }
}

impl Mail {
    fn take_line(&mut self, line: &[u8]) {
        self.taken = self.taken.saturating_add(line.len());
        if self.taken > MESSAGE_BYTES {
            // A mail that will be refused is not worth its memory.
            self.raw = Vec::new();
            return;
        }
        if self.raw.capacity() < self.taken {
            // Doubling, but never beyond the limit: the limit is what a mail takes, not half of it.
            let room = (2 * self.taken).min(MESSAGE_BYTES) - self.raw.len();
            self.raw.reserve_exact(room);
        }
        self.raw.extend_from_slice(line);
    }
}

/// Reads `MAIL FROM:<path> [SIZE=n] [BODY=7BIT|8BITMIME]`: the line in the grammar that `mailin` knows, and whether its
/// path is the null sender. What has another form is handed on as it is: `mailin` refuses it.
///
/// # Errors
/// The answer: 552 for a declared size beyond the limit (RFC 1870), 501 for one that is not a number, 555 for a
/// parameter that was not offered (RFC 5321 section 4.1.1.11).
fn mail_line(line: &[u8]) -> Result<(Vec<u8>, bool), String> {
    let as_it_is = || (line.to_vec(), false);
    let Some(text) = std::str::from_utf8(line).ok().and_then(|text| text.strip_suffix("\r\n")) else {
        return Ok(as_it_is());
    };
    let Some((head, rest)) = text.split_once('<') else { return Ok(as_it_is()) };
    let Some((path, parameters)) = rest.split_once('>') else { return Ok(as_it_is()) };
    let null_sender = path.is_empty();
    // Any word would do: the handler knows that it stands for nothing.
    let mut rewritten = format!("{head}<{}>", if null_sender { "null-sender" } else { path });
    for parameter in parameters.split(' ').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.eq_ignore_ascii_case("SIZE") {
            declared_size(value)?;
        } else if name.eq_ignore_ascii_case("BODY") {
            rewritten.push(' ');
            rewritten.push_str(parameter);
        } else {
            return Err(answer(555, "Only the parameters SIZE and BODY are known here"));
        }
    }
    rewritten.push_str("\r\n");
    Ok((rewritten.into_bytes(), null_sender))
}

fn declared_size(value: &str) -> Result<(), String> {
    let digits = !value.is_empty() && value.len() <= 20 && value.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err(answer(501, "SIZE is a number of bytes"));
    }
    // Twenty digits may exceed 64 bits: that is too large in any case.
    match value.parse::<u64>() {
        Ok(size) if size <= MESSAGE_BYTES as u64 => Ok(()),
        _ => Err(too_large()),
    }
}

fn too_large() -> String {
    answer(552, &format!("The mail is too large: at most {MESSAGE_BYTES} bytes; send the license server id alone"))
}

pub(super) fn answer(code: u16, text: &str) -> String {
    format!("{code} {text}\r\n")
}

fn step(response: &Response) -> Step {
    // Writing into memory does not fail, and the answers are texts of ours or of `mailin`.
    let text = String::from_utf8_lossy(&response.buffer().unwrap_or_default()).into_owned();
    if response.action == Action::Close { Step::Close(text) } else { Step::Answer(text) }
}

fn lock(mail: &Mutex<Mail>) -> MutexGuard<'_, Mail> {
    // One thread at a time works on a dialogue; a panic ends it with its mail.
    mail.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Dialogue {
    /// Bytes that the mail under way holds.
    pub(super) fn buffered(&self) -> usize {
        self.mail().raw.capacity()
    }
}
