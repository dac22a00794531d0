//! What went over the wire in one step: exchanges, as the main server's journal has them, and mails.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use solme_sync_fixtures::Object;
use solme_sync_protocol::{Digest, KeyThumbprint, PublicJwk, Receipt, Refusal, Request, RustCrypto, Signed, base64url};

/// Where customers ask for a clear (P 16.1).
pub(crate) const LICENSING_ADDRESS: &str = "licensing@solme.se";

/// One exchange with the main server.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exchange {
    /// Who asked.
    pub(crate) from: String,
    /// `443`, `8080` or `file`.
    pub(crate) carrier: &'static str,
    /// `accepted`, `payload`, or the code of a refusal or a problem.
    pub(crate) verdict: String,
    /// The clause of PROTOCOL.md that decided.
    pub(crate) clause: String,
    /// How the main server misbehaved.
    pub(crate) quirk: Option<String>,
    /// More about the verdict; empty if there is no more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    /// What was asked, if it is not a signed message: the name of a payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asked: Option<String>,
    /// What was answered, if it is not a signed message: of a payload, its size and digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answered: Option<String>,
    /// The request; none if it is not a signed message.
    pub(crate) request: Option<Message>,
    /// The answer; none if it is not a signed message.
    pub(crate) answer: Option<Message>,
}

/// What came of an exchange, as its colour tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The main server did what it was asked for.
    Accepted,
    /// It did not.
    Refused,
    /// It misbehaved, as it was told to.
    Quirk,
}

impl Exchange {
    /// What came of it.
    pub(crate) fn outcome(&self) -> Outcome {
        match (&self.quirk, self.verdict.as_str()) {
            (Some(_), _) => Outcome::Quirk,
            (None, "accepted" | "answered-again" | "payload") => Outcome::Accepted,
            (None, _) => Outcome::Refused,
        }
    }

    /// What is asked for, in a word.
    pub(crate) fn asks(&self) -> String {
        self.request.as_ref().map_or("payload".to_owned(), Message::kind)
    }

    /// What is answered, in a few words.
    pub(crate) fn answers(&self) -> String {
        match (self.verdict.as_str(), &self.answer) {
            ("payload", _) => "allocation, sealed".to_owned(),
            ("accepted", Some(receipt)) => {
                let number = |name: &str| receipt.payload.get(name).map(Value::to_string).unwrap_or_default();
                format!("receipt {}, key {}", number("sequence"), number("key_generation"))
            }
            (verdict, _) => verdict.to_owned(),
        }
    }
}

/// A signed message, its parts decoded.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) header: Members,
    pub(crate) payload: Members,
    pub(crate) bytes: usize,
    /// Of what is signed (P 4.8).
    pub(crate) digest: String,
    pub(crate) signature: Signature,
}

/// Whose signature a message has.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Signature {
    /// The thumbprint of the key that should have made it, as the message says.
    pub(crate) key: Option<String>,
    /// Why it does not fit; none if it does.
    pub(crate) flaw: Option<String>,
}

/// A mail.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    /// The License Server of the customer who wrote it or gets it, if it is known.
    #[serde(skip)]
    pub(crate) lane: Option<String>,
}

impl Mail {
    /// Whether a customer wrote it.
    pub(crate) fn is_to_the_desk(&self) -> bool {
        self.to == LICENSING_ADDRESS
    }
}

/// The members of an object in the order in which they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members(pub(crate) Vec<(String, Value)>);

/// The part of a journal entry that a story tells.
#[derive(Deserialize)]
struct Entry {
    number: u64,
    carrier: String,
    verdict: String,
    clause: String,
    #[serde(default)]
    detail: String,
    quirk: Option<String>,
    request: String,
    answer: String,
}

/// Tells what is new in the journal since it was asked last.
pub(crate) struct Observer {
    last: u64,
    /// The keys of the main server.
    trusted: Vec<PublicJwk>,
}

impl Observer {
    /// Knows the keys with which the main server signs.
    pub(crate) const fn new(trusted: Vec<PublicJwk>) -> Self {
        Self { last: 0, trusted }
    }

    /// The exchanges of a journal that were not told yet, oldest first.
    pub(crate) fn new_exchanges(&mut self, journal: &Value, from: &str) -> Result<Vec<Exchange>> {
        let mut entries: Vec<Entry> = Vec::deserialize(journal)?;
        entries.retain(|entry| entry.number > self.last);
        entries.sort_by_key(|entry| entry.number);
        self.last = entries.last().map_or(self.last, |entry| entry.number);
        Ok(entries.into_iter().map(|entry| entry.exchange(from, &self.trusted)).collect())
    }
}

