//! Who plays: one main server, the License Servers of its customers, and the files and mails between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use solme_sync_protocol::TrustFile;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::action::Action;
use super::card::{Card, Kind};
use super::file::{Customer, Scenario, Step};
use super::play::{actor, may_send_mail};
use super::told::{LICENSING_DESK, MAIN_SERVER};
use super::wire::{Exchange, LICENSING_ADDRESS, Mail, Observer};
use crate::programs::{Answer, LicenseServer, MainServer, Programs};

/// Everything that plays in one scenario.
pub(crate) struct Actors {
    stage: PathBuf,
    programs: Programs,
    pub(crate) main_server: MainServer,
    customers: Vec<Customer>,
    servers: BTreeMap<String, LicenseServer>,
    /// By their names in the scenario: license server id and number.
    licenses: BTreeMap<String, (String, String)>,
    observer: Observer,
    /// Mails of this step that the customer sent.
    sent: Vec<Mail>,
    /// Who asked for a clear last, of each sender.
    asked_by: BTreeMap<String, String>,
    /// Mails of the main server that were told.
    outbox_told: usize,
    /// What everyone had when they were looked at last.
    cards: BTreeMap<String, Card>,
    /// Whether the main server was told to misbehave.
    armed: bool,
    /// Days that have passed for everyone.
    days: i64,
    /// Days by which someone has set a server's clock wrong.
    wrong: BTreeMap<String, i64>,
}

impl Actors {
    /// A main server with the scenario's customers, and nothing allocated to them.
    pub(crate) async fn enter(scenario: &Scenario, stage: &Path) -> Result<Self> {
        let programs = Programs::in_this_executable()?;
        let mut command = MainServer::command(&programs, &stage.join("main-server"));
        command.arg("--empty");
        let main_server = MainServer::start_command(&programs, command).await?;
        for customer in &scenario.customer {
            let contacts = customer.contacts.iter().flat_map(|contact| ["--contact", contact]);
            main_server.admin(["ids", "add", &customer.id].into_iter().chain(contacts)).await?.done()?;
        }
        let trusted = TrustFile::parse(&std::fs::read(main_server.ready("trust_file")?)?)?.signing_jwks;
        Ok(Self {
            stage: stage.to_owned(),
            programs,
            main_server,
            customers: scenario.customer.clone(),
            servers: BTreeMap::new(),
            licenses: BTreeMap::new(),
            observer: Observer::new(trusted),
            sent: Vec::new(),
            asked_by: BTreeMap::new(),
            outbox_told: 0,
            cards: BTreeMap::new(),
            armed: false,
            days: 0,
            wrong: BTreeMap::new(),
        })
    }

    /// Does what a step says.
    pub(crate) async fn act(&mut self, step: &Step) -> Result<Answer> {
        let id = step.id.clone().unwrap_or_else(|| self.customers[0].id.clone());
        match step.action() {
            Action::AddLicense | Action::ChangeLicense | Action::RemoveLicense => self.license(step, &id).await,
            Action::ClearKeyPair => {
                let mut args = vec!["key-pair", "clear", &id];
                args.extend(decision(step));
                self.admin(&args).await
            }
            Action::ShowId => self.admin(&["ids", "show", &id]).await,
            Action::ShowKeyPair => self.admin(&["key-pair", "show", &id]).await,
            Action::Disable => self.admin(&["ids", "disable", &id]).await,
            Action::Enable => self.admin(&["ids", "enable", &id]).await,
            Action::Journal => self.journal(step.id.as_deref()).await,
            Action::ClearRequests => self.admin(&["clear-requests", "list"]).await,
            Action::Outbox => self.admin(&["outbox", "list"]).await,
            Action::Approve | Action::Reject => self.decide(step).await,
            Action::Arm => self.arm(step).await,
            Action::Disarm => self.admin(&["quirks", "disarm", "--all"]).await,
            Action::Mail => self.mail(step).await,
            Action::DaysPass => self.days_pass(step.days.unwrap_or_default()).await,
            _ => self.act_at_a_server(step).await,
        }
    }

    /// What went over the wire, and which mails were sent, since this was asked last.
    pub(crate) async fn observe(&mut self, step: &Step) -> Result<Seen> {
        let journal = self.admin(&["journal"]).await?.done()?;
        let wire = self.observer.new_exchanges(&journal.json, &actor(step))?;
        let mut mails = std::mem::take(&mut self.sent);
        if may_send_mail(step.action()) {
            let outbox = self.admin(&["outbox", "list"]).await?.done()?;
            let outbox = outbox.json.as_array().map_or(&[][..], Vec::as_slice);
            mails.extend(outbox.iter().skip(self.outbox_told).map(|mail| self.mail_of(mail)));
            self.outbox_told = outbox.len();
        }
        Ok(Seen { wire, mails })
    }

