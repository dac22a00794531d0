//! Every defect of the catalogue that a main server reads, over both carriers: the bad files of `fixtures/bad`, as live
//! messages of a License Server that is right but for this.

use solme_sync_fixtures::Object;
use solme_sync_fixtures::defects::{Defect, Key, Kind, Message, Right, catalogue};
use solme_sync_protocol::{InvalidRequestReason, ProblemCode, RefusalCode, SyncFile};

use super::super::answer::Answer;
use super::super::keys::PlayedKey;
use super::super::stage::{LicenseServer, Stage};
use super::of;
use crate::conformance::{Case, Finding, Outcome, case, cases};

/// Clauses that a request can break, with a case for each carrier.
macro_rules! requests {
    ($($clause:literal)*) => {
        [$(
            case!($clause, Must, OVER_443, direct($clause)),
            case!($clause, Must, BY_FILE, by_file($clause)),
        )*]
    };
}

const OVER_443: &str = "no-defect-of-the-catalogue-is-accepted-over-443";
const BY_FILE: &str = "no-defect-of-the-catalogue-is-accepted-by-file";

/// Its cases.
pub(super) fn cases() -> Vec<Case<Stage>> {
    let requests = requests! {
        "2.1" "2.2" "2.3" "2.4" "2.5" "2.7" "2.8" "3.1" "4.1" "4.2" "4.3" "4.4" "4.5" "4.7" "5.1" "9.1" "9.2"
    };
    let mut cases: Vec<Case<Stage>> = requests.into_iter().collect();
    cases.extend(cases! { "14.2" Must no_defect_of_a_request_file_is_accepted; });
    cases
}

/// More of them tell nobody more.
const FINDINGS: usize = 8;

impl Key for PlayedKey {
    fn public_jwk(&self) -> Object {
        object(&super::super::draft::Object::jwk(&self.jwk).json())
    }

    fn sign(&self, signing_input: &str) -> [u8; 96] {
        Self::sign(self, signing_input)
    }
}

fn object(json: &str) -> Object {
    Object::parse(json.as_bytes()).expect("our own JSON is an object")
}

