//! Section 14: the file carrier, and 1.3: changing between the carriers.

use serde_json::Value;
use solme_sync_protocol::{RefusalCode, SyncFile, limits};

use super::super::answer::{Answer, same_bytes};
use super::super::draft::Request;
use super::super::stage::{LicenseServer, Stage};
use super::of;
use super::readable::{longest, of_length};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "1.3" Must a_request_that_came_by_file_is_answered_directly_with_the_same_receipt;
        "1.3" Must a_request_that_came_directly_is_answered_by_file_with_the_same_receipt;
        "1.3" Must the_carriers_take_turns;
        "2.2" Must a_request_file_with_two_members_of_one_name_gets_no_response_file;
        "14.1" Must a_first_synchronization_by_file;
        "14.2" Must a_response_file_has_its_members;
        "14.3" Must no_piece_is_longer_than_64_characters_and_each_has_its_line;
        "14.4" Must a_request_file_survives_what_mail_does;
        "14.4" Must unknown_members_of_a_file_are_ignored;
        "14.5" Must a_refusal_has_a_response_file_without_payload;
        "14.5" Must a_file_with_an_unreadable_request_gets_no_response_file;
        "14.5" Must a_file_with_a_request_that_is_too_large_gets_no_response_file;
        "14.5" Must what_is_no_request_file_gets_no_response_file;
        "14.6" Must the_same_request_file_gives_the_same_answer;
    }
}

pub(super) fn file_of(request: &Request) -> Vec<u8> {
    let about = ["A request of the conformance suite.".to_owned(), "Process it.".to_owned()];
    SyncFile::Request(request.jws.clone()).to_bytes(&about)
}

/// Synchronizes by file; gives the receipt and the payload.
async fn by_file(server: &mut LicenseServer, file: &[u8]) -> Result<(String, Vec<u8>), Finding> {
    let (answer, payload) = server.site.answer_file(file).await?;
    let (text, _) = answer.accepted()?;
    server.last_receipt = Some(text.clone());
    match payload {
        Some(payload) => Ok((text, payload)),
        None => Err(Finding::deviates("a payload beside the receipt", "none")),
    }
}

async fn a_request_that_came_by_file_is_answered_directly_with_the_same_receipt(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let request = server.request();
    let (receipt, payload) = by_file(&mut server, &file_of(&request)).await?;
    let direct = server.synchronize_with(request).await?;
    same_bytes("the receipt of the file", receipt.as_bytes(), direct.text.as_bytes())?;
    same_bytes("the payload of the file", &payload, &server.payload(&direct).await?)
}

async fn a_request_that_came_directly_is_answered_by_file_with_the_same_receipt(stage: &Stage) -> Outcome {
    let (mut server, direct) = stage.synchronized().await?;
    let direct_payload = server.payload(&direct).await?;
    let (receipt, payload) = by_file(&mut server, &file_of(&direct.request)).await?;
    same_bytes("the receipt of 443", direct.text.as_bytes(), receipt.as_bytes())?;
    same_bytes("the payload of 8080", &direct_payload, &payload)
}

async fn the_carriers_take_turns(stage: &Stage) -> Outcome {
    let (mut server, _) = stage.synchronized().await?;
    let request = server.request();
    by_file(&mut server, &file_of(&request)).await?;
    Finding::unless_equal(&3, &server.synchronize().await?.receipt.sequence)
}

async fn a_first_synchronization_by_file(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut server = site.license_server();
    let request = server.request();
    let (answer, payload) = site.answer_file(&file_of(&request)).await?;
    let (text, receipt) = answer.accepted()?;
    server.last_receipt = Some(text.clone());
    let synchronized = super::super::stage::Synchronized { request, text, receipt };
    server.open(&synchronized.request.sealing, &synchronized, &payload.unwrap_or_default())?;
    site.license_server().ask().await?.refused(RefusalCode::KeyPairInUse).map(drop)
}

/// The response file to a new request of a new site, as JSON and as text.
async fn response(stage: &Stage) -> Result<(Value, String), Finding> {
    let server = stage.site().await?.license_server();
    let file = server.site.process(&file_of(&server.request())).await?.unwrap_or_default();
    let json =
        serde_json::from_slice(&file).map_err(|error| Finding::deviates("a file that is JSON", error.to_string()))?;
    Ok((json, String::from_utf8_lossy(&file).into_owned()))
}

async fn a_response_file_has_its_members(stage: &Stage) -> Outcome {
    let (file, _) = response(stage).await?;
    Finding::unless_equal(
        &(Value::from("response"), Value::from(1)),
        &(file["solme_sync_file"].clone(), file["version"].clone()),
    )?;
    for member in ["about", "message", "payload"] {
        let strings = file[member].as_array().is_some_and(|pieces| pieces.iter().all(Value::is_string));
        if !strings {
            return Err(Finding::deviates(format!("{member}, an array of strings"), file[member].to_string()));
        }
    }
    Ok(())
}

