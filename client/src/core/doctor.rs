//! The diagnosis: what a synchronization needs, check by check, each with a cure. Facts in, findings out.
//!
//! The network is one question to each port: how it is (P 13.9), and for a payload that nobody has. Where it fails says
//! which check it failed, and which it had passed: `synchronize` names the check of its failure by the same table.

use serde::{Serialize, Serializer};
use solme_sync_protocol::{Health, UtcTime};

use super::{Failure, HttpAnswer, Identity, ProxyFailure, Role, SKEW_WORTH_SAYING, Times, in_words, interpret_payload};

/// What is looked at, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The state directory and what is in it.
    State,
    /// The key pair.
    KeyPair,
    /// The local clock.
    Clock,
    /// The address of the main server, or of the proxy.
    NameLookup,
    /// The proxy.
    Proxy,
    /// A connection to port 443.
    Port443,
    /// TLS on it.
    Tls,
    /// A connection to port 8080.
    Port8080,
    /// What the main server answers.
    MainServer,
    /// What it said to the last synchronization.
    LastAnswer,
    /// The required synchronization.
    Deadline,
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

impl Check {
    pub(crate) const ALL: [Self; 11] = [
        Self::State,
        Self::KeyPair,
        Self::Clock,
        Self::NameLookup,
        Self::Proxy,
        Self::Port443,
        Self::Tls,
        Self::Port8080,
        Self::MainServer,
        Self::LastAnswer,
        Self::Deadline,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::KeyPair => "key-pair",
            Self::Clock => "clock",
            Self::NameLookup => "name-lookup",
            Self::Proxy => "proxy",
            Self::Port443 => "port-443",
            Self::Tls => "tls",
            Self::Port8080 => "port-8080",
            Self::MainServer => "main-server",
            Self::LastAnswer => "last-answer",
            Self::Deadline => "deadline",
        }
    }

    /// The check that this failure is.
    pub(crate) const fn of(failure: &Failure) -> Self {
        match failure {
            Failure::NameLookupFailed { .. } => Self::NameLookup,
            Failure::Port { role, .. } | Failure::Proxy(ProxyFailure::Beyond { role, .. }) => Self::port(*role),
            Failure::Proxy(_) => Self::Proxy,
            // A certificate that is not valid yet, or not any more: the certificate is looked at, the clock is to blame.
            Failure::TlsNotSolme { .. } | Failure::TlsFailed { .. } | Failure::LocalClockWrong { .. } => Self::Tls,
            Failure::NotTheMainServer { .. }
            | Failure::AnswerInterrupted { .. }
            | Failure::ReceiptWrong(_)
            | Failure::PayloadWrong(_)
            | Failure::PayloadNotFound { .. }
            | Failure::RefusalWrong(_)
            | Failure::RefusalNotOurs(_)
            | Failure::MainServerTrouble { .. }
            | Failure::Stopped => Self::MainServer,
        }
    }

    const fn port(role: Role) -> Self {
        match role {
            Role::Https => Self::Port443,
            Role::Http => Self::Port8080,
        }
    }

    /// What a question to a port passes, in this order.
    const fn way(role: Role) -> &'static [Self] {
        match role {
            Role::Https => &[Self::NameLookup, Self::Proxy, Self::Port443, Self::Tls, Self::MainServer],
            Role::Http => &[Self::NameLookup, Self::Proxy, Self::Port8080, Self::MainServer],
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Which one.
    pub name: Check,
    /// Whether all is well.
    pub ok: bool,
    /// `ok`, `not-checked`, or what is wrong.
    pub code: String,
    /// The same, for people.
    pub message: String,
    /// What to do about it, for people.
    pub cure: Option<String>,
}

const NOT_CHECKED: &str = "not-checked";

impl Checked {
    pub(crate) fn well(name: Check, message: impl Into<String>) -> Self {
        Self { name, ok: true, code: "ok".to_owned(), message: message.into(), cure: None }
    }

    pub(crate) fn wrong(name: Check, code: &str, message: String, cure: impl Into<String>) -> Self {
        Self { name, ok: false, code: code.to_owned(), message, cure: Some(cure.into()) }
    }

    /// Skipped, because another check failed.
    pub(crate) fn skipped(name: Check, because: Check) -> Self {
        let because = because.as_str();
        let message = format!("skipped until {because} is fixed");
        Self::wrong(name, NOT_CHECKED, message, format!("Fix {because} first."))
    }

    fn failure(name: Check, failure: &Failure) -> Self {
        Self::wrong(name, failure.code(), failure.message(), failure.cure())
    }

    pub(crate) fn is_wrong(&self) -> bool {
        !self.ok && self.code != NOT_CHECKED
    }
}

pub(crate) struct Network {
    pub(crate) https: PortAnswer,
    pub(crate) http: PortAnswer,
    /// Who signed the certificate that was shown.
    pub(crate) issuer: Option<String>,
}

pub(crate) struct PortAnswer {
    /// The address of the trust file.
    pub(crate) address: String,
    /// The proxy that it is reached through.
    pub(crate) proxy: Option<String>,
    /// `None`: it is the main server, and does not tell how it is (P 13.9).
    pub(crate) answer: Result<Option<Health>, Failure>,
}

