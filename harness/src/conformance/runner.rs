//! Runs cases side by side, each on a stage of its own, each bounded in time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::reached::Reached;
use super::report::{CaseReport, Report};
use super::{Case, ClosedList, Deviations, Finding, Heard, Outcome, WireEntry, requirement};
use crate::stop::Stop;

/// How a suite is run.
pub(crate) struct Options {
    /// `client` or `server`.
    pub(crate) suite: &'static str,
    /// The subject, as the command line names it.
    pub(crate) subject: String,
    /// Only cases whose id matches one of these patterns, where there are any; `*` stands for anything.
    pub(crate) only: Vec<String>,
    /// Everything random in a case follows from it.
    pub(crate) seed: u64,
    /// Cases at a time.
    pub(crate) parallel: usize,
    /// Longer than this takes only what hangs.
    pub(crate) time_limit: Duration,
    /// Longer than this takes only a verb that hangs.
    pub(crate) verb_limit: Duration,
    /// Verbs go to the subject's workers, if it has some.
    pub(crate) workers: bool,
    /// Unimplemented fails too.
    pub(crate) require_all: bool,
    /// Expected deviations.
    pub(crate) deviations: Deviations,
    /// Told, the run ends with what is known by then.
    pub(crate) stop: Stop,
}

/// What a stage has to tell when its case has ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) wire: Vec<WireEntry>,
    pub(crate) heard: Heard,
}

impl Ended {
    /// There is nothing to tell but this.
    pub(crate) fn without_a_trace(finding: Finding) -> Self {
        Self { outcome: Err(finding), wire: Vec::new(), heard: Heard::new() }
    }
}

/// How a run goes.
pub(crate) enum News<'a> {
    /// A case has ended.
    Ended(&'a CaseReport),
    /// The report as it would be if the run were interrupted now: at the beginning, and now and then where cases ended.
    SoFar(Report),
}

/// How often there is a report so far.
const SO_FAR: Duration = Duration::from_secs(2);

