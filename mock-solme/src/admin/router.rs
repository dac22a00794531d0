//! All routes of the admin API, as a table; and those of the console, which is a page over it.

use axum::Router;
use axum::http::Method;
use axum::middleware::{from_fn_with_state, map_response};

use super::description::{Route, Table};
use super::{
    Admin, audit, auth, clear_requests, clock, ids, inbox, journal, key_pair, licenses, operations, outbox, quirks,
};
use crate::console;
use crate::http::{no_store, problem};

macro_rules! routes {
    ($table:expr; $($method:ident $path:literal $resource:ident::$verb:ident $about:literal;)*) => {
        $table$(.on(
            Route {
                method: Method::$method,
                path: $path,
                resource: stringify!($resource),
                verb: stringify!($verb),
                about: $about,
            },
            $resource::$verb,
        ))*
    };
}

/// Routes that need no token.
pub(super) fn open<T: Table>(table: T) -> T {
    routes! { table;
        GET "/health" operations::health "Whether it runs";
        GET "/openapi.json" operations::openapi "This description";
    }
}

/// Routes that need the token.
pub(super) fn with_token<T: Table>(table: T) -> T {
    routes! { table;
        GET "/ids" ids::list "License server ids, in their order";
        POST "/ids" ids::add "Adds a license server id";
        GET "/ids/{id}" ids::show "A license server id";
        PATCH "/ids/{id}" ids::change "Changes name and contacts";
        POST "/ids/{id}/disable" ids::disable "Refuses its synchronizations until it is enabled again";
        POST "/ids/{id}/enable" ids::enable "Lets it synchronize again";
        POST "/ids/{id}/reset" ids::reset "Forgets its key pairs and receipts; what is allocated stays";
        GET "/ids/{id}/licenses" licenses::list "The licenses of an id";
        POST "/ids/{id}/licenses" licenses::add "Allocates a license";
        PATCH "/ids/{id}/licenses/{number}" licenses::change "Changes a license";
        DELETE "/ids/{id}/licenses/{number}" licenses::remove "Takes a license back";
        GET "/ids/{id}/key-pair" key_pair::show "The key pair in use, and those that were cleared";
        POST "/ids/{id}/key-pair/clear" key_pair::clear "Clears the key pair in use, without a mail";
        POST "/ids/{id}/key-pair/reserve" key_pair::reserve "Reserves a free id for one key pair, or lifts that";
        GET "/clear-requests" clear_requests::list "The newest requests to clear a key pair";
        GET "/clear-requests/{number}" clear_requests::show "A request to clear a key pair";
        POST "/clear-requests/{number}/approve" clear_requests::approve "Approves it: the key pair is cleared";
        POST "/clear-requests/{number}/reject" clear_requests::reject "Rejects it: the key pair stays";
        GET "/inbox" inbox::list "The newest mails that came in";
        GET "/inbox/{number}" inbox::show "A mail that came in";
        GET "/outbox" outbox::list "The newest mails of the licensing desk";
        GET "/outbox/{number}" outbox::show "A mail of the licensing desk";
        POST "/outbox/{number}/hand-on" outbox::hand_on "Hands it on to the mail server of --mail-server";
        POST "/process-request" operations::process_request "Turns a request file into a response file";
        GET "/clock" clock::show "Main server time";
        PUT "/clock" clock::set "Makes it another time";
        POST "/clock/advance" clock::advance "Moves main server time";
        GET "/quirks" quirks::list "Every way to misbehave";
        GET "/quirks/variants" quirks::variants "Defects for the quirks that take one";
        GET "/quirks/faults" quirks::report "What is armed, and how often it has fired";
        POST "/quirks/faults" quirks::arm "Arms a quirk";
        DELETE "/quirks/faults" quirks::disarm_all "Disarms all";
        DELETE "/quirks/faults/{number}" quirks::disarm "Disarms one";
        GET "/quirks/trace" quirks::trace "What came of the newest exchanges, without what is random";
        GET "/journal" journal::list "The newest exchanges";
        GET "/journal/har" journal::har "The newest exchanges over HTTP for browsers' developer tools: HAR 1.2";
        GET "/journal/scenario" journal::scenario "What happened, as a scenario that plays again";
        GET "/journal/{number}" journal::show "An exchange, decoded";
        GET "/live" journal::live "Exchanges and changes as they happen: server-sent events";
        GET "/audit" audit::list "The newest changes: by whom and why";
        GET "/trust-file" operations::trust_file "The trust file";
        POST "/trust-file" operations::trust_file_for "A trust file for other addresses";
        POST "/reset" operations::reset "Forgets everything, as at the first start";
        GET "/metrics" operations::metrics "Counters for OpenMetrics";
        GET "/settings" operations::settings "What this run was told at its start";
    }
}

pub(crate) fn router(admin: Admin) -> Router {
    let with_token = with_token(Router::new())
        .route_layer(from_fn_with_state(admin.clone(), operations::tell))
        .route_layer(from_fn_with_state(admin.clone(), auth::require_token));
    open(Router::new())
        .merge(console::pages())
        .merge(with_token)
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(from_fn_with_state(admin.clone(), auth::refuse_foreign))
        .layer(map_response(no_store))
        .with_state(admin)
}
