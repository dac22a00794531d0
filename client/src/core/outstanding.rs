//! The outstanding request (P 12): at most one, the same bytes until it ends.

use std::sync::Arc;

use solme_sync_protocol::{Digest, KeyThumbprint, PublicJwk, RefusalCode, Request, RequestId, SealingKey, Signed};

use super::check::Verifier;
use super::{Identity, LastReceipt, Times};
use crate::conduct::Conduct;

const PRODUCT: &str = "license-server";
const PRODUCT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The outstanding request, its stored copy verified, with the one-time key that opens its answer.
#[derive(Clone)]
pub(crate) struct Outstanding {
    /// The whole JWS, as it is sent or exported.
    pub(crate) jws: String,
    pub(crate) request: Request,
    /// The request digest (P 4.8).
    pub(crate) digest: Digest,
    /// The private half of the sealing key pair (P 3.4).
    pub(crate) sealing_key: Arc<SealingKey>,
}

/// Why the stored copy of the request cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoredRequestError {
    /// Not a request of this protocol version (P 4, 5).
    #[error("the stored request cannot be read")]
    Unreadable,
    /// Its signature is damaged, or of another key pair (P 12.4).
    #[error("the stored request does not verify with this server's key pair")]
    NotVerified,
    /// No answer to it could be opened (P 5.4).
    #[error("the stored one-time key is not that of the request")]
    SealingKey,
}

/// What a refusal does to the local server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consequence {
    /// What becomes of the outstanding request (P 12.3, 12.4).
    pub fate: Fate,
    /// Whether the key pair counts as cleared from now on (P 12.6).
    pub clears: bool,
}

/// What an answer means for the outstanding request (P 12.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent again next time.
    Stays,
    /// The next synchronization makes a new one.
    Ends,
}

impl Outstanding {
    /// The outstanding request as it was signed or stored. One that does not verify could only be refused as
    /// `invalid-signature`, and would end then (P 12.4).
    pub(crate) fn restore(
        jws: &str,
        sealing_key: Arc<SealingKey>,
        key: &KeyThumbprint,
        conduct: &dyn Conduct,
    ) -> Result<Self, StoredRequestError> {
        let signed = Signed::<Request>::parse(jws).map_err(|_| StoredRequestError::Unreadable)?;
        let digest = signed.digest();
        let verified =
            signed.verify(&Verifier { conduct, again: true }).map_err(|_| StoredRequestError::NotVerified)?;
        if verified.thumbprint() != *key {
            return Err(StoredRequestError::NotVerified);
        }
        let request = verified.read().map_err(|_| StoredRequestError::Unreadable)?;
        if request.sealing_jwk != sealing_key.public_jwk() {
            return Err(StoredRequestError::SealingKey);
        }
        Ok(Self { jws: jws.to_owned(), request, digest, sealing_key })
    }

    /// Whether the copy at hand verifies (P 12.4).
    pub(crate) fn verifies(&self, conduct: &dyn Conduct) -> bool {
        let verifier = Verifier { conduct, again: true };
        Signed::<Request>::parse(&self.jws).is_ok_and(|signed| signed.verify(&verifier).is_ok())
    }
}

/// The content of a new request (P 5). The caller gives what is random.
pub(crate) fn new_request(
    identity: &Identity,
    last: Option<&LastReceipt>,
    times: &Times,
    request_id: RequestId,
    sealing_jwk: PublicJwk,
) -> Request {
    Request {
        version: solme_sync_protocol::VERSION,
        license_server_id: identity.license_server_id.clone(),
        main_server_id: identity.trust.main_server_id.clone(),
        request_id,
        made_at: times.local_clock,
        sealing_jwk,
        last_receipt: last.map(|last| last.jws.clone()),
        high_water_mark: times.high_water_mark,
        product: PRODUCT.to_owned(),
        product_version: PRODUCT_VERSION.to_owned(),
    }
}

impl Consequence {
    /// What a refusal with this code does.
    pub const fn of(code: RefusalCode, stored_copy_verifies: bool) -> Self {
        let fate = match code {
            RefusalCode::InvalidSignature if !stored_copy_verifies => Fate::Ends,
            other if other.ends_request() => Fate::Ends,
            _ => Fate::Stays,
        };
        Self { fate, clears: matches!(code, RefusalCode::KeyPairCleared) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conduct::Standard;
    use crate::tests::world::World;

    #[test]
    fn a_copy_that_was_changed_verifies_no_more() {
        let mut outstanding = World::new().outstanding();
        assert!(outstanding.verifies(&Standard));
        let last = outstanding.jws.pop();
        outstanding.jws.push(if last == Some('A') { 'B' } else { 'A' });
        assert!(!outstanding.verifies(&Standard));
    }

    #[test]
    fn a_request_ends_with_the_refusals_that_the_catalogue_marks_and_no_other() {
        for code in RefusalCode::ALL {
            let ends = matches!(code, RefusalCode::UnsupportedVersion | RefusalCode::InvalidRequest);
            assert_eq!(Consequence::of(*code, true).fate == Fate::Ends, ends, "{code}");
            let ends = ends || *code == RefusalCode::InvalidSignature;
            assert_eq!(Consequence::of(*code, false).fate == Fate::Ends, ends, "{code}, the stored copy is damaged");
        }
    }
}
