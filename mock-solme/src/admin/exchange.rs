//! One exchange, decoded. It is shown, and decides nothing.

use std::path::Path as FilePath;

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use solme_sync_protocol::{
    Digest, KeyThumbprint, MainServerHeader, Message as ProtocolMessage, PublicJwk, Receipt, Refusal, Request,
    SyncFile, base64url,
};

use super::Admin;
use super::api::{Exchange, Message, Repeat, Signed};
use super::extract::{Number, Path};
use crate::crypto::AwsLc;
use crate::http::problem::ProblemResponse;
use crate::main_server::{Carrier, JournalEntry, MainServer};
use crate::registry::Record;

/// The clauses and their texts.
const PROTOCOL: &str = include_str!("../../../protocol/PROTOCOL.md");

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
) -> Result<Out<Exchange>, ProblemResponse> {
    let Some(entry) = admin.main_server.journal.entry(number) else {
        let detail = format!("The journal has no exchange {number}.");
        let cure = "It keeps the newest 10,000, at most 64 MiB: mock-solme journal.";
        return Err(ProblemResponse::new(StatusCode::NOT_FOUND, "unknown-exchange", detail, cure));
    };
    let (front, run) = (admin.front.clone(), admin.run.clone());
    let decoded = admin.act(move |main_server| {
        let record = entry.license_server_id.as_ref().and_then(|id| main_server.record(id).ok());
        let repeat = Repeat {
            curl: curl(&entry, &front.trust_file(), &run.trust_file, &run.admin),
            license_server: license_server(&entry),
        };
        Ok::<_, ProblemResponse>(decoded(main_server, entry, record.as_ref(), repeat))
    });
    decoded.await.map(Out)
}

fn decoded(main_server: &MainServer, entry: JournalEntry, record: Option<&Record>, repeat: Repeat) -> Exchange {
    let key = main_server.public_key();
    let whose = entry.thumbprint.zip(record).map(|(thumbprint, record)| standing(record, &thumbprint));
    Exchange {
        why: why(&entry),
        clause_text: clause_text(&entry.clause),
        key_pair: whose,
        request_message: message(&entry.request, key),
        answer_message: message(&entry.answer, key),
        repeat,
        entry,
    }
}

/// What a key pair is to an id now.
fn standing(record: &Record, thumbprint: &KeyThumbprint) -> String {
    if record.bound_thumbprint() == Some(*thumbprint) {
        return format!("the key pair in use, generation {}", record.key_generation);
    }
    match record.cleared(thumbprint) {
        Some(cleared) => format!("cleared, generation {}", cleared.key_generation),
        None => "not the key pair in use".to_owned(),
    }
}

/// Why, on one line.
fn why(entry: &JournalEntry) -> String {
    let reason = match (entry.verdict.as_str(), entry.detail.as_str()) {
        ("accepted", _) => "All rules are fulfilled; the answer is a new receipt.".to_owned(),
        ("answered-again", _) => "The same request was accepted before; it gets the same answer again.".to_owned(),
        ("payload", _) => "The payload belongs to the newest receipt of its id.".to_owned(),
        (verdict, "") => format!("{}.", verdict.replace('-', " ")),
        (verdict, detail) => format!("{verdict}: {}", detail.replace('\n', " ")),
    };
    if entry.clause.is_empty() { reason } else { format!("{reason} (P {})", entry.clause) }
}

/// A clause is a list item that begins with its number in bold, with the lines indented below it.
fn clause_text(clause: &str) -> String {
    let head = format!("- **{clause}** ");
    let mut lines = PROTOCOL.lines().skip_while(|line| !line.starts_with(&head));
    let Some(first) = lines.next() else { return String::new() };
    let rest = lines.map_while(|line| line.strip_prefix("  ")).map(str::trim);
    std::iter::once(&first[head.len()..]).chain(rest).collect::<Vec<_>>().join(" ")
}

/// Header and payload of a compact JWS, whoever signed it.
pub(super) fn parts(jws: &str) -> Option<(Value, Value)> {
    let mut parts = jws.split('.').map(|part| base64url::decode(part).ok());
    let mut object = || serde_json::from_slice::<Value>(&parts.next()??).ok().filter(Value::is_object);
    Some((object()?, object()?))
}

