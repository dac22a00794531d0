//! The virtual clock of the whole simulator.

use axum::Json as Out;
use axum::extract::State;
use serde::Deserialize;
use solme_sync_protocol::UtcTime;

use super::Admin;
use super::extract::Json;
use super::view::ClockView;
use crate::http::problem::ProblemResponse;
use crate::main_server::MainServer;

pub(super) async fn show(State(admin): State<Admin>) -> Out<ClockView> {
    Out(view(&admin.main_server))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    #[serde(with = "crate::rfc3339")]
    now: UtcTime,
}

pub(super) async fn set(State(admin): State<Admin>, Json(set): Json<Set>) -> Result<Out<ClockView>, ProblemResponse> {
    admin.act(move |main_server| main_server.set_clock(set.now)).await?;
    Ok(Out(view(&admin.main_server)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    /// May be negative.
    seconds: i64,
}

pub(super) async fn advance(
    State(admin): State<Admin>,
    Json(advance): Json<Advance>,
) -> Result<Out<ClockView>, ProblemResponse> {
    admin.act(move |main_server| main_server.advance_clock(advance.seconds)).await?;
    Ok(Out(view(&admin.main_server)))
}

fn view(main_server: &MainServer) -> ClockView {
    ClockView { now: main_server.now(), offset: main_server.clock_offset() }
}
