//! The virtual clock of the whole simulator.

use axum::Json as Out;
use axum::extract::State;

use super::Admin;
use super::api::{AdvanceClock, ClockReading, SetClock};
use super::extract::Json;
use crate::http::problem::ProblemResponse;
use crate::main_server::MainServer;

pub(super) async fn show(State(admin): State<Admin>) -> Out<ClockReading> {
    Out(reading(&admin.main_server))
}

pub(super) async fn set(
    State(admin): State<Admin>,
    Json(set): Json<SetClock>,
) -> Result<Out<ClockReading>, ProblemResponse> {
    admin.act(move |main_server| main_server.set_clock(set.now)).await?;
    Ok(Out(reading(&admin.main_server)))
}

pub(super) async fn advance(
    State(admin): State<Admin>,
    Json(advance): Json<AdvanceClock>,
) -> Result<Out<ClockReading>, ProblemResponse> {
    admin.act(move |main_server| main_server.advance_clock(advance.seconds)).await?;
    Ok(Out(reading(&admin.main_server)))
}

fn reading(main_server: &MainServer) -> ClockReading {
    ClockReading { now: main_server.now(), offset: main_server.clock_offset() }
}
