//! What `harness conformance` says to whoever runs it: its exit code is the verdict in every form of report, and the flags
//! do what they say.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

const HARNESS: &str = env!("CARGO_BIN_EXE_subject");
const FORMS: [&str; 5] = ["--json", "--junit", "--tap", "--html", "--markdown"];
const RUBBISH: &str = "echo rubbish";

/// Runs the client suite; gives the exit code and what was printed.
async fn judge(subject: &str, flags: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(HARNESS);
    command.args(["conformance", "client", "--subject", subject]).args(flags);
    let output = command.kill_on_drop(true).output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_is_the_verdict_in_every_form_of_report() {
    // In the order of FORMS: what only a report with this verdict has.
    let conforms =
        ["\"verdict\": \"passed\"", "failures=\"0\" errors=\"0\"", "\nok 1 - 1.1/", ">conforms<", "</code> conforms\n"];
    let deviates = ["\"verdict\": \"failed\"", "failures=\"1\"", "\nnot ok 1 - 1.1/", ">does not conform<", "| 1.1/"];
    for (subject, only, exit, printed, written) in
        [("ours", "1.1", 0, "Conforms", conforms), (RUBBISH, "1.1", 1, "Does not conform", deviates)]
    {
        let run = |flags: Vec<String>| async move {
            let flags: Vec<&str> = ["--only", only].into_iter().chain(flags.iter().map(String::as_str)).collect();
            let (code, text) = judge(subject, &flags).await;
            assert!(code == Some(exit) && text.contains(printed), "{subject} {flags:?}: {code:?}\n{text}");
        };
        run(vec![]).await;
        let dir = tempfile::tempdir().unwrap();
        for (form, wanted) in FORMS.into_iter().zip(written) {
            let file = dir.path().join(form).into_os_string().into_string().unwrap();
            run(vec![form.to_owned(), file.clone()]).await;
            let report = fs::read_to_string(file).unwrap();
            assert!(report.contains(wanted), "{subject} --only {only} {form}: {wanted} is not in\n{report}");
        }
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_no_success() {
    for form in FORMS {
        // Only who writes there is told.
        let (code, _) = judge("ours", &["--only", "1.1", form, "/dev/full"]).await;
        assert_eq!(code, Some(1), "{form}");
    }
}

#[tokio::test]
async fn a_seed_that_was_given_is_the_one_of_the_report_and_of_the_line_that_runs_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json").into_os_string().into_string().unwrap();
    judge(RUBBISH, &["--only", "1.1", "--seed", "4711", "--json", &file]).await;
    let report: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(report["seed"], 4711);
    let again = "harness conformance client --subject 'echo rubbish' --only \
                 '1.1/the-first-synchronization-makes-licenses-known' --seed 4711";
    assert_eq!(report["cases"][0]["rerun"], again);
}

#[tokio::test]
async fn repeated_until_failure_ends_with_the_seed_that_failed() {
    let dir = tempfile::tempdir().unwrap();
    let (_, text) =
        judge(&fails_after(dir.path(), 9), &["--only", "1.2", "--seed", "1", "--repeat-until-failure"]).await;
    let seeds: Vec<&str> = text.lines().filter(|line| line.contains("(client, seed")).collect();
    assert!(seeds.len() > 1, "{text}");
    for (n, line) in seeds.iter().enumerate() {
        let (last, seed) = (n + 1 == seeds.len(), format!("seed {})", n + 1));
        assert!(line.ends_with(&seed) && line.starts_with("Conforms") != last, "{text}");
    }
}

/// Our own License Server, which breaks once it has carried out so many verbs.
fn fails_after(dir: &Path, verbs: usize) -> String {
    let count = dir.join("count");
    let count = count.display();
    format!(
        r#"sh -c 'echo >> "{count}"; test $(wc -l < "{count}") -le {verbs} && exec "{HARNESS}" license-server-subject "$@"' sh"#
    )
}

#[tokio::test]
async fn deviations_have_to_be_as_expected() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deviations.toml");
    let case = "1.1/the-first-synchronization-makes-licenses-known";
    for (subject, named, exit, printed) in [
        (RUBBISH, case, 0, "(expected deviation)"),
        ("ours", case, 1, "passed, but was expected to deviate"),
        ("ours", "1.1/no-such-case", 1, "which is not a case of this suite"),
    ] {
        fs::write(&file, format!("[[deviation]]\ncase = \"{named}\"\nreason = \"known\"\n")).unwrap();
        let (code, text) = judge(subject, &["--only", case, "--deviations", file.to_str().unwrap()]).await;
        assert!(code == Some(exit) && text.contains(printed), "{subject}, {named}: {code:?}\n{text}");
    }
    fs::write(&file, "[[deviation]]\ncase = \"1.1/x\"\n").unwrap();
    assert_eq!(judge("ours", &["--deviations", file.to_str().unwrap()]).await.0, Some(2), "without a reason");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_subjects_are_judged_side_by_side_and_all_have_to_conform() {
    let dir = tempfile::tempdir().unwrap();
    let case = "1.1/the-first-synchronization-makes-licenses-known";
    let files: Vec<String> = FORMS.iter().map(|form| dir.path().join(form).to_str().unwrap().to_owned()).collect();
    let reports: Vec<&str> = FORMS.iter().zip(&files).flat_map(|(form, file)| [*form, file]).collect();
    let flags = [&["--only", case, "--subject", RUBBISH], reports.as_slice()].concat();
    let (code, text) = judge("ours", &flags).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Conforms: ours") && text.contains("Does not conform: echo rubbish"), "{text}");

    let [json, junit, tap, html] = [0, 1, 2, 3].map(|form: usize| fs::read_to_string(&files[form]).unwrap());
    let json: Value = serde_json::from_str(&json).unwrap();
    let said: Vec<(&Value, &Value)> =
        json.as_array().unwrap().iter().map(|report| (&report["subject"], &report["verdict"])).collect();
    let [ours, rubbish, passed, failed] = ["ours", RUBBISH, "passed", "failed"].map(Value::from);
    assert_eq!(said, [(&ours, &passed), (&rubbish, &failed)]);
    assert_eq!((junit.matches("<testsuite ").count(), junit.matches("<failure ").count()), (2, 1), "{junit}");
    let points = |tap: &str| tap.lines().filter(|line| line.contains("ok ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(points(&tap), [format!("ok 1 - ours: {case}"), format!("not ok 2 - echo rubbish: {case}")], "{tap}");
    assert!(tap.starts_with("TAP version 13\n1..2\n"), "{tap}");
    let (_, tap) = judge("ours", &["--only", case, "--subject", RUBBISH, "--tap", "-", "--tap-version", "14"]).await;
    let [passes, fails] = [format!("    ok 1 - {case}"), format!("    not ok 1 - {case}")];
    assert_eq!(points(&tap), [&passes, "ok 1 - ours", &fails, "not ok 2 - echo rubbish"], "{tap}");
    assert!(tap.starts_with("TAP version 14\n1..2\n# Subtest: ours\n    1..1\n"), "{tap}");
    assert!(html.contains("<td class=\"passed\"><a ") && html.contains("<td class=\"failed\"><a "), "{html}");

    let deviations = dir.path().join("deviations.toml");
    let known = format!("[[deviation]]\ncase = \"{case}\"\nsubject = \"{RUBBISH}\"\nreason = \"known\"\n");
    fs::write(&deviations, known).unwrap();
    let flags = ["--only", case, "--subject", RUBBISH, "--deviations", deviations.to_str().unwrap()];
    let (code, text) = judge("ours", &flags).await;
    assert_eq!((code, text.matches("(expected deviation)").count()), (Some(0), 1), "{text}");
    assert_eq!(judge("ours", &["--subject", "ours"]).await.0, Some(2), "a name appears twice");
    let no_command = judge("ours", &["--only", case, "--subject", "'open"]).await;
    assert_eq!(no_command, (Some(2), String::new()), "nobody is judged before each is a command");
}
