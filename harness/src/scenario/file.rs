//! A scenario as it stands in its file.

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::action::{Action, COMMON};

/// Days of one step: a century. More would be beyond what clocks can show.
const DAYS_AT_MOST: u64 = 36_525;

/// A story: who it is about, and what happens step by step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// One line.
    pub(crate) title: String,
    /// What the reader learns from it.
    pub(crate) about: String,
    /// The customers; one, `SITE-1`, if none is named.
    #[serde(default)]
    pub(crate) customer: Vec<Customer>,
    /// The steps.
    pub(crate) step: Vec<Step>,
}

/// A license server id, its contacts, and the License Servers that are set up with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Customer {
    /// The license server id.
    pub(crate) id: String,
    /// Who may ask for a clear by mail.
    #[serde(default)]
    pub(crate) contacts: Vec<String>,
    /// Names of License Servers. Those that no customer names belong to the first.
    #[serde(default)]
    pub(crate) servers: Vec<String>,
}

/// One step. With `tell` it is told and judged; without, it is a stage direction that has to succeed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    pub(crate) tell: Option<String>,
    #[serde(rename = "do")]
    pub(crate) action: Option<Action>,
    pub(crate) server: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) users: Option<u64>,
    pub(crate) days: Option<i64>,
    pub(crate) quirk: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) next: Option<u64>,
    pub(crate) from: Option<String>,
    pub(crate) subject: Option<String>,
    #[serde(skip_serializing_if = "is_no")]
    pub(crate) automatic: bool,
    #[serde(skip_serializing_if = "is_no")]
    pub(crate) dry_run: bool,
    #[serde(skip_serializing_if = "is_no")]
    pub(crate) reserve: bool,
    #[serde(skip_serializing_if = "is_no")]
    pub(crate) even_so: bool,
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "is_no")]
    pub(crate) decode: bool,
    pub(crate) expect: toml::Table,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde wants it
const fn is_no(flag: &bool) -> bool {
    !*flag
}

impl Step {
    /// A single step, as a scenario has it.
    ///
    /// # Errors
    /// If it has not exactly what its action needs and takes.
    pub(crate) fn checked(written: toml::Table) -> Result<Self> {
        let step: Self = written.clone().try_into()?;
        check(&step, Some(&written))?;
        Ok(step)
    }

    /// What is done. Every step of a parsed scenario has it.
    pub(crate) fn action(&self) -> Action {
        self.action.unwrap_or(Action::Disarm)
    }