/// The defects of a request that break this clause. Limits (section 18) belong to what is readable.
fn defects_of(clause: &'static str) -> impl Iterator<Item = &'static Defect> {
    let breaks = move |defect: &&Defect| defect.clause == clause || (clause, defect.clause) == ("9.1", "18");
    catalogue().iter().filter(|defect| defect.kind == Kind::Request).filter(breaks)
}

/// A request with this defect.
fn defective(server: &LicenseServer, defect: &Defect) -> Vec<u8> {
    let draft = server.draft();
    let (header, payload) = (object(&draft.header.json()), object(&draft.payload.json()));
    let stranger = server.with_new_key_pair().key;
    let right = Right::Message(Message { header, payload, key: &draft.key, stranger: &stranger });
    defect.apply(&right).expect("a defect of a request applies to a request")
}

async fn direct(stage: &Stage, clause: &'static str) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let mut findings = Vec::new();
    for defect in defects_of(clause) {
        let answer = server.site.send(defective(&server, defect)).await;
        note(&mut findings, defect, answer.and_then(|answer| refused_as_it_should_be(defect, answer)))?;
    }
    nothing_happened(&mut server, findings).await
}

async fn by_file(stage: &Stage, clause: &'static str) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let mut findings = Vec::new();
    for defect in defects_of(clause) {
        // what is not text has no place in a file
        let Ok(text) = String::from_utf8(defective(&server, defect)) else { continue };
        let file = SyncFile::Request(text).to_bytes(&["A request of the conformance suite.".to_owned()]);
        let answer = server.site.process(&file).await;
        let judged = answer.and_then(|file| match file {
            None => no_response_file(defect),
            Some(file) => {
                let (answer, _) = Answer::read_file(&file, server.site.trusted())?;
                refused_as_it_should_be(defect, answer)
            }
        });
        note(&mut findings, defect, judged)?;
    }
    nothing_happened(&mut server, findings).await
}

async fn no_defect_of_a_request_file_is_accepted(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let mut findings = Vec::new();
    // a member payload is one that a reader of request files does not know
    let of_a_request = |defect: &&Defect| defect.kind == Kind::File && !defect.name.starts_with("file_payload");
    for defect in catalogue().iter().filter(of_a_request) {
        let file = SyncFile::Request(server.request().jws).to_bytes(&["A request file.".to_owned()]);
        let file = defect.apply(&Right::Document(object(&String::from_utf8_lossy(&file))));
        let file = file.expect("a defect of a file applies to a file");
        let judged = server.site.process(&file).await.and_then(|answer| match answer {
            None => Ok(()),
            Some(file) => Err(Finding::deviates("no response file", String::from_utf8_lossy(&file))),
        });
        note(&mut findings, defect, judged)?;
    }
    nothing_happened(&mut server, findings).await
}

/// Keeps a deviation; anything else ends the case.
fn note(findings: &mut Vec<(String, String)>, defect: &Defect, judged: Outcome) -> Outcome {
    match judged {
        Err(Finding::Deviates { expected, got }) => {
            findings.push((format!("{}, {}: {expected}", defect.name, defect.what), got));
            if findings.len() < FINDINGS { Ok(()) } else { told(findings) }
        }
        other => other,
    }
}

fn told(findings: &[(String, String)]) -> Outcome {
    if findings.is_empty() {
        return Ok(());
    }
    let lines = |of: fn(&(String, String)) -> &String| findings.iter().map(of).cloned().collect::<Vec<_>>().join("\n");
    Err(Finding::deviates(lines(|finding| &finding.0), lines(|finding| &finding.1)))
}

/// None of it was accepted: the first request that is right is the first of the id.
async fn nothing_happened(server: &mut LicenseServer, findings: Vec<(String, String)>) -> Outcome {
    told(&findings)?;
    let sequence = server.synchronize().await?.receipt.sequence;
    of("the first right request", Finding::unless_equal(&1, &sequence))
}

/// What the catalogue expects of a reader, as an answer of section 9.
fn refused_as_it_should_be(defect: &Defect, answer: Answer) -> Outcome {
    let class = defect.expect.split(':').next().unwrap_or_default();
    match (class, defect.clause) {
        ("wrong-signature", _) => answer.refused(RefusalCode::InvalidSignature).map(drop),
        ("version", _) => answer.refused(RefusalCode::UnsupportedVersion).map(drop),
        ("malformed" | "rule", _) => answer.invalid(InvalidRequestReason::MalformedClaims),
        ("too-large", _) => answer.problem(ProblemCode::RequestTooLarge).map(drop),
        // section 18: refused as unreadable or malformed
        ("payload", "18") if !matches!(answer, Answer::Problem { .. }) => {
            answer.invalid(InvalidRequestReason::MalformedClaims)
        }
        _ => answer.problem(ProblemCode::UnreadableRequest).map(drop),
    }
}

/// P 14.5: an unreadable request gets no response file, and one that can be read gets one.
fn no_response_file(defect: &Defect) -> Outcome {
    let class = defect.expect.split(':').next().unwrap_or_default();
    match class {
        "wrong-signature" | "version" | "malformed" | "rule" => Err(Finding::deviates("a refusal in a file", "failed")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_defect_of_a_request_reaches_a_main_server() {
        let looked_at: BTreeSet<&str> =
            cases().iter().flat_map(|case| defects_of(case.clause)).map(|defect| defect.name.as_str()).collect();
        let all: BTreeSet<&str> = catalogue()
            .iter()
            .filter(|defect| defect.kind == Kind::Request)
            .map(|defect| defect.name.as_str())
            .collect();
        assert_eq!(looked_at, all);
        assert!(all.len() > 100, "{}", all.len());
    }
}
