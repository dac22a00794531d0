//! What went over the wire in one step: exchanges, as the main server's journal has them, and mails.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use solme_sync_protocol::base64url;

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
    /// The request; none if it is not a signed message.
    pub(crate) request: Option<Message>,
    /// The answer; none if it is not a signed message.
    pub(crate) answer: Option<Message>,
}

/// A signed message, its parts decoded.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) header: Members,
    pub(crate) payload: Members,
    pub(crate) bytes: usize,
}

/// A mail.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
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
    quirk: Option<String>,
    request: String,
    answer: String,
}

/// Tells what is new in the journal since it was asked last.
#[derive(Default)]
pub(crate) struct Observer {
    last: u64,
}

impl Observer {
    /// The exchanges of a journal that were not told yet, oldest first.
    pub(crate) fn new_exchanges(&mut self, journal: &Value, from: &str) -> Result<Vec<Exchange>> {
        let mut entries: Vec<Entry> = Vec::deserialize(journal)?;
        entries.retain(|entry| entry.number > self.last);
        entries.sort_by_key(|entry| entry.number);
        self.last = entries.last().map_or(self.last, |entry| entry.number);
        Ok(entries.into_iter().map(|entry| entry.exchange(from)).collect())
    }
}

impl Entry {
    fn exchange(self, from: &str) -> Exchange {
        let carrier = match self.carrier.as_str() {
            "https" => "443",
            "http" => "8080",
            _ => "file",
        };
        Exchange {
            from: from.to_owned(),
            carrier,
            request: Message::read(&self.request),
            answer: Message::read(&self.answer),
            verdict: self.verdict,
            clause: self.clause,
            quirk: self.quirk,
        }
    }
}

impl Message {
    /// A compact JWS, not verified: it is shown, and decides nothing.
    fn read(jws: &str) -> Option<Self> {
        let mut parts = jws.split('.').map(|part| base64url::decode(part).ok());
        let mut members = || serde_json::from_slice(&parts.next()??).ok();
        Some(Self { header: members()?, payload: members()?, bytes: jws.len() })
    }

    /// `request`, `receipt` or `refusal`.
    pub(crate) fn kind(&self) -> String {
        let typ = self.header.get("typ").and_then(Value::as_str).unwrap_or("message");
        typ.trim_start_matches("solme-sync-").trim_end_matches("+jwt").to_owned()
    }
}

impl Members {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }
}

impl Serialize for Members {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
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
        let mut observer = Observer::default();
        let told = observer.new_exchanges(&Value::Array(vec![entry(2), entry(1)]), "a").unwrap();
        let request = told[0].request.as_ref().unwrap();
        assert_eq!((told.len(), request.kind().as_str(), told[0].carrier), (2, "request", "443"));
        assert_eq!(serde_json::to_string(&request.payload).unwrap(), r#"{"z":1,"a":2}"#);
        assert!(told[0].answer.is_none());
        let told = observer.new_exchanges(&Value::Array(vec![entry(3), entry(2)]), "a").unwrap();
        assert_eq!(told.len(), 1);
    }
}
