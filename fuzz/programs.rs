// As targets.rs, for what meets foreign bytes in the programs. The tests call them too (`tests/all/damaged.rs`).

use std::sync::{Arc, LazyLock};

use license_server::testing::{Around, Ended, HttpAnswer, OnPaper, Standard, settings as read_settings};
use license_server::{Connection, Failure, State};
use mock_solme::quirks::Fault;
use mock_solme::testing::foreign;
use mock_solme::{ReceivedMail, api};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use solme_sync_harness::testing as harness;
use solme_sync_protocol::{
    PayloadName, RequestId, SealingKey, SignEs384 as _, SigningKey, TrustFile, UtcTime, printable,
};

/// What is done with some bytes.
type Target = fn(&[u8]);

/// Every target with its name.
#[allow(dead_code)] // each fuzz target uses one function
pub(crate) const ALL: &[(&str, Target)] = &[
    ("mail", mail),
    ("smtp", smtp),
    ("http_answer", http_answer),
    ("admin", admin),
    ("settings", settings),
    ("scenario", scenario),
    ("deviations", deviations),
    ("quirk_plan", quirk_plan),
    ("subject_answer", subject_answer),
];

/// A mail is read, whatever it is; what is found in it is bounded, and names act on no terminal.
pub(crate) fn mail(bytes: &[u8]) {
    let of = |envelope_from: Option<&str>| {
        let envelope_from = envelope_from.map(str::to_owned);
        foreign::mail(&ReceivedMail { envelope_from, envelope_to: Vec::new(), raw: bytes.to_vec() })
    };
    let read = of(None);
    assert!(read.automatic, "no mail without an envelope sender is a customer's");
    assert!(read.candidates.len() <= 768 && read.thumbprints.len() <= 10 && read.authors.len() <= 11);
    assert!(read.subject.as_ref().is_none_or(|subject| subject.chars().count() <= 200));
    assert!(!read.authors.iter().chain(&read.message_id).any(|text| text.contains(char::is_control)));
    let named = of(Some("it@customer.example"));
    assert_eq!((&named.candidates, &named.thumbprints), (&read.candidates, &read.thumbprints));
    assert!(!named.authors.is_empty(), "the envelope sender stands in for a From that is missing");
}

