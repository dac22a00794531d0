//! Dishonest answers: what the quirks of messages make of an honest one, on the wire only.
//!
//! The registry has decided and its transaction is durable. The stored record stays as it is, and so does the stored
//! answer: the same request, sent again, gets the honest bytes (P 9.7). Two quirks are an exception, `unknown-members`
//! and `reordered-members`: a License Server has to apply such a receipt, and claims it as its last one (P 9.11), so
//! that it takes the place of the stored one.

mod jws;
mod payloads;
mod receipts;
mod refusals;
mod variants;

use solme_sync_protocol::{KeyThumbprint, LicenseServerId, PublicJwk, Receipt, Request, SignEs384 as _, Signed};

pub(crate) use payloads::ForgedPayloads;

use crate::crypto::{AwsLc, CryptoError};
use crate::main_server::{ACCEPTED, Answer, Carrier, Exchange, Filter, MainServer};
use crate::quirks::{Fired, Need, Quirk, Stage};
use crate::store::{StoreError, records};

/// Why an answer could not be forged.
#[derive(Debug, thiserror::Error)]
enum ForgeError {
    /// No key, id or seal could be made.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The record could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The exchange has changed since the quirk was chosen.
    #[error("the answer does not offer what the quirk needs")]
    NotOffered,
}

/// An exchange whose answer may be forged.
struct Exchanged {
    license_server_id: LicenseServerId,
    /// The request; its content only where it was accepted.
    request: Signed<Request>,
    accepted: Option<Accepted>,
    /// Answered just now, and not before.
    first: bool,
}

/// A request that was accepted, and its answer.
struct Accepted {
    request: Request,
    receipt: Receipt,
    payload: Vec<u8>,
    /// The receipt that the request claims as the last one.
    last: Option<(String, Receipt)>,
    /// A genuine receipt that is older than that one.
    older: Option<String>,
}

impl Exchanged {
    fn offers(&self, need: Need) -> bool {
        let last = self.accepted.as_ref().and_then(|accepted| accepted.last.as_ref());
        match need {
            Need::Message => true,
            Need::FirstMessage => self.first || self.accepted.is_none(),
            Need::Receipt => self.accepted.is_some(),
            Need::PreviousReceipt => last.is_some(),
            Need::OlderReceipt => self.accepted.as_ref().is_some_and(|accepted| accepted.older.is_some()),
            Need::LaterGeneration => last.is_some_and(|(_, receipt)| receipt.key_generation > 1),
            Need::LaterRevision => last.is_some_and(|(_, receipt)| receipt.allocation_revision > 0),
        }
    }
}

impl MainServer {
    /// Lets a quirk change the answer, if one is armed for it. A quirk of the way is the carrier's to act out.
    pub(crate) fn with_quirk(&self, text: &[u8], honest: Answer, exchange: &mut Exchange) -> (Answer, Option<Fired>) {
        if !self.quirks_are_armed() {
            return (honest, None);
        }
        let first = exchange.entry.verdict == ACCEPTED;
        let exchanged = self.exchanged(text, &honest, first);
        let offers = |need| exchanged.as_ref().is_some_and(|exchanged| exchanged.offers(need));
        let Some(fired) = self.quirk_of_answer(exchange, offers) else { return (honest, None) };
        let (Stage::Message(_), Some(exchanged)) = (fired.quirk.stage(), exchanged) else {
            return (honest, Some(fired));
        };
        match self.forge(fired, &exchanged, honest.clone(), exchange.entry.carrier) {
            Ok(forged) => {
                exchange.entry.answer = forged.message().unwrap_or_default().to_owned();
                (forged, Some(fired))
            }
            Err(error) => {
                tracing::error!(%error, quirk = %fired.quirk, "an answer could not be forged");
                (honest, Some(fired))
            }
        }
    }

