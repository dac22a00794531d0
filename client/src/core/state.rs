//! The states of a local server, one type each. A transition consumes the state that it leaves.

use std::sync::Arc;

use serde::Serialize;
use solme_sync_protocol::{Allocation, KeyThumbprint, LicenseServerId, Receipt, Refusal, TrustFile};

use super::check::{AnswerError, SealedPayloadError, read_allocation, read_refusal, read_stored_receipt};
use super::{CheckedRefusal, Times};
use crate::conduct::Conduct;

/// Who the local server is, and whom it trusts.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) license_server_id: LicenseServerId,
    /// The content of its trust file.
    pub(crate) trust: TrustFile,
    /// The thumbprint of its key pair.
    pub(crate) key_thumbprint: KeyThumbprint,
    pub(crate) conduct: &'static dyn Conduct,
}

/// A receipt that was applied, with the JWS that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastReceipt {
    /// The whole JWS: the `last_receipt` of the next request (P 5).
    pub(crate) jws: String,
    pub(crate) receipt: Receipt,
}

impl LastReceipt {
    /// Whether both are one message: signing inputs are compared, never signatures (P 4.6).
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let signing_input = |jws: &str| jws.rsplit_once('.').map(|(input, _)| input.to_owned());
        signing_input(&self.jws) == signing_input(&other.jws)
    }
}

/// A receipt and its allocation, both checked (P 11.1 to 11.8). There is no way to one that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    last: LastReceipt,
    allocation: Arc<Allocation>,
    allocation_bytes: Arc<[u8]>,
}

impl Applied {
    pub(super) fn new(
        last: LastReceipt,
        allocation_bytes: Vec<u8>,
        conduct: &dyn Conduct,
    ) -> Result<Self, SealedPayloadError> {
        let allocation = read_allocation(&last.receipt, &allocation_bytes, conduct)?;
        Ok(Self { last, allocation: allocation.into(), allocation_bytes: allocation_bytes.into() })
    }

    pub(crate) const fn receipt(&self) -> &Receipt {
        &self.last.receipt
    }

    pub(crate) const fn last(&self) -> &LastReceipt {
        &self.last
    }

    pub(crate) fn allocation(&self) -> &Allocation {
        &self.allocation
    }

    /// The bytes that the receipt's digest covers.
    pub(crate) fn allocation_bytes(&self) -> &[u8] {
        &self.allocation_bytes
    }
}

/// A key pair exists; no receipt was applied yet.
#[derive(Debug)]
pub(crate) struct Unsynchronized;

/// A receipt was applied, and its `synchronize_by` lies ahead.
#[derive(Debug)]
pub(crate) struct Synchronized {
    pub(crate) applied: Applied,
}

/// A receipt was applied, and its `synchronize_by` is reached (P 17.1).
#[derive(Debug)]
pub(crate) struct Overdue {
    pub(crate) applied: Applied,
}

/// The main server has said that this key pair is cleared (P 12.6). The way out is a new key pair.
#[derive(Debug)]
pub(crate) struct Cleared {
    /// The refusal that said so; `None` if the stored copy can no longer be read. The state stays cleared: that is the safe side.
    pub(crate) refusal: Option<Refusal>,
    /// What was applied before.
    pub(crate) applied: Option<Applied>,
}

/// What is stored does not verify (P 11.12). The way out is a synchronization.
#[derive(Debug)]
pub(crate) struct Tampered {
    pub(crate) found: Tampering,
    /// The newest receipt that can still be proved: the next request claims it, and that heals the state.
    pub(crate) last: Option<LastReceipt>,
}

/// The state of a local server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No receipt was applied with this key pair yet.
    Unsynchronized,
    /// The required synchronization lies ahead.
    Synchronized,
    /// The required synchronization is overdue (P 17.1).
    Overdue,
    /// The main server has cleared the key pair (P 12.6).
    Cleared,
    /// What is stored does not verify (P 11.12).
    Tampered,
}

impl State {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsynchronized => "unsynchronized",
            Self::Synchronized => "synchronized",
            Self::Overdue => "overdue",
            Self::Cleared => "cleared",
            Self::Tampered => "tampered",
        }
    }
}