    /// The last exchange, and how many there were.
    async fn journal(&self, id: Option<&str>) -> Result<Answer> {
        let mut args = vec!["journal", "--limit", "1000"];
        args.extend(id.into_iter().flat_map(|id| ["--id", id]));
        let Answer { exit, json } = self.admin(&args).await?;
        let entries = json.as_array().map_or(&[][..], Vec::as_slice);
        let mut last =
            entries.iter().max_by_key(|entry| entry["number"].as_u64()).cloned().unwrap_or_else(|| json!({}));
        last["list"] = entries.len().into();
        Ok(Answer { exit, json: last })
    }

    async fn act_at_a_server(&mut self, step: &Step) -> Result<Answer> {
        let name = step.server.as_deref().context("this step needs a `server`")?;
        self.set_up(name).await?;
        let server = &self.servers[name];
        let (request, response) = (self.file(name, "request"), self.file(name, "response"));
        match step.action() {
            Action::Synchronize => server.run(["synchronize"]).await,
            Action::Status => server.run(["status"]).await,
            Action::MayIssue => match &step.license {
                Some(license) => server.run(["may-issue", self.number(license)?]).await,
                None => server.run(["may-issue"]).await,
            },
            Action::ExportRequest => server.run(["export-request", &request]).await,
            Action::ProcessRequest => self.admin(&["process-request", &request, "--out", &response]).await,
            Action::ImportResponse if step.dry_run => server.run(["import-response", &response, "--dry-run"]).await,
            Action::ImportResponse => server.run(["import-response", &response]).await,
            Action::NewKeyPair => server.run(["new-key-pair", "--yes"]).await,
            Action::RequestClear => self.request_clear(name, step).await,
            Action::Reinstall => {
                std::fs::remove_dir_all(&server.state)?;
                self.init(name).await
            }
            Action::Copy => self.copy(name, step.to.as_deref().unwrap_or_default()),
            Action::BackUp => replace_files(&server.state, &self.stage.join(format!("{name}.backup"))),
            Action::Restore => replace_files(&self.stage.join(format!("{name}.backup")), &server.state),
            Action::SetClock => {
                self.wrong.insert(name.to_owned(), step.days.unwrap_or_default());
                self.set_clocks();
                Ok(nothing())
            }
            other => bail!("`{}` is not an action of a License Server", other.name()),
        }
    }

    async fn admin(&self, args: &[&str]) -> Result<Answer> {
        self.main_server.admin(args).await
    }

    /// Sets a License Server up that was not heard of before.
    async fn set_up(&mut self, name: &str) -> Result<()> {
        if !self.servers.contains_key(name) {
            let server = LicenseServer::new(&self.programs, self.stage.join(name));
            self.servers.insert(name.to_owned(), server);
            self.set_clocks();
            self.init(name).await?.done()?;
        }
        Ok(())
    }

    async fn init(&self, name: &str) -> Result<Answer> {
        let (id, trust) = (&self.customer_of(name).id, self.main_server.ready("trust_file")?);
        self.servers[name].run(["init", "--id", id, "--trust", trust]).await
    }

    /// Who has this License Server; the first, if nobody names it.
    fn customer_of(&self, server: &str) -> &Customer {
        let named = self.customers.iter().find(|customer| customer.servers.iter().any(|name| name == server));
        named.unwrap_or(&self.customers[0])
    }

    /// Mails the request. What it says is first written to a file, so that it can be told.
    async fn request_clear(&mut self, name: &str, step: &Step) -> Result<Answer> {
        let customer = self.customer_of(name);
        let from = step.from.as_ref().or(customer.contacts.first());
        let from = from.with_context(|| format!("{} has no contact; name the sender in `from`", customer.id))?.clone();
        let server = &self.servers[name];
        let file = self.file(name, "eml");
        server.run(["request-clear", "--out", &file, "--from", &from]).await?.done()?;
        let mail = std::fs::read_to_string(&file)?.replace("\r\n", "\n");
        let (head, text) = mail.split_once("\n\n").context("a mail has a head and a body")?;
        let subject = head.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default();
        self.sent.push(Mail {
            from: from.clone(),
            to: LICENSING_ADDRESS.to_owned(),
            subject: subject.to_owned(),
            text: text.to_owned(),
            lane: Some(name.to_owned()),
        });
        self.asked_by.insert(from.clone(), name.to_owned());
        server.run(["request-clear", "--smtp", self.main_server.ready("smtp")?, "--from", &from]).await
    }

    fn copy(&mut self, from: &str, to: &str) -> Result<Answer> {
        let copy = LicenseServer::new(&self.programs, self.stage.join(to));
        let from = self.servers.get(from).with_context(|| format!("there is no License Server {from:?}"))?;
        replace_files(&from.state, &copy.state)?;
        self.servers.insert(to.to_owned(), copy);
        self.set_clocks();
        Ok(nothing())
    }