    /// What is done, in a few words.
    pub(crate) fn in_short(&self) -> String {
        let text = |member: &Option<String>| member.clone().unwrap_or_default();
        let days = self.days.unwrap_or_default();
        let users = self.users.map(|users| format!(", {users} users")).unwrap_or_default();
        let even_so = if self.even_so { ", despite the cautions" } else { "" };
        match self.action() {
            Action::Synchronize => "synchronizes".to_owned(),
            Action::Status => "shows its status".to_owned(),
            Action::MayIssue => "may it issue?".to_owned(),
            Action::ExportRequest => "exports a request file".to_owned(),
            Action::ImportResponse => "imports the response file".to_owned(),
            Action::NewKeyPair => "starts over with a new key pair".to_owned(),
            Action::RequestClear => "asks by mail for a clear".to_owned(),
            Action::Reinstall => "is reinstalled".to_owned(),
            Action::Copy => format!("is copied to {}", text(&self.to)),
            Action::BackUp => "is backed up".to_owned(),
            Action::Restore => "is restored from the backup".to_owned(),
            Action::SetClock if days < 0 => format!("its clock is set back {} days", -days),
            Action::SetClock => format!("its clock is set ahead {days} days"),
            Action::AddLicense => format!("adds license {}{users}", text(&self.license)),
            Action::ChangeLicense => format!("changes license {}{users}", text(&self.license)),
            Action::RemoveLicense => format!("removes license {}", text(&self.license)),
            Action::ShowId => "shows the id".to_owned(),
            Action::ShowKeyPair => "shows the key pair".to_owned(),
            Action::ClearKeyPair => format!("clears the key pair{even_so}"),
            Action::Disable => "disables the id".to_owned(),
            Action::Enable => "enables the id".to_owned(),
            Action::ProcessRequest => "processes the request file".to_owned(),
            Action::Journal => "reads the journal".to_owned(),
            Action::Arm => format!("arms the quirk {}", text(&self.quirk)),
            Action::Disarm => "disarms all quirks".to_owned(),
            Action::ClearRequests => "counts the clear requests".to_owned(),
            Action::Approve if self.reserve => format!("approves and reserves{even_so}"),
            Action::Approve => format!("approves{even_so}"),
            Action::Reject => "rejects".to_owned(),
            Action::Outbox => "counts its mails".to_owned(),
            Action::Mail => "a mail arrives".to_owned(),
            Action::DaysPass if days == 1 => "a day passes".to_owned(),
            Action::DaysPass => format!("{days} days pass"),
        }
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// If it is not TOML of this form, tells nothing, or a step has not exactly what its action needs and takes.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut scenario: Self = toml::from_str(text)?;
        let as_written: toml::Table = toml::from_str(text)?;
        ensure!(
            scenario.step.iter().any(|step| step.tell.is_some()),
            "no step has a `tell`; add one to a step that people should see"
        );
        let written = as_written.get("step").and_then(toml::Value::as_array).into_iter().flatten();
        for (index, (step, written)) in scenario.step.iter().zip(written).enumerate() {
            check(step, written.as_table()).with_context(|| format!("step {}", index + 1))?;
        }
        // It is broken into lines as its file needs it; whoever tells it breaks it anew.
        scenario.about = scenario.about.split_whitespace().collect::<Vec<_>>().join(" ");
        if scenario.customer.is_empty() {
            scenario.customer.push(Customer {
                id: "SITE-1".to_owned(),
                contacts: vec!["it@customer.example".to_owned()],
                servers: Vec::new(),
            });
        }
        Ok(scenario)
    }

    /// The scenario with other steps, as a file has it.
    pub(crate) fn with_steps(&self, steps: &[Step]) -> String {
        let text = |text: &str| toml::Value::from(text).to_string();
        let mut file = format!("title = {}\nabout = {}\n", text(&self.title), text(&self.about));
        let lines = |table: toml::Table| {
            let members = table.into_iter().filter(|(_, value)| value.as_table().is_none_or(|table| !table.is_empty()));
            members.map(|(name, value)| format!("{name} = {value}\n")).collect::<String>()
        };
        for customer in self.customer.iter().filter_map(|customer| toml::Table::try_from(customer).ok()) {
            file += &format!("\n[[customer]]\n{}", lines(customer));
        }
        for step in steps.iter().filter_map(|step| toml::Table::try_from(step).ok()) {
            file += &format!("\n[[step]]\n{}", lines(step));
        }
        file
    }

    /// The License Servers that play, in the order in which they enter.
    pub(crate) fn servers(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.step.iter().flat_map(|step| [&step.server, &step.to]).flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }
}