/// However the bytes come apart, the dialogue is the same, and each answer is whole lines that begin with a code.
pub(crate) fn smtp(bytes: &[u8]) {
    let talk = foreign::smtp(bytes, usize::MAX);
    for piece in [1, 7] {
        assert_eq!(foreign::smtp(bytes, piece), talk, "in pieces of {piece}");
    }
    for answer in &talk.answers {
        for line in answer.strip_suffix("\r\n").expect("a whole line").split("\r\n") {
            assert!(line.len() > 3 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{line:?}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
    // A line with nothing but a dot ends a mail, and nothing else does.
    let ends = bytes.windows(5).filter(|end| end == b"\r\n.\r\n").count();
    assert!(talk.mails.len() <= ends, "{} mails, {ends} ends", talk.mails.len());
    assert!(talk.mails.iter().all(|mail| mail.raw.is_empty() || mail.raw.ends_with(b"\r\n")));
}

/// Another's answer on both ports. The first byte says which status and type it has.
struct Stranger<'a>(u8, &'a [u8]);

impl Connection for Stranger<'_> {
    fn post_request(&self, _: &str) -> Result<HttpAnswer, Failure> {
        let statuses = [200, 200, 400, 403, 409, 413, 429, 503];
        let types = ["application/jose", "application/problem+json", "text/html", "application/jose; charset=utf-8"];
        let (status, media_type) = (statuses[usize::from(self.0 % 8)], types[usize::from(self.0 / 8 % 4)]);
        let mut answer = HttpAnswer::new("main", status, Some(media_type.to_owned()), self.1.to_vec());
        answer.retry_after = (self.0 >= 128).then(|| String::from_utf8_lossy(self.1).into_owned());
        answer.date = Some("Fri, 15 Jan 2027 08:00:00 GMT".to_owned());
        Ok(answer)
    }
    fn get_payload(&self, _: &PayloadName, _: usize) -> Result<HttpAnswer, Failure> {
        Ok(HttpAnswer::new("main", 200, Some("application/octet-stream".to_owned()), self.1.to_vec()))
    }
    fn get_health(&self) -> Result<HttpAnswer, Failure> {
        Err(Failure::Stopped)
    }
}

/// Nobody but the main server is believed: the state stays what it was, and so does the request.
pub(crate) fn http_answer(bytes: &[u8]) {
    const NOW: UtcTime = UtcTime::from_secs(1_800_000_000);
    static TRUST: LazyLock<TrustFile> = LazyLock::new(|| {
        TrustFile::parse(include_bytes!("../fixtures/golden/trust.json")).expect("a golden file is a trust file")
    });
    static KEY: LazyLock<SigningKey> = LazyLock::new(SigningKey::generate);
    let around = Around {
        license_server_id: "DEMO-4711".parse().expect("an id"),
        trust: &TRUST,
        key: &*KEY,
        key_thumbprint: KEY.public_jwk().thumbprint(),
        request_id: &|_, _| RequestId::from_random([7; 16]),
        sealing_key: &|_| Arc::new(SealingKey::from_bytes(&[7; 48]).expect("a scalar of the curve")),
        clock: NOW,
        conduct: &Standard,
    };
    static ASKED: LazyLock<std::sync::Mutex<Option<OnPaper>>> = LazyLock::new(std::sync::Mutex::default);
    let mut asked = ASKED.lock().expect("no target panicked");
    let paper = asked.get_or_insert_with(|| OnPaper::new(NOW).export(&around).0);
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let (after, run) = paper.synchronize(&around, &Stranger(*first, rest), usize::MAX);
    assert!(matches!(run.ended, Ended::Failed(_)), "{:?}", run.ended);
    assert_eq!(after, *paper);
    assert_eq!(after.look(&around).state, State::Unsynchronized);
}

/// The body of a call is what serde_json makes of it, or is refused with a text; what is read is what is written.
pub(crate) fn admin(bytes: &[u8]) {
    fn call<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
        match foreign::admin_call::<T>(bytes) {
            Ok(call) => {
                assert!(serde_json::from_slice::<T>(bytes).is_ok());
                let written = serde_json::to_vec(&call).expect("a call is JSON");
                let again: T = foreign::admin_call(&written).expect("it was read before");
                assert_eq!(serde_json::to_vec(&again).expect("a call is JSON"), written);
            }
            Err(wrong) => assert!(!wrong.is_empty()),
        }
    }
    call::<api::NewId>(bytes);
    call::<api::IdChange>(bytes);
    call::<api::LicenseTerms>(bytes);
    call::<api::Clear>(bytes);
    call::<api::Reserve>(bytes);
    call::<api::Approve>(bytes);
    call::<api::By>(bytes);
    call::<api::SetClock>(bytes);
    call::<api::AdvanceClock>(bytes);
    call::<api::RoleAddresses>(bytes);
    call::<Fault>(bytes);
}

/// A configuration file is read, or what is wrong is named with its place; once it is printed, it acts on no terminal.
pub(crate) fn settings(bytes: &[u8]) {
    match read_settings(bytes) {
        Ok(settings) => assert_eq!(settings["settings"].as_array().map(Vec::len), Some(8)),
        Err(wrong) => {
            assert!(wrong.starts_with("the ") && wrong.contains("config.toml"), "{wrong}");
            assert!(!printable(&wrong).to_string().contains(char::is_control), "{wrong}");
        }
    }
}

/// A scenario is read as it is written.
pub(crate) fn scenario(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(written) = harness::scenario(text) else { return };
    assert_eq!(harness::scenario(&written).as_ref(), Ok(&written));
}

/// A file of deviations names each case once, or what is wrong is said.
pub(crate) fn deviations(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match harness::deviations(text) {
        Ok(cases) => assert!(cases.is_empty() || harness::deviations(&format!("{text}\n{text}")).is_err()),
        Err(wrong) => assert!(!wrong.is_empty()),
    }
}

/// A fault of a file is the same one in a call of the API.
pub(crate) fn quirk_plan(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for fault in foreign::faults(text).unwrap_or_default() {
        let written = serde_json::to_vec(&fault).expect("a fault is JSON");
        assert_eq!(foreign::admin_call(&written), Ok(fault));
    }
}

/// A subject answers with one JSON object and nothing else; the line of a worker has one in it, or null.
pub(crate) fn subject_answer(bytes: &[u8]) {
    let json = serde_json::from_slice::<Value>(bytes).ok();
    assert_eq!(harness::answer(bytes), json.clone().filter(Value::is_object));
    if let Some((exit_code, said)) = harness::worker_line(bytes) {
        let json = json.expect("the line of a worker is JSON");
        assert_eq!((&json["exit_code"], &json["json"]), (&Value::from(exit_code), &said));
    }
}
