//! Requests that nobody else would write: JSON by hand, so that members can be missing, double, wrong or strange.

use solme_sync_protocol::{Digest, KeyThumbprint, PublicJwk, SealingKey, base64url};

use super::keys::PlayedKey;

/// A JSON object as a list of names and raw JSON values, both written as they stand.
#[derive(Debug, Clone)]
pub(super) struct Object(Vec<(String, String)>);

impl Object {
    pub(super) fn new<const N: usize>(members: [(&str, String); N]) -> Self {
        Self(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A public key with its four members.
    pub(super) fn jwk(key: &PublicJwk) -> Self {
        let point = key.to_sec1();
        let coordinate = |bytes: &[u8]| string(&base64url::encode(bytes));
        let (x, y) = (coordinate(&point[1..49]), coordinate(&point[49..]));
        Self::new([("kty", string("EC")), ("crv", string("P-384")), ("x", x), ("y", y)])
    }

    /// Gives a member this value, in its place if it is there.
    pub(super) fn set(&mut self, name: &str, json: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = json.into(),
            None => self.0.push((name.to_owned(), json.into())),
        }
    }

    /// Adds a member at the end, whether or not it is there already.
    pub(super) fn add(&mut self, name: &str, json: impl Into<String>) {
        self.0.push((name.to_owned(), json.into()));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    pub(super) fn reverse(&mut self) {
        self.0.reverse();
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn json(&self) -> String {
        let members: Vec<String> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// A text as JSON. None of ours needs an escape.
pub(super) fn string(text: &str) -> String {
    format!("\"{text}\"")
}

/// A request that is not signed yet.
pub(super) struct Draft {
    pub(super) header: Object,
    pub(super) payload: Object,
    pub(super) key: PlayedKey,
    /// The private half of its sealing key.
    pub(super) sealing: SealingKey,
}

impl Draft {
    /// Signs it.
    pub(super) fn sign(self) -> Request {
        let (header, payload) = (self.header.json(), self.payload.json());
        self.sign_texts(&header, payload.as_bytes())
    }

    /// Signs these texts instead of its own.
    pub(super) fn sign_texts(self, header: &str, payload: &[u8]) -> Request {
        self.sign_parts(&base64url::encode(header), &base64url::encode(payload))
    }

    /// Signs these parts, whether or not they are base64url.
    pub(super) fn sign_parts(self, header: &str, payload: &str) -> Request {
        let signing_input = format!("{header}.{payload}");
        let signature = base64url::encode(self.key.sign(&signing_input));
        Request {
            jws: format!("{signing_input}.{signature}"),
            digest: Digest::of(&signing_input),
            thumbprint: self.key.thumbprint(),
            sealing: self.sealing,
        }
    }
}

/// A signed request, and what only its maker knows.
pub(super) struct Request {
    /// The whole JWS.
    pub(super) jws: String,
    /// Its request digest (P 4.8).
    pub(super) digest: Digest,
    /// The key pair that signed it.
    pub(super) thumbprint: KeyThumbprint,
    /// Opens the answer.
    pub(super) sealing: SealingKey,
}

impl Request {
    /// The text before the second dot (P 4.5).
    pub(super) fn signing_input(&self) -> &str {
        self.jws.rsplit_once('.').map_or("", |(signing_input, _)| signing_input)
    }

    /// Its request id.
    pub(super) fn member(&self, name: &str) -> String {
        let payload = self.jws.split('.').nth(1).and_then(|part| base64url::decode(part).ok()).unwrap_or_default();
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
        payload[name].as_str().unwrap_or_default().to_owned()
    }
}
