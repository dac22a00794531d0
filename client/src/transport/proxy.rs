//! The proxy as it is set: parsed once, its password readable by one name only, and nowhere shown.

use std::fmt::{Display, Formatter};
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hyper::Uri;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

/// Which way the main server is reached, for both ports.
pub(crate) struct ProxySettings {
    pub(crate) proxy: Proxy,
    /// What is reached directly all the same.
    pub(crate) no_proxy: NoProxy,
    /// Whether addresses of this computer go through the proxy as well.
    pub(crate) loopback: bool,
}

/// Which proxy: `none`, `system`, or an address.
pub(crate) enum Proxy {
    None,
    /// What the variables `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, or the system's settings.
    System,
    Url(ProxyUrl),
}

/// `http://`, `socks5://` or `socks5h://`, with user and password where there are any. Shown without the password.
pub(crate) struct ProxyUrl {
    kind: ProxyKind,
    /// An IPv6 address in brackets.
    host: String,
    port: u16,
    login: Option<Login>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    Http,
    /// This computer looks up the main server's name.
    Socks5,
    /// The proxy looks up the main server's name.
    Socks5h,
}

struct Login {
    user: String,
    password: Secret,
}

/// A password, or a text that may hold one.
pub(crate) struct Secret(Zeroizing<String>);

/// Names with their subdomains, addresses and networks, separated by commas; `*` is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NoProxy(String);

/// Why a proxy cannot be used as it is set. Never repeats what was set: a password may be in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxySettingError {
    /// It has no `://`, and is neither `none` nor `system`.
    #[error("the proxy must be `none`, `system` or an address such as http://proxy.example:3128")]
    NoScheme,
    /// Before `://` is none of the kinds that there are.
    #[error("the proxy must be an http://, socks5:// or socks5h:// address, such as http://proxy.example:3128")]
    UnknownScheme,
    /// A kind that there is, and that is not spoken here.
    #[error("{0} proxies are not supported: only http://, socks5:// and socks5h://, such as http://proxy.example:3128")]
    UnsupportedScheme(&'static str),
    /// Not a URI (RFC 3986).
    #[error(
        "the proxy address is malformed; expected http://proxy.example:3128 or \
         socks5h://user:password@proxy.example:1080, and @ : / % in user or password as %40 %3A %2F %25"
    )]
    Malformed,
    /// Neither a name nor an IP address; IPv6 has brackets.
    #[error("the proxy address has no host, or an impossible one; expected http://proxy.example:3128")]
    NoHost,
    /// A proxy has no usual port.
    #[error("the proxy address has no port from 1 to 65535; expected http://proxy.example:3128")]
    NoPort,
    /// A proxy is asked for no path.
    #[error("the proxy address must end with its port; expected http://proxy.example:3128")]
    Path,
    /// Something like `:password@` stands before the host.
    #[error("the proxy's user is empty; expected http://user:password@proxy.example:3128")]
    NoUser,
    /// What RFC 7617 (a colon in the user) or RFC 1929 (more than 255 bytes) cannot carry.
    #[error("the proxy's user or password is not UTF-8 or too long, or the user has a colon")]
    Login,
    /// The file has a password for nobody.
    #[error("a password needs a proxy address with a user, such as --proxy http://user@proxy.example:3128")]
    PasswordWithoutUser,
    /// The operating system does not give it, or it is not UTF-8.
    #[error("the password file {} cannot be read: {error}", file.display())]
    PasswordFile { file: PathBuf, error: io::Error },
    /// Its first line is the password.
    #[error("the first line of the password file {} is empty", file.display())]
    PasswordFileEmpty { file: PathBuf },
    /// This entry could never match a host.
    #[error("{0:?} is not valid in --no-proxy; use example.com, 192.0.2.1, 10.0.0.0/8 or *")]
    NoProxy(String),
}

impl ProxySettingError {
    pub(crate) const fn setting(&self) -> &'static str {
        match self {
            Self::NoProxy(_) => "no_proxy",
            Self::PasswordWithoutUser | Self::PasswordFile { .. } | Self::PasswordFileEmpty { .. } => {
                "proxy_password_file"
            }
            _ => "proxy",
        }
    }
}

