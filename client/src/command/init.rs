//! `init`: license server id, trust file, key pair.

use std::path::{Path, PathBuf};

use serde::Serialize;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, MainServerId, TrustFile, limits};

use super::Context;
use super::session::{Ending, new_event};
use crate::conduct::{Conduct, Document};
use crate::core::{Identity, Times};
use crate::output::{Done, Error, Exit, Report, Text};
use crate::store::{LocalStateFailure, Store, read_bounded};
use crate::transport::check_ca_certificate;

/// A License Server that was set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SetUp {
    #[serde(flatten)]
    done: Done,
    license_server_id: LicenseServerId,
    key_thumbprint: KeyThumbprint,
    main_server: MainServer,
    state_directory: PathBuf,
}

/// A main server, as its trust file names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MainServer {
    /// Its id.
    pub id: MainServerId,
    /// Its name, for people.
    pub name: String,
    /// Address of the 443 role.
    pub https: String,
    /// Address of the 8080 role.
    pub http: String,
}

impl From<&TrustFile> for MainServer {
    fn from(trust: &TrustFile) -> Self {
        let TrustFile { main_server_id: id, name, https, http, .. } = trust.clone();
        Self { id, name, https, http }
    }
}

pub(super) fn run(context: &Context, id: &LicenseServerId, trust_file: &Path) -> Result<Report, Error> {
    Ok(init(context, id, read_trust_file(trust_file, context.place.conduct)?)?.report())
}

/// Sets up a License Server, or updates the trust file of the same main server.
pub(crate) fn init(context: &Context, id: &LicenseServerId, trust: TrustFile) -> Result<SetUp, Error> {
    check_ca_certificate(&trust)
        .map_err(|error| unusable(format!("the CA certificate of the trust file cannot be used: {error}")))?;
    let mut store = Store::open_or_create(&context.place, "init")?;
    let now = context.now();
    let set_up = |store: &Store, identity: &Identity, code, message: &str| SetUp {
        done: Done::new(code, message),
        license_server_id: identity.license_server_id.clone(),
        key_thumbprint: identity.key_thumbprint,
        main_server: (&identity.trust).into(),
        state_directory: store.path().to_owned(),
    };
    if store.is_new()? {
        let key = store.adopt_or_make_key()?;
        let conduct = context.place.conduct;
        let identity = Identity { license_server_id: id.clone(), trust, key_thumbprint: key.thumbprint(), conduct };
        let ending = Ending { outcome: "done", code: "initialized", message: "license server set up" };
        store.set_up(&identity, &Times::starting_at(now), &new_event(now, "init", ending, &identity))?;
        return Ok(set_up(&store, &identity, "initialized", "this license server is set up, with a new key pair"));
    }
    let own = store.identity()?;
    check_same(&own, id, &trust)?;
    store.load_key(&own.key_thumbprint)?;
    if own.trust == trust {
        let message = "this license server was set up before; nothing changed";
        return Ok(set_up(&store, &own, "already-initialized", message));
    }
    let message = "updated the main server's addresses, name and CA certificate; key pair unchanged";
    let ending = Ending { outcome: "done", code: "trust-updated", message };
    let identity = Identity { trust, ..own };
    store.update_trust(&identity, &new_event(now, "init", ending, &identity))?;
    Ok(set_up(&store, &identity, "trust-updated", message))
}

fn unusable(message: String) -> Error {
    Error {
        exit: Exit::FileNotUsable,
        code: "trust-file-not-usable",
        message,
        cure: "Get the trust file of the main server once more, and name it with --trust.".to_owned(),
    }
}

fn read_trust_file(file: &Path, conduct: &dyn Conduct) -> Result<TrustFile, Error> {
    let bytes = read_bounded(file, limits::TRUST_FILE)
        .map_err(|error| unusable(format!("the trust file {} cannot be read: {error}", file.display())))?;
    TrustFile::parse(&conduct.document(Document::TrustFile, &bytes)).map_err(|error| unusable(error.to_string()))
}

/// One state serves one license server id at one main server (P 15.3); both are named.
fn check_same(own: &Identity, id: &LicenseServerId, trust: &TrustFile) -> Result<(), LocalStateFailure> {
    if own.license_server_id != *id {
        return Err(LocalStateFailure::OtherLicenseServerId { own: own.license_server_id.clone(), asked: id.clone() });
    }
    if own.conduct.is_same_main_server(&own.trust, trust) {
        return Ok(());
    }
    let keys = |trust: &TrustFile| {
        let names: Vec<String> = trust.key_thumbprints().iter().map(KeyThumbprint::to_string).collect();
        names.join(", ")
    };
    Err(LocalStateFailure::OtherMainServer {
        own: own.trust.main_server_id.clone(),
        own_keys: keys(&own.trust),
        asked: trust.main_server_id.clone(),
        asked_keys: keys(trust),
    })
}

impl SetUp {
    fn report(&self) -> Report {
        let mut text = Text::default();
        text.good(crate::output::sentence(&self.done.message));
        text.value("license server id", &self.license_server_id);
        text.value("key pair", self.key_thumbprint);
        text.value("main server", format_args!("{} ({})", self.main_server.name, self.main_server.id));
        text.value("state directory", self.state_directory.display());
        text.next("run `license-server synchronize`, or `license-server export-request FILE` without a network.");
        Report::of(Exit::Done, self, text)
    }
}
