//! License server ids.

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;
use solme_sync_protocol::LicenseServerId;

use super::Admin;
use super::api::{By, Id, IdChange, ListedId, NewId, Pages};
use super::extract::{Json, Path, Query, by, limit};
use crate::crypto;
use crate::http::problem::ProblemResponse;

pub(super) async fn add(
    State(admin): State<Admin>,
    Json(new): Json<NewId>,
) -> Result<(StatusCode, Out<Id>), ProblemResponse> {
    let id = match new.license_server_id {
        Some(id) => id,
        None => made_up().map_err(|_| crate::http::problem::failed())?,
    };
    let by = by(new.operator, new.reason);
    let (licenses, reserved_for) = (Vec::new(), new.reserve_for);
    let new = crate::main_server::NewId { name: new.name, contacts: new.contacts, licenses, reserved_for };
    let record = admin.act(move |main_server| main_server.add_id(&id, new, &by)).await?;
    Ok((StatusCode::CREATED, Out(record.into())))
}

fn made_up() -> Result<LicenseServerId, crypto::CryptoError> {
    let random = u64::from_be_bytes(crypto::random()?);
    Ok(format!("LS-{random:016X}").parse().expect("letters, digits and a dash"))
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(pages): Query<Pages>,
) -> Result<Out<Vec<ListedId>>, ProblemResponse> {
    let records =
        admin.act(move |main_server| main_server.records(&pages.begins_with, &pages.after, limit(pages.limit))).await?;
    Ok(Out(records.into_iter().map(ListedId::from).collect()))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
) -> Result<Out<Id>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.record(&id)).await?;
    Ok(Out(record.into()))
}

pub(super) async fn change(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(change): Json<IdChange>,
) -> Result<Out<Id>, ProblemResponse> {
    let by = by(change.operator, change.reason);
    let record = admin.act(move |main_server| main_server.change_id(&id, change.name, change.contacts, &by)).await?;
    Ok(Out(record.into()))
}

pub(super) async fn disable(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(body): Json<By>,
) -> Result<Out<Id>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.disable(&id, &body.into())).await?;
    Ok(Out(record.into()))
}

pub(super) async fn enable(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(body): Json<By>,
) -> Result<Out<Id>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.enable(&id, &body.into())).await?;
    Ok(Out(record.into()))
}

pub(super) async fn reset(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(body): Json<By>,
) -> Result<Out<Id>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.reset_id(&id, &body.into())).await?;
    Ok(Out(record.into()))
}
