//! Deadlines, in virtual time over a pipe in memory: no test waits for one.

use std::net::{IpAddr, Ipv4Addr};

use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep};

use super::super::connection::End;
use super::*;

/// A connection in the middle of nothing, and its client.
fn pipe<D, F>(sink: D) -> (Client<DuplexStream>, JoinHandle<End>)
where
    D: Fn(ReceivedMail) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(1024);
    let (tell, told) = watch::channel(false);
    let sink = Arc::new(move |mail| -> Pin<Box<dyn Future<Output = _> + Send>> { Box::pin(sink(mail)) });
    let task = tokio::spawn(async move {
        let end = Connection::new(ours, IpAddr::V4(Ipv4Addr::LOCALHOST), sink, told).run().await;
        drop(tell);
        end
    });
    (Client::new(theirs), task)
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_told_421_after_the_idle_time() {
    let (mut client, task) = pipe(keep(&Taken::default()));
    let start = Instant::now();
    assert_eq!(client.codes_to_the_end().await, [220, 421]);
    assert_eq!(start.elapsed(), IDLE);
    drop(client);
    assert_eq!(task.await.unwrap(), End::Idle);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_trickles_a_command_is_as_idle_as_a_silent_one() {
    let (mut client, task) = pipe(keep(&Taken::default()));
    let start = Instant::now();
    while client.stream.write_all(b"N").await.is_ok() && !task.is_finished() {
        sleep(Duration::from_secs(7)).await;
    }
    assert_eq!(task.await.unwrap(), End::Idle);
    assert!(start.elapsed() < IDLE + Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_trickles_line_by_line_ends_at_its_own_deadline() {
    let taken = Taken::default();
    let (mut client, task) = pipe(keep(&taken));
    client.begin_text().await;
    let start = Instant::now();
    while client.stream.write_all(b"line\r\n").await.is_ok() && !task.is_finished() {
        sleep(Duration::from_secs(7)).await;
    }
    assert_eq!(task.await.unwrap(), End::MailTooSlow);
    assert!(start.elapsed() < MAIL + Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(taken.lock().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_mail_does_not_outlive_it() {
    let (mut client, _task) = pipe(keep(&Taken::default()));
    client.begin_text().await;
    client.send("x\r\n.\r\n").await;
    assert_eq!(client.code().await, 250);
    for _ in 0..2 * MAIL.as_secs() / 30 {
        sleep(Duration::from_secs(30)).await;
        assert_eq!(client.talk(&["NOOP"]).await, [250]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_gets_451_for_its_client() {
    let (mut client, _task) = pipe(|_| std::future::pending());
    client.begin_text().await;
    let start = Instant::now();
    client.send("x\r\n.\r\n").await;
    assert_eq!(client.code().await, 451);
    assert_eq!(start.elapsed(), DELIVERY);
    assert_eq!(client.talk(&["NOOP"]).await, [250]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answers_is_let_go() {
    let (mut client, task) = pipe(keep(&Taken::default()));
    // The answers to these do not fit into the pipe.
    let _ = tokio::time::timeout(Duration::from_secs(1000), client.stream.write_all(&b"EHLO c\r\n".repeat(900))).await;
    assert_eq!(task.await.unwrap(), End::ClientGone);
}
