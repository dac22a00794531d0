//! The rules of the main server, 9.3 to 9.12, in their order. The first that decides ends it.

use solme_sync_protocol::{
    Digest, InvalidRequestReason, KeyThumbprint, MainServerId, PayloadError, Receipt, RefusalCode, Request, RequestId,
    Signed, Verified,
};

use super::acceptance::Acceptance;
use super::refusal::Refused;
use super::{Clause, NewestAnswer, Record};

/// What the rules ask beyond the record; each question only when a rule comes to it.
pub trait Facts {
    /// Why a question could not be answered; the main server is in trouble then (P 9.14).
    type Error;
    /// The id of this main server.
    fn main_server_id(&self) -> &MainServerId;
    /// Whether the bucket of [`Bucket::of`] had something left for this request; true where limits are off (P 9.4).
    fn within_rate_limit(&self) -> bool;
    /// Whether a request with this digest was accepted for the id, ever (P 9.7).
    ///
    /// # Errors
    /// The store's.
    fn was_accepted(&self, request_digest: &Digest) -> Result<bool, Self::Error>;
    /// Whether an accepted request of the id had this request id, ever (P 9.8).
    ///
    /// # Errors
    /// The store's.
    fn request_id_was_used(&self, request_id: &RequestId) -> Result<bool, Self::Error>;
    /// The claimed receipt, if this main server's key signed it (P 9.12).
    fn verify_receipt(&self, claimed: Signed<Receipt>) -> Option<Verified<Receipt>>;
}

/// Who pays for a request where rate limits are switched on (P 9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// The key pair in use has its own.
    KeyPairInUse,
    /// Everyone else with this license server id shares another one.
    Others,
}

impl Bucket {
    /// The bucket that a request signed by `thumbprint` is charged to.
    pub fn of(record: &Record, thumbprint: &KeyThumbprint) -> Self {
        if record.bound_thumbprint() == Some(*thumbprint) { Self::KeyPairInUse } else { Self::Others }
    }
}

/// What the rules came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Accept: seal, sign, and store [`Acceptance::record`].
    Accept(Acceptance),
    /// Give the stored answer again, byte for byte; nothing changes (P 9.7).
    Resend(NewestAnswer),
    /// Say no; nothing changes (P 9.15).
    Refuse(Refused),
}

impl Decision {
    /// The clause that decided.
    pub fn clause(&self) -> Clause {
        match self {
            Self::Accept(acceptance) => acceptance.clause(),
            Self::Resend(_) => "9.7",
            Self::Refuse(refused) => refused.clause,
        }
    }
}

/// Applies 9.3 to 9.12 to a request that could be read (9.1) and whose signature fits (9.2). `record` is that of the
/// id which the request names; `None` when there is no such id.
///
/// # Errors
/// Those of `facts`.
pub fn decide<F: Facts + ?Sized>(
    record: Option<&Record>,
    request: &Verified<Request>,
    facts: &F,
) -> Result<Decision, F::Error> {
    let refuse = |clause, code| Ok(Decision::Refuse(Refused::new(clause, code)));
    let thumbprint = request.thumbprint();
    let digest = request.signed().digest();

    let Some(record) = record else {
        return refuse("9.3", RefusalCode::UnknownLicenseServerId);
    };
    if !facts.within_rate_limit() {
        return refuse("9.4", RefusalCode::RateLimited);
    }
    if record.disabled.is_some() {
        return refuse("9.5", RefusalCode::LicenseServerIdDisabled);
    }
    if record.cleared(&thumbprint).is_some() {
        return refuse("9.6", RefusalCode::KeyPairCleared);
    }
    if let Some(decision) = answered_before(record, &digest, facts)? {
        return Ok(decision);
    }
    let content = match content(request, facts)? {
        Ok(content) => content,
        Err(refused) => return Ok(Decision::Refuse(refused)),
    };
    match bind_or_accept(record, &content, thumbprint, facts) {
        Ok(()) => Ok(Decision::Accept(Acceptance::new(record, content, digest, thumbprint))),
        Err(refused) => Ok(Decision::Refuse(refused)),
    }
}

