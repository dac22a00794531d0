//! The main server: carries out what the registry decides, on the store, with the main server's keys and clock.
//!
//! It knows nothing of HTTP, SMTP or the command line; those call it.

mod files;
mod inbox;
mod journal;
mod licenses;
mod mails;
mod metrics;
mod operator;
mod rate_limit;
mod synchronize;
mod turns;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use rusqlite::Connection;
use solme_sync_pages::Feed;
use solme_sync_protocol::{MainServerId, PayloadName, PublicJwk, SignEs384 as _, TrustFile, UtcTime};

pub use crate::store::outbox::NumberedMail;
pub use files::ResponseFile;
pub use inbox::InboxMail;
pub use journal::{Carrier, JournalEntry, TraceEntry};
pub use licenses::NewLicense;
pub use mails::NumberedClearRequest;
pub use operator::{By, OperatorError};

pub(crate) use journal::{Exchange, Filter};
pub(crate) use licenses::base;
pub(crate) use operator::{ClearOrder, NewId};
pub(crate) use synchronize::{ACCEPTED, Answer, Outgoing};
pub(crate) use turns::{AT_ONCE, Turn};

use crate::clock::Clock;
use crate::conduct::{Conduct, Protocol};
use crate::crypto::CryptoError;
use crate::data::{self, DataDirectory, DataError, STATE};
use crate::identity::{Ca, Identity, IdentityError, Tls, new_main_server_id};
use crate::quirks::{Fault, FaultError, ForgedPayloads, Quirk, Quirks};
use crate::seams::DurableSteps;
use crate::store::{Store, StoreError, meta};

/// Main server time goes no further, so that receipts and licenses made then still end before the year 10000.
pub(crate) const LATEST_NOW: UtcTime = UtcTime::from_secs(250_246_627_200);

/// Exchanges and changes that are kept for a console that is slow.
const EVENTS: usize = 1_024;

const JOURNAL: &str = "journal.jsonl";
const MAIN_SERVER_ID: &str = "main_server_id";
const CLOCK_OFFSET: &str = "clock_offset";

