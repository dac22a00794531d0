//! Tells steps as they happen: on a terminal in lanes, or as JSON, one object per line.

use std::io::{self, BufRead as _, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use solme_sync_protocol::printable;
use textwrap::{Options, WordSplitter, fill};

use super::file::Scenario;
use super::lanes::Lanes;
use super::told::{LICENSING_DESK, MAIN_SERVER, Story, Told, WORLD};
use super::wire::{Exchange, Mail, Message, Outcome};
use crate::conformance::requirement;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
/// Lines longer than this are hard to read, however wide the terminal.
const READABLE: usize = 120;
/// Characters of a value that is shown in a message; keys and digests are longer, and say nothing to people.
const VALUE: usize = 46;

/// When a step is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    AtOnce,
    /// After this time.
    After(Duration),
    /// After Enter.
    OnEnter,
}

/// How a story is told while it is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In lanes, for people.
    Lanes,
    /// An object for each step.
    Json,
    /// Not at all: a report takes standard output.
    Silent,
}

/// Tells a story while it is played.
pub(super) struct Teller {
    manner: Manner,
    pace: Pace,
    columns: usize,
    /// Everyone who plays, where there is room for all; else the lanes of the step.
    lanes: Option<Lanes>,
    all_fit: bool,
    /// Clauses that were quoted already.
    quoted: Vec<String>,
    told: usize,
}

impl Teller {
    pub(super) fn new(manner: Manner, pace: Pace) -> Self {
        let columns = textwrap::termwidth().clamp(40, READABLE);
        Self { manner, pace, columns, lanes: None, all_fit: false, quoted: Vec::new(), told: 0 }
    }

    /// Tells what the story is about, to people.
    pub(super) fn opening(&mut self, scenario: &Scenario) -> io::Result<()> {
        if self.manner != Manner::Lanes {
            return Ok(());
        }
        let mut names: Vec<String> = scenario.servers().into_iter().map(str::to_owned).collect();
        names.push(MAIN_SERVER.to_owned());
        names.push(LICENSING_DESK.to_owned());
        self.lanes = Lanes::new(names, self.columns);
        self.all_fit = self.lanes.is_some();
        let mut out = anstream::stdout();
        writeln!(out, "{BOLD}{}{BOLD:#}", printable(&scenario.title))?;
        self.paragraph("", &scenario.about, Style::new())
    }

