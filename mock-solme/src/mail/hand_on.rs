//! Hands mails of the outbox on to a real SMTP server, where an operator has configured one.

use std::fmt;
use std::time::Duration;

use lettre::address::{AddressError, Envelope};
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::OutboxMail;

/// The wait for the server, from connecting to its last answer.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A real SMTP server that takes our mails.
pub struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// The URL without user and password.
    shown: String,
    time_limit: Duration,
}

/// A mail that was not handed on; it stays in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandOnError {
    /// The URL names no SMTP server. The URL is not repeated: it may hold a password.
    #[error(
        "the URL of the mail server is not usable: {0}; use smtp://HOST:25, smtp://USER:PASSWORD@HOST:587?tls=required or smtps://USER:PASSWORD@HOST:465"
    )]
    Url(&'static str),
    /// No answer from the server.
    #[error("the mail server {server} was not reached: {cause}; check that it runs and that nothing blocks its port")]
    NotReached {
        /// The server, as in the URL but without user and password.
        server: String,
        /// What the network said.
        cause: String,
    },
    /// The server answered too slowly.
    #[error("the mail server {server} took longer than {seconds} s; try again later")]
    TimedOut {
        /// The server, as in the URL but without user and password.
        server: String,
        /// The limit for one mail, in seconds.
        seconds: u64,
    },
    /// TLS failed: most often a certificate that this machine does not trust.
    #[error(
        "the mail server {server} failed at TLS: {cause}; check the host name in the URL and the server's certificate"
    )]
    Tls {
        /// The server, as in the URL but without user and password.
        server: String,
        /// What the TLS library reports.
        cause: String,
    },
    /// The server said no, for now (4yz).
    #[error("the mail server {server} refused the mail for now: {answer}; try again later")]
    RefusedForNow {
        /// The server, as in the URL but without user and password.
        server: String,
        /// Code and text of the SMTP answer.
        answer: String,
    },
    /// The server said no (5yz).
    #[error(
        "the mail server {server} refused the mail: {answer}; check user and password in the URL, and the recipients"
    )]
    Refused {
        /// The server, as in the URL but without user and password.
        server: String,
        /// Code and text of the SMTP answer.
        answer: String,
    },
    /// The mail cannot be sent by this server, or at all.
    #[error(
        "the mail cannot be handed on by {server}: {cause}; read it with `mock-solme outbox show` and send it by hand"
    )]
    Mail {
        /// The server, as in the URL but without user and password.
        server: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl HandOnError {
    /// Whether the same mail may succeed later, with nothing changed here.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::NotReached { .. } | Self::TimedOut { .. } | Self::RefusedForNow { .. })
    }
}

