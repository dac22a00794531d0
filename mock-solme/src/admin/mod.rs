//! The admin API: what an operator does to the simulator, over HTTP with a token. One file per resource.

pub mod api;
mod audit;
mod auth;
mod clear_requests;
mod clock;
mod description;
mod exchange;
pub(crate) mod extract;
mod ids;
mod inbox;
mod journal;
mod key_pair;
mod licenses;
mod operations;
mod outbox;
mod problem;
mod quirks;
mod router;

use std::sync::Arc;

use tokio::task::spawn_blocking;

pub(crate) use auth::Access;
pub(crate) use description::openapi;
pub(crate) use router::router;

use crate::http::problem::ProblemResponse;
use crate::mail::hand_on::MailServer;
use crate::main_server::MainServer;
use crate::public::Front;

/// What every handler has.
#[derive(Clone)]
pub(crate) struct Admin {
    main_server: Arc<MainServer>,
    access: Arc<Access>,
    /// Makes trust files for other addresses.
    front: Arc<Front>,
    mail_server: Option<Arc<MailServer>>,
    /// What was said at the start.
    run: Arc<api::RunSettings>,
}

impl Admin {
    pub(crate) fn new(
        main_server: Arc<MainServer>,
        access: Access,
        front: Arc<Front>,
        mail_server: Option<MailServer>,
        run: api::RunSettings,
    ) -> Self {
        let access = Arc::new(access);
        Self { main_server, access, front, mail_server: mail_server.map(Arc::new), run: Arc::new(run) }
    }

    /// Who may use it.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Does something that blocks.
    async fn act<T, E>(
        &self,
        act: impl FnOnce(&MainServer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ProblemResponse>
    where
        T: Send + 'static,
        E: Into<ProblemResponse> + Send + 'static,
    {
        let main_server = Arc::clone(&self.main_server);
        let done = spawn_blocking(move || act(&main_server)).await;
        done.map_err(|_| crate::http::problem::failed())?.map_err(Into::into)
    }
}
