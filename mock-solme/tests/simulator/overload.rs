//! More requests than can be answered (P 9.14).

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use mock_solme::MockSolme;
use mock_solme::testing::{DurableStep, Moment, Seams};
use solme_sync_protocol::RefusalCode;
use tokio::task::spawn_blocking;

use crate::license_server::LicenseServer;

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_beyond_what_is_answered_at_once_is_asked_to_come_again_and_served_then() {
    let (begins, begun) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let hold = move |step: DurableStep| {
        if step.name == "accept a request" && step.moment == Moment::Before {
            let _ = begins.send(());
            // Until the other end is dropped.
            let _ = released.lock().unwrap().recv();
        }
    };
    let data = tempfile::tempdir().unwrap();
    let seams = Seams { durable_step: Box::new(hold), ..Seams::default() };
    let at_once = NonZeroUsize::new(1).unwrap();
    let mock = MockSolme::builder().data(data.path()).at_once(at_once).seams(seams).start();
    let other = "SITE-2".parse().unwrap();
    mock.add_id(&other, &[]).unwrap();
    let (first, mut second) = (LicenseServer::new(&mock), LicenseServer::with_id(&mock, &other));

    let in_work = first.request();
    let text = in_work.text.clone();
    let answer = tokio::spawn(async move { first.send(text).await.status().as_u16() });
    spawn_blocking(move || begun.recv()).await.unwrap().unwrap();

    let outstanding = second.request();
    let shed = second.send(outstanding.text.clone()).await;
    assert_eq!((shed.status().as_u16(), &shed.headers()["retry-after"]), (503, &"2".parse().unwrap()));
    assert_eq!(second.finish(&outstanding).await.unwrap_err().code, RefusalCode::TemporarilyUnavailable);

    drop(release);
    assert_eq!(answer.await.unwrap(), 200);
    second.finish(&outstanding).await.unwrap();
    let shed: Vec<_> = mock.journal().into_iter().filter(|entry| entry.verdict == "temporarily-unavailable").collect();
    assert!(shed.len() == 2 && shed.iter().all(|entry| entry.clause == "9.14"), "{shed:?}");
}

#[tokio::test]
async fn strangers_in_numbers_are_refused_one_after_another_and_everybody_else_is_served() {
    let mock = MockSolme::start();
    let free = "SITE-2".parse().unwrap();
    mock.add_id(&free, &[]).unwrap();
    let mut bound = LicenseServer::new(&mock);
    bound.synchronize().await.unwrap();
    let thief = LicenseServer::new(&mock);
    let tried = thief.request();
    for _ in 0..50 {
        assert_eq!(thief.send(tried.text.clone()).await.status().as_u16(), 409);
    }
    let unknown = LicenseServer::with_id(&mock, &"SITE-3".parse().unwrap());
    assert_eq!(unknown.send(unknown.request().text).await.status().as_u16(), 404);
    assert_eq!(thief.send("rubbish".to_owned()).await.status().as_u16(), 400);
    bound.synchronize().await.unwrap();
    LicenseServer::with_id(&mock, &free).synchronize().await.unwrap();
}
