//! Section 14: request files and response files.

use std::fs;
use std::path::PathBuf;

use mock_solme::MockSolme;
use serde_json::{Value, json};
use solme_sync_protocol::{base64url, limits};

use super::license_server::{Changes, Server};
use super::must;
use super::stage::{ID, Stage, broken, id, operated, process_at};
use crate::conformance::{Case, Finding, Outcome};

pub(super) fn cases() -> Vec<Case<Stage>> {
    vec![
        must("14.1", "export-process-import-synchronizes", |s| Box::pin(synchronizes(s))),
        must("14.2", "the-request-file-has-its-members", |s| Box::pin(members(s))),
        must("14.2", "about-is-never-trusted", |s| Box::pin(about(s))),
        must("14.2", "a-request-file-is-no-response-file", |s| Box::pin(request_instead(s))),
        must("14.2", "another-version-is-refused", |s| Box::pin(another_version(s))),
        must("14.2", "a-payload-beside-a-refusal-is-not-usable", |s| Box::pin(payload_beside_a_refusal(s))),
        must("14.3", "no-line-needs-wrapping", |s| Box::pin(short_lines(s))),
        must("14.4", "crlf-and-a-byte-order-mark-do-no-harm", |s| Box::pin(crlf(s))),
        must("14.4", "text-before-and-after-does-no-harm", |s| Box::pin(quoted(s))),
        must("14.4", "wrapped-lines-do-no-harm", |s| Box::pin(wrapped(s))),
        must("14.4", "unknown-members-are-ignored", |s| Box::pin(unknown_members(s))),
        must("2.2", "a-response-file-with-two-members-of-one-name-is-not-usable", |s| Box::pin(duplicate_members(s))),
        must("2.4", "padding-is-refused", |s| Box::pin(padding(s))),
        must("4.6", "the-other-signature-of-a-receipt-is-the-same-receipt", |s| Box::pin(other_signature(s))),
        must("14.5", "a-receipt-without-payload-is-not-usable", |s| Box::pin(no_payload(s))),
        must("14.5", "a-truncated-file-is-not-usable", |s| Box::pin(truncated(s))),
        must("14.5", "a-damaged-payload-is-not-usable", |s| Box::pin(damaged_payload(s))),
        must("14.5", "a-damaged-receipt-is-not-usable", |s| Box::pin(damaged_receipt(s))),
        must("14.5", "what-is-no-file-of-ours-is-not-usable", |s| Box::pin(rubbish(s))),
        must("14.5", "what-is-longer-than-a-file-may-be-is-not-usable", |s| Box::pin(too_long(s))),
        must("14.1", "a-request-that-cannot-be-written-is-no-success", |s| Box::pin(not_written(s))),
        must("14.6", "one-request-file-gives-one-answer", |s| Box::pin(processed_twice(s))),
        must("11.2", "a-response-for-another-id-is-not-usable", |s| Box::pin(for_another_id(s))),
        must("11.2", "a-response-of-another-main-server-is-not-usable", |s| Box::pin(of_another_main_server(s))),
        must("11.3", "a-response-to-another-server-of-the-id-is-not-usable", |s| Box::pin(to_another_server(s))),
        must("11.3", "a-response-is-not-usable-where-no-request-is-outstanding", |s| Box::pin(nothing_awaited(s))),
        must("11.10", "a-refusal-of-another-request-is-not-usable", |s| Box::pin(refusal_of_another_request(s))),
        must("11.10", "a-refusal-of-another-server-is-not-usable", |s| Box::pin(refusal_of_another_server(s))),
        must("11.11", "importing-twice-is-a-success-that-changes-nothing", |s| Box::pin(twice(s))),
        must("11.11", "an-older-response-of-an-earlier-key-pair-is-not-called-older", |s| {
            Box::pin(older_of_another_key_pair(s))
        }),
        must("11.11", "an-older-response-is-named-and-changes-nothing", |s| Box::pin(older(s))),
    ]
}

