//! The scenario in the making: who acts, and what each did, as steps and comments.

use std::collections::{BTreeMap, VecDeque};

use solme_sync_protocol::{Digest, KeyThumbprint, LicenseServerId, printable};
use toml::{Table, Value};

use super::Past;
use super::order::{Asked, Event, Exchange, events};
use crate::admin::api::{AuditEntry, Carrier};
use crate::quirks::{Operation, Quirk};

const DAY: u64 = 86_400;
/// Why a decision is made again, where nobody said why.
const AS_BEFORE: &str = "as it was decided";

/// A License Server on the stage: an id with one key pair.
type Player = (LicenseServerId, KeyThumbprint);

/// Exchanges that are one step: what a License Server does when it is told to synchronize.
struct Visit<'p> {
    player: Player,
    carrier: Carrier,
    exchanges: Vec<Exchange<'p>>,
}

pub(super) struct Story<'p> {
    past: &'p Past,
    /// The steps so far.
    steps: String,
    told: usize,
    names: BTreeMap<Player, String>,
    /// Names of licenses, by their numbers.
    licenses: BTreeMap<String, String>,
    /// Requests that each was seen to send and that are still to come, in order.
    to_come: BTreeMap<Player, VecDeque<Digest>>,
    open_requests: Vec<u64>,
    visit: Option<Visit<'p>>,
    days: u64,
}

impl<'p> Story<'p> {
    pub(super) fn of(past: &'p Past) -> Self {
        let mut story = Self {
            past,
            steps: String::new(),
            told: 0,
            names: BTreeMap::new(),
            licenses: BTreeMap::new(),
            to_come: BTreeMap::new(),
            open_requests: Vec::new(),
            visit: None,
            days: 0,
        };
        let events = events(past);
        for event in &events {
            if let Event::Exchange(Exchange { asked: Some(Asked { id, key, digest }), .. }) = event {
                story.to_come.entry((id.clone(), *key)).or_default().push_back(*digest);
            }
        }
        story.allocated_before();
        for event in events {
            match event {
                Event::Change(change) => {
                    story.end_visit();
                    story.pass_days(change.at.as_secs());
                    story.change(change);
                }
                Event::Exchange(exchange) => story.exchange(exchange),
            }
        }
        story.end_visit();
        story
    }

    /// The file.
    pub(super) fn written(self) -> Option<String> {
        if self.told == 0 {
            return None;
        }
        let mut file = String::from(
            "# Written by mock-solme from its journal and audit; play it with: harness scenario FILE\n\
             # Each key pair is played by a License Server of its own: whether it was another machine or a reinstalled one,\n\
             # the main server cannot see. Licenses have their users of Base alone.\n\
             title = \"What happened\"\nabout = \"The exchanges and changes that a simulator has seen, as they came.\"\n",
        );
        let first = self.past.journal.first().map_or(1, |entry| entry.number);
        if first > 1 {
            file = format!("# It begins with exchange {first}; what was before may be missing.\n{file}");
        }
        for record in &self.past.records {
            let names: Vec<Value> = self
                .names
                .iter()
                .filter(|((id, _), _)| *id == record.license_server_id)
                .map(|(_, name)| name.as_str().into())
                .collect();
            let contacts: Vec<Value> = record.contacts.iter().map(|contact| contact.as_str().into()).collect();
            let customer = [
                ("id", record.license_server_id.as_str().into()),
                ("contacts", contacts.into()),
                ("servers", names.into()),
            ];
            file += &format!("\n[[customer]]\n{}", lines(customer));
        }
        Some(file + &self.steps)
    }

    fn name(&mut self, player: &Player) -> String {
        let next = self.names.len() + 1;
        self.names.entry(player.clone()).or_insert_with(|| format!("server-{next}")).clone()
    }

    // Writing

    fn comment(&mut self, text: &str) {
        self.steps += &format!("\n# {}\n", printable(text));
    }

    /// A stage direction.
    fn direct<const N: usize>(&mut self, action: &str, members: [(&str, Value); N]) {
        self.steps += &format!("\n[[step]]\ndo = \"{action}\"\n{}", lines(members));
    }

