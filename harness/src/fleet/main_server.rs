//! The main server of a fleet: a process of its own with durable data, and its admin API.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mock_solme::api;
use mock_solme::quirks::Fault;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, TrustFile};
use tokio::runtime::Handle;

use crate::main_server_mutants::Mutant;
use crate::programs::{MainServer, Programs};
use crate::work_folders::copy_folder;

/// Longer than an answer of the admin API takes on a busy machine.
const AT_MOST: Duration = Duration::from_secs(30);
/// Ids of one page of the list.
const PAGE: u32 = 10_000;

/// The main server, which can be killed and started again.
pub(crate) struct Site {
    start: Start,
    process: Option<MainServer>,
    /// What License Servers are to trust; it stays the same.
    pub(crate) trust: TrustFile,
    pub(crate) admin: Admin,
}

/// How it is started.
pub(crate) struct Start {
    /// This program, which is the main server as well.
    pub(crate) programs: Programs,
    /// A bug that it is to have.
    pub(crate) mutant: Option<&'static Mutant>,
    /// Its data directory.
    pub(crate) data: PathBuf,
    pub(crate) seed: u32,
    /// Requests that it answers at a time.
    pub(crate) at_once: Option<NonZeroU32>,
    /// What it does wrong from each start on.
    pub(crate) faults: Vec<Fault>,
}

impl Start {
    async fn process(&self) -> Result<MainServer> {
        let mut command = match self.mutant {
            Some(mutant) => MainServer::mutant_command(&self.programs, mutant.name, &self.data),
            None => MainServer::command(&self.programs, &self.data),
        };
        command.args(["--empty", "--seed", &self.seed.to_string()]);
        if let Some(at_once) = self.at_once {
            command.args(["--at-once", &at_once.to_string()]);
        }
        MainServer::start_command(&self.programs, command).await
    }
}

impl Site {
    /// Starts it for the first time.
    pub(crate) async fn start(start: Start) -> Result<Self> {
        let process = start.process().await?;
        let trust = TrustFile::parse(&fs::read(process.ready("trust_file")?)?).context("its trust file")?;
        let admin = Admin {
            client: reqwest::Client::builder().no_proxy().timeout(AT_MOST).build()?,
            address: process.ready("admin")?.to_owned(),
            token: process.ready("admin_token")?.to_owned(),
            runtime: Handle::current(),
        };
        let site = Self { start, process: Some(process), trust, admin };
        site.arm().await?;
        Ok(site)
    }

    /// Its process, while it runs.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.as_ref()?.process_id()
    }

    /// Kills it, as a power failure would.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Starts it again, at the same addresses.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let process = self.start.process().await?;
        if process.ready("https")? != self.trust.https {
            bail!("another program has taken the main server's port {}", self.trust.https);
        }
        self.process = Some(process);
        self.arm().await
    }

    /// Copies its disk while it does not run.
    pub(crate) fn keep_disk(&self, to: &Path) -> Result<()> {
        copy_folder(&self.start.data, to).context("cannot copy the main server's data")
    }

    /// Puts a copy in the place of its disk, while it does not run.
    pub(crate) fn put_disk_back(&self, from: &Path) -> Result<()> {
        for entry in fs::read_dir(&self.start.data)? {
            fs::remove_file(entry?.path())?;
        }
        copy_folder(from, &self.start.data).context("cannot put the main server's data back")
    }

    async fn arm(&self) -> Result<()> {
        for fault in &self.start.faults {
            self.admin.call::<serde_json::Value>(Method::POST, "/quirks/faults", Some(fault)).await?;
        }
        Ok(())
    }
}

/// Its admin API, for the operator.
#[derive(Clone)]
pub(crate) struct Admin {
    client: reqwest::Client,
    address: String,
    token: String,
    runtime: Handle,
}

impl Admin {
    /// Adds an id with one license, reserved for a key pair. It blocks.
    pub(crate) fn add(&self, id: &LicenseServerId, reserve_for: KeyThumbprint) -> Result<()> {
        let new =
            api::NewId { license_server_id: Some(id.clone()), reserve_for: Some(reserve_for), ..api::NewId::default() };
        self.runtime.block_on(async {
            self.call::<api::Id>(Method::POST, "/ids", Some(&new)).await?;
            self.call::<serde_json::Value>(Method::POST, &format!("/ids/{id}/licenses"), Some(&json!({}))).await?;
            Ok(())
        })
    }

    /// Clears a key pair, and reserves the id for the next one. It blocks.
    pub(crate) fn clear(
        &self,
        id: &LicenseServerId,
        thumbprint: KeyThumbprint,
        reserve_for: KeyThumbprint,
    ) -> Result<api::Cleared> {
        let clear = api::Clear {
            thumbprint: Some(thumbprint),
            reserve_for: Some(reserve_for),
            even_so: true,
            reason: Some("reinstalled, in a fleet".to_owned()),
            ..api::Clear::default()
        };
        self.runtime.block_on(self.call(Method::POST, &format!("/ids/{id}/key-pair/clear"), Some(&clear)))
    }

    /// All ids.
    pub(crate) async fn ids(&self) -> Result<Vec<api::ListedId>> {
        let mut ids: Vec<api::ListedId> = Vec::new();
        loop {
            let after = match ids.last() {
                Some(api::ListedId::Sound(id)) => id.license_server_id.to_string(),
                Some(api::ListedId::Damaged { license_server_id, .. }) => license_server_id.clone(),
                None => String::new(),
            };
            let path = format!("/ids?limit={PAGE}&after={after}");
            let page: Vec<api::ListedId> = self.call(Method::GET, &path, None::<&()>).await?;
            if page.is_empty() {
                return Ok(ids);
            }
            ids.extend(page);
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn disarm(&self) -> Result<()> {
        self.call::<serde_json::Value>(Method::DELETE, "/quirks/faults", None::<&()>).await.map(drop)
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<T> {
        let request = self.client.request(method, format!("{}{path}", self.address)).bearer_auth(&self.token);
        let request: RequestBuilder = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{path}: {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }
}
