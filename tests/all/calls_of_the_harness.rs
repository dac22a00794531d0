//! How `harness` is called: what cannot be carried out is one sentence and exit code 2, an interrupted run still reports, and
//! standard output may be a report or a pipe that nobody reads.

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

const HARNESS: &str = env!("CARGO_BIN_EXE_subject");

fn harness(words: &[&str]) -> Command {
    let mut command = Command::new(HARNESS);
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn call(words: &[&str]) -> Output {
    harness(words).output().await.unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What is wrong and what to do next, on standard error.
async fn fails(words: &[&str], code: i32, said: &str) {
    let output = call(words).await;
    let errors = errors(&output);
    assert!(output.status.code() == Some(code) && output.stdout.is_empty(), "{words:?}: {output:?}");
    let lines: Vec<&str> = errors.lines().collect();
    let [wrong, next] = lines.as_slice() else { panic!("{words:?}: {errors}") };
    assert!(
        wrong.starts_with("harness: ") && next.starts_with("Next: ") && errors.contains(said),
        "{words:?}: {errors}"
    );
}

/// The same with exit code 2.
async fn is_usage(words: &[&str], said: &str) {
    fails(words, 2, said).await;
}

/// The failure as JSON on standard output, which has it for itself.
async fn fails_as_json(words: &[&str], exit: i32, code: &str) -> Value {
    let output = call(words).await;
    assert!(output.status.code() == Some(exit) && output.stderr.is_empty(), "{words:?}: {output:?}");
    let failure: Value = serde_json::from_str(out(&output).lines().last().unwrap()).unwrap();
    assert_eq!((&failure["outcome"], &failure["code"]), (&"failed".into(), &code.into()), "{words:?}: {failure}");
    for member in ["message", "cure"] {
        assert!(failure[member].as_str().is_some_and(|text| !text.is_empty()), "{words:?}: {failure}");
    }
    failure
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (empty, here) = (path("empty"), dir.path().to_str().unwrap());
    std::fs::write(&empty, "title = \"t\"\nabout = \"a\"\nstep = []\n").unwrap();
    is_usage(&["scenario", "/no/such"], "Name a scenario").await;
    is_usage(&["scenario", here], "directory").await;
    is_usage(&["scenario", &empty], "is not a scenario").await;
    is_usage(&["scenario", &empty, &empty, "--web"], "Name one file").await;
    is_usage(&["scenario", "--reference", "/no/such/page"], "no directory /no/such").await;
    is_usage(&["demo", "--junit", "/no/such/report"], "no directory /no/such").await;
    is_usage(&["demo", "--html", "-", "--junit", "-"], "only one").await;
    is_usage(&["demo", "--json", "--junit", "-"], "only one").await;
    let judge = ["conformance", "client", "--subject", "ours", "--deviations"];
    is_usage(&[&judge[..], &[here]].concat(), "a file of deviations").await;
    let wrong = path("deviations");
    std::fs::write(&wrong, "[[deviation]]\ncase = \"1.1/x\"\nreason = \"\"\n").unwrap();
    is_usage(&[&judge[..], &[&wrong]].concat(), "1.1/x has no reason").await;
}

#[tokio::test]
async fn a_failure_is_json_where_json_has_standard_output() {
    fails_as_json(&["scenario", "/no/such", "--json"], 2, "file-unreadable").await;
    fails_as_json(&["demo", "--json", "--no-such-flag"], 2, "usage").await;
    let judge = ["conformance", "client", "--json", "-", "--subject"];
    let failure = fails_as_json(&[&judge[..], &["/no/such\u{202e}"]].concat(), 2, "subject-not-started").await;
    assert_eq!(failure["cure"], "Run the command by hand, then fix --subject.");
    let json = ["mutants", "client", "--json=-", "--mutant", "no-such-bug"];
    fails_as_json(&json, 2, "nothing-matches").await;
    let output = call(&["list", "client", "\u{1b}[31m"]).await;
    assert!(!errors(&output).contains('\u{1b}') && output.status.code() == Some(2), "{output:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_before_anything_is_played() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    is_usage(&["demo", "--web", "--port", &port], "--port").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_named_and_ends_with_1() {
    for words in [&["list", "client"][..], &["clauses"], &["completions", "bash"], &["demo"], &["demo", "--json"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let process = harness(words).stdout(full).spawn().unwrap();
        let output = process.wait_with_output().await.unwrap();
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {errors}");
        assert!(words.contains(&"--json") || errors.contains("cannot write to standard output"), "{words:?}: {errors}");
        assert!(!errors.contains("panicked"), "{words:?}: {errors}");
    }
    fails(&["clauses", "--out", "/dev/full"], 1, "No space left").await;
}

#[tokio::test]
async fn an_interrupted_story_says_so_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (words, name, code) in [
        (&["demo", "--step"][..], "-INT", 130),
        (&["demo", "--step"], "-TERM", 143),
        (&["demo", "--pace", "10m"], "-INT", 130),
    ] {
        let mut command = harness(words);
        let mut process = command.stdin(Stdio::piped()).env("TMPDIR", dir.path()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while !lines.next_line().await.unwrap().unwrap().contains('✓') {}
        signal(&process, name).await;
        let mut errors = String::new();
        process.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
        assert_eq!(process.wait().await.unwrap().code(), Some(code), "{errors}");
        assert!(errors.contains("harness: interrupted") && errors.contains("Next: "), "{errors}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "what was played in is gone");
    }
}

#[tokio::test]
async fn a_subject_that_cannot_be_started_is_one_sentence() {
    for suite in ["client", "server"] {
        for (subject, said) in [
            ("/no/such/subject", "No such file"),
            ("/", "it is a directory"),
            ("sh -c 'exec /no/such/subject'", "not found"),
            (" ", "it is empty"),
            ("'open", "is not closed"),
        ] {
            is_usage(&["conformance", suite, "--subject", subject], said).await;
        }
    }
    let twice = ["conformance", "client", "--subject", "ours", "--subject", "ours"];
    is_usage(&twice, "appears twice").await;
    is_usage(&["conformance", "client", "--subject", "ours", "--deviations", "/no/such/file"], "/no/such/file").await;
}

#[tokio::test]
async fn a_new_adapter_is_judged_and_told_what_to_implement_next() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = dir.path().join("my adapter");
    let new = ["new-adapter", "shell", adapter.to_str().unwrap()];
    let written = call(&new).await;
    assert!(written.status.success(), "{written:?}");
    is_usage(&new, "exists already").await;
    // What it tells to read is there, without this repository.
    for page in ["SUBJECT.md", "PROTOCOL.md"] {
        assert!(adapter.join(page).is_file(), "{page}");
    }

    // As it says: quoted, since the path has a space.
    let line = out(&written).lines().last().unwrap().trim().to_owned();
    let line = format!("{} --only 13.1", line.replacen("harness", "\"$0\"", 1));
    let judged = Command::new("sh").args(["-c", &line]).arg(HARNESS).output().await.unwrap();
    let told = out(&judged);
    assert_eq!(judged.status.code(), Some(1), "{judged:?}");
    assert!(told.contains("Next: implement init ") && told.contains("P 15.1") && told.contains(" 0 failed"), "{told}");
    let again = told.lines().find(|line| line.starts_with("Then run one of them: ")).unwrap();
    assert!(again.ends_with(" --guide"), "{again}");

    let ours = call(&["conformance", "client", "--subject", "ours", "--guide", "--only", "13.1/both-ports-are-used"]);
    let told = out(&ours.await);
    assert!(told.contains("Next: run it without --only."), "{told}");
}

#[tokio::test]
async fn what_cannot_be_written_is_said_before_anything_is_judged() {
    let dir = tempfile::tempdir().unwrap();
    let (here, file) = (dir.path().to_str().unwrap(), dir.path().join("report"));
    let file = file.to_str().unwrap();
    let judge = ["conformance", "client", "--subject", "ours", "--only", "1.1"];
    for form in ["--json", "--junit", "--tap", "--html", "--markdown"] {
        is_usage(&[&judge[..], &[form, "/no/such/folder/report"]].concat(), "no directory /no/such/folder").await;
        is_usage(&[&judge[..], &[form, here]].concat(), "is a directory").await;
    }
    is_usage(&[&judge[..], &["--json", file, "--tap", file]].concat(), "two reports").await;
    is_usage(&["mutants", "client", "--json", file, "--html", file], "two reports").await;
    is_usage(&["mutants", "client", "--json", "/no/such/folder/report"], "no directory").await;
    is_usage(&["clauses", "--out", "/no/such/folder/page"], "no directory").await;
    is_usage(&["man-pages", "/no/such/folder"], "no directory /no/such/folder").await;
    assert!(!std::path::Path::new(file).exists(), "nothing was judged");
    for flag in ["--parallel", "--verb-limit"] {
        assert_eq!(call(&[&judge[..], &[flag, "0"]].concat()).await.status.code(), Some(2), "{flag}");
    }
}

#[tokio::test]
async fn what_matches_nothing_names_what_was_meant() {
    let wanted = "9.7/a-resend-is-byte-by-byte";
    let near = out(&call(&["list", "server", "--only", "9.7"]).await);
    let near = near.split(' ').next().unwrap();
    is_usage(&["conformance", "server", "--subject", "ours", "--only", "9.12", "--only", wanted], near).await;
    is_usage(&["list", "server", "--only", wanted], near).await;
    is_usage(&["list", "client", "--only", "xyzzy"], "See `harness list client`").await;
    is_usage(&["mutants", "client", "--mutant", "skips-the-signatur"], "skips-the-signature").await;
}

#[tokio::test]
async fn only_may_be_repeated() {
    let several = out(&call(&["list", "client", "--only", "1.1", "--only", "1.2"]).await);
    let clauses: Vec<&str> = several.lines().filter(|line| !line.starts_with(' ')).map(|line| &line[..4]).collect();
    assert!(clauses.contains(&"1.1/") && clauses.contains(&"1.2/"), "{several}");
    assert!(clauses.iter().all(|clause| ["1.1/", "1.2/"].contains(clause)), "{several}");
}

#[tokio::test]
async fn a_verb_that_an_adapter_of_ours_does_not_know_is_not_implemented() {
    for adapter in ["license-server-subject", "mock-solme-subject"] {
        for words in
            [vec![adapter, "dance"], vec![adapter, "add-id", "--new-flag"], vec![adapter, "status", "--new-flag"]]
        {
            assert_eq!(call(&words).await.status.code(), Some(89), "{words:?}");
        }
        assert_eq!(call(&[adapter, "--mutant", "no-such-bug"]).await.status.code(), Some(2));
    }
}

#[tokio::test]
async fn a_report_on_standard_output_has_it_for_itself() {
    let only = ["conformance", "client", "--subject", "ours", "--only", "1.1"];
    let output = call(&[&only[..], &["--json", "-"]].concat()).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["interrupted"]), (&Value::from("passed"), &Value::from(false)));
    assert!(errors(&output).contains("Conforms"), "{output:?}");
    assert!(!std::path::Path::new("-").exists());
    is_usage(&[&only[..], &["--json", "-", "--tap", "-"]].concat(), "standard output").await;
}

#[tokio::test]
async fn a_reader_that_has_gone_away_is_met_with_silence() {
    for words in [
        &["list", "client"][..],
        &["clauses"],
        &["demo"],
        &["conformance", "client", "--subject", "ours", "--only", "1.1", "--json", "-"],
        &["conformance", "client", "--subject", "ours", "--only", "1.1"],
    ] {
        let mut process = harness(words).spawn().unwrap();
        drop(process.stdout.take());
        let mut errors = String::new();
        process.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
        let said = errors.contains("panicked") || errors.contains("roken pipe");
        assert!(!said, "{words:?}: {errors}");
        assert!(process.wait().await.unwrap().code().is_some());
    }
}

/// Ends the process as a service manager or Ctrl-C does.
async fn signal(process: &tokio::process::Child, name: &str) {
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args([name, &id]).status().await.unwrap().success());
}

#[tokio::test]
async fn an_interrupted_run_reports_what_is_known() {
    // The first case passes; a later one of the next clause meets a subject that hangs.
    let dir = tempfile::tempdir().unwrap();
    let stuck = dir.path().join("stuck");
    let hangs = format!(
        r#"sh -c 'test -e "{0}" && exec sleep 600; exec "{HARNESS}" license-server-subject "$@"' sh"#,
        stuck.display()
    );
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let files = ["--json", "--junit", "--tap", "--html"]
            .map(|form| [form.to_owned(), format!("{}/{form}", dir.path().display())]);
        let files: Vec<&str> = files.as_flattened().iter().map(String::as_str).collect();
        let words = ["conformance", "client", "--subject", &hangs, "--only", "1.*", "--parallel", "1"];
        let mut process = harness(&[&words[..], &files].concat()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.next_line().await.unwrap().unwrap().contains("ok  "));
        std::fs::write(&stuck, "").unwrap();
        signal(&process, name).await;
        assert_eq!(process.wait().await.unwrap().code(), Some(code));
        std::fs::remove_file(&stuck).unwrap();

        let read = |form: &str| std::fs::read_to_string(dir.path().join(form)).unwrap();
        let json: Value = serde_json::from_str(&read("--json")).unwrap();
        assert_eq!((&json["interrupted"], &json["verdict"]), (&Value::from(true), &Value::from("failed")));
        let known = json["cases"].as_array().unwrap().len();
        assert!((1..4).contains(&known), "{json}");
        for form in ["--junit", "--tap", "--html"] {
            assert!(read(form).contains("interrupted: "), "{form}: {}", read(form));
        }
    }
}

