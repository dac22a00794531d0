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

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::usage::Usage;
use crate::voice::{is_standard_output, write};
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
    /// Scenario files, see fixtures/scenarios; `-` is standard input
    #[arg(required_unless_present = "reference", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the page for authors of scenarios, and play nothing
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
    /// Wait this long before each step, for example 2s
    #[arg(long, value_name = "TIME", value_parser = span)]
    pace: Option<Duration>,
    /// Write a JUnit report: a suite for each scenario, a test case for each step
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the story as one HTML page, with what went over the wire
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Keep state directories, files and the main server's data in DIR; it must be empty
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    web: Web,
}

/// The stage in a browser.
#[derive(clap::Args)]
struct Web {
    /// Play the story on a page in the browser, step by step, or freely
    #[arg(long, conflicts_with_all = ["json", "step", "pace", "junit", "html", "keep"])]
    web: bool,
    /// Open the page in the browser
    #[arg(long, requires = "web")]
    open: bool,
    /// Serve the page on this port of 127.0.0.1; a free one without it
    #[arg(long, requires = "web")]
    port: Option<u16>,
}

impl Web {
    /// Serves the stage until the program is told to stop.
    async fn serve(&self, text: &str) -> Result<bool> {
        crate::stage::serve(text, self.port, self.open).await.map(|()| true)
    }
}

impl Telling {
    /// A report named `-` has standard output for itself.
    fn manner(&self) -> Result<Manner> {
        let on_output = [&self.junit, &self.html].into_iter().flatten().filter(|path| is_standard_output(path)).count();
        match (on_output, self.json) {
            (0, false) => Ok(Manner::Lanes),
            (0, true) => Ok(Manner::Json),
            (1, false) => Ok(Manner::Silent),
            _ => Err(Usage("only one of --json, --junit - and --html - can have standard output".to_owned()).into()),
        }
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let wrong = |_| format!("{text:?} needs a unit: 500ms, 2s, 1m");
    let span: jiff::SignedDuration = text.parse().map_err(wrong)?;
    Duration::try_from(span).map_err(|_| format!("{text:?} is negative; use a time like 2s"))
}

/// Plays scenarios from files; true if every step of each came as expected.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool> {
    if let Some(path) = &arguments.reference {
        reference::write(path)?;
        return Ok(true);
    }
    if arguments.telling.web.web {
        let [file] = arguments.files.as_slice() else {
            return Err(Usage("--web has room for one story; name one file".to_owned()).into());
        };
        let text = read(file)?;
        Scenario::parse(&text).with_context(|| format!("{} is not a scenario", file.display()))?;
        return arguments.telling.web.serve(&text).await;
    }
    let mut stories = Vec::new();
    for path in &arguments.files {
        let text = read(path)?;
        let scenario = Scenario::parse(&text).with_context(|| format!("{} is not a scenario", path.display()))?;
        let name = path.file_stem().filter(|_| !is_standard_output(path)).unwrap_or("scenario".as_ref());
        let keep = arguments.telling.keep.as_ref().map(|keep| keep.join(name));
        stories.push(play(&scenario, &arguments.telling, keep.as_deref()).await?);
    }
    end(&stories, &arguments.telling)
}

/// Plays the demo; true if every step came as expected.
pub(crate) async fn demo(telling: &Telling) -> Result<bool> {
    if telling.web.web {
        return telling.web.serve(DEMO).await;
    }
    let scenario = Scenario::parse(DEMO).context("the demo is not a scenario")?;
    let story = play(&scenario, telling, telling.keep.as_deref()).await?;
    end(&[story], telling)
}

async fn play(scenario: &Scenario, telling: &Telling, keep: Option<&Path>) -> Result<Story> {
    let throw_away = tempfile::tempdir().context("cannot create a directory to play in")?;
    let stage = keep.unwrap_or(throw_away.path());
    std::fs::create_dir_all(stage).with_context(|| format!("cannot create {}", stage.display()))?;
    if std::fs::read_dir(stage).with_context(|| format!("cannot read {}", stage.display()))?.next().is_some() {
        bail!("{} is not empty: another story may lie there; choose another directory for --keep", stage.display());
    }
    let pace = match (telling.step, telling.pace) {
        (true, _) => Pace::OnEnter,
        (false, Some(time)) => Pace::After(time),
        (false, None) => Pace::AtOnce,
    };
    let manner = telling.manner()?;
    let looks = if manner == Manner::Json || telling.html.is_some() { Looks::AtEveryone } else { Looks::AtNobody };
    play::play(scenario, stage, looks, &mut Teller::new(manner, pace)).await
}

/// Writes the reports; true if every story went well.
fn end(stories: &[Story], telling: &Telling) -> Result<bool> {
    if let Some(path) = &telling.junit {
        write(path, &report::junit(stories))?;
    }
    if let Some(path) = &telling.html {
        write(path, &crate::stage::page(stories))?;
    }
    if let Some(broken) = stories.iter().find_map(|story| story.broken.as_ref()) {
        bail!("the story broke off: {broken}");
    }
    Ok(stories.iter().all(Story::went_well))
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    if is_standard_output(path) {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(text)
}
