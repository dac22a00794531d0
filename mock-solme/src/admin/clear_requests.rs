//! Requests to clear a key pair that arrived by e-mail.

use axum::Json as Out;
use axum::extract::State;

use super::Admin;
use super::api::{Approve, By, ClearRequest, Listing};
use super::extract::{Json, Number, Path, Query, by, id_of, limit};
use crate::http::problem::ProblemResponse;

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Out<Vec<ClearRequest>>, ProblemResponse> {
    let (id, before, limit) = (id_of(&listing)?, listing.before, limit(listing.limit));
    let requests = admin.act(move |main_server| main_server.clear_requests(id.as_ref(), before, limit)).await?;
    Ok(Out(requests.into_iter().map(ClearRequest::from).collect()))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
) -> Result<Out<ClearRequest>, ProblemResponse> {
    let request = admin.act(move |main_server| main_server.clear_request(number)).await?;
    Ok(Out(request.into()))
}

pub(super) async fn approve(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
    Json(approve): Json<Approve>,
) -> Result<Out<ClearRequest>, ProblemResponse> {
    let Approve { even_so, reserve, operator, reason } = approve;
    let by = by(operator, reason);
    let approved =
        admin.act(move |main_server| main_server.approve_clear_request(number, even_so, reserve, &by)).await?;
    Ok(Out(approved.into()))
}

pub(super) async fn reject(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
    Json(body): Json<By>,
) -> Result<Out<ClearRequest>, ProblemResponse> {
    let rejected = admin.act(move |main_server| main_server.reject_clear_request(number, &body.into())).await?;
    Ok(Out(rejected.into()))
}
