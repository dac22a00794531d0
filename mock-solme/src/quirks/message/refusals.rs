//! Forged refusals. They say `key-pair-cleared`, which would do the most harm (P 12.6).

use solme_sync_protocol::{Digest, InvalidRequestReason, Problem, Refusal, RefusalCode, Signed, VERSION};

use super::receipts::{another_id, another_thumbprint};
use super::{Exchanged, ForgeError, MainServer, jws};
use crate::crypto::MainServerKey;
use crate::identity::new_main_server_id;
use crate::main_server::Answer;
use crate::quirks::{Fired, Quirk};

const CODE: RefusalCode = RefusalCode::KeyPairCleared;
const TEXT: &str = "This key pair was cleared.";
const CURE: &str = "Create a new key pair, then synchronize.";
/// In no catalogue.
const UNKNOWN_CODE: &str = "try-the-other-door";

impl MainServer {
    /// The refusal of a quirk that makes one of any answer.
    pub(super) fn forge_refusal(&self, fired: Fired, exchanged: &Exchanged) -> Result<Option<Answer>, ForgeError> {
        let mut refusal = Refusal {
            version: VERSION,
            main_server_id: self.id.clone(),
            license_server_id: exchanged.license_server_id.clone(),
            main_server_time: self.now(),
            code: CODE,
            reason: None,
            key_thumbprint: exchanged.request.header().jwk.thumbprint(),
            request_digest: exchanged.request.digest(),
            text: TEXT.to_owned(),
            cure: CURE.to_owned(),
        };
        let signed = |refusal: &Refusal, key: &MainServerKey| Signed::sign(refusal, key).as_str().to_owned();
        let key = &self.identity.key;
        let mut problem = Problem::carrying(CODE, TEXT.to_owned(), CURE.to_owned(), String::new());
        problem.refusal = match fired.quirk {
            Quirk::UnsignedRefusal => None,
            Quirk::RefusalOfAnotherRequest => {
                refusal.request_digest = Digest::of("another request");
                Some(signed(&refusal, key))
            }
            Quirk::RefusalOfAnotherKeyPair => {
                refusal.key_thumbprint = another_thumbprint()?;
                Some(signed(&refusal, key))
            }
            Quirk::RefusalForAnotherId => {
                refusal.license_server_id = another_id();
                Some(signed(&refusal, key))
            }
            Quirk::RefusalOfAnotherMainServer => {
                refusal.main_server_id = new_main_server_id()?;
                Some(signed(&refusal, key))
            }
            Quirk::ProblemOfAnotherCode => {
                refusal.code = RefusalCode::TemporarilyUnavailable;
                problem.status = refusal.code.http_status();
                Some(signed(&refusal, key))
            }
            Quirk::RefusalVariant => {
                refusal.code = RefusalCode::InvalidRequest;
                refusal.reason = Some(InvalidRequestReason::MalformedClaims);
                problem = Problem::carrying(refusal.code, TEXT.to_owned(), CURE.to_owned(), String::new());
                Some(self.variant_of(&signed(&refusal, key), fired.parameters.variant)?)
            }
            Quirk::RefusalByAnotherKey => Some(signed(&refusal, &MainServerKey::generate()?)),
            Quirk::UnknownRefusalCode => {
                problem.code = UNKNOWN_CODE.to_owned();
                problem.kind = problem.kind.replace(CODE.as_str(), UNKNOWN_CODE);
                problem.title = UNKNOWN_CODE.replace('-', " ");
                let unknown = |members| jws::with_member(members, "code", |_| format!("\"{UNKNOWN_CODE}\""));
                Some(jws::resigned(&signed(&refusal, key), key, unknown))
            }
            _ => return Ok(None),
        };
        Ok(Some(Answer::Forged(Box::new(problem))))
    }
}