/// What was found not to verify at the start (P 11.12).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // of the members: their names say all there is
pub enum Tampering {
    /// The stored receipt does not verify, or is not for this key pair (P 11.1 to 11.5).
    #[error("the stored receipt does not verify ({}): {wrong}", .wrong.clause())]
    Receipt { wrong: AnswerError },
    /// The stored allocation does not have the digest or the revision of its receipt (P 11.7, 11.8).
    #[error("the stored allocation is not that of the receipt ({}): {wrong}", .wrong.clause())]
    Allocation { wrong: SealedPayloadError },
    /// The history has another receipt for the newest, or the applied one is gone (P 11.12).
    #[error("the stored receipt is not the newest one that was applied (P 11.12)")]
    NotTheNewest,
    /// The high-water mark is earlier than the receipt's main server time, which no receipt leaves it at (P 17.5).
    #[error("the stored high-water mark is earlier than the receipt (P 17.5)")]
    HighWaterMark,
    /// A part that may change does not fit its seal: another hand has changed it (P 11.12).
    #[error("{} not as this program left them (P 11.12)", .0.in_words())]
    Seal(Sealed),
}

/// A part of the state that may change, and is bound to the key pair (P 11.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// The three times.
    Times,
    /// The outstanding request, or that there is none.
    Request,
    /// The refusal that cleared the key pair, or that there is none.
    Cleared,
    /// Which receipt was applied last, or that none was.
    Receipt,
}

impl Sealed {
    pub(crate) const ALL: [Self; 4] = [Self::Times, Self::Request, Self::Cleared, Self::Receipt];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Times => "times",
            Self::Request => "request",
            Self::Cleared => "cleared",
            Self::Receipt => "receipt",
        }
    }

    const fn in_words(self) -> &'static str {
        match self {
            Self::Times => "the stored times are",
            Self::Request => "the notes on the outstanding request are",
            Self::Cleared => "the notes on whether the key pair was cleared are",
            Self::Receipt => "the notes on the last receipt are",
        }
    }
}

/// What storage holds, not verified yet.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The receipt and the allocation that were applied last.
    pub(crate) applied: Option<(String, Vec<u8>)>,
    /// The newest receipt that the history keeps for this key pair.
    pub(crate) evidence: Option<String>,
    /// The refusal that cleared the key pair.
    pub(crate) cleared: Option<String>,
    /// What another hand has changed.
    pub(crate) broken_seal: Option<Sealed>,
    /// What was verified before.
    pub(crate) proved: Option<Applied>,
}

/// What this process verified last, and for whom: the same bytes are not verified or read a second time.
#[derive(Debug, Clone)]
pub(crate) struct Proved {
    identity: Identity,
    applied: Applied,
}

impl Proved {
    pub(crate) fn new(identity: &Identity, applied: &Applied) -> Self {
        Self { identity: identity.clone(), applied: applied.clone() }
    }

    /// What was verified, if it was for the same identity.
    pub(crate) fn of(&self, identity: &Identity) -> Option<Applied> {
        let (of, own) = (&self.identity, identity);
        let same = (&of.license_server_id, of.key_thumbprint) == (&own.license_server_id, own.key_thumbprint);
        (same && of.trust == own.trust).then(|| self.applied.clone())
    }
}

/// A local server that has a key pair, in whichever state it is.
#[derive(Debug)]
pub(crate) enum LocalServer {
    Unsynchronized(Unsynchronized),
    Synchronized(Synchronized),
    Overdue(Overdue),
    Cleared(Cleared),
    Tampered(Tampered),
}

impl LocalServer {
    /// The state that storage proves (P 11.12), at these times.
    pub(crate) fn restore(stored: Stored, identity: &Identity, times: &Times) -> Self {
        let verified = verify_stored(&stored, identity, times);
        if let Some(jws) = &stored.cleared {
            let refusal = read_refusal(jws, identity).ok().map(|given| given.content());
            return Self::Cleared(Cleared { refusal, applied: verified.ok().flatten() });
        }
        match verified {
            Ok(Some(applied)) => Synchronized { applied }.at(times),
            Ok(None) => Self::Unsynchronized(Unsynchronized),
            Err(found) => Self::Tampered(Tampered { found, last: newest_provable(&stored, identity) }),
        }
    }

