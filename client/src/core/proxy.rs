//! What a proxy's word means. The transport asks it in stages after an exchange has failed; here its answers are told
//! apart, and its own pages from the main server's payload.

use super::answer::HttpAnswer;
use super::{PortFault, ProxyFailure, Role};

/// The proxy that an exchange goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Via {
    /// Its address, without the password.
    pub(crate) proxy: String,
    /// Real host and port of the main server.
    pub(crate) target: String,
    pub(crate) role: Role,
    /// Whether user and password are sent to it.
    pub(crate) logs_in: bool,
    /// Whether it reads the request and may answer for itself: an HTTP proxy, on the plain port. Otherwise it only
    /// carries bytes.
    pub(crate) reads_requests: bool,
}

/// What a proxy did when it was asked for a way to the main server, up to the stage where it said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProxyWord {
    /// There is no connection to it, or it ended before the main server was spoken of.
    NoConnection(String),
    /// Asked for the main server, it closed the connection.
    Closed,
    /// Asked for the main server, it said nothing in time.
    Silent(String),
    /// What it says is not of its kind.
    NoProxy(&'static str),
    /// The status of its answer to `CONNECT` (RFC 9110, section 9.3.6).
    Connect(u16),
    /// It wants a login (status 407), and names ways to do it, none of which is `Basic` (RFC 7617).
    OtherLogin(String),
    /// The method that it chose for logging in (RFC 1928, section 3), where it is not the one that was offered.
    SocksMethod(u8),
    /// The status of its answer to user and password (RFC 1929), where it is not 0.
    SocksLogin(u8),
    /// Its reply to `CONNECT` (RFC 1928, section 6).
    SocksReply(u8),
}

/// No method that was offered will do (RFC 1928, section 3).
const NO_ACCEPTABLE_METHOD: u8 = 0xFF;

impl Via {
    /// Host and port of the main server, and the way there, for people.
    pub(crate) fn at(&self) -> String {
        format!("{} through the proxy {}", self.target, self.proxy)
    }

    /// The failure behind a proxy's word; none where it gave a way to the main server.
    pub(crate) fn judge(&self, word: ProxyWord) -> Option<ProxyFailure> {
        use PortFault::{Refused, TimedOut, Unreachable};
        Some(match word {
            ProxyWord::NoConnection(detail) => self.unreachable(detail),
            ProxyWord::Closed => self.unreachable("it closes the connection without an answer".to_owned()),
            ProxyWord::Silent(detail) => self.beyond(TimedOut, detail),
            ProxyWord::NoProxy(found) => self.own_page(found.to_owned()),
            ProxyWord::Connect(200..300) | ProxyWord::SocksReply(0) => return None,
            // 401 would be the main server's; tinyproxy says it to a wrong password.
            ProxyWord::Connect(status @ (401 | 407)) => self.password(format!("status {status}")),
            ProxyWord::OtherLogin(ways) => self.not_supported(format!("it wants a login by {ways}")),
            ProxyWord::Connect(status @ (500 | 502 | 503)) => self.beyond(Unreachable, format!("status {status}")),
            ProxyWord::Connect(504) => self.beyond(TimedOut, "status 504".to_owned()),
            ProxyWord::Connect(status @ 400..500) => self.refuses(format!("status {status}")),
            ProxyWord::Connect(status) => self.own_page(format!("status {status}")),
            ProxyWord::SocksMethod(NO_ACCEPTABLE_METHOD) => self.password("it takes no such login".to_owned()),
            ProxyWord::SocksMethod(_) => self.own_page("it asks for a login that was not offered".to_owned()),
            ProxyWord::SocksLogin(status) => self.password(format!("SOCKS login status {status}")),
            ProxyWord::SocksReply(2) => self.refuses("not allowed by its rules".to_owned()),
            ProxyWord::SocksReply(3) => self.beyond(Unreachable, "network unreachable".to_owned()),
            ProxyWord::SocksReply(4) => self.beyond(Unreachable, "host unreachable".to_owned()),
            ProxyWord::SocksReply(5) => self.beyond(Refused, "connection refused".to_owned()),
            ProxyWord::SocksReply(6) => self.beyond(TimedOut, "time to live expired".to_owned()),
            ProxyWord::SocksReply(reply @ (7 | 8)) => {
                self.refuses(format!("not supported by it (SOCKS reply {reply})"))
            }
            ProxyWord::SocksReply(reply) => self.beyond(Unreachable, format!("SOCKS reply {reply}")),
        })
    }

