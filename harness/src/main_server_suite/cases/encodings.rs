//! Section 2: encodings.

use solme_sync_protocol::{RefusalCode, base64url};

use super::super::draft::{Object, string};
use super::super::stage::{LicenseServer, Stage};
use super::{Change, all_malformed, all_unreadable};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "2.1" Must a_payload_that_is_no_json_is_unreadable;
        "2.1" Must the_order_of_members_carries_no_meaning;
        "2.2" Must a_member_that_stands_twice_is_unreadable;
        "2.3" Must unknown_members_of_the_payload_are_ignored;
        "2.3" Must unknown_members_of_header_and_jwk_are_refused;
        "2.4" Must base64url_is_strict;
        "2.5" Must integers_are_written_plainly;
        "2.6" Must a_time_is_an_integer_of_seconds;
        "2.7" Must a_license_server_id_has_one_form;
        "2.7" Must a_license_server_id_is_compared_byte_by_byte;
        "2.8" Must a_request_id_has_128_bits;
        "2.8" Must sync_id_and_payload_name_are_fresh;
    }
}

async fn a_payload_that_is_no_json_is_unreadable(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let text = server.draft().payload.json();
    let with = |payload: &[u8]| {
        let draft = server.draft();
        let header = draft.header.json();
        draft.sign_texts(&header, payload).jws
    };
    let not_utf8 = [text.replace("conformance", "conform").as_bytes(), b"\xff"].concat();
    let surrogate = text.replace("conformance", r"\ud800");
    let bom = format!("\u{feff}{text}");
    all_unreadable(
        &server.site,
        [
            ("bytes after the object that are not UTF-8", with(&not_utf8)),
            ("half a surrogate pair", with(surrogate.as_bytes())),
            ("a byte-order mark", with(bom.as_bytes())),
            ("an array", with(format!("[{text}]").as_bytes())),
            ("a comma before the end", with(text.replace("\"1\"}", "\"1\",}").as_bytes())),
            ("two objects", with(format!("{text}{text}").as_bytes())),
            ("half of it", with(&text.as_bytes()[..text.len() / 2])),
            ("nothing", with(b"")),
        ],
    )
    .await
}

async fn the_order_of_members_carries_no_meaning(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let mut draft = server.draft();
    draft.header.reverse();
    draft.payload.reverse();
    let request = draft.sign();
    server.synchronize_with(request).await.map(drop)
}

