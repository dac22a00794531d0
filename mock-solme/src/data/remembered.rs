//! Where a simulator with a data directory has listened, and its admin token: the next start takes them again, so that
//! the trust files that are out there, and the scripts, stay right.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data;
use crate::identity::write_durably;
use crate::public::Public;
use crate::start::{Listeners, StartError, bind};

const FILE: &str = "serve.json";

/// Where to listen: each that is not named is the remembered one, or any free port of the loopback interface.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Addresses {
    pub(crate) https: Option<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) smtp: Option<SocketAddr>,
}

/// What one run leaves to the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) smtp: SocketAddr,
    pub(crate) admin_token: String,
    #[serde(default, skip_serializing_if = "Public::is_default")]
    pub(crate) public: Public,
}

impl Remembered {
    /// What the last run has left; none where there was none, or nobody can read it any more.
    pub(crate) fn read(directory: &Path) -> Option<Self> {
        let file = directory.join(FILE);
        if !data::regular(&file).ok()? {
            return None;
        }
        let remembered = serde_json::from_slice(&std::fs::read(file).ok()?);
        remembered.inspect_err(|error| tracing::warn!(%error, "serve.json cannot be read; writing a new one")).ok()
    }

    /// Leaves them to the next run.
    pub(crate) fn write(
        directory: &Path,
        listeners: &Listeners,
        admin_token: &str,
        public: &Public,
    ) -> Result<(), StartError> {
        let now = Self {
            https: listeners.https.local_addr()?,
            http: listeners.http.local_addr()?,
            admin: listeners.admin.local_addr()?,
            smtp: listeners.smtp.local_addr()?,
            admin_token: admin_token.to_owned(),
            public: public.clone(),
        };
        if Self::read(directory).as_ref() == Some(&now) {
            return Ok(());
        }
        let path: PathBuf = directory.join(FILE);
        let json = serde_json::to_vec_pretty(&now).map_err(io::Error::from)?;
        write_durably(&path, &json, 0o600).map_err(|error| StartError::File { path, error })
    }
}

/// Listens, and says which remembered addresses belong to somebody else by now.
pub(crate) fn listen(named: Addresses, last: Option<&Remembered>) -> Result<(Listeners, Vec<String>), StartError> {
    let mut notices = Vec::new();
    let mut one = |role: &str, named: Option<SocketAddr>, last: Option<SocketAddr>| {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        match (named, last) {
            (Some(address), _) => bind(address),
            (None, None) => bind(any),
            (None, Some(last)) => bind(last).or_else(|_| {
                let listener = bind(SocketAddr::from((last.ip(), 0))).or_else(|_| bind(any))?;
                let now = listener.local_addr()?;
                notices.push(format!("{last}, the last address of {role}, is taken; it now listens at {now}"));
                Ok(listener)
            }),
        }
    };
    let listeners = Listeners {
        https: one("the 443 role", named.https, last.map(|last| last.https))?,
        http: one("the 8080 role", named.http, last.map(|last| last.http))?,
        admin: one("the admin API", named.admin, last.map(|last| last.admin))?,
        smtp: one("SMTP", named.smtp, last.map(|last| last.smtp))?,
    };
    Ok((listeners, notices))
}