#[tokio::test]
async fn a_hostile_main_server_acts_on_no_report() {
    let dir = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../harness/reports/hostile-main-server.sh");
    let subject = format!("sh '{script}' '{HARNESS}'");
    let forms = ["--json", "--junit", "--tap", "--html", "--markdown"];
    let files = forms.map(|form| [form.to_owned(), format!("{}/{form}", dir.path().display())]);
    let files: Vec<&str> = files.as_flattened().iter().map(String::as_str).collect();
    let judge = ["conformance", "server", "--subject", &subject, "--only", "9.5", "--only", "16.*", "--only", "14.1"];
    let output = call(&[&judge[..], &files].concat()).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let reports = forms.map(|form| std::fs::read_to_string(dir.path().join(form)).unwrap());
    let terminal = out(&output) + &errors(&output);
    for text in reports.iter().chain([&terminal]) {
        let acts =
            |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c) || *c == '\u{2066}';
        assert_eq!(text.chars().find(acts), None, "{text}");
        let forged = |line: &&str| line.starts_with("ok 999") || line.starts_with("Bail out!") || *line == "1..1";
        assert_eq!(text.lines().find(forged), None, "{text}");
    }
    let page = &reports[3];
    assert!(!page.contains("<script>document.title") && page.contains("&lt;script&gt;document.title"), "{page}");
    // It was heard: what it said is there, made harmless.
    assert!(reports.iter().all(|text| text.contains("forged")), "{terminal}");
}

