//! Scenarios: stories in TOML that a support engineer can read and write, played with real processes.
//!
//! `file.rs` reads one, `actors.rs` does what its steps say, `play.rs` compares and tells.

mod actors;
mod file;
mod play;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::step::Teller;
use file::Scenario;

/// The story that `harness demo` tells.
const DEMO: &str = include_str!("../../../fixtures/scenarios/key-pair-story.toml");

/// Arguments of `harness scenario`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Scenario files, see fixtures/scenarios
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    telling: Telling,
}

/// How a story is told.
#[derive(clap::Args)]
pub(crate) struct Telling {
    /// Print one JSON object per step: step, expected, got, ok, says
    #[arg(long)]
    json: bool,
    /// Keep state directories, files and the main server's data in DIR, to look at afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Plays scenarios from files; true if every step of each came as expected.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool> {
    let mut well = true;
    for path in &arguments.files {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let scenario = Scenario::parse(&text).with_context(|| format!("{} is no scenario", path.display()))?;
        let name = path.file_stem().unwrap_or_default();
        let keep = arguments.telling.keep.as_ref().map(|keep| keep.join(name));
        well &= play(&scenario, arguments.telling.json, keep.as_deref()).await?;
    }
    Ok(well)
}

/// Plays the demo; true if every step came as expected.
pub(crate) async fn demo(telling: &Telling) -> Result<bool> {
    let scenario = Scenario::parse(DEMO).context("the demo is no scenario")?;
    play(&scenario, telling.json, telling.keep.as_deref()).await
}

async fn play(scenario: &Scenario, json: bool, keep: Option<&Path>) -> Result<bool> {
    let throw_away = tempfile::tempdir().context("cannot create a directory to play in")?;
    let stage = keep.unwrap_or(throw_away.path());
    std::fs::create_dir_all(stage).with_context(|| format!("cannot create {}", stage.display()))?;
    play::play(scenario, stage, Teller::new(json)).await
}
