//! What is to be done to accept a request (P 9.10, 9.11), as a plan: sealing, signing and storing happen outside.

use solme_sync_protocol::{
    Allocation, Digest, KeyThumbprint, PayloadName, PublicJwk, Receipt, Request, Salt, Signed, SyncId, UtcTime,
    VERSION, sealing_info,
};

use super::{Clause, KeyPairInUse, NewestAnswer, Record};

/// A request that is to be accepted. Carried out in this order: seal [`Self::allocation`] to [`Self::sealing_jwk`]
/// under [`Self::sealing_info`], sign [`Self::receipt`], store [`Self::record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    request: Request,
    request_digest: Digest,
    thumbprint: KeyThumbprint,
    binds: bool,
    key_generation: u64,
    sequence: u64,
    allocation: Allocation,
}

/// What a new receipt needs that is not in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// Main server time, UTC in seconds.
    pub now: UtcTime,
    /// The name of the receipt.
    pub sync_id: SyncId,
    /// The name of the payload.
    pub payload_name: PayloadName,
    /// What is sealed with the allocation.
    pub salt: Salt,
}

impl Acceptance {
    pub(super) fn new(record: &Record, request: Request, request_digest: Digest, thumbprint: KeyThumbprint) -> Self {
        Self {
            request,
            request_digest,
            thumbprint,
            binds: record.key_pair_in_use.is_none(),
            key_generation: record.key_generation,
            sequence: record.sequence + 1,
            allocation: record.allocation.clone(),
        }
    }

    /// Whether this is the first synchronization of a key pair: it binds the id.
    pub fn binds(&self) -> bool {
        self.binds
    }

    /// The clause that accepts: 9.10 binds, 9.11 serves the key pair in use.
    pub fn clause(&self) -> Clause {
        if self.binds { "9.10" } else { "9.11" }
    }

    /// The request that is accepted.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Digest of that request (P 4.6).
    pub fn request_digest(&self) -> &Digest {
        &self.request_digest
    }

    /// The key pair that signed it.
    pub fn thumbprint(&self) -> KeyThumbprint {
        self.thumbprint
    }

    /// The bytes to seal (P 7.5).
    pub fn allocation(&self, fresh: &Fresh) -> Vec<u8> {
        self.allocation.to_json(&fresh.salt)
    }

    /// The one-time key to seal to (P 3.4).
    pub fn sealing_jwk(&self) -> &PublicJwk {
        &self.request.sealing_jwk
    }

    /// The `info` to seal under (P 7.4).
    pub fn sealing_info(&self, fresh: &Fresh) -> Vec<u8> {
        let Request { main_server_id, license_server_id, .. } = &self.request;
        sealing_info(main_server_id, license_server_id, &self.request_digest, &fresh.sync_id)
    }

    /// The receipt to sign (P 6).
    pub fn receipt(&self, fresh: &Fresh, payload: &[u8]) -> Receipt {
        Receipt {
            version: VERSION,
            main_server_id: self.request.main_server_id.clone(),
            license_server_id: self.request.license_server_id.clone(),
            sync_id: fresh.sync_id.clone(),
            main_server_time: fresh.now,
            request_id: self.request.request_id.clone(),
            request_digest: self.request_digest,
            key_thumbprint: self.thumbprint,
            key_generation: self.key_generation,
            sequence: self.sequence,
            allocation_revision: self.allocation.revision,
            synchronize_by: fresh.now.synchronize_by(),
            payload_name: fresh.payload_name.clone(),
            payload_size: payload.len() as u64,
            payload_digest: Digest::of(payload),
            allocation_digest: Digest::of(self.allocation(fresh)),
        }
    }

    /// The record to store with the receipt, in one transaction (P 9.13). Binding consumes a reservation.
    #[must_use]
    pub fn record(&self, before: &Record, fresh: &Fresh, receipt: &Signed<Receipt>) -> Record {
        let bound_at = before.key_pair_in_use.as_ref().map_or(fresh.now, |in_use| in_use.bound_at);
        let newest_answer = NewestAnswer { request_digest: self.request_digest, receipt: receipt.as_str().to_owned() };
        Record {
            sequence: self.sequence,
            key_pair_in_use: Some(KeyPairInUse {
                thumbprint: self.thumbprint,
                bound_at,
                last_synchronized_at: fresh.now,
                newest_answer,
            }),
            reserved_for: None,
            ..before.clone()
        }
    }
}
