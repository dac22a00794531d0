//! What the local server checks (P 11), in that order. Checking and releasing are one step: each function takes what
//! was checked so far and gives back what may be used next.

use solme_sync_protocol::{
    Allocation, Digest, KeyThumbprint, LicenseServerId, MainServerHeader, MainServerId, Malformed, Message,
    NotVerified, PayloadError, PayloadName, PublicJwk, Receipt, Refusal, RequestId, SealingKey, Signature, Signed,
    Unreadable, UtcTime, VerifyEs384, limits, sealing_info,
};

use super::Outstanding;
use super::state::{Applied, Identity, LastReceipt};
use crate::conduct::{Conduct, Document};

/// Why a receipt or a refusal is not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // of the members: their names say all there is
pub enum AnswerError {
    /// Not a JWS of this kind (P 4, 11.1).
    #[error("it cannot be read: {0}")]
    Unreadable(Unreadable),
    /// Its signature is not that of a trusted key (P 11.1).
    #[error("{0}")]
    NotVerified(NotVerified),
    /// Verified, and its content breaks P 6.1 or 8.1 (P 11.2).
    #[error("its content is wrong: {0}")]
    Content(PayloadError),
    /// It comes from another main server (P 11.2).
    #[error("it comes from main server {found}, expected {trusted}")]
    OtherMainServer { found: MainServerId, trusted: MainServerId },
    /// It is for another license server id (P 11.2).
    #[error("it is for license server id {found}, expected {own}")]
    OtherLicenseServer { found: LicenseServerId, own: LicenseServerId },
    /// It is for another key pair (P 11.3).
    #[error("it is for the key pair {found}, expected {own}")]
    OtherKeyPair { found: KeyThumbprint, own: KeyThumbprint },
    /// It is the receipt that was applied last (P 11.11).
    #[error("already applied (synchronization {sequence})")]
    AlreadyApplied { sequence: u64 },
    /// It is older than the receipt that was applied last (P 11.11).
    #[error("it is synchronization {found}, older than {newest} here")]
    Older { found: u64, newest: u64 },
    /// It answers another request (P 11.3). A refusal does not name it.
    #[error("it answers another request ({}) than the outstanding one", found.as_ref().map_or("unnamed", RequestId::as_str))]
    OtherRequest { found: Option<RequestId> },
    /// No request is outstanding (P 11.3).
    #[error("no request is outstanding here, so no answer is expected")]
    NothingAwaited,
    /// It does not follow the last receipt (P 11.4).
    #[error("sequence is {found}, expected {awaited}")]
    Sequence { found: u64, awaited: u64 },
    /// It counts the key pairs of the id differently (P 11.4).
    #[error("key generation is {found}, expected {own}")]
    KeyGeneration { found: u64, own: u64 },
    /// Its allocation is older than the one here (P 11.4).
    #[error("allocation revision is {found}, expected {own} or later")]
    AllocationRevision { found: u64, own: u64 },
    /// Its deadline is not 366 days after its time (P 11.5).
    #[error("synchronize_by is {found}, expected {awaited}, 366 days after its time")]
    SynchronizeBy { found: UtcTime, awaited: UtcTime },
}

