//! The licenses of an id.

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;
use solme_sync_protocol::{Component, LicenseNumber, LicenseServerId, component_id, component_name};

use super::Admin;
use super::api::{By, ComponentTerms, License, LicenseTerms, Licenses};
use super::extract::{Json, Path, by};
use crate::http::problem::ProblemResponse;
use crate::main_server::NewLicense;
use crate::registry::LicenseChange;

pub(super) async fn list(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
) -> Result<Out<Licenses>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.record(&id)).await?;
    Ok(Out(record.into()))
}

pub(super) async fn add(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(body): Json<LicenseTerms>,
) -> Result<(StatusCode, Out<License>), ProblemResponse> {
    let by = by(body.operator, body.reason);
    let new = NewLicense {
        number: body.number,
        display: body.display.flatten(),
        domain: body.domain.flatten(),
        components: body.components.map(components).transpose()?,
        valid_from: body.valid_from,
        expires_at: body.expires_at,
        properties: body.properties.unwrap_or_default(),
    };
    let license = admin.act(move |main_server| main_server.add_license(&id, new, &by)).await?;
    Ok((StatusCode::CREATED, Out(license.into())))
}

pub(super) async fn change(
    State(admin): State<Admin>,
    Path((id, number)): Path<(LicenseServerId, LicenseNumber)>,
    Json(body): Json<LicenseTerms>,
) -> Result<Out<License>, ProblemResponse> {
    if body.number.is_some_and(|other| other != number) {
        let cure = "Remove the license and add a new one.";
        let detail = "The number of a license cannot change.";
        return Err(ProblemResponse::new(StatusCode::UNPROCESSABLE_ENTITY, "license-number-fixed", detail, cure));
    }
    let by = by(body.operator, body.reason);
    let change = LicenseChange {
        display: body.display,
        domain: body.domain,
        components: body.components.map(components).transpose()?,
        valid_from: body.valid_from,
        expires_at: body.expires_at,
        properties: body.properties,
    };
    let license = admin.act(move |main_server| main_server.change_license(&id, &number, change, &by)).await?;
    Ok(Out(license.into()))
}

pub(super) async fn remove(
    State(admin): State<Admin>,
    Path((id, number)): Path<(LicenseServerId, LicenseNumber)>,
    Json(body): Json<By>,
) -> Result<Out<Licenses>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.remove_license(&id, &number, &body.into())).await?;
    Ok(Out(record.into()))
}

fn components(bodies: Vec<ComponentTerms>) -> Result<Vec<Component>, ProblemResponse> {
    bodies.into_iter().map(component).collect()
}

/// Of the 19 published components either name or id is enough.
fn component(body: ComponentTerms) -> Result<Component, ProblemResponse> {
    let published = body.name.as_deref().and_then(component_id).and_then(|id| id.parse().ok());
    let Some(id) = body.id.or(published) else {
        let detail = format!("{:?} is not a published component.", body.name.unwrap_or_default());
        let cure = "Use a published name, or the id of another component.";
        return Err(ProblemResponse::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-component", detail, cure));
    };
    let name = component_name(id.as_str()).map(str::to_owned).or(body.name).unwrap_or_else(|| id.to_string());
    Ok(Component { id, name, max_users: body.max_users })
}
