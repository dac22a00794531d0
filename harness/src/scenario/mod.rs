//! Scenarios: stories in TOML that a support engineer can read and write, played with real processes.
//!
//! `action.rs` says what a step can do, `file.rs` reads a scenario, `actors.rs` does what its steps say, `play.rs` compares,
//! `teller.rs` tells on a terminal, `report.rs` afterwards. `reference.rs` writes the page for authors.

mod action;
mod actors;
mod card;
mod file;
mod lanes;
mod play;
mod reference;
mod report;
mod teller;
mod told;
mod wire;

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::failure::{Failure, NoPlace};
use crate::stop::Stop;
use crate::voice::{can_be_written, is_standard_output, write};
pub(crate) use action::Action;
pub(crate) use card::{Card, Change, Fact, Kind, Role};
pub(crate) use file::{Scenario, Step};
pub(crate) use play::{Looks, Player};
use teller::{Manner, Pace, Teller};
pub(crate) use told::{Beat, LICENSING_DESK, MAIN_SERVER, Story, Told, WORLD};
pub(crate) use wire::{Exchange, Mail, Members, Message, Outcome};

/// The story that `harness demo` tells.
const DEMO: &str = include_str!("../../../fixtures/scenarios/key-pair-story.toml");

/// Arguments of `harness scenario`.
#[derive(clap::Args)]
#[command(after_help = "Example: harness scenario fixtures/scenarios/leaked-id.toml --html story.html")]
pub(crate) struct Arguments {
    /// Scenario files, as in fixtures/scenarios; `-` is standard input
    #[arg(required_unless_present = "reference", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the reference for authors of scenarios; play nothing
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    reference: Option<PathBuf>,
    #[command(flatten)]
    telling: Telling,
}

/// How a story is told.
#[derive(clap::Args)]
pub(crate) struct Telling {
    /// Print one JSON object per step
    #[arg(long)]
    json: bool,
    /// Wait for Enter before each step
    #[arg(long, conflicts_with_all = ["pace", "json"])]
    step: bool,
    /// Wait this long before each step, such as 2s
    #[arg(long, value_name = "TIME", value_parser = span)]
    pace: Option<Duration>,
    /// Write a JUnit report: one suite per scenario, one test case per step
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the story as one HTML page, with every message
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Keep state directories, files and the main server's data in DIR, which must be empty or new
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    web: Web,
}

/// The stage in a browser.
#[derive(clap::Args)]
struct Web {
    /// Show the story in the browser, step by step; play freely there
    #[arg(long, conflicts_with_all = ["json", "step", "pace", "junit", "html", "keep"])]
    web: bool,
    /// Open the browser
    #[arg(long, requires = "web")]
    open: bool,
    /// Serve the page on this port of 127.0.0.1 [default: that of the last time, or a free one]
    #[arg(long, requires = "web")]
    port: Option<u16>,
}

impl Web {
    /// Serves the stage until the program is told to stop.
    async fn serve(&self, scenario: Scenario, text: &str) -> Result<bool, Failure> {
        crate::stage::serve(scenario, text, self.port, self.open).await.map(|()| true)
    }
}

impl Telling {
    /// A report named `-` has standard output for itself.
    fn manner(&self) -> Result<Manner, Failure> {
        let reports: Vec<&Path> = [&self.junit, &self.html].into_iter().flatten().map(PathBuf::as_path).collect();
        can_be_written(&reports)?;
        match (reports.into_iter().any(is_standard_output), self.json) {
            (false, false) => Ok(Manner::Lanes),
            (false, true) => Ok(Manner::Json),
            (true, false) => Ok(Manner::Silent),
            (true, true) => Err(Failure::SamePlace(None)),
        }
    }

    fn pace(&self) -> Pace {
        match (self.step, self.pace) {
            (true, _) => Pace::OnEnter,
            (false, Some(time)) => Pace::After(time),
            (false, None) => Pace::AtOnce,
        }
    }
}

/// A time on the command line.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let wrong = |_| format!("{text:?} needs a unit: 500ms, 2s, 1m");
    let span: jiff::SignedDuration = text.parse().map_err(wrong)?;
    Duration::try_from(span).map_err(|_| format!("{text:?} is negative; use a time like 2s"))
}