/// Why a main server could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The database in the data directory cannot be used.
    #[error("{} cannot be used: {error}. Next: restore it from a backup, or name an empty directory", path.display())]
    State { path: PathBuf, error: StoreError },
    /// Signing key or CA cannot be read or made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The store in memory cannot be used.
    #[error("{0}; check free memory, then start it again")]
    Store(#[from] StoreError),
    /// No random main server id could be made.
    #[error("{0}; start it again")]
    Crypto(#[from] CryptoError),
    /// A thread of the start has panicked.
    #[error("the start failed; see the log for the reason, then start it again")]
    Panicked,
    /// A fault that is to be armed from the start makes no sense.
    #[error("a quirk cannot be armed: {0}; correct it")]
    Fault(#[from] FaultError),
}

/// The main server: store, keys, clock, journal and quirks.
pub(crate) struct MainServer {
    pub(crate) id: MainServerId,
    pub(crate) identity: Identity,
    pub(crate) store: Store,
    clock: Clock,
    pub(crate) journal: journal::Journal,
    pub(crate) metrics: metrics::Metrics,
    settings: Settings,
    rate_limits: Option<rate_limit::RateLimits>,
    /// Who is answered now.
    pub(crate) turns: turns::Turns,
    pub(crate) quirks: Quirks,
    pub(crate) forged_payloads: ForgedPayloads,
    answered: mails::Answered,
    pub(crate) inbox: inbox::Inbox,
    /// Tells open consoles what happens.
    pub(crate) feed: Feed,
    /// Payloads that somebody is getting: however many do, there is one copy.
    payloads_on_the_way: Mutex<HashMap<PayloadName, Weak<[u8]>>>,
    /// Holds the lock of the data directory.
    lock: Option<data::Lock>,
}

/// What a main server is told when it starts.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Approve clear requests as they arrive.
    pub(crate) auto_approve: bool,
    /// Have the demo license server id.
    pub(crate) demo: bool,
    /// Seed of what is made up, license numbers, and of the quirks.
    pub(crate) seed: u32,
    /// Requests a minute (P 9.4); `None` switches rate limits off.
    pub(crate) rate_limit: Option<u32>,
    /// Requests over 443 that are in work at a time (P 9.14).
    pub(crate) at_once: NonZeroUsize,
    /// What it does; that of the protocol, unless a test has it otherwise.
    pub(crate) conduct: Arc<dyn Conduct>,
    /// Quirks that are armed from the start.
    pub(crate) faults: Vec<Fault>,
    /// What the certificate of the 443 role is for, beside the loopback addresses.
    pub(crate) hosts: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let conduct = Arc::new(Protocol);
        Self {
            auto_approve: false,
            demo: false,
            seed: 0,
            rate_limit: None,
            at_once: AT_ONCE,
            conduct,
            faults: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

impl MainServer {
    /// A main server that is gone when it is dropped.
    pub(crate) fn in_memory(settings: Settings) -> Result<Self, OpenError> {
        let id = new_main_server_id()?;
        let hosts = settings.hosts.clone();
        Self::assemble(
            || Identity::generate(&hosts),
            || Store::in_memory(|store| meta::set(store, MAIN_SERVER_ID, id.as_str())),
            settings,
        )
    }

    /// The main server in a data directory; made there if there is none.
    pub(crate) fn open(directory: &Path, steps: &DurableSteps, settings: Settings) -> Result<Self, OpenError> {
        let directory = DataDirectory::take(directory)?;
        let state = directory.path(STATE);
        let id = new_main_server_id()?;
        let first = |store: &Connection| meta::set(store, MAIN_SERVER_ID, id.as_str());
        let hosts = settings.hosts.clone();
        let identity = || Identity::in_directory(&directory, steps, &hosts);
        let store = || Store::open(&state, directory.new, first, steps.clone());
        let in_state = |error| match error {
            OpenError::Store(error) => OpenError::State { path: state.clone(), error },
            error => error,
        };
        let mut main_server = Self::assemble(identity, store, settings).map_err(in_state)?;
        main_server.journal = journal::Journal::kept_in(&directory.path(JOURNAL))?;
        main_server.lock = Some(directory.finish()?);
        Ok(main_server)
    }

    /// Makes the keys and the certificate while the store opens.
    fn assemble(
        identity: impl FnOnce() -> Result<Identity, IdentityError> + Send,
        store: impl FnOnce() -> Result<Store, StoreError>,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        let (identity, store) = std::thread::scope(|scope| {
            let identity = scope.spawn(identity);
            let store = store();
            (identity.join(), store)
        });
        let (identity, store) = (identity.map_err(|_| OpenError::Panicked)??, store?);
        let (id, offset) =
            store.read_at_start(|store| Ok((meta::get(store, MAIN_SERVER_ID)?, meta::get(store, CLOCK_OFFSET)?)))?;
        let id = id.ok_or_else(|| StoreError::Damaged("the main server id is missing".to_owned()))?;
        let id = id.parse().map_err(StoreError::damaged)?;
        let offset = offset.map_or(Ok(0), |offset| offset.parse()).map_err(StoreError::damaged)?;
        Ok(Self {
            id,
            identity,
            store,
            clock: Clock::new(offset),
            journal: journal::Journal::default(),
            metrics: metrics::Metrics::default(),
            rate_limits: settings.rate_limit.map(rate_limit::RateLimits::new),
            turns: turns::Turns::new(settings.at_once),
            quirks: Quirks::new(settings.seed, settings.faults.clone())?,
            forged_payloads: ForgedPayloads::default(),
            answered: mails::Answered::default(),
            inbox: inbox::Inbox::default(),
            feed: Feed::new(EVENTS),
            payloads_on_the_way: Mutex::default(),
            settings,
            lock: None,
        })
    }

    /// Id of this main server (P 2.7).
    pub(crate) fn id(&self) -> &MainServerId {
        &self.id
    }

    /// What it was told at the start.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The key that its messages are signed with.
    pub(crate) fn public_key(&self) -> &PublicJwk {
        self.identity.key.public_jwk()
    }

    pub(crate) fn has_demo(&self) -> bool {
        self.settings.demo
    }

    pub(crate) fn seed(&self) -> u32 {
        self.settings.seed
    }

    pub(crate) fn conduct(&self) -> &dyn Conduct {
        &*self.settings.conduct
    }

    /// Main server time, UTC in seconds.
    pub(crate) fn now(&self) -> UtcTime {
        self.clock.now()
    }

    /// Seconds by which main server time differs from real time.
    pub(crate) fn clock_offset(&self) -> i64 {
        self.clock.offset()
    }

    /// Makes it `time` now, for the whole simulator.
    pub(crate) fn set_clock(&self, time: UtcTime) -> Result<(), OperatorError> {
        self.change_clock(|_| Clock::offset_for(time))
    }

    /// Moves main server time by `seconds`.
    pub(crate) fn advance_clock(&self, seconds: i64) -> Result<(), OperatorError> {
        self.change_clock(|offset| offset.saturating_add(seconds))
    }

    fn change_clock(&self, change: impl FnOnce(i64) -> i64) -> Result<(), OperatorError> {
        self.change_clock_and("clock", change, |_, _| Ok(()))
    }

    /// Changes the clock, and whatever else is to change with it, at the main server time that it then is.
    fn change_clock_and(
        &self,
        step: &'static str,
        change: impl FnOnce(i64) -> i64,
        and: impl FnOnce(&Connection, UtcTime) -> Result<(), OperatorError>,
    ) -> Result<(), OperatorError> {
        self.clock.change(change, |offset| {
            let now = Clock::time_at(offset).filter(|time| *time <= LATEST_NOW).ok_or(OperatorError::Clock)?;
            self.store.write(step, |store| {
                meta::set(store, CLOCK_OFFSET, &offset.to_string())?;
                and(store, now)
            })
        })
    }

    /// Does what puts `snapshot` in the place of all that is stored. The clock goes on, whatever it was then.
    fn keep_clock_in(
        &self,
        snapshot: &Connection,
        restore: impl FnOnce() -> Result<(), OperatorError>,
    ) -> Result<(), OperatorError> {
        let keep = |offset: i64| {
            meta::set(snapshot, CLOCK_OFFSET, &offset.to_string())?;
            restore()
        };
        self.clock.change(|offset| offset, keep)
    }

    /// What the 443 role speaks with a certificate for other `hosts`.
    pub(crate) fn tls_for(&self, hosts: &[String]) -> Result<Arc<rustls::ServerConfig>, IdentityError> {
        self.identity.ca.tls(hosts, Tls::Right)
    }

    /// What the 443 role speaks under a quirk of TLS; none under any other. It is made anew each time: such connections
    /// are few.
    pub(crate) fn quirky_tls(
        &self,
        quirk: Quirk,
        hosts: &[String],
    ) -> Option<Result<Arc<rustls::ServerConfig>, IdentityError>> {
        let ca = &self.identity.ca;
        match quirk {
            Quirk::TlsOtherCa => Some(Ca::of_somebody_else().and_then(|ca| ca.tls(hosts, Tls::Right))),
            Quirk::TlsExpiredCertificate => Some(ca.tls(hosts, Tls::Expired)),
            Quirk::TlsOtherHost => Some(ca.tls(hosts, Tls::OtherHost)),
            Quirk::TlsOldVersion => Some(ca.tls(hosts, Tls::Old)),
            _ => None,
        }
    }

    /// What a local server is to trust (P 15).
    pub(crate) fn trust_file(&self, https: String, http: String) -> TrustFile {
        TrustFile {
            solme_sync_trust: 1,
            main_server_id: self.id.clone(),
            name: "mock-solme, a simulator of Solme's main license server".to_owned(),
            https,
            http,
            ca_certificate: self.identity.ca.certificate.clone(),
            signing_jwks: vec![*self.identity.key.public_jwk()],
        }
    }
}
