//! The catalogue of defects (`fixtures/src/defects`), over both carriers: each message and each file that is wrong in one
//! thing must not be accepted, must change nothing, and must not keep the next honest one from being accepted. Defects
//! of one kind and one clause are a case: they share a stage, and the finding names the defect.

use mock_solme::quirks::{Fault, Operation, Variant};
use solme_sync_fixtures::Object;
use solme_sync_fixtures::defects::{Defect, Kind, Right, catalogue};

use super::dishonest::{all_have_happened, arm, recovers, recovers_directly};
use super::stage::{ID, Stage, id, operated};
use crate::conformance::{Case, Finding, Outcome, case};
use crate::subject::answers::Said;

const RECEIPT: &[&str] = &["receipt-wrong", "not-the-main-server"];
const REFUSAL: &[&str] = &["refusal-wrong", "main-server-trouble", "not-the-main-server"];
const PAYLOAD: &[&str] = &["payload-wrong"];
const FILE: &[&str] = &["file-not-usable"];
const SET_UP: &[&str] = &["file-not-usable", "local-state"];

/// Cases of the defects of one kind, a case for each of these clauses.
macro_rules! of {
    ($kind:ident, $name:literal, $run:ident: $($clause:literal)*) => {
        [$(case!($clause, Must, $name, $run(Kind::$kind, $clause)),)*]
    };
}

pub(super) fn cases() -> Vec<Case<Stage>> {
    let mut cases = Vec::new();
    cases.extend(of![Receipt, "defective-receipts-are-not-accepted", message:
        "2.1" "2.2" "2.4" "2.5" "2.7" "2.8" "2.9" "3.2" "4.1" "4.2" "4.3" "4.4" "4.5" "4.7" "6.1" "11.1"]);
    cases.extend(of![Refusal, "defective-refusals-are-not-accepted", message:
        "2.1" "2.2" "2.4" "2.5" "2.9" "4.1" "4.2" "4.3" "4.4" "4.5" "4.7" "8.1" "10.1" "11.1" "11.10"]);
    cases.extend(of![Allocation, "defective-allocations-are-not-accepted", message: "2.2" "2.5" "2.8" "7.2" "11.8"]);
    cases.extend(of![Problem, "defective-problem-documents-are-no-refusals", problem: "2.1" "2.2" "8.2" "13.6"]);
    cases.extend(of![File, "defective-response-files-are-not-usable", file: "2.2" "2.4" "14.2"]);
    cases.extend(of![Trust, "defective-trust-files-set-nothing-up", trust: "15.1" "15.2"]);
    cases
}

/// The clause of the case that looks at a defect. A clause that is a whole section is looked at where the section is
/// demanded of a License Server.
fn clause_of(defect: &Defect) -> &'static str {
    match (defect.clause, defect.kind) {
        ("6", _) => "6.1",
        ("7", _) | ("18", Kind::Allocation) => "11.8",
        ("18", Kind::Receipt) => "11.1",
        ("18", Kind::Refusal) => "11.10",
        ("18", Kind::Problem) => "13.6",
        ("18", Kind::Trust) => "15.1",
        (clause, _) => clause,
    }
}

