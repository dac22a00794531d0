//! Section 14: request files and response files.

use std::fs;
use std::path::PathBuf;

use mock_solme::MockSolme;
use serde_json::{Value, json};
use solme_sync_protocol::{base64url, limits};

use super::license_server::Server;
use super::stage::{ID, Stage, broken, id, operated, process_at, second_main_server};
use crate::conformance::{Case, Finding, Outcome, cases};
use crate::subject::answers::Changes;

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "14.1" Must export_process_import_synchronizes;
        "14.2" Must the_request_file_has_its_members;
        "14.2" Must about_is_never_trusted;
        "14.2" Must a_request_file_is_no_response_file;
        "14.2" Must another_version_is_refused;
        "14.2" Must a_payload_beside_a_refusal_is_not_usable;
        "14.3" Must no_line_needs_wrapping;
        "14.4" Must crlf_and_a_byte_order_mark_do_no_harm;
        "14.4" Must text_before_and_after_does_no_harm;
        "14.4" Must wrapped_lines_do_no_harm;
        "14.4" Must unknown_members_are_ignored;
        "2.2" Must a_response_file_with_two_members_of_one_name_is_not_usable;
        "2.4" Must padding_is_refused;
        "4.6" Must the_other_signature_of_a_receipt_is_the_same_receipt;
        "14.5" Must a_receipt_without_payload_is_not_usable;
        "14.5" Must a_truncated_file_is_not_usable;
        "14.5" Must a_damaged_payload_is_not_usable;
        "14.5" Must a_damaged_receipt_is_not_usable;
        "14.5" Must what_is_no_file_of_ours_is_not_usable;
        "14.5" Must what_is_longer_than_a_file_may_be_is_not_usable;
        "14.1" Must a_request_that_cannot_be_written_is_no_success;
        "14.6" Must one_request_file_gives_one_answer;
        "11.2" Must a_response_for_another_id_is_not_usable;
        "11.2" Must a_response_of_another_main_server_is_not_usable;
        "11.3" Must a_response_to_another_server_of_the_id_is_not_usable;
        "11.3" Must a_response_is_not_usable_where_no_request_is_outstanding;
        "11.10" Must a_refusal_of_another_request_is_not_usable;
        "11.10" Must a_refusal_of_another_server_is_not_usable;
        "11.11" Must importing_twice_is_a_success_that_changes_nothing;
        "11.11" Must an_older_response_of_an_earlier_key_pair_is_not_called_older;
        "11.11" Must an_older_response_is_named_and_changes_nothing;
    }
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
    let mut file = json_in(&response)?;
    change(&mut file);
    let bad = stage.write("bad.response", file.to_string())?;
    not_usable(&server, &bad, &response).await
}

fn read(file: &std::path::Path) -> Result<String, Finding> {
    fs::read_to_string(file).map_err(broken)
}

fn json_in(file: &std::path::Path) -> Result<Value, Finding> {
    serde_json::from_str(&read(file)?).map_err(|error| Finding::deviates("a file that is JSON", error.to_string()))
}

async fn export_process_import_synchronizes(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    server.does_not_issue().await?;
    let changes = server.import(&response).await?.expect_synchronized()?;
    Finding::unless_equal(&vec![stage.license.to_string()], &changes.added)?;
    server.is("synchronized").await?;
    server.issues().await
}

async fn the_request_file_has_its_members(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let file = json_in(&server.export("a").await?)?;
    Finding::unless_equal(&(json!("request"), json!(1)), &(file["solme_sync_file"].clone(), file["version"].clone()))?;
    let strings = |member: &str| file[member].as_array().is_some_and(|array| array.iter().all(Value::is_string));
    let payload = file.get("payload").is_some();
    Finding::unless_equal(&(true, true, false), &(strings("about"), strings("message"), payload))
}

async fn about_is_never_trusted(stage: &Stage) -> Outcome {
    survives(stage, |text| text.replace(ID, "SITE-2").replace("Response", "Request")).await
}

async fn a_request_file_is_no_response_file(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    not_usable(&server, &stage.path("a.request"), &response).await
}