/// A License Server that awaits the answer in a response file.
async fn awaiting(stage: &Stage) -> Result<(Server<'_>, PathBuf), Finding> {
    let server = stage.server("a").await?;
    let response = stage.process(&server.export("a").await?)?;
    Ok((server, response))
}

/// The file cannot be used and nothing has changed; the sound one still can.
async fn not_usable(server: &Server<'_>, bad: &std::path::Path, good: &std::path::Path) -> Outcome {
    let before = server.status().await?;
    server.import(bad).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.import(good).await?.expect_synchronized().map(drop)
}

/// The file changed as `change` says is as good as before.
async fn survives(stage: &Stage, change: impl FnOnce(String) -> String) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let mailed = stage.write("mailed.response", change(read(&response)?))?;
    server.import(&mailed).await?.expect_synchronized()?;
    server.issues().await
}

/// The file changed as `change` says cannot be used.
async fn breaks(stage: &Stage, change: impl FnOnce(&mut Value)) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let mut file = serde_json::from_str(&read(&response)?)
        .map_err(|error| Finding::deviates("a response file", error.to_string()))?;
    change(&mut file);
    let bad = stage.write("bad.response", file.to_string())?;
    not_usable(&server, &bad, &response).await
}

fn read(file: &std::path::Path) -> Result<String, Finding> {
    fs::read_to_string(file).map_err(broken)
}

async fn synchronizes(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    server.does_not_issue().await?;
    let changes = server.import(&response).await?.expect_synchronized()?;
    Finding::unless_equal(&vec![stage.license.to_string()], &changes.added)?;
    server.is("synchronized").await?;
    server.issues().await
}

async fn members(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let text = read(&server.export("a").await?)?;
    let file: Value = serde_json::from_str(&text).map_err(|error| Finding::deviates("JSON", error.to_string()))?;
    Finding::unless_equal(&(json!("request"), json!(1)), &(file["solme_sync_file"].clone(), file["version"].clone()))?;
    let strings = |member: &str| file[member].as_array().is_some_and(|array| array.iter().all(Value::is_string));
    let payload = file.get("payload").is_some();
    Finding::unless_equal(&(true, true, false), &(strings("about"), strings("message"), payload))
}

async fn about(stage: &Stage) -> Outcome {
    survives(stage, |text| text.replace(ID, "SITE-2").replace("Response", "Request")).await
}

async fn request_instead(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    not_usable(&server, &stage.path("a.request"), &response).await
}

async fn another_version(stage: &Stage) -> Outcome {
    breaks(stage, |file| file["version"] = json!(2)).await
}

