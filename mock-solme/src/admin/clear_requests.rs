//! Requests to clear a key pair that arrived by e-mail.

use axum::Json as Out;
use axum::extract::State;
use serde::Deserialize;

use super::Admin;
use super::extract::{ByBody, Json, Listing, Name, Number, Path, Query, Reason, by};
use super::view::ClearRequestView;
use crate::http::problem::ProblemResponse;

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Out<Vec<ClearRequestView>>, ProblemResponse> {
    let (id, before, limit) = (listing.id()?, listing.before(), listing.limit());
    let requests = admin.act(move |main_server| main_server.clear_requests(id.as_ref(), before, limit)).await?;
    Ok(Out(requests.into_iter().map(ClearRequestView::from).collect()))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
) -> Result<Out<ClearRequestView>, ProblemResponse> {
    let request = admin.act(move |main_server| main_server.clear_request(number)).await?;
    Ok(Out(request.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    #[serde(default)]
    even_so: bool,
    #[serde(default)]
    reserve: bool,
    operator: Option<Name>,
    reason: Option<Reason>,
}

pub(super) async fn approve(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
    Json(approve): Json<Approve>,
) -> Result<Out<ClearRequestView>, ProblemResponse> {
    let Approve { even_so, reserve, operator, reason } = approve;
    let by = by(operator, reason);
    let approved =
        admin.act(move |main_server| main_server.approve_clear_request(number, even_so, reserve, &by)).await?;
    Ok(Out(approved.into()))
}

pub(super) async fn reject(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
    Json(body): Json<ByBody>,
) -> Result<Out<ClearRequestView>, ProblemResponse> {
    let rejected = admin.act(move |main_server| main_server.reject_clear_request(number, &body.by())).await?;
    Ok(Out(rejected.into()))
}