    /// The failure behind an answer on the plain port that is the proxy's own, told by what the main server never
    /// answers there (P 13.4, 13.8): no status but 200, 404 and those of trouble, and never a web page.
    pub(crate) fn own_answer(&self, answer: &HttpAnswer) -> Option<ProxyFailure> {
        if !self.reads_requests {
            return None;
        }
        let (page, found) = (answer.is_a_web_page(), answer.in_words());
        match answer.status {
            401 | 407 => Some(self.password(found)),
            403 | 405 if !answer.is_a_problem() => Some(self.refuses(found)),
            504 if page => Some(self.beyond(PortFault::TimedOut, found)),
            500 | 502 | 503 if page => Some(self.beyond(PortFault::Unreachable, found)),
            300..=399 => Some(self.own_page(found)),
            _ if page => Some(self.own_page(found)),
            _ => None,
        }
    }

    pub(crate) fn unreachable(&self, detail: String) -> ProxyFailure {
        ProxyFailure::Unreachable { proxy: self.proxy.clone(), detail }
    }

    pub(crate) fn own_page(&self, found: String) -> ProxyFailure {
        ProxyFailure::OwnPage { proxy: self.proxy.clone(), found }
    }

    fn not_supported(&self, found: String) -> ProxyFailure {
        ProxyFailure::NotSupported { proxy: self.proxy.clone(), found }
    }

    fn password(&self, found: String) -> ProxyFailure {
        let proxy = self.proxy.clone();
        if self.logs_in { ProxyFailure::WrongPassword { proxy, found } } else { ProxyFailure::WantsPassword { proxy } }
    }

    fn refuses(&self, found: String) -> ProxyFailure {
        ProxyFailure::RefusesTarget { proxy: self.proxy.clone(), target: self.target.clone(), found }
    }

