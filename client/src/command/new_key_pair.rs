//! `new-key-pair`: the explicit way out of a state that cannot go on (P 3.3).

use std::path::PathBuf;

use serde_json::json;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

use super::Context;
use super::session::{Ending, new_event};
use crate::core::{Identity, Times};
use crate::output::{Exit, Report, Text, Trouble, sentence};
use crate::store::{LocalStateError, Store, Turn, Wreck};

const EVENT: &str = "new-key-pair";

/// What came of it.
struct Renewed {
    license_server_id: LicenseServerId,
    /// `None` if the database that knew it is lost.
    old: Option<KeyThumbprint>,
    new: KeyThumbprint,
    archive: PathBuf,
}

pub(super) fn run(context: &Context, yes: bool) -> Result<Report, Trouble> {
    if !yes {
        return Err(Trouble {
            exit: Exit::Usage,
            code: "usage",
            message: "a new key pair makes this server unsynchronized; it is accepted only once the key pair in use is \
                      cleared at the main server"
                .to_owned(),
            cure: "If that is what you want, run `license-server new-key-pair --yes`. The old state is kept in the archive."
                .to_owned(),
        });
    }
    let _turn = Turn::take(&context.place, EVENT)?;
    let opened =
        Store::open(&context.place, EVENT).and_then(|store| store.identity().map(|identity| (store, identity)));
    let renewed = match opened {
        Ok((store, old)) => renew(context, store, old)?,
        Err(error) if error.database_is_lost() => match Wreck::find(&context.place, EVENT)? {
            Some(wreck) => begin_again(context, wreck)?,
            None => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    };
    Ok(report(&renewed))
}

fn renew(context: &Context, mut store: Store, old: Identity) -> Result<Renewed, LocalStateError> {
    let now = context.now();
    let archive = store.archive(now)?;
    let message = format!("the key pair {} gave way to a new one", old.key_thumbprint);
    let new = store.begin_with_new_key(|key| {
        let ending = Ending { outcome: "done", code: EVENT, message: &message };
        new_event(now, EVENT, ending, &Identity { key_thumbprint: key.thumbprint(), ..old.clone() })
    })?;
    let (license_server_id, new) = (old.license_server_id, new.thumbprint());
    Ok(Renewed { license_server_id, old: Some(old.key_thumbprint), new, archive })
}

fn begin_again(context: &Context, wreck: Wreck) -> Result<Renewed, LocalStateError> {
    let now = context.now();
    let (mut store, identity, archive) = wreck.begin_again(now)?;
    let message = "the database was lost: this server began again with a new key pair";
    let ending = Ending { outcome: "done", code: EVENT, message };
    store.set_up(&identity, &Times::starting_at(now), &new_event(now, EVENT, ending, &identity))?;
    store.put_next_key_in_place()?;
    let Identity { license_server_id, key_thumbprint: new, .. } = identity;
    Ok(Renewed { license_server_id, old: None, new, archive })
}

fn report(renewed: &Renewed) -> Report {
    let Renewed { license_server_id, old, new, archive } = renewed;
    let message = "this server has a new key pair and is unsynchronized";
    let mut text = Text::default();
    text.good(sentence(message));
    text.value("license server id", license_server_id);
    if let Some(old) = old {
        text.value("old key pair", old);
    }
    text.value("new key pair", new);
    text.value("old state", archive.display());
    text.next(
        "once the old key pair is cleared (`license-server request-clear` writes the mail, and names the new key pair), \
         run `license-server synchronize`.",
    );
    let json = json!({
        "outcome": "done", "code": EVENT, "message": message, "cure": null,
        "license_server_id": license_server_id,
        "old_key_thumbprint": old,
        "key_thumbprint": new,
        "archive": archive,
    });
    Report::new(Exit::Done, json, text)
}
