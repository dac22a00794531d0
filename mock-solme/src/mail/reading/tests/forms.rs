//! An id is found in whatever form a mail program sends it.

use lettre::message::header::ContentTransferEncoding as Encoding;
use proptest::prelude::*;

use super::*;

const ENCODINGS: [Encoding; 3] = [Encoding::SevenBit, Encoding::QuotedPrintable, Encoding::Base64];

fn part(content_type: ContentType, encoding: Encoding, body: &str) -> SinglePart {
    let body = Body::new_with_encoding(body.to_owned(), encoding).unwrap();
    SinglePart::builder().header(content_type).body(body)
}

/// The same text as plain text, HTML, an alternative of both, and within other parts; in `encoding`.
fn mails(subject: &str, words: &str, encoding: Encoding) -> Vec<Vec<u8>> {
    let html = format!("<html><body><p>{words}</p></body></html>");
    let plain_part = || part(ContentType::TEXT_PLAIN, encoding, words);
    let html_part = || part(ContentType::TEXT_HTML, encoding, &html);
    let image = || part("image/png".parse().unwrap(), Encoding::Base64, "no image");
    let alternative = || MultiPart::alternative().singlepart(plain_part()).singlepart(html_part());
    [
        builder(subject).singlepart(plain_part()),
        builder(subject).singlepart(html_part()),
        builder(subject).multipart(alternative()),
        builder(subject).multipart(MultiPart::related().singlepart(html_part()).singlepart(image())),
        builder(subject).multipart(MultiPart::mixed().singlepart(image()).multipart(
            MultiPart::mixed().multipart(MultiPart::related().multipart(alternative()).singlepart(image())),
        )),
    ]
    .into_iter()
    .map(|mail| mail.unwrap().formatted())
    .collect()
}

#[test]
fn an_id_is_found_in_every_form_and_encoding_of_a_real_mail_library() {
    for encoding in ENCODINGS {
        for mail in mails("Key pair", "Hello, please clear DEMO-4711. Thank you", encoding) {
            assert_eq!(known(&mail), ["DEMO-4711"], "{}", String::from_utf8_lossy(&mail));
        }
    }
}

#[test]
fn sender_subject_and_message_id_are_read() {
    let mail = builder("Nyckelpar för DEMO-4711").body("hej".to_owned()).unwrap().formatted();
    let read = read(&mail);
    assert_eq!(read.from, ["anna@customer.example".parse().unwrap()]);
    assert_eq!(read.subject.as_deref(), Some("Nyckelpar för DEMO-4711"));
    assert_eq!(read.message_id, "wish-1@customer.example".parse().ok());
    assert!(!read.automatic);
    assert_eq!(known(&mail), ["DEMO-4711"]);
}

#[test]
fn an_id_is_found_in_an_encoded_subject_and_across_folded_encoded_words() {
    for subject in [
        "=?utf-8?Q?l=C3=B6schen_DEMO-4711?=",
        "=?utf-8?B?REVNTy00NzExIGzDtnNjaGVu?=",
        "=?iso-8859-1?Q?l=F6schen?= DEMO-4711",
        "=?utf-8?Q?DEMO-?=\r\n =?utf-8?Q?4711?=",
    ] {
        assert_eq!(known(format!("Subject: {subject}\r\n\r\nhello\r\n")), ["DEMO-4711"], "{subject}");
    }
}

#[test]
fn charsets_are_decoded() {
    let utf16: Vec<u8> = "ä DEMO-4711".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (charset, body) in [
        ("iso-8859-1", &b"gr\xfc\xdfe DEMO-4711"[..]),
        ("windows-1252", b"\x93DEMO-4711\x94"),
        ("utf-7", b"+AOQ- DEMO-4711"),
        ("utf-16le", &utf16),
        ("no-such-charset", b"\xff\xfe DEMO-4711"),
    ] {
        let head = format!("Content-Type: text/plain; charset={charset}\r\n\r\n");
        assert_eq!(known([head.as_bytes(), body].concat()), ["DEMO-4711"], "{charset}");
    }
}

#[test]
fn html_is_read_as_a_person_sees_it() {
    let html = |body: &str| format!("Content-Type: text/html; charset=utf-8\r\n\r\n<html>{body}</html>\r\n");
    for body in [
        "<b>DEMO</b>-<span style='x'>4711</span>",
        "DEMO&#45;4711",
        "DEMO&#x2d;47&#49;1",
        "<table><tr><td>id</td><td>DEMO-4711</td><td>next</td></tr></table>",
        "<div>a</div><div>DEMO-4711</div><div>b</div>",
        "a<br>DEMO-4711<br/>b",
        "<li>DEMO-4711<li>b",
        "<p>DEMO\u{2011}4711</p>",
        "&nbsp;DEMO-4711&nbsp;",
    ] {
        assert_eq!(known(html(body)), ["DEMO-4711"], "{body}");
    }
    for body in [
        "<!-- DEMO-4711 -->",
        "<a href='x/DEMO-4711'>x</a>",
        "<style>DEMO-4711</style>",
        "<script>'DEMO-4711'</script>",
    ] {
        assert_eq!(known(html(body)), [""; 0], "{body}");
    }
}