fn check(step: &Step, written: Option<&toml::Table>) -> Result<()> {
    let action = step.action.context("`do` is missing")?;
    let (name, form) = (action.name(), action.form());
    let given = |member: &str| written.is_some_and(|table| table.contains_key(member));
    if let Some(missing) = form.needs.iter().find(|member| !given(member)) {
        bail!("`{name}` needs `{missing}`");
    }
    let fits = |member: &str| [COMMON, form.needs, form.takes].iter().any(|members| members.contains(&member));
    if let Some(stray) = written.into_iter().flat_map(toml::Table::keys).find(|member| !fits(member)) {
        bail!("`{stray}` does not apply to `{name}`; remove it");
    }
    if let Some(unknown) =
        step.expect.keys().find(|member| *member != "exit" && !form.answers.contains(&member.as_str()))
    {
        let known = [form.answers, &["exit"]].concat().join(", ");
        bail!("`expect` of `{name}` may name {known}, but not `{unknown}`");
    }
    ensure!(!step.even_so || step.reason.is_some(), "`even_so` needs `reason`, for the audit");
    ensure!(
        step.days.is_none_or(|days| days.unsigned_abs() <= DAYS_AT_MOST),
        "`days` is more than a century; use at most {DAYS_AT_MOST}"
    );
    for server in [&step.server, &step.to].into_iter().flatten() {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        ensure!(
            !server.is_empty() && server.len() <= 32 && server.chars().all(plain),
            "{server:?} is not a name for a License Server; use 1 to 32 letters, digits and hyphens"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::action::MEMBERS;
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", Scenario::parse(text).unwrap_err())
    }

    #[test]
    fn what_a_scenario_lacks_or_has_too_much_of_is_named() {
        let scenario = |step: &str| format!("title = \"t\"\nabout = \"a\"\n[[step]]\n{step}\n");
        for (step, wanted) in [
            ("do = \"status\"\nserver = \"a\"", "`tell`"),
            ("tell = \"x\"\ndo = \"status\"\nexpect = { state = \"x\" }", "step 1: `status` needs `server`"),
            ("tell = \"x\"\ndo = \"fly\"", "unknown variant `fly`"),
            ("tell = \"x\"", "`do` is missing"),
            ("tell = \"x\"\ndo = \"enable\"\nexpct = 1", "unknown field `expct`"),
            ("tell = \"x\"\ndo = \"enable\"\nserver = \"a\"", "`server` does not apply to `enable`"),
            ("tell = \"x\"\ndo = \"status\"\nserver = \"a\"\nexpect = { sate = 1 }", "but not `sate`"),
            ("tell = \"x\"\ndo = \"approve\"\neven_so = true", "`even_so` needs `reason`"),
            ("tell = \"x\"\ndo = \"days-pass\"\ndays = 36526", "more than a century; use at most 36525"),
            ("tell = \"x\"\ndo = \"set-clock\"\nserver = \"a\"\ndays = -9223372036854775808", "more than a century"),
            ("tell = \"x\"\ndo = \"status\"\nserver = \"../x\"", "is not a name for a License Server"),
        ] {
            let found = error(&scenario(step));
            assert!(found.contains(wanted), "{step}: {found}");
        }
        assert!(error("").contains("missing field"));
    }

    #[test]
    fn a_step_that_is_told_needs_no_expectation_and_there_is_a_customer_without_being_named() {
        let text = "title = \"t\"\nabout = \"a\"\n[[step]]\ntell = \"x\"\ndo = \"copy\"\nserver = \"a\"\nto = \"b\"\n";
        let scenario = Scenario::parse(text).unwrap();
        assert_eq!((scenario.customer[0].id.as_str(), scenario.servers()), ("SITE-1", vec!["a", "b"]));
    }

    #[test]
    fn the_table_of_members_is_that_of_the_parser() {
        // An unknown member is answered with the known ones, as the parser knows them.
        let found = error("title = \"t\"\nabout = \"a\"\n[[step]]\nunknown = 1\n");
        let known = MEMBERS.iter().map(|member| format!("`{}`", member.name)).collect::<Vec<_>>().join(", ");
        assert!(found.contains(&format!("expected one of {known}")), "{found}");
        for action in Action::ALL {
            for member in action.form().needs.iter().chain(action.form().takes) {
                assert!(MEMBERS.iter().any(|known| known.name == *member), "{member}");
            }
        }
    }

    #[test]
    fn a_scenario_that_is_written_is_read_as_the_same() {
        let text = include_str!("../../../fixtures/scenarios/key-pair-story.toml");
        let scenario = Scenario::parse(text).unwrap();
        let again = Scenario::parse(&scenario.with_steps(&scenario.step)).unwrap();
        assert_eq!((&again.title, &again.about, &again.step), (&scenario.title, &scenario.about, &scenario.step));
        assert_eq!(again.customer[0].contacts, scenario.customer[0].contacts);
        let hostile = Step { tell: Some("\"]]\n[[step]] '''  \u{202e}".into()), ..scenario.step[1].clone() };
        let again = Scenario::parse(&scenario.with_steps(std::slice::from_ref(&hostile))).unwrap();
        assert_eq!(again.step, [hostile]);
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