async fn short_lines(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let text = read(&server.export("a").await?)?;
    let file: Value = serde_json::from_str(&text).map_err(|error| Finding::deviates("JSON", error.to_string()))?;
    let pieces = file["message"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let long = pieces.clone().find(|piece| piece.len() > 64);
    let lines = pieces.filter(|piece| text.lines().filter(|line| line.contains(piece)).count() == 0).count();
    match (long, lines) {
        (None, 0) if !text.contains('\r') => Ok(()),
        (long, _) => {
            Err(Finding::deviates("pieces of at most 64 characters, each on a line of its own", format!("{long:?}")))
        }
    }
}

async fn crlf(stage: &Stage) -> Outcome {
    survives(stage, |text| format!("\u{feff}{}", text.replace('\n', "\r\n"))).await
}

async fn quoted(stage: &Stage) -> Outcome {
    survives(stage, |text| format!("Dear customer,\n\nhere it is.\n\n{text}\n-- \nSolme AB {{licensing}}\n")).await
}

async fn wrapped(stage: &Stage) -> Outcome {
    survives(stage, |text| {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(40).map(|line| line.iter().collect::<String>() + "\r\n").collect()
    })
    .await
}

async fn unknown_members(stage: &Stage) -> Outcome {
    survives(stage, |text| text.replacen('{', r#"{"of_next_year": {"a": [1]},"#, 1)).await
}

async fn duplicate_members(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let twice = read(&response)?.replacen('{', r#"{"of_next_year": {"a": 1, "a": 2},"#, 1);
    not_usable(&server, &stage.write("bad.response", twice)?, &response).await
}

async fn padding(stage: &Stage) -> Outcome {
    breaks(stage, |file| {
        if let Some(pieces) = file["payload"].as_array_mut() {
            pieces.push(json!("="));
        }
    })
    .await
}

async fn other_signature(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let message = stage.message(&response)?;
    let (input, signature) = message.rsplit_once('.').unwrap_or_default();
    let other = format!("{input}.{}", negated(signature)?);
    let text = read(&response)?;
    let mut file: Value =
        serde_json::from_str(&text).map_err(|error| Finding::deviates("a response file", error.to_string()))?;
    file["message"] = json!([other]);
    let same = stage.write("same.response", file.to_string())?;
    server.import(&same).await?.expect_synchronized()?;
    let before = server.status().await?;
    Finding::unless_equal(&Changes::default(), &server.import(&response).await?.expect_synchronized()?)?;
    Finding::unless_equal(&before, &server.status().await?)?;
    // The main server remembers the receipt with its own signature, and has to know it by what was signed.
    stage.synchronize(&server).await?;
    Finding::unless_equal(&Some(2), &server.status().await?.sequence)
}

/// The order of P-384.
const ORDER: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0,
    0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];

/// The signature (r, n - s) for (r, s).
fn negated(signature: &str) -> Result<String, Finding> {
    let broken = |what: String| Finding::deviates("a signature of 96 bytes", what);
    let mut bytes = base64url::decode(signature).map_err(|error| broken(error.to_string()))?;
    if bytes.len() != 2 * ORDER.len() {
        return Err(broken(signature.to_owned()));
    }
    let mut borrow = 0;
    for (byte, order) in bytes[ORDER.len()..].iter_mut().rev().zip(ORDER.iter().rev()) {
        let difference = i16::from(*order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256).to_le_bytes()[0];
    }
    Ok(base64url::encode(bytes))
}

async fn no_payload(stage: &Stage) -> Outcome {
    breaks(stage, |file| drop(file.as_object_mut().and_then(|file| file.remove("payload")))).await
}

async fn truncated(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let text = read(&response)?;
    for length in [0, 1, text.len() / 3, text.len() * 9 / 10] {
        let bad = stage.write("bad.response", &text[..length])?;
        server.import(&bad).await?.is_failed("file-not-usable")?;
    }
    server.import(&response).await?.expect_synchronized().map(drop)
}

async fn damaged_payload(stage: &Stage) -> Outcome {
    breaks(stage, |file| file["payload"][1] = json!("A".repeat(64))).await
}

async fn damaged_receipt(stage: &Stage) -> Outcome {
    breaks(stage, |file| file["message"][3] = json!("A".repeat(64))).await
}

/// Section 18.
async fn too_long(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let bad = stage.write("bad.response", read(&response)? + &" ".repeat(limits::FILE))?;
    not_usable(&server, &bad, &response).await
}

async fn not_written(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let nowhere = stage.path("no-such-folder").join("a.request");
    server.export_to(&nowhere).await?.is_failed_with_one_of(&["file-not-usable", "local-state"])
}

async fn rubbish(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    for rubbish in ["", "Out of office", "{}", "[1]", "{\"solme_sync_file\": 1}", "\u{0}\u{1}\u{2}"] {
        let bad = stage.write("bad.response", rubbish)?;
        server.import(&bad).await?.is_failed("file-not-usable")?;
    }
    not_usable(&server, &stage.path("there-is-none"), &response).await
}

async fn processed_twice(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let first = stage.message(&stage.process(&request)?)?;
    let second = stage.process(&server.export("a").await?)?;
    Finding::unless_equal(&first, &stage.message(&second)?)?;
    server.import(&second).await?.expect_synchronized()?;
    Finding::unless_equal(&Some(1), &server.status().await?.sequence)
}

async fn for_another_id(stage: &Stage) -> Outcome {
    stage.main.add_id(&id("SITE-2"), &[]).map_err(operated)?;
    let other = stage.bare_server("other");
    other.init("SITE-2", stage.main.trust_file()).await?.is_done()?;
    let bad = stage.process(&other.export("other").await?)?;
    let (server, response) = awaiting(stage).await?;
    not_usable(&server, &bad, &response).await
}

async fn of_another_main_server(stage: &Stage) -> Outcome {
    let main = MockSolme::builder().empty().try_start();
    let main = main.map_err(|error| Finding::deviates("a second main server", error.to_string()))?;
    main.add_id(&id(ID), &[]).map_err(operated)?;
    let (server, response) = awaiting(stage).await?;
    let request = stage.path("elsewhere.request");
    fs::copy(stage.path("a.request"), &request).map_err(broken)?;
    // It refuses: `wrong-main-server`. That is signed, by someone who is not trusted.
    let bad = process_at(&main, &request)?;
    not_usable(&server, &bad, &response).await?;
    let other = stage.bare_server("other");
    other.init(ID, main.trust_file()).await?.is_done()?;
    let bad = process_at(&main, &other.export("other").await?)?;
    server.import(&bad).await?.is_failed("file-not-usable")
}

async fn to_another_server(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let other = stage.server("b").await?;
    let bad = stage.process(&other.export("b").await?)?;
    other.import(&bad).await?.expect_synchronized()?;
    stage.clear_key_pair()?;
    not_usable(&server, &bad, &stage.process(&request)?).await
}

async fn nothing_awaited(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let again = stage.bare_server("again");
    again.init(ID, stage.main.trust_file()).await?.is_done()?;
    again.import(&response).await?.is_failed("file-not-usable")?;
    again.is("unsynchronized").await?;
    server.import(&response).await?.expect_synchronized().map(drop)
}

async fn refusal_of_another_request(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    let old = server.export("old").await?;
    let refusal = stage.refuse(&old, solme_sync_protocol::RefusalCode::KeyPairCleared)?;
    server.import(&stage.process(&old)?).await?.expect_synchronized()?;
    let response = stage.process(&server.export("new").await?)?;
    not_usable(&server, &refusal, &response).await?;
    server.issues().await
}

async fn refusal_of_another_server(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (one, two) = (stage.server("b").await?, stage.server("c").await?);
    two.export("c").await?;
    let refusal = stage.process(&one.export("b").await?)?;
    two.import(&refusal).await?.is_failed("file-not-usable")?;
    one.import(&refusal).await?.is_refused("key-pair-in-use")
}

async fn twice(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    server.import(&response).await?.expect_synchronized()?;
    let before = server.status().await?;
    let changes = server.import(&response).await?.expect_synchronized()?;
    Finding::unless_equal(&Default::default(), &changes)?;
    Finding::unless_equal(&before, &server.status().await?)
}

async fn older_of_another_key_pair(stage: &Stage) -> Outcome {
    let (server, old) = awaiting(stage).await?;
    stage.clear_key_pair()?;
    server.new_key_pair().await?.is_done()?;
    stage.synchronize(&server).await?;
    let before = server.status().await?;
    server.import(&old).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &server.status().await?)
}

async fn payload_beside_a_refusal(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let thief = stage.server("b").await?;
    let refusal = stage.process(&thief.export("b").await?)?;
    let before = thief.status().await?;
    let mut file: Value = serde_json::from_str(&read(&refusal)?)
        .map_err(|error| Finding::deviates("a response file", error.to_string()))?;
    file["payload"] = json!(["AAAA"]);
    thief.import(&stage.write("bad.response", file.to_string())?).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &thief.status().await?)?;
    thief.import(&refusal).await?.is_refused("key-pair-in-use")
}

async fn older(stage: &Stage) -> Outcome {
    let (server, old) = awaiting(stage).await?;
    server.import(&old).await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?;
    server.import(&old).await?.is_failed("response-older")?;
    Finding::unless_equal(&before, &server.status().await?)
}
