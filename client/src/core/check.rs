//! What the local server checks (P 11), in that order. Checking and releasing are one step: each function takes what
//! was checked so far and gives back what may be used next.

use solme_sync_protocol::{
    Allocation, KeyThumbprint, LicenseServerId, MainServerHeader, MainServerId, Malformed, Message, NotVerified,
    PayloadError, PayloadName, Receipt, Refusal, RequestId, RustCrypto, SealingKey, Signed, Unreadable, UtcTime,
    sealing_info,
};

use super::Outstanding;
use super::state::{Applied, Identity, LastReceipt};
use crate::mutant::Mutant;

/// Why a receipt or a refusal is not the one that is awaited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("it cannot be read: {0}")]
    Unreadable(Unreadable),
    #[error("{0}")]
    NotVerified(NotVerified),
    #[error("its content is wrong: {0}")]
    Content(PayloadError),
    #[error("it comes from main server {found}, trusted is {trusted}")]
    OtherMainServer { found: MainServerId, trusted: MainServerId },
    #[error("it is for license server id {found}, this one is {own}")]
    OtherLicenseServer { found: LicenseServerId, own: LicenseServerId },
    #[error("it is for the key pair {found}, in use here is {own}")]
    OtherKeyPair { found: KeyThumbprint, own: KeyThumbprint },
    #[error("it was applied before, it is synchronization number {sequence}")]
    AlreadyApplied { sequence: u64 },
    #[error("it is older than what is here: it is synchronization number {found}, here is {newest}")]
    Older { found: u64, newest: u64 },
    #[error("it answers another request ({}) than the outstanding one", found.as_ref().map_or("unnamed", RequestId::as_str))]
    OtherRequest { found: Option<RequestId> },
    #[error("no request is outstanding here, so no answer is awaited")]
    NothingAwaited,
    #[error("its sequence is {found}, awaited is {awaited}")]
    Sequence { found: u64, awaited: u64 },
    #[error("its key generation is {found}, here is {own}")]
    KeyGeneration { found: u64, own: u64 },
    #[error("its allocation revision is {found}, lower than {own} here")]
    AllocationRevision { found: u64, own: u64 },
    #[error("its synchronize_by is {found}, 366 days after its time is {awaited}")]
    SynchronizeBy { found: UtcTime, awaited: UtcTime },
}

impl Wrong {
    /// The clause of P 11 that a receipt failed.
    pub(crate) const fn clause(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::NotVerified(_) => "P 11.1",
            Self::Content(_) | Self::OtherMainServer { .. } | Self::OtherLicenseServer { .. } => "P 11.2",
            Self::OtherKeyPair { .. } | Self::OtherRequest { .. } | Self::NothingAwaited => "P 11.3",
            Self::Sequence { .. } | Self::KeyGeneration { .. } | Self::AllocationRevision { .. } => "P 11.4",
            Self::SynchronizeBy { .. } => "P 11.5",
            Self::AlreadyApplied { .. } | Self::Older { .. } => "P 11.11",
        }
    }

    /// Whether the message is sound in itself, and meant for someone or something else.
    pub(crate) const fn is_for_another(&self) -> bool {
        matches!(
            self,
            Self::OtherMainServer { .. }
                | Self::OtherLicenseServer { .. }
                | Self::OtherKeyPair { .. }
                | Self::OtherRequest { .. }
                | Self::NothingAwaited
        )
    }
}

/// Why a payload is not the one of its receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PayloadWrong {
    #[error("it has {found} bytes, the receipt says {awaited}")]
    Size { found: u64, awaited: u64 },
    #[error("its digest is not that of the receipt")]
    Digest,
    #[error("it does not open with the one-time key of the request")]
    DoesNotOpen,
    #[error("the digest of the allocation is not that of the receipt")]
    AllocationDigest,
    #[error("the allocation is not well formed: {0}")]
    Malformed(Malformed),
    #[error("the allocation has revision {found}, the receipt says {awaited}")]
    Revision { found: u64, awaited: u64 },
}

impl PayloadWrong {
    /// The clause of P 11 that failed.
    pub(crate) const fn clause(&self) -> &'static str {
        match self {
            Self::Size { .. } | Self::Digest => "P 11.6",
            Self::DoesNotOpen | Self::AllocationDigest => "P 11.7",
            Self::Malformed(_) | Self::Revision { .. } => "P 11.8",
        }
    }
}

/// A receipt that the trusted main server gave to this license server id; which request it answers is still open.
#[derive(Debug)]
pub(crate) struct GivenReceipt(LastReceipt);

/// A receipt that passed P 11.1 to 11.5: it answers the outstanding request. The payload is still missing.
#[derive(Debug)]
pub(crate) struct CheckedReceipt {
    last: LastReceipt,
    mutant: Option<Mutant>,
}

