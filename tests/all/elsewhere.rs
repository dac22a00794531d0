//! License Servers that reach the main server at another address than its own: through a port mapping.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use license_server::{Direct, LicenseServer, Network, Synchronization};
use mock_solme::MockSolme;
use reqwest::StatusCode;
use serde_json::{Value, json};
use solme_sync_protocol::TrustFile;

/// A port mapping, as of a container: another host, another port, every byte passed on.
struct Mapping(TcpListener);

impl Mapping {
    /// An address that no certificate of the simulator is for by itself.
    fn open() -> Self {
        Self(TcpListener::bind("127.0.0.2:0").unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn leads_to(self, url: &str) {
        let target = url.split_once("://").unwrap().1.to_owned();
        thread::spawn(move || {
            for near in self.0.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&target) else { continue };
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || pass_on(near, far));
                thread::spawn(move || pass_on(far_too, near_too));
            }
        });
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

fn synchronize(main_server: &MockSolme, trust: &TrustFile) -> Synchronization {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let server = LicenseServer::init(state, main_server.demo_id().clone(), trust).unwrap();
    server.synchronize(&Direct::new(Network::default())).unwrap()
}

#[test]
fn a_license_server_synchronizes_through_a_port_mapping_that_the_main_server_was_told_of() {
    let (https, http) = (Mapping::open(), Mapping::open());
    let listeners = mock_solme::Listeners::ephemeral().unwrap();
    let at = |listener: &TcpListener| format!("x://{}", listener.local_addr().unwrap());
    let (to_https, to_http) = (at(&listeners.https), at(&listeners.http));
    let main_server = MockSolme::builder()
        .listeners(listeners)
        .public_https(format!("https://{}", https.address()))
        .public_http(format!("http://{}", http.address()))
        .start();
    let trust = main_server.trust();
    assert_eq!(trust.https, format!("https://{}", https.address()));
    https.leads_to(&to_https);
    http.leads_to(&to_http);
    assert!(synchronize(&main_server, trust).is_synchronized());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_file_is_made_for_another_address_while_it_runs_and_the_ca_stays() {
    let main_server = MockSolme::start();
    let (https, http) = (Mapping::open(), Mapping::open());
    let mut elsewhere = main_server.trust().clone();
    (elsewhere.https, elsewhere.http) = (format!("https://{}", https.address()), format!("http://{}", http.address()));
    https.leads_to(main_server.https());
    http.leads_to(main_server.http());
    let refused = tokio::task::block_in_place(|| synchronize(&main_server, &elsewhere));
    assert!(!refused.is_synchronized(), "the certificate is not for that host yet");

    let asked = post(&main_server, json!({ "https": elsewhere.https, "http": elsewhere.http })).await;
    let trust = TrustFile::parse(asked.1.as_bytes()).unwrap();
    assert_eq!((asked.0, &trust), (StatusCode::OK, &elsewhere));
    assert!(tokio::task::block_in_place(|| synchronize(&main_server, &trust)).is_synchronized());
}

#[tokio::test]
async fn what_is_no_address_gets_no_trust_file_and_names_are_bounded() {
    let main_server = MockSolme::start();
    for wrong in ["main-server", "http://a:1", "https://a", "https://a:0", "https://a:1/x", "https://a\r\n:1"] {
        let (status, problem) = post(&main_server, json!({ "https": wrong })).await;
        let problem: Value = serde_json::from_str(&problem).unwrap();
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("malformed-call")), "{wrong}");
    }
    let mut last = StatusCode::OK;
    for n in 0..65 {
        last = post(&main_server, json!({ "https": format!("https://host-{n}:443") })).await.0;
    }
    assert_eq!(last, StatusCode::BAD_REQUEST);
    assert_eq!(post(&main_server, json!({ "https": "https://host-3:444" })).await.0, StatusCode::OK);
}

async fn post(main_server: &MockSolme, body: Value) -> (StatusCode, String) {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let request = client.post(format!("{}/trust-file", main_server.admin())).bearer_auth(main_server.admin_token());
    let answer = request.json(&body).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}