const LONGEST_PASSWORD_FILE: u64 = 4_096;
/// RFC 1929.
const LONGEST_SOCKS_LOGIN: usize = 255;

impl ProxySettings {
    /// Everything reached directly.
    pub(crate) fn none() -> Self {
        Self { proxy: Proxy::None, no_proxy: NoProxy::default(), loopback: false }
    }

    /// The settings as a person writes them.
    ///
    /// # Errors
    /// [`ProxySettingError`].
    pub(crate) fn read(
        proxy: &Secret,
        no_proxy: &str,
        password_file: Option<&Path>,
        loopback: bool,
    ) -> Result<Self, ProxySettingError> {
        let mut proxy = proxy.expose_secret().parse()?;
        if let Some(file) = password_file {
            let Proxy::Url(ProxyUrl { kind, login: Some(login), .. }) = &mut proxy else {
                return Err(ProxySettingError::PasswordWithoutUser);
            };
            login.password = Secret::first_line(file)?;
            login.check(*kind)?;
        }
        Ok(Self { proxy, no_proxy: no_proxy.parse()?, loopback })
    }
}

impl FromStr for Proxy {
    type Err = ProxySettingError;

    fn from_str(text: &str) -> Result<Self, ProxySettingError> {
        match text.trim() {
            "none" => Ok(Self::None),
            "system" => Ok(Self::System),
            url => url.parse().map(Self::Url),
        }
    }
}

/// Without the password.
impl Display for Proxy {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::System => f.write_str("system"),
            Self::Url(url) => url.fmt(f),
        }
    }
}

impl FromStr for ProxyUrl {
    type Err = ProxySettingError;

    fn from_str(text: &str) -> Result<Self, ProxySettingError> {
        let (scheme, _) = text.split_once("://").ok_or(ProxySettingError::NoScheme)?;
        let kind = ProxyKind::from_scheme(&scheme.to_ascii_lowercase())?;
        let url: Uri = text.parse().map_err(|_| ProxySettingError::Malformed)?;
        let authority = url.authority().ok_or(ProxySettingError::Malformed)?;
        if !matches!(url.path_and_query().map(|path| path.as_str()), None | Some("" | "/")) {
            return Err(ProxySettingError::Path);
        }
        if !is_a_host(authority.host()) {
            return Err(ProxySettingError::NoHost);
        }
        let port = authority.port_u16().filter(|port| *port != 0).ok_or(ProxySettingError::NoPort)?;
        let login = authority.as_str().rsplit_once('@').map(|(login, _)| Login::decode(login, kind)).transpose()?;
        Ok(Self { kind, host: authority.host().to_owned(), port, login })
    }
}

/// Whether it can be the name or the address of a computer; an IPv6 address has brackets.
fn is_a_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let of_a_name =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let last_is_a_number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(of_a_name) && (!last_is_a_number || name.parse::<Ipv4Addr>().is_ok())
}

impl ProxyKind {
    pub(super) fn from_scheme(scheme: &str) -> Result<Self, ProxySettingError> {
        match scheme {
            "http" => Ok(Self::Http),
            "socks5" => Ok(Self::Socks5),
            "socks5h" => Ok(Self::Socks5h),
            "https" => Err(ProxySettingError::UnsupportedScheme("https")),
            "socks4" | "socks4a" => Err(ProxySettingError::UnsupportedScheme("socks4")),
            _ => Err(ProxySettingError::UnknownScheme),
        }
    }

    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }
}

