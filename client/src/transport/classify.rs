//! Which failure an error of the network is: told by its source, never by its text.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::TimeLimits;
use super::tls::Presented;
use crate::clock;
use crate::core::{Failure, PortFault, Role, Via};

pub(super) struct Place<'a> {
    pub(super) role: Role,
    /// Real host and port, and the proxy on the way there.
    pub(super) at: &'a str,
    pub(super) via: Option<&'a Via>,
    pub(super) limits: TimeLimits,
    pub(super) presented: &'a Presented,
}

impl Place<'_> {
    /// The failure behind an error of the HTTP client.
    pub(super) fn classify(&self, error: &reqwest::Error) -> Failure {
        if let Some(tls) = source::<rustls::Error>(error) {
            return self.tls(tls);
        }
        let io = source::<io::Error>(error);
        let reader = self.via.filter(|via| via.reads_requests);
        if error.is_connect() {
            if let Some(proxy) = reader {
                let detail = if error.is_timeout() { self.no_connection() } else { last_cause(error) };
                return Failure::Proxy(proxy.unreachable(detail));
            }
            return match io {
                _ if error.is_timeout() => self.port(PortFault::TimedOut, self.no_connection()),
                Some(io) => self.connect(io),
                None => self.port(PortFault::Unreachable, last_cause(error)),
            };
        }
        if error.is_timeout() {
            return self.interrupted(format!("no complete answer within {} s", self.limits.total.as_secs_f32()));
        }
        match source::<hyper::Error>(error) {
            Some(hyper) if hyper.is_parse() => match reader {
                Some(proxy) => Failure::Proxy(proxy.own_page("its answer is not HTTP".to_owned())),
                None => self.foreign("its answer is not HTTP".to_owned()),
            },
            _ => self.interrupted(last_cause(error)),
        }
    }

    /// Whether an error may be that of the proxy before it has passed anything on: TLS is spoken behind it.
    pub(super) fn is_before_tls(error: &reqwest::Error) -> bool {
        error.is_connect() && source::<rustls::Error>(error).is_none()
    }

    fn no_connection(&self) -> String {
        format!("no connection within {} s", self.limits.connect.as_secs_f32())
    }

    fn connect(&self, error: &io::Error) -> Failure {
        let detail = in_words(error);
        match error.kind() {
            io::ErrorKind::ConnectionRefused => self.port(PortFault::Refused, detail),
            io::ErrorKind::TimedOut => self.port(PortFault::TimedOut, detail),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
                if self.role == Role::Https =>
            {
                self.tls_failed(format!("the other side ended the connection before it was secure ({detail})"))
            }
            _ => self.port(PortFault::Unreachable, detail),
        }
    }

    fn tls(&self, error: &rustls::Error) -> Failure {
        let presented = self.presented.last();
        let not_solme = |issuer| Failure::TlsNotSolme { at: self.at.to_owned(), issuer };
        match (error, presented) {
            // Whatever else is wrong with a certificate of someone else: it is someone else's.
            (rustls::Error::InvalidCertificate(_), Some(shown)) if !shown.names_the_trusted_ca => {
                not_solme(shown.issuer)
            }
            (rustls::Error::InvalidCertificate(reason), shown) => match reason {
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => {
                    // The real clock has judged it, whatever `--clock-offset` says.
                    Failure::LocalClockWrong { at: self.at.to_owned(), local_clock: clock::real() }
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    self.tls_failed("its certificate is Solme's, for another host".to_owned())
                }
                _ => not_solme(shown.map_or("unknown".to_owned(), |shown| shown.issuer)),
            },
            (rustls::Error::InvalidMessage(_), _) => {
                self.tls_failed("what answers there does not speak TLS".to_owned())
            }
            (other, _) => self.tls_failed(without_address(&other.to_string())),
        }
    }

    fn port(&self, fault: PortFault, detail: String) -> Failure {
        Failure::Port { role: self.role, fault, at: self.at.to_owned(), detail }
    }

    fn tls_failed(&self, detail: String) -> Failure {
        Failure::TlsFailed { at: self.at.to_owned(), detail }
    }

    fn interrupted(&self, detail: String) -> Failure {
        Failure::AnswerInterrupted { role: self.role, at: self.at.to_owned(), detail }
    }

    fn foreign(&self, found: String) -> Failure {
        Failure::NotTheMainServer { role: self.role, at: self.at.to_owned(), found }
    }
}

/// The innermost `E` among an error and its sources, also inside an [`io::Error`], whose `source` skips what it wraps.
fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let (mut next, mut found) = (Some(error), None);
    while let Some(error) = next {
        found = error.downcast_ref::<E>().or(found);
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    found
}

/// The innermost cause, which says the most to a person.
fn last_cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.downcast_ref::<io::Error>().map_or_else(|| without_address(&last.to_string()), in_words)
}

/// What the operating system says, or what the kind of the error means: libraries wrap sentences for programmers in it.
fn in_words(error: &io::Error) -> String {
    if error.raw_os_error().is_some() { error.to_string() } else { error.kind().to_string() }
}

/// A library's sentence without the address of its documentation.
fn without_address(text: &str) -> String {
    text.split(": http").next().unwrap_or(text).to_owned()
}
