//! The settings, resolved once: configuration file, then environment, then flags. The later one wins.
//!
//! Every setting is text with one parser, wherever it comes from.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::clock::Span;
use crate::output::{Error, Exit, Text};
use crate::store::read_bounded;
use crate::transport::{Network, ProxySettings, Secret, TimeLimits};

/// What begins the name of a setting in the environment: `connect_limit` is `LICENSE_SERVER_CONNECT_LIMIT`.
const PREFIX: &str = "LICENSE_SERVER_";

/// More bytes than any configuration file has.
const LONGEST_FILE: usize = 1 << 20;

/// The settings that a configuration file may have, and how they are written there.
const KNOWN: [(&str, Form); 8] = [
    ("state", Form::Text),
    ("connect_limit", Form::Text),
    ("total_limit", Form::Text),
    ("proxy", Form::Text),
    ("no_proxy", Form::List),
    ("proxy_password_file", Form::Text),
    ("proxy_loopback", Form::YesOrNo),
    ("warning_command", Form::Text),
];

/// How a setting is written in the configuration file. Elsewhere all of them are text.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    YesOrNo,
    /// Of texts, or one text with commas.
    List,
}

/// What the command line says of the settings; each is absent unless given.
#[derive(Default)]
pub(crate) struct Flags {
    pub(crate) config: Option<PathBuf>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) network: NetworkFlags,
    pub(crate) warning_command: Option<String>,
}

/// How the main server is reached.
#[derive(Args, Clone, Default)]
pub(crate) struct NetworkFlags {
    /// Limit for looking up a name and for connecting to a port [default: 10s]
    #[arg(long, value_name = "SPAN")]
    connect_limit: Option<Limit>,
    /// Limit for one exchange on one port [default: 60s]
    #[arg(long, value_name = "SPAN")]
    total_limit: Option<Limit>,
    /// Proxy for both ports: none, system, or an address such as http://USER:PASSWORD@HOST:PORT, socks5://HOST:PORT or
    /// socks5h://HOST:PORT. With socks5h the proxy looks up the main server's name [default: none]
    // Parsed later: clap would show a wrong one, and the password in it.
    #[arg(long, value_name = "PROXY", value_parser = unshown)]
    proxy: Option<Arc<Secret>>,
    /// Reached without the proxy: names with their subdomains, addresses and networks, such as example.com,10.0.0.0/8;
    /// * for everything
    #[arg(long, value_name = "LIST")]
    no_proxy: Option<String>,
    /// File whose first line is the proxy password
    #[arg(long, value_name = "FILE")]
    proxy_password_file: Option<PathBuf>,
    /// Use the proxy for this computer's own addresses, such as localhost, too
    #[arg(long)]
    proxy_loopback: bool,
}

#[allow(clippy::unnecessary_wraps, reason = "clap wants a parser that may fail")]
fn unshown(text: &str) -> Result<Arc<Secret>, Infallible> {
    Ok(Arc::new(Secret::new(text)))
}

pub(crate) struct Settings {
    pub(crate) state: PathBuf,
    /// How the main server is reached.
    pub(crate) network: Network,
    /// What `serve` runs when the required synchronization comes near.
    pub(crate) warning_command: Option<String>,
    file: Option<PathBuf>,
    shown: Vec<Shown>,
}

/// A setting as `config` shows it.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    name: &'static str,
    value: Option<String>,
    source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(String),
}

/// A time limit: `10s`, `2m`; not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(Duration);

impl FromStr for Limit {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let span: Span = text.parse()?;
        match u64::try_from(span.seconds) {
            Ok(seconds @ 1..) => Ok(Self(Duration::from_secs(seconds))),
            _ => Err("it must be 1s or more".to_owned()),
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}s", self.0.as_secs())
    }
}

impl Settings {
    /// Those of a state directory, and otherwise the usual ones.
    pub(crate) fn usual(state: PathBuf) -> Self {
        Self { state, network: Network::default(), warning_command: None, file: None, shown: Vec::new() }
    }

    /// Resolves the settings of a run.
    ///
    /// # Errors
    /// The value that is wrong, and where it is.
    pub(crate) fn resolve(flags: Flags, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let file = configuration_file(flags.config.clone(), environment)?;
        Self::of(Sources { file, environment, shown: Vec::new() }, flags)
    }

    /// Those of a configuration file with these bytes in the working directory, and otherwise the usual ones.
    ///
    /// # Errors
    /// The value that is wrong, and where it is.
    pub(crate) fn of_file(bytes: Vec<u8>) -> Result<Self, Error> {
        let path = PathBuf::from("config.toml");
        let file = Some((path.clone(), table(&path, bytes)?));
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/home/me"));
        Self::of(Sources { file, environment: &home, shown: Vec::new() }, Flags::default())
    }

