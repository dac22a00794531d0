//! A main server that is listening: four listeners, four routers, and the trust file that names two of them.

use std::fmt::Display;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::accept::DefaultAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use serde::Serialize;
use solme_sync_protocol::{LicenseServerId, MainServerId, TrustFile};
use tokio::task::{JoinSet, spawn_blocking};

use crate::admin::api::RunSettings;
use crate::admin::{self, Access, Admin};
use crate::connections::{Client, Listener, Pool, Port, http as bounded};
use crate::console;
use crate::crypto;
use crate::data::TemporaryFolder;
use crate::http::{https_role, payload_role};
use crate::identity::write_durably;
use crate::mail::hand_on::{HandOnError, MailServer};
use crate::mail::smtp::Smtp;
use crate::main_server::{MainServer, Settings};
use crate::public::{Front, Public};
use crate::quirks::carrier::Door;
use crate::quirks::{Operation, Quirk};
use crate::seams::DurableSteps;

const TRUST_FILE: &str = "trust.json";
/// How long exchanges that are under way may take to end after SIGTERM.
const GRACE: Duration = Duration::from_millis(500);

/// Why the simulator did not get ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}; name another address, or port 0 for any free one")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// A file or folder cannot be used.
    #[error("{}: {error}; check free space and permissions there, or name another directory", path.display())]
    File {
        /// Path of the file or folder.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The file of faults cannot be used.
    #[error("--quirks {}: {}. Next: correct it; `mock-solme serve --help` has an example", path.display(), wrong.trim_end())]
    Quirks {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: String,
    },
    /// The main server could not be opened.
    #[error("{0}")]
    MainServer(String),
    /// The mail server for the outbox is not one.
    #[error(transparent)]
    MailServer(#[from] HandOnError),
    /// A public name or address is not one.
    #[error("{0}")]
    Public(String),
    /// The operating system gave no thread, timer or listener.
    #[error("cannot start: {0}; check `ulimit -n`, free memory and free space, TMPDIR included, then start it again")]
    System(#[from] io::Error),
}

impl StartError {
    /// What the main server could not be opened for, which ends with the next step.
    fn of(error: impl Display) -> Self {
        Self::MainServer(error.to_string())
    }

    /// The operating system gives no random numbers.
    pub(crate) fn no_random(error: impl Display) -> Self {
        Self::MainServer(format!("{error}; start it again"))
    }

    fn no_demo(error: impl Display) -> Self {
        Self::MainServer(format!(
            "cannot add the demo license server id: {error}; check free space, or start with --empty"
        ))
    }
}

/// The four listeners. They are bound before anything else, so that their ports are known.
#[derive(Debug)]
pub struct Listeners {
    /// The 443 role: HTTPS (P 13.2).
    pub https: TcpListener,
    /// The 8080 role: plain HTTP (P 13.4).
    pub http: TcpListener,
    /// The admin API: plain HTTP with a token.
    pub admin: TcpListener,
    /// SMTP, for mail to licensing@solme.se.
    pub smtp: TcpListener,
}

impl Listeners {
    /// Four free ports of the loopback interface.
    ///
    /// # Errors
    /// [`StartError::Listen`].
    pub fn ephemeral() -> Result<Self, StartError> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(Self { https: bind(any)?, http: bind(any)?, admin: bind(any)?, smtp: bind(any)? })
    }
}

/// Listens on `address`; port 0 takes any free one.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|error| StartError::Listen { address, error })
}

/// What a main server is started with.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) data: Option<PathBuf>,
    pub(crate) settings: Settings,
    pub(crate) admin_token: Option<String>,
    /// Where mails of the outbox are handed on to.
    pub(crate) mail_server: Option<MailServer>,
    /// How others reach it.
    pub(crate) public: Public,
}

/// What a caller has to know of a running main server: the ready line.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ready {
    pub(crate) https: String,
    pub(crate) http: String,
    pub(crate) admin: String,
    pub(crate) smtp: String,
    pub(crate) admin_token: String,
    /// The page over the admin API, with the token: the address for a browser.
    pub(crate) console: String,
    pub(crate) trust_file: PathBuf,
    pub(crate) seed: u32,
    pub(crate) main_server_id: MainServerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) demo_license_server_id: Option<LicenseServerId>,
}

