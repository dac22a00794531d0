//! A main server and its License Servers, real processes, torn down on drop.

use std::path::{Path, PathBuf};

use solme_sync_harness::programs::{Answer, LicenseServer, MainServer, Programs};
use tempfile::TempDir;

/// The executable that is both programs, and aborts where it is told to.
pub(crate) fn programs() -> Programs {
    Programs::at(env!("CARGO_BIN_EXE_subject"))
}

pub(crate) struct Stage {
    dir: TempDir,
    pub(crate) main_server: MainServer,
}

impl Stage {
    /// An empty main server, in memory.
    pub(crate) async fn begin() -> Self {
        Self::begin_with(["--empty"]).await
    }

    /// A main server that is started with these arguments.
    pub(crate) async fn begin_with<const N: usize>(args: [&str; N]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let main_server = MainServer::start(&programs(), args).await.unwrap();
        Self { dir, main_server }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Creates a license server id with one license; gives the license number.
    pub(crate) async fn allocate(&self, id: &str) -> String {
        self.admin(["ids", "add", id]).await;
        self.admin(["licenses", "add", id]).await.text("number")
    }

    /// Runs an admin command that has to succeed.
    pub(crate) async fn admin<const N: usize>(&self, args: [&str; N]) -> Answer {
        self.main_server.admin(args).await.unwrap().done().unwrap()
    }

    /// A License Server with this id that was set up and has not synchronized.
    pub(crate) async fn set_up(&self, name: &str, id: &str) -> LicenseServer {
        let server = self.server(name);
        init(&server, id, self.main_server.ready("trust_file").unwrap()).await;
        server
    }

    /// A License Server in a directory of its own; nothing is created yet.
    pub(crate) fn server(&self, name: &str) -> LicenseServer {
        LicenseServer::new(&programs(), self.path(name))
    }
}

pub(crate) async fn init(server: &LicenseServer, id: &str, trust: impl AsRef<Path>) {
    let trust = trust.as_ref().to_str().unwrap();
    done(server, ["init", "--id", id, "--trust", trust]).await;
}

/// Runs a command that has to succeed.
pub(crate) async fn done<const N: usize>(server: &LicenseServer, args: [&str; N]) -> Answer {
    server.run(args).await.unwrap().done().unwrap()
}

/// Runs `synchronize`; gives outcome, code and exit code.
pub(crate) async fn synchronize(server: &LicenseServer) -> (String, String, i32) {
    let answer = server.run(["synchronize"]).await.unwrap();
    (answer.text("outcome"), answer.text("code"), answer.exit)
}

/// Runs `may-issue`; gives the code of the rule, and checks that the exit code says the same.
pub(crate) async fn may_issue(server: &LicenseServer) -> Result<(), String> {
    let answer = server.run(["may-issue"]).await.unwrap();
    match answer.json["may_issue"].as_bool() {
        Some(true) => {
            assert_eq!(answer.exit, 0, "{answer:?}");
            Ok(())
        }
        Some(false) => {
            assert_eq!(answer.exit, 14, "{answer:?}");
            Err(answer.text("code"))
        }
        None => panic!("no answer: {answer:?}"),
    }
}

/// What `synchronize` gives when the main server accepts.
pub(crate) fn synchronized() -> (String, String, i32) {
    ("synchronized".to_owned(), "synchronized".to_owned(), 0)
}

/// What `synchronize` gives when the main server says no.
pub(crate) fn refused(code: &str) -> (String, String, i32) {
    ("refused".to_owned(), code.to_owned(), 10)
}
