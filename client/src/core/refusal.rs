//! What each refusal of the catalogue (P 10) means to the person who reads it, and what to do next.

use solme_sync_protocol::{InvalidRequestReason, Refusal, RefusalCode, printable};

use super::state::Cleared;

/// How the answer came: the next step is another one for someone who holds a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Over the ports 443 and 8080 (P 13).
    Direct,
    /// In a file (P 14).
    File,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// What was refused and why.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) cure: String,
}

/// The meaning of a refusal. It goes by the code; what the main server says beside it is shown, and decides nothing
/// (P 8.3).
pub(crate) fn meaning(refusal: &Refusal, carrier: Carrier) -> Meaning {
    let id = &refusal.license_server_id;
    let cause = match refusal.code {
        RefusalCode::InvalidSignature => "the request arrived damaged at the main server".to_owned(),
        RefusalCode::UnknownLicenseServerId => format!("the main server does not know the license server id {id}"),
        RefusalCode::RateLimited => format!("too many requests for {id}"),
        RefusalCode::LicenseServerIdDisabled => format!("Solme has disabled the license server id {id}"),
        RefusalCode::KeyPairCleared => format!(
            "the key pair of this server was cleared for {id}; it can never synchronize again, and no license may be \
             issued with it"
        ),
        RefusalCode::RequestAlreadyAnswered => {
            "a newer request of this key pair was already answered: this local server was restored or copied".to_owned()
        }
        RefusalCode::UnsupportedVersion => "the main server does not support this version of the protocol".to_owned(),
        RefusalCode::InvalidRequest => format!("the main server refused the request as invalid{}", because(refusal)),
        RefusalCode::KeyPairInUse => {
            format!(
                "the license server id {id} is already in use, by another server or by this one before it was \
                 reinstalled"
            )
        }
        RefusalCode::MainServerBehind => {
            "the main server lost a receipt that it issued: it was restored from a backup".to_owned()
        }
        RefusalCode::StateDiverged => {
            "another local server has synchronized with this key pair: this one is a copy, or was restored".to_owned()
        }
        RefusalCode::TemporarilyUnavailable => "the main server cannot answer now".to_owned(),
    };
    let said = remark(&refusal.text);
    let message = if said.is_empty() { cause } else { format!("{cause}. Main server: {said}") };
    Meaning { message, cure: cure_of(refusal.code, refusal.reason, carrier) }
}

impl Cleared {
    /// What it means that the key pair was cleared.
    pub(crate) fn meaning(&self, carrier: Carrier) -> Meaning {
        self.refusal.as_ref().map(|refusal| meaning(refusal, carrier)).unwrap_or_else(|| Meaning {
            message: "the key pair of this server was cleared".to_owned(),
            cure: cure_of(RefusalCode::KeyPairCleared, None, carrier),
        })
    }
}

/// Whether trying again later may help without anyone changing anything.
pub(crate) const fn refusal_is_transient(code: RefusalCode) -> bool {
    matches!(code, RefusalCode::RateLimited | RefusalCode::TemporarilyUnavailable)
}

fn because(refusal: &Refusal) -> String {
    refusal.reason.map(|reason| format!(" ({}): {}", reason.as_str(), reason_in_words(reason))).unwrap_or_default()
}

const fn reason_in_words(reason: InvalidRequestReason) -> &'static str {
    match reason {
        InvalidRequestReason::MalformedClaims => "a member of the request is missing or of the wrong form",
        InvalidRequestReason::WrongMainServer => "the request names a different main server",
        InvalidRequestReason::SealingKeyIsSigningKey => "the request's one-time key is its signing key",
        InvalidRequestReason::RequestIdReused => "a request with the same request id was accepted before",
        InvalidRequestReason::LastReceiptNotOurs => "the receipt in the request was not issued to this server",
    }
}