    fn of(mut sources: Sources<'_>, flags: Flags) -> Result<Self, Error> {
        let usual = base(sources.environment, "XDG_STATE_HOME", ".local/state").map(|base| base.join("license-server"));
        let state = sources.path("state", flags.state, usual)?.ok_or_else(|| Error {
            exit: Exit::Usage,
            code: "usage",
            message: "there is no default state directory: neither XDG_STATE_HOME nor HOME is set".to_owned(),
            cure: "Name the state directory with --state.".to_owned(),
        })?;
        let network = flags.network;
        let limits = TimeLimits {
            connect: sources.value("connect_limit", network.connect_limit, Limit(TimeLimits::USUAL.connect))?.0,
            total: sources.value("total_limit", network.total_limit, Limit(TimeLimits::USUAL.total))?.0,
        };
        let loopback = network.proxy_loopback.then_some(true);
        let proxy = sources.proxy(network.proxy, network.no_proxy, network.proxy_password_file, loopback)?;
        let warning_command = sources.optional("warning_command", flags.warning_command)?;
        let network = Network { limits, proxy };
        Ok(Self { state, network, warning_command, file: sources.file.map(|(path, _)| path), shown: sources.shown })
    }

    /// All settings, for a script.
    pub(crate) fn to_json(&self) -> Value {
        let settings: Vec<Value> = self
            .shown
            .iter()
            .map(|shown| {
                let (source, from) = shown.source.in_json();
                json!({ "name": shown.name, "value": shown.value, "source": source, "from": from })
            })
            .collect();
        json!({ "outcome": "done", "code": "configuration", "file": self.file, "settings": settings })
    }

    /// All settings, for people.
    pub(crate) fn to_text(&self) -> Text {
        let mut text = Text::default();
        for shown in &self.shown {
            let value = shown.value.as_deref().filter(|value| !value.is_empty()).unwrap_or("(not set)");
            text.value(shown.name, format_args!("{value:<40} {}", shown.source));
        }
        match &self.file {
            Some(file) => text.next(format_args!("edit {}, set {PREFIX}…, or give the flag.", file.display())),
            None => text.next(format_args!(
                "write a configuration file and name it with --config, set {PREFIX}…, or give the flag."
            )),
        }
        text
    }
}

/// Where settings come from, and what has been taken from them.
struct Sources<'a> {
    file: Option<(PathBuf, toml::Table)>,
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    shown: Vec<Shown>,
}

