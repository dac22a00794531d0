//! The simulator inside a test: one line starts it, dropping it tears it down, and many run side by side.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use solme_sync_protocol::{
    KeyThumbprint, License, LicenseNumber, LicenseServerId, MainServerId, TrustFile, UtcTime, printable,
};
use tokio::sync::oneshot;

use crate::mail::ReceivedMail;
use crate::mail::hand_on::MailServer;
use crate::main_server::{
    By, ClearOrder, Filter, JournalEntry, MainServer, NewId, NewLicense, NumberedClearRequest, NumberedMail,
    OperatorError, ResponseFile, TraceEntry,
};
use crate::quirks::{Fault, FaultError, FaultReport, hostile};
use crate::registry::{ClearOutcome, LicenseChange, Record};
use crate::seams::{DurableSteps, Seams};
use crate::start::{self, Listeners, Options, Ready, StartError};
use crate::store::audit::AuditEntry;

/// A clear of a key pair. The default: the key pair in use, and any other one may bind the id next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clear {
    /// Only this key pair; if another one is in use, nothing changes (P 16.2).
    pub thumbprint: Option<KeyThumbprint>,
    /// The only key pair that may bind the id next (P 16.6).
    pub reserve_for: Option<KeyThumbprint>,
    /// Why, for the audit; a reason is made up for an empty one.
    pub reason: String,
}

/// An approval of a clear request. The default: not despite its cautions, and without a reservation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    /// Approve despite every [`Caution`](crate::Caution); needs a reason.
    pub even_so: bool,
    /// Reserve the id for the new key pair that the mail names (P 16.6).
    pub reserve: bool,
    /// Why, for the audit; a reason is made up for an empty one.
    pub reason: String,
}

/// All that a [`MockSolme`] had stored at one moment: [`MockSolme::snapshot`] makes it, [`MockSolme::restore`] uses it.
#[derive(Debug)]
pub struct Snapshot(rusqlite::Connection);

/// A running simulator. It listens on the loopback interface until it is dropped.
///
/// Its methods act on the registry directly, without HTTP; everything they do is in the audit as done by `operator`.
/// A test that panics while it holds one prints its journal to standard error, unless [`Builder::quiet`] was asked for.
///
/// ```
/// let mock = mock_solme::MockSolme::start();
/// println!("license-server init --id {} --trust {}", mock.demo_id(), mock.trust_file().display());
/// ```
pub struct MockSolme {
    main_server: Arc<MainServer>,
    ready: Ready,
    trust: TrustFile,
    quiet: bool,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`MockSolme`] is to be like. The default: in memory, free ports, one demo license server id.
#[derive(Default)]
pub struct Builder {
    listeners: Option<Listeners>,
    options: Options,
    seams: Seams,
    empty: bool,
    quiet: bool,
}

/// Without the admin token: what is printed is kept.
impl fmt::Debug for MockSolme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ready { https, http, admin, smtp, main_server_id, .. } = &self.ready;
        let mut shown = f.debug_struct("MockSolme");
        shown.field("https", https).field("http", http).field("admin", admin).field("smtp", smtp);
        shown.field("main_server_id", main_server_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listeners, options, seams, empty, quiet } = self;
        let mut shown = f.debug_struct("Builder");
        shown.field("listeners", listeners).field("data", &options.data).field("settings", &options.settings);
        shown.field("seams", seams).field("empty", empty).field("quiet", quiet).finish_non_exhaustive()
    }
}

impl Builder {
    /// No demo license server id.
    #[must_use]
    pub fn empty(mut self) -> Self {
        self.empty = true;
        self
    }

