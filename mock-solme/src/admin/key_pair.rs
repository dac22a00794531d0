//! The key pair in use, and those that were cleared.

use axum::Json as Out;
use axum::extract::State;
use solme_sync_protocol::LicenseServerId;

use super::Admin;
use super::api::{Clear, Cleared, KeyPair, Reserve};
use super::extract::{Json, Path, by};
use crate::http::problem::ProblemResponse;
use crate::main_server::ClearOrder;

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
) -> Result<Out<KeyPair>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.record(&id)).await?;
    Ok(Out(record.into()))
}

pub(super) async fn clear(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(clear): Json<Clear>,
) -> Result<Out<Cleared>, ProblemResponse> {
    let Clear { thumbprint, reserve_for, even_so, operator, reason } = clear;
    let order = ClearOrder { thumbprint, reserve_for, even_so };
    let by = by(operator, reason);
    let outcome = admin.act(move |main_server| main_server.clear_key_pair(&id, order, &by)).await?;
    Ok(Out(outcome.into()))
}

pub(super) async fn reserve(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(reserve): Json<Reserve>,
) -> Result<Out<KeyPair>, ProblemResponse> {
    let by = by(reserve.operator, reserve.reason);
    let record = admin.act(move |main_server| main_server.reserve(&id, reserve.reserve_for, &by)).await?;
    Ok(Out(record.into()))
}
