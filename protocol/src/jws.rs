//! Strict ES384 compact JWS (P 4). Typed by the message inside, and by how far it has been checked.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Digest, JsonError, KeyThumbprint, PublicJwk, Request, VERSION, base64url, json, limits};

/// An ES384 signature: r, then s, 48 bytes each (P 4.2).
pub type Signature = [u8; 96];

/// Verifies ES384 signatures. The two sides of this project use different implementations on purpose.
pub trait VerifyEs384 {
    /// Whether `signature` over `signing_input` was made with the private half of `key`.
    fn verify(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool;
}

/// Makes ES384 signatures with one key pair.
pub trait SignEs384 {
    /// The public half of the key pair.
    fn public_jwk(&self) -> &PublicJwk;
    /// The signature over `signing_input`.
    fn sign(&self, signing_input: &[u8]) -> Signature;
}

/// One of the three messages of the protocol.
pub trait Message: Serialize + DeserializeOwned + Clone {
    /// The `typ` of its header (P 4.4).
    const TYP: &'static str;
    /// Its greatest length in bytes (P 18).
    const MAX_BYTES: usize;
    /// Its header (P 4.3).
    type Header: Header;
    /// Who sends it, as `iss` names them.
    type Issuer: DeserializeOwned + Clone + Debug;
    /// The claim `iss`: who has sent it.
    fn issuer(&self) -> Self::Issuer;
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// What is wrong, for people.
    fn check(&self) -> Result<(), String>;
}

/// The header of a message.
#[expect(unnameable_types, reason = "sealed: a header is one of the two of P 4.3")]
pub trait Header: Serialize + DeserializeOwned + Clone + Debug {
    /// The header of a message that `key` signs.
    fn for_key(typ: &'static str, key: &PublicJwk) -> Self;
}

/// The header of a request: exactly `alg`, `typ` and `jwk`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestHeader {
    alg: String,
    typ: String,
    /// The public key that the request is signed with.
    #[serde(deserialize_with = "json::object")]
    pub jwk: PublicJwk,
}

/// The header of a receipt or refusal: exactly `alg`, `typ` and `kid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MainServerHeader {
    alg: String,
    typ: String,
    /// The thumbprint of the main server's signing key.
    pub kid: KeyThumbprint,
}

impl Header for RequestHeader {
    fn for_key(typ: &'static str, key: &PublicJwk) -> Self {
        Self { alg: ALG.to_owned(), typ: typ.to_owned(), jwk: *key }
    }
}

impl Header for MainServerHeader {
    fn for_key(typ: &'static str, key: &PublicJwk) -> Self {
        Self { alg: ALG.to_owned(), typ: typ.to_owned(), kid: key.thumbprint() }
    }
}

const ALG: &str = "ES384";

/// Why text is not a message of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than P 18 allows.
    #[error("{bytes} bytes long, at most {at_most} are allowed")]
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
        /// The limit of section 18, in bytes.
        at_most: usize,
    },
    /// Not three parts of base64url with dots between them, the last one 96 bytes (P 4.1, 4.2).
    #[error("not a compact JWS: {0}")]
    NotCompactJws(&'static str),
    /// The header is not JSON, or has not exactly the members of P 4.3, or its key is no P-384 key.
    #[error("its header is not that of the protocol: {0}")]
    Header(JsonError),
    /// Another algorithm than ES384 (P 4.2).
    #[error("its alg is {0:?}, only \"ES384\" is accepted")]
    Algorithm(String),
    /// Another message than the one expected (P 4.4).
    #[error("its typ is {found:?}, expected {expected:?}")]
    Type {
        /// The `typ` of the expected message.
        expected: &'static str,
        /// The `typ` in its header.
        found: String,
    },
    /// The payload is not JSON, or has no `version` or `iss` of the right form (P 9.1).
    #[error("its payload is not that of the protocol: {0}")]
    Payload(JsonError),
}

