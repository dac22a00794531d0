//! A subject as a command: split as a shell would, each call bounded in time and output, each way to fail named.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::worker::{Broken, Said, Worker, Workers};
use crate::conformance::{Finding, Options, WireLog};
use crate::failure::Failure;

/// Our own subject, on the command line.
pub(crate) const OURS: &str = "ours";
/// The exit code that says "not implemented".
pub(crate) const UNIMPLEMENTED: u8 = 89;
/// More than any answer has; a subject that prints without end must not fill the memory.
pub(super) const OUTPUT: u64 = 1 << 20;
/// What people see of an output, in characters.
const SHOWN: usize = 600;

/// The command of `--subject`: a program and its first arguments.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    program: String,
    arguments: Vec<String>,
    time_limit: Duration,
    workers: Arc<Workers>,
}

impl Subject {
    /// Reads what `--subject` says. `ours` is this very executable with `adapter` as its first argument. A verb that
    /// needs longer than `time_limit` hangs.
    ///
    /// # Errors
    /// Where it is empty, a quotation is not closed, or the operating system does not tell where this executable is.
    pub(crate) fn parse(text: &str, adapter: &str, time_limit: Duration) -> Result<Self, Failure> {
        let wrong = |detail: &str| Failure::NotACommand { subject: text.to_owned(), detail: detail.to_owned() };
        let mut words =
            if text == OURS { vec![this_executable()?, adapter.to_owned()] } else { words(text).map_err(wrong)? };
        if words.is_empty() {
            return Err(wrong("it is empty"));
        }
        let program = words.remove(0);
        Ok(Self { program, arguments: words, time_limit, workers: Arc::default() })
    }