    /// Does not print the journal if the test panics.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Keeps everything in this directory, and goes on with what is there.
    #[must_use]
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.data = Some(directory.into());
        self
    }

    /// Listens on these, instead of on four free ports.
    #[must_use]
    pub fn listeners(mut self, listeners: Listeners) -> Self {
        self.listeners = Some(listeners);
        self
    }

    /// Seed of the license numbers that are made up, and of the quirks.
    #[must_use]
    pub fn seed(mut self, seed: u32) -> Self {
        self.options.settings.seed = seed;
        self
    }

    /// Arms these faults before anybody can connect.
    #[must_use]
    pub fn quirks(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.options.settings.faults.extend(faults);
        self
    }

    /// Arms the profile [`hostile`]: a License Server that keeps to the protocol gets through.
    #[must_use]
    pub fn hostile(self) -> Self {
        self.quirks(hostile())
    }

    /// Approves clear requests as their mails arrive.
    #[must_use]
    pub fn auto_approve(mut self) -> Self {
        self.options.settings.auto_approve = true;
        self
    }

    /// Answers at most so many requests a minute with one id (P 9.4).
    #[must_use]
    pub fn rate_limit(mut self, per_minute: u32) -> Self {
        self.options.settings.rate_limit = Some(per_minute);
        self
    }

    /// Answers at most so many requests at a time over 443; whoever comes beyond is refused as `temporarily-unavailable`
    /// (P 9.14).
    #[must_use]
    pub fn at_once(mut self, requests: NonZeroUsize) -> Self {
        self.options.settings.at_once = requests;
        self
    }

    /// Where mails of the outbox are handed on to.
    #[must_use]
    pub fn mail_server(mut self, mail_server: MailServer) -> Self {
        self.options.mail_server = Some(mail_server);
        self
    }

    /// A name or IP address by which others reach this machine: in the certificate, good for the admin API with any port,
    /// and, the first one, in the trust file. Repeat for more.
    #[must_use]
    pub fn public_name(mut self, name: impl Into<String>) -> Self {
        self.options.public.names.push(name.into());
        self
    }

    /// Where License Servers reach the 443 role behind a port mapping: `https://HOST:PORT`.
    #[must_use]
    pub fn public_https(mut self, url: impl Into<String>) -> Self {
        self.options.public.https = Some(url.into());
        self
    }

    /// Where License Servers reach the 8080 role behind a port mapping: `http://HOST:PORT`.
    #[must_use]
    pub fn public_http(mut self, url: impl Into<String>) -> Self {
        self.options.public.http = Some(url.into());
        self
    }

    /// Where operators reach the admin API behind a port mapping: `http://HOST:PORT`.
    #[must_use]
    pub fn public_admin(mut self, url: impl Into<String>) -> Self {
        self.options.public.admin = Some(url.into());
        self
    }

    /// Where tests reach into it; see [`Seams`].
    #[must_use]
    pub fn seams(mut self, seams: Seams) -> Self {
        self.seams = seams;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn try_start(self) -> Result<MockSolme, StartError> {
        let listeners = self.listeners.map_or_else(Listeners::ephemeral, Ok)?;
        let mut options = self.options;
        options.settings.demo = !self.empty;
        options.settings.conduct = Arc::clone(&self.seams.conduct);
        let opened = start::open(listeners, options, &DurableSteps::new(self.seams))?;
        let (main_server, ready) = (Arc::clone(&opened.main_server), opened.ready.clone());
        let trust = opened.trust.clone();
        // A runtime and a thread of its own: it works the same in a plain test and in an asynchronous one.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let running = {
            let _within = runtime.enter();
            opened.serve()?
        };
        let thread = std::thread::Builder::new().name("mock-solme".to_owned()).spawn(move || {
            runtime.block_on(async move {
                // Dropping the sender stops it just as well.
                let _ = stopped.await;
                drop(running);
            });
        })?;
        Ok(MockSolme { main_server, ready, trust, quiet: self.quiet, stop: Some(stop), thread: Some(thread) })
    }

    /// Starts it, in a test.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn start(self) -> MockSolme {
        self.try_start().unwrap_or_else(|error| panic!("mock-solme: {error}"))
    }
}

impl MockSolme {
    /// In memory, on free ports, with one demo license server id.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Something else than the default.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Address of the 443 role, `https://127.0.0.1:PORT`.
    pub fn https(&self) -> &str {
        &self.ready.https
    }

    /// Address of the 8080 role, `http://127.0.0.1:PORT`.
    pub fn http(&self) -> &str {
        &self.ready.http
    }

    /// Address of the admin API, `http://127.0.0.1:PORT`.
    pub fn admin(&self) -> &str {
        &self.ready.admin
    }

    /// Where it takes mail, `127.0.0.1:PORT`.
    pub fn smtp(&self) -> &str {
        &self.ready.smtp
    }

    /// The token of the admin API.
    pub fn admin_token(&self) -> &str {
        &self.ready.admin_token
    }

    /// What a License Server is to trust.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// The same, on disk.
    pub fn trust_file(&self) -> &Path {
        &self.ready.trust_file
    }

    /// Id of this main server (P 2.7).
    pub fn main_server_id(&self) -> &MainServerId {
        &self.ready.main_server_id
    }

    /// The demo license server id.
    ///
    /// # Panics
    /// Where it was built [`Builder::empty`].
    pub fn demo_id(&self) -> &LicenseServerId {
        self.ready.demo_license_server_id.as_ref().expect("this mock-solme was built without the demo id")
    }

    /// Main server time, UTC in seconds.
    pub fn now(&self) -> UtcTime {
        self.main_server.now()
    }

    /// Makes it `time` now, for the whole simulator.
    ///
    /// # Errors
    /// [`OperatorError::Clock`].
    pub fn set_clock(&self, time: UtcTime) -> Result<(), OperatorError> {
        self.main_server.set_clock(time)
    }

