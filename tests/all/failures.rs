//! Every failure of the network, produced for real: `synchronize` and `doctor` give it the same code and the same cure.
//! Those of proxies are in `proxies.rs`.

use std::net::TcpListener;

use serde_json::Value;
use solme_sync_harness::BlackHole;
use solme_sync_harness::programs::Answer;
use solme_sync_protocol::TrustFile;

use crate::proxy_stage::same_finding;
use crate::stage::{Stage, done, init, synchronize, synchronized};

/// A closed port of this computer.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// One local server that has synchronized, and a failure in the way of the next synchronization.
struct Case {
    stage: Stage,
    server: solme_sync_harness::programs::LicenseServer,
}

const ID: &str = "FAILS-1";

impl Case {
    async fn begin() -> Self {
        let stage = Stage::begin().await;
        stage.allocate(ID).await;
        let server = stage.set_up("server", ID).await;
        assert_eq!(synchronize(&server).await, synchronized());
        Self { stage, server }
    }

    /// The trust file has other addresses from now on.
    async fn moved(&self, change: impl FnOnce(&mut TrustFile)) {
        let file = self.stage.main_server.ready("trust_file").unwrap();
        let mut trust = TrustFile::parse(&std::fs::read(file).unwrap()).unwrap();
        change(&mut trust);
        let moved = self.stage.path("moved.json");
        std::fs::write(&moved, trust.to_json()).unwrap();
        init(&self.server, ID, &moved).await;
    }

    async fn arm(&self, words: &[&str]) {
        self.stage.main_server.admin([&["quirks", "arm"], words].concat()).await.unwrap().done().unwrap();
    }

    /// For an operation, and for the probes of `doctor` as well.
    async fn arm_for(&self, operation: &str, words: &[&str]) {
        for operation in [operation, "probe"] {
            self.arm(&[words, &["--operation", operation]].concat()).await;
        }
    }

    /// Both say so. What `synchronize` said is the answer.
    async fn fails(&self, code: &str, check: &str) -> Answer {
        let limits = ["--connect-limit", "1s", "--total-limit", "2s"];
        let failed = self.server.run([&["synchronize"], &limits[..]].concat()).await.unwrap();
        assert_eq!(
            (failed.text("code").as_str(), failed.text("check").as_str(), failed.exit),
            (code, check, 11),
            "{failed:?}"
        );
        assert!(failed.text("cure").contains("export-request"), "{failed:?}");
        same_finding(&failed, &self.server.run([&["doctor"], &limits[..]].concat()).await.unwrap());
        assert_eq!(done(&self.server, ["may-issue"]).await.exit, 0, "a network fault is no license fault");
        failed
    }
}

#[tokio::test]
async fn a_port_that_is_closed_is_told_from_one_that_is_black_holed_on_either_role() {
    let case = Case::begin().await;
    let (closed, black_hole) = (closed(), BlackHole::dig().await.unwrap());
    for (at, fault) in [(closed, "refused"), (black_hole.address.to_string(), "timed-out")] {
        case.moved(|trust| trust.https = format!("https://{at}")).await;
        case.fails(&format!("443-{fault}"), "port-443").await;
        case.moved(|trust| trust.http = format!("http://{at}")).await;
        case.fails(&format!("8080-{fault}"), "port-8080").await;
    }
}