    /// A step that is told, and judged.
    fn tell<const N: usize>(&mut self, tell: &str, action: &str, members: [(&str, Value); N], expect: Table) {
        self.told += 1;
        self.steps += &format!("\n[[step]]\n{}do = \"{action}\"\n{}", lines([("tell", tell.into())]), lines(members));
        if !expect.is_empty() {
            self.steps += &lines([("expect", Value::Table(expect))]);
        }
    }

    fn pass_days(&mut self, now: u64) {
        let first = self
            .past
            .journal
            .first()
            .map(|entry| entry.at)
            .into_iter()
            .chain(self.past.audit.first().map(|change| change.at))
            .min();
        let days = now.saturating_sub(first.map_or(now, |first| first.as_secs())) / DAY;
        if days > self.days {
            self.direct("days-pass", [("days", integer(days - self.days))]);
            self.days = days;
        } else if days < self.days {
            self.comment("Main server time went back here; that is not told.");
            self.days = days;
        }
    }

    // What License Servers did

    fn exchange(&mut self, exchange: Exchange<'p>) {
        if !self.belongs_to_visit(&exchange) {
            self.end_visit();
        }
        let player = exchange.asked.as_ref().map(|asked| (asked.id.clone(), asked.key));
        if let Some(to_come) = player.as_ref().and_then(|player| self.to_come.get_mut(player)) {
            to_come.pop_front();
        }
        if let Some(visit) = &mut self.visit {
            return visit.exchanges.push(exchange);
        }
        self.pass_days(exchange.entry.at.as_secs());
        let carrier = exchange.entry.carrier;
        match player {
            Some(player) => self.visit = Some(Visit { player, carrier, exchanges: vec![exchange] }),
            None if carrier == Carrier::Http && exchange.entry.quirk.is_none() => {}
            None => self.untold(&exchange),
        }
    }

    /// A payload belongs to the receipt before it. A License Server sends its request again if there is no payload, and
    /// makes one more after one that it made earlier (P 12.5, 13.5).
    fn belongs_to_visit(&self, exchange: &Exchange<'_>) -> bool {
        let Some(Visit { player, carrier: Carrier::Https, exchanges }) = &self.visit else { return false };
        let Some(last) = exchanges.last() else { return false };
        let Some(asked) = &exchange.asked else {
            let same_id = exchange.entry.license_server_id.as_ref().is_some_and(|id| *id == player.0);
            return exchange.entry.carrier == Carrier::Http && same_id;
        };
        if exchange.entry.carrier != Carrier::Https || (&asked.id, &asked.key) != (&player.0, &player.1) {
            return false;
        }
        let request = exchanges.iter().rev().find_map(|earlier| earlier.asked.as_ref());
        let same = request.is_some_and(|request| request.digest == asked.digest);
        let without_payload = last.entry.carrier == Carrier::Http && last.entry.verdict != "payload";
        let one_more = exchanges[0].entry.verdict == "answered-again" || self.was_made_earlier(&exchanges[0]);
        if same { without_payload } else { one_more && exchanges.iter().filter(|it| it.asked.is_some()).count() == 1 }
    }

    /// Whether the request was seen before this exchange.
    fn was_made_earlier(&self, exchange: &Exchange<'_>) -> bool {
        let mut seen = self.past.journal.iter().take_while(|entry| entry.number < exchange.entry.number);
        let digest = exchange.asked.as_ref().map(|asked| asked.digest);
        exchange.is_accepted() && seen.any(|entry| entry.request_digest == digest)
    }

    fn untold(&mut self, exchange: &Exchange<'_>) {
        let entry = exchange.entry;
        let what = match entry.quirk {
            Some(quirk) => format!("the quirk {quirk}, and who met it is not known"),
            None => format!("{} (P {}), for which a scenario has no step", entry.verdict, entry.clause),
        };
        self.comment(&format!("Exchange {} is not told: {what}.", entry.number));
    }