    /// The subject of a run.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn of(options: &Options, adapter: &str) -> Result<Self, Failure> {
        let subject = Self::parse(&options.subject, adapter, options.verb_limit)?;
        Ok(if options.workers { subject } else { Self { workers: Arc::new(Workers::none()), ..subject } })
    }

    /// How long a verb may take.
    pub(crate) fn time_limit(&self) -> Duration {
        self.time_limit
    }

    /// The command for a verb, not yet started: nothing on its standard input, output and errors piped.
    pub(crate) fn command<'a>(&self, verb: &str, flags: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(verb).args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C in a terminal is for the harness: no case is to fail by it.
        #[cfg(unix)]
        command.process_group(0);
        command
    }

    /// Starts it once, before it is judged by many cases: what matters is whether there is something to judge at all. An
    /// answer, a crash and a hang are left to the cases.
    ///
    /// # Errors
    /// Why it cannot be started, in a few words: there is no such program, or a shell says so (126, 127).
    pub(crate) async fn probe(&self, [verb, flag]: [&str; 2]) -> Result<(), String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut command = self.command(verb, [flag, &directory.path().to_string_lossy()]);
        // One that serves is to wait, until it has shown that it does.
        let mut process = command.stdin(Stdio::piped()).spawn().map_err(|error| match Path::new(&self.program) {
            path if path.is_dir() => "it is a directory, not a program".to_owned(),
            _ => error.to_string(),
        })?;
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let silent = async {
            let mut byte = [0];
            let said = match stdout {
                Some(mut stdout) => stdout.read(&mut byte).await.is_ok_and(|bytes| bytes > 0),
                None => false,
            };
            if said { None } else { Some((read(stderr).await, process.wait().await)) }
        };
        match timeout(self.time_limit, silent).await {
            Ok(Some((stderr, Ok(status)))) if matches!(status.code(), Some(126 | 127)) => Err(shown(&stderr)),
            _ => Ok(()),
        }
    }

    /// Carries a verb out.
    ///
    /// # Errors
    /// [`Finding::Unimplemented`] for exit code 89; a deviation for a program that cannot be started, crashes, hangs, or
    /// prints something else than one JSON object.
    pub(crate) async fn call<'a>(
        &self,
        verb: &'a str,
        flags: impl IntoIterator<Item = &'a str>,
        wire: &WireLog,
    ) -> Result<Value, Finding> {
        let words: Vec<&str> = [verb].into_iter().chain(flags).collect();
        let called = self.carry_out(&words).await;
        let said = match &called {
            Ok((json, _)) => json.to_string(),
            Err(Finding::Deviates { got, .. }) => got.clone(),
            Err(Finding::Unimplemented(what) | Finding::Skipped(what)) => what.clone(),
        };
        wire.add("harness -> subject", format!("{}\n{said}", words.join(" ")));
        called.map(|(json, log)| {
            if !log.is_empty() {
                // As a literal: no line of it can pass for one of a report.
                wire.add("subject, standard error", format!("{log:?}"));
            }
            json
        })
    }

    /// The answer, and what was logged beside it.
    async fn carry_out(&self, words: &[&str]) -> Result<(Value, String), Finding> {
        // To start a worker has a limit of its own: a subject may hang at a verb that it does not know.
        let worker = self.workers.take(self).await.map_err(|error| self.cannot_start(&error))?;
        let called = async {
            match worker {
                Some(worker) => self.by_worker(worker, words).await,
                None => self.by_process(words).await,
            }
        };
        timeout(self.time_limit, called).await.unwrap_or_else(|_| Err(self.hangs(words[0])))
    }

    async fn by_worker(&self, mut worker: Worker, words: &[&str]) -> Result<(Value, String), Finding> {
        match worker.carry_out(words).await {
            Ok(Said { exit_code, json, stderr }) => {
                self.workers.give_back(worker);
                let shown = || printed(json.to_string().as_bytes(), stderr.as_bytes());
                ended(words[0], Some(exit_code), || format!("exit code {exit_code}\n{}", shown()))?;
                if json.is_object() {
                    Ok((json, self::shown(stderr.as_bytes())))
                } else {
                    Err(no_json(words[0], shown()))
                }
            }
            Err(Broken::Rubbish(line)) => {
                let expected = "a line of a worker, as in SUBJECT.md";
                Err(Finding::deviates(expected, format!("{:?}", shown(&line))))
            }
            Err(Broken::Ended { status, stdout, stderr }) => {
                Err(Finding::deviates("a worker that stays", ended_so(status, &stdout, &stderr)))
            }
        }
    }

    async fn by_process(&self, words: &[&str]) -> Result<(Value, String), Finding> {
        let mut command = self.command(words[0], words[1..].iter().copied());
        let mut process = command.spawn().map_err(|error| self.cannot_start(&error))?;
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        // The pipes are read side by side: a subject that fills one must not wait for us at the other.
        let ((stdout, stderr), status) = (tokio::join!(read(stdout), read(stderr)), process.wait().await);
        let status = status.map_err(|error| Finding::deviates("a process that ends", error.to_string()))?;
        ended(words[0], status.code(), || ended_so(status, &stdout, &stderr))?;
        let json = one_object(&stdout).ok_or_else(|| no_json(words[0], printed(&stdout, &stderr)))?;
        Ok((json, shown(&stderr)))
    }

    /// The finding for a program that the operating system does not start.
    pub(crate) fn cannot_start(&self, error: &std::io::Error) -> Finding {
        Finding::deviates("a subject that can be started", format!("{}: {error}", self.program))
    }

    /// The finding for a verb that does not end.
    pub(crate) fn hangs(&self, verb: &str) -> Finding {
        let limit = self.time_limit.as_secs_f32();
        Finding::deviates(format!("{verb} ends within {limit} s"), "it hangs".to_owned())
    }
}

/// What an exit code says about a verb; none is a signal.
fn ended(verb: &str, code: Option<i32>, so: impl FnOnce() -> String) -> Result<(), Finding> {
    match code {
        Some(0) => Ok(()),
        Some(code) if code == i32::from(UNIMPLEMENTED) => {
            Err(Finding::Unimplemented(format!("the subject does not implement {verb}")))
        }
        _ => Err(Finding::deviates(format!("{verb} ends with exit code 0"), so())),
    }
}

/// One JSON object, and nothing else.
pub(crate) fn one_object(stdout: &[u8]) -> Option<Value> {
    serde_json::from_slice(stdout).ok().filter(Value::is_object)
}

fn no_json(verb: &str, got: String) -> Finding {
    Finding::deviates(format!("{verb} prints one JSON object"), got)
}