    pub(crate) const fn state(&self) -> State {
        match self {
            Self::Unsynchronized(_) => State::Unsynchronized,
            Self::Synchronized(_) => State::Synchronized,
            Self::Overdue(_) => State::Overdue,
            Self::Cleared(_) => State::Cleared,
            Self::Tampered(_) => State::Tampered,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.state().as_str()
    }

    /// What was applied last, as far as it verifies.
    pub(crate) const fn applied(&self) -> Option<&Applied> {
        match self {
            Self::Synchronized(Synchronized { applied }) | Self::Overdue(Overdue { applied }) => Some(applied),
            Self::Cleared(cleared) => cleared.applied.as_ref(),
            Self::Unsynchronized(_) | Self::Tampered(_) => None,
        }
    }

    /// The newest receipt that can be proved.
    pub(crate) fn last_receipt(&self) -> Option<&LastReceipt> {
        match self {
            Self::Tampered(tampered) => tampered.last.as_ref(),
            other => other.applied().map(Applied::last),
        }
    }

    /// A receipt was applied. It heals a tampered state. A cleared one stays what it is: its key pair is dead for ever
    /// (P 16.4), whatever was on its way when it was cleared.
    #[must_use]
    pub(crate) fn apply(self, applied: Applied, times: &Times) -> Self {
        match self {
            Self::Cleared(cleared) => Self::Cleared(cleared),
            Self::Unsynchronized(Unsynchronized) | Self::Synchronized(_) | Self::Overdue(_) | Self::Tampered(_) => {
                Synchronized { applied }.at(times)
            }
        }
    }

    /// The main server says that the key pair is cleared (P 12.6).
    #[must_use]
    pub(crate) fn clear(self, refusal: CheckedRefusal) -> Self {
        let applied = match self {
            Self::Synchronized(Synchronized { applied }) | Self::Overdue(Overdue { applied }) => Some(applied),
            Self::Cleared(cleared) => cleared.applied,
            Self::Unsynchronized(_) | Self::Tampered(_) => None,
        };
        Self::Cleared(Cleared { refusal: Some(refusal.refusal), applied })
    }
}

impl Synchronized {
    /// The state at these times: only the deadline of the receipt counts (P 17.1).
    fn at(self, times: &Times) -> LocalServer {
        if times.effective() < self.applied.receipt().synchronize_by {
            LocalServer::Synchronized(self)
        } else {
            LocalServer::Overdue(Overdue { applied: self.applied })
        }
    }
}

fn verify_stored(stored: &Stored, identity: &Identity, times: &Times) -> Result<Option<Applied>, Tampering> {
    let check = |holds, found: Tampering| match holds || !identity.conduct.tampering_is_fatal(&found) {
        true => Ok(()),
        false => Err(found),
    };
    let sealed = || stored.broken_seal.map_or(Ok(()), |part| check(false, Tampering::Seal(part)));
    let Some((jws, bytes)) = &stored.applied else {
        check(stored.evidence.is_none(), Tampering::NotTheNewest)?;
        sealed()?;
        return Ok(None);
    };
    let proved = stored.proved.as_ref().filter(|proved| proved.last.jws == *jws);
    let last = match proved {
        Some(proved) => proved.last.clone(),
        None => read_stored_receipt(jws, identity).map_err(|wrong| Tampering::Receipt { wrong })?,
    };
    check(stored.evidence.as_ref() == Some(jws), Tampering::NotTheNewest)?;
    let applied = match proved {
        Some(proved) if *proved.allocation_bytes == **bytes => proved.clone(),
        _ => Applied::new(last, bytes.clone(), identity.conduct).map_err(|wrong| Tampering::Allocation { wrong })?,
    };
    // A receipt leaves the mark at its own time or later, so an earlier one was written by someone else.
    check(times.high_water_mark >= applied.receipt().main_server_time, Tampering::HighWaterMark)?;
    sealed()?;
    Ok(Some(applied))
}

/// The receipt is stored twice, so that one copy may be damaged. The newer of those that verify is the one.
fn newest_provable(stored: &Stored, identity: &Identity) -> Option<LastReceipt> {
    let places = [stored.applied.as_ref().map(|(jws, _)| jws), stored.evidence.as_ref()];
    let provable = places.into_iter().flatten().filter_map(|jws| read_stored_receipt(jws, identity).ok());
    provable.max_by_key(|last| last.receipt.sequence)
}

#[cfg(test)]
mod tests {
    use solme_sync_protocol::RefusalCode;

