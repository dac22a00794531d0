//! In which order things happened. Journal and audit have seconds; an accepted request is in both.

use std::collections::{BTreeMap, BTreeSet};

use solme_sync_protocol::{Digest, KeyThumbprint, LicenseServerId, Request, Signed};

use super::Past;
use crate::admin::api::{AuditEntry, JournalEntry};

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event<'p> {
    Change(&'p AuditEntry),
    Exchange(Exchange<'p>),
}

/// An exchange, with what its request says of itself. Where a quirk kept it from the main server, the journal has that not.
#[derive(Debug, Clone)]
pub(super) struct Exchange<'p> {
    pub(super) entry: &'p JournalEntry,
    pub(super) asked: Option<Asked>,
}

/// Who asked, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: LicenseServerId,
    pub(super) key: KeyThumbprint,
    pub(super) digest: Digest,
}

impl<'p> Exchange<'p> {
    fn of(entry: &'p JournalEntry) -> Self {
        let asked = Signed::<Request>::parse(&entry.request).ok().map(|request| Asked {
            id: request.unverified_frame().issuer.clone(),
            key: request.header().jwk.thumbprint(),
            digest: request.digest(),
        });
        Self { entry, asked }
    }

    /// Whether the License Server got a receipt, as far as the main server knows.
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.entry.verdict.as_str(), "accepted" | "answered-again")
    }
}

/// Key pairs and ids, as the changes so far have left them.
#[derive(Default)]
struct Registry<'p> {
    ids: BTreeSet<&'p LicenseServerId>,
    disabled: BTreeSet<&'p LicenseServerId>,
    bound: BTreeMap<&'p LicenseServerId, KeyThumbprint>,
    cleared: BTreeSet<KeyThumbprint>,
}

impl<'p> Registry<'p> {
    fn change(&mut self, change: &'p AuditEntry) {
        let Some(id) = &change.license_server_id else { return };
        match (change.action.as_str(), change.thumbprint) {
            ("id-added", _) => _ = self.ids.insert(id),
            ("id-disabled", _) => _ = self.disabled.insert(id),
            ("id-enabled", _) => _ = self.disabled.remove(id),
            ("key-pair-bound", Some(key)) => _ = self.bound.insert(id, key),
            ("key-pair-cleared", Some(key)) => {
                self.bound.remove(id);
                self.cleared.insert(key);
            }
            ("reset", _) => _ = self.bound.remove(id),
            _ => {}
        }
    }

    /// Whether the verdict can have been given now.
    fn allows(&self, exchange: &Exchange<'_>) -> bool {
        let Some(Asked { id, key, .. }) = &exchange.asked else { return true };
        match exchange.entry.verdict.as_str() {
            "unknown-license-server-id" => !self.ids.contains(id),
            "license-server-id-disabled" => self.disabled.contains(id),
            "key-pair-in-use" => self.bound.get(id).is_some_and(|bound| bound != key),
            "key-pair-cleared" => self.cleared.contains(key),
            "answered-again" | "state-diverged" => self.bound.get(id) == Some(key),
            _ => true,
        }
    }
}

/// Everything, in order. Of two things in the same second the change comes first if the verdict was given after it.
pub(super) fn events(past: &Past) -> Vec<Event<'_>> {
    let in_journal: BTreeSet<String> = past.journal.iter().filter_map(acceptance).collect();
    // What changes say of acceptances, as long as it lies ahead.
    let mut ahead: BTreeSet<&str> =
        past.audit.iter().filter_map(accepts).filter(|it| in_journal.contains(*it)).collect();
    let mut registry = Registry::default();
    let mut changes = past.audit.iter().peekable();
    let mut events = Vec::new();
    for entry in &past.journal {
        let exchange = Exchange::of(entry);
        let own = acceptance(entry).filter(|own| ahead.contains(own.as_str()));
        let comes_first = |change: &AuditEntry, registry: &Registry<'_>| match (&own, accepts(change)) {
            (Some(_), _) => true,
            (None, Some(other)) => !in_journal.contains(other),
            (None, None) => change.at < entry.at || (change.at == entry.at && !registry.allows(&exchange)),
        };
        while let Some(change) = changes.next_if(|change| comes_first(change, &registry)) {
            registry.change(change);
            match accepts(change) {
                None => events.push(Event::Change(change)),
                Some(accepted) => {
                    ahead.remove(accepted);
                    if own.as_deref() == Some(accepted) {
                        break;
                    }
                }
            }
        }
        events.push(Event::Exchange(exchange));
    }
    events.extend(changes.filter(|change| accepts(change).is_none()).map(Event::Change));
    events
}

/// The digest of a request that was accepted.
fn acceptance(entry: &JournalEntry) -> Option<String> {
    entry.request_digest.filter(|_| entry.verdict == "accepted").map(|digest| digest.to_string())
}

/// The same, in the audit.
fn accepts(change: &AuditEntry) -> Option<&str> {
    matches!(change.action.as_str(), "key-pair-bound" | "synchronized")
        .then(|| change.detail.strip_prefix("request "))?
}