/// Exit code or signal, and what was printed.
pub(crate) fn ended_so(status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> String {
    format!("{status}\n{}", printed(stdout, stderr))
}

/// The beginning and the end of what was printed.
fn printed(stdout: &[u8], stderr: &[u8]) -> String {
    format!("stdout: {:?}\nstderr: {:?}", shown(stdout), shown(stderr))
}

/// Of a long text the beginning and the end: some languages name the error above its traceback, some below.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end();
    let start = |characters: usize| text.char_indices().nth(characters).map(|(at, _)| at);
    let end = |characters: usize| text.char_indices().nth_back(characters - 1).map(|(at, _)| at);
    match (start(SHOWN), start(SHOWN / 4), end(SHOWN * 3 / 4)) {
        (Some(_), Some(head), Some(tail)) => format!("{} [...] {}", &text[..head], &text[tail..]),
        _ => text.to_owned(),
    }
}

pub(super) async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // A pipe that breaks off is the end of it; exit code and JSON decide.
        let _ = pipe.take(OUTPUT).read_to_end(&mut bytes).await;
    }
    bytes
}

/// The path of this executable, for commands that start it again.
///
/// # Errors
/// Where the operating system does not tell, or it is not Unicode.
pub(crate) fn this_executable() -> Result<String, Failure> {
    let what = "find this program on disk";
    let path = env::current_exe().map_err(Failure::system(what))?;
    let not_unicode = |path: OsString| Failure::System { what, error: format!("{} is not Unicode", path.display()) };
    path.into_os_string().into_string().map_err(not_unicode)
}