async fn another_version_is_refused(stage: &Stage) -> Outcome {
    breaks(stage, |file| file["version"] = json!(2)).await
}

async fn no_line_needs_wrapping(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let exported = server.export("a").await?;
    let (text, file) = (read(&exported)?, json_in(&exported)?);
    let pieces = file["message"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let long = pieces.clone().find(|piece| piece.len() > 64);
    let lines = pieces.filter(|piece| text.lines().filter(|line| line.contains(piece)).count() == 0).count();
    match (long, lines) {
        (None, 0) if !text.contains('\r') => Ok(()),
        (long, _) => {
            Err(Finding::deviates("pieces of at most 64 characters, each on its own line", format!("{long:?}")))
        }
    }
}

async fn crlf_and_a_byte_order_mark_do_no_harm(stage: &Stage) -> Outcome {
    survives(stage, |text| format!("\u{feff}{}", text.replace('\n', "\r\n"))).await
}

async fn text_before_and_after_does_no_harm(stage: &Stage) -> Outcome {
    survives(stage, |text| format!("Dear customer,\n\nhere it is.\n\n{text}\n-- \nSolme AB {{licensing}}\n")).await
}

async fn wrapped_lines_do_no_harm(stage: &Stage) -> Outcome {
    survives(stage, |text| {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(40).map(|line| line.iter().collect::<String>() + "\r\n").collect()
    })
    .await
}

async fn unknown_members_are_ignored(stage: &Stage) -> Outcome {
    survives(stage, |text| text.replacen('{', r#"{"of_next_year": {"a": [1]},"#, 1)).await
}

async fn a_response_file_with_two_members_of_one_name_is_not_usable(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let twice = read(&response)?.replacen('{', r#"{"of_next_year": {"a": 1, "a": 2},"#, 1);
    not_usable(&server, &stage.write("bad.response", twice)?, &response).await
}

async fn padding_is_refused(stage: &Stage) -> Outcome {
    breaks(stage, |file| {
        if let Some(pieces) = file["payload"].as_array_mut() {
            pieces.push(json!("="));
        }
    })
    .await
}

async fn the_other_signature_of_a_receipt_is_the_same_receipt(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let message = stage.message(&response)?;
    let (input, signature) = message.rsplit_once('.').unwrap_or_default();
    let other = format!("{input}.{}", negated(signature)?);
    let mut file = json_in(&response)?;
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

async fn a_receipt_without_payload_is_not_usable(stage: &Stage) -> Outcome {
    breaks(stage, |file| drop(file.as_object_mut().and_then(|file| file.remove("payload")))).await
}

async fn a_truncated_file_is_not_usable(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let text = read(&response)?;
    for length in [0, 1, text.len() / 3, text.len() * 9 / 10] {
        let bad = stage.write("bad.response", &text[..length])?;
        server.import(&bad).await?.is_failed("file-not-usable")?;
    }
    server.import(&response).await?.expect_synchronized().map(drop)
}

async fn a_damaged_payload_is_not_usable(stage: &Stage) -> Outcome {
    breaks(stage, |file| file["payload"][1] = json!("A".repeat(64))).await
}

async fn a_damaged_receipt_is_not_usable(stage: &Stage) -> Outcome {
    breaks(stage, |file| file["message"][3] = json!("A".repeat(64))).await
}

/// Section 18.
async fn what_is_longer_than_a_file_may_be_is_not_usable(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let bad = stage.write("bad.response", read(&response)? + &" ".repeat(limits::FILE))?;
    not_usable(&server, &bad, &response).await
}

async fn a_request_that_cannot_be_written_is_no_success(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let nowhere = stage.path("no-such-folder").join("a.request");
    server.export_to(&nowhere).await?.is_failed_with_one_of(&["file-not-usable", "local-state"])
}

async fn what_is_no_file_of_ours_is_not_usable(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    for rubbish in ["", "Out of office", "{}", "[1]", "{\"solme_sync_file\": 1}", "\u{0}\u{1}\u{2}"] {
        let bad = stage.write("bad.response", rubbish)?;
        server.import(&bad).await?.is_failed("file-not-usable")?;
    }
    not_usable(&server, &stage.path("there-is-none"), &response).await
}

async fn one_request_file_gives_one_answer(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let first = stage.message(&stage.process(&request)?)?;
    let second = stage.process(&server.export("a").await?)?;
    Finding::unless_equal(&first, &stage.message(&second)?)?;
    server.import(&second).await?.expect_synchronized()?;
    Finding::unless_equal(&Some(1), &server.status().await?.sequence)
}

async fn a_response_for_another_id_is_not_usable(stage: &Stage) -> Outcome {
    stage.main.add_id(&id("SITE-2"), &[]).map_err(operated)?;
    let other = stage.bare_server("other");
    other.init("SITE-2", stage.main.trust_file()).await?.is_done()?;
    let bad = stage.process(&other.export("other").await?)?;
    let (server, response) = awaiting(stage).await?;
    not_usable(&server, &bad, &response).await
}

async fn a_response_of_another_main_server_is_not_usable(stage: &Stage) -> Outcome {
    let main = second_main_server(MockSolme::builder())?;
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

async fn a_response_to_another_server_of_the_id_is_not_usable(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let other = stage.server("b").await?;
    let bad = stage.process(&other.export("b").await?)?;
    other.import(&bad).await?.expect_synchronized()?;
    stage.clear_key_pair()?;
    not_usable(&server, &bad, &stage.process(&request)?).await
}

async fn a_response_is_not_usable_where_no_request_is_outstanding(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    let again = stage.bare_server("again");
    again.init(ID, stage.main.trust_file()).await?.is_done()?;
    again.import(&response).await?.is_failed("file-not-usable")?;
    again.is("unsynchronized").await?;
    server.import(&response).await?.expect_synchronized().map(drop)
}

async fn a_refusal_of_another_request_is_not_usable(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    let old = server.export("old").await?;
    let refusal = stage.refuse(&old, solme_sync_protocol::RefusalCode::KeyPairCleared)?;
    server.import(&stage.process(&old)?).await?.expect_synchronized()?;
    let response = stage.process(&server.export("new").await?)?;
    not_usable(&server, &refusal, &response).await?;
    server.issues().await
}

async fn a_refusal_of_another_server_is_not_usable(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (one, two) = (stage.server("b").await?, stage.server("c").await?);
    two.export("c").await?;
    let refusal = stage.process(&one.export("b").await?)?;
    two.import(&refusal).await?.is_failed("file-not-usable")?;
    one.import(&refusal).await?.is_refused("key-pair-in-use")
}

async fn importing_twice_is_a_success_that_changes_nothing(stage: &Stage) -> Outcome {
    let (server, response) = awaiting(stage).await?;
    server.import(&response).await?.expect_synchronized()?;
    let before = server.status().await?;
    let changes = server.import(&response).await?.expect_synchronized()?;
    Finding::unless_equal(&Default::default(), &changes)?;
    Finding::unless_equal(&before, &server.status().await?)
}

async fn an_older_response_of_an_earlier_key_pair_is_not_called_older(stage: &Stage) -> Outcome {
    let (server, old) = awaiting(stage).await?;
    stage.clear_key_pair()?;
    server.new_key_pair().await?.is_done()?;
    stage.synchronize(&server).await?;
    let before = server.status().await?;
    server.import(&old).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &server.status().await?)
}

async fn a_payload_beside_a_refusal_is_not_usable(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let thief = stage.server("b").await?;
    let refusal = stage.process(&thief.export("b").await?)?;
    let before = thief.status().await?;
    let mut file = json_in(&refusal)?;
    file["payload"] = json!(["AAAA"]);
    thief.import(&stage.write("bad.response", file.to_string())?).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &thief.status().await?)?;
    thief.import(&refusal).await?.is_refused("key-pair-in-use")
}

async fn an_older_response_is_named_and_changes_nothing(stage: &Stage) -> Outcome {
    let (server, old) = awaiting(stage).await?;
    server.import(&old).await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?;
    server.import(&old).await?.is_failed("response-older")?;
    Finding::unless_equal(&before, &server.status().await?)
}