/// What the 443 role answered to `GET /health` (P 13.9).
pub(crate) fn interpret_health(answer: HttpAnswer, identity: &Identity) -> Result<Option<Health>, Failure> {
    let role = Role::Https;
    let foreign = |found| Err(Failure::NotTheMainServer { role, at: answer.at.clone(), found });
    match (answer.status, answer.media_type().as_str()) {
        _ if answer.content_encoding.is_some() => foreign(answer.in_words()),
        (200, "application/json") => match Health::parse(&answer.body) {
            Ok(health) if health.main_server_id == identity.trust.main_server_id => Ok(Some(health)),
            Ok(health) => foreign(format!("it is main server {}", health.main_server_id)),
            Err(error) => foreign(format!("no word on its health: {error}")),
        },
        (404, "application/problem+json") => Ok(None),
        (429 | 500..600, _) => {
            Err(Failure::MainServerTrouble { role, at: answer.at.clone(), found: answer.in_words() })
        }
        _ => foreign(answer.in_words()),
    }
}

/// What the 8080 role answered when it was asked for a payload that nobody has: it is the main server if it has none.
pub(crate) fn interpret_no_payload(answer: HttpAnswer) -> Result<Option<Health>, Failure> {
    let (at, found) = (answer.at.clone(), answer.in_words());
    match interpret_payload(answer, 0)? {
        None => Ok(None),
        Some(_) => Err(Failure::NotTheMainServer { role: Role::Http, at, found }),
    }
}

const NETWORK: [Check; 6] =
    [Check::NameLookup, Check::Proxy, Check::Port443, Check::Tls, Check::Port8080, Check::MainServer];

/// The checks of a network that could not even be asked.
pub(crate) fn no_network(failure: &Failure) -> Vec<Checked> {
    let because = Check::of(failure);
    let checked = |check| match check == because {
        true => Checked::failure(check, failure),
        false => Checked::skipped(check, because),
    };
    NETWORK.into_iter().map(checked).collect()
}

impl Network {
    pub(crate) fn checks(&self) -> Vec<Checked> {
        NETWORK.into_iter().map(|check| self.checked(check)).collect()
    }

    fn checked(&self, check: Check) -> Checked {
        let ports = [(Role::Https, &self.https), (Role::Http, &self.http)];
        let mut in_the_way = None;
        for (role, asked) in ports {
            let way = Check::way(role);
            let (Err(failure), Some(here)) = (&asked.answer, way.iter().position(|passed| *passed == check)) else {
                continue;
            };
            let failed = Check::of(failure);
            if failed == check {
                return Checked::failure(check, failure);
            }
            if way.iter().position(|passed| *passed == failed).is_some_and(|failed| failed < here) {
                in_the_way = Some(failed);
            }
        }
        match in_the_way {
            Some(because) => Checked::skipped(check, because),
            None => Checked::well(check, self.well(check)),
        }
    }

    /// What is well, for people.
    fn well(&self, check: Check) -> String {
        let proxies: Vec<&str> = [&self.https, &self.http].into_iter().filter_map(|p| p.proxy.as_deref()).collect();
        match check {
            Check::NameLookup if !proxies.is_empty() => "done, or left to the proxy".to_owned(),
            Check::NameLookup => "the main server's names resolve".to_owned(),
            Check::Proxy => match proxies.as_slice() {
                [] => "not used".to_owned(),
                [proxy, ..] => format!("{proxy} reaches the main server"),
            },
            Check::Port443 => format!("{} answers", self.https.address),
            Check::Tls => {
                let issuer = self.issuer.as_deref().unwrap_or("the CA of the trust file");
                format!("the certificate is Solme's, signed by {issuer}")
            }
            Check::Port8080 => format!("{} answers", self.http.address),
            _ => match self.main_server_time() {
                Some(time) => format!("answers on both ports; its time is {time}"),
                None => "answers on both ports, without details".to_owned(),
            },
        }
    }

    /// The main server's time, as the authenticated port tells it.
    fn main_server_time(&self) -> Option<UtcTime> {
        self.https.answer.as_ref().ok()?.as_ref().map(|health| health.main_server_time)
    }