    use super::*;
    use crate::tests::world::{MAIN_TIME, World};

    fn cleared(world: &World, server: LocalServer) -> LocalServer {
        let outstanding = world.outstanding();
        let refusal = world.main.refuse(&outstanding.jws, RefusalCode::KeyPairCleared);
        let given = read_refusal(&world.main.sign(&refusal), &world.identity).unwrap();
        server.clear(given.refuses(Some(&outstanding), &world.identity).unwrap())
    }

    #[test]
    fn a_receipt_of_which_one_copy_is_damaged_is_known_by_the_other() {
        let (world, times) = (World::new(), Times::starting_at(MAIN_TIME));
        let (receipt, bytes) = world.stored(&[0]).applied.unwrap();
        let damaged = "damaged".to_owned();
        for (applied, evidence, known) in [
            (damaged.clone(), receipt.clone(), Some(&receipt)),
            (receipt.clone(), damaged.clone(), Some(&receipt)),
            (damaged.clone(), damaged, None),
        ] {
            let applied = Some((applied, bytes.clone()));
            let stored = Stored { applied, evidence: Some(evidence), ..Stored::default() };
            let server = LocalServer::restore(stored, &world.identity, &times);
            assert_eq!(server.name(), "tampered");
            assert_eq!(server.last_receipt().map(|last| &last.jws), known);
        }
    }

    #[test]
    fn what_was_verified_holds_for_its_own_id_key_pair_and_main_server_only() {
        let world = World::new();
        let proved = Proved::new(&world.identity, &world.applied());
        assert!(proved.of(&world.identity).is_some());
        let mut others = [&world.identity; 3].map(Clone::clone);
        others[0].license_server_id = "OTHER".parse().unwrap();
        others[1].key_thumbprint = World::new().identity.key_thumbprint;
        others[2].trust = World::new().identity.trust;
        for other in others {
            assert!(proved.of(&other).is_none());
        }
    }

    #[test]
    fn a_receipt_leads_from_every_state_to_synchronized_but_not_from_cleared() {
        let (world, times) = (World::new(), Times::starting_at(MAIN_TIME));
        let late = Times::starting_at(MAIN_TIME.plus(366 * 86_400));
        let tampered = Stored { evidence: None, ..world.stored(&[0]) };
        let states = [
            world.unsynchronized(),
            world.synchronized(&times),
            world.synchronized(&late),
            LocalServer::restore(tampered, &world.identity, &times),
        ];
        assert_eq!(states.each_ref().map(LocalServer::name), ["unsynchronized", "synchronized", "overdue", "tampered"]);
        for state in states {
            assert_eq!(state.apply(world.applied(), &times).name(), "synchronized");
        }
        let dead = cleared(&world, world.synchronized(&times));
        assert_eq!(dead.name(), "cleared");
        assert_eq!(dead.apply(world.applied(), &times).name(), "cleared", "P 16.4");
    }

    #[test]
    fn a_receipt_whose_deadline_has_passed_leads_to_overdue() {
        let (world, late) = (World::new(), Times::starting_at(MAIN_TIME.synchronize_by()));
        assert_eq!(world.unsynchronized().apply(world.applied(), &late).name(), "overdue");
    }

    #[test]
    fn a_state_that_was_cleared_stays_so_even_if_its_proof_is_damaged() {
        let (world, times) = (World::new(), Times::starting_at(MAIN_TIME));
        let stored = Stored { cleared: Some("damaged".to_owned()), ..world.stored(&[0]) };
        assert_eq!(LocalServer::restore(stored, &world.identity, &times).name(), "cleared");
    }
}