/// The report, once there is one that `wanted` says yes to. Each of them is whole.
async fn reported(path: &std::path::Path, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        match std::fs::read(path).map(|text| serde_json::from_slice::<Value>(&text).unwrap()) {
            Ok(report) if wanted(&report) => return report,
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_what_was_known() {
    let dir = tempfile::tempdir().unwrap();
    let (json, first) = (dir.path().join("report"), dir.path().join("first"));
    // The first verb but for the one that it is probed with is answered, the others never.
    let hangs =
        format!(r#"sh -c 'test "$1" = status || mkdir "{}" || exec sleep 600; echo "{{}}"' sh"#, first.display());
    let words = ["conformance", "client", "--subject", &hangs, "--only", "1.*", "--parallel", "1", "--json"];
    let mut process = harness(&[&words[..], &[json.to_str().unwrap()]].concat()).spawn().unwrap();
    let known = reported(&json, |report| report["cases"] != serde_json::json!([])).await;
    process.kill().await.unwrap();
    assert_eq!((&known["interrupted"], &known["verdict"]), (&Value::from(true), &Value::from("failed")));
    assert_eq!(reported(&json, |_| true).await, known, "it is still there");
    assert_eq!(known["cases"].as_array().unwrap().len(), 1, "{known}");
}

#[tokio::test]
async fn an_interrupted_kill_matrix_says_that_it_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("matrix");
    for (name, code) in [("-INT", Some(130)), ("-KILL", None)] {
        let words = ["mutants", "client", "--json", json.to_str().unwrap()];
        let mut process = harness(&words).spawn().unwrap();
        reported(&json, |_| true).await;
        signal(&process, name).await;
        assert_eq!(process.wait().await.unwrap().code(), code);
        let matrix = reported(&json, |_| true).await;
        let empty = serde_json::json!([]);
        assert_eq!((&matrix["interrupted"], &matrix["mutants"]), (&Value::from(true), &empty), "{matrix}");
        std::fs::remove_file(&json).unwrap();
    }
}

#[tokio::test]
async fn two_reports_are_compared_and_what_got_worse_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (good, bad) = (path("good"), path("bad"));
    for (subject, file) in [("ours", &good), ("echo rubbish", &bad)] {
        call(&["conformance", "client", "--subject", subject, "--only", "1.1", "--json", file]).await;
    }
    for (old, new, code, said) in [
        (&good, &bad, 1, "passed -> failed"),
        (&bad, &good, 0, "failed -> passed"),
        (&good, &good, 0, "0 worse, 0 better"),
    ] {
        let output = call(&["diff", old, new]).await;
        assert!(output.status.code() == Some(code) && out(&output).contains(said), "{output:?}");
    }
    let output = call(&["diff", &good, &bad, "--json", "-"]).await;
    let difference: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(difference["worse"][0]["new"], "failed");
    is_usage(&["diff", &good, "/no/such/file"], "/no/such/file").await;
    is_usage(&["diff", &good, concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], "not a report").await;
}
