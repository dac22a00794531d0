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
/// A code that no catalogue has (P 10.1).
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
        let mut problem = Problem::carrying(CODE, TEXT.to_owned(), CURE.to_owned(), String::new());
        let mut other_key = None;
        match fired.quirk {
            Quirk::UnsignedRefusal => {
                problem.refusal = None;
                return Ok(Some(Answer::Forged(Box::new(problem))));
            }
            Quirk::RefusalOfAnotherRequest => refusal.request_digest = Digest::of("another request"),
            Quirk::RefusalOfAnotherKeyPair => refusal.key_thumbprint = another_thumbprint()?,
            Quirk::RefusalForAnotherId => refusal.license_server_id = another_id(),
            Quirk::RefusalOfAnotherMainServer => refusal.main_server_id = new_main_server_id()?,
            Quirk::ProblemOfAnotherCode => {
                refusal.code = RefusalCode::TemporarilyUnavailable;
                problem.status = refusal.code.http_status();
            }
            Quirk::RefusalVariant => {
                refusal.code = RefusalCode::InvalidRequest;
                refusal.reason = Some(InvalidRequestReason::MalformedClaims);
                problem = Problem::carrying(refusal.code, TEXT.to_owned(), CURE.to_owned(), String::new());
            }
            Quirk::RefusalByAnotherKey => other_key = Some(MainServerKey::generate()?),
            Quirk::UnknownRefusalCode => {
                problem.code = UNKNOWN_CODE.to_owned();
                problem.kind = problem.kind.replace(CODE.as_str(), UNKNOWN_CODE);
                problem.title = UNKNOWN_CODE.replace('-', " ");
            }
            _ => return Ok(None),
        }
        let key = &self.identity.key;
        let signed = Signed::sign(&refusal, other_key.as_ref().unwrap_or(key)).as_str().to_owned();
        problem.refusal = Some(match fired.quirk {
            Quirk::RefusalVariant => self.variant_of(&signed, fired.parameters.variant)?,
            Quirk::UnknownRefusalCode => {
                jws::resigned(&signed, key, |members| members.with("code", format!("\"{UNKNOWN_CODE}\"")))
            }
            _ => signed,
        });
        Ok(Some(Answer::Forged(Box::new(problem))))
    }
}
