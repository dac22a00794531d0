//! The key-pair story of the manual, told with real processes, real sockets and real files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::programs::{Answer, LicenseServer, MainServer, Programs};
use crate::step::{Says, Teller};

/// Arguments of `harness demo`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print one JSON object per step: step, expected, got, ok, says
    #[arg(long)]
    json: bool,
    /// Keep the state directories, files and the main server's data in DIR, to look at afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Tells the story; true if every step came as expected.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool> {
    let throw_away = tempfile::tempdir().context("cannot create a directory for the demo")?;
    let stage = arguments.keep.as_deref().unwrap_or(throw_away.path());
    std::fs::create_dir_all(stage).with_context(|| format!("cannot create {}", stage.display()))?;
    let mut story = Story::begin(stage, Teller::new(arguments.json)).await?;
    story.first_synchronization().await?;
    story.license_added().await?;
    story.stolen_id().await?;
    story.reinstalled().await?;
    story.cleared_by_mail().await?;
    story.second_generation().await?;
    story.old_key_pair().await?;
    story.copied_state().await?;
    story.a_year_without().await?;
    story.back_by_file().await?;
    Ok(story.teller.end()?)
}

struct Story<'a> {
    stage: &'a Path,
    programs: Programs,
    main_server: MainServer,
    id: String,
    a: LicenseServer,
    teller: Teller,
}

impl<'a> Story<'a> {
    async fn begin(stage: &'a Path, teller: Teller) -> Result<Self> {
        let programs = Programs::in_this_executable()?;
        let data = stage.join("main-server");
        let main_server = MainServer::start_command(&programs, MainServer::command(&programs, &data)).await?;
        let id = main_server.ready("demo_license_server_id")?.to_owned();
        teller.opening(&format!(
            "Who plays: the main server (443 role {}, 8080 role {}), and License Servers with the id {id}.",
            main_server.ready("https")?,
            main_server.ready("http")?,
        ))?;
        let a = LicenseServer::new(&programs, stage.join("server-a"));
        Ok(Self { stage, programs, main_server, id, a, teller })
    }

    fn server(&self, name: &str) -> LicenseServer {
        LicenseServer::new(&self.programs, self.stage.join(name))
    }

    /// `license-server init` with what the customer was given: the id and the trust file.
    async fn init(&self, server: &LicenseServer) -> Result<Answer> {
        server.run(["init", "--id", &self.id, "--trust", self.main_server.ready("trust_file")?]).await?.done()
    }

    async fn first_synchronization(&mut self) -> Result<()> {
        self.init(&self.a).await?;
        let answer = self.a.run(["synchronize"]).await?;
        let status = self.a.run(["status"]).await?.done()?;
        self.teller.tell(
            "Server A synchronizes for the first time: keys are exchanged, its key pair now binds the id",
            "synchronized, key generation 1, 366 days left",
            format!(
                "{}, key generation {}, {} days left",
                answer.text("outcome"),
                status.text("key_generation"),
                status.text("days_left")
            ),
            says(&answer),
        )?;
        let answer = self.a.run(["may-issue"]).await?;
        self.teller.tell("A may issue licenses", "yes", yes_or_code(&answer), says(&answer))?;
        Ok(())
    }

    async fn license_added(&mut self) -> Result<()> {
        let added = self.main_server.admin(["licenses", "add", &self.id]).await?.done()?;
        let number = added.text("number");
        let answer = self.a.run(["synchronize"]).await?;
        self.teller.tell(
            "A license is added at the main server, and A synchronizes",
            format!("added {number}; removed nothing; changed nothing"),
            changes(&answer),
            says(&answer),
        )?;
        Ok(())
    }

    async fn stolen_id(&mut self) -> Result<()> {
        let b = self.server("server-b");
        self.init(&b).await?;
        let answer = b.run(["synchronize"]).await?;
        self.teller.tell(
            "Server B has got hold of the id, and tries to synchronize",
            "refused: key-pair-in-use",
            outcome(&answer),
            says(&answer),
        )?;
        Ok(())
    }

    async fn reinstalled(&mut self) -> Result<()> {
        std::fs::rename(&self.a.state, self.stage.join("server-a-before"))?;
        self.init(&self.a).await?;
        let answer = self.a.run(["synchronize"]).await?;
        self.teller.tell(
            "A is reinstalled: its state is gone, and with it its key pair",
            "refused: key-pair-in-use",
            outcome(&answer),
            says(&answer),
        )?;
        Ok(())
    }