    /// Waits as long as was asked for.
    pub(super) async fn before_a_step(&self) -> io::Result<()> {
        match self.pace {
            _ if self.told == 0 => Ok(()),
            Pace::AtOnce => Ok(()),
            Pace::After(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Pace::OnEnter => {
                write!(anstream::stderr(), "\n{DIM}Enter for the next step{DIM:#} ")?;
                let enter = tokio::task::spawn_blocking(|| io::stdin().lock().read_line(&mut String::new()));
                enter.await.map_err(io::Error::other)?.map(drop)
            }
        }
    }

    /// Tells one step.
    pub(super) fn tell(&mut self, told: &Told) -> io::Result<()> {
        self.told += 1;
        match self.manner {
            Manner::Lanes => {}
            Manner::Json => return writeln!(io::stdout(), "{}", serde_json::to_string(told)?),
            Manner::Silent => return Ok(()),
        }
        let colour = colour_of(&told.actor);
        let title = format!("{}. {}", told.number, told.step);
        writeln!(anstream::stdout())?;
        self.paragraph("", &title, BOLD)?;
        if !self.all_fit {
            self.lanes = Lanes::new(actors_of(told), self.columns);
        }
        if let Some(lanes) = self.lanes.as_ref().filter(|lanes| lanes.has(&told.actor)) {
            writeln!(anstream::stdout(), "{}", lanes.heads(colour_of))?;
            if told.wire.is_empty() && !told.mails.iter().any(Mail::is_to_the_desk) {
                writeln!(anstream::stdout(), "{}", lanes.mark(&told.actor, told.action.name(), colour))?;
            }
        }
        for exchange in &told.wire {
            self.exchange(exchange)?;
        }
        for mail in &told.mails {
            if mail.is_to_the_desk() {
                self.arrow(&told.actor, LICENSING_DESK, "mail", "", colour)?;
            }
            self.mail(mail)?;
        }
        if told.decode {
            for message in told.wire.iter().flat_map(|exchange| [&exchange.request, &exchange.answer]).flatten() {
                self.message(message)?;
            }
        }
        self.clauses(told)?;
        if let Some(note) = told.note() {
            self.paragraph("note", note, Style::new())?;
        }
        if let Some(says) = &told.says {
            self.paragraph(&told.actor, &says.message, Style::new())?;
            if let Some(cure) = &says.cure {
                self.paragraph("next", cure, Style::new())?;
            }
        }
        self.verdict(told)
    }

    /// Tells how it all went, to people.
    pub(super) fn end(&self, story: &Story) -> io::Result<()> {
        // That it broke off is said in another place.
        if self.manner != Manner::Lanes || story.broken.is_some() {
            return Ok(());
        }
        let colour = if story.went_well() { AnsiColor::Green } else { AnsiColor::Red }.on_default().bold();
        let failed = story.steps.iter().filter(|step| !step.ok).count();
        let summary = match failed {
            0 if story.steps.len() == 1 => "The step ended as expected.".to_owned(),
            0 => format!("All {} steps ended as expected.", story.steps.len()),
            failed => format!("{failed} of {} steps did not end as expected.", story.steps.len()),
        };
        writeln!(anstream::stdout(), "\n{colour}{summary}{colour:#}")
    }

    fn exchange(&self, exchange: &Exchange) -> io::Result<()> {
        let style = match exchange.outcome() {
            Outcome::Quirk => AnsiColor::Yellow,
            Outcome::Accepted => AnsiColor::Green,
            Outcome::Refused => AnsiColor::Red,
        }
        .on_default();
        let (asked, answered) = (exchange.asks(), exchange.answers());
        let note = exchange.quirk.as_ref().map_or(format!("P {}", exchange.clause), |quirk| format!("quirk {quirk}"));
        let answered = if exchange.carrier == "file" { format!("{answered}, file") } else { answered };
        let from = &exchange.from;
        let asked = format!("{asked}, {}", exchange.carrier);
        self.arrow(from, MAIN_SERVER, &asked, "", style)?;
        self.arrow(MAIN_SERVER, from, &answered, &note, style)
    }

    /// The mail itself, if the customer wrote it; of the main server's mails their subject.
    fn mail(&self, mail: &Mail) -> io::Result<()> {
        let style = AnsiColor::Magenta.on_default();
        if !mail.is_to_the_desk() {
            return self.paragraph("mail", &format!("to {}: {}", mail.to, mail.subject), style);
        }
        let rail = format!("    {style}│{style:#} ");
        let mut out = anstream::stdout();
        writeln!(out, "    {style}╭─ mail{style:#}")?;
        for head in [("From", &mail.from), ("To", &mail.to), ("Subject", &mail.subject)] {
            writeln!(out, "{rail}{BOLD}{}:{BOLD:#} {}", head.0, printable(head.1))?;
        }
        if mail.text != mail.subject {
            writeln!(out, "{rail}")?;
            for line in mail.text.trim_end().lines() {
                writeln!(out, "{rail}{}", printable(line))?;
            }
        }
        writeln!(out, "    {style}╰─{style:#}")
    }

    /// What stands in a signed message.
    fn message(&self, message: &Message) -> io::Result<()> {
        let mut out = anstream::stdout();
        writeln!(out, "    {DIM}╭─{DIM:#} {}, {} bytes, signed with ES384", message.kind(), message.bytes)?;
        for (part, members) in [("header", &message.header), ("payload", &message.payload)] {
            for (name, value) in &members.0 {
                let value: String = value.to_string();
                let short: String = value.chars().take(VALUE).collect();
                let more = if short.len() < value.len() { "…" } else { "" };
                writeln!(out, "    {DIM}│{DIM:#} {DIM}{part:7}{DIM:#} {name:20} {}{more}", printable(&short))?;
            }
        }
        writeln!(out, "    {DIM}╰─{DIM:#}")
    }

    /// Quotes the clauses that decided, each once in a story.
    fn clauses(&mut self, told: &Told) -> io::Result<()> {
        for exchange in told.wire.iter().filter(|exchange| exchange.carrier != "8080") {
            let text = requirement(&exchange.clause);
            if text.is_empty() || self.quoted.contains(&exchange.clause) {
                continue;
            }
            self.quoted.push(exchange.clause.clone());
            let plain = text.replace(['*', '`'], "");
            self.paragraph(&format!("P {}", exchange.clause), &plain, DIM)?;
        }
        Ok(())
    }

    fn verdict(&self, told: &Told) -> io::Result<()> {
        if told.ok {
            return self.paragraph("✓", &told.got, AnsiColor::Green.on_default());
        }
        let red = AnsiColor::Red.on_default().bold();
        self.paragraph("✗", &format!("expected {}", told.expected), red)?;
        self.paragraph("", &format!("    got      {}", told.got), red)
    }

    fn arrow(&self, from: &str, to: &str, what: &str, note: &str, style: Style) -> io::Result<()> {
        let mut out = anstream::stdout();
        match &self.lanes {
            Some(lanes) if lanes.has(from) && lanes.has(to) => {
                writeln!(out, "{}", lanes.arrow(from, to, what, note, style))
            }
            _ => Ok(()),
        }
    }

    /// Text below a label, wrapped to the terminal. It may be somebody else's.
    fn paragraph(&self, label: &str, text: &str, style: Style) -> io::Result<()> {
        let text = printable(text).to_string();
        let (first, indent) = if label.is_empty() { (String::new(), "") } else { (format!("    {label}  "), "      ") };
        let options = Options::new(self.columns)
            .word_splitter(WordSplitter::NoHyphenation)
            .initial_indent(&first)
            .subsequent_indent(indent);
        let filled = fill(&text, options);
        let rest = filled.strip_prefix(&first).unwrap_or(&filled);
        writeln!(anstream::stdout(), "{DIM}{first}{DIM:#}{style}{rest}{style:#}")
    }
}

/// Who takes part in a step.
fn actors_of(told: &Told) -> Vec<String> {
    let asking = told.wire.iter().map(|exchange| exchange.from.as_str());
    let main_server = told.wire.first().map(|_| MAIN_SERVER);
    let desk = told.mails.first().map(|_| LICENSING_DESK);
    let mut names: Vec<String> = Vec::new();
    for name in [told.actor.as_str()].into_iter().chain(asking).chain(main_server).chain(desk) {
        if name != WORLD && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Each actor has a colour of its own.
fn colour_of(actor: &str) -> Style {
    const COLOURS: [AnsiColor; 4] = [AnsiColor::Cyan, AnsiColor::Blue, AnsiColor::Yellow, AnsiColor::BrightCyan];
    match actor {
        MAIN_SERVER => AnsiColor::BrightWhite.on_default(),
        LICENSING_DESK => AnsiColor::Magenta.on_default(),
        name => COLOURS[name.bytes().map(usize::from).sum::<usize>() % COLOURS.len()].on_default(),
    }
}
