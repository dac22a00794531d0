//! One step of a story: what happens, what was expected, what came.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// How a step went. In JSON, one object per line.
#[derive(Serialize)]
pub(crate) struct Step {
    pub(crate) step: String,
    pub(crate) expected: String,
    pub(crate) got: String,
    pub(crate) ok: bool,
    /// What the program itself told its user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) says: Option<Says>,
}

/// What a program tells its user.
#[derive(Serialize)]
pub(crate) struct Says {
    pub(crate) message: String,
    pub(crate) cure: Option<String>,
}

/// Tells steps as they happen, and remembers whether all came as expected.
pub(crate) struct Teller {
    json: bool,
    told: usize,
    failed: usize,
}

impl Teller {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, told: 0, failed: 0 }
    }

    /// Tells what the story is about; nothing in JSON.
    pub(crate) fn opening(&self, title: &str, about: &str) -> std::io::Result<()> {
        let bold = Style::new().bold();
        if self.json { Ok(()) } else { writeln!(anstream::stdout(), "{bold}{title}{bold:#}\n{}", about.trim()) }
    }

    /// Tells one step.
    pub(crate) fn tell(
        &mut self,
        step: &str,
        expected: impl Into<String>,
        got: impl Into<String>,
        says: Option<Says>,
    ) -> std::io::Result<()> {
        let (expected, got) = (expected.into(), got.into());
        let ok = expected == got;
        let step = Step { step: step.to_owned(), expected, got, ok, says };
        self.told += 1;
        self.failed += usize::from(!step.ok);
        let mut out = anstream::stdout();
        if self.json {
            return writeln!(out, "{}", serde_json::to_string(&step)?);
        }
        let (mark, colour) = if step.ok { ("ok", AnsiColor::Green) } else { ("NOT AS EXPECTED", AnsiColor::Red) };
        let (bold, dim, mark_style) = (Style::new().bold(), Style::new().dimmed(), colour.on_default().bold());
        writeln!(out, "\n{bold}{:>2}. {}{bold:#}", self.told, step.step)?;
        writeln!(out, "    {dim}expected{dim:#}  {}", step.expected)?;
        if let Some(says) = &step.says {
            writeln!(out, "    {dim}says{dim:#}      {}", says.message)?;
            if let Some(cure) = &says.cure {
                writeln!(out, "    {dim}cure{dim:#}      {cure}")?;
            }
        }
        writeln!(out, "    {dim}got{dim:#}       {}  {mark_style}{mark}{mark_style:#}", step.got)
    }

    /// Tells how it all went; true if every step came as expected, and there was one.
    pub(crate) fn end(self) -> std::io::Result<bool> {
        let well = self.failed == 0 && self.told > 0;
        if !self.json {
            let colour = if well { AnsiColor::Green } else { AnsiColor::Red }.on_default().bold();
            let summary = match self.failed {
                0 => format!("All {} steps came as expected.", self.told),
                failed => format!("{failed} of {} steps did not come as expected.", self.told),
            };
            writeln!(anstream::stdout(), "\n{colour}{summary}{colour:#}")?;
        }
        Ok(well)
    }
}