async fn no_piece_is_longer_than_64_characters_and_each_has_its_line(stage: &Stage) -> Outcome {
    let (file, text) = response(stage).await?;
    if text.contains('\r') {
        return Err(Finding::deviates("lines that end in LF", "a CR"));
    }
    for member in ["message", "payload"] {
        for piece in file[member].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if piece.len() > 64 {
                return Err(Finding::deviates(format!("{member} in pieces of at most 64"), format!("{}", piece.len())));
            }
            // A short piece may stand inside a longer one, so the whole line is compared.
            let line = format!("\"{piece}\"");
            if !text.lines().any(|found| found.trim().trim_end_matches(',') == line) {
                return Err(Finding::deviates(format!("{line} on its own line"), "it shares a line"));
            }
        }
    }
    Ok(())
}

/// What a mail program makes of a file.
type Mail = fn(&str) -> String;

async fn a_request_file_survives_what_mail_does(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let variants: [(&str, Mail); 4] = [
        ("CR LF", |text| text.replace('\n', "\r\n")),
        ("a byte-order mark", |text| format!("\u{feff}{text}")),
        ("text around it", |text| {
            format!("Dear Solme,\r\n\r\nthe request:\r\n{text}\r\n-- \r\nIT {{night shift}}\r\n")
        }),
        ("long lines wrapped", wrapped),
    ];
    for (variant, mail) in variants {
        let file = mail(&String::from_utf8_lossy(&file_of(&server.request())));
        of(variant, by_file(&mut server, file.as_bytes()).await)?;
    }
    Ok(())
}

fn wrapped(text: &str) -> String {
    let lines = text.as_bytes().chunks(40).map(|line| String::from_utf8_lossy(line).into_owned() + "\r\n");
    lines.collect()
}

async fn unknown_members_of_a_file_are_ignored(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let text = String::from_utf8_lossy(&file_of(&server.request())).into_owned();
    let text = text.replacen('{', "{\n  \"new\": {\"a\": [1, null]},", 1);
    by_file(&mut server, text.as_bytes()).await.map(drop)
}

async fn a_refusal_has_a_response_file_without_payload(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    site.license_server().synchronize().await?;
    let thief = site.license_server();
    let request = thief.request();
    let (answer, payload) = site.answer_file(&file_of(&request)).await?;
    let refusal = answer.refused(RefusalCode::KeyPairInUse)?;
    Finding::unless_equal(&(request.digest, None), &(refusal.request_digest, payload))
}

async fn a_file_with_an_unreadable_request_gets_no_response_file(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let server = site.license_server();
    let other_typ = server.request_with_header(|header| header.set("typ", "\"JWT\""));
    let mut no_jws = server.request();
    no_jws.jws = "hello".to_owned();
    for (variant, request) in [("another typ", other_typ), ("no JWS", no_jws)] {
        of(variant, gets_no_file(site.process(&file_of(&request)).await?))?;
    }
    Ok(())
}

async fn a_file_with_a_request_that_is_too_large_gets_no_response_file(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let too_large = of_length(&server, limits::REQUEST + 1);
    gets_no_file(server.site.process(&file_of(&too_large)).await?)?;
    let longest = longest(&server);
    by_file(&mut server, &file_of(&longest)).await.map(drop)
}

async fn a_request_file_with_two_members_of_one_name_gets_no_response_file(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let good = String::from_utf8_lossy(&file_of(&server.request())).into_owned();
    for (variant, twice) in [
        ("version, with one value", good.replacen("\"version\": 1", "\"version\": 1, \"version\": 1", 1)),
        ("deep in an unknown member", good.replacen('{', r#"{"new": [{"a": 1, "a": 2}],"#, 1)),
    ] {
        of(variant, gets_no_file(server.site.process(twice.as_bytes()).await?))?;
    }
    Ok(())
}

fn gets_no_file(file: Option<Vec<u8>>) -> Outcome {
    match file {
        None => Ok(()),
        Some(file) => Err(Finding::deviates("no response file", String::from_utf8_lossy(&file))),
    }
}

async fn what_is_no_request_file_gets_no_response_file(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let good = String::from_utf8_lossy(&file_of(&server.request())).into_owned();
    let response = server.site.process(good.as_bytes()).await?.unwrap_or_default();
    for (variant, file) in [
        ("a response file", response),
        ("an empty file", Vec::new()),
        ("half of a request file", good.as_bytes()[..good.len() / 2].to_vec()),
        ("version 2", good.replacen("\"version\": 1", "\"version\": 2", 1).into_bytes()),
        ("a web page", b"<!doctype html><title>Log in</title>".to_vec()),
    ] {
        of(variant, gets_no_file(server.site.process(&file).await?))?;
    }
    Ok(())
}

async fn the_same_request_file_gives_the_same_answer(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let server = site.license_server();
    let file = file_of(&server.request());
    let (first, second) = (site.answer_file(&file).await?, site.answer_file(&file).await?);
    same_bytes("the same receipt", first.0.text().as_bytes(), second.0.text().as_bytes())?;
    same_bytes("the same payload", &first.1.unwrap_or_default(), &second.1.unwrap_or_default())?;
    match first.0 {
        Answer::Receipt { receipt, .. } => Finding::unless_equal(&1, &receipt.sequence),
        other => other.accepted().map(drop),
    }
}
