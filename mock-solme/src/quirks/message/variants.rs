//! Defects of the catalogue, over what the main server would have said.

use solme_sync_fixtures::Object;
use solme_sync_fixtures::defects::{Key, Message, Right};
use solme_sync_protocol::base64url;

use super::{ForgeError, MainServer};
use crate::crypto::MainServerKey;
use crate::quirks::Variant;

impl MainServer {
    /// A receipt or a refusal with the defect.
    pub(super) fn variant_of(&self, message: &str, variant: Option<Variant>) -> Result<String, ForgeError> {
        let variant = variant.ok_or(ForgeError::NotOffered)?;
        let part = |n| {
            let bytes = base64url::decode(message.split('.').nth(n)?).ok()?;
            Object::parse(&bytes)
        };
        let (header, payload) = part(0).zip(part(1)).ok_or(ForgeError::NotOffered)?;
        let stranger = MainServerKey::generate()?;
        let right = Message { header, payload, key: &self.identity.key, stranger: &stranger };
        let bytes = variant.defect().apply(&Right::Message(right)).ok_or(ForgeError::NotOffered)?;
        // What a JSON string can carry: no defect of a message is one of its bytes.
        String::from_utf8(bytes).map_err(|_| ForgeError::NotOffered)
    }
}

impl Key for MainServerKey {
    fn public_jwk(&self) -> Object {
        let jwk = serde_json::to_vec(solme_sync_protocol::SignEs384::public_jwk(self)).unwrap_or_default();
        Object::parse(&jwk).unwrap_or_else(|| Object::new([]))
    }

    fn sign(&self, signing_input: &str) -> [u8; 96] {
        solme_sync_protocol::SignEs384::sign(self, signing_input.as_bytes())
    }
}
