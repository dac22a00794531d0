//! Bugs in what carries the messages: HTTP and files (P 10, 13, 14).

use std::sync::Arc;

use mock_solme::Carrier;
use mock_solme::testing::{Conduct, Protocol};
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use solme_sync_protocol::{FileError, SyncFile};

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("every-refusal-with-status-400", "10.1", || {
        Arc::new(Heads(|_, status, _| {
            if status.is_client_error() {
                *status = StatusCode::BAD_REQUEST;
            }
        }))
    }),
    mutant("receipt-with-status-201", "13.3", || {
        Arc::new(Heads(|role, status, _| {
            if role == Carrier::Https && *status == StatusCode::OK {
                *status = StatusCode::CREATED;
            }
        }))
    }),
    mutant("receipt-as-jwt", "13.3", || {
        Arc::new(Heads(|_, _, headers| replace(headers, "application/jose", "application/jwt")))
    }),
    mutant("answer-may-be-stored", "13.3", || {
        Arc::new(Heads(|role, _, headers| {
            if role == Carrier::Https {
                headers.remove(CACHE_CONTROL);
            }
        }))
    }),
    mutant("payload-may-be-stored", "13.4", || {
        Arc::new(Heads(|role, _, headers| {
            if role == Carrier::Http {
                headers.remove(CACHE_CONTROL);
            }
        }))
    }),
    mutant("payload-as-text", "13.4", || {
        Arc::new(Heads(|_, _, headers| replace(headers, "application/octet-stream", "text/plain")))
    }),
    mutant("no-payload-is-a-success", "13.4", || {
        Arc::new(Heads(|role, status, _| {
            if role == Carrier::Http {
                *status = StatusCode::OK;
            }
        }))
    }),
    mutant("problem-as-json", "13.6", || {
        Arc::new(Heads(|_, _, headers| replace(headers, "application/problem+json", "application/json")))
    }),
    mutant("refusal-with-another-status-than-it-says", "13.6", || {
        Arc::new(Heads(|_, status, _| {
            if *status == StatusCode::CONFLICT {
                *status = StatusCode::FORBIDDEN;
            }
        }))
    }),
    mutant("response-file-without-about", "14.2", || Arc::new(WritesFile(|file| drop(file.remove("about"))))),
    mutant("response-file-of-version-2", "14.2", || {
        Arc::new(WritesFile(|file| drop(file.insert("version".into(), 2.into()))))
    }),
    mutant("payload-beside-a-refusal", "14.2", || {
        Arc::new(WritesFile(|file| {
            file.entry("payload").or_insert_with(|| json!(["AAAA"]));
        }))
    }),
    mutant("receipt-without-payload", "14.5", || Arc::new(WritesFile(|file| drop(file.remove("payload"))))),
    mutant("message-in-one-piece", "14.3", || {
        Arc::new(WritesFile(|file| {
            let message: String = file["message"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            file.insert("message".into(), json!([message]));
        }))
    }),
    // What mail would wrap.
    mutant("response-file-on-one-line", "14.3", || Arc::new(WritesText(|text| text.replace('\n', "")))),
    mutant("response-file-with-cr-lf", "14.3", || Arc::new(WritesText(|text| text.replace('\n', "\r\n")))),
    mutant("file-with-a-byte-order-mark-refused", "14.4", || {
        Arc::new(RefusesFile(|text| text.starts_with('\u{feff}')))
    }),
    mutant("file-with-text-before-it-refused", "14.4", || {
        Arc::new(RefusesFile(|text| !text.trim_start_matches('\u{feff}').starts_with('{')))
    }),
    mutant("file-with-text-after-it-refused", "14.4", || {
        Arc::new(RefusesFile(|text| {
            let text = text.replace(['\r', '\n'], "");
            let (_, from_the_brace) = text.split_at(text.find('{').unwrap_or_default());
            let mut values = serde_json::Deserializer::from_str(from_the_brace).into_iter::<Value>();
            values.next().is_some_and(|value| value.is_ok())
                && !from_the_brace[values.byte_offset()..].trim().is_empty()
        }))
    }),
    // A wrapped string holds a line break, which JSON does not have there.
    mutant("wrapped-file-refused", "14.4", || {
        Arc::new(RefusesFile(|text| {
            let whole = text.trim_start_matches('\u{feff}');
            whole.starts_with('{') && serde_json::from_str::<Value>(whole).is_err_and(|error| !error.is_eof())
        }))
    }),
    mutant("file-with-cr-lf-refused", "14.4", || Arc::new(RefusesFile(|text| text.starts_with("{\r\n")))),
    mutant("file-with-unknown-members-refused", "14.4", || Arc::new(RefusesFile(|text| text.contains("\"new\":")))),
    mutant("file-of-any-version", "14.2", || Arc::new(ReadsFile(|file| set(file, "version", json!(1))))),
    mutant("file-of-any-kind", "14.2", || Arc::new(ReadsFile(|file| set(file, "solme_sync_file", json!("request"))))),
    mutant("message-as-one-string", "14.2", || {
        Arc::new(ReadsFile(|file| {
            let message = file["message"].as_str()?.to_owned();
            set(file, "message", json!([message]))
        }))
    }),
    mutant("member-twice-in-a-file", "2.2", || Arc::new(ReadsFile(|_| Some(())))),
];

