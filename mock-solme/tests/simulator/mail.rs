//! The licensing desk, from a mail to the key pair.

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use mock_solme::MailServer;
use mock_solme::ReceivedMail;
use mock_solme::{Approval, ApproveError, Caution};
use mock_solme::{MockSolme, OperatorError};
use solme_sync_protocol::RefusalCode;

use crate::license_server::LicenseServer;

const CONTACT: &str = "it@customer.example";

pub(crate) fn mail(from: &str, text: &str) -> ReceivedMail {
    let raw = format!("From: {from}\r\nTo: licensing@solme.se\r\nSubject: Clear\r\n\r\n{text}\r\n").into_bytes();
    let envelope_to = vec!["licensing@solme.se".to_owned()];
    ReceivedMail { envelope_from: Some(from.to_owned()), envelope_to, raw }
}

/// A simulator whose demo id is in use.
async fn in_use() -> (MockSolme, LicenseServer) {
    let mock = MockSolme::start();
    let mut server = LicenseServer::new(&mock);
    server.synchronize().await.unwrap();
    (mock, server)
}

#[tokio::test]
async fn a_real_mail_becomes_a_clear_request_and_its_approval_frees_the_id() {
    let (mock, old) = in_use().await;
    let (host, port) = mock.smtp().rsplit_once(':').unwrap();
    let smtp = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port.parse().unwrap()).build();
    let message = Message::builder()
        .from(CONTACT.parse::<Mailbox>().unwrap())
        .to("licensing@solme.se".parse().unwrap())
        .subject("Reinstalled")
        .body("Please clear the key pair.\n\nLicense server id: DEMO-4711\n".to_owned())
        .unwrap();
    smtp.send(message).await.unwrap();

    let requests = mock.clear_requests().unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].request.thumbprint, Some(old.key.thumbprint()));
    assert_eq!((requests[0].request.mail.sender.as_str(), requests[0].request.state.as_str()), (CONTACT, "open"));
    assert!(matches!(requests[0].cautions[..], [Caution::SynchronizedRecently { .. }]));

    let refused = mock.approve_clear_request(requests[0].id, Approval::default()).unwrap_err();
    assert!(matches!(refused, OperatorError::Approve(ApproveError::NeedsEvenSo(_))));
    let approved =
        mock.approve_clear_request(requests[0].id, Approval { even_so: true, ..Approval::default() }).unwrap();
    assert_eq!(approved.request.state.as_str(), "approved");
    assert_eq!(LicenseServer::new(&mock).synchronize().await.unwrap().receipt.key_generation, 2);

    let actions: Vec<_> = mock.audit().unwrap().into_iter().map(|entry| (entry.action, entry.thumbprint)).collect();
    for action in ["clear-request-received", "clear-request-approved", "key-pair-cleared"] {
        assert!(actions.contains(&(action.to_owned(), Some(old.key.thumbprint()))), "{action} {actions:?}");
    }
}

#[tokio::test]
async fn two_mails_for_one_clear_are_one_request_and_a_late_one_never_kills_the_new_key_pair() {
    let (mock, _) = in_use().await;
    for _ in 0..2 {
        mock.receive_mail(&mail(CONTACT, "License server id: DEMO-4711")).unwrap();
    }
    let requests = mock.clear_requests().unwrap();
    assert_eq!((requests.len(), requests[0].request.further_mails), (1, 1));
    mock.approve_clear_request(requests[0].id, Approval { even_so: true, ..Approval::default() }).unwrap();
    mock.receive_mail(&mail(CONTACT, "License server id: DEMO-4711")).unwrap();
    let mut new = LicenseServer::new(&mock);
    new.synchronize().await.unwrap();
    let late = mock.approve_clear_request(requests[0].id + 1, Approval::default()).unwrap();
    assert_eq!(late.request.state.as_str(), "already-done");
    new.synchronize().await.unwrap();
}