impl AnswerError {
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
#[allow(missing_docs)] // of the members: their names say all there is
pub enum SealedPayloadError {
    /// Its size is not that of the receipt (P 11.6).
    #[error("{found} bytes, expected {awaited} as in the receipt")]
    Size { found: u64, awaited: u64 },
    /// It is longer than the receipt says (P 11.6).
    #[error("more than the {awaited} bytes of the receipt")]
    TooLong { awaited: u64 },
    /// The receipt claims more than any payload may have.
    #[error("the receipt claims {claimed} bytes; a payload has {} at most (P 18)", limits::PAYLOAD)]
    BeyondLimit { claimed: u64 },
    /// Its digest is not that of the receipt (P 11.6).
    #[error("digest differs from the receipt's")]
    Digest,
    /// It was sealed for another key, or damaged (P 11.7).
    #[error("it does not open with the one-time key of the request")]
    DoesNotOpen,
    /// What is in it is not what the receipt names (P 11.7).
    #[error("allocation digest differs from the receipt's")]
    AllocationDigest,
    /// What is in it is not an allocation (P 7, 11.8).
    #[error("the allocation is not well formed: {0}")]
    Malformed(Malformed),
    /// Its allocation has another revision than the receipt (P 11.8).
    #[error("allocation revision is {found}, expected {awaited} as in the receipt")]
    Revision { found: u64, awaited: u64 },
}

impl SealedPayloadError {
    /// The clause of P 11 that failed.
    pub(crate) const fn clause(&self) -> &'static str {
        match self {
            Self::Size { .. } | Self::TooLong { .. } | Self::BeyondLimit { .. } | Self::Digest => "P 11.6",
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
    conduct: &'static dyn Conduct,
}

/// A refusal of the outstanding request (P 11.10).
#[derive(Debug)]
pub(crate) struct CheckedRefusal {
    pub(crate) jws: String,
    pub(crate) refusal: Refusal,
}

/// Reads a receipt of the trusted main server for this license server id (P 11.1, 11.2).
pub(crate) fn read_receipt(text: &str, identity: &Identity) -> Result<GivenReceipt, AnswerError> {
    given_receipt(text, identity, Verifier { conduct: identity.conduct, again: false })
}

/// Reads a receipt that was applied in an earlier run, and checks that it still holds (P 11.12).
pub(super) fn read_stored_receipt(text: &str, identity: &Identity) -> Result<LastReceipt, AnswerError> {
    given_receipt(text, identity, Verifier { conduct: identity.conduct, again: true })?.still_holds(identity)
}

fn given_receipt(text: &str, identity: &Identity, verifier: Verifier<'_>) -> Result<GivenReceipt, AnswerError> {
    let receipt = read::<Receipt>(text, identity, &verifier)?;
    addressed(Document::Receipt, &receipt.main_server_id, &receipt.license_server_id, identity)?;
    Ok(GivenReceipt(LastReceipt { jws: text.to_owned(), receipt }))
}

/// Reads a refusal of the trusted main server for this license server id (P 11.10).
pub(crate) fn read_refusal(text: &str, identity: &Identity) -> Result<GivenRefusal, AnswerError> {
    let refusal = read::<Refusal>(text, identity, &Verifier { conduct: identity.conduct, again: false })?;
    addressed(Document::Refusal, &refusal.main_server_id, &refusal.license_server_id, identity)?;
    Ok(GivenRefusal(CheckedRefusal { jws: text.to_owned(), refusal }))
}

fn read<M>(text: &str, identity: &Identity, verifier: &Verifier<'_>) -> Result<M, AnswerError>
where
    M: Message<Issuer = MainServerId, Header = MainServerHeader>,
{
    let given = identity.conduct.message(text, &identity.trust);
    let signed = Signed::<M>::parse(&given).map_err(AnswerError::Unreadable)?;
    let claimed = signed.unverified_frame().issuer.clone();
    // A message of another main server fails on its key first; naming that server helps more than naming its key.
    let verified = signed.verify(verifier, &identity.trust.signing_jwks).map_err(|error| match error {
        NotVerified::UnknownKey(_) if claimed != identity.trust.main_server_id => {
            AnswerError::OtherMainServer { found: claimed, trusted: identity.trust.main_server_id.clone() }
        }
        other => AnswerError::NotVerified(other),
    })?;
    verified.read().map_err(AnswerError::Content)
}

/// Verifies signatures as the License Server's conduct says.
pub(super) struct Verifier<'a> {
    pub(super) conduct: &'a dyn Conduct,
    /// It was verified before it was stored.
    pub(super) again: bool,
}

impl VerifyEs384 for Verifier<'_> {
    fn verify(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
        match self.again {
            true => self.conduct.verifies_again(key, signing_input, signature),
            false => self.conduct.verifies(key, signing_input, signature),
        }
    }
}

impl Identity {
    /// Ends the checks of a message with what is wrong with it, where `holds` does not.
    fn check(&self, document: Document, holds: bool, wrong: impl FnOnce() -> AnswerError) -> Result<(), AnswerError> {
        if holds {
            return Ok(());
        }
        let wrong = wrong();
        if self.conduct.is_fatal(document, &wrong) { Err(wrong) } else { Ok(()) }
    }
}

fn addressed(document: Document, from: &MainServerId, to: &LicenseServerId, own: &Identity) -> Result<(), AnswerError> {
    let (trusted, id) = (&own.trust.main_server_id, &own.license_server_id);
    own.check(document, from == trusted, || AnswerError::OtherMainServer {
        found: from.clone(),
        trusted: trusted.clone(),
    })?;
    own.check(document, to == id, || AnswerError::OtherLicenseServer { found: to.clone(), own: id.clone() })
}

impl GivenReceipt {
    /// Checks that the receipt answers the outstanding request and follows the last receipt (P 11.3 to 11.5, 11.11).
    pub(crate) fn answers(
        self,
        outstanding: Option<&Outstanding>,
        last: Option<&LastReceipt>,
        identity: &Identity,
    ) -> Result<CheckedReceipt, AnswerError> {
        let receipt = &self.0.receipt;
        let check = |holds, wrong: &dyn Fn() -> AnswerError| identity.check(Document::Receipt, holds, wrong);
        let (found, own) = (receipt.key_thumbprint, identity.key_thumbprint);
        check(found == own, &|| AnswerError::OtherKeyPair { found, own })?;
        if let Some(last) = last {
            let (found, newest) = (receipt.sequence, last.receipt.sequence);
            check(!self.0.is_same_as(last), &|| AnswerError::AlreadyApplied { sequence: found })?;
            check(found >= newest, &|| AnswerError::Older { found, newest })?;
        }
        let request = outstanding.ok_or(AnswerError::NothingAwaited)?;
        let answers = receipt.request_id == request.request.request_id && receipt.request_digest == request.digest;
        check(answers, &|| AnswerError::OtherRequest { found: Some(receipt.request_id.clone()) })?;
        if let Some(last) = last {
            follows(receipt, &last.receipt, identity)?;
        }
        deadline_fits(receipt, identity)?;
        Ok(CheckedReceipt { last: self.0, conduct: identity.conduct })
    }

