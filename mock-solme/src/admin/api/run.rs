//! What a simulator was told when it was started.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use solme_sync_protocol::{LicenseServerId, MainServerId, UtcTime};

use super::Fault;

/// The settings of this run. Tokens and passwords are not among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Version of `mock-solme`.
    pub version: String,
    /// Its id.
    pub main_server_id: MainServerId,
    /// Main server time of its start.
    #[serde(with = "crate::rfc3339")]
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
    pub demo_license_server_id: Option<LicenseServerId>,
    /// Whether clear requests are approved as their mails arrive.
    pub auto_approve: bool,
    /// Requests a minute with one id (P 9.4); null: no limit.
    pub rate_limit: Option<u32>,
    /// Whether mails can be handed on to a mail server.
    pub mail_server: bool,
    /// What was armed at the start.
    pub armed_at_start: Vec<Fault>,
}
