//! What a hostile client cannot do: take memory, keep others out, or make two mails of one.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use tokio::io::AsyncReadExt as _;

use super::super::dialogue::{Dialogue, Step};
use super::*;

fn dialogue() -> Dialogue {
    Dialogue::new(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// A line of 1 KiB.
fn line() -> Vec<u8> {
    [&[b'a'; 1022][..], b"\r\n"].concat()
}

fn start_text(dialogue: &mut Dialogue) {
    for line in ENVELOPE {
        assert!(
            matches!(dialogue.line(format!("{line}\r\n").as_bytes()), Step::Answer(text) if text.starts_with(['2', '3']))
        );
    }
}

fn code(step: &Step) -> &str {
    match step {
        Step::Answer(text) | Step::Close(text) => &text[..3],
        Step::Continue | Step::Deliver(_) => "",
    }
}

#[test]
fn a_mail_never_holds_more_than_the_limit_and_one_byte_too_many_is_552() {
    let (line, most) = (line(), MESSAGE_BYTES / 1024);
    for (lines, code_at_the_end) in [(most, ""), (most + 1, "552"), (5 * most, "552")] {
        let mut dialogue = dialogue();
        start_text(&mut dialogue);
        for _ in 0..lines {
            assert_eq!(dialogue.line(&line), Step::Continue);
            assert!(dialogue.buffered() <= MESSAGE_BYTES, "{} bytes held", dialogue.buffered());
        }
        let end = dialogue.line(b".\r\n");
        assert_eq!(code(&end), code_at_the_end);
        assert_eq!(dialogue.buffered(), 0);
        if let Step::Deliver(mail) = end {
            assert_eq!(mail.raw.len(), MESSAGE_BYTES);
        }
        start_text(&mut dialogue);
    }
}

#[test]
fn a_mail_that_goes_on_after_it_is_too_large_is_cut_off() {
    let (mut dialogue, line) = (dialogue(), line());
    start_text(&mut dialogue);
    let most = (MESSAGE_BYTES + DISCARDED_BYTES) / line.len();
    let steps = (0..2 * most).map(|_| dialogue.line(&line)).position(|step| matches!(step, Step::Close(_)));
    assert_eq!(steps, Some(most));
}

#[test]
fn a_size_that_is_declared_too_large_is_refused_before_the_mail() {
    let mut dialogue = dialogue();
    dialogue.line(b"EHLO c\r\n");
    for (parameters, expected) in [
        ("SIZE=1048577", "552"),
        ("SIZE=99999999999999999999", "552"),
        ("BODY=8BITMIME size=1048577", "552"),
        ("SIZE=", "501"),
        ("SIZE=+1", "501"),
        ("SIZE=1 AUTH=<>", "555"),
        ("BODY=BINARYMIME", "500"),
        ("SIZE=1048576 BODY=7BIT", "250"),
    ] {
        let step = dialogue.line(format!("MAIL FROM:<a@b.example> {parameters}\r\n").as_bytes());
        assert_eq!(code(&step), expected, "{parameters}");
        assert_eq!(dialogue.in_mail(), expected == "250");
    }
}

#[test]
fn a_mail_given_up_by_rset_or_a_new_hello_is_not_under_way_any_more() {
    for gives_up in ["RSET", "rset", "EHLO c", "HELO c"] {
        let mut dialogue = dialogue();
        dialogue.line(b"EHLO c\r\n");
        dialogue.line(b"MAIL FROM:<a@b.example>\r\n");
        assert!(dialogue.in_mail());
        assert_eq!(code(&dialogue.line(format!("{gives_up}\r\n").as_bytes())), "250");
        assert!(!dialogue.in_mail(), "{gives_up}: its deadline would go on, and shutdown would wait for it");
    }
}

#[test]
fn recipients_commands_and_errors_are_counted() {
    let mut many = dialogue();
    many.line(b"EHLO c\r\n");
    many.line(b"MAIL FROM:<a@b.example>\r\n");
    let codes: Vec<String> =
        (0..=RECIPIENTS).map(|_| code(&many.line(b"RCPT TO:<licensing@solme.se>\r\n")).to_owned()).collect();
    assert_eq!((codes[RECIPIENTS - 1].as_str(), codes[RECIPIENTS].as_str()), ("250", "452"));

    let mut flood = dialogue();
    let served = (0..2000).map(|_| flood.line(b"NOOP\r\n")).position(|step| matches!(step, Step::Close(_)));
    assert_eq!(served, Some(COMMANDS));

    let mut wrong = dialogue();
    let served = (0..2000).map(|_| wrong.line(b"HELP\0ME\n\r\n")).position(|step| matches!(step, Step::Close(_)));
    assert_eq!(served, Some(ERRORS));
}

#[tokio::test]
async fn fifty_megabytes_get_552_and_the_connection_lives_on() {
    let desk = Desk::open();
    let mut client = desk.connect().await;
    client.begin_text().await;
    let chunk = line().repeat(1024);
    for _ in 0..50 {
        client.send(&chunk).await;
    }
    client.send(".\r\n").await;
    assert_eq!(client.code().await, 552);
    assert_eq!(client.talk(&["NOOP", "QUIT"]).await, [250, 221]);
    assert_eq!(desk.mails(), []);
}

#[tokio::test]
async fn a_line_without_end_gets_500_in_a_command_and_in_a_mail() {
    let desk = Desk::open();
    for in_a_mail in [false, true] {
        let mut client = desk.connect().await;
        if in_a_mail {
            client.begin_text().await;
        } else {
            assert_eq!(client.code().await, 220);
        }
        let (mut answers, mut bytes) = tokio::io::split(client.stream.into_inner());
        let endless = async {
            // Ends when the listener has closed the connection on it.
            while bytes.write_all(&[b'a'; 65_536]).await.is_ok() {}
        };
        let mut seen = Vec::new();
        let read = async {
            let _ = answers.read_to_end(&mut seen).await;
        };
        tokio::join!(endless, read);
        assert!(seen.starts_with(b"500 "), "{:?}", String::from_utf8_lossy(&seen));
    }
    assert_eq!(desk.mails(), []);
}

#[tokio::test]
async fn an_lf_alone_ends_no_command_and_is_told_so_at_once() {
    let desk = Desk::open();
    let mut client = desk.connect().await;
    client.send("EHLO c\n").await;
    assert_eq!(client.codes_to_the_end().await, [220, 500]);
}

#[tokio::test]
async fn three_hundred_idle_connections_keep_nobody_out() {
    let desk = Desk::open();
    let mut idle = Vec::new();
    let mut evicted = 0;
    for count in 0..300 {
        let mut client = desk.connect().await;
        assert_eq!(client.code().await, 220);
        idle.push(client);
        assert!(desk.open.pool.held(Port::Smtp) <= 64);
        // The oldest, told 421 long ago, let go of their descriptors.
        if idle.len() > 100 {
            assert_eq!(idle.remove(0).codes_to_the_end().await, [421]);
            evicted += 1;
        }
        if count % 50 == 0 {
            let mut honest = desk.connect().await;
            honest.begin_text().await;
            honest.send("Subject: x\r\n\r\nid DEMO-4711\r\n.\r\nQUIT\r\n").await;
            assert_eq!(honest.codes_to_the_end().await, [250, 221]);
        }
    }
    assert_eq!((desk.mails().len(), evicted), (6, 200));
}

#[tokio::test]
async fn whatever_stands_for_the_end_of_a_mail_exactly_one_mail_results() {
    let smuggled = "MAIL FROM:<evil@evil.example>\r\nRCPT TO:<licensing@solme.se>\r\nDATA\r\nsmuggled";
    let ends = [
        "\n.\n",
        "\r.\r",
        "\n.\r\n",
        "\r\n.\n",
        "\r\n.\r",
        "\r.\r\n",
        "\n.\r",
        "\r\n.\r\r\n",
        "\r\n\0.\r\n",
        "\r\n. \r\n",
    ];
    for end in ends {
        let desk = Desk::open();
        let mut client = desk.connect().await;
        client.begin_text().await;
        client.send(format!("honest{end}{smuggled}\r\n.\r\nQUIT\r\n")).await;
        assert_eq!(client.codes_to_the_end().await, [250, 221], "{end:?}");
        let mails = desk.mails();
        assert_eq!(mails.len(), 1, "{end:?}");
        assert_eq!(mails[0].envelope_from.as_deref(), Some("anna@customer.example"));
        assert!(mails[0].raw.ends_with(b"smuggled\r\n"), "{end:?}");
    }
}

#[derive(Debug, Clone)]
enum Piece {
    Line(&'static str),
    Bytes(Vec<u8>),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let lines = prop::sample::select(vec![
        "EHLO c\r\n",
        "MAIL FROM:<a@b.example>\r\n",
        "MAIL FROM:<>\r\n",
        "RCPT TO:<licensing@solme.se>\r\n",
        "DATA\r\n",
        ".\r\n",
        "RSET\r\n",
        "\n.\n",
        "BDAT 1 LAST\r\n",
    ]);
    let piece = prop_oneof![
        3 => lines.prop_map(Piece::Line),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Piece::Bytes),
    ];
    prop::collection::vec(piece, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_bytes_come_the_connection_comes_to_its_end(pieces in pieces()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(async {
            let desk = Desk::open();
            let (mut answers, mut bytes) = desk.connect().await.stream.into_inner().into_split();
            let write = async {
                for piece in &pieces {
                    let piece = match piece {
                        Piece::Line(line) => line.as_bytes(),
                        Piece::Bytes(bytes) => bytes,
                    };
                    if bytes.write_all(piece).await.is_err() {
                        break;
                    }
                }
                let _ = bytes.shutdown().await;
            };
            let mut seen = Vec::new();
            let read = async { answers.read_to_end(&mut seen).await.map(|_| ()) };
            let both = async { tokio::join!(write, read).1 };
            let ended = tokio::time::timeout(Duration::from_secs(20), both).await.is_ok();
            let accepted = String::from_utf8_lossy(&seen).matches("250 The mail is stored").count();
            ended && accepted <= desk.mails().len()
        });
        prop_assert!(ended);
    }
}