/// Changes status and headers.
#[derive(Debug)]
struct Heads(fn(Carrier, &mut StatusCode, &mut HeaderMap));

impl Conduct for Heads {
    fn head(&self, role: Carrier, status: &mut StatusCode, headers: &mut HeaderMap) {
        (self.0)(role, status, headers);
    }
}

fn replace(headers: &mut HeaderMap, right: &str, wrong: &'static str) {
    if headers.get(CONTENT_TYPE).is_some_and(|value| value == right) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(wrong));
    }
}

/// The members of a file.
type Members = serde_json::Map<String, Value>;

/// Writes response files with other members.
#[derive(Debug)]
struct WritesFile(fn(&mut Members));

impl Conduct for WritesFile {
    fn response_file(&self, response: &SyncFile, about: &[String]) -> Vec<u8> {
        let file = response.to_bytes(about);
        let Ok(mut members) = serde_json::from_slice(&file) else { return file };
        (self.0)(&mut members);
        serde_json::to_vec_pretty(&members).unwrap_or(file)
    }
}

/// Writes the text of response files otherwise.
#[derive(Debug)]
struct WritesText(fn(&str) -> String);

impl Conduct for WritesText {
    fn response_file(&self, response: &SyncFile, about: &[String]) -> Vec<u8> {
        (self.0)(&String::from_utf8_lossy(&response.to_bytes(about))).into_bytes()
    }
}

/// Does not survive what mail does.
#[derive(Debug)]
struct RefusesFile(fn(&str) -> bool);

impl Conduct for RefusesFile {
    fn request_file(&self, file: &[u8]) -> Result<SyncFile, FileError> {
        if (self.0)(&String::from_utf8_lossy(file)) {
            Err(FileError::NotASyncFile)
        } else {
            Protocol.request_file(file)
        }
    }
}

/// Makes a request file of what is none.
#[derive(Debug)]
struct ReadsFile(fn(&mut Value) -> Option<()>);

impl Conduct for ReadsFile {
    fn request_file(&self, file: &[u8]) -> Result<SyncFile, FileError> {
        Protocol.request_file(file).or_else(|error| {
            let made = || {
                let mut members = serde_json::from_slice::<Value>(file).ok()?;
                (self.0)(&mut members)?;
                Protocol.request_file(members.to_string().as_bytes()).ok()
            };
            made().ok_or(error)
        })
    }
}

fn set(file: &mut Value, name: &str, value: Value) -> Option<()> {
    file.as_object_mut()?.insert(name.to_owned(), value).map(drop)
}