/// Splits a command line as a POSIX shell does, without its expansions.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => quoted(&mut characters, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut characters, '"', word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(characters.next().ok_or("it ends in a backslash")?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads to the closing quotation mark. Inside double ones a backslash takes the meaning of a mark or a backslash.
fn quoted(characters: &mut std::str::Chars<'_>, mark: char, word: &mut String) -> Result<(), &'static str> {
    while let Some(c) = characters.next() {
        match c {
            c if c == mark => return Ok(()),
            '\\' if mark == '"' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            c => word.push(c),
        }
    }
    Err("a quotation mark is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn call(command: &str) -> Result<Value, Finding> {
        let subject = Subject::parse(command, "", Duration::from_millis(500)).unwrap();
        subject.call("status", ["--data", "d"], &WireLog::default()).await
    }

    fn got(called: Result<Value, Finding>) -> String {
        match called {
            Err(Finding::Deviates { got, .. }) => got,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_is_split_as_a_shell_does() {
        for (text, wanted) in [
            ("./a b", vec!["./a", "b"]),
            (r#"  a 'b c' "d \"e\\ \n" f\ g '' "#, vec!["a", "b c", r#"d "e\ \n"#, "f g", ""]),
            ("a'b'\"c\"d", vec!["abcd"]),
            ("", vec![]),
        ] {
            assert_eq!(words(text).unwrap(), wanted, "{text}");
        }
        for bad in ["a 'b", "a \"b", "a \\", "\"\\"] {
            assert!(words(bad).is_err(), "{bad}");
        }
        assert!(Subject::parse(" ", "", Duration::ZERO).is_err());
    }

    #[tokio::test]
    async fn the_json_of_a_verb_is_its_answer() {
        let echo = r#"sh -c 'echo "{\"verb\":\"$1\",\"rest\":\"$2 $3\"}"' sh"#;
        assert_eq!(call(echo).await, Ok(serde_json::json!({ "verb": "status", "rest": "--data d" })));
    }

    #[tokio::test]
    async fn exit_code_89_is_unimplemented_and_every_other_one_broken() {
        assert!(matches!(call("sh -c 'exit 89'").await, Err(Finding::Unimplemented(_))));
        assert!(got(call("sh -c 'echo {}; echo why >&2; exit 3'").await).contains("why"));
        assert!(got(call("sh -c 'kill -SEGV $$'").await).contains("signal"));
    }

    #[tokio::test]
    async fn what_is_logged_beside_an_answer_is_kept_for_the_report() {
        for (command, wanted) in [
            ("sh -c 'echo {}; echo why >&2'", Some("\"why\"")),
            (
                r#"sh -c '[ $1 = worker ] || exit 3; echo "{\"worker\":1}"; while read -r verb; do echo "{\"exit_code\":0,\"json\":{},\"stderr\":\"why\"}"; done' sh"#,
                Some("\"why\""),
            ),
            ("sh -c 'echo {}'", None),
        ] {
            let subject = Subject::parse(command, "", Duration::from_millis(500)).unwrap();
            let wire = WireLog::default();
            subject.call("status", [], &wire).await.unwrap();
            let log = wire.entries().into_iter().find(|entry| entry.way.line() == "subject, standard error");
            assert_eq!(log.map(|entry| entry.what.line()).as_deref(), wanted, "{command}");
        }
    }

    #[test]
    fn of_a_long_traceback_both_ends_are_shown() {
        let text = format!("Error: above\n{}Error: below", "at a line\n".repeat(200));
        let shown = shown(text.as_bytes());
        assert!(shown.starts_with("Error: above") && shown.ends_with("Error: below"), "{shown}");
        assert!(shown.chars().count() < SHOWN + 10, "{shown}");
        assert_eq!(super::shown("\u{e9}".repeat(SHOWN).as_bytes()).chars().count(), SHOWN);
    }

    #[tokio::test]
    async fn rubbish_a_hang_and_a_missing_program_are_told_apart() {
        for rubbish in ["echo hello", "true", "echo []", "sh -c 'echo {}{}'"] {
            assert!(got(call(rubbish).await).contains("stdout"), "{rubbish}");
        }
        assert_eq!(got(call("sh -c 'echo {}; sleep 60'").await), "it hangs");
        assert!(got(call("/no/such/program").await).contains("No such file"));
    }

    /// A subject whose workers do this with each verb, and which does nothing else.
    fn with_workers(each: &str) -> Subject {
        let worker = format!(r#"echo "{{\"worker\":1}}"; while read -r verb; do {each}; done"#);
        let command = format!("sh -c '[ $1 = worker ] || exit 3; {worker}' sh");
        Subject::parse(&command, "", Duration::from_millis(500)).unwrap()
    }

    async fn status(subject: &Subject) -> Result<Value, Finding> {
        subject.call("status", ["--state", "d"], &WireLog::default()).await
    }

    #[tokio::test]
    async fn a_verb_in_a_row_goes_to_another_worker_and_later_to_the_first() {
        let subject = with_workers(r#"echo "{\"exit_code\":0,\"json\":{\"verb\":$verb,\"process\":$$}}""#);
        let mut processes = Vec::new();
        for _ in 0..4 {
            let answer = status(&subject).await.unwrap();
            assert_eq!(answer["verb"], serde_json::json!(["status", "--state", "d"]));
            processes.push(answer["process"].clone());
        }
        assert_ne!(processes[0], processes[1]);
        assert_eq!(processes[..2], processes[2..]);
    }

    #[tokio::test]
    async fn what_a_worker_says_counts_as_what_a_process_does() {
        let subject = with_workers(r#"echo "{\"exit_code\":89}""#);
        assert!(matches!(status(&subject).await, Err(Finding::Unimplemented(_))));
        let subject = with_workers(r#"echo "{\"exit_code\":1,\"stderr\":\"why\"}""#);
        assert!(got(status(&subject).await).contains("why"));
        for rubbish in ["echo rubbish", r#"echo "{\"exit_code\":0}""#, r#"echo "{\"json\":{}}""#] {
            assert!(!got(status(&with_workers(rubbish)).await).is_empty(), "{rubbish}");
        }
    }

    #[tokio::test]
    async fn a_worker_that_ends_or_hangs_fails_its_verb_and_is_replaced() {
        let dies = with_workers("echo why >&2; exit 3");
        for _ in 0..3 {
            let got = got(status(&dies).await);
            assert!(got.contains("exit status: 3") && got.contains("why"), "{got}");
        }
        let hangs = with_workers("exec sleep 60");
        for _ in 0..2 {
            assert_eq!(got(status(&hangs).await), "it hangs");
        }
    }

    #[tokio::test]
    async fn a_subject_that_hangs_at_an_unknown_verb_has_no_workers() {
        let subject = "sh -c '[ $1 = worker ] && exec sleep 60; echo {}' sh";
        assert_eq!(call(subject).await, Ok(serde_json::json!({})));
    }

    #[tokio::test]
    async fn a_subject_that_prints_without_end_is_cut_off() {
        assert!(got(call("sh -c 'yes'").await).contains("stdout"));
    }
}