    fn end_visit(&mut self) {
        let Some(visit) = self.visit.take() else { return };
        let name = self.name(&visit.player);
        for exchange in &visit.exchanges {
            if let Some(quirk) = exchange.entry.quirk
                && !self.arm(quirk, exchange.entry.carrier.operation(), exchange.entry.number)
            {
                return;
            }
        }
        let Some(last) = visit.exchanges.iter().rev().find(|exchange| exchange.asked.is_some()) else { return };
        let verdict = last.entry.verdict.as_str();
        let quirk = visit.exchanges.iter().any(|exchange| exchange.entry.quirk.is_some());
        let comes_again = self.to_come.get(&visit.player).and_then(VecDeque::front).copied();
        let same_again = comes_again.is_some() && comes_again == last.asked.as_ref().map(|asked| asked.digest);
        if visit.carrier == Carrier::File {
            return self.by_file(&name, last, same_again);
        }
        let got_through = last.is_accepted() && !same_again && !(quirk && comes_again.is_none());
        let expect = match verdict {
            _ if got_through => vec![("outcome", "synchronized")],
            "accepted" | "answered-again" | "not-looked-at" => vec![("outcome", "failed")],
            _ if quirk => vec![("outcome", "failed")],
            "state-diverged"
            | "invalid-signature"
            | "invalid-request"
            | "rate-limited"
            | "unknown-license-server-id"
            | "unsupported-version"
            | "request-already-answered"
            | "main-server-behind"
            | "temporarily-unavailable" => {
                return self.untold(last);
            }
            code => vec![("outcome", "refused"), ("code", code)],
        };
        if quirk && comes_again.is_none() {
            self.comment(
                "What the License Server made of this, the main server did not see: that it failed is a guess.",
            );
        }
        self.tell(&format!("{name} synchronizes"), "synchronize", [("server", name.as_str().into())], table(expect));
    }

    fn by_file(&mut self, name: &str, exchange: &Exchange<'_>, same_again: bool) {
        let server = || [("server", Value::from(name))];
        let outcome = if exchange.is_accepted() { "accepted" } else { exchange.entry.verdict.as_str() };
        self.tell(&format!("{name} exports a request file"), "export-request", server(), Table::new());
        let told = format!("The main server processes the request file of {name}");
        self.tell(&told, "process-request", server(), table(vec![("outcome", outcome)]));
        if exchange.is_accepted() && !same_again {
            let told = format!("{name} imports the response file");
            self.tell(&told, "import-response", server(), table(vec![("outcome", "synchronized")]));
        } else {
            self.comment("The response file was not imported, as far as the main server can see.");
        }
    }

    /// Arms a quirk for one exchange. False for one that has to be told more than a scenario can.
    fn arm(&mut self, quirk: Quirk, operation: Operation, number: u64) -> bool {
        if quirk.needs_parameters() {
            self.comment(&format!(
                "Exchange {number} is not told: the quirk {quirk} was told more than a scenario can."
            ));
            return false;
        }
        let members = [("quirk", quirk.as_str().into()), ("operation", operation.as_str().into()), ("next", 1.into())];
        self.direct("arm", members);
        true
    }

    // What the vendor did

    fn change(&mut self, change: &AuditEntry) {
        let Some(id) = &change.license_server_id else { return };
        let of_id = ("id", Value::from(id.as_str()));
        let reason = change.reason.clone().unwrap_or_else(|| AS_BEFORE.to_owned());
        match change.action.as_str() {
            "id-added" => {}
            "license-added" | "license-changed" | "license-removed" => self.license(change, of_id),
            "id-disabled" => self.tell(&format!("{id} is disabled"), "disable", [of_id], Table::new()),
            "id-enabled" => self.tell(&format!("{id} is enabled again"), "enable", [of_id], Table::new()),
            "key-pair-cleared" if change.detail.starts_with("clear request ") => {}
            "key-pair-cleared" => {
                let members = [of_id, ("even_so", true.into()), ("reason", reason.into())];
                self.tell(
                    &format!("The key pair of {id} is cleared"),
                    "clear-key-pair",
                    members,
                    table(vec![("outcome", "cleared")]),
                );
            }
            "clear-request-received" => self.mail(change, id),
            "clear-request-approved" | "clear-request-rejected" | "clear-request-already-done" => {
                self.decision(change, &reason)
            }
            action => self.comment(&format!("{action} of {id} is not told: a scenario has no step for it.")),
        }
    }