    async fn cleared_by_mail(&mut self) -> Result<()> {
        let smtp = self.main_server.ready("smtp")?.to_owned();
        let mail = self.a.run(["request-clear", "--smtp", &smtp, "--from", "it@customer.example"]).await?.done()?;
        let requests = self.main_server.admin(["clear-requests", "list"]).await?.done()?;
        let request = requests.json[0].clone();
        self.teller.tell(
            "A's administrator writes to licensing@solme.se",
            format!("an open clear request for {}", self.id),
            format!("an {} clear request for {}", plain(&request["state"]), plain(&request["license_server_id"])),
            says(&mail),
        )?;
        let number = plain(&request["id"]);
        let approved = self.main_server.admin(["clear-requests", "approve", &number, "--even-so"]).await?;
        let key_pair = self.main_server.admin(["key-pair", "show", &self.id]).await?.done()?;
        self.teller.tell(
            "The operator looks at it and approves; even so, because the bound server synchronized a moment ago",
            "approved; key pair in use: none",
            format!("{}; key pair in use: {}", approved.text("state"), thumbprint_or_none(&key_pair)),
            None,
        )?;
        Ok(())
    }

    async fn second_generation(&mut self) -> Result<()> {
        let answer = self.a.run(["synchronize"]).await?;
        let status = self.a.run(["status"]).await?.done()?;
        self.teller.tell(
            "A synchronizes with its new key pair",
            "synchronized, key generation 2",
            format!("{}, key generation {}", answer.text("outcome"), status.text("key_generation")),
            says(&answer),
        )?;
        Ok(())
    }

    async fn old_key_pair(&mut self) -> Result<()> {
        let before = self.server("server-a-before");
        let answer = before.run(["synchronize"]).await?;
        self.teller.tell(
            "Someone starts the old A again, with the old key pair",
            "refused: key-pair-cleared",
            outcome(&answer),
            says(&answer),
        )?;
        let answer = before.run(["may-issue"]).await?;
        self.teller.tell("The old A may issue no longer", "no: cleared", yes_or_code(&answer), says(&answer))?;
        Ok(())
    }

    async fn copied_state(&mut self) -> Result<()> {
        let copy = self.server("server-a-copy");
        copy_files(&self.a.state, &copy.state)?;
        self.a.run(["synchronize"]).await?.done()?;
        let answer = copy.run(["synchronize"]).await?;
        self.teller.tell(
            "A's state is copied to another machine; A synchronizes, then the copy tries",
            "refused: state-diverged",
            outcome(&answer),
            says(&answer),
        )?;
        Ok(())
    }

    async fn a_year_without(&mut self) -> Result<()> {
        self.main_server.admin(["clock", "advance", "366d"]).await?.done()?;
        self.a.clock_offset("366d");
        let answer = self.a.run(["may-issue"]).await?;
        let status = self.a.run(["status"]).await?.done()?;
        self.teller.tell(
            "366 days pass without a synchronization; the licenses are valid for years",
            "no: overdue; 0 days left; state overdue",
            format!("{}; {} days left; state {}", yes_or_code(&answer), status.text("days_left"), status.text("state")),
            says(&answer),
        )?;
        Ok(())
    }

    async fn back_by_file(&mut self) -> Result<()> {
        let request = self.stage.join("request.solme").display().to_string();
        let response = self.stage.join("response.solme").display().to_string();
        self.a.run(["export-request", &request]).await?.done()?;
        self.main_server.admin(["process-request", &request, "--out", &response]).await?.done()?;
        let answer = self.a.run(["import-response", &response]).await?;
        let may_issue = self.a.run(["may-issue"]).await?;
        self.teller.tell(
            "One synchronization brings it back; A's line is down, so it goes by file",
            "synchronized; may issue: yes",
            format!("{}; may issue: {}", answer.text("outcome"), yes_or_code(&may_issue)),
            says(&answer),
        )?;
        Ok(())
    }
}

fn outcome(answer: &Answer) -> String {
    match answer.text("outcome").as_str() {
        "synchronized" => "synchronized".to_owned(),
        other => format!("{other}: {}", answer.text("code")),
    }
}

fn yes_or_code(answer: &Answer) -> String {
    if answer.json["may_issue"] == true { "yes".to_owned() } else { format!("no: {}", answer.text("code")) }
}

fn changes(answer: &Answer) -> String {
    let list = |kind: &str| {
        let licenses = answer.json["changes"][kind].as_array().map(Vec::as_slice).unwrap_or_default();
        let numbers: Vec<String> = licenses.iter().map(plain).collect();
        if numbers.is_empty() { "nothing".to_owned() } else { numbers.join(", ") }
    };
    format!("added {}; removed {}; changed {}", list("added"), list("removed"), list("changed"))
}

fn thumbprint_or_none(key_pair: &Answer) -> String {
    match &key_pair.json["key_thumbprint"] {
        Value::Null => "none".to_owned(),
        thumbprint => plain(thumbprint),
    }
}

fn says(answer: &Answer) -> Option<Says> {
    let member = |name: &str| answer.json[name].as_str().map(str::to_owned);
    member("message").map(|message| Says { message, cure: member("cure") })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a thief with a backup does: every file, as it is.
fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
