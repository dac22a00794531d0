//! The key pair in use, and those that were cleared.

use axum::Json as Out;
use axum::extract::State;
use serde::Deserialize;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

use super::Admin;
use super::extract::{Json, Name, Path, Reason, by};
use super::view::{ClearView, KeyPairView};
use crate::http::problem::ProblemResponse;
use crate::main_server::ClearOrder;

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
) -> Result<Out<KeyPairView>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.record(&id)).await?;
    Ok(Out(record.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clear {
    /// The key pair to clear; without it the one in use.
    thumbprint: Option<KeyThumbprint>,
    reserve_for: Option<KeyThumbprint>,
    /// In spite of every caution, for `reason`.
    #[serde(default)]
    even_so: bool,
    operator: Option<Name>,
    reason: Option<Reason>,
}

pub(super) async fn clear(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(clear): Json<Clear>,
) -> Result<Out<ClearView>, ProblemResponse> {
    let Clear { thumbprint, reserve_for, even_so, operator, reason } = clear;
    let order = ClearOrder { thumbprint, reserve_for, even_so };
    let by = by(operator, reason);
    let outcome = admin.act(move |main_server| main_server.clear_key_pair(&id, order, &by)).await?;
    Ok(Out(outcome.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reserve {
    /// The only key pair that may bind the id next; null lifts the reservation.
    reserve_for: Option<KeyThumbprint>,
    operator: Option<Name>,
    reason: Option<Reason>,
}

pub(super) async fn reserve(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(reserve): Json<Reserve>,
) -> Result<Out<KeyPairView>, ProblemResponse> {
    let by = by(reserve.operator, reserve.reason);
    let record = admin.act(move |main_server| main_server.reserve(&id, reserve.reserve_for, &by)).await?;
    Ok(Out(record.into()))
}