/// A compact JWS.
fn message(jws: &str, key: &PublicJwk) -> Option<Message> {
    let (header, payload) = parts(jws)?;
    let signed = jws.rsplit_once('.').map_or(jws, |(signed, _)| signed);
    let typ = header["typ"].as_str().unwrap_or("message");
    Some(Message {
        kind: typ.trim_start_matches("solme-sync-").trim_end_matches("+jwt").to_owned(),
        signature: signature(jws, typ, &header, key),
        bytes: jws.len(),
        digest: Digest::of(signed),
        header,
        payload,
    })
}

fn signature(jws: &str, typ: &str, header: &Value, key: &PublicJwk) -> Signed {
    if typ == "solme-sync-request+jwt" {
        let whose = "the key pair that the request carries".to_owned();
        return match solme_sync_protocol::Signed::<Request>::parse(jws) {
            Ok(request) => Signed {
                key_thumbprint: Some(request.header().jwk.thumbprint()),
                whose,
                flaw: request.verify(&AwsLc).err().map(|error| error.to_string()),
            },
            Err(error) => Signed { key_thumbprint: None, whose, flaw: Some(error.to_string()) },
        };
    }
    let flaw = match typ {
        "solme-sync-receipt+jwt" => flaw_of::<Receipt>(jws, key),
        _ => flaw_of::<Refusal>(jws, key),
    };
    let key_thumbprint = header["kid"].as_str().and_then(|kid| kid.parse().ok());
    Signed { key_thumbprint, whose: "the main server's key".to_owned(), flaw }
}

fn flaw_of<M: ProtocolMessage<Header = MainServerHeader>>(jws: &str, key: &PublicJwk) -> Option<String> {
    match solme_sync_protocol::Signed::<M>::parse(jws) {
        Ok(message) => message.verify(&AwsLc, &[*key]).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

/// The same bytes again, for bash; the CA certificate comes out of the trust file.
fn curl(
    entry: &JournalEntry,
    trust: &solme_sync_protocol::TrustFile,
    trust_file: &FilePath,
    admin: &str,
) -> Option<String> {
    let request = entry.request.as_str();
    if request.is_empty() || !request.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return None;
    }
    let ca = || format!("--cacert <(jq -r .ca_certificate {})", quoted(&trust_file.display().to_string()));
    Some(match entry.carrier {
        Carrier::Https if request == "GET /health" => format!("curl {} {}/health", ca(), trust.https),
        Carrier::Https => format!(
            "curl {} -H 'Content-Type: application/jose' --data-raw {} {}/synchronize",
            ca(),
            quoted(request),
            trust.https
        ),
        Carrier::Http => format!("curl --output payload {}", quoted(&format!("{}/payloads/{request}", trust.http))),
        Carrier::File => {
            let file = SyncFile::Request(request.to_owned()).to_bytes(&[]);
            let file = quoted(&String::from_utf8_lossy(&file));
            format!(
                "curl -H \"Authorization: Bearer $MOCK_SOLME_TOKEN\" --data-raw {file} {admin}/process-request > response.solme"
            )
        }
    })
}

/// One word for bash.
fn quoted(text: &str) -> String {
    if text.contains('\n') {
        return format!("$'{}'", text.replace('\\', r"\\").replace('\'', r"\'").replace('\n', r"\n"));
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The same verb again.
fn license_server(entry: &JournalEntry) -> Option<String> {
    let line = match entry.carrier {
        _ if entry.request.is_empty() => return None,
        Carrier::Https if entry.request == "GET /health" => "license-server --state DIR doctor",
        Carrier::Https | Carrier::Http => "license-server --state DIR synchronize",
        Carrier::File => {
            "license-server --state DIR export-request request.solme && mock-solme process-request request.solme \
             --out response.solme && license-server --state DIR import-response response.solme"
        }
    };
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_has_the_text_of_the_protocol_page() {
        assert!(clause_text("9.9").contains("key-pair-in-use"));
        assert!(clause_text("16.1").starts_with("["));
        assert_eq!(clause_text("9.99"), "");
        assert_eq!(clause_text(""), "");
    }

    #[test]
    fn a_line_to_repeat_it_is_one_word_whatever_was_sent() {
        assert_eq!(quoted("a'b; rm $x"), r"'a'\''b; rm $x'");
        assert_eq!(quoted("a\n'b\\"), r"$'a\n\'b\\'");
    }
}
