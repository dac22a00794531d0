//! Quirks: what there is, what is armed, and what came of it.

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::Admin;
use super::extract::{Json, Number, Path};
use crate::http::problem::ProblemResponse;
use crate::main_server::TraceEntry;
use crate::quirks::{Fault, FaultError, FaultReport, Operation, Quirk, Variant};

/// A quirk that there is.
#[derive(Serialize)]
pub(super) struct QuirkView {
    quirk: Quirk,
    about: &'static str,
    /// What a License Server is tested on.
    clause: &'static str,
    operations: &'static [Operation],
}

pub(super) async fn list() -> Out<Vec<QuirkView>> {
    let view = |quirk: &Quirk| QuirkView {
        quirk: *quirk,
        about: quirk.about(),
        clause: quirk.clause(),
        operations: quirk.operations(),
    };
    Out(Quirk::ALL.iter().map(view).collect())
}

/// A defect for the quirks that take one.
#[derive(Serialize)]
pub(super) struct VariantView {
    variant: Variant,
    of: &'static str,
    clause: &'static str,
    about: &'static str,
}

pub(super) async fn variants() -> Out<Vec<VariantView>> {
    let view = |variant: Variant| {
        let defect = variant.defect();
        VariantView { variant, of: defect.kind.as_str(), clause: defect.clause, about: &defect.what }
    };
    Out(Variant::all().map(view).collect())
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
        let cure = "Compare it with mock-solme quirks list, and mock-solme quirks arm --help.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed-fault", format!("{error}."), cure)
    }
}