impl Login {
    fn decode(text: &str, kind: ProxyKind) -> Result<Self, ProxySettingError> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let decode = |part| percent_decode_str(part).decode_utf8().map_err(|_| ProxySettingError::Login);
        let login = Self { user: decode(user)?.into_owned(), password: Secret::new(&decode(password)?) };
        login.check(kind)?;
        Ok(login)
    }

    fn check(&self, kind: ProxyKind) -> Result<(), ProxySettingError> {
        let too_long = |text: &str| kind != ProxyKind::Http && text.len() > LONGEST_SOCKS_LOGIN;
        if self.user.is_empty() {
            return Err(ProxySettingError::NoUser);
        }
        // RFC 7617: the first colon ends the user.
        if (kind == ProxyKind::Http && self.user.contains(':'))
            || too_long(&self.user)
            || too_long(self.password.expose_secret())
        {
            return Err(ProxySettingError::Login);
        }
        Ok(())
    }
}

impl ProxyUrl {
    /// The address with user and password, percent-encoded.
    pub(super) fn expose_secret(&self) -> Zeroizing<String> {
        let login = self.login.as_ref().map(|login| encoded_login(&login.user, login.password.expose_secret()));
        let login = login.unwrap_or_default();
        Zeroizing::new(format!("{}://{}{}:{}", self.kind.scheme(), *login, self.host, self.port))
    }
}

/// `user:password@`, so that decoding gives back exactly these two.
pub(super) fn encoded_login(user: &str, password: &str) -> Zeroizing<String> {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    Zeroizing::new(format!("{}:{}@", encoded(user), encoded(password)))
}

