//! `new-key-pair`: the explicit way out of a state that cannot go on (P 3.3).

use std::path::PathBuf;

use serde::Serialize;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

use super::Context;
use super::session::{Ending, new_event};
use crate::core::{Identity, Times};
use crate::output::{Done, Error, Exit, Report, Text, sentence};
use crate::store::{LocalStateFailure, Store, Turn, Wreck};

const EVENT: &str = "new-key-pair";

/// A new key pair. It is accepted once the old one is cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewKeyPair {
    /// That it was done.
    #[serde(flatten)]
    pub done: Done,
    /// The license server id, which stays.
    pub license_server_id: LicenseServerId,
    /// The key pair before; `None` if the database that knew it is lost.
    pub old_key_thumbprint: Option<KeyThumbprint>,
    /// The new key pair.
    pub key_thumbprint: KeyThumbprint,
    /// Where the old state is kept.
    pub archive: PathBuf,
}

impl NewKeyPair {
    fn new(id: LicenseServerId, old: Option<KeyThumbprint>, new: KeyThumbprint, archive: PathBuf) -> Self {
        let done = Done::new(EVENT, "this server has a new key pair and is unsynchronized");
        Self { done, license_server_id: id, old_key_thumbprint: old, key_thumbprint: new, archive }
    }
}

pub(super) fn run(context: &Context, yes: bool) -> Result<Report, Error> {
    if !yes {
        return Err(Error {
            exit: Exit::Usage,
            code: "usage",
            message: "with a new key pair this server stops issuing until Solme clears the old one and you \
                      synchronize"
                .to_owned(),
            cure: "To go ahead, run `license-server new-key-pair --yes`. The old state is kept in the archive."
                .to_owned(),
        });
    }
    Ok(new_key_pair(context)?.report())
}

/// Archives the state, and replaces the key pair with a new one.
pub(crate) fn new_key_pair(context: &Context) -> Result<NewKeyPair, Error> {
    let _turn = Turn::take(&context.place, EVENT)?;
    let opened =
        Store::open(&context.place, EVENT).and_then(|store| store.identity().map(|identity| (store, identity)));
    match opened {
        Ok((store, old)) => Ok(renew(context, store, old)?),
        Err(error) if error.database_is_lost() => match Wreck::find(&context.place, EVENT)? {
            Some(wreck) => Ok(begin_again(context, wreck)?),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn renew(context: &Context, mut store: Store, old: Identity) -> Result<NewKeyPair, LocalStateFailure> {
    let now = context.now();
    let archive = store.archive(now)?;
    let message = format!("the key pair {} gave way to a new one", old.key_thumbprint);
    let new = store.begin_with_new_key(|key_thumbprint| {
        let ending = Ending { outcome: "done", code: EVENT, message: &message };
        new_event(now, EVENT, ending, &Identity { key_thumbprint, ..old.clone() })
    })?;
    Ok(NewKeyPair::new(old.license_server_id, Some(old.key_thumbprint), new, archive))
}

fn begin_again(context: &Context, wreck: Wreck) -> Result<NewKeyPair, LocalStateFailure> {
    let now = context.now();
    let (mut store, identity, archive) = wreck.begin_again(now)?;
    let message = "the database was lost: this server began again with a new key pair";
    let ending = Ending { outcome: "done", code: EVENT, message };
    store.set_up(&identity, &Times::starting_at(now), &new_event(now, EVENT, ending, &identity))?;
    store.put_next_key_in_place()?;
    let Identity { license_server_id, key_thumbprint: new, .. } = identity;
    Ok(NewKeyPair::new(license_server_id, None, new, archive))
}

impl NewKeyPair {
    fn report(&self) -> Report {
        let mut text = Text::default();
        text.good(sentence(&self.done.message));
        text.value("license server id", &self.license_server_id);
        if let Some(old) = self.old_key_thumbprint {
            text.value("old key pair", old);
        }
        text.value("new key pair", self.key_thumbprint);
        text.value("old state", self.archive.display());
        text.next(
            "once the old key pair is cleared (`license-server request-clear` writes the mail, and names the new key \
             pair), run `license-server synchronize`.",
        );
        Report::of(Exit::Done, self, text)
    }
}