async fn a_member_that_stands_twice_is_unreadable(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let with = |change: fn(&LicenseServer, &mut Object)| server.request_with(|payload| change(&server, payload)).jws;
    let twice_in_jwk = |server: &LicenseServer, payload: &mut Object| {
        let jwk = server.site.random.sealing_key().public_jwk();
        let mut object = Object::jwk(&jwk);
        object.add("crv", string("P-384"));
        payload.set("sealing_jwk", object.json());
    };
    let in_header = |header: &mut Object| header.add("alg", string("ES384"));
    all_unreadable(
        &server.site,
        [
            ("iss", with(|server, payload| payload.add("iss", string(&server.site.id)))),
            ("product, with another value", with(|_, payload| payload.add("product", string("other")))),
            ("iss, once with an escape", with(|server, payload| payload.add(r"\u0069ss", string(&server.site.id)))),
            ("crv in sealing_jwk", with(twice_in_jwk)),
            ("deep in an unknown member", with(|_, payload| payload.add("new", r#"[{"a":{"b":1,"b":1}}]"#))),
            ("alg in the header", server.request_with_header(in_header).jws),
        ],
    )
    .await
}

async fn unknown_members_of_the_payload_are_ignored(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let request = server.request_with(|payload| payload.add("new", r#"{"a":[1,2.5,null,"x"]}"#));
    server.synchronize_with(request).await.map(drop)
}

async fn unknown_members_of_header_and_jwk_are_refused(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let kid = server.key.thumbprint().to_string();
    let mut jwk = Object::jwk(&server.key.jwk);
    jwk.add("kid", string(&kid));
    let jwk = jwk.json();
    let with = |name: &str, value: &str| server.request_with_header(|header| header.set(name, value)).jws;
    all_unreadable(
        &server.site,
        [("kid in the header", with("kid", &string(&kid))), ("kid in the JWK", with("jwk", &jwk))],
    )
    .await?;
    let sealing: Change = |payload| {
        let whole = payload.json();
        let at = whole.find("\"sealing_jwk\":").map_or(0, |at| at + "\"sealing_jwk\":".len());
        let end = whole[at..].find('}').map_or(at, |end| at + end);
        payload.set("sealing_jwk", format!("{},\"use\":\"enc\"}}", &whole[at..end]));
    };
    all_malformed(&server, [("use in sealing_jwk", sealing)]).await
}

async fn base64url_is_strict(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let parts = || {
        let mut draft = server.draft();
        // two bytes over a multiple of three: the last character has two unused bits, and one `=` would pad it
        let over = draft.payload.json().len() % 3;
        draft.payload.set("product", string(&format!("conformance{}", &"xx"[..(5 - over) % 3])));
        let (header, payload) = (base64url::encode(draft.header.json()), base64url::encode(draft.payload.json()));
        (draft, header, payload)
    };
    let (padded, header, payload) = parts();
    let padded = padded.sign_parts(&header, &format!("{payload}=")).jws;
    let (unused_bits, header, payload) = parts();
    let unused_bits = unused_bits.sign_parts(&header, &with_unused_bit(&payload)).jws;
    let (foreign, header, payload) = parts();
    let foreign = foreign.sign_parts(&header, &format!("{}+{}", &payload[..8], &payload[9..])).jws;
    all_unreadable(
        &server.site,
        [("padding", padded), ("an unused bit that is not zero", unused_bits), ("a + of base64", foreign)],
    )
    .await
}

/// The same bytes to a reader that is not strict.
fn with_unused_bit(part: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let at = ALPHABET.iter().position(|c| last.as_bytes() == [*c]).unwrap_or_default();
    format!("{rest}{}", char::from(ALPHABET[at + 1]))
}

async fn integers_are_written_plainly(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    all_malformed(
        &server,
        [
            ("a fraction", (|payload| payload.set("high_water_mark", "1.0")) as Change),
            ("an exponent", |payload| payload.set("high_water_mark", "1e3")),
            ("-1", |payload| payload.set("high_water_mark", "-1")),
            ("2^53", |payload| payload.set("high_water_mark", "9007199254740992")),
            ("a string", |payload| payload.set("high_water_mark", "\"1\"")),
            ("true", |payload| payload.set("high_water_mark", "true")),
        ],
    )
    .await?;
    let greatest = server.request_with(|payload| payload.set("high_water_mark", "9007199254740991"));
    server.send(&greatest).await?.accepted().map(drop)
}

async fn a_time_is_an_integer_of_seconds(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    all_malformed(
        &server,
        [
            ("RFC 3339", (|payload| payload.set("iat", "\"2026-11-24T00:00:00Z\"")) as Change),
            ("a fraction of a second", |payload| payload.set("iat", "1795478400.5")),
        ],
    )
    .await
}

async fn a_license_server_id_has_one_form(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let long = "A".repeat(65);
    let with = |id: &str| server.request_with(|payload| payload.set("iss", string(id))).jws;
    all_unreadable(
        &server.site,
        [
            ("empty", with("")),
            ("a dash first", with("-SITE")),
            ("a space", with("SITE 1")),
            ("a dot", with("SITE.1")),
            ("a letter that is not ASCII", with("SITÉ")),
            ("65 characters", with(&long)),
        ],
    )
    .await
}

async fn a_license_server_id_is_compared_byte_by_byte(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let id = server.site.id.to_lowercase();
    let request = server.request_with(|payload| payload.set("iss", string(&id)));
    server.send(&request).await?.refused(RefusalCode::UnknownLicenseServerId).map(drop)
}

async fn a_request_id_has_128_bits(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    all_malformed(
        &server,
        [
            ("21 characters", (|payload| payload.set("jti", "\"AAAAAAAAAAAAAAAAAAAAA\"")) as Change),
            ("23 characters", |payload| payload.set("jti", "\"AAAAAAAAAAAAAAAAAAAAAAA\"")),
            ("unused bits", |payload| payload.set("jti", "\"AAAAAAAAAAAAAAAAAAAAAB\"")),
            ("a UUID", |payload| payload.set("jti", "\"9f86d081-884c-4d63-a7f4-5a1c2f3e4d5b\"")),
        ],
    )
    .await
}

async fn sync_id_and_payload_name_are_fresh(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let (first, second) = (server.synchronize().await?.receipt, server.synchronize().await?.receipt);
    if first.sync_id == second.sync_id || first.payload_name == second.payload_name {
        return Err(Finding::deviates("a new sync id and payload name", "those of the receipt before"));
    }
    Ok(())
}
