//! What a refusal says to people, and the signed message it becomes (P 8, 10).

use solme_sync_protocol::{
    InvalidRequestReason, MainServerId, Refusal, RefusalCode, Request, Signed, UtcTime, VERSION,
};

use super::Clause;

/// Characters of the parser's words in a refusal: far below the 1,000 of P 18, since four bytes can stand for each.
const WHAT_AT_MOST: usize = 300;

/// The main server says no: one code, one cause, one cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The clause that decided.
    pub clause: Clause,
    /// From the catalogue (P 10).
    pub code: RefusalCode,
    /// With `invalid-request`, and only there.
    pub reason: Option<InvalidRequestReason>,
    /// What was refused and why, for people.
    pub text: String,
    /// What to do next, for people.
    pub cure: String,
}

impl Refused {
    /// 9.2: the signature does not fit the message and the key in it.
    pub fn invalid_signature() -> Self {
        Self::new("9.2", RefusalCode::InvalidSignature)
    }

    /// 9.14: the transaction could not be carried out.
    pub fn temporarily_unavailable() -> Self {
        Self::new("9.14", RefusalCode::TemporarilyUnavailable)
    }

    /// 9.14: more ask than can be answered.
    pub fn too_many() -> Self {
        let text = "Too many License Servers are asking now; nothing was changed.";
        Self { text: text.to_owned(), ..Self::temporarily_unavailable() }
    }

    pub(super) fn new(clause: Clause, code: RefusalCode) -> Self {
        let (text, cure) = words(code);
        Self { clause, code, reason: None, text: text.to_owned(), cure: cure.to_owned() }
    }

    /// 9.9, second sentence: none is bound, and the id is reserved for another key pair.
    pub(super) fn reserved() -> Self {
        let text = "The license server id is reserved for another key pair.";
        Self { text: text.to_owned(), ..Self::new("9.9", RefusalCode::KeyPairInUse) }
    }

    pub(super) fn invalid(clause: Clause, reason: InvalidRequestReason) -> Self {
        let (text, cure) = words_of_reason(reason);
        Self {
            reason: Some(reason),
            text: text.to_owned(),
            cure: cure.to_owned(),
            ..Self::new(clause, RefusalCode::InvalidRequest)
        }
    }

    /// 9.8: which member, and what is wrong with it.
    pub(super) fn malformed_claims(what: &str) -> Self {
        let refused = Self::invalid("9.8", InvalidRequestReason::MalformedClaims);
        // The parser's words can repeat the request's own text: cut, so that the refusal stays within its limit.
        let what: String = what.chars().take(WHAT_AT_MOST).collect();
        let text = format!("{} {what}.", refused.text);
        Self { text, ..refused }
    }

    /// The message to sign (P 8).
    pub fn refusal(&self, main_server_id: &MainServerId, request: &Signed<Request>, now: UtcTime) -> Refusal {
        Refusal {
            version: VERSION,
            main_server_id: main_server_id.clone(),
            license_server_id: request.unverified_frame().issuer.clone(),
            main_server_time: now,
            code: self.code,
            reason: self.reason,
            key_thumbprint: request.header().jwk.thumbprint(),
            request_digest: request.digest(),
            text: self.text.clone(),
            cure: self.cure.clone(),
        }
    }
}

