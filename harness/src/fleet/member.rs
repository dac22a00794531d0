//! A License Server of the fleet: the shipping library over a state directory of its own.

use std::cell::{Cell, RefCell};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use license_server::{
    Connection, Direct, Failure, HttpAnswer, KeyThumbprint, LicenseServer, PayloadName, Synchronization, Transport,
};
use solme_sync_protocol::{
    LicenseServerId, PublicJwk, Receipt, RefusalCode, Signature, Signed, TrustFile, VerifyEs384,
};

use super::seconds::Ended;

/// A License Server of the fleet.
pub(crate) struct Member {
    pub(crate) id: LicenseServerId,
    folder: PathBuf,
    installed: Installed,
    installations: u32,
    /// The installation before, while its key pair is in use.
    before: Option<Installed>,
    synchronized: bool,
}

/// One installation: a key pair.
struct Installed {
    server: LicenseServer,
    thumbprint: KeyThumbprint,
}

impl Installed {
    fn new(folder: &Path, id: &LicenseServerId, trust: &TrustFile) -> Result<Self> {
        let server = LicenseServer::init(folder, id.clone(), trust).context("cannot set a License Server up")?;
        let thumbprint = server.status().context("a License Server that was just set up")?.key_thumbprint;
        Ok(Self { server, thumbprint })
    }

    /// Starts again, with nothing but what its directory has.
    fn start_again(&mut self) -> Result<()> {
        let folder = self.server.directory().to_owned();
        self.server = LicenseServer::open(folder).context("a License Server that was killed does not start again")?;
        Ok(())
    }
}

impl Member {
    /// Sets it up. The main server does not know it yet.
    pub(crate) fn set_up(folder: PathBuf, id: LicenseServerId, trust: &TrustFile) -> Result<Self> {
        let installed = Installed::new(&folder.join("0"), &id, trust)?;
        Ok(Self { id, folder, installed, installations: 0, before: None, synchronized: false })
    }

    /// Its key pair.
    pub(crate) const fn thumbprint(&self) -> KeyThumbprint {
        self.installed.thumbprint
    }

    /// The key pair that it had before, which has to be cleared.
    pub(crate) fn thumbprint_before(&self) -> Option<KeyThumbprint> {
        self.before.as_ref().map(|before| before.thumbprint)
    }

    /// Reinstalls it: it has a new key pair then, and the main server does not know that. It does nothing where there is no
    /// key pair to clear.
    pub(crate) fn reinstall(&mut self, trust: &TrustFile) -> Result<()> {
        if self.before.is_some() || !self.synchronized {
            return Ok(());
        }
        self.installations += 1;
        let folder = self.folder.join(self.installations.to_string());
        let new = Installed::new(&folder, &self.id, trust)?;
        self.before = Some(std::mem::replace(&mut self.installed, new));
        self.synchronized = false;
        Ok(())
    }

    /// The key pair that it had before is cleared. That installation tries once more, and is thrown away: how it ended.
    pub(crate) fn was_cleared(&mut self, wire: &Wire<'_>) -> Result<Option<Ended>> {
        let Some(before) = self.before.take() else { return Ok(None) };
        let ended = before.server.synchronize(wire).map(|outcome| ended(&outcome));
        let _ = fs::remove_dir_all(before.server.directory());
        Ok(Some(ended.context("a License Server that was cleared")?.0))
    }

    /// Synchronizes once: how it ended, and the seconds that the main server asked to wait.
    pub(crate) fn synchronize(&mut self, wire: &Wire<'_>) -> Result<(Ended, Option<u64>)> {
        let server = &self.installed.server;
        match catch_unwind(AssertUnwindSafe(|| server.synchronize(wire))) {
            Ok(outcome) => {
                let (ended, wait) = ended(&outcome.context("a License Server cannot use its state")?);
                self.synchronized |= ended == Ended::Done;
                Ok((ended, wait))
            }
            Err(panic) if panic.is::<Killed>() => {
                self.installed.start_again()?;
                Ok((Ended::Killed, None))
            }
            Err(panic) => resume_unwind(panic),
        }
    }
}

