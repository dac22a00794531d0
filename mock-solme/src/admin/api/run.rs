//! The simulator as a whole: that it runs, what it was told when it was started, where it is reached.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{LicenseServerId, MainServerId, UtcTime};

use super::Fault;

/// The settings of this run. Tokens and passwords are not among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSettings {
    /// Version of `mock-solme`.
    pub version: String,
    /// Its id.
    #[schemars(with = "crate::form::MainServerId")]
    pub main_server_id: MainServerId,
    /// Main server time of its start.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub started_at: UtcTime,
    /// The 443 role.
    pub https: String,
    /// The 8080 role.
    pub http: String,
    /// The admin API.
    pub admin: String,
    /// Where it takes mail.
    pub smtp: String,
    /// Names by which others reach this machine.
    pub public_names: Vec<String>,
    /// The trust file.
    pub trust_file: PathBuf,
    /// The data directory; null: everything is in memory.
    pub data: Option<PathBuf>,
    /// Seed of what is made up, and of the quirks.
    pub seed: u32,
    /// The demo license server id, unless it was started without.
    #[schemars(with = "Option<crate::form::LicenseServerId>")]
    pub demo_license_server_id: Option<LicenseServerId>,
    /// Whether clear requests are approved as their mails arrive.
    pub auto_approve: bool,
    /// Requests a minute with one id (P 9.4); null: no limit.
    pub rate_limit: Option<u32>,
    /// Requests that are answered at a time over 443 (P 9.14).
    pub at_once: usize,
    /// Whether mails can be handed on to a mail server.
    pub mail_server: bool,
    /// What was armed at the start.
    pub armed_at_start: Vec<Fault>,
}

/// Where License Servers reach the two roles, for a trust file with other addresses; what is missing stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleAddresses {
    /// The 443 role: `https://HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub https: Option<String>,
    /// The 8080 role: `http://HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
}

/// That the simulator runs. It needs no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Always `ok`: what does not run cannot answer.
    pub status: String,
}

/// That the simulator is as at its first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reset {
    /// Always `true`; an error is a problem document.
    pub reset: bool,
}