    fn license(&mut self, change: &AuditEntry, of_id: (&'static str, Value)) {
        let number = change.detail.strip_prefix("license ").and_then(|rest| rest.split(',').next());
        let Some(number) = number else { return };
        let users = change.detail.split(", ").find_map(|part| part.strip_suffix(" users of Base")?.parse().ok());
        let users = ("users", integer(users.unwrap_or(1)));
        let license = ("license", Value::from(self.license_name(number)));
        match change.action.as_str() {
            "license-added" => self.direct("add-license", [license, of_id, users]),
            "license-changed" => self.direct("change-license", [license, users]),
            _ => self.direct("remove-license", [license]),
        }
    }

    fn license_name(&mut self, number: &str) -> String {
        let next = self.licenses.len() + 1;
        self.licenses.entry(number.to_owned()).or_insert_with(|| format!("license-{next}")).clone()
    }

    /// Licenses that came with their id, as those of the demo id.
    fn allocated_before(&mut self) {
        let past = self.past;
        for record in &past.records {
            for license in &record.allocation.licenses {
                let added = |change: &AuditEntry| {
                    change.action == "license-added" && change.detail.contains(license.number.as_str())
                };
                if !past.audit.iter().any(added) {
                    let users =
                        license.components.iter().find(|component| component.id.as_str() == solme_sync_protocol::BASE);
                    let users = integer(users.map_or(1, |base| base.max_users));
                    let name = self.license_name(license.number.as_str());
                    self.direct(
                        "add-license",
                        [("license", name.into()), ("id", record.license_server_id.as_str().into()), ("users", users)],
                    );
                }
            }
        }
    }

    fn mail(&mut self, change: &AuditEntry, id: &LicenseServerId) {
        let Some(request) = self.past.clear_requests.iter().find(|request| number_of(change) == Some(request.id))
        else {
            return;
        };
        self.open_requests.push(request.id);
        let mail = &request.request.mail;
        let sender = mail.sender.split(crate::registry::AND).next().unwrap_or_default().to_owned();
        let player =
            mail.new_thumbprint.map(|key| (id.clone(), key)).filter(|player| self.to_come.contains_key(player));
        if let Some(player) = player {
            let name = self.name(&player);
            let members = [("server", name.as_str().into()), ("from", sender.into())];
            self.tell(&format!("{name} asks for a clear by mail"), "request-clear", members, Table::new());
        } else {
            let subject = if mail.subject.contains(id.as_str()) {
                mail.subject.clone()
            } else {
                format!("{} {id}", mail.subject)
            };
            self.tell(
                &format!("A mail asks for a clear of {id}"),
                "mail",
                [("from", sender.into()), ("subject", subject.into())],
                Table::new(),
            );
        }
        if request.request.further_mails > 0 {
            self.comment(&format!(
                "{} more mails about it came later; they are not told.",
                request.request.further_mails
            ));
        }
    }

    fn decision(&mut self, change: &AuditEntry, reason: &str) {
        let Some(number) = number_of(change) else { return };
        if self.open_requests.first() != Some(&number) {
            return self.comment(&format!(
                "The decision on clear request {number} is not told: a scenario decides on the oldest one."
            ));
        }
        self.open_requests.remove(0);
        let reason = ("reason", Value::from(reason));
        let state = change.action.trim_start_matches("clear-request-");
        let expect = table(vec![("state", state)]);
        if state == "rejected" {
            self.tell("The licensing desk rejects", "reject", [reason], expect);
        } else {
            self.tell("The licensing desk approves", "approve", [("even_so", true.into()), reason], expect);
        }
    }
}

/// The clear request that a change is about.
fn number_of(change: &AuditEntry) -> Option<u64> {
    let number = change.detail.strip_prefix("clear request ")?;
    number.split(';').next()?.parse().ok()
}

fn integer(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn table(members: Vec<(&str, &str)>) -> Table {
    members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

fn lines<'n>(members: impl IntoIterator<Item = (&'n str, Value)>) -> String {
    members.into_iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
}
