//! Quirks: what there is, what is armed, and what came of it.

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;

use super::Admin;
use super::api::{CataloguedQuirk, CataloguedVariant};
use super::extract::{Json, Number, Path};
use crate::http::problem::ProblemResponse;
use crate::main_server::TraceEntry;
use crate::quirks::{Fault, FaultError, FaultReport, Quirk, Variant};

pub(super) async fn list() -> Out<Vec<CataloguedQuirk>> {
    Out(Quirk::ALL.iter().copied().map(CataloguedQuirk::from).collect())
}

pub(super) async fn variants() -> Out<Vec<CataloguedVariant>> {
    Out(Variant::all().map(CataloguedVariant::from).collect())
}

pub(super) async fn arm(
    State(admin): State<Admin>,
    Json(fault): Json<Fault>,
) -> Result<(StatusCode, Out<FaultReport>), ProblemResponse> {
    Ok((StatusCode::CREATED, Out(admin.main_server.arm(fault)?)))
}

pub(super) async fn report(State(admin): State<Admin>) -> Out<Vec<FaultReport>> {
    Out(admin.main_server.quirks_report())
}

pub(super) async fn disarm(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
) -> Result<Out<Vec<FaultReport>>, ProblemResponse> {
    let disarmed = admin.main_server.disarm(number).ok_or_else(|| {
        let detail = format!("No fault {number} is armed.");
        ProblemResponse::new(StatusCode::NOT_FOUND, "unknown-fault", detail, "List them: mock-solme quirks report.")
    })?;
    Ok(Out(vec![disarmed]))
}

pub(super) async fn disarm_all(State(admin): State<Admin>) -> Out<Vec<FaultReport>> {
    Out(admin.main_server.disarm_all())
}

pub(super) async fn trace(State(admin): State<Admin>) -> Out<Vec<TraceEntry>> {
    Out(admin.main_server.trace())
}

impl From<FaultError> for ProblemResponse {
    fn from(error: FaultError) -> Self {
        let cure = "Compare it with mock-solme quirks list and mock-solme quirks arm --help.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed-fault", format!("{error}."), cure)
    }
}
