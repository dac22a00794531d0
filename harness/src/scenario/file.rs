//! A scenario as it stands in its file.

use anyhow::{Result, bail};
use serde::Deserialize;

/// A story: who it is about, and what happens step by step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// One line.
    pub(crate) title: String,
    /// What the reader learns from it.
    pub(crate) about: String,
    /// The steps.
    pub(crate) step: Vec<Step>,
}

/// One step. With `tell` it is told and judged; without, it is a stage direction that has to succeed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// What happens, for people.
    pub(crate) tell: Option<String>,
    /// What is done.
    #[serde(rename = "do")]
    pub(crate) action: Action,
    /// The License Server that does it, or that it is done to. One that is new is set up first.
    pub(crate) server: Option<String>,
    /// `copy`: the License Server that gets the state.
    pub(crate) to: Option<String>,
    /// `days-pass`, `set-clock`: how many.
    pub(crate) days: Option<i64>,
    /// A license, by the name that `add-license` gave it.
    pub(crate) license: Option<String>,
    /// `add-license`, `change-license`: users of Base.
    pub(crate) users: Option<u64>,
    /// `arm`: the quirk of the main server.
    pub(crate) quirk: Option<String>,
    /// `arm`: the operation that it acts on.
    pub(crate) operation: Option<String>,
    /// `arm`: how often.
    pub(crate) next: Option<u64>,
    /// `mail`: sender.
    pub(crate) from: Option<String>,
    /// `mail`: subject.
    pub(crate) subject: Option<String>,
    /// `mail`: a header that marks it as written by a program.
    #[serde(default)]
    pub(crate) automatic: bool,
    /// `import-response`: only look.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// `approve`: although there are reasons to look twice.
    #[serde(default)]
    pub(crate) even_so: bool,
    /// `approve`: reserve the id for the key pair that the mail names.
    #[serde(default)]
    pub(crate) reserve: bool,
    /// What has to come: members of the answer's JSON. `added`, `removed`, `changed`, `licenses` and `list` are counted.
    #[serde(default)]
    pub(crate) expect: toml::Table,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    // A License Server
    Synchronize,
    Status,
    MayIssue,
    ExportRequest,
    ImportResponse,
    NewKeyPair,
    RequestClear,
    /// Its state is gone, and it is set up again.
    Reinstall,
    /// Its state is copied `to` another machine.
    Copy,
    BackUp,
    Restore,
    /// Someone sets its clock, by `days` from real time.
    SetClock,

    // The vendor
    AddLicense,
    ChangeLicense,
    RemoveLicense,
    ClearKeyPair,
    ShowKeyPair,
    Disable,
    Enable,
    /// Processes the request file that `server` exported.
    ProcessRequest,
    ClearRequests,
    /// Approves the oldest open clear request.
    Approve,
    Reject,
    Outbox,
    Arm,
    Disarm,

    // The world
    /// A mail arrives at the licensing desk.
    Mail,
    /// Time passes at the main server and at every License Server.
    DaysPass,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Where it is not TOML of this form, tells nothing, or a step lacks what its action needs.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let scenario: Self = toml::from_str(text)?;
        if !scenario.step.iter().any(|step| step.tell.is_some()) {
            bail!("no step has a `tell`: nothing would be told, and nothing judged");
        }
        for (index, step) in scenario.step.iter().enumerate() {
            if let Some(missing) = step.missing() {
                bail!("step {} ({:?}) needs `{missing}`", index + 1, step.action);
            }
            if step.tell.is_some() && step.expect.is_empty() {
                bail!("step {} is told, and expects nothing: add `expect`, or remove `tell`", index + 1);
            }
        }
        Ok(scenario)
    }
}

impl Step {
    fn missing(&self) -> Option<&'static str> {
        use Action::{
            AddLicense, Arm, BackUp, ChangeLicense, Copy, DaysPass, ExportRequest, ImportResponse, Mail, MayIssue,
            NewKeyPair, ProcessRequest, Reinstall, RemoveLicense, RequestClear, Restore, SetClock, Status, Synchronize,
        };
        let needs: &[(bool, &'static str)] = match self.action {
            Synchronize | Status | MayIssue | ExportRequest | ImportResponse | NewKeyPair | RequestClear
            | Reinstall | BackUp | Restore | ProcessRequest => &[(self.server.is_some(), "server")],
            Copy => &[(self.server.is_some(), "server"), (self.to.is_some(), "to")],
            SetClock => &[(self.server.is_some(), "server"), (self.days.is_some(), "days")],
            DaysPass => &[(self.days.is_some(), "days")],
            AddLicense | ChangeLicense | RemoveLicense => &[(self.license.is_some(), "license")],
            Arm => &[(self.quirk.is_some(), "quirk")],
            Mail => &[(self.from.is_some(), "from"), (self.subject.is_some(), "subject")],
            _ => &[],
        };
        needs.iter().find(|(given, _)| !given).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", Scenario::parse(text).unwrap_err())
    }

    #[test]
    fn what_a_scenario_lacks_is_named() {
        let scenario = |step: &str| format!("title = \"t\"\nabout = \"a\"\n[[step]]\n{step}\n");
        assert!(error("").contains("missing field"));
        assert!(error(&scenario("do = \"status\"\nserver = \"a\"")).contains("`tell`"));
        assert!(error(&scenario("tell = \"x\"\ndo = \"status\"\nexpect = { a = 1 }")).contains("`server`"));
        assert!(error(&scenario("tell = \"x\"\ndo = \"status\"\nserver = \"a\"")).contains("`expect`"));
        assert!(error(&scenario("tell = \"x\"\ndo = \"fly\"")).contains("unknown variant"));
        assert!(error(&scenario("tell = \"x\"\ndo = \"enable\"\nexpct = 1")).contains("unknown field"));
    }

    #[test]
    fn every_shipped_scenario_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/scenarios");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
                read += 1;
            }
        }
        assert!(read >= 12, "{read} scenarios");
    }
}