fn defects(kind: Kind, clause: &'static str) -> impl Iterator<Item = &'static Defect> {
    catalogue().iter().filter(move |defect| defect.kind == kind && clause_of(defect) == clause)
}

/// The finding says which defect it is about.
fn named(defect: &Defect, outcome: Outcome) -> Outcome {
    outcome.map_err(|finding| match finding {
        Finding::Deviates { expected, got } => {
            Finding::deviates(format!("{expected}, where {} ({})", defect.what, defect.name), got)
        }
        other => other,
    })
}

/// Receipts, refusals and allocations: over the network, and in a response file where the subject has files.
async fn message(stage: &Stage, kind: Kind, clause: &'static str) -> Outcome {
    let codes = match kind {
        Kind::Receipt => RECEIPT,
        Kind::Refusal => REFUSAL,
        _ => PAYLOAD,
    };
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    let request = match server.export("a").await {
        Err(Finding::Unimplemented(_)) => None,
        exported => Some(exported?),
    };
    for defect in defects(kind, clause) {
        happens(stage, defect, Operation::Synchronize)?;
        named(defect, rejects(server.synchronize().await?, codes))?;
        if let Some(request) = &request {
            happens(stage, defect, Operation::File)?;
            let bad = stage.process(request)?;
            named(defect, rejects(server.import(&bad).await?, FILE))?;
        }
        named(defect, Finding::unless_equal(&before, &server.status().await?))?;
    }
    server.issues().await?;
    recovers(stage, &server, &before).await
}

/// The defect happens once, to this operation.
fn happens(stage: &Stage, defect: &Defect, operation: Operation) -> Outcome {
    let broken = |what: String| Finding::deviates("a working case", what);
    let variant: Variant = defect.name.parse().map_err(broken)?;
    let fault = Fault::of(variant).ok_or_else(|| broken(format!("no quirk has {variant}")))?;
    arm(stage, fault.operation(operation).next(1))
}

fn rejects(said: Said, codes: &[&str]) -> Outcome {
    said.is_failed_with_one_of(codes)
}

/// Problem documents that carry an honest refusal, or would.
async fn problem(stage: &Stage, kind: Kind, clause: &'static str) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    stage.main.disable(&id(ID)).map_err(operated)?;
    for defect in defects(kind, clause) {
        happens(stage, defect, Operation::Synchronize)?;
        named(defect, rejects(server.synchronize().await?, REFUSAL))?;
        named(defect, Finding::unless_equal(&before, &server.status().await?))?;
    }
    all_have_happened(stage)?;
    server.synchronize().await?.is_refused("license-server-id-disabled")?;
    stage.main.enable(&id(ID)).map_err(operated)?;
    recovers_directly(stage, &server, &before).await
}

/// Response files.
async fn file(stage: &Stage, kind: Kind, clause: &'static str) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    let request = server.export("a").await?;
    for defect in defects(kind, clause) {
        happens(stage, defect, Operation::File)?;
        let bad = stage.process(&request)?;
        named(defect, rejects(server.import(&bad).await?, FILE))?;
        named(defect, Finding::unless_equal(&before, &server.status().await?))?;
    }
    server.issues().await?;
    recovers(stage, &server, &before).await
}

/// Trust files: the same directory can still be set up with a right one.
async fn trust(stage: &Stage, kind: Kind, clause: &'static str) -> Outcome {
    let server = stage.bare_server("a");
    let right = Object::parse(&stage.main.trust().to_json()).map(Right::Document);
    let right = right.ok_or_else(|| Finding::deviates("a working case", "the trust file is no object"))?;
    for defect in defects(kind, clause) {
        let bad = stage.write("bad.json", defect.apply(&right).unwrap_or_default())?;
        named(defect, rejects(server.init(ID, &bad).await?, SET_UP))?;
    }
    server.init(ID, stage.main.trust_file()).await?.is_done()?;
    stage.synchronize(&server).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_of_what_a_license_server_reads_is_in_a_case() {
        let cases = cases();
        for defect in catalogue().iter().filter(|defect| defect.kind != Kind::Request) {
            let name = match defect.kind {
                Kind::Receipt => "defective-receipts-are-not-accepted",
                Kind::Refusal => "defective-refusals-are-not-accepted",
                Kind::Allocation => "defective-allocations-are-not-accepted",
                Kind::Problem => "defective-problem-documents-are-no-refusals",
                Kind::File => "defective-response-files-are-not-usable",
                _ => "defective-trust-files-set-nothing-up",
            };
            let clause = clause_of(defect);
            let seen = cases.iter().any(|case| (case.clause, case.name) == (clause, name));
            assert!(seen, "no case {clause}/{name} for {}", defect.name);
        }
        for case in &cases {
            let looks = catalogue().iter().any(|defect| clause_of(defect) == case.clause);
            assert!(looks, "{} has no defect", case.id());
        }
    }
}