    /// Moves main server time by `seconds`; back, where they are negative.
    ///
    /// # Errors
    /// [`OperatorError::Clock`].
    pub fn advance_clock(&self, seconds: i64) -> Result<(), OperatorError> {
        self.main_server.advance_clock(seconds)
    }

    /// Adds an id with nothing allocated.
    ///
    /// # Errors
    /// [`OperatorError::IdExists`], [`OperatorError::Contact`].
    pub fn add_id(&self, id: &LicenseServerId, contacts: &[&str]) -> Result<Record, OperatorError> {
        let contacts = contacts.iter().map(|&contact| contact.to_owned()).collect();
        self.main_server.add_id(id, NewId { contacts, ..NewId::default() }, &By::default())
    }

    /// Adds an id that only this key pair can bind (P 16.6).
    ///
    /// # Errors
    /// [`OperatorError::IdExists`].
    pub fn add_id_reserved_for(&self, id: &LicenseServerId, key_pair: KeyThumbprint) -> Result<Record, OperatorError> {
        let new = NewId { reserved_for: Some(key_pair), ..NewId::default() };
        self.main_server.add_id(id, new, &By::default())
    }

    /// What is known of an id.
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`].
    pub fn record(&self, id: &LicenseServerId) -> Result<Record, OperatorError> {
        self.main_server.record(id)
    }

    /// Disables an id.
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`].
    pub fn disable(&self, id: &LicenseServerId) -> Result<Record, OperatorError> {
        self.main_server.disable(id, &By::default())
    }

    /// Enables it again.
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`].
    pub fn enable(&self, id: &LicenseServerId) -> Result<Record, OperatorError> {
        self.main_server.enable(id, &By::default())
    }

    /// Allocates a license; `NewLicense::default()` will do.
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`], [`OperatorError::License`].
    pub fn add_license(&self, id: &LicenseServerId, license: NewLicense) -> Result<License, OperatorError> {
        self.main_server.add_license(id, license, &By::default())
    }

    /// Changes a license.
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`], [`OperatorError::License`].
    pub fn change_license(
        &self,
        id: &LicenseServerId,
        number: &LicenseNumber,
        change: LicenseChange,
    ) -> Result<License, OperatorError> {
        self.main_server.change_license(id, number, change, &By::default())
    }

    /// Takes a license back.
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`], [`OperatorError::License`].
    pub fn remove_license(&self, id: &LicenseServerId, number: &LicenseNumber) -> Result<Record, OperatorError> {
        self.main_server.remove_license(id, number, &By::default())
    }

    /// Clears the key pair in use, or the one named. Cautions are overridden, which the audit says.
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`], [`OperatorError::Clear`].
    pub fn clear_key_pair(&self, id: &LicenseServerId, clear: Clear) -> Result<ClearOutcome, OperatorError> {
        let Clear { thumbprint, reserve_for, reason } = clear;
        let order = ClearOrder { thumbprint, reserve_for, even_so: true };
        self.main_server.clear_key_pair(id, order, &because(reason))
    }

    /// Reserves a free id for one key pair (P 16.7).
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`], [`OperatorError::Reserve`].
    pub fn reserve(&self, id: &LicenseServerId, key_pair: KeyThumbprint) -> Result<Record, OperatorError> {
        self.main_server.reserve(id, Some(key_pair), &because(String::new()))
    }

    /// Lifts the reservation of an id (P 16.7).
    ///
    /// # Errors
    /// [`OperatorError::UnknownId`], [`OperatorError::Reserve`].
    pub fn lift_reservation(&self, id: &LicenseServerId) -> Result<Record, OperatorError> {
        self.main_server.reserve(id, None, &because(String::new()))
    }

    /// Forgets everything but who this main server is, as `POST /reset` does: ids, licenses, mails, journal, audit and
    /// quirks are those of the start, and main server time is real time.
    ///
    /// # Errors
    /// [`OperatorError::Store`].
    pub fn reset(&self) -> Result<(), OperatorError> {
        crate::demo::reset(&self.main_server)
    }

    /// Everything that is stored, to be restored later: ids, licenses, key pairs, answers, mails and audit.
    ///
    /// # Errors
    /// [`OperatorError::Store`].
    pub fn snapshot(&self) -> Result<Snapshot, OperatorError> {
        self.main_server.snapshot().map(Snapshot)
    }

    /// Makes it a main server that was restored from a backup (P 9.12): what came after the snapshot is forgotten.
    /// Addresses, journal, quirks and main server time go on.
    ///
    /// ```
    /// let mock = mock_solme::MockSolme::start();
    /// let backup = mock.snapshot()?;
    /// mock.add_license(mock.demo_id(), mock_solme::NewLicense::default())?;
    /// mock.restore(&backup)?;
    /// assert_eq!(mock.record(mock.demo_id())?.allocation.licenses.len(), 3);
    /// # Ok::<(), mock_solme::OperatorError>(())
    /// ```
    ///
    /// # Errors
    /// [`OperatorError::Store`].
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), OperatorError> {
        self.main_server.restore(&snapshot.0)
    }

    /// Processes a request file into a response file.
    ///
    /// # Errors
    /// [`OperatorError::File`], [`OperatorError::ResponseFile`], [`OperatorError::UnreadableRequest`].
    pub fn process_request_file(&self, file: &[u8]) -> Result<ResponseFile, OperatorError> {
        self.main_server.process_request_file(file)
    }

    /// Takes a mail in, as if it had come by SMTP.
    ///
    /// # Errors
    /// The store's.
    pub fn receive_mail(&self, mail: &ReceivedMail) -> Result<(), OperatorError> {
        self.main_server.receive_mail(mail)
    }

    /// The newest clear requests, in the order of their arrival.
    ///
    /// # Errors
    /// The store's.
    pub fn clear_requests(&self) -> Result<Vec<NumberedClearRequest>, OperatorError> {
        Ok(self.main_server.clear_requests(None, None, ALL)?)
    }

    /// Approves a clear request.
    ///
    /// # Errors
    /// [`OperatorError::UnknownClearRequest`], [`OperatorError::Approve`].
    pub fn approve_clear_request(
        &self,
        number: u64,
        approval: Approval,
    ) -> Result<NumberedClearRequest, OperatorError> {
        let Approval { even_so, reserve, reason } = approval;
        self.main_server.approve_clear_request(number, even_so, reserve, &because(reason))
    }

    /// The newest mails in the outbox, in the order in which they were written.
    ///
    /// # Errors
    /// The store's.
    pub fn outbox(&self) -> Result<Vec<NumberedMail>, OperatorError> {
        Ok(self.main_server.outbox(None, ALL)?)
    }

    /// The newest exchanges, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.main_server.journal.list(&Filter::default(), None, usize::MAX)
    }

    /// Arms a fault: from now on the main server misbehaves where and when it says.
    ///
    /// ```
    /// use mock_solme::{MockSolme, quirks::{Fault, Quirk}};
    /// let mock = MockSolme::start();
    /// let armed = mock.arm(Fault::new(Quirk::DropReply).next(1))?;
    /// assert_eq!(armed.left, Some(1));
    /// # Ok::<(), mock_solme::quirks::FaultError>(())
    /// ```
    ///
    /// # Errors
    /// [`FaultError`].
    pub fn arm(&self, fault: Fault) -> Result<FaultReport, FaultError> {
        self.main_server.arm(fault)
    }

    /// Disarms a fault, and says what came of it; none where no fault of this number is armed.
    pub fn disarm(&self, number: u64) -> Option<FaultReport> {
        self.main_server.disarm(number)
    }

    /// Disarms all faults, and says what came of them.
    pub fn disarm_all(&self) -> Vec<FaultReport> {
        self.main_server.disarm_all()
    }

    /// All faults that were not disarmed, and how often they have fired.
    pub fn quirks_report(&self) -> Vec<FaultReport> {
        self.main_server.quirks_report()
    }

    /// What came of the newest exchanges, oldest first.
    pub fn trace(&self) -> Vec<TraceEntry> {
        self.main_server.trace()
    }

    /// The newest rows of the audit, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub fn audit(&self) -> Result<Vec<AuditEntry>, OperatorError> {
        Ok(self.main_server.audit(None, None, ALL)?)
    }
}

