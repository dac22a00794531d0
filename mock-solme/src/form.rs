//! The forms of texts in JSON of our own, for its description: what the types of the protocol crate are written as.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use solme_sync_protocol::limits;

macro_rules! forms {
    ($($(#[doc = $doc:literal])* $name:ident = $pattern:literal;)*) => {
        $($(#[doc = $doc])*
        pub(crate) enum $name {}

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": concat!($($doc),*).trim(), "pattern": $pattern })
            }
        })*
    };
}

forms! {
    /// Names a License Server at the main server (P 2.7).
    LicenseServerId = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";
    /// Names a main server (P 2.7).
    MainServerId = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";
    /// Names a key pair: SHA-256 JWK thumbprint of its public key, base64url (P 3.2).
    KeyThumbprint = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$";
    /// SHA-384, base64url (P 2.9).
    Digest = "^[A-Za-z0-9_-]{64}$";
    /// A license number (P 7).
    LicenseNumber = "^([A-Z0-9]{5}-){5}[A-Z0-9]{7}$";
    /// The id of a component (P 7).
    ComponentId = "^[A-Za-z0-9_-]{16}$";
    /// The name of a quirk's defect, one of `GET /quirks/variants`.
    Variant = "^[a-z0-9_]+$";
}

/// RFC 3339, UTC in seconds. Seconds since 1970 are read as well.
pub(crate) enum Time {}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let written = json_schema!({
            "type": "string", "format": "date-time", "description": "RFC 3339, UTC in seconds.",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        });
        if generator.contract().is_serialize() {
            return written;
        }
        let latest = crate::registry::LATEST.as_secs();
        json_schema!({ "anyOf": [written, { "type": "integer", "minimum": 0, "maximum": latest, "description": "Seconds since 1970." }] })
    }
}

/// A component of a license, and its concurrent users.
#[derive(JsonSchema)]
#[allow(dead_code)] // its members are read by the derive
pub(crate) struct Component {
    /// Id of the component.
    #[schemars(with = "ComponentId")]
    id: (),
    /// Its name.
    name: String,
    /// Concurrent users.
    #[schemars(range(min = 1, max = limits::INTEGER))]
    max_users: u64,
}

/// What failed: RFC 9457, with the word to decide by and what to do next.
#[derive(JsonSchema)]
#[allow(dead_code)] // its members are read by the derive
pub(crate) struct Problem {
    /// `urn:solme-sync:problem:` and the code.
    r#type: String,
    /// The code in words.
    title: String,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// What is wrong, for programs: kebab-case.
    code: String,
    /// What to do next, for people.
    cure: String,
}

/// All that a License Server trusts (P 15.1).
#[derive(JsonSchema)]
#[allow(dead_code)] // its members are read by the derive
pub(crate) struct TrustFile {
    /// 1, the version of the format.
    solme_sync_trust: u64,
    /// The main server's id.
    #[schemars(with = "MainServerId")]
    main_server_id: (),
    /// Its name, for people.
    name: String,
    /// Address of the 443 role: `https://HOST:PORT`.
    https: String,
    /// Address of the 8080 role: `http://HOST:PORT`.
    http: String,
    /// The CA certificate for the 443 role, PEM.
    ca_certificate: String,
    /// The main server's public signing keys, JWKs.
    signing_jwks: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// A response file (P 14).
#[derive(JsonSchema)]
#[allow(dead_code)] // its members are read by the derive
pub(crate) struct ResponseFile {
    /// `response`.
    solme_sync_file: String,
    /// 1, the version of the format.
    version: u64,
    /// For people, a line each.
    about: Vec<String>,
    /// The receipt or refusal, in pieces.
    message: Vec<String>,
    /// The sealed payload beside a receipt, in pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Vec<String>>,
}