fn ended(outcome: &Synchronization) -> (Ended, Option<u64>) {
    let answered = outcome.answered();
    let code = answered.code.clone();
    let sheds = [RefusalCode::TemporarilyUnavailable, RefusalCode::RateLimited];
    let ended = match outcome {
        Synchronization::Synchronized(_) => Ended::Done,
        Synchronization::Refused(_) if sheds.iter().any(|shed| shed.as_str() == code) => Ended::Shed,
        Synchronization::Refused(_) => Ended::Refused(code),
        Synchronization::Failed(_) => Ended::Failed(code),
    };
    (ended, answered.retry_after_seconds)
}

/// When a License Server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Its request is stored, and not sent.
    BeforeItAsks,
    /// The receipt has come, and nothing is stored of it.
    WithTheReceipt,
    /// The payload has come as well.
    WithThePayload,
}

impl Moment {
    pub(crate) const ALL: [Self; 3] = [Self::BeforeItAsks, Self::WithTheReceipt, Self::WithThePayload];
}

/// What a killed License Server unwinds with: all that it has in memory is gone, and its locks are open, as when a process
/// ends.
struct Killed;

/// The way to the main server, with an ear at it.
pub(crate) struct Wire<'a> {
    direct: &'a Direct,
    kill: Cell<Option<Moment>>,
    receipts: RefCell<Vec<Receipt>>,
}

impl<'a> Wire<'a> {
    /// Listens. Whoever uses it is killed at this moment.
    pub(crate) const fn new(direct: &'a Direct, kill: Option<Moment>) -> Self {
        Self { direct, kill: Cell::new(kill), receipts: RefCell::new(Vec::new()) }
    }

    /// The receipts that came, whatever became of them.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        self.receipts.take()
    }

    fn maybe_killed(&self, moment: Moment) {
        if self.kill.get() == Some(moment) {
            self.kill.set(None);
            resume_unwind(Box::new(Killed));
        }
    }
}

impl Transport for Wire<'_> {
    fn connect<'a>(&'a self, main_server: &TrustFile) -> Result<Box<dyn Connection + 'a>, Failure> {
        let connection = self.direct.connect(main_server)?;
        Ok(Box::new(Tapped { connection, wire: self, trusted: main_server.signing_jwks.clone() }))
    }
}

struct Tapped<'a> {
    connection: Box<dyn Connection + 'a>,
    wire: &'a Wire<'a>,
    trusted: Vec<PublicJwk>,
}

impl Connection for Tapped<'_> {
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure> {
        self.wire.maybe_killed(Moment::BeforeItAsks);
        let answer = self.connection.post_request(request)?;
        if answer.status == 200 {
            self.wire.receipts.borrow_mut().extend(receipt(&answer.body, &self.trusted, &Unchecked));
            self.wire.maybe_killed(Moment::WithTheReceipt);
        }
        Ok(answer)
    }

    fn get_payload(&self, name: &PayloadName, at_most: usize) -> Result<HttpAnswer, Failure> {
        let answer = self.connection.get_payload(name, at_most)?;
        self.wire.maybe_killed(Moment::WithThePayload);
        Ok(answer)
    }

    fn get_health(&self) -> Result<HttpAnswer, Failure> {
        self.connection.get_health()
    }
}

/// The receipt in an answer.
pub(crate) fn receipt(body: &[u8], trusted: &[PublicJwk], verifier: &impl VerifyEs384) -> Option<Receipt> {
    let text = std::str::from_utf8(body).ok()?;
    Signed::<Receipt>::parse(text).ok()?.verify(verifier, trusted).ok()?.read().ok()
}

/// The License Server checks what it is told; that is not done twice.
struct Unchecked;

impl VerifyEs384 for Unchecked {
    fn verify(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool {
        true
    }
}