/// The signature does not fit the message and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// The key is known, the signature is not its own.
    #[error("the signature does not fit the message and its key")]
    WrongSignature,
    /// `kid` names none of the trusted keys.
    #[error("it was signed by key {0}, which is not trusted")]
    UnknownKey(KeyThumbprint),
}

/// Why the content of a verified message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Another version of the protocol (P 4.7).
    #[error("version {0} of the protocol, only version 1 is understood")]
    Version(u64),
    /// A member is missing, of the wrong type or form (P 5.1, 6.1, 8.1).
    #[error("{0}")]
    Malformed(JsonError),
    /// A member breaks a rule that its type cannot say.
    #[error("{0}")]
    Rule(String),
}

/// What every payload begins with, in every version of the protocol (P 4.7, 9.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Frame<I> {
    /// The version of the protocol.
    #[serde(deserialize_with = "json::integer")]
    pub version: u64,
    /// Who made the message.
    #[serde(rename = "iss")]
    pub issuer: I,
}

/// A message that can be read (P 9.1), its signature not looked at yet.
#[derive(Debug, Clone)]
pub struct Signed<M: Message> {
    compact: String,
    second_dot: usize,
    header: M::Header,
    payload: Vec<u8>,
    signature: Signature,
    frame: Frame<M::Issuer>,
    /// Computed once: a main server asks for it again and again.
    digest: OnceLock<Digest>,
    message: PhantomData<M>,
}

impl<M: Message> Signed<M> {
    /// Reads a compact JWS. Everything is checked that needs no key: P 4.1 to 4.4, and the frame of the payload.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.len() > M::MAX_BYTES {
            return Err(Unreadable::TooLarge { bytes: text.len(), at_most: M::MAX_BYTES });
        }
        let not_compact = Unreadable::NotCompactJws;
        let (header_part, rest) = text.split_once('.').ok_or(not_compact("it has no dot"))?;
        let (payload_part, signature_part) = rest.split_once('.').ok_or(not_compact("it has one dot, not two"))?;
        if signature_part.contains('.') {
            return Err(not_compact("it has more than two dots"));
        }
        let header = base64url::decode(header_part).map_err(|_| not_compact("its header is not base64url"))?;
        let payload = base64url::decode(payload_part).map_err(|_| not_compact("its payload is not base64url"))?;
        let header = read_header::<M>(&header)?;
        let signature = base64url::decode_array(signature_part)
            .map_err(|_| not_compact("its signature is not 96 bytes in base64url"))?;
        let frame = json::parse(&payload).map_err(Unreadable::Payload)?;
        let second_dot = header_part.len() + 1 + payload_part.len();
        let (compact, digest) = (text.to_owned(), OnceLock::new());
        Ok(Self { compact, second_dot, header, payload, signature, frame, digest, message: PhantomData })
    }

    /// Signs a message with ES384 (P 4.5).
    pub fn sign(message: &M, key: &(impl SignEs384 + ?Sized)) -> Self {
        let header = M::Header::for_key(M::TYP, key.public_jwk());
        let payload = to_json(message);
        let mut compact = format!("{}.{}", base64url::encode(to_json(&header)), base64url::encode(&payload));
        let second_dot = compact.len();
        let signature = key.sign(compact.as_bytes());
        compact.push('.');
        compact.push_str(&base64url::encode(signature));
        let frame = Frame { version: VERSION, issuer: message.issuer() };
        let digest = OnceLock::new();
        Self { compact, second_dot, header, payload, signature, frame, digest, message: PhantomData }
    }

    /// The whole compact JWS, as received or signed.
    pub fn as_str(&self) -> &str {
        &self.compact
    }

    /// The text before the second dot: what is signed, and what tells one message from another (P 4.5, 4.6).
    pub fn signing_input(&self) -> &str {
        &self.compact[..self.second_dot]
    }

    /// The digest of the signing input; of a request, the *request digest* (P 4.8).
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(self.signing_input()))
    }

    /// The header, which nothing vouches for yet.
    pub fn header(&self) -> &M::Header {
        &self.header
    }

    /// What can be read before the signature is verified, for logs and for the order of P 9.
    pub fn unverified_frame(&self) -> &Frame<M::Issuer> {
        &self.frame
    }

    fn verify_with(self, verifier: &impl VerifyEs384, key: &PublicJwk) -> Result<Verified<M>, NotVerified> {
        if verifier.verify(key, self.signing_input().as_bytes(), &self.signature) {
            Ok(Verified { signed: self, content: OnceLock::new() })
        } else {
            Err(NotVerified::WrongSignature)
        }
    }
}