/// A refusal of the outstanding request (P 11.10).
#[derive(Debug)]
pub(crate) struct CheckedRefusal {
    /// The whole JWS.
    pub(crate) jws: String,
    /// Its content.
    pub(crate) refusal: Refusal,
}

/// Reads a receipt of the trusted main server for this license server id (P 11.1, 11.2).
pub(crate) fn read_receipt(text: &str, identity: &Identity) -> Result<GivenReceipt, Wrong> {
    let (jws, receipt) = read::<Receipt>(text, identity)?;
    identity.passes(addressed(&receipt.main_server_id, &receipt.license_server_id, identity))?;
    Ok(GivenReceipt(LastReceipt { jws, receipt }))
}

/// Reads a refusal of the trusted main server for this license server id (P 11.10).
pub(crate) fn read_refusal(text: &str, identity: &Identity) -> Result<GivenRefusal, Wrong> {
    let (jws, refusal) = read::<Refusal>(text, identity)?;
    addressed(&refusal.main_server_id, &refusal.license_server_id, identity)?;
    Ok(GivenRefusal(CheckedRefusal { jws, refusal }))
}

fn read<M>(text: &str, identity: &Identity) -> Result<(String, M), Wrong>
where
    M: Message<Issuer = MainServerId, Header = MainServerHeader>,
{
    let signed = Signed::<M>::parse(text).map_err(Wrong::Unreadable)?;
    if identity.mutant == Some(Mutant::SkipsTheSignature) {
        return unverified(text)
            .map(|message| (text.to_owned(), message))
            .ok_or(Wrong::Unreadable(Unreadable::NotCompactJws("its payload")));
    }
    let claimed = signed.unverified_frame().issuer.clone();
    // A message of another main server fails on its key first; naming that server helps more than naming its key.
    let verified = signed.verify(&RustCrypto, &identity.trust.signing_jwks).map_err(|error| match error {
        NotVerified::UnknownKey(_) if claimed != identity.trust.main_server_id => {
            Wrong::OtherMainServer { found: claimed, trusted: identity.trust.main_server_id.clone() }
        }
        other => Wrong::NotVerified(other),
    })?;
    let message = verified.read().map_err(Wrong::Content)?;
    Ok((verified.signed().as_str().to_owned(), message))
}

/// The content of a message that nobody has verified: only a mutant asks for it.
fn unverified<M: Message>(text: &str) -> Option<M> {
    solme_sync_protocol::parse_json(&solme_sync_protocol::base64url::decode(text.split('.').nth(1)?).ok()?).ok()
}

impl Identity {
    /// What was checked. A mutant may let it pass all the same.
    fn passes(&self, checked: Result<(), Wrong>) -> Result<(), Wrong> {
        match (checked, self.mutant) {
            (Err(wrong), Some(mutant)) if mutant.lets_pass(&wrong) => Ok(()),
            (checked, _) => checked,
        }
    }
}

fn addressed(from: &MainServerId, to: &LicenseServerId, identity: &Identity) -> Result<(), Wrong> {
    if *from != identity.trust.main_server_id {
        return Err(Wrong::OtherMainServer { found: from.clone(), trusted: identity.trust.main_server_id.clone() });
    }
    if *to != identity.license_server_id {
        return Err(Wrong::OtherLicenseServer { found: to.clone(), own: identity.license_server_id.clone() });
    }
    Ok(())
}

impl GivenReceipt {
    /// Checks that the receipt answers the outstanding request and follows the last receipt (P 11.3 to 11.5, 11.11).
    pub(crate) fn answers(
        self,
        outstanding: Option<&Outstanding>,
        last: Option<&LastReceipt>,
        identity: &Identity,
    ) -> Result<CheckedReceipt, Wrong> {
        identity.passes(self.check(outstanding, last, identity))?;
        Ok(CheckedReceipt { last: self.0, mutant: identity.mutant })
    }

    fn check(
        &self,
        outstanding: Option<&Outstanding>,
        last: Option<&LastReceipt>,
        identity: &Identity,
    ) -> Result<(), Wrong> {
        let receipt = &self.0.receipt;
        if receipt.key_thumbprint != identity.key_thumbprint {
            return Err(Wrong::OtherKeyPair { found: receipt.key_thumbprint, own: identity.key_thumbprint });
        }
        if let Some(last) = last {
            let (found, newest) = (receipt.sequence, last.receipt.sequence);
            if self.0.is_same_as(last) {
                return Err(Wrong::AlreadyApplied { sequence: found });
            }
            if found < newest {
                return Err(Wrong::Older { found, newest });
            }
        }
        let outstanding = outstanding.ok_or(Wrong::NothingAwaited)?;
        if receipt.request_id != outstanding.request.request_id || receipt.request_digest != outstanding.digest {
            return Err(Wrong::OtherRequest { found: Some(receipt.request_id.clone()) });
        }
        if let Some(last) = last {
            follows(receipt, &last.receipt)?;
        }
        deadline_fits(receipt)
    }