impl MailServer {
    /// The server at `url`: `smtp://` or `smtps://`, with user and password if it wants them (percent-encoded).
    ///
    /// `smtp://` alone is not encrypted; `?tls=required` asks for STARTTLS. Nothing is connected yet.
    ///
    /// # Errors
    /// [`HandOnError::Url`].
    pub fn at(url: &str) -> Result<Self, HandOnError> {
        let (scheme, rest) = url.split_once("://").ok_or(HandOnError::Url("it has no scheme"))?;
        if scheme != "smtp" && scheme != "smtps" {
            return Err(HandOnError::Url("its scheme is neither smtp nor smtps"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if rest[authority.len()..].contains('@') {
            // A password with a slash in it: what looks like the host is the user, and the password would be shown.
            return Err(HandOnError::Url("user and password are not percent-encoded"));
        }
        let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if host.is_empty() {
            return Err(HandOnError::Url("it names no host"));
        }
        if !login.is_empty() && !login.contains(':') {
            return Err(HandOnError::Url("it has a user but no password"));
        }
        // lettre's own words may repeat the URL, and with it the password.
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| HandOnError::Url("host, port, user, password or the tls parameter is malformed"))?;
        let transport = builder.timeout(Some(TIME_LIMIT)).build();
        Ok(Self { transport, shown: format!("{scheme}://{host}"), time_limit: TIME_LIMIT })
    }

    /// The same server with another limit for one mail. Default [`TIME_LIMIT`].
    #[cfg(test)]
    #[must_use]
    pub(crate) fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Hands `mail` on. The envelope sender is `<>`: a bounce of an answer goes nowhere (RFC 3834 section 3.3).
    ///
    /// # Errors
    /// [`HandOnError`], every kind but `Url`.
    pub(crate) async fn hand_on(&self, mail: &OutboxMail) -> Result<(), HandOnError> {
        let failed = |cause: String| HandOnError::Mail { server: self.shown.clone(), cause };
        let to = mail.to.iter().map(|to| to.parse()).collect::<Result<_, AddressError>>();
        let envelope = Envelope::new(None, to.map_err(|error| failed(error.to_string()))?);
        let envelope = envelope.map_err(|error| failed(error.to_string()))?;
        // The limit of lettre is one for each command; this is one for all of them.
        match tokio::time::timeout(self.time_limit, self.transport.send_raw(&envelope, mail.raw.as_bytes())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.not_handed_on(&error)),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn timed_out(&self) -> HandOnError {
        HandOnError::TimedOut { server: self.shown.clone(), seconds: self.time_limit.as_secs() }
    }

    fn not_handed_on(&self, error: &SmtpError) -> HandOnError {
        let server = self.shown.clone();
        let cause = error.to_string();
        if error.is_timeout() {
            self.timed_out()
        } else if error.is_permanent() {
            HandOnError::Refused { server, answer: cause }
        } else if error.is_transient() {
            HandOnError::RefusedForNow { server, answer: cause }
        } else if error.is_tls() {
            HandOnError::Tls { server, cause }
        } else if error.is_client() {
            HandOnError::Mail { server, cause }
        } else {
            HandOnError::NotReached { server, cause }
        }
    }
}

/// Without user and password.
impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailServer({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};

    use solme_sync_protocol::UtcTime;
    use tokio::net::TcpListener;

    use super::*;
    use crate::connections::{Listener, Pool, Port};
    use crate::mail::answers::{Addressing, Answer, compose};
    use crate::mail::smtp::Smtp;

    fn mail(to: &str) -> OutboxMail {
        let addressing = Addressing {
            to: &[to.parse().unwrap()],
            in_reply_to: None,
            message_id: &"answer-1@mock-solme.invalid".parse().unwrap(),
            date: UtcTime::from_secs(1_800_000_000),
        };
        compose(&Answer::Acknowledged, &addressing).unwrap()
    }

    /// A licensing desk that fails or not, its address, and what it has taken.
    fn server(fails: bool) -> (Smtp, SocketAddr, Arc<Mutex<Vec<crate::mail::ReceivedMail>>>) {
        let taken = Arc::<Mutex<Vec<_>>>::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = Listener::new(listener, Port::Smtp, &Pool::new()).unwrap();
        let (kept, address) = (Arc::clone(&taken), listener.local_addr());
        let smtp = Smtp::start(listener, move |mail| {
            kept.lock().unwrap().push(mail);
            std::future::ready(if fails { Err("full".to_owned()) } else { Ok(()) })
        });
        (smtp, address, taken)
    }

    fn at(address: SocketAddr) -> MailServer {
        MailServer::at(&format!("smtp://{address}")).unwrap()
    }

    #[tokio::test]
    async fn a_mail_is_handed_on_with_the_null_sender_and_as_it_was_composed() {
        let (_smtp, address, taken) = server(false);
        let mail = mail("licensing@solme.se");
        at(address).hand_on(&mail).await.unwrap();
        let taken = taken.lock().unwrap();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].envelope_from, None);
        assert_eq!(taken[0].envelope_to, ["licensing@solme.se"]);
        assert!(taken[0].raw.starts_with(mail.raw.as_bytes()));
    }

    #[tokio::test]
    async fn each_failure_has_its_own_name() {
        let (_smtp, address, _taken) = server(true);
        let later = at(address).hand_on(&mail("licensing@solme.se")).await.unwrap_err();
        assert!(matches!(later, HandOnError::RefusedForNow { .. }) && later.is_transient(), "{later}");
        let never = at(address).hand_on(&mail("eve@customer.example")).await.unwrap_err();
        assert!(matches!(never, HandOnError::Refused { .. }) && !never.is_transient(), "{never}");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let silent = MailServer::at(&format!("smtp://{address}")).unwrap().with_time_limit(Duration::from_millis(1));
        let start = std::time::Instant::now();
        let late = silent.hand_on(&mail("licensing@solme.se")).await.unwrap_err();
        assert!(matches!(late, HandOnError::TimedOut { .. }), "{late}");
        assert!(start.elapsed() < TIME_LIMIT, "the limit asked for is the one kept");
        drop(listener);
        let gone = MailServer::at(&format!("smtp://{address}")).unwrap();
        let gone = gone.hand_on(&mail("licensing@solme.se")).await.unwrap_err();
        assert!(matches!(gone, HandOnError::NotReached { .. }), "{gone}");
    }

    #[tokio::test]
    async fn tls_with_a_server_that_speaks_none_is_a_tls_failure() {
        let (_smtp, address, _taken) = server(false);
        let server = MailServer::at(&format!("smtps://localhost:{}", address.port())).unwrap();
        let error = server.hand_on(&mail("licensing@solme.se")).await.unwrap_err();
        assert!(matches!(error, HandOnError::Tls { .. } | HandOnError::NotReached { .. }), "{error:?}");
    }

    #[test]
    fn a_password_is_in_no_text() {
        let server = MailServer::at("smtps://user:s3cret%40@mail.customer.example:465").unwrap();
        assert_eq!(format!("{server:?}"), "MailServer(smtps://mail.customer.example:465)");
        for url in [
            "user:s3cret",
            "http://user:s3cret@host",
            "smtp://user:s3cret@",
            "smtp://s3cret@host",
            "smtp://",
            "smtp://user:s3cret@host:99999",
            "smtp://user:s3cret@host?tls=s3cret",
            "smtp://user:s3cret%ff@host",
            "smtp://user:1/s3cret@host",
            "smtp://user:1?s3cret@host",
            "smtp://user:1#s3cret@host",
        ] {
            let error = MailServer::at(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }
}