/// A seed on the command line, an unsigned integer.
pub(crate) fn seed<T: FromStr>(text: &str) -> Result<T, String> {
    let most = u64::MAX >> (64 - 8 * size_of::<T>());
    text.parse().map_err(|_| format!("use a whole number from 0 to {most}"))
}

/// Plays scenarios from files; true if every step of each came as expected.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool, Failure> {
    if let Some(path) = &arguments.reference {
        reference::write(path)?;
        return Ok(true);
    }
    if arguments.telling.web.web {
        let [file] = arguments.files.as_slice() else {
            return Err(Failure::SeveralStories);
        };
        let (scenario, text) = read(file)?;
        return arguments.telling.web.serve(scenario, &text).await;
    }
    let telling = &arguments.telling;
    let manner = telling.manner()?;
    let scenarios = arguments.files.iter().map(|path| Ok((path, read(path)?.0)));
    let scenarios: Vec<_> = scenarios.collect::<Result<_, Failure>>()?;
    let stop = Stop::on_signals()?;
    let mut stories = Vec::new();
    for (path, scenario) in &scenarios {
        let name = path.file_stem().filter(|_| !is_standard_output(path)).unwrap_or("scenario".as_ref());
        let keep = telling.keep.as_ref().map(|keep| keep.join(name));
        stories.push(play(scenario, Teller::new(manner, telling.pace()), telling, keep.as_deref(), &stop).await?);
    }
    end(&stories, telling)
}

/// Plays the demo; true if every step came as expected.
pub(crate) async fn demo(telling: &Telling) -> Result<bool, Failure> {
    let scenario = parsed("the demo", DEMO)?;
    if telling.web.web {
        return telling.web.serve(scenario, DEMO).await;
    }
    let teller = Teller::new(telling.manner()?, telling.pace());
    let story = play(&scenario, teller, telling, telling.keep.as_deref(), &Stop::on_signals()?).await?;
    end(&[story], telling)
}

async fn play(
    scenario: &Scenario,
    mut teller: Teller,
    telling: &Telling,
    keep: Option<&Path>,
    stop: &Stop,
) -> Result<Story, Failure> {
    let throw_away = tempfile::tempdir().map_err(Failure::system("create a directory to play in"))?;
    let stage = keep.unwrap_or(throw_away.path());
    let not_written = |error: io::Error| Failure::not_written(Some(stage), &error);
    std::fs::create_dir_all(stage).map_err(not_written)?;
    // Another story may lie there.
    if std::fs::read_dir(stage).map_err(not_written)?.next().is_some() {
        return Err(Failure::no_place(stage, NoPlace::NotEmpty));
    }
    let everyone = telling.json || telling.html.is_some();
    let looks = if everyone { Looks::AtEveryone } else { Looks::AtNobody };
    let story = tokio::select! {
        story = play::play(scenario, stage, looks, &mut teller) => Some(story),
        () = stop.told() => None,
    };
    // Ctrl-C in a terminal ends those who play, too: that is not the story's fault.
    match (stop.exit_code(), story) {
        (None, Some(story)) => story,
        (code, _) => Err(Failure::Interrupted(code.unwrap_or(1))),
    }
}

/// Writes the reports; true if every story went well.
fn end(stories: &[Story], telling: &Telling) -> Result<bool, Failure> {
    if let Some(path) = &telling.junit {
        write(path, &report::junit(stories))?;
    }
    if let Some(path) = &telling.html {
        write(path, &crate::stage::page(stories))?;
    }
    if let Some(broken) = stories.iter().find_map(|story| story.broken.as_ref()) {
        return Err(Failure::BrokeOff(broken.clone()));
    }
    Ok(stories.iter().all(Story::went_well))
}

/// The scenario in a file or, for `-`, on standard input, and its text.
fn read(path: &Path) -> Result<(Scenario, String), Failure> {
    let from_input = is_standard_output(path);
    let read = if from_input { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) };
    let text = read.map_err(|error| Failure::unreadable(path, "a scenario", &error))?;
    let name = if from_input { "standard input".into() } else { path.to_string_lossy() };
    Ok((parsed(&name, &text)?, text))
}

fn parsed(name: &str, text: &str) -> Result<Scenario, Failure> {
    Scenario::parse(text).map_err(|error| Failure::NotAScenario { name: name.to_owned(), detail: format!("{error:#}") })
}
