//! All routes of the admin API, and those of the console, which is a page over it.

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{delete, get, patch, post};

use super::{
    Admin, audit, auth, clear_requests, clock, exchange, ids, inbox, journal, key_pair, licenses, operations, outbox,
    quirks,
};
use crate::console;
use crate::http::{no_store, problem};

pub(crate) fn router(admin: Admin) -> Router {
    let with_token = Router::new()
        .route("/ids", get(ids::list).post(ids::add))
        .route("/ids/{id}", get(ids::show).patch(ids::change))
        .route("/ids/{id}/disable", post(ids::disable))
        .route("/ids/{id}/enable", post(ids::enable))
        .route("/ids/{id}/reset", post(ids::reset))
        .route("/ids/{id}/licenses", get(licenses::list).post(licenses::add))
        .route("/ids/{id}/licenses/{number}", patch(licenses::change).delete(licenses::remove))
        .route("/ids/{id}/key-pair", get(key_pair::show))
        .route("/ids/{id}/key-pair/clear", post(key_pair::clear))
        .route("/ids/{id}/key-pair/reserve", post(key_pair::reserve))
        .route("/clear-requests", get(clear_requests::list))
        .route("/clear-requests/{number}", get(clear_requests::show))
        .route("/clear-requests/{number}/approve", post(clear_requests::approve))
        .route("/clear-requests/{number}/reject", post(clear_requests::reject))
        .route("/inbox", get(inbox::list))
        .route("/inbox/{number}", get(inbox::show))
        .route("/outbox", get(outbox::list))
        .route("/outbox/{number}", get(outbox::show))
        .route("/outbox/{number}/hand-on", post(outbox::hand_on))
        .route("/process-request", post(operations::process_request))
        .route("/clock", get(clock::show).put(clock::set))
        .route("/clock/advance", post(clock::advance))
        .route("/quirks", get(quirks::list))
        .route("/quirks/faults", get(quirks::report).post(quirks::arm).delete(quirks::disarm_all))
        .route("/quirks/faults/{number}", delete(quirks::disarm))
        .route("/quirks/variants", get(quirks::variants))
        .route("/quirks/trace", get(quirks::trace))
        .route("/journal", get(journal::list))
        .route("/journal/{number}", get(exchange::show))
        .route("/live", get(journal::live))
        .route("/audit", get(audit::list))
        .route("/trust-file", get(operations::trust_file).post(operations::trust_file_for))
        .route("/reset", post(operations::reset))
        .route("/metrics", get(operations::metrics))
        .route("/settings", get(operations::settings))
        .route_layer(from_fn_with_state(admin.clone(), operations::tell))
        .route_layer(from_fn_with_state(admin.clone(), auth::require_token));
    Router::new()
        .route("/health", get(operations::health))
        .merge(console::pages())
        .merge(with_token)
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(from_fn_with_state(admin.clone(), auth::refuse_foreign))
        .layer(map_response(no_store))
        .with_state(admin)
}
