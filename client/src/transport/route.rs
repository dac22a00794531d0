//! Which way one port is reached: directly, or through a proxy that is known by name.

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use zeroize::Zeroizing;

use super::proxy::{Proxy, ProxyKind, ProxySettings, Secret, encoded_login};
use crate::core::ProxyFailure;

/// The proxy of one port, ready to be used.
pub(super) struct ProxyRoute {
    pub(super) kind: ProxyKind,
    /// Without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: ProxyLogin,
    /// Its address without the password, for people.
    pub(super) name: String,
}

/// What a proxy is told about who asks.
pub(super) enum ProxyLogin {
    None,
    /// The field `Proxy-Authorization` (RFC 7617).
    Basic(HeaderValue),
    /// RFC 1929.
    Socks {
        user: String,
        password: Secret,
    },
}

impl ProxySettings {
    /// The proxy for an address of the main server; none where it is reached directly.
    ///
    /// # Errors
    /// [`ProxyFailure::NotSupported`] for a proxy of the system's settings.
    pub(super) fn route(&self, url: &Uri) -> Result<Option<ProxyRoute>, ProxyFailure> {
        if (is_of_this_computer(url) && !self.loopback) || self.excepts(url) {
            return Ok(None);
        }
        let (matcher, name) = match &self.proxy {
            Proxy::None => return Ok(None),
            Proxy::System => (Matcher::from_system(), None),
            Proxy::Url(proxy) => (Matcher::builder().all(&*proxy.expose_secret()).build(), Some(proxy.to_string())),
        };
        intercept(&matcher, url).map(|intercept| ProxyRoute::new(&intercept, name)).transpose()
    }

    /// Whether the list of exceptions names the host of this address.
    fn excepts(&self, url: &Uri) -> bool {
        let any = Matcher::builder().all("http://any.invalid").no(self.no_proxy.as_str()).build();
        intercept(&any, url).is_none()
    }
}

/// Asks the library, which takes an exception `*` for every name and no address: so a name is asked for as well.
fn intercept(matcher: &Matcher, url: &Uri) -> Option<Intercept> {
    let scheme = url.scheme_str().unwrap_or_default();
    let some_name = Uri::builder().scheme(scheme).authority("some-name.invalid").path_and_query("/").build().ok()?;
    matcher.intercept(&some_name)?;
    matcher.intercept(url)
}

