//! The licenses of an id.

use std::collections::BTreeMap;

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use solme_sync_protocol::{
    Component, ComponentId, LicenseNumber, LicenseServerId, component_id, component_name, limits,
};

use super::Admin;
use super::extract::{ByBody, Json, Name, Path, Reason, by, given};
use super::view::{AllocationView, LicenseView};
use crate::http::problem::ProblemResponse;
use crate::main_server::NewLicense;
use crate::registry::LicenseChange;
use crate::rfc3339::Rfc3339;

/// A component, by its id, by its name, or by both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentBody {
    id: Option<ComponentId>,
    name: Option<String>,
    #[serde(deserialize_with = "users")]
    max_users: u64,
}

fn users<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let users = u64::deserialize(d)?;
    if (1..=limits::INTEGER).contains(&users) {
        return Ok(users);
    }
    Err(D::Error::custom(format!("{users} is not from 1 to {} (2^53 - 1)", limits::INTEGER)))
}

/// A license to be added, or what to change in one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LicenseBody {
    number: Option<LicenseNumber>,
    #[serde(default, deserialize_with = "given")]
    display: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    domain: Option<Option<String>>,
    components: Option<Vec<ComponentBody>>,
    valid_from: Option<Rfc3339>,
    #[serde(default, deserialize_with = "given")]
    expires_at: Option<Option<Rfc3339>>,
    properties: Option<BTreeMap<String, String>>,
    operator: Option<Name>,
    reason: Option<Reason>,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
) -> Result<Out<AllocationView>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.record(&id)).await?;
    Ok(Out(record.into()))
}

pub(super) async fn add(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(body): Json<LicenseBody>,
) -> Result<(StatusCode, Out<LicenseView>), ProblemResponse> {
    let by = by(body.operator, body.reason);
    let new = NewLicense {
        number: body.number,
        display: body.display.flatten(),
        domain: body.domain.flatten(),
        components: body.components.map(components).transpose()?,
        valid_from: body.valid_from.map(|time| time.0),
        expires_at: body.expires_at.map(|end| end.map(|time| time.0)),
        properties: body.properties.unwrap_or_default(),
    };
    let license = admin.act(move |main_server| main_server.add_license(&id, new, &by)).await?;
    Ok((StatusCode::CREATED, Out(license.into())))
}

pub(super) async fn change(
    State(admin): State<Admin>,
    Path((id, number)): Path<(LicenseServerId, LicenseNumber)>,
    Json(body): Json<LicenseBody>,
) -> Result<Out<LicenseView>, ProblemResponse> {
    if body.number.is_some_and(|other| other != number) {
        let cure = "Remove the license and add another one.";
        let detail = "A license keeps its number.";
        return Err(ProblemResponse::new(StatusCode::UNPROCESSABLE_ENTITY, "license-number-fixed", detail, cure));
    }
    let by = by(body.operator, body.reason);
    let change = LicenseChange {
        display: body.display,
        domain: body.domain,
        components: body.components.map(components).transpose()?,
        valid_from: body.valid_from.map(|time| time.0),
        expires_at: body.expires_at.map(|end| end.map(|time| time.0)),
        properties: body.properties,
    };
    let license = admin.act(move |main_server| main_server.change_license(&id, &number, change, &by)).await?;
    Ok(Out(license.into()))
}

pub(super) async fn remove(
    State(admin): State<Admin>,
    Path((id, number)): Path<(LicenseServerId, LicenseNumber)>,
    Json(body): Json<ByBody>,
) -> Result<Out<AllocationView>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.remove_license(&id, &number, &body.by())).await?;
    Ok(Out(record.into()))
}

fn components(bodies: Vec<ComponentBody>) -> Result<Vec<Component>, ProblemResponse> {
    bodies.into_iter().map(component).collect()
}

/// Of the 19 published components either name or id is enough.
fn component(body: ComponentBody) -> Result<Component, ProblemResponse> {
    let published = body.name.as_deref().and_then(component_id).and_then(|id| id.parse().ok());
    let Some(id) = body.id.or(published) else {
        let detail = format!("{:?} is none of the published components.", body.name.unwrap_or_default());
        let cure = "Use one of their names, or the id of another component.";
        return Err(ProblemResponse::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-component", detail, cure));
    };
    let name = component_name(id.as_str()).map(str::to_owned).or(body.name).unwrap_or_else(|| id.to_string());
    Ok(Component { id, name, max_users: body.max_users })
}
