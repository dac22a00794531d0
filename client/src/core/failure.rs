//! Why a direct synchronization failed: a closed table of codes, each with its cure (P 13). A failure is never a
//! refusal, and never touches a license.

use solme_sync_protocol::UtcTime;

use super::check::{AnswerError, SealedPayloadError};
use super::proxy_failure::ProxyFailure;

/// The two ports of the main server (P 13.1). A simulator may listen elsewhere: messages also say where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// TLS: request and receipt.
    Https,
    /// Plain HTTP: the sealed payload.
    Http,
}

impl Role {
    /// The port's number in the manual.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 8080,
        }
    }
}

/// Why no connection to a port came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortFault {
    /// The computer there, or a firewall, rejects the connection.
    Refused,
    /// Nothing answers within the limit for connecting.
    TimedOut,
    /// The network has no route there, or reports another error.
    Unreachable,
}

/// The code of a port that cannot be used.
pub(super) const fn port_code(role: Role, fault: PortFault) -> &'static str {
    match (role, fault) {
        (Role::Https, PortFault::Refused) => "443-refused",
        (Role::Https, PortFault::TimedOut) => "443-timed-out",
        (Role::Https, PortFault::Unreachable) => "443-unreachable",
        (Role::Http, PortFault::Refused) => "8080-refused",
        (Role::Http, PortFault::TimedOut) => "8080-timed-out",
        (Role::Http, PortFault::Unreachable) => "8080-unreachable",
    }
}

/// Why a direct synchronization failed. `at` is the real host and port, and the proxy on the way there; `found` and
/// `detail` are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // of the members: their names say all there is
pub enum Failure {
    /// The name server knows no address for the host, or does not answer within the limit for connecting.
    NameLookupFailed { host: String, detail: String },
    /// No TCP connection to one of the two ports (P 13.1).
    Port { role: Role, fault: PortFault, at: String, detail: String },
    /// The certificate is not from the CA of the trust file (P 13.2), as behind a proxy that inspects TLS.
    TlsNotSolme { at: String, issuer: String },
    /// No TLS 1.3 with a certificate for this host (P 13.2), or the CA certificate of the trust file cannot be used.
    TlsFailed { at: String, detail: String },
    /// The certificate is Solme's, and not valid at `local_clock`, which is the real clock of this computer.
    LocalClockWrong { at: String, local_clock: UtcTime },
    /// An answer that the main server never gives (P 13.8): a web page, a redirect, another status or content type.
    NotTheMainServer { role: Role, at: String, found: String },
    /// The connection ended, or the limit for an exchange was reached, before the whole answer was there.
    AnswerInterrupted { role: Role, at: String, detail: String },
    /// The receipt did not pass the checks of P 11.1 to 11.5.
    ReceiptWrong(AnswerError),
    /// The payload did not pass the checks of P 11.6 to 11.8.
    PayloadWrong(SealedPayloadError),
    /// The 8080 role answered 404, also after the request was sent a second time (P 13.5).
    PayloadNotFound { at: String },
    /// The refusal cannot be read, or is not signed by a key of the trust file (P 11.10).
    RefusalWrong(AnswerError),
    /// The refusal is signed by the main server, and is for another request, key pair or id (P 11.10).
    RefusalNotOurs(AnswerError),
    /// The main server answered 429, 5xx or an unsigned problem, which is no refusal (P 8.2, 13.7).
    MainServerTrouble { role: Role, at: String, found: String },
    /// The proxy failed, or could not reach the main server.
    Proxy(ProxyFailure),
    /// The program was told to stop while it waited.
    Stopped,
}