/// Anyone who holds a [`MockSolme`] has decided already.
fn because(reason: String) -> By {
    let reason = if reason.is_empty() { "by the program that holds this simulator".to_owned() } else { reason };
    By { reason, ..By::default() }
}

/// A journal for someone who looks for what went wrong, an exchange a line.
fn told(journal: &[JournalEntry]) -> String {
    let line = |entry: &JournalEntry| {
        let id = entry.license_server_id.as_ref().map_or("-", LicenseServerId::as_str);
        let JournalEntry { number, carrier, verdict, clause, detail, judgements, .. } = entry;
        let mut line = format!("{number:>5}  {:<5}  {id}  {verdict}  P {clause}  {detail}", carrier.as_str());
        line.extend(entry.quirk.map(|quirk| format!("  quirk: {quirk}")));
        line.extend(judgements.iter().map(|judgement| format!("  {judgement}")));
        format!("{}\n", printable(line.trim_end()))
    };
    journal.iter().map(line).collect()
}

/// More than a test has.
const ALL: u32 = 10_000;

impl Drop for MockSolme {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.quiet {
            let journal = self.journal();
            eprintln!("journal of {self:?}, {} exchanges:\n{}", journal.len(), told(&journal));
        }
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported where it happened; a second one here would abort the test program.
            let _ = thread.join();
        }
    }
}