/// A main server that was opened, with its trust file on disk. It listens once it is served.
pub(crate) struct Opened {
    pub(crate) main_server: Arc<MainServer>,
    pub(crate) ready: Ready,
    pub(crate) trust: TrustFile,
    pub(crate) public: Public,
    front: Arc<Front>,
    pub(crate) listeners: Listeners,
    mail_server: Option<MailServer>,
    data: Option<PathBuf>,
    /// Where the trust file lies when there is no data directory; removed on drop.
    _temporary: Option<TemporaryFolder>,
}

/// Opens the main server that is to listen there.
pub(crate) fn open(listeners: Listeners, options: Options, steps: &DurableSteps) -> Result<Opened, StartError> {
    options.public.check().map_err(StartError::Public)?;
    let public = options.public;
    let address = |listener: &TcpListener| listener.local_addr();
    let (https, http) = (address(&listeners.https)?, address(&listeners.http)?);
    let settings = Settings { hosts: public.hosts(https.ip()), ..options.settings };
    let main_server = match &options.data {
        Some(directory) => MainServer::open(directory, steps, settings),
        None => MainServer::in_memory(settings),
    };
    let main_server = main_server.map_err(StartError::of)?;
    let demo = main_server.has_demo().then(|| crate::demo::add(&main_server));
    let demo_license_server_id = demo.transpose().map_err(StartError::no_demo)?;
    let main_server = Arc::new(main_server);
    let front = Arc::new(Front::new(Arc::clone(&main_server), &public, https, http));
    let trust = front.trust_file();
    let (trust_file, temporary) = write_trust_file(&trust, options.data.as_deref(), steps)?;
    let admin = match &public.admin {
        Some(url) => url.clone(),
        None => format!("http://{}", public.authority(address(&listeners.admin)?)),
    };
    let admin_token = match options.admin_token {
        Some(token) => token,
        None => admin_token(crypto::random().map_err(StartError::no_random)?),
    };
    let ready = Ready {
        https: trust.https.clone(),
        http: trust.http.clone(),
        console: console::address(&admin, &admin_token),
        admin,
        smtp: public.authority(address(&listeners.smtp)?),
        admin_token,
        trust_file,
        seed: main_server.seed(),
        main_server_id: main_server.id().clone(),
        demo_license_server_id,
    };
    let mail_server = options.mail_server;
    let data = options.data.map(std::path::absolute).transpose()?;
    Ok(Opened { main_server, ready, trust, public, front, listeners, mail_server, data, _temporary: temporary })
}

/// Letters and digits only: a token that begins with a hyphen would be taken for a flag on a command line.
fn admin_token(random: [u8; 24]) -> String {
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_trust_file(
    trust: &TrustFile,
    data: Option<&Path>,
    steps: &DurableSteps,
) -> Result<(PathBuf, Option<TemporaryFolder>), StartError> {
    let failed = |path: &Path, error| StartError::File { path: path.to_owned(), error };
    match data {
        Some(directory) => {
            let directory = std::path::absolute(directory)?;
            let path = directory.join(TRUST_FILE);
            let json = trust.to_json();
            if !holds(&path, &json) {
                steps
                    .step("trust file", || write_durably(&path, &json, 0o644))
                    .map_err(|error| failed(&path, error))?;
            }
            Ok((path, None))
        }
        None => {
            let directory = TemporaryFolder::new()?;
            let path = directory.path(TRUST_FILE);
            std::fs::write(&path, trust.to_json()).map_err(|error| failed(&path, error))?;
            Ok((path, Some(directory)))
        }
    }
}

/// Whether this is a file of these bytes: the trust file of the last start, mostly.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let found = std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64);
    found && std::fs::read(path).is_ok_and(|found| found == bytes)
}

/// The servers of a main server, within a tokio runtime.
pub(crate) struct Running {
    handles: Vec<Handle<Client>>,
    servers: JoinSet<io::Result<()>>,
    smtp: Smtp,
    _temporary: Option<TemporaryFolder>,
}

