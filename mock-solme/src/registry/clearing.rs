//! Clearing the key pair in use (P 16).

use serde::Serialize;
use solme_sync_protocol::{KeyThumbprint, UtcTime};

use super::{ClearedKeyPair, Record};

/// A clear to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clear {
    /// The key pair to clear; `None` names the one in use now.
    pub thumbprint: Option<KeyThumbprint>,
    /// Name of the operator who clears it.
    pub by: String,
    /// Why, for the audit.
    pub reason: String,
    /// The only key pair that may bind the id next (P 16.6).
    pub reserve_for: Option<KeyThumbprint>,
    /// Main server time, UTC in seconds.
    pub now: UtcTime,
}

/// What a clear came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClearOutcome {
    /// The key pair is dead, and the id free for a new one.
    Cleared {
        /// The record without a key pair in use.
        record: Record,
        /// The key pair that was cleared.
        cleared: ClearedKeyPair,
    },
    /// Another key pair is in use by now, or none: nothing changes (P 16.2).
    AlreadyDone {
        /// The key pair in use.
        in_use: Option<KeyThumbprint>,
    },
}

/// Why a clear cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClearError {
    /// The id would be reserved for a key pair that can never bind it (P 16.4).
    #[error("the license server id cannot be reserved for {0}: that key pair is cleared or being cleared")]
    ReservedForCleared(KeyThumbprint),
}

/// Clears the key pair in use (P 16.2 to 16.4): it raises the key generation, keeps the history, and leaves the
/// allocation and the sequence as they are.
///
/// # Errors
/// [`ClearError`].
pub fn clear_key_pair(record: &Record, clear: &Clear) -> Result<ClearOutcome, ClearError> {
    let Some(in_use) = &record.key_pair_in_use else { return Ok(ClearOutcome::AlreadyDone { in_use: None }) };
    if clear.thumbprint.is_some_and(|named| named != in_use.thumbprint) {
        return Ok(ClearOutcome::AlreadyDone { in_use: Some(in_use.thumbprint) });
    }
    if let Some(reserved) = clear.reserve_for
        && (reserved == in_use.thumbprint || record.cleared(&reserved).is_some())
    {
        return Err(ClearError::ReservedForCleared(reserved));
    }
    let cleared = ClearedKeyPair {
        thumbprint: in_use.thumbprint,
        key_generation: record.key_generation,
        bound_at: in_use.bound_at,
        last_synchronized_at: in_use.last_synchronized_at,
        cleared_at: clear.now,
        cleared_by: clear.by.clone(),
        reason: clear.reason.clone(),
    };
    let mut changed = record.clone();
    changed.key_pair_in_use = None;
    changed.key_generation += 1;
    changed.cleared_key_pairs.push(cleared.clone());
    changed.reserved_for = clear.reserve_for;
    Ok(ClearOutcome::Cleared { record: changed, cleared })
}

/// Why the reservation of an id cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum ReserveError {
    /// A reservation only says who may bind a free id.
    #[error("key pair {0} is in use: clear it first")]
    KeyPairInUse(KeyThumbprint),
    /// That key pair can never bind the id (P 16.4).
    #[error("key pair {0} is cleared")]
    Cleared(KeyThumbprint),
}

/// Sets or lifts the reservation of a free id (P 16.6). Without it an id that was reserved for a key pair which is lost
/// could never be bound again.
///
/// # Errors
/// [`ReserveError`].
pub fn reserve(record: &Record, reserve_for: Option<KeyThumbprint>) -> Result<Record, ReserveError> {
    if let Some(in_use) = record.bound_thumbprint() {
        return Err(ReserveError::KeyPairInUse(in_use));
    }
    match reserve_for {
        Some(thumbprint) if record.cleared(&thumbprint).is_some() => Err(ReserveError::Cleared(thumbprint)),
        _ => Ok(Record { reserved_for: reserve_for, ..record.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::players::{LicenseServer, MainServer, T0, clear};
    use super::*;

    fn bound() -> (MainServer, LicenseServer) {
        let (mut main_server, mut server) = (MainServer::new(), LicenseServer::new());
        server.synchronize(&mut main_server).unwrap();
        (main_server, server)
    }

    #[test]
    fn a_clear_frees_the_id_and_keeps_allocation_sequence_and_history() {
        let (mut main_server, server) = bound();
        let before = main_server.record.clone();
        let ClearOutcome::Cleared { record, cleared } = main_server.clear() else { panic!("not cleared") };
        let cleared_record = Record {
            key_pair_in_use: None,
            key_generation: 2,
            cleared_key_pairs: vec![cleared.clone()],
            ..before.clone()
        };
        assert_eq!(record, cleared_record);
        let in_use = before.key_pair_in_use.unwrap();
        let history = ClearedKeyPair {
            thumbprint: server.key.thumbprint(),
            key_generation: 1,
            bound_at: in_use.bound_at,
            last_synchronized_at: in_use.last_synchronized_at,
            cleared_at: T0,
            cleared_by: "olle".to_owned(),
            reason: "reinstalled".to_owned(),
        };
        assert_eq!(cleared, history);
    }

    #[test]
    fn the_next_key_pair_has_the_next_generation_and_goes_on_with_the_sequence() {
        let (mut main_server, _) = bound();
        main_server.clear();
        LicenseServer::new().synchronize(&mut main_server).unwrap();
        assert_eq!((main_server.record.key_generation, main_server.record.sequence), (2, 2));
    }

    #[test]
    fn where_no_key_pair_is_in_use_the_clear_is_already_done() {
        let (mut main_server, _) = bound();
        main_server.clear();
        assert_eq!(main_server.clear(), ClearOutcome::AlreadyDone { in_use: None });
        assert_eq!(main_server.record.key_generation, 2);
    }

    #[test]
    fn a_clear_that_names_an_earlier_key_pair_leaves_the_new_one() {
        let (mut main_server, old) = bound();
        main_server.clear();
        let mut new = LicenseServer::new();
        new.synchronize(&mut main_server).unwrap();
        let late = Clear { thumbprint: Some(old.key.thumbprint()), ..clear() };
        let in_use = Some(new.key.thumbprint());
        assert_eq!(clear_key_pair(&main_server.record, &late), Ok(ClearOutcome::AlreadyDone { in_use }));
    }

    #[test]
    fn an_id_is_never_reserved_for_a_key_pair_that_is_dead_for_it() {
        let (mut main_server, first) = bound();
        let dying = Clear { reserve_for: Some(first.key.thumbprint()), ..clear() };
        let error = ClearError::ReservedForCleared(first.key.thumbprint());
        assert_eq!(clear_key_pair(&main_server.record, &dying), Err(error));
        main_server.clear();
        assert_eq!(
            reserve(&main_server.record, Some(first.key.thumbprint())),
            Err(ReserveError::Cleared(first.key.thumbprint()))
        );
        let mut second = LicenseServer::new();
        second.synchronize(&mut main_server).unwrap();
        assert_eq!(clear_key_pair(&main_server.record, &dying), Err(error), "cleared earlier");
    }

    #[test]
    fn a_reservation_can_be_changed_and_lifted_while_the_id_is_free() {
        let (mut main_server, first) = bound();
        assert_eq!(reserve(&main_server.record, None), Err(ReserveError::KeyPairInUse(first.key.thumbprint())));
        main_server.clear();
        let second = LicenseServer::new().key.thumbprint();
        let reserved = reserve(&main_server.record, Some(second)).unwrap();
        assert_eq!(reserved.reserved_for, Some(second));
        assert_eq!(reserve(&reserved, None), Ok(main_server.record));
    }
}