/// What to do next. The next try is another command for each carrier.
pub(crate) fn cure_of(code: RefusalCode, reason: Option<InvalidRequestReason>, carrier: Carrier) -> String {
    let by_file = carrier == Carrier::File;
    let again = if by_file {
        "run `license-server export-request FILE` and have that file processed"
    } else {
        "run `license-server synchronize` again"
    };
    let clear =
        "write to licensing@solme.se to have the key pair cleared (`license-server request-clear` writes the mail)";
    match code {
        RefusalCode::InvalidSignature if by_file => {
            format!("The request file was damaged: {again}; it is the same request. Send it as an attachment.")
        }
        RefusalCode::InvalidSignature => format!("Try again: {again}."),
        RefusalCode::UnknownLicenseServerId => {
            "Compare the license server id with the one that Solme gave you. If it is mistyped, set up a new state \
             directory with `license-server --state NEW_DIR init --id ID --trust FILE`."
                .to_owned()
        }
        RefusalCode::RateLimited => format!("Wait a few minutes, then {again}."),
        RefusalCode::LicenseServerIdDisabled => {
            format!("Write to licensing@solme.se and ask why; once it is enabled, {again}.")
        }
        RefusalCode::KeyPairCleared => {
            format!("Run `license-server new-key-pair --yes`, then {again}.")
        }
        RefusalCode::RequestAlreadyAnswered | RefusalCode::StateDiverged => format!(
            "Use the other local server and retire this one. Or {clear}, then run `license-server new-key-pair --yes` \
             here, then {again}."
        ),
        RefusalCode::UnsupportedVersion => format!("Update this software, then {again}."),
        RefusalCode::InvalidRequest => match reason {
            Some(InvalidRequestReason::WrongMainServer) if by_file => {
                "Have the request file processed at the main server of this server's trust file; `license-server \
                 status` names it."
                    .to_owned()
            }
            Some(InvalidRequestReason::LastReceiptNotOurs) => format!(
                "Try again: {again}. If it is refused again, {clear}, and run `license-server new-key-pair --yes`."
            ),
            _ => format!("To send a new request, {again}. If it is refused again, report it to licensing@solme.se."),
        },
        RefusalCode::KeyPairInUse => format!(
            "Use the server that holds the key pair. If it is gone or was reinstalled, {clear}; once it is cleared, {again}."
        ),
        RefusalCode::MainServerBehind => {
            format!(
                "Write to licensing@solme.se: their main server lost data. Until its deadline this server keeps issuing; later {again}."
            )
        }
        RefusalCode::TemporarilyUnavailable => format!("Wait, and later {again}."),
    }
}

/// Text of the main server as a part of a sentence, fit for a terminal (P 8.3).
pub(crate) fn remark(text: &str) -> String {
    printable(text.trim().trim_end_matches('.')).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::tests::world::refusal;

    #[test]
    fn one_code_has_one_cause_and_each_carrier_has_a_next_step() {
        let mut messages = HashSet::new();
        for code in RefusalCode::ALL {
            for carrier in [Carrier::Direct, Carrier::File] {
                let Meaning { message, cure } = meaning(&refusal(*code), carrier);
                assert!(cure.ends_with('.') && cure.len() > 20, "{code}: {cure}");
                assert!(carrier == Carrier::Direct || !cure.contains("`license-server synchronize`"), "{code}: {cure}");
                messages.insert(message);
            }
        }
        assert_eq!(messages.len(), RefusalCode::ALL.len());
    }

    #[test]
    fn what_is_wrong_with_a_request_is_named_and_said() {
        let mut messages = HashSet::new();
        for reason in InvalidRequestReason::ALL {
            let refusal = Refusal { reason: Some(*reason), ..refusal(RefusalCode::InvalidRequest) };
            let message = meaning(&refusal, Carrier::Direct).message;
            let (_, words) = message.split_once(&format!("({}): ", reason.as_str())).expect(&message);
            assert!(words.contains("request"), "{message}");
            messages.insert(words.to_owned());
        }
        assert_eq!(messages.len(), InvalidRequestReason::ALL.len());
    }

    #[test]
    fn two_refusals_may_be_gone_the_next_time() {
        let transient: Vec<_> = RefusalCode::ALL.iter().filter(|code| refusal_is_transient(**code)).collect();
        assert_eq!(transient, [&RefusalCode::RateLimited, &RefusalCode::TemporarilyUnavailable]);
    }

    #[test]
    fn the_next_step_is_of_the_carrier_and_of_the_reason() {
        let cure = |code, reason| [Carrier::Direct, Carrier::File].map(|carrier| cure_of(code, reason, carrier));
        let [direct, file] = cure(RefusalCode::InvalidSignature, None);
        assert!(direct.starts_with("Try again") && file.starts_with("The request file was damaged"), "{direct} {file}");
        let invalid = |reason| cure(RefusalCode::InvalidRequest, Some(reason));
        let [direct, file] = invalid(InvalidRequestReason::WrongMainServer);
        assert!(direct.starts_with("To send a new request") && file.contains("trust file"), "{direct} {file}");
        for cure in invalid(InvalidRequestReason::LastReceiptNotOurs) {
            assert!(cure.contains("new-key-pair"), "{cure}");
        }
    }

    #[test]
    fn control_characters_of_the_main_server_do_not_reach_the_terminal() {
        let mut refusal = refusal(RefusalCode::KeyPairInUse);
        refusal.text = "\u{1b}[31mred\r\n".to_owned();
        let message = meaning(&refusal, Carrier::Direct).message;
        assert!(message.ends_with(r"Main server: \u{1b}[31mred"), "{message}");
    }
}