    fn forge(
        &self,
        fired: Fired,
        exchanged: &Exchanged,
        honest: Answer,
        carrier: Carrier,
    ) -> Result<Answer, ForgeError> {
        let quirk = fired.quirk;
        if quirk == Quirk::ReceiptVariant {
            let message = honest.message().ok_or(ForgeError::NotOffered)?;
            let forged = self.variant_of(message, fired.parameters.variant)?;
            return Ok(honest.with_message(forged));
        }
        if let Some(change) = jws::change(quirk) {
            let message = honest.message().ok_or(ForgeError::NotOffered)?;
            let forged = change(message, &self.identity.key);
            if matches!(quirk, Quirk::UnknownMembers | Quirk::ReorderedMembers) && exchanged.accepted.is_some() {
                self.give_instead(&exchanged.license_server_id, message, &forged)?;
            }
            return Ok(honest.with_message(forged));
        }
        if let Some(refusal) = self.forge_refusal(fired, exchanged)? {
            return Ok(refusal);
        }
        let accepted = exchanged.accepted.as_ref().ok_or(ForgeError::NotOffered)?;
        let (receipt, payload) = self.forge_receipt(fired, &exchanged.license_server_id, accepted, carrier)?;
        Ok(Answer::Accepted { license_server_id: exchanged.license_server_id.clone(), receipt, payload })
    }

    /// Another form of a receipt takes its place, as the one that was given. Not if it was not the newest any more.
    fn give_instead(&self, id: &LicenseServerId, honest: &str, given: &str) -> Result<(), ForgeError> {
        self.store.write("another form of a receipt", |store| {
            let before = records::load(store, id)?.ok_or(ForgeError::NotOffered)?;
            let mut record = before.clone();
            let newest = record.key_pair_in_use.as_mut().map(|in_use| &mut in_use.newest_answer.receipt);
            let newest = newest.filter(|newest| newest.as_str() == honest).ok_or(ForgeError::NotOffered)?;
            given.clone_into(newest);
            Ok(records::save(store, Some(&before), &record)?)
        })
    }

    /// None of an answer that no quirk of messages can change: a problem, or what another conduct than the protocol's has
    /// signed.
    fn exchanged(&self, text: &[u8], honest: &Answer, first: bool) -> Option<Exchanged> {
        let request = Signed::<Request>::parse(std::str::from_utf8(text).ok()?).ok()?;
        let license_server_id = request.unverified_frame().issuer.clone();
        let accepted = match honest {
            Answer::Accepted { receipt, payload, .. } => Some(self.accepted(&request, receipt, payload.clone())?),
            Answer::Refused { .. } => None,
            Answer::Problem { .. } | Answer::Forged(_) => return None,
        };
        Some(Exchanged { license_server_id, request, accepted, first })
    }

    fn accepted(&self, request: &Signed<Request>, receipt: &str, payload: Vec<u8>) -> Option<Accepted> {
        let key = [*self.identity.key.public_jwk()];
        let receipt = read(receipt, &key)?;
        let request = request.clone().verify(&AwsLc).ok()?.read().ok()?;
        let last = request.last_receipt.clone().and_then(|last| read(&last, &key).map(|read| (last, read)));
        let older = last.as_ref().and_then(|(_, last)| self.older_than(last, &key));
        Some(Accepted { request, receipt, payload, last, older })
    }

    /// The journal has them: only the newest receipt of an id lies in the store.
    fn older_than(&self, last: &Receipt, key: &[PublicJwk]) -> Option<String> {
        let of_this_key_pair = |thumbprint: Option<KeyThumbprint>| thumbprint == Some(last.key_thumbprint);
        let entries = self.journal.list(&Filter::of(&last.license_server_id), None, usize::MAX).into_iter().rev();
        let honest = entries.filter(|entry| {
            of_this_key_pair(entry.thumbprint)
                && entry.quirk.is_none_or(|quirk| !matches!(quirk.stage(), Stage::Message(_)))
        });
        honest
            .map(|entry| entry.answer)
            .find(|answer| read(answer, key).is_some_and(|receipt| receipt.sequence < last.sequence))
    }
}

fn read(receipt: &str, key: &[PublicJwk]) -> Option<Receipt> {
    Signed::<Receipt>::parse(receipt).ok()?.verify(&AwsLc, key).ok()?.read().ok()
}

impl Answer {
    /// What is signed in it.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Self::Accepted { receipt, .. } => Some(receipt),
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Problem { .. } => None,
            Self::Forged(problem) => problem.refusal.as_deref(),
        }
    }

    /// The same with another message.
    pub(crate) fn with_message(self, message: String) -> Self {
        match self {
            Self::Accepted { license_server_id, payload, .. } => {
                Self::Accepted { license_server_id, receipt: message, payload }
            }
            Self::Refused { license_server_id, refused, .. } => {
                Self::Refused { license_server_id, refused, refusal: message }
            }
            Self::Problem { .. } => self,
            Self::Forged(problem) => {
                Self::Forged(Box::new(solme_sync_protocol::Problem { refusal: Some(message), ..*problem }))
            }
        }
    }
}