/// Runs the cases that `options` select. `play` makes a stage from a seed, runs the case on it, and tears it down;
/// `tell` hears how it goes. How much of `lists` was heard in the cases is in the report.
pub(crate) async fn run<S, P, F>(
    cases: &'static [Case<S>],
    lists: &[ClosedList],
    options: &Options,
    play: P,
    mut tell: impl FnMut(News<'_>),
) -> Report
where
    S: 'static,
    P: Fn(&'static Case<S>, u64) -> F,
    F: Future<Output = Ended> + Send + 'static,
{
    let started = SystemTime::now();
    let places = Arc::new(Semaphore::new(options.parallel.max(1)));
    let mut running = JoinSet::new();
    let mut places_of = Vec::new();
    let mut selected: Vec<_> = cases.iter().enumerate().filter(|(_, case)| options.selects(&case.id())).collect();
    // Whoever waits does so beside those that compute, and not alone at the end.
    selected.sort_by_key(|(_, case)| !case.waits());
    for (place, case) in selected {
        let played = play(case, seed_of(options.seed, &case.id()));
        let (places, time_limit) = (Arc::clone(&places), options.time_limit);
        let task = running.spawn(async move {
            let _place = places.acquire_owned().await;
            let start = Instant::now();
            let ended = timeout(time_limit, played).await.unwrap_or_else(|_| hangs(time_limit));
            (ended, start.elapsed())
        });
        places_of.push((task.id(), place));
    }
    let (mut reports, mut heard) = (Vec::<(usize, CaseReport)>::new(), Heard::new());
    let all: Vec<String> = cases.iter().map(Case::id).collect();
    let report = |reports: &[(usize, CaseReport)], heard: &Heard, interrupted| {
        let mut in_order: Vec<_> = reports.iter().collect();
        in_order.sort_by_key(|(place, _)| *place);
        let cases = in_order.into_iter().map(|(_, report)| report.clone()).collect();
        let reached = lists.iter().map(|list| Reached::of(list, heard)).collect();
        Report::new(options, cases, &all, reached, started, interrupted)
    };
    let (mut clock, mut ended_by_then) = (interval(SO_FAR), None);
    loop {
        let joined = tokio::select! {
            biased;
            () = options.stop.told() => break,
            _ = clock.tick() => {
                if ended_by_then.replace(reports.len()) != Some(reports.len()) {
                    tell(News::SoFar(report(&reports, &heard, true)));
                }
                continue;
            }
            joined = running.join_next_with_id() => joined,
        };
        let Some(joined) = joined else { break };
        let (id, mut ended, took) = match joined {
            Ok((id, (ended, took))) => (id, ended, took),
            Err(error) => (error.id(), broken(&error.to_string()), Duration::ZERO),
        };
        let Some(&(_, place)) = places_of.iter().find(|(task, _)| *task == id) else { continue };
        heard.append(&mut ended.heard);
        let case = judge(&cases[place], ended, took, options);
        tell(News::Ended(&case));
        reports.push((place, case));
    }
    running.shutdown().await;
    report(&reports, &heard, options.stop.exit_code().is_some())
}

impl Options {
    /// Whether `--only` lets a case through.
    pub(crate) fn selects(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| matches(pattern, id))
    }
}

fn judge<S>(case: &Case<S>, ended: Ended, took: Duration, options: &Options) -> CaseReport {
    let id = case.id();
    let rerun = format!(
        "harness conformance {} --subject {} --only '{id}' --seed {}",
        options.suite,
        shell_word(&options.subject),
        options.seed
    );
    let deviation = options.deviations.reason(&id).map(str::to_owned);
    CaseReport::new(id, requirement(case.clause), case.level, ended, took, rerun, deviation)
}

fn hangs(time_limit: Duration) -> Ended {
    let got = format!("nothing within {} s", time_limit.as_secs());
    Ended::without_a_trace(Finding::deviates("an answer", got))
}

/// A panic in a case is a defect of the referee, and never a pass.
fn broken(error: &str) -> Ended {
    let got = format!("the case itself broke: {error}");
    Ended::without_a_trace(Finding::deviates("a working case", got))
}

/// Each case has a seed of its own, so that running one alone gives what it gave among all.
fn seed_of(seed: u64, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, id).hash(&mut hasher);
    hasher.finish()
}