fn is_of_this_computer(url: &Uri) -> bool {
    let host = bare_host(url);
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

/// The host, an IPv6 address without its brackets.
pub(super) fn bare_host(url: &Uri) -> &str {
    url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

impl ProxyRoute {
    /// `name` is how a setting calls it; the system's settings may hold a password that is not shown.
    fn new(intercept: &Intercept, name: Option<String>) -> Result<Self, ProxyFailure> {
        let url = intercept.uri();
        let login = match (intercept.basic_auth(), intercept.raw_auth()) {
            (Some(header), _) => ProxyLogin::Basic(header.clone()),
            (_, Some((user, password))) => ProxyLogin::Socks { user: user.to_owned(), password: Secret::new(password) },
            _ => ProxyLogin::None,
        };
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let hidden = if matches!(login, ProxyLogin::None) { "" } else { "***@" };
        let scheme = url.scheme_str().unwrap_or_default();
        let name = name.unwrap_or_else(|| format!("{scheme}://{hidden}{authority}"));
        let kind = match ProxyKind::from_scheme(scheme) {
            Ok(kind) => kind,
            Err(wrong) => return Err(ProxyFailure::NotSupported { proxy: name, found: wrong.to_string() }),
        };
        let usual = match kind {
            ProxyKind::Http => 80,
            ProxyKind::Socks5 | ProxyKind::Socks5h => 1080,
        };
        Ok(Self { kind, host: bare_host(url).to_owned(), port: url.port_u16().unwrap_or(usual), login, name })
    }

    /// The same for the HTTP client.
    pub(super) fn for_client(&self) -> reqwest::Result<reqwest::Proxy> {
        let (scheme, port) = (self.kind.scheme(), self.port);
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let login = match &self.login {
            ProxyLogin::Socks { user, password } => encoded_login(user, password.expose_secret()),
            ProxyLogin::Basic(_) | ProxyLogin::None => Zeroizing::default(),
        };
        let url = Zeroizing::new(format!("{scheme}://{}{host}:{port}", *login));
        let proxy = reqwest::Proxy::all(url.as_str())?;
        Ok(match &self.login {
            ProxyLogin::Basic(header) => proxy.custom_http_auth(header.clone()),
            ProxyLogin::Socks { .. } | ProxyLogin::None => proxy,
        })
    }

    pub(super) const fn logs_in(&self) -> bool {
        !matches!(self.login, ProxyLogin::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the proxies that these addresses are reached through.
    fn route(proxy: &str, no_proxy: &str, loopback: bool, url: &str) -> Option<String> {
        let settings = ProxySettings::read(&Secret::new(proxy), no_proxy, None, loopback).unwrap();
        settings.route(&url.parse().unwrap()).unwrap().map(|route| route.name)
    }

    #[test]
    fn both_ports_go_through_the_proxy_but_for_exceptions() {
        const PROXY: &str = "http://me:secret@proxy.example:3128";
        let through = |no_proxy, url| route(PROXY, no_proxy, false, url).is_some();
        for url in
            ["https://solme.example", "http://solme.example:8080", "https://192.0.2.1:443", "http://[2001:db8::1]:1"]
        {
            assert_eq!(route(PROXY, "", false, url).as_deref(), Some("http://me:***@proxy.example:3128"), "{url}");
            assert_eq!(route("none", "", false, url), None);
            assert!(!through("*", url), "{url}");
        }
        assert!(!through("solme.example", "https://solme.example"));
        assert!(!through("solme.example", "https://sync.SOLME.example:443"), "with its subdomains");
        assert!(through("solme.example", "https://notsolme.example"));
        assert!(!through("a.example,192.0.2.0/24", "https://192.0.2.77"));
        assert!(!through("2001:db8::/32", "https://[2001:db8::7]:443"));
        assert!(through("198.51.100.0/24", "https://192.0.2.77"));
    }

    #[test]
    fn this_computer_is_reached_without_a_proxy_unless_asked() {
        for host in ["127.0.0.1", "127.8.9.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LocalHost."] {
            let url = format!("https://{host}:443");
            assert_eq!(route("http://proxy.example:3128", "", false, &url), None, "{url}");
            assert!(route("http://proxy.example:3128", "", true, &url).is_some(), "{url}");
            assert_eq!(route("http://proxy.example:3128", "*", true, &url), None, "an exception stays one");
        }
        assert!(route("http://proxy.example:3128", "", false, "https://localhost.example").is_some());
    }

    #[test]
    fn a_proxy_of_the_system_is_shown_without_user_and_password_and_of_another_kind_is_named() {
        let url: Uri = "https://solme.example".parse().unwrap();
        let of = |text: &str| ProxyRoute::new(&Matcher::builder().all(text).build().intercept(&url).unwrap(), None);
        let route = of("http://me:secret@proxy.example:3128").ok().unwrap();
        assert_eq!((&*route.name, route.logs_in()), ("http://***@proxy.example:3128", true));
        let route = of("proxy.example").ok().unwrap();
        assert_eq!((&*route.name, route.port, route.logs_in()), ("http://proxy.example", 80, false));
        let Some(ProxyFailure::NotSupported { proxy, found }) = of("https://me:secret@proxy.example:3128").err() else {
            panic!()
        };
        assert_eq!(proxy, "https://***@proxy.example:3128");
        assert!(found.contains("https proxies are not supported"), "{found}");
    }
}