    /// The local clock against the main server's, asked just now, and against the latest time seen (P 17.4).
    pub(crate) fn clock(&self, times: &Times) -> Checked {
        let well = |message: &str| Checked::well(Check::Clock, message);
        let wrong = |message| {
            Checked::wrong(Check::Clock, "local-clock-wrong", message, "Set this computer's clock, then synchronize.")
        };
        let clock = times.local_clock;
        if times.check_clock().is_err() {
            let mark = times.high_water_mark;
            return wrong(format!(
                "it shows {clock}, but {mark} was already seen: nothing is issued until the clock is right"
            ));
        }
        match (self.main_server_time(), &self.https.answer) {
            (Some(time), _) => {
                let (fast, slow) = (clock.since(time), time.since(clock));
                match fast.max(slow) {
                    by if by < SKEW_WORTH_SAYING => well(&format!("right, within {}", in_words(by.max(1)))),
                    by if fast > slow => wrong(format!("{} fast: the main server has {time}", in_words(by))),
                    by => wrong(format!("{} slow: the main server has {time}", in_words(by))),
                }
            }
            (None, Ok(_)) => well("not behind the latest time seen; this main server does not report its time"),
            (None, Err(failure)) => Checked::skipped(Check::Clock, Check::of(failure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::PortFault;
    use crate::tests::world::{World, http};

    fn network(https: Result<Option<Health>, Failure>, http: Result<Option<Health>, Failure>) -> Network {
        let asked = |address: &str, answer| PortAnswer { address: address.to_owned(), proxy: None, answer };
        Network { https: asked("https://main:443", https), http: asked("http://main:8080", http), issuer: None }
    }

    /// `+` well, `x` wrong, `-` not checked: name lookup, proxy, 443, TLS, 8080, main server.
    fn drawn(network: &Network) -> String {
        let draw = |checked: Checked| match checked.ok {
            true => '+',
            false if checked.is_wrong() => 'x',
            false => '-',
        };
        network.checks().into_iter().map(draw).collect()
    }

    #[test]
    fn what_is_well_is_said_in_words() {
        let messages = |network: &Network| network.checks().into_iter().map(|c| c.message).collect::<Vec<_>>();
        let mut network = network(Ok(None), Ok(None));
        let direct = [
            "the main server's names resolve",
            "not used",
            "https://main:443 answers",
            "the certificate is Solme's, signed by the CA of the trust file",
            "http://main:8080 answers",
            "answers on both ports, without details",
        ];
        assert_eq!(messages(&network), direct);
        network.https.proxy = Some("proxy:3128".to_owned());
        assert_eq!(messages(&network)[..2], ["done, or left to the proxy", "proxy:3128 reaches the main server"]);
        assert_eq!(messages(&network)[2..], direct[2..]);
    }

    #[test]
    fn a_network_that_cannot_be_asked_is_one_failure() {
        let failure = Failure::Proxy(ProxyFailure::WantsPassword { proxy: "proxy:3128".to_owned() });
        let codes: Vec<_> = no_network(&failure).into_iter().map(|checked| checked.code).collect();
        let mut awaited = [NOT_CHECKED; 6];
        awaited[1] = failure.code();
        assert_eq!(codes, awaited);
    }

    #[test]
    fn a_clock_is_right_up_to_five_minutes() {
        let main_server_time = UtcTime::from_secs(1_800_000_000);
        let health = Health { main_server_id: "SOLME-TEST".parse().unwrap(), main_server_time };
        let network = network(Ok(Some(health)), Ok(None));
        for (seconds, message) in [
            (299, "right, within 4 min"),
            (300, "5 min fast: the main server has 2027-01-15T08:00:00Z"),
            (-299, "right, within 4 min"),
            (-300, "5 min slow: the main server has 2027-01-15T08:00:00Z"),
        ] {
            let times = Times::starting_at(main_server_time.offset(seconds));
            assert_eq!(network.clock(&times).message, message);
        }
    }

    #[test]
    fn an_answer_about_its_health_that_is_none_is_told_by_whose_it_is() {
        let identity = World::new().identity;
        let code = |answer| interpret_health(answer, &identity).map_err(|failure| failure.code());
        let mut encoded = http(404, "application/problem+json", "{}");
        assert_eq!(code(encoded.clone()), Ok(None));
        encoded.content_encoding = Some("gzip".to_owned());
        assert_eq!(code(encoded), Err("not-the-main-server"));
        for status in [429, 500, 503] {
            assert_eq!(code(http(status, "text/plain", "")), Err("main-server-trouble"), "{status}");
        }
    }

    #[test]
    fn a_failure_is_one_check_and_what_comes_behind_it_was_not_checked() {
        let at = || "main:443".to_owned();
        let port = |role| Failure::Port { role, fault: PortFault::Refused, at: at(), detail: String::new() };
        let lookup = Failure::NameLookupFailed { host: at(), detail: String::new() };
        let proxy = Failure::Proxy(ProxyFailure::WantsPassword { proxy: at() });
        let tls = Failure::TlsNotSolme { at: at(), issuer: String::new() };
        let page = |role| Failure::NotTheMainServer { role, at: at(), found: String::new() };
        for (https, http, awaited) in [
            (Ok(None), Ok(None), "++++++"),
            (Err(lookup.clone()), Err(lookup), "x-----"),
            (Err(proxy.clone()), Err(proxy), "+x----"),
            (Err(port(Role::Https)), Ok(None), "++x-+-"),
            (Err(tls), Ok(None), "+++x+-"),
            (Ok(None), Err(port(Role::Http)), "++++x-"),
            (Err(page(Role::Https)), Ok(None), "+++++x"),
            (Ok(None), Err(page(Role::Http)), "+++++x"),
        ] {
            let network = network(https, http);
            assert_eq!(drawn(&network), awaited, "{:?}", network.checks());
        }
    }
}