#[tokio::test]
async fn an_address_to_which_there_is_no_way_is_unreachable_on_either_role() {
    let case = Case::begin().await;
    // No connection leads to every computer of the network at once.
    let nowhere = "255.255.255.255:443";
    case.moved(|trust| trust.https = format!("https://{nowhere}")).await;
    case.fails("443-unreachable", "port-443").await;
    case.moved(|trust| trust.http = format!("http://{nowhere}")).await;
    let failed = case.fails("8080-unreachable", "port-8080").await;
    assert!(failed.text("cure").starts_with("Check the network of this computer"), "{failed:?}");
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_is_named() {
    let case = Case::begin().await;
    case.moved(|trust| trust.https = "https://main-server.invalid:443".to_owned()).await;
    let failed = case.fails("name-lookup-failed", "name-lookup").await;
    assert!(failed.text("message").contains("main-server.invalid"), "{failed:?}");
}

#[tokio::test]
async fn a_captive_page_is_not_the_main_server_on_either_port() {
    let case = Case::begin().await;
    for operation in ["synchronize", "payload"] {
        case.arm_for(operation, &["captive-portal"]).await;
        case.fails("not-the-main-server", "main-server").await;
        case.stage.admin(["quirks", "disarm", "--all"]).await;
    }
}

#[tokio::test]
async fn a_certificate_of_someone_else_is_told_from_one_that_the_clock_makes_invalid() {
    let case = Case::begin().await;
    case.arm(&["tls-other-ca"]).await;
    let failed = case.fails("tls-not-solme", "tls").await;
    assert!(failed.text("message").contains("its issuer is CN="), "{failed:?}");
    case.stage.admin(["quirks", "disarm", "--all"]).await;
    case.arm(&["tls-expired-certificate"]).await;
    let failed = case.fails("local-clock-wrong", "tls").await;
    assert!(failed.text("cure").starts_with("Set this computer's clock"), "{failed:?}");
    case.stage.admin(["quirks", "disarm", "--all"]).await;
    assert_eq!(synchronize(&case.server).await, synchronized());
}

#[tokio::test]
async fn a_main_server_in_trouble_says_when_to_come_again() {
    let case = Case::begin().await;
    for (quirk, retry_after) in [("status-503", "120"), ("status-429", "30"), ("status-500", "0")] {
        case.arm_for("synchronize", &[quirk, "--retry-after", retry_after]).await;
        let failed = case.fails("main-server-trouble", "main-server").await;
        assert_eq!(failed.json["retry_after_seconds"].as_u64(), retry_after.parse().ok(), "{failed:?}");
        assert_eq!(failed.json["transient"], true);
        case.stage.admin(["quirks", "disarm", "--all"]).await;
    }
}

#[tokio::test]
async fn too_many_requests_are_a_refusal_of_their_own_and_doctor_remembers_it() {
    let stage = Stage::begin_with(["--empty", "--rate-limit", "1"]).await;
    stage.allocate(ID).await;
    let server = stage.set_up("server", ID).await;
    assert_eq!(synchronize(&server).await, synchronized());
    let mut refused = server.run(["synchronize"]).await.unwrap();
    for _ in 0..5 {
        if refused.exit != 0 {
            break;
        }
        refused = server.run(["synchronize"]).await.unwrap();
    }
    assert_eq!((refused.text("code").as_str(), refused.exit), ("rate-limited", 10), "{refused:?}");
    assert!(refused.json["retry_after_seconds"].is_u64(), "{refused:?}");
    let doctor = server.run(["doctor"]).await.unwrap();
    assert_eq!((doctor.text("code").as_str(), doctor.exit), ("rate-limited", 10), "{doctor:?}");
    assert_eq!(doctor.json["cure"], refused.json["cure"]);
}

#[tokio::test]
async fn a_local_clock_that_is_wrong_is_found_by_doctor_and_named_by_what_it_stops() {
    let mut case = Case::begin().await;
    case.server.clock_offset("-80h"); // far from a whole day: seconds pass
    let doctor = case.server.run(["doctor"]).await.unwrap();
    assert_eq!((doctor.text("code").as_str(), doctor.exit), ("local-clock-wrong", 13), "{doctor:?}");
    let stopped = case.server.run(["may-issue"]).await.unwrap();
    assert_eq!((stopped.text("code").as_str(), stopped.exit), ("local-clock-wrong", 14), "{stopped:?}");
    // A synchronization sets it straight, and names the skew.
    let straight = done(&case.server, ["synchronize"]).await;
    assert!(straight.json["notes"].to_string().contains("3 days 8 h slow"), "{straight:?}");
}

#[tokio::test]
async fn doctor_finds_nothing_where_nothing_is_wrong_and_the_main_server_gave_nothing() {
    let case = Case::begin().await;
    let given = async || done(&case.server, ["status"]).await.json["sequence"].clone();
    let before = (given().await, case.stage.admin(["ids", "show", ID]).await.json);
    let well = done(&case.server, ["doctor"]).await;
    assert!(well.json["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{well:?}");
    assert_eq!(well.json["cure"], Value::Null);
    assert_eq!((given().await, case.stage.admin(["ids", "show", ID]).await.json), before);
}