    /// Checks a receipt that was applied in an earlier run (P 11.12).
    pub(super) fn still_holds(self, identity: &Identity) -> Result<LastReceipt, Wrong> {
        let found = self.0.receipt.key_thumbprint;
        if found != identity.key_thumbprint {
            return Err(Wrong::OtherKeyPair { found, own: identity.key_thumbprint });
        }
        deadline_fits(&self.0.receipt)?;
        Ok(self.0)
    }
}

fn follows(receipt: &Receipt, last: &Receipt) -> Result<(), Wrong> {
    let awaited = last.sequence.saturating_add(1);
    if receipt.sequence != awaited {
        return Err(Wrong::Sequence { found: receipt.sequence, awaited });
    }
    if receipt.key_generation != last.key_generation {
        return Err(Wrong::KeyGeneration { found: receipt.key_generation, own: last.key_generation });
    }
    if receipt.allocation_revision < last.allocation_revision {
        let (found, own) = (receipt.allocation_revision, last.allocation_revision);
        return Err(Wrong::AllocationRevision { found, own });
    }
    Ok(())
}

fn deadline_fits(receipt: &Receipt) -> Result<(), Wrong> {
    let (found, awaited) = (receipt.synchronize_by, receipt.main_server_time.synchronize_by());
    if found == awaited { Ok(()) } else { Err(Wrong::SynchronizeBy { found, awaited }) }
}

impl CheckedReceipt {
    /// The name of the payload on the 8080 role.
    pub(crate) const fn payload_name(&self) -> &PayloadName {
        &self.last.receipt.payload_name
    }

    /// The size of the payload in bytes.
    pub(crate) const fn payload_size(&self) -> u64 {
        self.last.receipt.payload_size
    }

    /// Opens the payload (P 11.6 to 11.8). Only what comes out may be applied.
    pub(crate) fn open(self, payload: &[u8], sealing_key: &SealingKey) -> Result<Applied, PayloadWrong> {
        let receipt = &self.last.receipt;
        match (payload_fits(receipt, payload), self.mutant) {
            (Err(wrong), Some(mutant)) if mutant.lets_open(&wrong) => {}
            (checked, _) => checked?,
        }
        let info = sealing_info(
            &receipt.main_server_id,
            &receipt.license_server_id,
            &receipt.request_digest,
            &receipt.sync_id,
        );
        let bytes = sealing_key.open(&info, payload).map_err(|_| PayloadWrong::DoesNotOpen)?;
        Applied::new(self.last, bytes)
    }
}

fn payload_fits(receipt: &Receipt, payload: &[u8]) -> Result<(), PayloadWrong> {
    let found = payload.len() as u64;
    if found != receipt.payload_size {
        return Err(PayloadWrong::Size { found, awaited: receipt.payload_size });
    }
    if solme_sync_protocol::Digest::of(payload) == receipt.payload_digest { Ok(()) } else { Err(PayloadWrong::Digest) }
}

/// The allocation of a receipt (P 11.7, 11.8).
pub(super) fn read_allocation(receipt: &Receipt, bytes: &[u8]) -> Result<Allocation, PayloadWrong> {
    if solme_sync_protocol::Digest::of(bytes) != receipt.allocation_digest {
        return Err(PayloadWrong::AllocationDigest);
    }
    let allocation = Allocation::from_json(bytes).map_err(PayloadWrong::Malformed)?;
    let (found, awaited) = (allocation.revision, receipt.allocation_revision);
    if found == awaited { Ok(allocation) } else { Err(PayloadWrong::Revision { found, awaited }) }
}

/// A refusal that the trusted main server gave to this license server id; which request it refuses is still open.
#[derive(Debug)]
pub(crate) struct GivenRefusal(CheckedRefusal);

impl GivenRefusal {
    /// Its content, whichever request it refuses.
    pub(super) fn content(self) -> Refusal {
        self.0.refusal
    }

    /// Checks that the refusal is of the outstanding request (P 11.10).
    pub(crate) fn refuses(
        self,
        outstanding: Option<&Outstanding>,
        identity: &Identity,
    ) -> Result<CheckedRefusal, Wrong> {
        identity.passes(self.check(outstanding, identity))?;
        Ok(self.0)
    }

    fn check(&self, outstanding: Option<&Outstanding>, identity: &Identity) -> Result<(), Wrong> {
        let refusal = &self.0.refusal;
        if refusal.key_thumbprint != identity.key_thumbprint {
            return Err(Wrong::OtherKeyPair { found: refusal.key_thumbprint, own: identity.key_thumbprint });
        }
        let outstanding = outstanding.ok_or(Wrong::NothingAwaited)?;
        if refusal.request_digest == outstanding.digest { Ok(()) } else { Err(Wrong::OtherRequest { found: None }) }
    }
}
