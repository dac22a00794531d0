//! What an honest client sees.

use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::sync::Semaphore;

use super::*;

#[tokio::test]
async fn a_mail_of_a_real_mail_library_arrives_byte_for_byte() {
    let desk = Desk::open();
    let mail = Message::builder()
        .from("Anna Ångström <anna@customer.example>".parse().unwrap())
        .to("licensing@solme.se".parse().unwrap())
        .subject("Nyckelpar för DEMO-4711")
        .header(ContentType::TEXT_PLAIN)
        .body("Hello,\r\n.\r\n..\r\nplease clear DEMO-4711\r\n".to_owned())
        .unwrap();
    let transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(desk.open.address.port()).build();
    transport.send(mail.clone()).await.unwrap();

    let mails = desk.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].envelope_from.as_deref(), Some("anna@customer.example"));
    assert_eq!(mails[0].envelope_to, ["licensing@solme.se"]);
    // The library sends a line end of its own in front of the dot.
    let sent = [&mail.formatted()[..], b"\r\n"].concat();
    assert_eq!(String::from_utf8_lossy(&mails[0].raw), String::from_utf8_lossy(&sent));
}

#[tokio::test]
async fn only_the_licensing_desk_is_a_recipient() {
    let desk = Desk::open();
    let mut client = desk.connect().await;
    let codes = client
        .talk(&[
            "EHLO client.example",
            "MAIL FROM:<anna@customer.example>",
            "RCPT TO:<sales@solme.se>",
            "RCPT TO:<licensing@solme.se.evil.example>",
            "RCPT TO:<LICENSING@Solme.SE>",
            "RCPT TO:<victim@example.org>",
        ])
        .await;
    assert_eq!(codes, [220, 250, 250, 550, 550, 250], "each answer belongs to the line before");
    assert_eq!(client.code().await, 550);
}

#[tokio::test]
async fn the_limits_are_announced_and_neither_auth_nor_starttls_is_offered() {
    let desk = Desk::open();
    let mut client = desk.connect().await;
    client.answer().await;
    client.send("EHLO client.example\r\n").await;
    let extensions = client.answer().await;
    assert_eq!(extensions, "250-mock-solme.invalid\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SIZE 1048576\r\n");
    assert_eq!(client.talk(&["STARTTLS", "AUTH PLAIN AGEAYg=="]).await, [503, 503]);
}

#[tokio::test]
async fn a_mail_from_the_null_sender_has_no_envelope_sender() {
    let desk = Desk::open();
    let mut client = desk.connect().await;
    client.send("EHLO c\r\nMAIL FROM:<> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<licensing@solme.se>\r\nDATA\r\n").await;
    client
        .send("x\r\n.\r\nMAIL FROM:<null-sender>\r\nRCPT TO:<licensing@solme.se>\r\nDATA\r\ny\r\n.\r\nQUIT\r\n")
        .await;
    assert_eq!(client.codes_to_the_end().await, [220, 250, 250, 250, 354, 250, 250, 250, 354, 250, 221]);
    let senders: Vec<_> = desk.mails().into_iter().map(|mail| mail.envelope_from).collect();
    assert_eq!(senders, [None, Some("null-sender".to_owned())], "the stand-in cannot be mistaken for it");
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order_and_rset_forgets_the_envelope() {
    let desk = Desk::open();
    let mut client = desk.connect().await;
    client
        .send(concat!(
            "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<licensing@solme.se>\r\nRSET\r\n",
            "DATA\r\nMAIL FROM:<c@d.example>\r\nNOOP\r\nRCPT TO:<licensing@solme.se>\r\nDATA\r\n",
            "one\r\n.\r\nVRFY x\r\nQUIT\r\n"
        ))
        .await;
    assert_eq!(client.codes_to_the_end().await, [220, 250, 250, 250, 250, 503, 250, 250, 250, 354, 250, 252, 221]);
    let mails = desk.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].envelope_from.as_deref(), Some("c@d.example"));
    assert_eq!(mails[0].envelope_to.len(), 1);
    assert_eq!(mails[0].raw, b"one\r\n");
}

#[tokio::test]
async fn a_mail_that_the_sink_cannot_store_gets_451_and_the_next_try_is_stored_once() {
    let taken = Taken::default();
    let (keep, failures) = (keep(&taken), Semaphore::new(1));
    let desk = open(move |mail| {
        let fails = failures.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok();
        let stored = (!fails).then(|| keep(mail));
        async move { stored.ok_or("the disk is full".to_owned())?.await }
    });
    let mut client = desk.connect().await;
    client.begin_text().await;
    client.send("Subject: one\r\n\r\nid DEMO-4711\r\n.\r\n").await;
    assert_eq!(client.code().await, 451);
    // The session is not stuck in the mail: the next lines are commands.
    assert_eq!(client.talk(&ENVELOPE[1..]).await, [250, 250, 354]);
    client.send("Subject: two\r\n\r\nid DEMO-4711\r\n.\r\n").await;
    assert_eq!(client.code().await, 250);
    assert_eq!(taken.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_answer_250_comes_after_the_sink_and_shutdown_lets_the_mail_end() {
    let gate = Arc::new(Semaphore::new(0));
    let (entered, mut has_entered) = tokio::sync::mpsc::unbounded_channel();
    let waiting = Arc::clone(&gate);
    let desk = open(move |_| {
        let (gate, entered) = (Arc::clone(&waiting), entered.clone());
        async move {
            entered.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    });
    let mut idle = desk.connect().await;
    assert_eq!(idle.code().await, 220);
    let mut client = desk.connect().await;
    client.begin_text().await;
    client.send("x\r\n.\r\n").await;
    has_entered.recv().await.unwrap();

    let address = desk.address;
    let shutting_down = tokio::spawn(desk.smtp.shut_down());
    assert_eq!(idle.codes_to_the_end().await, [421]);
    assert!(!shutting_down.is_finished(), "a mail is with the sink");
    gate.add_permits(1);
    assert_eq!(client.codes_to_the_end().await, [250, 421]);
    drop((idle, client));
    shutting_down.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn dropping_the_listener_ends_its_connections() {
    let desk = Desk::open();
    let mut client = desk.connect().await;
    assert_eq!(client.code().await, 220);
    drop(desk);
    assert_eq!(client.code().await, 0);
}