impl Opened {
    /// What it was told.
    fn run(&self) -> RunSettings {
        let (ready, settings) = (self.ready.clone(), self.main_server.settings());
        RunSettings {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            main_server_id: ready.main_server_id,
            started_at: self.main_server.now(),
            https: ready.https,
            http: ready.http,
            admin: ready.admin,
            smtp: ready.smtp,
            public_names: self.public.names.clone(),
            trust_file: ready.trust_file,
            data: self.data.clone(),
            seed: ready.seed,
            demo_license_server_id: ready.demo_license_server_id,
            auto_approve: settings.auto_approve,
            rate_limit: settings.rate_limit,
            at_once: settings.at_once.get(),
            mail_server: self.mail_server.is_some(),
            armed_at_start: settings.faults.clone(),
        }
    }

    /// Starts to serve. From now on every connection is answered; those made since the listeners were bound as well.
    pub(crate) fn serve(self) -> Result<Running, StartError> {
        let run = self.run();
        let Self { main_server, ready, public, front, listeners, mail_server, _temporary, .. } = self;
        let access = Access { token: ready.admin_token, address: listeners.admin.local_addr()?, public };
        let admin = Admin::new(Arc::clone(&main_server), access, Arc::clone(&front), mail_server, run);
        let (mut handles, mut servers) = (Vec::new(), JoinSet::new());
        let mut handle = || {
            handles.push(Handle::new());
            handles[handles.len() - 1].clone()
        };

        let pool = Pool::new();
        let door = tls_door(front, &main_server);
        let https = bounded(Listener::new(listeners.https, Port::Https, &pool)?).acceptor(door).handle(handle());
        servers.spawn(https.serve(https_role::router(Arc::clone(&main_server)).into_make_service()));

        let door = Door::new(Operation::Payload, Arc::clone(&main_server), DefaultAcceptor::new(), |_| None);
        let http = bounded(Listener::new(listeners.http, Port::Http, &pool)?).acceptor(door).handle(handle());
        servers.spawn(http.serve(payload_role::router(Arc::clone(&main_server)).into_make_service()));

        let admin_api = bounded(Listener::new(listeners.admin, Port::Admin, &pool)?).handle(handle());
        // The routes of the API and the console are many. They are made in the task, beside the ready line.
        servers.spawn(async move { admin_api.serve(admin::router(admin).into_make_service()).await });
        let smtp = serve_mail(Listener::new(listeners.smtp, Port::Smtp, &pool)?, main_server);
        Ok(Running { handles, servers, smtp, _temporary })
    }
}

type Tls = RustlsAcceptor<DefaultAcceptor>;

/// The door of the 443 role, and its other certificates.
fn tls_door(front: Arc<Front>, main_server: &Arc<MainServer>) -> Door<Tls> {
    let acceptor = |config| RustlsAcceptor::new(config).acceptor(DefaultAcceptor::new());
    let certifier = Arc::clone(main_server);
    Door::new(Operation::Synchronize, Arc::clone(main_server), acceptor(front.tls()), move |quirk: Quirk| {
        let config = certifier.quirky_tls(quirk, &front.hosts())?;
        let failed = |error| tracing::error!(%error, %quirk, "a certificate could not be made");
        config.map_err(failed).ok().map(RustlsConfig::from_config).map(acceptor)
    })
}

fn serve_mail(listener: Listener, main_server: Arc<MainServer>) -> Smtp {
    Smtp::start(listener, move |mail| {
        let main_server = Arc::clone(&main_server);
        async move {
            let taken = spawn_blocking(move || main_server.receive_mail(&mail)).await;
            taken.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        }
    })
}

impl Running {
    /// Takes no new connections, lets what is under way end, and returns within a second.
    pub(crate) async fn shut_down(self) {
        let Self { handles, mut servers, smtp, _temporary } = self;
        for handle in &handles {
            handle.graceful_shutdown(Some(GRACE));
        }
        let http = async { while servers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE + GRACE / 2, async { tokio::join!(http, smtp.shut_down()) }).await;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_admin_token_is_one_word_that_no_command_line_takes_for_a_flag() {
        let token = super::admin_token([0xfb; 24]);
        assert_eq!(token.len(), 48);
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
    }
}
