//! The report for a terminal.

use std::fmt::Write as _;

use super::{Report, Verdict, facts, number};

/// Findings that are shown; reports in files have more.
const SHOWN: usize = 10;

impl Report {
    /// Lines for people; the last one is the next step where something was found.
    pub(crate) fn text(&self) -> String {
        let run = &self.run;
        let mut text = String::new();
        let mark = if self.verdict == Verdict::Passed { "\u{2713}" } else { "\u{2717}" };
        let servers = number(run.servers as u64);
        let _ = writeln!(
            text,
            "{mark} {servers} License Servers, {} s, seed {}: {}",
            run.seconds,
            run.seed,
            self.headline()
        );
        let counts = self.counts().map(|(kind, count)| format!("{} {}", kind.as_str(), number(count)));
        let _ = writeln!(text, "  {}", counts.join(" · "));
        for (word, rest) in facts(self) {
            let _ = writeln!(text, "  {word:<12} {rest}");
        }
        if let Some(not_kept) = self.not_kept() {
            let _ = writeln!(text, "  {not_kept}");
        }
        for finding in self.findings.iter().take(SHOWN) {
            let _ = writeln!(text, "  {} {}: {}", finding.kind.as_str(), finding.license_server_id, finding.what);
        }
        if self.findings.len() > SHOWN {
            let _ = writeln!(text, "  and more: --json FILE and --html FILE have the first 50");
        }
        if self.verdict == Verdict::Failed {
            let _ = writeln!(
                text,
                "Next: run it again with --seed {} and --html FILE, and look at when it happened.",
                run.seed
            );
        }
        text
    }
}
