//! The suite for main servers: passes ours, notices mutants, and has a verdict for whatever is no subject at all.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

/// The executable that is the harness too.
const HARNESS: &str = env!("CARGO_BIN_EXE_subject");

async fn judge(subject: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(HARNESS);
    command.args(["conformance", "server", "--seed", "1", "--subject", subject]).args(arguments);
    command.kill_on_drop(true).output().await.unwrap()
}

/// Ours, with one bug.
fn mutant(name: &str) -> String {
    format!("'{HARNESS}' mock-solme-subject --mutant {name}")
}

#[tokio::test]
async fn our_main_server_passes_every_case() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let output = judge("ours", &["--require-all", "--json", file.to_str().unwrap()]).await;
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let cases = report["cases"].as_array().unwrap();
    let others: Vec<&Value> = cases.iter().filter(|case| case["result"] != "passed").collect();
    assert_eq!(others, Vec::<&Value>::new(), "seed {}", report["seed"]);
    assert!(cases.len() > 100, "{}", cases.len());
    assert_eq!((report["verdict"].as_str(), output.status.code()), (Some("passed"), Some(0)));
}

#[tokio::test]
async fn a_main_server_with_one_bug_fails_the_case_about_it() {
    for (name, case) in [
        ("accepts-foreign-signature", "9.2/somebody-elses-signature-does-not-bind"),
        ("compares-last-receipt-by-signature", "4.6/a-last-receipt-with-the-other-signature-is-the-same-receipt"),
        ("behind-is-diverged", "9.12/a-restored-main-server-knows-that-it-is-behind"),
        ("deadline-of-365-days", "6.2/synchronize-by-is-366-days-after-iat"),
        ("seals-without-info", "7.4/*"),
        ("response-file-on-one-line", "14.3/*"),
    ] {
        let output = judge(&mutant(name), &["--only", case]).await;
        assert_eq!(output.status.code(), Some(1), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[tokio::test]
async fn what_is_no_subject_fails_and_is_told_why() {
    for (subject, why) in [
        ("sh -c 'exit 3'", "exit status: 3"),
        ("sh -c 'exit 89'", "exit status: 89"),
        ("echo hello", "not JSON"),
        ("sh -c 'exec sleep 60'", "it hangs"),
    ] {
        let output = judge(subject, &["--verb-limit", "1", "--only", "9.7"]).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{subject}: {said}");
        assert!(said.contains(why), "{subject}: {said}");
    }
}

#[tokio::test]
async fn a_subject_that_serves_and_does_nothing_else_fails() {
    let (dead, mute) = (only_serves("exit 3"), only_serves("exec sleep 60"));
    for (subject, why) in [(&dead, "exit status: 3"), (&mute, "it hangs")] {
        let output = judge(subject, &["--verb-limit", "1", "--only", "9.7"]).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{subject}: {said}");
        assert!(said.contains(why), "{subject}: {said}");
    }
}

/// A subject that serves as ours does; every other verb is this.
fn only_serves(verb: &str) -> String {
    format!(r#"sh -c 'if [ "$1" = serve ]; then exec "{HARNESS}" mock-solme-subject "$@"; else {verb}; fi' sh"#)
}

#[tokio::test]
async fn what_a_main_server_does_not_implement_fails_only_where_all_is_required() {
    let subject = format!(
        r#"sh -c 'case "$1" in snapshot|worker) exit 89;; *) exec "{HARNESS}" mock-solme-subject "$@";; esac' sh"#
    );
    let only = ["--only", "9.12"];
    assert_eq!(judge(&subject, &only).await.status.code(), Some(0));
    assert_eq!(judge(&subject, &[&only[..], &["--require-all"]].concat()).await.status.code(), Some(1));
}
