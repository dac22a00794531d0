//! `--web`: the stage as it is played, in a browser. The page asks for steps and shows them; all is decided and drawn here.

use std::env;
use std::fs::DirBuilder;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use solme_sync_pages::{Door, Feed, Problem, Shell, json, open_browser, script, style};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::{Lanes, cards, drawing, hands};
use crate::failure::Failure;
use crate::scenario::{Looks, Player, Scenario, Step, Story};
use crate::stop::Stop;
use crate::voice::print;

/// What free play begins with.
const FREE_PLAY: &str = include_str!("free-play.toml");

/// One performance, from an empty stage on.
struct Performance {
    scenario: Scenario,
    /// The step of the scenario that is played next; none once somebody has taken over.
    next: Option<usize>,
    /// What was played, as a scenario has it.
    played: Vec<Step>,
    player: Player,
    story: Story,
    lanes: Lanes,
    quirks: Vec<String>,
    /// Differs from all others, so that a page sees that it shows another one.
    number: u64,
    _directory: TempDir,
}

#[derive(Clone)]
struct House {
    /// As it stands in its file, to begin anew.
    script: Arc<str>,
    performance: Arc<Mutex<Performance>>,
    feed: Feed,
}

/// Serves the stage until the program is told to stop.
///
/// # Errors
/// If its programs do not start, or there is no port.
pub(crate) async fn serve(scenario: Scenario, text: &str, port: Option<u16>, open: bool) -> Result<(), Failure> {
    let no_port = |error: io::Error| Failure::NoPort(error.to_string());
    let door = open_door(port).map_err(no_port)?;
    let stop = Stop::on_signals()?;
    let performance =
        Performance::begin(scenario, begins_at()).await.map_err(|error| Failure::BrokeOff(format!("{error:#}")))?;
    let house = House { script: text.into(), performance: Arc::new(Mutex::new(performance)), feed: Feed::new(64) };
    print(&format!("The stage is open: {}\nCtrl-C closes it.\n", door.address()))?;
    let browser = if open { Some(open_browser(&door.address())) } else { None };
    let browser = browser.transpose().map_err(|error| Failure::NoBrowser(error.to_string()))?;
    door.serve(router(house), async move { stop.told().await }).await.map_err(no_port)?;
    drop(browser);
    Ok(())
}

/// Opens the door where it was open the last time, so that a page that is still open comes back.
fn open_door(port: Option<u16>) -> io::Result<Door> {
    let kept = kept_in();
    match Door::open(kept.as_deref(), port) {
        // Without the file nothing comes back, and everything else works.
        Err(error) if kept.is_some() && error.kind() != io::ErrorKind::AddrInUse => Door::open(None, port),
        door => door,
    }
}

/// The file of port and token: in the state directory of the user, if there is one.
fn kept_in() -> Option<PathBuf> {
    let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")))?;
    let directory = state.join("solme-sync-harness");
    let mut create = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut create, 0o700);
    create.recursive(true).create(&directory).ok()?;
    Some(directory.join("stage.page"))
}

/// The number of the first performance: no earlier run of this program had it.
fn begins_at() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_millis().try_into().unwrap_or_default()
}

fn router(house: House) -> Router {
    let shell = Shell {
        title: "The stage",
        program: "harness demo --web",
        style: Some("/stage.css"),
        script: "/live.js",
        body: body(),
    };
    let sheet: &'static str = Box::leak(super::style().into_boxed_str());
    Router::new()
        .route("/", get(shell.respond()))
        .route("/stage.css", style(sheet))
        .route("/stage.js", script(super::SCRIPT))
        .route("/live.js", script(include_str!("live.js")))
        .route("/api/live", get(|State(house): State<House>| async move { house.feed.subscribe() }))
        .route("/api/whole", get(whole))
        .route("/api/next", post(next))
        .route("/api/act", post(act))
        .route("/api/again", post(again))
        .route("/api/page", get(page))
        .route("/api/scenario", get(scenario))
        .with_state(house)
}

fn body() -> maud::Markup {
    maud::html! {
        main.stage id="stage" {
            article.story data-story="0" {
                header.title {
                    h1 id="title" { "The stage" } p.about id="about" { "The programs are starting." }
                    div.bill {
                        button type="button" id="story" title="Start the story from the beginning" { "Tell the story" }
                        button type="button" id="free" title="An empty stage: you decide what happens" { "Play freely" }
                        button type="button" id="take-over" title="Leave the story here and go on yourself" { "Take over from here" }
                        button type="button" id="save-page" title="One file that opens without this program" { "Save the page" }
                        button type="button" id="save-scenario" title="`harness scenario FILE` plays it again" { "Save as scenario" }
                    }
                }
                div.heads { div.narration { (super::controls()) } div.cards {} }
                div.steps id="steps" {}
                p.problem id="problem" role="alert" hidden {}
                div.turn id="turn" {}
            }
        }
        footer { (super::footer()) }
    }
}

