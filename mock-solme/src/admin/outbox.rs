//! Mails that the vendor has answered with.

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;

use super::Admin;
use super::api::Listing;
use super::extract::{Number, Path, Query, limit};
use crate::http::problem::ProblemResponse;
use crate::mail::hand_on::HandOnError;
use crate::main_server::NumberedMail;

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Out<Vec<NumberedMail>>, ProblemResponse> {
    let (before, limit) = (listing.before, limit(listing.limit));
    Ok(Out(admin.act(move |main_server| main_server.outbox(before, limit)).await?))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
) -> Result<Out<NumberedMail>, ProblemResponse> {
    Ok(Out(admin.act(move |main_server| main_server.outbox_mail(number)).await?))
}

/// Hands a mail on to the mail server that was named at the start. As often as asked: mail servers lose mails.
pub(super) async fn hand_on(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
) -> Result<Out<NumberedMail>, ProblemResponse> {
    let Some(mail_server) = admin.mail_server.clone() else {
        let detail = "This simulator has no mail server.";
        let cure = "Restart mock-solme serve with --mail-server URL, or send the mail by hand.";
        return Err(ProblemResponse::new(StatusCode::CONFLICT, "no-mail-server", detail, cure));
    };
    let mail = admin.act(move |main_server| main_server.outbox_mail(number)).await?.mail;
    mail_server.hand_on(&mail).await.map_err(|error| not_handed_on(&error))?;
    Ok(Out(admin.act(move |main_server| main_server.mail_was_handed_on(number)).await?))
}

fn not_handed_on(error: &HandOnError) -> ProblemResponse {
    let (code, cure) = if error.is_transient() {
        ("mail-not-handed-on-yet", "Hand it on again later; it stays in the outbox.")
    } else {
        ("mail-not-handed-on", "Change what is wrong, then hand it on again; it stays in the outbox.")
    };
    ProblemResponse::new(StatusCode::BAD_GATEWAY, code, format!("{error}."), cure)
}