/// Without the password.
impl Display for ProxyUrl {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://", self.kind.scheme())?;
        if let Some(login) = &self.login {
            write!(f, "{}:***@", utf8_percent_encode(&login.user, NON_ALPHANUMERIC))?;
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    fn first_line(file: &Path) -> Result<Self, ProxySettingError> {
        let failed = |error| ProxySettingError::PasswordFile { file: file.to_owned(), error };
        let mut text = Zeroizing::new(String::new());
        let opened = File::open(file).map_err(failed)?;
        opened.take(LONGEST_PASSWORD_FILE).read_to_string(&mut text).map_err(failed)?;
        match text.lines().next() {
            None | Some("") => Err(ProxySettingError::PasswordFileEmpty { file: file.to_owned() }),
            Some(line) => Ok(Self::new(line)),
        }
    }

    pub(crate) fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl FromStr for NoProxy {
    type Err = ProxySettingError;

    fn from_str(text: &str) -> Result<Self, ProxySettingError> {
        let entries: Vec<&str> = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        match entries.iter().find(|entry| !is_excepting(entry)) {
            Some(wrong) => Err(ProxySettingError::NoProxy((*wrong).to_owned())),
            None => Ok(Self(entries.join(","))),
        }
    }
}

impl NoProxy {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether it is an entry that can ever match: what is none of these would silently match nothing.
fn is_excepting(entry: &str) -> bool {
    let (address, bits) = entry.split_once('/').map_or((entry, None), |(address, bits)| (address, Some(bits)));
    match (address.parse::<IpAddr>(), bits) {
        (Ok(_), None) => true,
        (Ok(address), Some(bits)) => {
            bits.parse::<u8>().is_ok_and(|bits| bits <= if address.is_ipv4() { 32 } else { 128 })
        }
        (Err(_), Some(_)) => false,
        (Err(_), None) => entry == "*" || entry.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        match text.parse::<Proxy>() {
            Ok(Proxy::None) => Ok("none".to_owned()),
            Ok(Proxy::System) => Ok("system".to_owned()),
            Ok(Proxy::Url(url)) => Ok(url.to_string()),
            Err(wrong) => Err(wrong.to_string()),
        }
    }

    #[test]
    fn a_proxy_is_read_and_shown_without_its_password() {
        for (text, awaited) in [
            ("none", "none"),
            ("system", "system"),
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("http://proxy.example:80/", "http://proxy.example:80"),
            ("HTTP://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
            ("http://me:secret@proxy.example:3128", "http://me:***@proxy.example:3128"),
            ("http://me:sec@ret@proxy.example:3128", "http://me:***@proxy.example:3128"),
            ("socks5://me@proxy.example:1080", "socks5://me:***@proxy.example:1080"),
            ("socks5h://a%40b:%3A%2F@192.0.2.1:1080", "socks5h://a%40b:***@192.0.2.1:1080"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(awaited), "{text}");
        }
    }

    #[test]
    fn a_wrong_proxy_is_told_with_an_example_and_never_repeated() {
        let long = format!("socks5://me:{}@proxy.example:1080", "secret".repeat(50));
        for (text, awaited) in [
            ("", "must be `none`"),
            ("secret", "must be `none`"),
            ("me:secret@proxy.example:3128", "must be `none`"),
            ("https://me:secret@proxy.example:3128", "https proxies are not supported"),
            ("socks4a://secret@proxy.example:3128", "socks4 proxies are not supported"),
            ("secret://proxy.example:3128", "must be an http://"),
            ("http://me:secret@proxy.example", "no port"),
            ("http://me:secret@proxy.example:0", "no port"),
            ("http://me:secret@proxy.example:65536", ""),
            ("http://me:secret@proxy.example:3128/path", "must end with its port"),
            ("http://me:secret@proxy.example:3128?a=secret", "must end with its port"),
            ("http://:secret@proxy.example:3128", "user is empty"),
            ("http://m%3Ae:secret@proxy.example:3128", "colon"),
            ("http://me:secret%FF@proxy.example:3128", "UTF-8"),
            ("http://me:sec ret@proxy.example:3128", "malformed"),
            ("http://", "malformed"),
            ("http://me:secret@:1", "no host"),
            ("socks5://u:secret@[::g]:1", ""),
            ("socks5://u:secret@[]:1", ""),
            ("http://[1.2.3.4]:1", ""),
            ("http://secret..example:1", "no host"),
            ("http://1.2.3.999:1", "no host"),
            ("http://pro%78y:1", ""),
            (&long, "too long"),
        ] {
            let message = shown(text).unwrap_err();
            assert!(message.contains(awaited), "{text}: {message}");
            assert!(!message.contains("secret") && message.contains("proxy"), "{text}: {message}");
        }
    }

    #[test]
    fn user_and_password_survive_every_character() {
        let Ok(Proxy::Url(url)) = "socks5://u%25%40%C3%A4:p%3A%2F%40%2541%20@h.example:1".parse() else { panic!() };
        let login = url.login.as_ref().unwrap();
        assert_eq!((login.user.as_str(), login.password.expose_secret()), ("u%@ä", "p:/@%41 "));
        let again: ProxyUrl = url.expose_secret().parse().unwrap();
        assert_eq!(again.login.unwrap().password.expose_secret(), "p:/@%41 ");
    }

    #[test]
    fn a_password_file_stands_in_for_the_password_of_the_address() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        let read = |proxy: &str| ProxySettings::read(&Secret::new(proxy), "", Some(&file), false);
        let code = |proxy: &str| read(proxy).err().unwrap().to_string();
        assert!(code("http://me@h.example:1").contains("cannot be read"));
        std::fs::write(&file, "\nsecond").unwrap();
        assert!(code("http://me@h.example:1").contains("is empty"));
        std::fs::write(&file, "of the file\r\nsecond").unwrap();
        let Ok(ProxySettings { proxy: Proxy::Url(url), .. }) = read("http://me:other@h.example:1") else { panic!() };
        assert_eq!(url.login.unwrap().password.expose_secret(), "of the file");
        for proxy in ["none", "system", "http://h.example:1"] {
            assert!(code(proxy).contains("needs a proxy address with a user"), "{proxy}");
        }
    }

    #[test]
    fn an_exception_that_could_never_match_is_wrong_input() {
        assert_eq!("".parse::<NoProxy>().unwrap(), NoProxy::default());
        assert_eq!(
            " example.com ,.b.example, 10.0.0.0/8,2001:db8::/32,*,".parse::<NoProxy>().unwrap().as_str(),
            "example.com,.b.example,10.0.0.0/8,2001:db8::/32,*"
        );
        for wrong in ["*.example.com", "http://a.example", "a.example:8080", "10.0.0.0/33", "a.example/8", "a b"] {
            assert!(wrong.parse::<NoProxy>().is_err(), "{wrong}");
        }
    }
}
