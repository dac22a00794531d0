//! How the simulator is reached from elsewhere: by which names, and at which addresses behind a port mapping.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::uri::Authority;
use axum_server::tls_rustls::RustlsConfig;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::TrustFile;

use crate::identity::{IdentityError, LOOPBACK};
use crate::main_server::MainServer;

/// Host names that one certificate carries; more would be somebody filling our memory.
const HOSTS_AT_MOST: usize = 64;

/// Names and addresses for others than this machine; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Public {
    /// Host names and IP addresses, in the certificate and good for the admin API with any port.
    pub(crate) names: Vec<String>,
    /// Address of the 443 role.
    pub(crate) https: Option<String>,
    /// Address of the 8080 role.
    pub(crate) http: Option<String>,
    /// Address of the admin API.
    pub(crate) admin: Option<String>,
}

impl Public {
    /// Whether nothing is said of others.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it, for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.names.iter().try_for_each(|text| name(text).map(drop))?;
        self.https.iter().try_for_each(|text| https(text).map(drop))?;
        self.http.iter().chain(&self.admin).try_for_each(|text| http(text).map(drop))
    }

    /// The host that others know this machine by, with the port of a listener; the listener's own address without one.
    pub(crate) fn authority(&self, listener: SocketAddr) -> String {
        match self.names.first() {
            Some(name) => format!("{}:{}", bracketed(name), listener.port()),
            None => reachable(listener).to_string(),
        }
    }

    /// What the certificate is for, beside the loopback addresses.
    pub(crate) fn hosts(&self, listener: IpAddr) -> Vec<String> {
        let mut hosts = self.names.clone();
        if !listener.is_unspecified() && !listener.is_loopback() {
            hosts.push(listener.to_string());
        }
        hosts.extend(self.https.as_deref().and_then(host));
        hosts
    }
}

/// A host name or an IP address.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let host = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let label = |label: &str| (1..=63).contains(&label.len());
    if text.parse::<IpAddr>().is_ok() || (host && text.len() <= 253 && text.split('.').all(label)) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("use a host name or an IP address, without scheme and port, like main-server.example".to_owned())
}

/// An address of the 443 role: `https://HOST:PORT`.
pub(crate) fn https(text: &str) -> Result<String, String> {
    url("https", text)
}

/// An address of the 8080 role or the admin API: `http://HOST:PORT`.
pub(crate) fn http(text: &str) -> Result<String, String> {
    url("http", text)
}

/// The form of an address in a trust file (P 15.1).
fn url(scheme: &str, text: &str) -> Result<String, String> {
    let wrong = || format!("use the form {scheme}://HOST:PORT, like {scheme}://main-server.example:14443");
    let authority = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")).ok_or_else(wrong)?;
    let (host, port) = authority.rsplit_once(':').ok_or_else(wrong)?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port: u16 = port.parse().ok().filter(|port| digits && *port != 0).ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => {}
        Some(_) => return Err(wrong()),
        None => drop(name(host).ok().filter(|_| !host.contains(':')).ok_or_else(wrong)?),
    }
    Ok(format!("{scheme}://{}:{port}", host.to_ascii_lowercase()))
}

/// The host of an address, without brackets.
fn host(url: &str) -> Option<String> {
    let authority: Authority = url.split_once("://")?.1.parse().ok()?;
    Some(authority.host().trim_matches(['[', ']']).to_owned())
}

fn bracketed(name: &str) -> String {
    if name.contains(':') { format!("[{name}]") } else { name.to_owned() }
}

/// Nobody can connect to `0.0.0.0`; from this machine the loopback address is the same.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (std::net::Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// The 443 role as License Servers see it: its addresses, and the certificate that goes with them. The CA stays; the
/// certificate is made anew for each further host.
pub(crate) struct Front {
    main_server: Arc<MainServer>,
    tls: RustlsConfig,
    https: String,
    http: String,
    hosts: Mutex<Vec<String>>,
}