/// Whether host and port name this computer: no firewall is between.
fn is_of_this_computer(at: &str) -> bool {
    let host = at.rsplit_once(':').map_or(at, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<::core::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

impl Failure {
    /// The code, as scripts see it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NameLookupFailed { .. } => "name-lookup-failed",
            Self::Port { role, fault, .. } => port_code(*role, *fault),
            Self::TlsNotSolme { .. } => "tls-not-solme",
            Self::TlsFailed { .. } => "tls-failed",
            Self::LocalClockWrong { .. } => "local-clock-wrong",
            Self::NotTheMainServer { .. } => "not-the-main-server",
            Self::AnswerInterrupted { .. } => "answer-interrupted",
            Self::ReceiptWrong(_) => "receipt-wrong",
            Self::PayloadWrong(_) => "payload-wrong",
            Self::PayloadNotFound { .. } => "payload-not-found",
            Self::RefusalWrong(_) => "refusal-wrong",
            Self::RefusalNotOurs(_) => "refusal-not-ours",
            Self::MainServerTrouble { .. } => "main-server-trouble",
            Self::Stopped => "stopped",
            Self::Proxy(failure) => failure.code(),
        }
    }

    /// Whether trying again later may help without anyone changing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Proxy(failure) => failure.is_transient(),
            Self::NameLookupFailed { .. }
            | Self::Port { .. }
            | Self::AnswerInterrupted { .. }
            | Self::PayloadNotFound { .. }
            | Self::MainServerTrouble { .. }
            | Self::Stopped => true,
            _ => false,
        }
    }

    /// What happened, for people.
    pub fn message(&self) -> String {
        let port = |role: Role| format!("port {} of the main server", role.port());
        match self {
            Self::NameLookupFailed { host, detail } => {
                format!("the main server's name {host} could not be looked up: {detail}")
            }
            Self::Port { role, fault: PortFault::Refused, at, .. } if is_of_this_computer(at) => {
                format!("{} ({at}) refused the connection: nothing listens there", port(*role))
            }
            Self::Port { role, fault: PortFault::Refused, at, .. } => {
                format!(
                    "{} ({at}) refused the connection: nothing listens there, or a firewall rejects it",
                    port(*role)
                )
            }
            Self::Port { role, fault: PortFault::TimedOut, at, detail } => {
                format!("{} ({at}) did not answer: {detail}; a firewall may drop it", port(*role))
            }
            Self::Port { role, fault: PortFault::Unreachable, at, detail } => {
                format!("{} ({at}) cannot be reached: {detail}", port(*role))
            }
            Self::TlsNotSolme { at, issuer } => format!(
                "the certificate at {at} is not Solme's; its issuer is {issuer}. Something on the \
                 connection decrypts TLS"
            ),
            Self::TlsFailed { at, detail } => format!("no secure connection to {at}: {detail}"),
            Self::LocalClockWrong { at, local_clock } => format!(
                "the certificate of {at} is not valid at {local_clock}, the time on this computer; \
                 such certificates are valid for many years, so the clock is probably wrong"
            ),
            Self::NotTheMainServer { role, at, found } => {
                format!("{} ({at}) is answered by something other than the main server: {found}", port(*role))
            }
            Self::AnswerInterrupted { role, at, detail } => {
                format!("the answer from {} ({at}) broke off: {detail}", port(*role))
            }
            Self::ReceiptWrong(wrong) => format!("the receipt was not accepted ({}): {wrong}", wrong.clause()),
            Self::PayloadWrong(wrong) => format!("the payload was not accepted ({}): {wrong}", wrong.clause()),
            Self::PayloadNotFound { at } => {
                format!("port 8080 of the main server ({at}) has no such payload, even after asking again")
            }
            Self::RefusalWrong(wrong) => {
                format!("the main server's refusal was not accepted (P 11.10): {wrong}")
            }
            Self::RefusalNotOurs(wrong) => format!("the refusal is not for this request (P 11.10): {wrong}"),
            Self::MainServerTrouble { role, at, found } => {
                format!("the main server cannot answer now: {} ({at}) returned {found}", port(*role))
            }
            Self::Stopped => "the program was told to stop before the answer came".to_owned(),
            Self::Proxy(failure) => failure.message(),
        }
    }

    /// What to do next. Synchronization via file is always offered; nothing was lost in any case.
    pub fn cure(&self) -> String {
        let first = match self {
            Self::NameLookupFailed { .. } => "Check the network and the name server of this computer".to_owned(),
            Self::Port { fault: PortFault::Refused, at, .. } if is_of_this_computer(at) => {
                "The address is this computer: is the main server, or its simulator, running? Start it, then synchronize \
                 again"
                    .to_owned()
            }
            Self::Port { role, fault: PortFault::Refused, .. } => {
                format!("Have port {} to the main server opened in the firewall, or try later", role.port())
            }
            Self::Port { role, fault: PortFault::TimedOut, .. } => {
                format!("Have port {} to the main server opened in the firewall", role.port())
            }
            Self::Port { fault: PortFault::Unreachable, .. } => {
                "Check the network of this computer: cable, routes, firewall".to_owned()
            }
            Self::TlsNotSolme { .. } => {
                "Exempt the main server's address from TLS inspection".to_owned()
            }
            Self::TlsFailed { .. } => {
                "Check that nothing on the connection replaces the main server, and that the trust file is current \
                 (`license-server init` again with a newer one)"
                    .to_owned()
            }
            Self::LocalClockWrong { .. } => "Set this computer's clock, then synchronize again".to_owned(),
            Self::NotTheMainServer { .. } => {
                "Log in to the network if it asks for that, or exempt the main server's address from the filter"
                    .to_owned()
            }
            Self::AnswerInterrupted { .. } | Self::Stopped => {
                "Synchronize again: the same request is sent, and nothing is lost".to_owned()
            }
            Self::ReceiptWrong(_) | Self::PayloadWrong(_) | Self::RefusalWrong(_) | Self::RefusalNotOurs(_) => {
                "Nothing was changed. Synchronize again; if it happens again, report it to licensing@solme.se"
                    .to_owned()
            }
            Self::PayloadNotFound { .. } | Self::MainServerTrouble { .. } => "Synchronize again later".to_owned(),
            Self::Proxy(failure) => failure.cure(),
        };
        format!("{first}. Or synchronize via file: `license-server export-request FILE`.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_told_by_its_port_and_by_whose_computer_it_is() {
        let refused = |role, at: &str| {
            Failure::Port { role, fault: PortFault::Refused, at: at.to_owned(), detail: String::new() }.message()
        };
        assert_eq!(
            refused(Role::Http, "127.0.0.1:18080"),
            "port 8080 of the main server (127.0.0.1:18080) refused the connection: nothing listens there"
        );
        assert_eq!(
            refused(Role::Https, "main.example:443"),
            "port 443 of the main server (main.example:443) refused the connection: nothing listens there, or a \
             firewall rejects it"
        );
    }
}