    fn beyond(&self, fault: PortFault, detail: String) -> ProxyFailure {
        let (role, proxy, target) = (self.role, self.proxy.clone(), self.target.clone());
        ProxyFailure::Beyond { role, fault, proxy, target, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Failure;
    use crate::tests::world::http;

    fn via(role: Role, logs_in: bool) -> Via {
        Via {
            proxy: "http://proxy.example:3128".to_owned(),
            target: "solme.example:443".to_owned(),
            role,
            logs_in,
            reads_requests: role == Role::Http,
        }
    }

    #[test]
    fn the_way_there_is_named_by_both_ends() {
        assert_eq!(via(Role::Https, false).at(), "solme.example:443 through the proxy http://proxy.example:3128");
    }

    #[test]
    fn every_word_of_a_proxy_has_its_failure() {
        use ProxyWord::{
            Closed, Connect, NoConnection, NoProxy, OtherLogin, Silent, SocksLogin, SocksMethod, SocksReply,
        };
        let table = [
            (NoConnection("refused".to_owned()), Some("proxy-unreachable")),
            (Closed, Some("proxy-unreachable")),
            (Silent("10 s".to_owned()), Some("443-timed-out")),
            (NoProxy("it is no HTTP"), Some("proxy-own-page")),
            (Connect(200), None),
            (Connect(204), None),
            (Connect(101), Some("proxy-own-page")),
            (Connect(302), Some("proxy-own-page")),
            (Connect(400), Some("proxy-refuses-target")),
            (Connect(401), Some("proxy-wants-password")),
            (Connect(403), Some("proxy-refuses-target")),
            (Connect(405), Some("proxy-refuses-target")),
            (Connect(407), Some("proxy-wants-password")),
            (Connect(500), Some("443-unreachable")),
            (Connect(501), Some("proxy-own-page")),
            (Connect(502), Some("443-unreachable")),
            (Connect(503), Some("443-unreachable")),
            (Connect(504), Some("443-timed-out")),
            (Connect(511), Some("proxy-own-page")),
            (OtherLogin("NTLM".to_owned()), Some("proxy-not-supported")),
            (SocksMethod(0xFF), Some("proxy-wants-password")),
            (SocksMethod(1), Some("proxy-own-page")),
            (SocksLogin(1), Some("proxy-wants-password")),
            (SocksReply(0), None),
            (SocksReply(1), Some("443-unreachable")),
            (SocksReply(2), Some("proxy-refuses-target")),
            (SocksReply(3), Some("443-unreachable")),
            (SocksReply(4), Some("443-unreachable")),
            (SocksReply(5), Some("443-refused")),
            (SocksReply(6), Some("443-timed-out")),
            (SocksReply(7), Some("proxy-refuses-target")),
            (SocksReply(8), Some("proxy-refuses-target")),
            (SocksReply(200), Some("443-unreachable")),
        ];
        for (word, code) in table {
            let failure = via(Role::Https, false).judge(word.clone()).map(Failure::Proxy);
            assert_eq!(failure.as_ref().map(Failure::code), code, "{word:?}");
            if let Some(failure) = failure {
                assert!(failure.message().contains("http://proxy.example:3128"), "{}", failure.message());
                assert!(failure.cure().contains("synchronize via file"), "{}", failure.cure());
            }
        }
        for word in [Connect(401), Connect(407), SocksMethod(0xFF), SocksLogin(1)] {
            let failure = via(Role::Https, true).judge(word.clone()).map(Failure::Proxy);
            assert_eq!(failure.as_ref().map(Failure::code), Some("proxy-wrong-password"), "{word:?}");
        }
    }

    #[test]
    fn only_what_time_may_heal_is_transient() {
        let transient =
            |word| via(Role::Https, true).judge(word).map(Failure::Proxy).is_some_and(|failure| failure.is_transient());
        assert!(transient(ProxyWord::Closed) && transient(ProxyWord::Connect(503)));
        for status in [302, 403, 407] {
            assert!(!transient(ProxyWord::Connect(status)), "{status}");
        }
        assert!(
            !via(Role::Https, false)
                .judge(ProxyWord::Connect(407))
                .map(Failure::Proxy)
                .is_some_and(|failure| failure.is_transient())
        );
    }

    #[test]
    fn an_answer_on_the_plain_port_is_the_proxys_where_the_main_server_never_gives_it() {
        let table = [
            (200, "application/octet-stream", None),
            (200, "text/html; charset=utf-8", Some("proxy-own-page")),
            (302, "application/octet-stream", Some("proxy-own-page")),
            (401, "text/html", Some("proxy-wants-password")),
            (403, "text/html", Some("proxy-refuses-target")),
            (403, "text/plain", Some("proxy-refuses-target")),
            (403, "application/problem+json", None),
            (404, "application/problem+json", None),
            (404, "TEXT/HTML", Some("proxy-own-page")),
            (405, "text/html", Some("proxy-refuses-target")),
            (407, "text/html", Some("proxy-wants-password")),
            (407, "application/problem+json", Some("proxy-wants-password")),
            (500, "text/html", Some("8080-unreachable")),
            (502, "text/html", Some("8080-unreachable")),
            (503, "text/html", Some("8080-unreachable")),
            (503, "application/problem+json", None),
            (504, "text/html", Some("8080-timed-out")),
            (504, "application/problem+json", None),
            (511, "text/html", Some("proxy-own-page")),
        ];
        for (status, content_type, code) in table {
            let answer = http(status, content_type, "");
            let failure = via(Role::Http, false).own_answer(&answer).map(Failure::Proxy);
            assert_eq!(failure.as_ref().map(Failure::code), code, "{status} {content_type}");
            assert_eq!(via(Role::Https, false).own_answer(&answer), None, "a tunnel only carries bytes");
        }
    }
}
