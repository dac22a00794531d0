//! The client suite: it passes over our own License Server, notices its mutants, and gives everything that is broken a clear
//! verdict.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::process::Command;

const HARNESS: &str = env!("CARGO_BIN_EXE_subject");

/// Judges a subject; gives the exit code and the report.
async fn judge(subject: &str, flags: &[&str]) -> (Option<i32>, Value) {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report.json");
    let mut command = Command::new(HARNESS);
    command.args(["conformance", "client", "--subject", subject, "--json"]).arg(&report).args(flags);
    let output = command.output().await.unwrap();
    let text = std::fs::read(&report).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), serde_json::from_slice(&text).unwrap())
}

/// How often each result came.
fn count(report: &Value, result: &str) -> usize {
    cases(report).filter(|case| case["result"] == result).count()
}

fn cases(report: &Value) -> impl Iterator<Item = &Value> {
    report["cases"].as_array().unwrap().iter()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_license_server_passes_without_a_skip() {
    let (exit, report) = judge("ours", &["--require-all"]).await;
    let others: Vec<&Value> = cases(&report).filter(|case| case["result"] != "passed").collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!((exit, &report["verdict"]), (Some(0), &Value::from("passed")));
    assert!(cases(&report).count() > 200);
}

/// The words of one of the closed lists of a report, reached or not.
fn list(report: &Value, name: &str) -> BTreeSet<String> {
    let list = report["reached"].as_array().unwrap().iter().find(|list| list["list"] == name).unwrap();
    let never = list["never"].as_array().unwrap().iter().map(|never| &never["word"]);
    let words = list["reached"].as_array().unwrap().iter().chain(never);
    words.map(|word| word.as_str().unwrap().rsplit(": ").next().unwrap().to_owned()).collect()
}

/// The codes that a source of the License Server gives in `fn code`.
fn codes(source: &str) -> BTreeSet<String> {
    codes_of(source, "fn code(&self)")
}

fn codes_of(source: &str, function: &str) -> BTreeSet<String> {
    let code = source.split(function).nth(1).unwrap().split("\n    }\n").next().unwrap();
    code.lines().filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_closed_lists_of_the_referee_are_those_of_the_license_server() {
    let (_, report) = judge("ours", &["--only", "1.1"]).await;
    assert_eq!(list(&report, "rule of may-issue"), codes(include_str!("../../client/src/core/issue.rs")));
    let sources = [
        include_str!("../../client/src/core/failure.rs"),
        include_str!("../../client/src/core/file_failure.rs"),
        include_str!("../../client/src/core/proxy_failure.rs"),
        include_str!("../../client/src/store/failure.rs"),
    ];
    let mut failures: BTreeSet<String> = sources.into_iter().flat_map(codes).collect();
    failures.extend(codes_of(sources[0], "fn port_code("));
    failures.extend(["trust-file-not-usable", "file-not-written"].map(str::to_owned));
    assert_eq!(list(&report, "cause of a failure"), failures);
}

/// The whole kill matrix is `harness mutants client`; here are those that would hurt most.
#[tokio::test(flavor = "multi_thread")]
async fn mutants_are_killed_by_the_case_of_their_clause() {
    for (mutant, case) in [
        ("skips-the-signature", "11.1/wrong-signature-is-not-accepted"),
        ("accepts-another-requests-receipt", "11.3/receipt-for-another-request-is-not-accepted"),
        ("skips-the-payload-digest", "11.6/wrong-payload-digest-by-file-is-not-accepted"),
        ("accepts-an-unsigned-refusal", "8.2/an-unsigned-refusal-is-none"),
        ("regenerates-the-key-pair-on-retry", "12.2/a-first-reply-that-was-lost-leaves-no-one-in-use"),
        ("makes-a-new-request-on-retry", "12.2/a-reply-that-was-lost-is-fetched-with-the-same-request"),
        ("reuses-the-one-time-key", "3.4/every-new-request-has-a-fresh-sealing-key"),
        ("forgets-the-deadline", "17.1/nothing-is-issued-from-the-deadline-on"),
        ("trusts-the-local-clock", "17.2/the-mark-counts-when-the-clock-is-behind-it"),
        ("keeps-removed-licenses", "7.1/what-is-removed-is-no-longer-issued"),
    ] {
        let subject = format!("'{HARNESS}' license-server-subject --mutant {mutant}");
        let (exit, report) = judge(&subject, &["--only", case]).await;
        assert_eq!((exit, count(&report, "failed")), (Some(1), 1), "{mutant} survives {case}: {report}");
    }
}

#[tokio::test]
async fn a_broken_subject_fails_each_case_and_passes_none() {
    for (subject, said) in [
        ("sh -c 'kill -SEGV $$'", "signal"),
        ("sh -c 'exit 101'", "101"),
        ("echo rubbish", "rubbish"),
        ("sh -c 'echo {}'", "missing field"),
        ("sh -c 'exec sleep 600'", "hangs"),
        ("yes", "stdout"),
    ] {
        let (exit, report) = judge(subject, &["--only", "1.*", "--verb-limit", "1"]).await;
        let failed = count(&report, "failed");
        assert_eq!((exit, failed), (Some(1), cases(&report).count()), "{subject}: {report}");
        assert!(failed >= 4 && cases(&report).all(|case| case["got"].as_str().unwrap().contains(said)), "{report}");
    }
}

/// Ours, but for one member of its answers.
#[tokio::test]
async fn an_answer_that_is_wrong_fails_with_the_member_that_is() {
    let subject = |from: &str, to: &str| {
        let ours = format!(r#""{HARNESS}" license-server-subject "$@""#);
        format!(r#"sh -c '[ "$1" = worker ] && exit 89; {ours} | sed "s/{from}/{to}/"' sh"#)
    };
    for (from, to, case, wrong) in [
        (
            r#"\"days_left\":[0-9]*"#,
            r#"\"days_left\":\"soon\""#,
            "17.6",
            r#"days_left: invalid type: string "soon", expected u64"#,
        ),
        (r#"\"state\":"#, r#"\"states\":"#, "17.6", "missing field `state`"),
        (
            r#"\"not-reached\""#,
            r#"\"port-shut\""#,
            "13.1",
            "code: unknown variant `port-shut` of `failed`, expected one of not-reached,",
        ),
        (
            r#"\"removed\":\[\]"#,
            r#"\"removed\":null"#,
            "7.1",
            "changes.removed: invalid type: null, expected a sequence",
        ),
    ] {
        let (_, report) = judge(&subject(from, to), &["--only", case]).await;
        let named = cases(&report).filter_map(|case| case["got"].as_str()).any(|got| got.starts_with(wrong));
        assert!(named, "{wrong}: {report:#}");
    }
}

#[tokio::test]
async fn what_is_not_implemented_is_neither_passed_nor_failed() {
    let (_, report) = judge("sh -c 'exit 89'", &["--only", "1.*"]).await;
    assert_eq!(count(&report, "unimplemented"), cases(&report).count());
}

#[tokio::test]
async fn a_subject_that_is_no_command_is_said_to_be_none() {
    let output = Command::new(HARNESS).args(["conformance", "client", "--subject", "'open"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'open"), "{output:?}");
}
