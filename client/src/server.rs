//! The License Server as a library.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use solme_sync_protocol::{LicenseNumber, LicenseServerId, TrustFile, UtcTime};

use crate::clock::Span;
use crate::command::{self, Context, Memory};
use crate::command::{Automatic, ClearRequest, ClearRequestBy, Diagnosis, Export, History, Import, NewKeyPair, Status};
use crate::command::{Synchronization, Verdict};
use crate::core::Mode;
use crate::output::Error;
use crate::seams::Seams;
use crate::settings::Settings;
use crate::store::Store;
use crate::transport::Transport;

pub(crate) type LocalClock = Arc<dyn Fn() -> UtcTime + Send + Sync>;

/// A License Server, by its state directory. Nothing stays open, and nothing is kept in memory but which receipt was
/// verified last: each call looks at the state, and other processes, the command line among them, may use it at the same
/// time. Calls block; a synchronization for as
/// long as the network takes, everything else for milliseconds, and up to ten seconds for another process. They work
/// inside a tokio runtime, where [`spawn_blocking`](https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html) keeps
/// its other tasks going.
#[derive(Clone)]
pub struct LicenseServer {
    directory: PathBuf,
    clock: Option<LocalClock>,
    proved: Memory,
}

impl LicenseServer {
    /// Sets up a License Server with a new key pair. Again with the same id and the same main server, it updates
    /// addresses, name and CA certificate; it never replaces a key pair.
    ///
    /// # Errors
    /// The trust file's CA certificate cannot be used, or the directory belongs to another id or main server.
    pub fn init(directory: impl Into<PathBuf>, id: LicenseServerId, trust: &TrustFile) -> Result<Self, Error> {
        let server = Self::of(directory.into());
        command::init(&server.context(), &id, trust.clone())?;
        Ok(server)
    }

    /// Opens a License Server that was set up.
    ///
    /// # Errors
    /// The directory was not set up, or cannot be used.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let server = Self::of(directory.into());
        Store::open(&server.context().place, "open").and_then(|store| store.identity())?;
        Ok(server)
    }

    fn of(directory: PathBuf) -> Self {
        Self { directory, clock: None, proved: Memory::default() }
    }

    /// Its state directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Synchronizes with the main server (P 13). A refusal and a failure are results: what this server had stays valid.
    ///
    /// # Errors
    /// The state cannot be used, or another synchronization is under way.
    pub fn synchronize(&self, transport: &dyn Transport) -> Result<Synchronization, Error> {
        command::once(&self.context(), transport)
    }

    /// May this license be issued now? (P 17)
    ///
    /// # Errors
    /// The state cannot be used; then nothing may be issued.
    pub fn may_issue(&self, number: &LicenseNumber) -> Result<Verdict, Error> {
        command::ask(&self.context(), Some(number))
    }

    /// May any license be issued now? (P 17)
    ///
    /// # Errors
    /// As of [`Self::may_issue`].
    pub fn may_issue_any(&self) -> Result<Verdict, Error> {
        command::ask(&self.context(), None)
    }

    /// State, deadline, allocated licenses, clocks.
    ///
    /// # Errors
    /// The state cannot be used.
    pub fn status(&self) -> Result<Status, Error> {
        command::status(&self.context())
    }

    /// What happened, newest last.
    ///
    /// # Errors
    /// The state cannot be used.
    pub fn history(&self) -> Result<History, Error> {
        command::history(&self.context())
    }

    /// Synchronizes via file, first half: writes the request file (P 14).
    ///
    /// # Errors
    /// The state cannot be used, or the file not written.
    pub fn export_request(&self, file: &Path) -> Result<Export, Error> {
        command::export(&self.context(), file)
    }

    /// Synchronizes via file, second half: reads the response file, and applies it (P 14).
    ///
    /// # Errors
    /// The file cannot be used, which changes nothing; or the state.
    pub fn import_response(&self, file: &Path) -> Result<Import, Error> {
        command::import(&self.context(), file, false)
    }

    /// What [`Self::import_response`] would do. It stores nothing.
    ///
    /// # Errors
    /// As of [`Self::import_response`].
    pub fn preview_response(&self, file: &Path) -> Result<Import, Error> {
        command::import(&self.context(), file, true)
    }

    /// Asks licensing@solme.se by mail to clear the key pair in use (P 16.1). `from` is the sender.
    ///
    /// # Errors
    /// The sender is not an address, the file cannot be written, or the mail server does not take the mail.
    pub fn request_clear(&self, by: ClearRequestBy, from: &str) -> Result<ClearRequest, Error> {
        command::request_clear(&self.context(), by, from)
    }

    /// Replaces the key pair with a new one (P 3.3). The old state goes into the archive, and nothing is issued until Solme has
    /// cleared the old key pair and this server has synchronized.
    ///
    /// # Errors
    /// The state cannot be archived, or too little of it is left.
    pub fn new_key_pair(&self) -> Result<NewKeyPair, Error> {
        command::new_key_pair(&self.context())
    }

    /// Checks everything that a synchronization needs. It changes nothing, and never synchronizes.
    pub fn diagnose(&self, transport: &dyn Transport) -> Diagnosis {
        command::diagnosis(&self.context(), transport)
    }

    /// Automatic synchronization, which `license-server serve` does: how often, when next, what came of it.
    ///
    /// # Errors
    /// The state cannot be used.
    pub fn automatic(&self) -> Result<Automatic, Error> {
        command::automatic(&self.context(), None)
    }

    /// Chooses how often to synchronize automatically.
    ///
    /// # Errors
    /// The state cannot be used.
    pub fn set_automatic(&self, mode: Mode) -> Result<Automatic, Error> {
        command::automatic(&self.context(), Some(mode))
    }

    /// Differs after every change of the state.
    pub(crate) fn stamp(&self) -> impl Eq + Send + use<> {
        self.context().place.stamp()
    }

    /// With another clock than that of this computer.
    pub(crate) fn with_clock(self, clock: LocalClock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    fn context(&self) -> Context {
        let mut seams = Seams::default();
        if let Some(clock) = self.clock.clone() {
            seams = seams.with_clock(move || clock());
        }
        let settings = Settings::usual(self.directory.clone());
        Context::new(settings, Span { seconds: 0 }, seams).remembering(self.proved.clone())
    }
}