/// Text and cure of each code.
fn words(code: RefusalCode) -> (&'static str, &'static str) {
    match code {
        RefusalCode::InvalidSignature => (
            "The signature does not fit the request and the key in it.",
            "Send or export the request again; it was damaged on its way.",
        ),
        RefusalCode::UnknownLicenseServerId => {
            ("The main server has no such license server id.", "Compare the id with the one that Solme gave you.")
        }
        RefusalCode::RateLimited => {
            ("Too many requests with this license server id.", "Wait a minute, then synchronize again.")
        }
        RefusalCode::LicenseServerIdDisabled => {
            ("Solme has disabled this license server id.", "Write to licensing@solme.se.")
        }
        RefusalCode::KeyPairCleared => (
            "The key pair of this License Server was cleared.",
            "Create a new key pair, then synchronize. If you did not ask for this, write to licensing@solme.se.",
        ),
        RefusalCode::RequestAlreadyAnswered => (
            "A newer request of this key pair was accepted since.",
            "This is a restored or copied License Server: use the other one, or have the key pair cleared by an \
             e-mail to licensing@solme.se with the license server id.",
        ),
        RefusalCode::UnsupportedVersion => {
            ("The main server does not speak this version of the protocol.", "Update the License Server's software.")
        }
        RefusalCode::InvalidRequest => ("The request is not valid.", "Synchronize again; a new request is made."),
        RefusalCode::KeyPairInUse => (
            "The license server id is in use by another key pair.",
            "Use the License Server that is synchronized with this id. If it was reinstalled or is lost, have its key \
             pair cleared by an e-mail to licensing@solme.se with the license server id.",
        ),
        RefusalCode::MainServerBehind => (
            "The main server has forgotten a receipt that it gave: it was restored from a backup.",
            "Write to licensing@solme.se with the license server id.",
        ),
        RefusalCode::StateDiverged => (
            "Another License Server has synchronized with this key pair since: one is a copy, or was restored.",
            "Use the other one, or have the key pair cleared by an e-mail to licensing@solme.se with the license \
             server id.",
        ),
        RefusalCode::TemporarilyUnavailable => {
            ("The main server is in trouble; nothing was changed.", "Synchronize again later.")
        }
    }
}

/// Text and cure of each reason of `invalid-request`.
fn words_of_reason(reason: InvalidRequestReason) -> (&'static str, &'static str) {
    match reason {
        InvalidRequestReason::MalformedClaims => (
            "A member of the request is missing, or not of the right type or form:",
            "Update the License Server's software, then synchronize again.",
        ),
        InvalidRequestReason::WrongMainServer => (
            "The request is for another main server.",
            "Set the License Server up with the trust file of this main server.",
        ),
        InvalidRequestReason::SealingKeyIsSigningKey => (
            "The sealing key of the request is its signing key.",
            "Update the License Server's software, then synchronize again.",
        ),
        InvalidRequestReason::RequestIdReused => {
            ("The request id was used before, in a request with another content.", "Synchronize again.")
        }
        InvalidRequestReason::LastReceiptNotOurs => (
            "The last receipt that the request claims was not given by this main server to this key pair.",
            "The License Server's state is damaged: create a new key pair, and have the old one cleared by an e-mail \
             to licensing@solme.se with the license server id.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_refusal_has_its_own_words_and_a_next_step() {
        let codes = RefusalCode::ALL.iter().map(|code| Refused::new("9.9", *code));
        let reasons = InvalidRequestReason::ALL.iter().map(|reason| Refused::invalid("9.8", *reason));
        let refused: Vec<_> = codes.chain(reasons).chain([Refused::too_many(), Refused::reserved()]).collect();
        for Refused { text, cure, .. } in &refused {
            assert!(text.len() > 20 && text.ends_with(['.', ':']), "{text:?}");
            assert!(cure.len() > 10 && cure.ends_with('.'), "{cure:?}");
        }
        let cure_of_none = Refused::new("9.8", RefusalCode::InvalidRequest).cure;
        assert!(refused.iter().all(|refused| refused.reason.is_none() || refused.cure != cure_of_none));
        let texts: HashSet<_> = refused.iter().map(|refused| &refused.text).collect();
        assert_eq!(texts.len(), refused.len());
    }

    #[test]
    fn a_malformed_request_is_refused_with_the_parsers_words_cut_to_their_measure() {
        let text = Refused::malformed_claims("missing field `jti`").text;
        assert!(text.ends_with("form: missing field `jti`."), "{text}");
        let long = Refused::malformed_claims(&"\u{10000}".repeat(2 * WHAT_AT_MOST)).text;
        assert_eq!(long.matches('\u{10000}').count(), WHAT_AT_MOST);
    }
}