impl Sources<'_> {
    /// A setting that may be absent.
    fn optional<T: FromStr<Err: Display> + Display>(
        &mut self,
        name: &'static str,
        flag: Option<T>,
    ) -> Result<Option<T>, Error> {
        let found = self.find(name, flag)?;
        let (value, source) = found.map_or((None, Source::Default), |(value, source)| (Some(value), source));
        self.show(name, value.as_ref(), source);
        Ok(value)
    }

    /// A setting that has a default.
    fn value<T: FromStr<Err: Display> + Display>(
        &mut self,
        name: &'static str,
        flag: Option<T>,
        default: T,
    ) -> Result<T, Error> {
        let (value, source) = self.find(name, flag)?.unwrap_or((default, Source::Default));
        self.show(name, Some(&value), source);
        Ok(value)
    }

    /// A path; in the configuration file it is relative to that file.
    fn path(
        &mut self,
        name: &'static str,
        flag: Option<PathBuf>,
        default: Option<PathBuf>,
    ) -> Result<Option<PathBuf>, Error> {
        let (path, source) = match (flag, self.text(name)?) {
            (Some(path), _) => (Some(path), Source::flag(name)),
            (None, Some((text, Source::File(file)))) => {
                (Some(file.parent().unwrap_or(Path::new("")).join(text)), Source::File(file))
            }
            (None, Some((text, source))) => (Some(PathBuf::from(text)), source),
            (None, None) => (default, Source::Default),
        };
        self.show(name, path.as_ref().map(|path| path.display()).as_ref(), source);
        Ok(path)
    }

    /// The proxy. Its password is shown nowhere, also not where the proxy is wrong.
    fn proxy(
        &mut self,
        proxy: Option<Arc<Secret>>,
        no_proxy: Option<String>,
        password_file: Option<PathBuf>,
        loopback: Option<bool>,
    ) -> Result<ProxySettings, Error> {
        let (secret, source) = match (proxy, self.text("proxy")?) {
            (Some(secret), _) => (secret, Source::flag("proxy")),
            (None, Some((text, source))) => (Arc::new(Secret::new(&text)), source),
            (None, None) => (Arc::new(Secret::new("none")), Source::Default),
        };
        let first = self.shown.len();
        let no_proxy = self.value("no_proxy", no_proxy, String::new())?;
        let password_file = self.path("proxy_password_file", password_file, None)?;
        let loopback = self.value("proxy_loopback", loopback, false)?;
        let settings =
            ProxySettings::read(&secret, &no_proxy, password_file.as_deref(), loopback).map_err(|wrong| {
                let of = |name: &str| self.shown.iter().find(|shown| shown.name == name).map(|shown| &shown.source);
                let name = wrong.setting();
                wrong_setting(name, of(name).unwrap_or(&source), &wrong)
            })?;
        self.shown.insert(first, Shown { name: "proxy", value: Some(settings.proxy.to_string()), source });
        Ok(settings)
    }

    fn find<T: FromStr<Err: Display>>(&self, name: &str, flag: Option<T>) -> Result<Option<(T, Source)>, Error> {
        match (flag, self.text(name)?) {
            (Some(value), _) => Ok(Some((value, Source::flag(name)))),
            (None, Some((text, source))) => match text.parse() {
                Ok(value) => Ok(Some((value, source))),
                Err(error) => Err(wrong_setting(name, &source, error)),
            },
            (None, None) => Ok(None),
        }
    }

    fn show(&mut self, name: &'static str, value: Option<&impl Display>, source: Source) {
        self.shown.push(Shown { name, value: value.map(ToString::to_string), source });
    }

    /// What environment or file say of a setting, the environment first.
    fn text(&self, name: &str) -> Result<Option<(String, Source)>, Error> {
        let variable = in_environment(name);
        if let Some(value) = (self.environment)(&variable).filter(|value| !value.is_empty()) {
            let source = Source::Environment(variable);
            let text = value.into_string().map_err(|_| wrong_setting(name, &source, "not UTF-8"))?;
            return Ok(Some((text, source)));
        }
        let Some((path, table)) = &self.file else { return Ok(None) };
        let Some(value) = table.get(name) else { return Ok(None) };
        let source = Source::File(path.clone());
        let form = form_of(name).unwrap_or(Form::Text);
        match form.read(value) {
            Some(text) => Ok(Some((text, source))),
            None => Err(wrong_setting(name, &source, format!("write it as {form}"))),
        }
    }
}

/// A base directory of the XDG specification, in which a relative path is ignored.
fn base(environment: &dyn Fn(&str) -> Option<OsString>, variable: &str, in_home: &str) -> Option<PathBuf> {
    let set = |name| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(variable).filter(|path| path.is_absolute()).or_else(|| set("HOME").map(|home| home.join(in_home)))
}

/// The configuration file, if there is one: that which is named, or the usual one.
fn configuration_file(
    named: Option<PathBuf>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<(PathBuf, toml::Table)>, Error> {
    let named = named.or_else(|| environment(&in_environment("config")).filter(|v| !v.is_empty()).map(Into::into));
    let usual = || base(environment, "XDG_CONFIG_HOME", ".config").map(|base| base.join("license-server/config.toml"));
    let Some(path) = named.or_else(|| usual().filter(|path| path.exists())) else { return Ok(None) };
    let bytes =
        read_bounded(&path, LONGEST_FILE).map_err(|error| wrong_file(&path, &format!("cannot read it: {error}")))?;
    let table = table(&path, bytes)?;
    Ok(Some((path, table)))
}

/// What a configuration file says.
fn table(path: &Path, bytes: Vec<u8>) -> Result<toml::Table, Error> {
    let wrong = |message: &str| wrong_file(path, message);
    if bytes.len() > LONGEST_FILE {
        return Err(wrong(&format!("it is longer than {LONGEST_FILE} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("not UTF-8"))?;
    let table: toml::Table = text.parse().map_err(|error| wrong(&not_toml(&text, &error)))?;
    if let Some(unknown) = table.keys().find(|key| form_of(key).is_none()) {
        let known = KNOWN.map(|(name, _)| name).join(", ");
        return Err(wrong(&format!("unknown setting {unknown:?}; expected one of {known}")));
    }
    Ok(table)
}

fn wrong_file(path: &Path, message: &str) -> Error {
    configuration(format!("the configuration file {}: {message}", path.display()))
}

/// What is wrong, and in which line: what the library shows beside it takes several.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
    format!("not valid TOML in line {line}: {}", error.message())
}

fn form_of(name: &str) -> Option<Form> {
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, form)| *form)
}

impl Form {
    /// This value as text, in the environment and on the command line.
    fn read(self, value: &toml::Value) -> Option<String> {
        match (self, value) {
            (Self::Text | Self::List, toml::Value::String(text)) => Some(text.clone()),
            (Self::YesOrNo, toml::Value::Boolean(yes)) => Some(yes.to_string()),
            (Self::List, toml::Value::Array(list)) => {
                let texts: Option<Vec<&str>> = list.iter().map(toml::Value::as_str).collect();
                Some(texts?.join(","))
            }
            _ => None,
        }
    }
}

impl Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::YesOrNo => "true or false",
            Self::List => "a list of texts",
        })
    }
}