#[tokio::test]
async fn a_contact_in_from_and_a_stranger_in_the_envelope_needs_even_so() {
    let (mock, _) = in_use().await;
    mock.advance_clock(31 * 86_400).unwrap();
    for envelope in ["mallory@elsewhere.example", "mallory"] {
        let forged = mail(CONTACT, "License server id: DEMO-4711");
        mock.receive_mail(&ReceivedMail { envelope_from: Some(envelope.to_owned()), ..forged }).unwrap();
        let request = mock.clear_requests().unwrap().pop().unwrap();
        let caution = Caution::EnvelopeSenderIsNoContact { envelope_sender: envelope.to_owned() };
        assert_eq!(request.cautions, [caution]);
        let refused = mock.approve_clear_request(request.id, Approval::default()).unwrap_err();
        assert!(matches!(refused, OperatorError::Approve(ApproveError::NeedsEvenSo(_))), "{refused}");
        mock.advance_clock(3_600).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let reject = client.post(format!("{}/clear-requests/{}/reject", mock.admin(), request.id));
        assert_eq!(reject.bearer_auth(mock.admin_token()).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn ids_beyond_the_tenth_of_a_mail_are_told_to_its_sender_and_to_the_operator() {
    let mock = MockSolme::start();
    let ids: Vec<String> = (1..=12).map(|number| format!("SITE-{number}")).collect();
    for id in &ids {
        mock.add_id(&id.parse().unwrap(), &[CONTACT]).unwrap();
    }
    mock.receive_mail(&mail("mallory@elsewhere.example", &ids.join(" "))).unwrap();
    let requests = mock.clear_requests().unwrap();
    assert_eq!(requests.len(), 10);
    assert!(requests.iter().all(|request| request.request.ids_left_out == 2), "{requests:?}");
    let answer = mock.outbox().unwrap().pop().unwrap().mail;
    assert!(answer.text.contains("more than 10 license server ids"), "{answer:?}");
}

#[tokio::test]
async fn a_flood_of_mails_opens_one_request_for_each_id_and_writes_a_bounded_number_of_mails() {
    for auto_approve in [false, true] {
        let mock = MockSolme::builder();
        let mock = if auto_approve { mock.auto_approve().start() } else { mock.start() };
        LicenseServer::new(&mock).synchronize().await.unwrap();
        for number in 0..1_100 {
            let sender = format!("mallory{}@elsewhere.example", number % 200);
            mock.receive_mail(&mail(&sender, "License server id: DEMO-4711")).unwrap();
        }
        let requests = mock.clear_requests().unwrap();
        assert_eq!(requests.len(), if auto_approve { 10 } else { 1 });
        let noted: u64 = requests.iter().map(|request| request.request.further_mails).sum();
        assert_eq!(noted, 1_100 - requests.len() as u64);
        let to_contacts = mock.outbox().unwrap().iter().filter(|mail| mail.mail.to == [CONTACT]).count();
        assert_eq!(to_contacts, if auto_approve { 20 } else { 1 });
        assert_eq!(mock.outbox().unwrap().len(), to_contacts + 1_000, "acknowledgements");
        let one = "eve@elsewhere.example";
        mock.advance_clock(3_600).unwrap();
        for _ in 0..20 {
            mock.receive_mail(&mail(one, "hello")).unwrap();
        }
        assert_eq!(mock.outbox().unwrap().iter().filter(|mail| mail.mail.to == [one]).count(), 10);
    }
}

#[tokio::test]
async fn a_mail_that_names_the_new_key_pair_can_reserve_the_id_for_it() {
    let (mock, _) = in_use().await;
    let mut new = LicenseServer::new(&mock);
    let text = format!("License server id: DEMO-4711\r\nNew key pair: {}", new.key.thumbprint());
    mock.receive_mail(&mail(CONTACT, &text)).unwrap();
    mock.approve_clear_request(1, Approval { even_so: true, reserve: true, ..Approval::default() }).unwrap();
    let mut thief = LicenseServer::new(&mock);
    assert_eq!(thief.synchronize().await.unwrap_err().code, RefusalCode::KeyPairInUse);
    new.synchronize().await.unwrap();
}

#[tokio::test]
async fn a_stranger_hears_the_same_whether_the_id_exists_or_not_and_needs_even_so() {
    let (mock, _) = in_use().await;
    let stranger = "mallory@elsewhere.example";
    for id in ["DEMO-4711", "DEMO-4712"] {
        mock.receive_mail(&mail(stranger, &format!("License server id: {id}"))).unwrap();
    }
    let requests = mock.clear_requests().unwrap();
    assert_eq!(requests.len(), 1, "of the known id only");
    assert!(requests[0].cautions.contains(&Caution::SenderIsNoContact));
    let to_stranger: Vec<_> = mock.outbox().unwrap().into_iter().filter(|mail| mail.mail.to == [stranger]).collect();
    assert_eq!(to_stranger.len(), 2);
    assert_eq!(to_stranger[0].mail.text, to_stranger[1].mail.text);
    assert_eq!(to_stranger[0].mail.subject, to_stranger[1].mail.subject);
}

#[tokio::test]
async fn the_decision_goes_to_the_registered_contacts_and_not_to_the_sender() {
    let (mock, server) = in_use().await;
    mock.receive_mail(&mail("mallory@elsewhere.example", "License server id: DEMO-4711")).unwrap();
    mock.approve_clear_request(1, Approval { even_so: true, ..Approval::default() }).unwrap();
    let cleared: Vec<_> =
        mock.outbox().unwrap().into_iter().filter(|mail| mail.mail.subject.contains("key pair cleared")).collect();
    assert_eq!(cleared.len(), 1);
    assert_eq!(cleared[0].mail.to, [CONTACT]);
    assert!(cleared[0].mail.text.contains(&server.key.thumbprint().to_string()));
}

#[tokio::test]
async fn a_machines_mail_is_no_wish_and_gets_no_answer() {
    let (mock, _) = in_use().await;
    mock.receive_mail(&ReceivedMail { envelope_from: None, ..mail(CONTACT, "License server id: DEMO-4711") }).unwrap();
    assert_eq!(mock.clear_requests().unwrap(), []);
    assert_eq!(mock.outbox().unwrap(), []);
}

#[tokio::test]
async fn where_it_is_switched_on_a_clear_request_is_approved_as_it_arrives() {
    let mock = MockSolme::builder().auto_approve().start();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    mock.receive_mail(&mail(CONTACT, "License server id: DEMO-4711")).unwrap();
    assert_eq!(mock.clear_requests().unwrap()[0].request.state.as_str(), "approved");
    LicenseServer::new(&mock).synchronize().await.unwrap();
}

#[tokio::test]
async fn a_mail_of_the_outbox_is_handed_on_to_a_real_mail_server() {
    let receiver = MockSolme::builder().empty().start();
    let mail_server = MailServer::at(&format!("smtp://{}", receiver.smtp())).unwrap();
    let mock = MockSolme::builder().mail_server(mail_server).start();
    mock.add_id(&"SITE-1".parse().unwrap(), &["licensing@solme.se"]).unwrap();
    mock.receive_mail(&mail("mallory@elsewhere.example", "License server id: SITE-1")).unwrap();

    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let hand_on = async |number: u64| {
        let call = client.post(format!("{}/outbox/{number}/hand-on", mock.admin())).bearer_auth(mock.admin_token());
        call.send().await.unwrap().status().as_u16()
    };
    let mails = mock.outbox().unwrap();
    assert_eq!(mails.len(), 2, "one to the contact, one to the sender");
    for mail in &mails {
        let taken = mail.mail.to == ["licensing@solme.se"];
        assert_eq!(hand_on(mail.id).await, if taken { 200 } else { 502 }, "{:?}", mail.mail.to);
    }
    let handed_on = mock.outbox().unwrap().into_iter().filter(|mail| mail.mail.handed_on_at.is_some());
    assert_eq!(handed_on.map(|mail| mail.mail.to).collect::<Vec<_>>(), [["licensing@solme.se"]]);
    assert_eq!(hand_on(99).await, 404);
}

#[tokio::test]
async fn of_several_authors_each_has_to_be_a_contact() {
    for (authors, known) in [
        ("it@customer.example", true),
        ("Anna <it@customer.example>, IT@customer.example", true),
        ("it@customer.example, mallory@elsewhere.example", false),
        ("it@customer.example\r\nFrom: mallory@elsewhere.example", false),
        ("desk: it@customer.example, mallory@elsewhere.example;", false),
        (&["it@customer.example"; 11].join(", "), false),
    ] {
        let mock = MockSolme::start();
        let mail = ReceivedMail { envelope_from: Some(CONTACT.to_owned()), ..mail(authors, "Please clear DEMO-4711.") };
        mock.receive_mail(&mail).unwrap();
        let request = mock.clear_requests().unwrap().pop().unwrap();
        assert_eq!(request.cautions.is_empty(), known, "{authors}: {request:?}");
        assert!(known || request.request.mail.sender.contains(", "), "{authors}: {request:?}");
    }
}