impl Entry {
    fn exchange(self, from: &str, trusted: &[PublicJwk]) -> Exchange {
        let carrier = match self.carrier.as_str() {
            "https" => "443",
            "http" => "8080",
            _ => "file",
        };
        let (request, answer) = (Message::read(&self.request, trusted), Message::read(&self.answer, trusted));
        let unsigned = |message: &Option<Message>, text: &str| message.is_none().then(|| beginning(text));
        Exchange {
            from: from.to_owned(),
            carrier,
            detail: self.detail,
            asked: unsigned(&request, &self.request),
            answered: unsigned(&answer, &self.answer),
            request,
            answer,
            verdict: self.verdict,
            clause: self.clause,
            quirk: self.quirk,
        }
    }
}

impl Message {
    /// A compact JWS. Whether it is verified is told beside it: it is shown, and decides nothing.
    fn read(jws: &str, trusted: &[PublicJwk]) -> Option<Self> {
        let mut parts = jws.split('.').map(|part| base64url::decode(part).ok());
        let mut members = || Members::parse(&parts.next()??);
        let (header, payload) = (members()?, members()?);
        let signed = jws.rsplit_once('.').map_or(jws, |(signed, _)| signed);
        Some(Self {
            signature: Signature::of(jws, &header, trusted),
            digest: Digest::of(signed).to_string(),
            header,
            payload,
            bytes: jws.len(),
        })
    }

    /// `request`, `receipt` or `refusal`.
    pub(crate) fn kind(&self) -> String {
        let typ = self.header.get("typ").and_then(Value::as_str).unwrap_or("message");
        typ.trim_start_matches("solme-sync-").trim_end_matches("+jwt").to_owned()
    }
}

impl Signature {
    fn of(jws: &str, header: &Members, trusted: &[PublicJwk]) -> Self {
        let text = |name: &str| header.get(name).and_then(Value::as_str).unwrap_or_default();
        let kid = || text("kid").parse::<KeyThumbprint>().ok();
        let (key, flaw) = match text("typ") {
            "solme-sync-request+jwt" => match Signed::<Request>::parse(jws) {
                Ok(request) => {
                    (Some(request.header().jwk.thumbprint()), request.verify(&RustCrypto).err().map(|e| e.to_string()))
                }
                Err(error) => (None, Some(error.to_string())),
            },
            "solme-sync-receipt+jwt" => (kid(), flaw_of::<Receipt>(jws, trusted)),
            _ => (kid(), flaw_of::<Refusal>(jws, trusted)),
        };
        Self { key: key.map(|key| key.to_string()), flaw }
    }
}

fn flaw_of<M: solme_sync_protocol::Message<Header = solme_sync_protocol::MainServerHeader>>(
    jws: &str,
    trusted: &[PublicJwk],
) -> Option<String> {
    match Signed::<M>::parse(jws) {
        Ok(message) => message.verify(&RustCrypto, trusted).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

/// As much of a text as can be shown.
fn beginning(text: &str) -> String {
    const CHARACTERS: usize = 400;
    let beginning: String = text.chars().take(CHARACTERS).collect();
    if beginning.len() < text.len() { beginning + "…" } else { beginning }
}

impl Members {
    /// The members of a JSON object; none if it is something else.
    fn parse(json: &[u8]) -> Option<Self> {
        let object = Object::parse(json)?;
        let member = |name: String| serde_json::from_str(object.get(&name)).ok().map(|value| (name, value));
        object.names().into_iter().map(member).collect::<Option<_>>().map(Self)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }
}

impl Serialize for Members {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_a_journal_is_told_once() {
        let jws = |payload: &str| {
            let part = |text: &str| base64url::encode(text);
            format!("{}.{}.{}", part(r#"{"typ":"solme-sync-request+jwt"}"#), part(payload), part("x"))
        };
        let entry = |number: u64| {
            serde_json::json!({ "number": number, "carrier": "https", "verdict": "accepted", "clause": "9.10", "quirk": null,
                "request": jws(r#"{"z":1,"a":2}"#), "answer": "no message" })
        };
        let mut observer = Observer::new(Vec::new());
        let told = observer.new_exchanges(&Value::Array(vec![entry(2), entry(1)]), "a").unwrap();
        let request = told[0].request.as_ref().unwrap();
        assert_eq!((told.len(), request.kind().as_str(), told[0].carrier), (2, "request", "443"));
        assert_eq!(serde_json::to_string(&request.payload).unwrap(), r#"{"z":1,"a":2}"#);
        assert!(told[0].answer.is_none());
        assert_eq!(told[0].answered.as_deref(), Some("no message"));
        assert!(request.signature.flaw.is_some(), "a made-up signature fits nothing");
        let told = observer.new_exchanges(&Value::Array(vec![entry(3), entry(2)]), "a").unwrap();
        assert_eq!(told.len(), 1);
    }
}