fn in_environment(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

fn wrong_setting(name: &str, source: &Source, what: impl Display) -> Error {
    configuration(format!("the setting {name}, {source}: {what}"))
}

fn configuration(message: String) -> Error {
    Error {
        exit: Exit::Usage,
        code: "configuration",
        message,
        cure: "Correct it there; `license-server config` then shows every setting and where it comes from.".to_owned(),
    }
}

impl Source {
    fn flag(name: &str) -> Self {
        Self::Flag(format!("--{}", name.replace('_', "-")))
    }

    fn in_json(&self) -> (&'static str, Option<String>) {
        match self {
            Self::Default => ("default", None),
            Self::File(path) => ("file", Some(path.display().to_string())),
            Self::Environment(variable) => ("environment", Some(variable.clone())),
            Self::Flag(flag) => ("flag", Some(flag.clone())),
        }
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Environment(variable) => write!(f, "in the environment, {variable}"),
            Self::Flag(flag) => write!(f, "given as {flag}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resolves with an environment and, unless it is empty, a configuration file.
    fn resolve(flags: Flags, environment: &[(&str, &str)], file: &str) -> Result<Settings, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let config = if file.is_empty() {
            None
        } else {
            std::fs::write(&path, file).unwrap();
            Some(path)
        };
        let variable = |name: &str| {
            let found = environment.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value)).or_else(|| (name == "HOME").then(|| "/home/me".into()))
        };
        Settings::resolve(Flags { config, ..flags }, &variable)
    }

    fn message(resolved: Result<Settings, Error>) -> String {
        let Err(error) = resolved else { panic!("it was accepted") };
        assert_eq!((error.exit, error.code), (Exit::Usage, "configuration"));
        error.message
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let network = NetworkFlags { connect_limit: Some("3s".parse().unwrap()), ..NetworkFlags::default() };
        let flag = Flags { network, ..Flags::default() };
        let environment = [("LICENSE_SERVER_CONNECT_LIMIT", "2s"), ("LICENSE_SERVER_TOTAL_LIMIT", "")];
        let file = "connect_limit = '1s'\ntotal_limit = '4m'";
        let connect = |settings: &Settings| settings.network.limits.connect.as_secs();
        let all = resolve(flag, &environment, file).unwrap();
        assert_eq!((connect(&all), all.network.limits.total.as_secs()), (3, 240));
        assert_eq!(connect(&resolve(Flags::default(), &environment, file).unwrap()), 2);
        assert_eq!(connect(&resolve(Flags::default(), &[], file).unwrap()), 1);
        assert_eq!(connect(&resolve(Flags::default(), &[], "").unwrap()), 10);
        let shown = all.to_json();
        let of = |name: &str| {
            let settings = shown["settings"].as_array().unwrap();
            settings.iter().find(|setting| setting["name"] == name).unwrap().clone()
        };
        assert_eq!(
            of("connect_limit"),
            json!({ "name": "connect_limit", "value": "3s", "source": "flag", "from": "--connect-limit" })
        );
        assert_eq!((&of("total_limit")["source"], &of("total_limit")["value"]), (&json!("file"), &json!("240s")));
        assert_eq!(
            of("warning_command"),
            json!({ "name": "warning_command", "value": null, "source": "default", "from": null })
        );
        assert_eq!(shown["settings"].as_array().unwrap().len(), KNOWN.len(), "config shows every setting");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let wrong = message(resolve(Flags::default(), &[("LICENSE_SERVER_TOTAL_LIMIT", "0s")], ""));
        assert_eq!(
            wrong,
            "the setting total_limit, in the environment, LICENSE_SERVER_TOTAL_LIMIT: it must be 1s or more"
        );
        let wrong = message(resolve(Flags::default(), &[], "total_limit = 'soon'"));
        assert!(
            wrong.starts_with("the setting total_limit, in ")
                && wrong.contains("config.toml: \"soon\" needs a number and a unit"),
            "{wrong}"
        );
        for (file, form) in [
            ("state = ['a', 'b']", "text"),
            ("state = true", "text"),
            ("total_limit = 60", "text"),
            ("warning_command = ['a', 'b']", "text"),
            ("proxy_loopback = ['true']", "true or false"),
            ("no_proxy = true", "a list of texts"),
            ("no_proxy = [1]", "a list of texts"),
        ] {
            let wrong = message(resolve(Flags::default(), &[], file));
            assert!(wrong.ends_with(&format!("write it as {form}")), "{file}: {wrong}");
        }
        let wrong = message(resolve(Flags::default(), &[], "totle_limit = '60s'"));
        assert!(wrong.contains("unknown setting \"totle_limit\"; expected one of state, connect_limit"), "{wrong}");
        let wrong = message(resolve(Flags::default(), &[], "total_limit = "));
        assert!(wrong.contains("not valid TOML in line 1: "), "{wrong}");
        let absent = Flags { config: Some("/nowhere/config.toml".into()), ..Flags::default() };
        let wrong = message(Settings::resolve(absent, &|_| None));
        assert!(wrong.contains("/nowhere/config.toml: cannot read it"), "{wrong}");
    }

    #[test]
    fn the_sample_shows_every_setting_and_all_of_it_is_accepted() {
        let sample = include_str!("../service/config.toml");
        let is_setting = |line: &str| KNOWN.iter().any(|(name, _)| line.starts_with(&format!("{name} = ")));
        let uncommented: Vec<&str> = sample
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|line| is_setting(line)).unwrap_or(line))
            .collect();
        assert_eq!(uncommented.iter().filter(|line| is_setting(line)).count(), KNOWN.len());
        // A password needs a file that is there.
        let all: Vec<&str> = uncommented.into_iter().filter(|line| !line.starts_with("proxy_password_file")).collect();
        assert!(resolve(Flags::default(), &[], &all.join("\n")).is_ok());
        assert!(resolve(Flags::default(), &[], sample).is_ok());
    }

    #[test]
    fn a_proxy_is_shown_without_its_password_and_a_wrong_one_is_named_with_its_place_only() {
        let file = "proxy = 'http://me:secret@proxy.example:3128'\nno_proxy = ['intranet.example', '10.0.0.0/8']";
        let shown = resolve(Flags::default(), &[], file).unwrap().to_json().to_string();
        assert!(shown.contains("http://me:***@proxy.example:3128") && !shown.contains("secret"), "{shown}");
        assert!(shown.contains("intranet.example,10.0.0.0/8"), "{shown}");
        let wrong =
            message(resolve(Flags::default(), &[("LICENSE_SERVER_PROXY", "http://me:secret@proxy.example")], ""));
        assert!(
            wrong.starts_with("the setting proxy, in the environment, LICENSE_SERVER_PROXY: ")
                && !wrong.contains("secret"),
            "{wrong}"
        );
        let wrong = message(resolve(Flags::default(), &[], "no_proxy = '10.0.0.0/99'"));
        assert!(wrong.starts_with("the setting no_proxy, in "), "{wrong}");
        let wrong = message(resolve(Flags::default(), &[], "proxy_password_file = 'p'"));
        assert!(wrong.starts_with("the setting proxy_password_file, in "), "{wrong}");
        let wrong = message(resolve(Flags::default(), &[], "proxy_loopback = 'perhaps'"));
        assert!(wrong.starts_with("the setting proxy_loopback, in "), "{wrong}");
    }

    #[test]
    fn a_path_in_the_file_is_relative_to_the_file_and_the_default_to_the_home() {
        let settings = resolve(Flags::default(), &[], "state = 'state'").unwrap();
        assert_eq!(settings.state, settings.file.clone().unwrap().with_file_name("state"));
        assert_eq!(
            resolve(Flags::default(), &[], "").unwrap().state,
            Path::new("/home/me/.local/state/license-server")
        );
        let environment = [("XDG_STATE_HOME", "relative"), ("LICENSE_SERVER_STATE", "here")];
        assert_eq!(
            resolve(Flags::default(), &environment[..1], "").unwrap().state,
            Path::new("/home/me/.local/state/license-server")
        );
        assert_eq!(resolve(Flags::default(), &environment, "").unwrap().state, Path::new("here"));
    }
}
