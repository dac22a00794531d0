//! `init`: license server id, trust file, key pair.

use std::path::Path;

use serde_json::json;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, TrustFile, limits};

use super::Context;
use super::session::{Ending, new_event};
use crate::conduct::{Conduct, Document};
use crate::core::{Identity, Times};
use crate::output::{Exit, Report, Text, Trouble};
use crate::store::{LocalStateError, Store, read_bounded};
use crate::transport::check_ca_certificate;

pub(super) fn run(context: &Context, id: &LicenseServerId, trust_file: &Path) -> Result<Report, Trouble> {
    let conduct = context.place.conduct;
    let trust = read_trust_file(trust_file, conduct)?;
    let mut store = Store::open_or_create(&context.place, "init")?;
    let now = context.now();
    if store.is_new()? {
        let key = store.adopt_or_make_key()?;
        let identity = Identity { license_server_id: id.clone(), trust, key_thumbprint: key.thumbprint(), conduct };
        let ending = Ending { outcome: "done", code: "initialized", message: "license server set up" };
        store.set_up(&identity, &Times::starting_at(now), &new_event(now, "init", ending, &identity))?;
        return Ok(report(&store, &identity, "initialized", "this license server is set up, with a new key pair"));
    }
    let own = store.identity()?;
    check_same(&own, id, &trust)?;
    store.load_key(&own.key_thumbprint)?;
    if own.trust == trust {
        return Ok(report(
            &store,
            &own,
            "already-initialized",
            "this license server was set up before; nothing changed",
        ));
    }
    let message = "addresses, name and CA certificate of the main server were taken over; the key pair stays";
    let ending = Ending { outcome: "done", code: "trust-updated", message };
    let identity = Identity { trust, ..own };
    store.update_trust(&identity, &new_event(now, "init", ending, &identity))?;
    Ok(report(&store, &identity, "trust-updated", message))
}

fn read_trust_file(file: &Path, conduct: &dyn Conduct) -> Result<TrustFile, Trouble> {
    let unusable = |message: String| Trouble {
        exit: Exit::FileNotUsable,
        code: "trust-file-not-usable",
        message,
        cure: "Get the trust file of the main server once more, and name it with --trust.".to_owned(),
    };
    let bytes = read_bounded(file, limits::TRUST_FILE)
        .map_err(|error| unusable(format!("the trust file {} cannot be read: {error}", file.display())))?;
    let trust = TrustFile::parse(&conduct.document(Document::TrustFile, &bytes))
        .map_err(|error| unusable(error.to_string()))?;
    check_ca_certificate(&trust)
        .map_err(|error| unusable(format!("the CA certificate of the trust file cannot be used: {error}")))?;
    Ok(trust)
}

/// One state serves one license server id at one main server (P 15.3); both are named.
fn check_same(own: &Identity, id: &LicenseServerId, trust: &TrustFile) -> Result<(), LocalStateError> {
    if own.license_server_id != *id {
        return Err(LocalStateError::OtherLicenseServerId { own: own.license_server_id.clone(), asked: id.clone() });
    }
    if own.conduct.is_same_main_server(&own.trust, trust) {
        return Ok(());
    }
    let keys = |trust: &TrustFile| {
        let names: Vec<String> = trust.key_thumbprints().iter().map(KeyThumbprint::to_string).collect();
        names.join(", ")
    };
    Err(LocalStateError::OtherMainServer {
        own: own.trust.main_server_id.clone(),
        own_keys: keys(&own.trust),
        asked: trust.main_server_id.clone(),
        asked_keys: keys(trust),
    })
}

fn report(store: &Store, identity: &Identity, code: &str, message: &str) -> Report {
    let Identity { license_server_id, trust, key_thumbprint, conduct: _ } = identity;
    let mut text = Text::default();
    text.good(crate::output::sentence(message));
    text.value("license server id", license_server_id);
    text.value("key pair", key_thumbprint);
    text.value("main server", format_args!("{} ({})", trust.name, trust.main_server_id));
    text.value("state directory", store.path().display());
    text.next("run `license-server synchronize`, or `license-server export-request FILE` without a network.");
    let json = json!({
        "outcome": "done", "code": code, "message": message, "cure": null,
        "license_server_id": license_server_id,
        "key_thumbprint": key_thumbprint,
        "main_server": { "id": trust.main_server_id, "name": trust.name, "https": trust.https, "http": trust.http },
        "state_directory": store.path(),
    });
    Report::new(Exit::Done, json, text)
}