impl Signed<Request> {
    /// Verifies the signature with the JWK that the request carries (P 9.2).
    ///
    /// # Errors
    /// [`NotVerified::WrongSignature`].
    pub fn verify(self, verifier: &impl VerifyEs384) -> Result<Verified<Request>, NotVerified> {
        let key = self.header.jwk;
        self.verify_with(verifier, &key)
    }
}

impl<M: Message<Header = MainServerHeader>> Signed<M> {
    /// Verifies the signature with that of the `trusted` keys which `kid` names (P 11.1).
    ///
    /// # Errors
    /// [`NotVerified`].
    pub fn verify(self, verifier: &impl VerifyEs384, trusted: &[PublicJwk]) -> Result<Verified<M>, NotVerified> {
        let kid = self.header.kid;
        match trusted.iter().find(|key| key.thumbprint() == kid) {
            Some(key) => self.verify_with(verifier, key),
            None => Err(NotVerified::UnknownKey(kid)),
        }
    }
}

/// A message whose signature fits its key. Only now its content can be read.
#[derive(Debug, Clone)]
pub struct Verified<M: Message> {
    signed: Signed<M>,
    /// Read once.
    content: OnceLock<Result<M, PayloadError>>,
}

impl<M: Message> Verified<M> {
    /// The version of the protocol and who made the message.
    pub fn frame(&self) -> &Frame<M::Issuer> {
        &self.signed.frame
    }

    /// The message that was verified.
    pub fn signed(&self) -> &Signed<M> {
        &self.signed
    }

    /// The content.
    ///
    /// # Errors
    /// [`PayloadError`]: the version first, then the members.
    pub fn read(&self) -> Result<M, PayloadError> {
        self.content.get_or_init(|| self.read_payload()).clone()
    }

    fn read_payload(&self) -> Result<M, PayloadError> {
        if self.signed.frame.version != VERSION {
            return Err(PayloadError::Version(self.signed.frame.version));
        }
        let message: M = json::parse(&self.signed.payload).map_err(PayloadError::Malformed)?;
        message.check().map_err(PayloadError::Rule)?;
        Ok(message)
    }
}

impl Verified<Request> {
    /// The thumbprint of the key pair that signed the request.
    pub fn thumbprint(&self) -> KeyThumbprint {
        self.signed.header.jwk.thumbprint()
    }
}

/// `alg` and `typ` are looked at before the members are counted, so that a wrong kind of message is named as that.
fn read_header<M: Message>(bytes: &[u8]) -> Result<M::Header, Unreadable> {
    #[derive(Deserialize)]
    struct Kind {
        alg: String,
        typ: String,
    }
    if bytes.len() > limits::HEADER {
        let text = format!("it is longer than {} bytes", limits::HEADER);
        return Err(Unreadable::Header(JsonError::Invalid(text)));
    }
    let kind: Kind = json::parse(bytes).map_err(Unreadable::Header)?;
    if kind.alg != ALG {
        return Err(Unreadable::Algorithm(kind.alg));
    }
    if kind.typ != M::TYP {
        return Err(Unreadable::Type { expected: M::TYP, found: kind.typ });
    }
    json::parse(bytes).map_err(Unreadable::Header)
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("messages have string keys and no failing serializers")
}
