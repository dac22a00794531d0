//! No mail takes more than its share.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

#[test]
fn a_thousand_nested_multiparts_are_passed_over_and_what_lies_before_them_is_read() {
    let mut mail = String::from("Subject: DEMO-4711\r\n");
    for depth in 0..1000 {
        write!(mail, "Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n").unwrap();
    }
    mail.push_str("\r\nDEMO-4712\r\n");
    assert_eq!(known(&mail), ["DEMO-4711"]);
}

#[test]
fn of_a_subject_of_a_megabyte_200_characters_are_kept_and_the_id_at_its_end_is_found() {
    let mail = read(format!("Subject: {} DEMO-4711\r\n\r\n", "\u{e4}".repeat(500_000)));
    assert_eq!(mail.subject.as_ref().map(|subject| subject.chars().count()), Some(200));
    assert!(mail.candidates().any(|id| id.as_str() == "DEMO-4711"));
}

#[test]
fn parts_are_read_down_to_a_bounded_depth() {
    let nested = |depth: usize| {
        let open: String =
            (0..depth).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
        format!("{open}\r\nDEMO-4711\r\n")
    };
    assert_eq!(known(nested(20)), ["DEMO-4711"]);
    assert_eq!(known(nested(21)), [""; 0]);
}

#[test]
fn mails_forwarded_in_mails_without_end_do_not_overflow_the_stack() {
    let level = "Content-Type: message/rfc822\r\n\r\n";
    let mail = format!("Subject: DEMO-4711\r\n{}\r\nDEMO-4712\r\n", level.repeat((1 << 20) / level.len()));
    assert_eq!(known(&mail), ["DEMO-4711"]);
    let digest = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n";
    assert_eq!(known(format!("Subject: DEMO-4711\r\n{}", digest.repeat(10_000))), ["DEMO-4711"]);
}

#[test]
fn a_mail_of_very_many_parts_is_read_up_to_a_bound() {
    let part = "--b\r\n\r\nDEMO-4711\r\n";
    let mail =
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b\r\n\r\nDEMO-4712\r\n", part.repeat(50_000));
    assert_eq!(known(&mail), ["DEMO-4711"]);
}

#[test]
fn a_hundred_thousand_ids_cost_a_bounded_number_of_questions_and_the_announced_one_is_among_them() {
    let mut body = String::new();
    for number in 0..100_000 {
        write!(body, "FAKE-{number} word{} ", "x".repeat(number % 50)).unwrap();
    }
    let read = read(text(&format!("{body}\r\nLicense server id: DEMO-4711")));
    assert!(read.candidates().any(|id| id.as_str() == "DEMO-4711"));
    let questions = read.candidates().count();
    assert!(questions <= 3 * words::MAX_OF_A_KIND, "{questions} questions");
}

#[test]
fn a_letter_of_many_plain_words_does_not_crowd_out_the_id_at_its_end() {
    let letter: String = (0..2000)
        .map(|n| format!("w{} ", "abcdefghij".chars().cycle().skip(n).take(n % 60).collect::<String>()))
        .collect();
    assert_eq!(known(text(&format!("{letter}\r\nDEMO-4711"))), ["DEMO-4711"]);
}

#[test]
fn nul_bytes_and_line_ends_of_every_kind_are_borne() {
    assert_eq!(known(b"Subject: x\0y\r\n\r\na\0DEMO-4711\0b\n.\n\rDEMO-4712\r"), ["DEMO-4711", "DEMO-4712"]);
    assert_eq!(known(b"Subject: x\n\nDEMO-4711\n"), ["DEMO-4711"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        read(&bytes);
    }

    #[test]
    fn arbitrary_pieces_of_mails_are_read_without_a_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: text/html; charset=utf-16\r\n",
            "Content-Type: message/rfc822\r\n", "Content-Transfer-Encoding: base64\r\n", "\r\n", "--b\r\n", "--b--\r\n",
            "Content-Transfer-Encoding: quoted-printable\r\n", "From: a@b\r\n", "=\r\n", "=C3", "&#x41;", "&", "<", "<!--",
            "-->", "id: X-1 ", "\u{2011}ä.@", "REVNTw", "Subject: =?utf-8?Q?=", "\n", "\r", "\0", "<td>", "</", ";",
        ]), 0..60),
    ) {
        read(pieces.concat());
    }
}
