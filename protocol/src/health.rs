//! That a main server is there (P 13.9).

use serde::{Deserialize, Serialize};

use crate::{JsonError, MainServerId, UtcTime, json};

/// The answer to `GET /health`. It is unsigned: it helps a person, and nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Id of the main server that answers.
    pub main_server_id: MainServerId,
    /// Main server time, UTC in seconds.
    pub main_server_time: UtcTime,
}

impl Health {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn parse(body: &[u8]) -> Result<Self, JsonError> {
        json::parse(body)
    }
}