#[test]
fn ids_come_in_order_of_appearance_each_once_with_those_of_the_subject_first() {
    let mail = "Subject: DEMO-4712\r\n\r\nDEMO-4711, DEMO-4712 (DEMO-4711)\r\n> On Monday plain wrote DEMO-4711\r\n";
    assert_eq!(known(mail), ["DEMO-4712", "DEMO-4711", "plain"]);
}

#[test]
fn a_forwarded_mail_counts_and_an_attachment_does_not() {
    let forwarded = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: inner\r\nContent-Transfer-Encoding: base64\r\n\r\nREVNTy00NzEx\r\n--b--\r\n";
    assert_eq!(known(forwarded), ["DEMO-4711"]);
    let part = |header: &str| {
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{header}\r\n\r\nDEMO-4711\r\n--b--\r\n")
    };
    assert_eq!(known(part("Content-Type: text/plain")), ["DEMO-4711"]);
    assert_eq!(known(part("Content-Type: text/plain\r\nContent-Disposition: attachment")), [""; 0]);
}

#[test]
fn an_id_is_not_cut_out_of_a_longer_word() {
    for glued in [
        "XDEMO-4711",
        "DEMO-47111",
        "DEMO-4711-x",
        "DEMO-4711@customer.example",
        "anna@DEMO-4711.example",
        "DEMO-4711.example.org",
        "www.DEMO-4711",
        "åDEMO-4711",
        "DEMO-4711å",
    ] {
        assert_eq!(known(text(glued)), [""; 0], "{glued}");
    }
    for apart in [
        "DEMO-4711.",
        "(DEMO-4711)",
        "'DEMO-4711'",
        "<DEMO-4711>",
        "id:DEMO-4711",
        "DEMO-4711/x",
        "*DEMO-4711*",
        "_DEMO-4711_",
        "--DEMO-4711--",
        "DEMO-4711's",
        ">DEMO-4711",
        "„DEMO-4711“",
        "[DEMO-4711]",
        "DEMO-4711\u{200b}",
    ] {
        assert_eq!(known(text(apart)), ["DEMO-4711"], "{apart}");
    }
}

#[test]
fn a_mail_seems_to_name_an_id_if_a_word_looks_like_one_or_is_called_one() {
    for (said, seeming) in [
        ("please clear NEW-1", 1),
        ("License server id: new", 1),
        ("License-server-id=new", 2),
        ("LicenseServerId: **new**", 1),
        ("License server id:\r\n\r\n    new", 1),
        ("new is gone.\r\nLicense server id: new", 1),
        ("ids: NEW-1, NEW-2 and NEW_3", 3),
        ("the id was lost", 0),
        ("Hello, please clear our key pair.", 0),
        ("", 0),
    ] {
        assert_eq!(read(text(said)).seeming_ids(), seeming, "{said}");
    }
}

#[test]
fn a_mail_without_an_id_has_none() {
    for nothing in ["", "\r\n", "\0", ":", "Subject:", "no header at all"] {
        assert_eq!((known(nothing), read(nothing).seeming_ids()), (vec![], 0), "{nothing:?}");
    }
}

#[test]
fn thumbprints_are_found() {
    let thumbprint = "-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let read = read(text(&format!("id DEMO-4711, thumbprint {thumbprint}. {thumbprint}")));
    assert_eq!(read.thumbprints, [thumbprint.parse().unwrap()]);
}

#[test]
fn mails_of_machines_are_told_apart() {
    for (header, automatic) in [
        ("Auto-Submitted: auto-replied", true),
        ("Auto-Submitted: auto-generated; owner=x", true),
        ("auto-submitted: no", false),
        ("Precedence: bulk", true),
        ("Precedence: first-class", false),
        ("List-Id: <x.example>", true),
        ("From: MAILER-DAEMON@customer.example", true),
        ("From: licensing@solme.se", true),
        ("From: anna@customer.example", false),
    ] {
        assert_eq!(read(format!("{header}\r\n\r\nid DEMO-4711\r\n")).automatic, automatic, "{header}");
    }
    let bounce = ReceivedMail { envelope_from: None, envelope_to: vec![], raw: text("id DEMO-4711").into_bytes() };
    assert!(ReadMail::read(&bounce).automatic);
    assert_eq!(ReadMail::read(&bounce).from, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_id_at_a_random_place_is_found_in_any_encoding(
        before in prop::collection::vec("[a-zåäö]{1,12}[.,;:!?]?", 0..80),
        after in prop::collection::vec("[a-zåäö]{1,12}[.,;:!?]?", 0..80),
        id in "[A-Za-z0-9][A-Za-z0-9_-]{0,62}[A-Za-z0-9]",
        encoding in 1..3usize,
        line_end in "( |\r\n|\t)",
    ) {
        let words: Vec<&str> =
            before.iter().map(String::as_str).chain([id.as_str()]).chain(after.iter().map(String::as_str)).collect();
        for mail in mails("Key pair", &words.join(&line_end), ENCODINGS[encoding]) {
            let found = read(&mail).candidates().any(|candidate| candidate.as_str() == id);
            prop_assert!(found, "{}", String::from_utf8_lossy(&mail));
        }
    }
}