/// Whether `text` matches `pattern`, in which `*` stands for anything. A pattern without `*` is a whole id, or the
/// clause before the `/`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    if !pattern.contains('*') {
        return text == pattern || text.split('/').next() == Some(pattern);
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A word as a POSIX shell reads it.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{CaseResult, Level, Verdict};

    #[test]
    fn a_pattern_selects_an_id_a_clause_or_what_its_stars_allow() {
        for (pattern, text, wanted) in [
            ("9.7/x-y", "9.7/x-y", true),
            ("9.7", "9.7/x-y", true),
            ("9", "9.7/x-y", false),
            ("9.*", "9.7/x-y", true),
            ("*x*", "9.7/x-y", true),
            ("*", "9.7/x-y", true),
            ("9.1*", "9.7/x-y", false),
            ("*-x", "9.7/x-y", false),
            ("9.7/x*x-y", "9.7/x-y", false),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(shell_word("./client --x=1"), "'./client --x=1'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word("ours"), "ours");
    }

    static CASES: [Case<()>; 5] = [
        Case { clause: "9.1", name: "passes", level: Level::Must, run: |()| Box::pin(async { Ok(()) }) },
        Case {
            clause: "9.2",
            name: "deviates",
            level: Level::Must,
            run: |()| Box::pin(async { Err(Finding::deviates("a", "b")) }),
        },
        Case {
            clause: "9.3",
            name: "deviates-from-a-should",
            level: Level::Should,
            run: |()| Box::pin(async { Err(Finding::deviates("a", "b")) }),
        },
        Case {
            clause: "9.4",
            name: "is-unimplemented",
            level: Level::Must,
            run: |()| Box::pin(async { Err(Finding::Unimplemented("verb x".to_owned())) }),
        },
        Case { clause: "9.5", name: "hangs", level: Level::Must, run: |()| Box::pin(std::future::pending()) },
    ];

    async fn run_all(only: &str, deviations: &str, require_all: bool) -> Report {
        run_cases(Some(only), deviations, require_all).await
    }

    async fn run_cases(only: Option<&str>, deviations: &str, require_all: bool) -> Report {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), deviations).unwrap();
        let options = Options {
            suite: "client",
            subject: "test".to_owned(),
            only: only.map(str::to_owned).into_iter().collect(),
            seed: 1,
            parallel: 2,
            time_limit: Duration::from_millis(50),
            verb_limit: Duration::from_millis(50),
            workers: true,
            require_all,
            deviations: Deviations::read(file.path()).unwrap(),
            stop: Stop::never(),
        };
        let play = |case: &'static Case<()>, _| async move {
            let heard = Heard::from([("clause", case.clause.to_owned())]);
            Ended { outcome: (case.run)(&()).await, wire: Vec::new(), heard }
        };
        let lists = [ClosedList::new("clause", ["9.1", "9.2", "9.9"])];
        run(&CASES, &lists, &options, play, |_| {}).await
    }

    fn results(report: &Report) -> Vec<CaseResult> {
        report.cases.iter().map(|case| case.result).collect()
    }

    #[tokio::test]
    async fn each_kind_of_end_has_its_result_and_its_say_in_the_verdict() {
        use CaseResult::{Failed, Passed, Unimplemented, Warning};
        let report = run_all("*", "", false).await;
        assert_eq!(results(&report), [Passed, Failed, Warning, Unimplemented, Failed]);
        assert_eq!(report.verdict, Verdict::Failed);
        assert_eq!(run_all("9.1", "", false).await.verdict, Verdict::Passed);
        assert_eq!(run_all("9.3", "", false).await.verdict, Verdict::Passed, "a warning does not fail");
        let beside_a_pass = "[[deviation]]\ncase = \"9.2/deviates\"\nreason = \"known\"\n\
                             [[deviation]]\ncase = \"9.5/hangs\"\nreason = \"known\"\n";
        assert_eq!(run_all("*", beside_a_pass, false).await.verdict, Verdict::Passed, "nor does what is unimplemented");
        assert_eq!(run_all("*", beside_a_pass, true).await.verdict, Verdict::Failed, "unless all is required");
        assert_eq!(
            run_all("9.4", "", false).await.verdict,
            Verdict::Failed,
            "where nothing is implemented, nothing conforms"
        );
    }

    #[tokio::test]
    async fn an_expected_deviation_passes_a_stale_one_and_an_unexpected_pass_fail() {
        let entry = |case: &str| format!("[[deviation]]\ncase = \"{case}\"\nreason = \"known\"\n");
        assert_eq!(run_all("9.2", &entry("9.2/deviates"), false).await.verdict, Verdict::Passed);
        assert_eq!(run_all("9.1", &entry("9.1/passes"), false).await.verdict, Verdict::Failed);
        assert_eq!(run_all("9.1", &entry("9.1/gone"), false).await.verdict, Verdict::Failed);
        assert_eq!(run_all("9.1", &entry("9.2/deviates"), false).await.verdict, Verdict::Passed, "not selected");
    }

    #[tokio::test]
    async fn a_word_that_no_case_reached_fails_where_all_is_required_and_all_was_run() {
        let never = "never reached, clause: 9.9";
        let all = ["9.2/deviates", "9.4/is-unimplemented", "9.5/hangs"];
        let known: String = all.map(|case| format!("[[deviation]]\ncase = \"{case}\"\nreason = \"known\"\n")).concat();
        let report = run_cases(None, &known, true).await;
        assert_eq!((report.verdict, report.remarks), (Verdict::Failed, vec![never.into()]));
        assert_eq!(report.reached[0].reached, ["9.1", "9.2"]);
        assert_eq!(run_cases(None, &known, false).await.verdict, Verdict::Passed, "it is information");
        assert_eq!(run_all("9.1", "", true).await.verdict, Verdict::Passed, "nothing else was to be reached");
    }

    #[tokio::test]
    async fn no_case_at_all_fails() {
        let report = run_all("none", "", false).await;
        assert_eq!((results(&report).len(), report.verdict), (0, Verdict::Failed));
    }
}
