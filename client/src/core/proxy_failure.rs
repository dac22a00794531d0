//! Why the way through a proxy failed: codes of the table in `failure.rs`, each with its cure.

use super::failure::{PortFault, Role, port_code};

/// A failure of a proxy, or behind it. `proxy` is its address without the password, `target` real host and port of the
/// main server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // of the members: their names say all there is
pub enum ProxyFailure {
    /// No connection to the proxy itself: its name, its port, or nothing listens there.
    Unreachable { proxy: String, detail: String },
    /// It answers 407, or takes no login-free SOCKS method, and the settings name no user.
    WantsPassword { proxy: String },
    /// It rejects the user and password of the settings.
    WrongPassword { proxy: String, found: String },
    /// Its rules forbid a connection to the main server (status 4xx, or a SOCKS reply of that meaning).
    RefusesTarget { proxy: String, target: String, found: String },
    /// It answers for itself with a page or a redirect, as a captive portal does.
    OwnPage { proxy: String, found: String },
    /// It is of a kind, or wants a login, that is not spoken here; spoken are http, socks5 and socks5h, with Basic.
    NotSupported { proxy: String, found: String },
    /// The proxy works, and has no connection to this port of the main server.
    Beyond { role: Role, fault: PortFault, proxy: String, target: String, detail: String },
}

impl ProxyFailure {
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "proxy-unreachable",
            Self::WantsPassword { .. } => "proxy-wants-password",
            Self::WrongPassword { .. } => "proxy-wrong-password",
            Self::RefusesTarget { .. } => "proxy-refuses-target",
            Self::OwnPage { .. } => "proxy-own-page",
            Self::NotSupported { .. } => "proxy-not-supported",
            Self::Beyond { role, fault, .. } => port_code(*role, *fault),
        }
    }

    pub(super) const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Beyond { .. })
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::Unreachable { proxy, detail } => format!("the proxy {proxy} cannot be reached: {detail}"),
            Self::WantsPassword { proxy } => format!("the proxy {proxy} requires a user and a password"),
            Self::WrongPassword { proxy, found } => {
                format!("the proxy {proxy} rejects the user or password: {found}")
            }
            Self::RefusesTarget { proxy, target, found } => {
                format!("the proxy {proxy} refuses to connect to {target}: {found}")
            }
            Self::OwnPage { proxy, found } => {
                format!("the proxy {proxy} sent its own page instead of the main server's answer: {found}")
            }
            Self::NotSupported { proxy, found } => format!("the proxy {proxy} cannot be used: {found}"),
            Self::Beyond { role, fault, proxy, target, detail } => {
                let what = match fault {
                    PortFault::Refused => "was refused by",
                    PortFault::TimedOut => "got no answer from",
                    PortFault::Unreachable => "cannot reach",
                };
                format!("the proxy {proxy} {what} port {} of the main server ({target}): {detail}", role.port())
            }
        }
    }

    pub(super) fn cure(&self) -> String {
        match self {
            Self::Unreachable { .. } => {
                "Check the proxy's host, port and kind (http, socks5), and that it is running".to_owned()
            }
            Self::WantsPassword { .. } => {
                "Put the user into the proxy address, such as --proxy http://USER@HOST:PORT, and \
                 give the password with --proxy-password-file FILE"
                    .to_owned()
            }
            Self::WrongPassword { .. } => {
                "Ask the proxy's operator to check user and password; omit both if it needs none".to_owned()
            }
            Self::RefusesTarget { target, .. } => format!("Ask the proxy's operator to allow {target}"),
            Self::OwnPage { .. } => {
                "Open any page in a browser that uses this proxy and follow its instructions; also check \
                 its host, port and kind (http, socks5)"
                    .to_owned()
            }
            Self::NotSupported { .. } => {
                "Use another proxy, such as --proxy http://proxy.example:3128, or have this one accept \
                 user and password (Basic)"
                    .to_owned()
            }
            Self::Beyond { target, .. } => {
                format!("Ask the proxy's operator whether it can look up and reach {target}, or try later")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_own_next_step() {
        let (proxy, found) = (String::new, String::new);
        let target = || "main.example:443".to_owned();
        let beyond = ProxyFailure::Beyond {
            role: Role::Https,
            fault: PortFault::Refused,
            proxy: proxy(),
            target: target(),
            detail: String::new(),
        };
        for (failure, step) in [
            (
                ProxyFailure::Unreachable { proxy: proxy(), detail: String::new() },
                "Check the proxy's host, port and kind",
            ),
            (ProxyFailure::WantsPassword { proxy: proxy() }, "--proxy-password-file FILE"),
            (ProxyFailure::WrongPassword { proxy: proxy(), found: found() }, "check user and password"),
            (
                ProxyFailure::RefusesTarget { proxy: proxy(), target: target(), found: found() },
                "allow main.example:443",
            ),
            (ProxyFailure::OwnPage { proxy: proxy(), found: found() }, "Open any page in a browser"),
            (ProxyFailure::NotSupported { proxy: proxy(), found: found() }, "Use another proxy"),
            (beyond, "look up and reach main.example:443"),
        ] {
            assert!(failure.cure().contains(step), "{failure:?}: {}", failure.cure());
        }
    }
}