    async fn days_pass(&mut self, days: i64) -> Result<Answer> {
        self.days += days;
        self.set_clocks();
        self.admin(&["clock", "advance", &format!("{days}d")]).await
    }

    fn set_clocks(&mut self) {
        for (name, server) in &mut self.servers {
            let days = self.days + self.wrong.get(name).copied().unwrap_or_default();
            server.clock_offset(&format!("{days}d"));
        }
    }

    async fn license(&mut self, step: &Step, id: &str) -> Result<Answer> {
        let name = step.license.as_deref().unwrap_or_default();
        let base = step.users.map(|users| format!("Base={users}"));
        let known = || {
            let known = self.licenses.get(name);
            known.with_context(|| format!("there is no license {name:?}; add it with `add-license` first"))
        };
        let mut args = match step.action() {
            Action::AddLicense => vec!["licenses", "add", id],
            Action::ChangeLicense => vec!["licenses", "change", &known()?.0, &known()?.1],
            _ => vec!["licenses", "remove", &known()?.0, &known()?.1],
        };
        if let Some(base) = &base {
            args.extend(["--component", base]);
        }
        let answer = self.admin(&args).await?;
        if step.action() == Action::AddLicense {
            self.licenses.insert(name.to_owned(), (id.to_owned(), answer.text("number")));
        }
        Ok(answer)
    }

    fn number(&self, license: &str) -> Result<&str> {
        let number = self.licenses.get(license).map(|(_, number)| number.as_str());
        number.with_context(|| format!("there is no license {license:?}; add it with `add-license` first"))
    }

    /// Decides on the oldest clear request that is open.
    async fn decide(&self, step: &Step) -> Result<Answer> {
        let requests = self.admin(&["clear-requests", "list"]).await?.done()?;
        let open = requests.json.as_array().into_iter().flatten().find(|request| request["state"] == "open");
        let number = open.map(|request| request["id"].to_string()).context("no clear request is open")?;
        let verb = if step.action() == Action::Approve { "approve" } else { "reject" };
        let mut args = vec!["clear-requests", verb, number.trim_matches('"')];
        args.extend(decision(step));
        self.admin(&args).await
    }

    /// What everyone has now: the main server, the desk, and the License Servers, by name. `step` was played since the
    /// last look.
    pub(crate) async fn look(&mut self, step: Option<&Step>) -> Result<Vec<Card>> {
        if let Some(step) = step {
            self.armed = self.armed && step.action() != Action::Disarm || step.action() == Action::Arm;
            if step.action() == Action::DaysPass {
                self.cards.clear();
            }
            for name in [&step.server, &step.to].into_iter().flatten() {
                self.cards.remove(name);
            }
        }
        let mut cards = vec![self.look_at_the_main_server().await?, self.look_at_the_desk().await?];
        for name in self.servers.keys().cloned().collect::<Vec<_>>() {
            if !self.cards.contains_key(&name) {
                let card = self.look_at(&name).await?;
                self.cards.insert(name.clone(), card);
            }
            cards.extend(self.cards.get(&name).cloned());
        }
        Ok(cards)
    }

    /// The ways in which the main server can misbehave.
    pub(crate) async fn quirks(&self) -> Result<Vec<String>> {
        let list = self.admin(&["quirks", "list"]).await?.done()?.json;
        let names = list.as_array().into_iter().flatten().filter_map(|quirk| {
            let name = quirk.as_str().or(quirk["quirk"].as_str()).or(quirk["name"].as_str());
            name.map(str::to_owned)
        });
        Ok(names.collect())
    }

    async fn look_at_the_main_server(&self) -> Result<Card> {
        let mut card = Card::new(MAIN_SERVER);
        for customer in &self.customers {
            let prefix = if self.customers.len() > 1 { format!("{} ", customer.id) } else { String::new() };
            card.add_id(&customer.id, &prefix, &self.admin(&["ids", "show", &customer.id]).await?.json);
        }
        if self.days != 0 {
            card.add("time", format!("{} days on", self.days), Kind::Plain, None);
        }
        if self.armed {
            let report = self.admin(&["quirks", "report"]).await?.json;
            let quirks = report.as_array().or(report["faults"].as_array()).into_iter().flatten();
            let names: Vec<&str> = quirks.filter_map(|fault| fault["quirk"].as_str()).collect();
            card.add("misbehaves", names.join(", "), Kind::Bad, None);
        }
        Ok(card)
    }