impl Performance {
    async fn begin(scenario: Scenario, number: u64) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let player = Player::enter(&scenario, directory.path(), Looks::AtEveryone).await?;
        let mut story = Story::new(&scenario);
        story.cards.clone_from(&player.cards);
        let lanes = Lanes::new(story.servers.iter().map(String::as_str));
        let quirks = player.quirks().await?;
        Ok(Self {
            next: Some(0),
            played: Vec::new(),
            player,
            story,
            lanes,
            quirks,
            scenario,
            number,
            _directory: directory,
        })
    }

    /// Whether the scenario has something left to tell.
    fn goes_on(&self) -> bool {
        let left = self.next.and_then(|next| self.scenario.step.get(next..));
        self.story.broken.is_none() && left.is_some_and(|left| left.iter().any(|step| step.tell.is_some()))
    }

    /// Plays the scenario up to the next step that is told.
    async fn play_on(&mut self) {
        while let Some(step) = self.next.and_then(|next| self.scenario.step.get(next)).cloned() {
            self.next = self.next.map(|next| next + 1);
            match self.player.play(&step).await {
                Ok(told) => {
                    self.played.push(step);
                    if let Some(told) = told {
                        self.story.steps.push(told);
                        return;
                    }
                }
                Err(error) => {
                    self.story.broken = Some(format!("{error:#}"));
                    self.next = None;
                }
            }
        }
    }

    /// Plays what somebody has chosen.
    async fn act(&mut self, mut step: Step) -> Result<()> {
        let told = self.player.improvise(&mut step).await?;
        self.next = None;
        self.story.broken = None;
        for name in [&step.server, &step.to].into_iter().flatten() {
            self.lanes.enter(name);
            if !self.story.servers.contains(name) {
                self.story.servers.push(name.clone());
            }
        }
        self.story.steps.push(told);
        self.played.push(step);
        Ok(())
    }
}

/// Which steps a page has already.
#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: usize,
}

async fn whole(State(house): State<House>, Query(From { from }): Query<From>) -> Response {
    let at = house.performance.lock().await;
    let steps = at.story.steps.iter().skip(from).map(|told| drawing::step(0, &at.lanes, told).into_string());
    json(&serde_json::json!({
        "performance": at.number,
        // JSON has its own escapes, which a page undoes: what others wrote is printable before.
        "title": super::shown(&at.story.title),
        "about": super::shown(&at.story.about),
        "lanes": at.lanes.count(),
        "cards": cards::cards(&at.lanes, &at.player.cards).into_string(),
        "steps": steps.collect::<Vec<_>>(),
        "goes_on": at.goes_on(),
        "broken": at.story.broken.as_deref().map(super::shown),
        "turn": hands::turn(&at.lanes, &at.player.cards, &at.played, &at.quirks).into_string(),
    }))
}

/// What a page asks for.
enum Wish {
    Next,
    Act(Step),
    Again { free: bool },
}

async fn next(State(house): State<House>) -> Response {
    granted(house, Wish::Next).await
}

/// A step as a scenario has it, in JSON.
async fn act(State(house): State<House>, body: String) -> Response {
    let step = serde_json::from_str::<toml::Table>(&body).map_err(Into::into).and_then(Step::checked);
    match step {
        Ok(step) => granted(house, Wish::Act(step)).await,
        Err(error) => problem(StatusCode::BAD_REQUEST, &error),
    }
}

/// Which stage to begin with.
#[derive(Deserialize)]
struct Again {
    free: bool,
}

async fn again(State(house): State<House>, Query(Again { free }): Query<Again>) -> Response {
    granted(house, Wish::Again { free }).await
}

/// Does what is asked for in a task of its own: a page that goes away in the middle leaves no half of a step.
async fn granted(house: House, wish: Wish) -> Response {
    let task = tokio::spawn(async move {
        let mut at = house.performance.lock().await;
        let done = match wish {
            Wish::Next => {
                at.play_on().await;
                Ok(())
            }
            Wish::Act(step) => at.act(step).await,
            Wish::Again { free } => {
                let text = if free { FREE_PLAY } else { &house.script };
                Performance::begin(Scenario::parse(text)?, at.number + 1).await.map(|new| *at = new)
            }
        };
        house.feed.send("changed", &at.story.steps.len());
        done
    });
    match task.await.map_err(Into::into).flatten() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => problem(StatusCode::CONFLICT, &error),
    }
}

fn problem(status: StatusCode, error: &anyhow::Error) -> Response {
    Problem::new(
        status,
        "not-played",
        super::shown(&format!("{error:#}")),
        "The story is unchanged; choose another step.",
    )
    .into_response()
}

/// The timeline so far, to keep or to mail.
async fn page(State(house): State<House>) -> Response {
    let at = house.performance.lock().await;
    (StatusCode::OK, super::page(std::slice::from_ref(&at.story))).into_response()
}

/// What was played, as a scenario that plays again.
async fn scenario(State(house): State<House>) -> Response {
    let at = house.performance.lock().await;
    (StatusCode::OK, at.scenario.with_steps(&at.played)).into_response()
}