/// 9.7. The digest is over the key and the id as well, so an equal digest is a request of this id and thumbprint.
fn answered_before<F: Facts + ?Sized>(
    record: &Record,
    digest: &Digest,
    facts: &F,
) -> Result<Option<Decision>, F::Error> {
    if let Some(in_use) = &record.key_pair_in_use
        && in_use.newest_answer.request_digest == *digest
    {
        return Ok(Some(Decision::Resend(in_use.newest_answer.clone())));
    }
    let older = facts.was_accepted(digest)?;
    Ok(older.then(|| Decision::Refuse(Refused::new("9.7", RefusalCode::RequestAlreadyAnswered))))
}

/// 9.8: the content, or the first reason that fits.
fn content<F: Facts + ?Sized>(request: &Verified<Request>, facts: &F) -> Result<Result<Request, Refused>, F::Error> {
    let invalid = |reason| Ok(Err(Refused::invalid("9.8", reason)));
    let content = match request.read() {
        Ok(content) => content,
        Err(PayloadError::Version(_)) => return Ok(Err(Refused::new("9.8", RefusalCode::UnsupportedVersion))),
        Err(PayloadError::Malformed(error)) => return Ok(Err(Refused::malformed_claims(&error.to_string()))),
        Err(PayloadError::Rule(rule)) => return Ok(Err(Refused::malformed_claims(&rule))),
    };
    if content.main_server_id != *facts.main_server_id() {
        return invalid(InvalidRequestReason::WrongMainServer);
    }
    if content.sealing_jwk == request.signed().header().jwk {
        return invalid(InvalidRequestReason::SealingKeyIsSigningKey);
    }
    if facts.request_id_was_used(&content.request_id)? {
        return invalid(InvalidRequestReason::RequestIdReused);
    }
    Ok(Ok(content))
}

/// 9.9 to 9.12: whether this key pair, with this claim, may be bound or served.
fn bind_or_accept<F: Facts + ?Sized>(
    record: &Record,
    content: &Request,
    thumbprint: KeyThumbprint,
    facts: &F,
) -> Result<(), Refused> {
    let bound = record.key_pair_in_use.as_ref();
    if bound.is_some_and(|in_use| in_use.thumbprint != thumbprint) {
        return Err(Refused::new("9.9", RefusalCode::KeyPairInUse));
    }
    if bound.is_none() && record.reserved_for.is_some_and(|reserved| reserved != thumbprint) {
        return Err(Refused::reserved());
    }
    match (bound, content.last_receipt.as_deref()) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(Refused::new("9.12", RefusalCode::StateDiverged)),
        (bound, Some(claimed)) => {
            let Ok(claimed) = Signed::<Receipt>::parse(claimed) else { return Err(not_ours()) };
            let newest = bound.and_then(|in_use| signing_input(&in_use.newest_answer.receipt));
            if newest == Some(claimed.signing_input()) {
                return Ok(());
            }
            Err(what_the_claim_tells(record, claimed, thumbprint, facts))
        }
    }
}

/// 9.12: the claimed receipt is not the newest one given, or none is bound.
fn what_the_claim_tells<F: Facts + ?Sized>(
    record: &Record,
    claimed: Signed<Receipt>,
    thumbprint: KeyThumbprint,
    facts: &F,
) -> Refused {
    let Some(receipt) = facts.verify_receipt(claimed).and_then(|verified| verified.read().ok()) else {
        return not_ours();
    };
    let ours = receipt.main_server_id == *facts.main_server_id()
        && receipt.license_server_id == record.license_server_id
        && receipt.key_thumbprint == thumbprint;
    if !ours {
        return not_ours();
    }
    let code =
        if receipt.sequence > record.sequence { RefusalCode::MainServerBehind } else { RefusalCode::StateDiverged };
    Refused::new("9.12", code)
}

fn not_ours() -> Refused {
    Refused::invalid("9.12", InvalidRequestReason::LastReceiptNotOurs)
}

/// The text before the second dot (P 4.5).
fn signing_input(jws: &str) -> Option<&str> {
    jws.rsplit_once('.').map(|(signing_input, _)| signing_input)
}

#[cfg(test)]
mod tests;
