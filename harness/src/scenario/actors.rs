//! Who plays: one main server, License Servers with one license server id, and the files and mails between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::file::{Action, Step};
use crate::programs::{Answer, LicenseServer, MainServer, Programs};

/// The license server id that every scenario is about.
const ID: &str = "SITE-1";

/// Everything that plays in one scenario.
pub(crate) struct Actors {
    stage: PathBuf,
    programs: Programs,
    pub(crate) main_server: MainServer,
    servers: BTreeMap<String, LicenseServer>,
    licenses: BTreeMap<String, String>,
    /// Days that have passed for everyone.
    days: i64,
    /// Days by which someone has set a server's clock wrong.
    wrong: BTreeMap<String, i64>,
}

impl Actors {
    /// A main server with the id, and nothing allocated to it.
    pub(crate) async fn enter(stage: &Path) -> Result<Self> {
        let programs = Programs::in_this_executable()?;
        let mut command = MainServer::command(&programs, &stage.join("main-server"));
        command.arg("--empty");
        let main_server = MainServer::start_command(&programs, command).await?;
        main_server.admin(["ids", "add", ID, "--contact", "it@customer.example"]).await?.done()?;
        Ok(Self {
            stage: stage.to_owned(),
            programs,
            main_server,
            servers: BTreeMap::new(),
            licenses: BTreeMap::new(),
            days: 0,
            wrong: BTreeMap::new(),
        })
    }

    /// Does what a step says.
    pub(crate) async fn act(&mut self, step: &Step) -> Result<Answer> {
        match step.action {
            Action::AddLicense | Action::ChangeLicense | Action::RemoveLicense => self.license(step).await,
            Action::ClearKeyPair => self.admin(&["key-pair", "clear", ID]).await,
            Action::ShowKeyPair => self.admin(&["key-pair", "show", ID]).await,
            Action::Disable => self.admin(&["ids", "disable", ID]).await,
            Action::Enable => self.admin(&["ids", "enable", ID]).await,
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

    async fn act_at_a_server(&mut self, step: &Step) -> Result<Answer> {
        let name = step.server.as_deref().context("this step needs a `server`")?;
        self.set_up(name).await?;
        let server = &self.servers[name];
        let (request, response) = (self.file(name, "request"), self.file(name, "response"));
        match step.action {
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
            Action::RequestClear => {
                let smtp = self.main_server.ready("smtp")?;
                server.run(["request-clear", "--smtp", smtp, "--from", "it@customer.example"]).await
            }
            Action::Reinstall => {
                std::fs::remove_dir_all(&server.state)?;
                self.init(server).await
            }
            Action::Copy => self.copy(name, step.to.as_deref().unwrap_or_default()),
            Action::BackUp => replace_files(&server.state, &self.stage.join(format!("{name}.backup"))),
            Action::Restore => replace_files(&self.stage.join(format!("{name}.backup")), &server.state),
            Action::SetClock => {
                self.wrong.insert(name.to_owned(), step.days.unwrap_or_default());
                self.set_clocks();
                Ok(nothing())
            }
            other => bail!("{other:?} is nothing that a License Server does"),
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
            self.init(&self.servers[name]).await?.done()?;
        }
        Ok(())
    }

    async fn init(&self, server: &LicenseServer) -> Result<Answer> {
        server.run(["init", "--id", ID, "--trust", self.main_server.ready("trust_file")?]).await
    }

    fn copy(&mut self, from: &str, to: &str) -> Result<Answer> {
        let copy = LicenseServer::new(&self.programs, self.stage.join(to));
        replace_files(&self.servers[from].state, &copy.state)?;
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

    async fn license(&mut self, step: &Step) -> Result<Answer> {
        let name = step.license.as_deref().unwrap_or_default();
        let base = step.users.map(|users| format!("Base={users}"));
        let mut args = match step.action {
            Action::AddLicense => vec!["licenses", "add", ID],
            Action::ChangeLicense => vec!["licenses", "change", ID, self.number(name)?],
            _ => vec!["licenses", "remove", ID, self.number(name)?],
        };
        if let Some(base) = &base {
            args.extend(["--component", base]);
        }
        let answer = self.admin(&args).await?;
        if step.action == Action::AddLicense {
            self.licenses.insert(name.to_owned(), answer.text("number"));
        }
        Ok(answer)
    }

    fn number(&self, license: &str) -> Result<&str> {
        let number = self.licenses.get(license).map(String::as_str);
        number.with_context(|| format!("there is no license {license:?}: add it with `add-license` first"))
    }

    /// Decides on the oldest clear request that is open.
    async fn decide(&self, step: &Step) -> Result<Answer> {
        let requests = self.admin(&["clear-requests", "list"]).await?.done()?;
        let open = requests.json.as_array().into_iter().flatten().find(|request| request["state"] == "open");
        let number = open.map(|request| request["id"].to_string()).context("no clear request is open")?;
        let verb = if step.action == Action::Approve { "approve" } else { "reject" };
        let mut args = vec!["clear-requests", verb, number.trim_matches('"')];
        args.extend(step.even_so.then_some("--even-so"));
        args.extend(step.reserve.then_some("--reserve"));
        self.admin(&args).await
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
    async fn mail(&self, step: &Step) -> Result<Answer> {
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
                bail!("the SMTP server says {reply:?} to {command:?}");
            }
        }
        Ok(Answer { exit: 0, json: json!({ "reply": reply.trim_end() }) })
    }

    fn file(&self, server: &str, kind: &str) -> String {
        self.stage.join(format!("{server}.{kind}")).display().to_string()
    }
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