    async fn look_at_the_desk(&self) -> Result<Card> {
        let mut card = Card::new(LICENSING_DESK);
        let requests = self.admin(&["clear-requests", "list"]).await?.json;
        for state in ["open", "approved", "rejected"] {
            let count = requests.as_array().into_iter().flatten().filter(|request| request["state"] == state).count();
            if count > 0 || state == "open" {
                card.plain(state, &count.into());
            }
        }
        Ok(card)
    }

    /// Looks at a copy of its state: looking raises the latest time seen (P 17.3), which is not ours to do.
    async fn look_at(&self, name: &str) -> Result<Card> {
        let server = &self.servers[name];
        let mut copy = server.clone();
        copy.state = self.stage.join(format!("{name}.look"));
        replace_files(&server.state, &copy.state)?;
        let (status, may_issue) = tokio::join!(copy.run(["status"]), copy.run(["may-issue"]));
        std::fs::remove_dir_all(&copy.state)?;
        let mut card = Card::of_a_license_server(name, &status?, &may_issue?);
        if let Some(wrong) = self.wrong.get(name).filter(|wrong| **wrong != 0) {
            card.add("its clock", format!("{wrong:+} days"), Kind::Bad, None);
        }
        Ok(card)
    }

    async fn arm(&self, step: &Step) -> Result<Answer> {
        let mut args = vec!["quirks", "arm", step.quirk.as_deref().unwrap_or_default()];
        if let Some(operation) = &step.operation {
            args.extend(["--operation", operation]);
        }
        let next = step.next.map(|next| next.to_string());
        if let Some(next) = &next {
            args.extend(["--next", next]);
        }
        self.admin(&args).await
    }

    /// A mail in its plainest form, line by line.
    async fn mail(&mut self, step: &Step) -> Result<Answer> {
        let from = step.from.as_deref().unwrap_or_default();
        let subject = step.subject.as_deref().unwrap_or_default();
        let automatic = if step.automatic { "Auto-Submitted: auto-replied\r\n" } else { "" };
        let stream = TcpStream::connect(self.main_server.ready("smtp")?).await.context("the SMTP port is closed")?;
        let mut stream = BufReader::new(stream);
        let mail = format!(
            "From: {from}\r\nTo: licensing@solme.se\r\nSubject: {subject}\r\n{automatic}\r\n{subject}\r\n.\r\n"
        );
        let commands = [
            String::new(),
            "EHLO customer.example\r\n".to_owned(),
            format!("MAIL FROM:<{from}>\r\n"),
            "RCPT TO:<licensing@solme.se>\r\n".to_owned(),
            "DATA\r\n".to_owned(),
            mail,
            "QUIT\r\n".to_owned(),
        ];
        let mut reply = String::new();
        for command in commands {
            stream.write_all(command.as_bytes()).await?;
            reply = reply_to(&mut stream).await?;
            if !reply.starts_with(['2', '3']) {
                bail!("the SMTP server answered {reply:?} to {command:?}");
            }
        }
        self.sent.push(Mail {
            from: from.to_owned(),
            to: LICENSING_ADDRESS.to_owned(),
            subject: subject.to_owned(),
            text: subject.to_owned(),
            lane: None,
        });
        Ok(Answer { exit: 0, json: json!({ "reply": reply.trim_end() }) })
    }

    /// A mail of the outbox.
    fn mail_of(&self, mail: &Value) -> Mail {
        let text = |member: &str| mail[member].as_str().unwrap_or_default().to_owned();
        let to = mail["to"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let to = to.collect::<Vec<_>>().join(", ");
        let lane = self.asked_by.get(&to).cloned();
        Mail { from: LICENSING_ADDRESS.to_owned(), to, subject: text("subject"), text: text("text"), lane }
    }

    fn file(&self, server: &str, kind: &str) -> String {
        self.stage.join(format!("{server}.{kind}")).display().to_string()
    }
}

/// What a step tells about a decision of the desk.
fn decision(step: &Step) -> impl Iterator<Item = &str> {
    let reason = step.reason.as_deref().into_iter().flat_map(|reason| ["--reason", reason]);
    let flags = [step.even_so.then_some("--even-so"), step.reserve.then_some("--reserve")];
    reason.chain(flags.into_iter().flatten())
}

/// What came of a step beside its answer.
pub(crate) struct Seen {
    pub(crate) wire: Vec<Exchange>,
    pub(crate) mails: Vec<Mail>,
}

/// The last line of a reply: its code is followed by a space.
async fn reply_to(stream: &mut BufReader<TcpStream>) -> Result<String> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            bail!("the SMTP server has closed the connection");
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}

fn nothing() -> Answer {
    Answer { exit: 0, json: Value::Object(serde_json::Map::new()) }
}

/// Makes `to` hold exactly the files of `from`, as a backup program or a thief would.
fn replace_files(from: &Path, to: &Path) -> Result<Answer> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(nothing())
}
