//! Over sockets, as a stranger would try.

use std::io;

use axum::Router;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Door, Feed, Shell, Shown};

struct Page {
    socket: std::net::SocketAddr,
    token: String,
    feed: Feed,
}

impl Page {
    fn open() -> Self {
        let door = Door::open(None, None).unwrap();
        let token = door.address().split_once('#').unwrap().1.to_owned();
        let (socket, feed) = (door.socket(), Feed::new(4));
        let shell = Shell { title: "T", program: "p", style: None, script: "/s.js", body: maud::html! {} };
        let heard = feed.clone();
        let pages = Router::new()
            .route("/", get(shell.respond()))
            .route("/outside", post(|| async { "done" }))
            .route("/api/secret", get(|| async { "secret" }).post(|| async { "done" }))
            .route("/api/live", get(move || async move { heard.subscribe() }));
        tokio::spawn(door.serve(pages, std::future::pending()));
        Self { socket, token, feed }
    }

    async fn send(&self, first_line: &str, headers: &[(&str, &str)]) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.socket).await?;
        let mut head = format!("{first_line} HTTP/1.1\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await?;
        Ok(stream)
    }

    /// The status and the whole answer.
    async fn ask(&self, first_line: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut headers = headers.to_vec();
        headers.push(("Connection", "close"));
        let mut answer = String::new();
        self.send(first_line, &headers).await.unwrap().read_to_string(&mut answer).await.unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }
}

#[tokio::test]
async fn what_is_below_api_needs_the_token_and_so_does_every_change() {
    let page = Page::open();
    let host = page.socket.to_string();
    let bearer = format!("Bearer {}", page.token);
    let near = format!("Bearer {}x", page.token);
    for given in [None, Some("Bearer "), Some("Bearer x"), Some(near.as_str()), Some(page.token.as_str())] {
        for first_line in ["GET /api/secret", "POST /api/secret", "GET /api/live", "GET /api/none", "POST /outside"] {
            let mut headers = vec![("Host", host.as_str())];
            headers.extend(given.map(|given| ("Authorization", given)));
            let (status, answer) = page.ask(first_line, &headers).await;
            assert_eq!(status, 401, "{first_line} with {given:?}: {answer}");
            assert!(!answer.contains("secret") && !answer.contains(&page.token));
        }
    }
    let (status, answer) = page.ask("GET /api/secret", &[("Host", &host), ("Authorization", &bearer)]).await;
    assert!(status == 200 && answer.ends_with("secret"), "{answer}");
    let localhost = host.replace("127.0.0.1", "LocalHost");
    assert_eq!(page.ask("POST /outside", &[("Host", &localhost), ("Authorization", &bearer)]).await.0, 200);
}

#[tokio::test]
async fn another_name_or_another_origin_gets_nothing_even_with_the_token() {
    let page = Page::open();
    let (host, port) = (page.socket.to_string(), page.socket.port());
    let bearer = format!("Bearer {}", page.token);
    let (rebound, other_port) = (format!("evil.example:{port}"), format!("127.0.0.1:{}", port ^ 1));
    let (suffix, user) = (format!("localhost.evil.example:{port}"), format!("localhost@evil.example:{port}"));
    for first_line in ["GET /", "GET /house.js", "GET /api/secret", "GET /proof?nonce=x"] {
        for foreign in [&*rebound, &*other_port, &*suffix, &*user, "127.0.0.1", "", "[::1"] {
            let (status, _) = page.ask(first_line, &[("Host", foreign), ("Authorization", &bearer)]).await;
            assert!(status == 421 || status == 400, "{first_line} of {foreign}: {status}");
            let origin = format!("http://{foreign}");
            let headers = [("Host", &*host), ("Origin", &*origin), ("Authorization", &*bearer)];
            assert_eq!(page.ask(first_line, &headers).await.0, 403, "{first_line} from {origin}");
        }
        for origin in ["null", "https://solme.se", &format!("https://{host}"), "\u{e9}"] {
            let headers = [("Host", &*host), ("Origin", origin), ("Authorization", &*bearer)];
            assert_eq!(page.ask(first_line, &headers).await.0, 403, "{first_line} from {origin}");
        }
    }
    let origin = format!("http://localhost:{port}");
    assert_eq!(page.ask("GET /", &[("Host", &host), ("Origin", &origin)]).await.0, 200);
}

#[tokio::test]
async fn every_answer_has_the_policy_and_none_holds_anything_inline() {
    let page = Page::open();
    let host = page.socket.to_string();
    for first_line in ["GET /", "GET /house.css", "GET /house.js", "GET /house.svg", "GET /none", "GET /api/secret"] {
        let (_, answer) = page.ask(first_line, &[("Host", &host)]).await;
        let head = answer.to_lowercase();
        for wanted in ["script-src 'self'", "frame-ancestors 'none'", "nosniff", "no-store", "no-referrer"] {
            assert!(head.contains(wanted), "{first_line}: {wanted}");
        }
        assert!(!head.contains("unsafe") && !head.contains("access-control"), "{first_line}");
    }
    let (_, shell) = page.ask("GET /", &[("Host", &host)]).await;
    assert!(!shell.contains("<style") && !shell.contains("style=") && !shell.contains(" on"), "{shell}");
}

#[tokio::test]
async fn the_proof_is_for_this_token_and_this_nonce() {
    let page = Page::open();
    let host = page.socket.to_string();
    let proof = async |nonce: &str| {
        let (status, answer) = page.ask(&format!("GET /proof?nonce={nonce}"), &[("Host", &host)]).await;
        (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
    };
    let (one, again, two) = (proof("one").await, proof("one").await, proof("two").await);
    assert!(one.0 == 200 && one == again && one.1 != two.1 && one.1.len() == 43, "{one:?}");
    assert_eq!(proof(&"x".repeat(65)).await.0, 400);
}

#[tokio::test]
async fn a_page_that_does_not_keep_up_is_told_and_holds_nothing_up() {
    let page = Page::open();
    let (host, bearer) = (page.socket.to_string(), format!("Bearer {}", page.token));
    let headers = [("Host", &*host), ("Authorization", &*bearer)];
    let mut stream = page.send("GET /api/live", &headers).await.unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("\r\n\r\n") {
        stream.read_buf(&mut heard).await.unwrap();
    }
    // In one thread: nobody reads while these are sent.
    for number in 0..1_000 {
        page.feed.send("step", &format!("{number} \u{202e}\n"));
    }
    while !String::from_utf8_lossy(&heard).contains("999") {
        stream.read_buf(&mut heard).await.unwrap();
    }
    let heard = String::from_utf8(heard).unwrap();
    assert!(heard.contains("event: lagged\ndata: 996"), "{heard}");
    assert!(heard.contains("event: step\ndata: \"999 \\u202e\\n\""), "{heard}");
    assert_eq!(heard.matches("event: step").count(), 4);
}

#[test]
fn text_of_others_is_text() {
    let text = "<script>alert(1)</script>\u{202e}\u{1b}[2J";
    let markup = maud::html! { p title=(Shown(text)) { (Shown(text)) } }.into_string();
    assert_eq!(markup.matches('<').count(), 2, "{markup}");
    assert!(markup.contains(r"\u{202e}\u{1b}[2J"), "{markup}");
}
