//! How far a run is, for whoever watches: a line at the foot of a terminal, and nothing anywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::voice::Voice;

/// The line. It is on standard error, so that what is said on standard output may be piped.
pub(crate) struct Progress {
    bar: ProgressBar,
    voice: Voice,
}

impl Progress {
    /// Begins, with so many cases to come.
    pub(crate) fn begin(cases: usize, voice: Voice) -> Self {
        let bar = ProgressBar::new(cases.try_into().unwrap_or(u64::MAX));
        let style = ProgressStyle::with_template("{bar:24} {pos} of {len} cases, {elapsed}{msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        // The time goes on while a case does.
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, voice }
    }

    /// Prints a line above.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| self.voice.say(line));
    }

    /// One more case has ended.
    pub(crate) fn one_more(&self) {
        self.bar.inc(1);
    }

    /// So many of them failed.
    pub(crate) fn failed(&self, cases: usize) {
        self.bar.set_message(format!(", {cases} failed"));
    }

    /// Leaves the foot of the terminal as it was.
    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}