/// Why there is no trust file for an address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrontError {
    /// It is not an address of the form that a trust file has.
    #[error("{member}: {rule}")]
    Address { member: &'static str, rule: String },
    /// The certificate has its 64 hosts already.
    #[error("the certificate already has {HOSTS_AT_MOST} hosts")]
    TooManyHosts,
    /// No certificate could be made for the new host.
    #[error(transparent)]
    Certificate(#[from] IdentityError),
}

impl Front {
    /// At first with the certificate that the main server was started with.
    pub(crate) fn new(main_server: Arc<MainServer>, public: &Public, https: SocketAddr, http: SocketAddr) -> Self {
        let tls = RustlsConfig::from_config(Arc::clone(&main_server.identity.tls));
        let given = |url: &Option<String>, scheme: &str, listener| match url {
            Some(url) => url.clone(),
            None => format!("{scheme}://{}", public.authority(listener)),
        };
        let (https, http) = (given(&public.https, "https", https), given(&public.http, "http", http));
        let hosts = Mutex::new(main_server.settings().hosts.clone());
        Self { main_server, tls, https, http, hosts }
    }

    /// What the 443 role speaks.
    pub(crate) fn tls(&self) -> RustlsConfig {
        self.tls.clone()
    }

    /// What its certificate is for, beside the loopback addresses.
    pub(crate) fn hosts(&self) -> Vec<String> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn trust_file(&self) -> TrustFile {
        self.main_server.trust_file(self.https.clone(), self.http.clone())
    }

    /// The trust file for License Servers that reach the two roles at other addresses.
    pub(crate) fn trust_file_for(&self, https: Option<&str>, http: Option<&str>) -> Result<TrustFile, FrontError> {
        let wrong = |member| move |rule| FrontError::Address { member, rule };
        let https = https.map(self::https).transpose().map_err(wrong("https"))?;
        let http = http.map(self::http).transpose().map_err(wrong("http"))?;
        if let Some(host) = https.as_deref().and_then(host) {
            self.certify(host)?;
        }
        let (https, http) = (https.unwrap_or_else(|| self.https.clone()), http.unwrap_or_else(|| self.http.clone()));
        Ok(self.main_server.trust_file(https, http))
    }

    fn certify(&self, host: String) -> Result<(), FrontError> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if LOOPBACK.contains(&host.as_str()) || hosts.contains(&host) {
            return Ok(());
        }
        if hosts.len() >= HOSTS_AT_MOST {
            return Err(FrontError::TooManyHosts);
        }
        let with_it: Vec<String> = hosts.iter().cloned().chain([host]).collect();
        self.tls.reload_from_config(self.main_server.tls_for(&with_it)?);
        *hosts = with_it;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_host_without_scheme_and_port() {
        for good in ["main-server.example", "solme", "my_service_1", "10.0.0.7", "fe80::1", "LOCALHOST"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in ["", "https://a", "a:1", "a..b", "a b", "ä.example", "a/", "[::1]", "*.example"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_a_scheme_a_host_and_a_port() {
        for good in ["https://solme:443", "https://[::1]:1", "https://10.0.0.7:65535"] {
            assert_eq!(https(good).as_deref(), Ok(good));
        }
        for bad in
            ["solme:443", "http://solme:443", "https://solme", "https://solme:0", "https://solme:1/", "https://::1:1"]
        {
            assert!(https(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_name_stands_for_every_listener_and_without_one_their_own_addresses_do() {
        let listener = "0.0.0.0:14443".parse().unwrap();
        assert_eq!(Public::default().authority(listener), "127.0.0.1:14443");
        let public = |name: &str| Public { names: vec![name.to_owned()], ..Public::default() };
        assert_eq!(public("solme").authority(listener), "solme:14443");
        assert_eq!(public("fe80::1").authority(listener), "[fe80::1]:14443");
    }
}
