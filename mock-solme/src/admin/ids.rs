//! License server ids.

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

use super::Admin;
use super::extract::{ByBody, Json, Name, Path, Query, Reason, by, given, limit};
use super::view::{IdView, ListedId};
use crate::crypto;
use crate::http::problem::ProblemResponse;

/// Addresses of the contacts of an id; of what form they are is for the main server to say.
#[derive(Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
struct Contacts(Vec<String>);

/// Contacts of one id: each hears of each clear request.
const CONTACTS_AT_MOST: usize = 16;

impl TryFrom<Vec<String>> for Contacts {
    type Error = String;

    fn try_from(contacts: Vec<String>) -> Result<Self, String> {
        match contacts.len() {
            ..=CONTACTS_AT_MOST => Ok(Self(contacts)),
            found => Err(format!("{found} contacts; at most {CONTACTS_AT_MOST} are allowed")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewId {
    license_server_id: Option<LicenseServerId>,
    name: Option<Name>,
    #[serde(default)]
    contacts: Contacts,
    /// The only key pair that may bind it (P 16.6).
    reserve_for: Option<KeyThumbprint>,
    operator: Option<Name>,
    reason: Option<Reason>,
}

pub(super) async fn add(
    State(admin): State<Admin>,
    Json(new): Json<NewId>,
) -> Result<(StatusCode, Out<IdView>), ProblemResponse> {
    let id = match new.license_server_id {
        Some(id) => id,
        None => made_up().map_err(|_| crate::http::problem::failed())?,
    };
    let by = by(new.operator, new.reason);
    let (name, Contacts(contacts)) = (new.name.map(String::from), new.contacts);
    let new = crate::main_server::NewId { name, contacts, licenses: Vec::new(), reserved_for: new.reserve_for };
    let record = admin.act(move |main_server| main_server.add_id(&id, new, &by)).await?;
    Ok((StatusCode::CREATED, Out(record.into())))
}

fn made_up() -> Result<LicenseServerId, crypto::CryptoError> {
    let random = u64::from_be_bytes(crypto::random()?);
    Ok(format!("LS-{random:016X}").parse().expect("letters, digits and a dash"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pages {
    /// Only ids after this one.
    #[serde(default)]
    after: String,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(pages): Query<Pages>,
) -> Result<Out<Vec<ListedId>>, ProblemResponse> {
    let records = admin.act(move |main_server| main_server.records(&pages.after, limit(pages.limit))).await?;
    Ok(Out(records.into_iter().map(ListedId::from).collect()))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
) -> Result<Out<IdView>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.record(&id)).await?;
    Ok(Out(record.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdChange {
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<Name>>,
    contacts: Option<Contacts>,
    operator: Option<Name>,
    reason: Option<Reason>,
}

pub(super) async fn change(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(change): Json<IdChange>,
) -> Result<Out<IdView>, ProblemResponse> {
    let by = by(change.operator, change.reason);
    let name = change.name.map(|name| name.map(String::from));
    let contacts = change.contacts.map(|contacts| contacts.0);
    let record = admin.act(move |main_server| main_server.change_id(&id, name, contacts, &by)).await?;
    Ok(Out(record.into()))
}

pub(super) async fn disable(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(body): Json<ByBody>,
) -> Result<Out<IdView>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.disable(&id, &body.by())).await?;
    Ok(Out(record.into()))
}

pub(super) async fn enable(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(body): Json<ByBody>,
) -> Result<Out<IdView>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.enable(&id, &body.by())).await?;
    Ok(Out(record.into()))
}

pub(super) async fn reset(
    State(admin): State<Admin>,
    Path(id): Path<LicenseServerId>,
    Json(body): Json<ByBody>,
) -> Result<Out<IdView>, ProblemResponse> {
    let record = admin.act(move |main_server| main_server.reset_id(&id, &body.by())).await?;
    Ok(Out(record.into()))
}
