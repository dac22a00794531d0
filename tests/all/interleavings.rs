//! Any interleaving of export, direct synchronization, processing, import, crash and clear, at several sites at once, which
//! share the main server's transactions: no server is stuck, and exactly one key pair owns each id.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mock_solme::{MockSolme, NewLicense};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use solme_sync_harness::programs::{Answer, LicenseServer};
use solme_sync_protocol::LicenseServerId;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::stage::{done, init, programs};

const SERVERS: usize = 2;
/// At once.
const SITES: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Export(usize),
    Direct(usize),
    /// Direct synchronization, aborted at a durable step.
    DirectCrash(usize, &'static str, u64),
    /// The main server processes one of the files exported so far.
    Process(prop::sample::Index),
    /// A server imports one of the response files made so far, whoever asked for it.
    Import(usize, prop::sample::Index),
    ImportCrash(usize, prop::sample::Index, &'static str, u64),
    Clear,
    NewKeyPair(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let server = 0..SERVERS;
    let file = any::<prop::sample::Index>;
    let moment = || prop_oneof![Just("before"), Just("after")];
    let step = prop_oneof![
        4 => server.clone().prop_map(Step::Export),
        3 => server.clone().prop_map(Step::Direct),
        2 => (server.clone(), moment(), 1..5_u64).prop_map(|(server, moment, n)| Step::DirectCrash(server, moment, n)),
        5 => file().prop_map(Step::Process),
        5 => (server.clone(), file()).prop_map(|(server, file)| Step::Import(server, file)),
        2 => (server.clone(), file(), moment(), 1..4_u64)
            .prop_map(|(server, file, moment, n)| Step::ImportCrash(server, file, moment, n)),
        1 => Just(Step::Clear),
        1 => server.prop_map(Step::NewKeyPair),
    ];
    prop::collection::vec(step, 1..14)
}

/// What an import may come to, besides success: the messages for a person who holds the wrong file.
const FILE_CODES: [&str; 3] = ["other-request", "other-key-pair", "response-older"];
/// What the main server may say to servers that were neither copied nor restored.
const REFUSALS: [&str; 2] = ["key-pair-in-use", "key-pair-cleared"];

/// One license server id, two servers that both claim it, and the files between them and the main server.
struct Site {
    main_server: Arc<MockSolme>,
    place: TempDir,
    id: LicenseServerId,
    servers: Vec<LicenseServer>,
    requests: Vec<PathBuf>,
    responses: Vec<PathBuf>,
}

impl Site {
    async fn new(main_server: Arc<MockSolme>) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let id: LicenseServerId = format!("SITE-{}", NUMBER.fetch_add(1, Ordering::Relaxed)).parse().unwrap();
        main_server.add_id(&id, &[]).unwrap();
        main_server.add_license(&id, NewLicense::default()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let mut servers = Vec::new();
        for number in 0..SERVERS {
            let server = LicenseServer::new(&programs(), place.path().join(format!("server-{number}")));
            init(&server, id.as_str(), main_server.trust_file()).await;
            servers.push(server);
        }
        Self { main_server, place, id, servers, requests: Vec::new(), responses: Vec::new() }
    }

    fn file(&self, kind: &str, number: usize) -> PathBuf {
        self.place.path().join(format!("{kind}-{number}"))
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Export(server) => {
                let path = self.file("request", self.requests.len());
                let answer = self.servers[*server].run(["export-request", text(&path)]).await.unwrap();
                if answer.exit == 0 {
                    self.requests.push(path);
                } else {
                    assert_eq!(self.state(*server).await, "cleared", "{answer:?}");
                }
            }
            Step::Direct(server) => {
                self.servers[*server]
                    .run(["synchronize"])
                    .await
                    .map(|answer| expect_known(&answer, &REFUSALS))
                    .unwrap();
            }
            Step::DirectCrash(server, moment, number) => {
                self.crash(*server, &format!("{moment}:{number}"), &["synchronize"]).await;
            }
            Step::Process(file) if !self.requests.is_empty() => {
                let response = self.file("response", self.responses.len());
                let request = std::fs::read(&self.requests[file.index(self.requests.len())]).unwrap();
                std::fs::write(&response, self.main_server.process_request_file(&request).unwrap().bytes).unwrap();
                self.responses.push(response);
            }
            Step::Import(server, file) if !self.responses.is_empty() => {
                let response = text(&self.responses[file.index(self.responses.len())]).to_owned();
                let answer = self.servers[*server].run(["import-response", &response]).await.unwrap();
                expect_known(&answer, &[&REFUSALS[..], &FILE_CODES].concat());
            }
            Step::ImportCrash(server, file, moment, number) if !self.responses.is_empty() => {
                let response = text(&self.responses[file.index(self.responses.len())]).to_owned();
                self.crash(*server, &format!("{moment}:{number}"), &["import-response", &response]).await;
            }
            Step::Process(_) | Step::Import(..) | Step::ImportCrash(..) => {} // there is no file yet
            Step::Clear => drop(self.main_server.clear_key_pair(&self.id, mock_solme::Clear::default()).unwrap()),
            Step::NewKeyPair(server) => drop(done(&self.servers[*server], ["new-key-pair", "--yes"]).await),
        }
    }

    async fn crash(&self, server: usize, at: &str, args: &[&str]) {
        let output = self.servers[server].command(args).env("ABORT_AT", at).output().await.unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    }

    async fn state(&self, server: usize) -> String {
        done(&self.servers[server], ["status"]).await.text("state")
    }

    fn bound(&self) -> Option<String> {
        self.main_server.record(&self.id).unwrap().bound_thumbprint().map(String::from)
    }

    /// Synchronizes a server to its end; `new-key-pair` is taken where its cure says so.
    async fn settle(&self, server: usize) -> String {
        let server = &self.servers[server];
        let answer = server.run(["synchronize"]).await.unwrap();
        expect_known(&answer, &REFUSALS);
        if answer.text("code") != "key-pair-cleared" {
            return answer.text("code");
        }
        assert!(answer.text("cure").contains("new-key-pair"), "the documented cure: {answer:?}");
        done(server, ["new-key-pair", "--yes"]).await;
        server.run(["synchronize"]).await.unwrap().text("code")
    }

    /// Whatever came before: one server owns the id, the others are told so, and a clear frees it for any of them.
    async fn check_that_nobody_is_stuck(&self) {
        let mut ends = Vec::new();
        for server in 0..SERVERS {
            ends.push(self.settle(server).await);
        }
        let bound = self.bound().expect("two servers have asked, one is bound");
        for (server, end) in ends.iter().enumerate() {
            let status = done(&self.servers[server], ["status"]).await;
            let owns = status.text("key_thumbprint") == bound;
            assert_eq!(end, if owns { "synchronized" } else { "key-pair-in-use" }, "{}", self.id);
            if owns {
                assert_eq!(status.text("state"), "synchronized");
            }
        }
        self.main_server.clear_key_pair(&self.id, mock_solme::Clear::default()).unwrap();
        assert_eq!(self.settle(0).await, "synchronized", "{}: a clear frees the id", self.id);
    }
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("the paths of this test are ASCII")
}

fn expect_known(answer: &Answer, known: &[&str]) {
    let code = answer.text("code");
    let success = answer.exit == 0 && answer.text("outcome") == "synchronized";
    assert!(success || known.contains(&code.as_str()), "not one of {known:?}: {answer:?}");
    assert!(success || !answer.text("cure").is_empty(), "{answer:?}");
}

#[test]
fn no_interleaving_leaves_a_server_stuck_or_an_id_with_two_owners() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let data = tempfile::tempdir().unwrap();
    let main_server = Arc::new(MockSolme::builder().data(data.path().join("data")).start());
    let config = Config { cases: 16, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&prop::collection::vec(steps(), SITES), |courses| {
        runtime.block_on(async {
            let mut sites = JoinSet::new();
            for steps in courses {
                let main_server = Arc::clone(&main_server);
                sites.spawn(async move {
                    let mut site = Site::new(main_server).await;
                    for step in &steps {
                        site.take(step).await;
                    }
                    site.check_that_nobody_is_stuck().await;
                });
            }
            while let Some(site) = sites.join_next().await {
                site.unwrap();
            }
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
