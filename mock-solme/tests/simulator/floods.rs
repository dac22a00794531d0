//! Floods of connections, against the program and its descriptors. Service goes on, and memory stays.

use std::time::Duration;

use solme_sync_protocol::TrustFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::license_server::LicenseServer;
use crate::program::Served;

/// What waits longer for its turn is a finding.
const PATIENCE: Duration = Duration::from_secs(20);
/// Fewer than the connections of a flood.
const DESCRIPTORS: u32 = 256;
const CONNECTIONS: usize = 300;

/// How each connection of a flood behaves. It comes again when it is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    /// Sends again and again, and reads nothing.
    Pipelines,
    /// Sends once, and waits.
    Waits,
    /// Sends once, and reads as if it had all day.
    ReadsSlowly,
}

async fn misbehave(address: &str, bytes: &[u8], conduct: Conduct) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    let mut scrap = [0; 1024];
    loop {
        match conduct {
            Conduct::Pipelines => stream.write_all(bytes).await?,
            Conduct::Waits | Conduct::ReadsSlowly => {
                if stream.read(&mut scrap).await? == 0 {
                    return Ok(());
                }
            }
        }
        if conduct == Conduct::ReadsSlowly {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn flood(address: &str, bytes: &[u8], conduct: Conduct) -> JoinSet<()> {
    let address = address.trim_start_matches("http://").trim_start_matches("https://");
    let mut flood = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (address, bytes) = (address.to_owned(), bytes.to_vec());
        flood.spawn(async move {
            loop {
                let _ = misbehave(&address, &bytes, conduct).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
    flood
}

/// The program, and a License Server that is synchronized with it.
struct Site {
    served: Served,
    license_server: Option<LicenseServer>,
}

impl Site {
    async fn new() -> Self {
        let served = Served::with_descriptors(DESCRIPTORS, &["serve"]);
        let trust = TrustFile::parse(&std::fs::read(served.text("trust_file")).unwrap()).unwrap();
        let license_server = LicenseServer::trusting(trust, &"DEMO-4711".parse().unwrap());
        let mut site = Self { served, license_server: Some(license_server) };
        site.honest("no flood").await;
        site
    }

    /// A synchronization, the admin API and a mail server's greeting, each on new connections.
    async fn honest(&mut self, during: &str) {
        let mut license_server = self.license_server.take().unwrap().reconnected();
        let served = &self.served;
        let exchange = async {
            license_server.synchronize().await.unwrap();
            let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
            assert_eq!(client.get(format!("{}/health", served.text("admin"))).send().await.unwrap().status(), 200);
            let mut mail = TcpStream::connect(served.text("smtp")).await.unwrap();
            let mut greeting = [0; 4];
            mail.read_exact(&mut greeting).await.unwrap();
            assert_eq!(&greeting, b"220 ");
        };
        let start = std::time::Instant::now();
        timeout(PATIENCE, exchange).await.unwrap_or_else(|_| panic!("no honest exchange during {during}"));
        println!("{during}: honest exchange in {:?}, {} MiB", start.elapsed(), served.memory() >> 10);
        self.license_server = Some(license_server);
    }

    /// Honest exchanges while the flood goes on, and how much memory, in MiB, it has cost.
    async fn survives(&mut self, port: &str, bytes: &[u8], conduct: Conduct) -> u64 {
        let before = self.served.memory();
        let mut flood = flood(self.served.text(port), bytes, conduct);
        for _ in 0..2 {
            self.honest(&format!("{conduct:?} of {} bytes to {port}", bytes.len())).await;
        }
        flood.shutdown().await;
        self.served.memory().saturating_sub(before) >> 10
    }
}

#[tokio::test]
async fn more_connections_than_descriptors_keep_nobody_out_of_any_port() {
    let mut site = Site::new().await;
    let requests = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(64);
    // Of a record of 512 bytes, the first ones: a hello that does not go on.
    let half_a_hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 100]].concat();
    for (port, bytes, conduct) in [
        ("http", &requests[..], Conduct::Pipelines),
        ("https", &half_a_hello[..], Conduct::Waits),
        ("http", b"", Conduct::Waits),
        ("https", b"", Conduct::Waits),
        ("admin", b"", Conduct::Waits),
        ("smtp", b"", Conduct::Waits),
    ] {
        let memory = site.survives(port, bytes, conduct).await;
        assert!(memory < 24, "{memory} MiB: {conduct:?} at {port}");
    }
}

#[tokio::test]
async fn unfinished_heads_cost_16_kib_each_before_anybody_has_shown_a_token() {
    let mut site = Site::new().await;
    let head = [&b"GET / HTTP/1.1\r\nHost: x\r\nX: "[..], &[b'a'; 405_000]].concat();
    for port in ["http", "admin"] {
        let memory = site.survives(port, &head, Conduct::Waits).await;
        assert!(memory < 24, "{memory} MiB by heads to {port}");
    }
}

#[tokio::test]
async fn slow_readers_of_one_payload_share_it() {
    let mut site = Site::new().await;
    let properties: Vec<String> = (0..64).map(|number| format!("p{number}={}", "x".repeat(250))).collect();
    let mut add = vec!["licenses", "add", "DEMO-4711", "--json"];
    add.extend(properties.iter().flat_map(|property| ["--property", property]));
    for _ in 0..60 {
        site.served.json(&add);
    }
    site.honest("no flood").await;
    let journal = site.served.json(&["journal", "--json", "--limit", "1"]);
    let name = journal[0]["request"].as_str().unwrap();
    let get = format!("GET /payloads/{name} HTTP/1.1\r\nHost: x\r\n\r\n");
    let memory = site.survives("http", get.as_bytes(), Conduct::ReadsSlowly).await;
    assert!(memory < 80, "{memory} MiB by slow readers of a payload of 1 MB");
}