    /// Checks a receipt that was applied in an earlier run (P 11.12).
    fn still_holds(self, identity: &Identity) -> Result<LastReceipt, AnswerError> {
        let (found, own) = (self.0.receipt.key_thumbprint, identity.key_thumbprint);
        identity.check(Document::Receipt, found == own, || AnswerError::OtherKeyPair { found, own })?;
        deadline_fits(&self.0.receipt, identity)?;
        Ok(self.0)
    }
}

fn follows(receipt: &Receipt, last: &Receipt, identity: &Identity) -> Result<(), AnswerError> {
    let check = |holds, wrong: AnswerError| identity.check(Document::Receipt, holds, || wrong);
    let (found, awaited) = (receipt.sequence, last.sequence.saturating_add(1));
    check(found == awaited, AnswerError::Sequence { found, awaited })?;
    let (found, own) = (receipt.key_generation, last.key_generation);
    check(found == own, AnswerError::KeyGeneration { found, own })?;
    let (found, own) = (receipt.allocation_revision, last.allocation_revision);
    check(found >= own, AnswerError::AllocationRevision { found, own })
}

fn deadline_fits(receipt: &Receipt, identity: &Identity) -> Result<(), AnswerError> {
    let (found, awaited) = (receipt.synchronize_by, receipt.main_server_time.synchronize_by());
    identity.check(Document::Receipt, found == awaited, || AnswerError::SynchronizeBy { found, awaited })
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
    pub(crate) fn open(self, payload: &[u8], sealing_key: &SealingKey) -> Result<Applied, SealedPayloadError> {
        let receipt = &self.last.receipt;
        payload_fits(receipt, payload, self.conduct)?;
        let info = sealing_info(
            &receipt.main_server_id,
            &receipt.license_server_id,
            &receipt.request_digest,
            &receipt.sync_id,
        );
        let bytes = self.conduct.opens(sealing_key, &info, payload).map_err(|_| SealedPayloadError::DoesNotOpen)?;
        Applied::new(self.last, bytes, self.conduct)
    }
}

fn check(conduct: &dyn Conduct, holds: bool, wrong: SealedPayloadError) -> Result<(), SealedPayloadError> {
    if holds || !conduct.payload_is_fatal(&wrong) { Ok(()) } else { Err(wrong) }
}

fn payload_fits(receipt: &Receipt, payload: &[u8], conduct: &dyn Conduct) -> Result<(), SealedPayloadError> {
    let (found, awaited) = (payload.len() as u64, receipt.payload_size);
    check(conduct, awaited <= limits::PAYLOAD as u64, SealedPayloadError::BeyondLimit { claimed: awaited })?;
    check(conduct, found == awaited, SealedPayloadError::Size { found, awaited })?;
    check(conduct, Digest::of(payload) == receipt.payload_digest, SealedPayloadError::Digest)
}

/// The allocation of a receipt (P 11.7, 11.8).
pub(super) fn read_allocation(
    receipt: &Receipt,
    bytes: &[u8],
    conduct: &dyn Conduct,
) -> Result<Allocation, SealedPayloadError> {
    check(conduct, Digest::of(bytes) == receipt.allocation_digest, SealedPayloadError::AllocationDigest)?;
    let allocation = Allocation::from_json(&conduct.document(Document::Allocation, bytes));
    let allocation = allocation.map_err(SealedPayloadError::Malformed)?;
    let (found, awaited) = (allocation.revision, receipt.allocation_revision);
    check(conduct, found == awaited, SealedPayloadError::Revision { found, awaited })?;
    Ok(allocation)
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
    ) -> Result<CheckedRefusal, AnswerError> {
        let refusal = &self.0.refusal;
        let (found, own) = (refusal.key_thumbprint, identity.key_thumbprint);
        identity.check(Document::Refusal, found == own, || AnswerError::OtherKeyPair { found, own })?;
        let request = outstanding.ok_or(AnswerError::NothingAwaited)?;
        let refuses = refusal.request_digest == request.digest;
        identity.check(Document::Refusal, refuses, || AnswerError::OtherRequest { found: None })?;
        Ok(self.0)
    }
}
