//! Either program, aborted before and after each of its durable steps: the command again ends well, with the same key pair.

use std::os::unix::process::ExitStatusExt as _;

use solme_sync_harness::programs::{Answer, LicenseServer, MainServer};
use tokio::task::JoinSet;

use crate::stage::{Stage, done, init, may_issue, programs, synchronize, synchronized};

/// More durable steps than any command has; a test that gets there has lost its way out.
const STEPS: u64 = 100;

/// Runs a command that is to abort at a durable step. False when it has no such step and succeeded.
async fn aborts_at<const N: usize>(server: &LicenseServer, at: &str, args: [&str; N]) -> bool {
    let output = server.command(args).env("ABORT_AT", at).output().await.unwrap();
    match (output.status.code(), output.status.signal()) {
        (None, Some(_)) => true,
        (Some(0), _) => false,
        _ => panic!("{at}: {}", String::from_utf8_lossy(&output.stdout)),
    }
}

#[tokio::test]
async fn a_license_server_killed_at_any_step_of_its_first_synchronization_ends_with_the_same_key_pair() {
    let stage = Stage::begin().await;
    for moment in ["before", "after"] {
        let mut fired = 0;
        for number in 1..STEPS {
            let id = format!("KILLED-{moment}-{number}");
            stage.allocate(&id).await;
            let server = stage.set_up(&id, &id).await;
            let key_pair = done(&server, ["status"]).await.text("key_thumbprint");
            let aborted = aborts_at(&server, &format!("{moment}:{number}"), ["synchronize"]).await;
            fired += u64::from(aborted);
            assert_eq!(synchronize(&server).await, synchronized(), "{moment} step {number}");
            let status = done(&server, ["status"]).await;
            assert_eq!(status.text("key_thumbprint"), key_pair, "{moment} step {number}");
            assert_eq!(status.json["key_generation"], 1, "{moment} step {number}");
            assert_eq!(may_issue(&server).await, Ok(()), "{moment} step {number}");
            if !aborted {
                break;
            }
        }
        assert!((2..STEPS - 1).contains(&fired), "request stored, answer stored, at least: {fired} {moment}");
    }
}

#[tokio::test]
async fn a_license_server_killed_at_any_step_of_its_set_up_is_set_up_by_the_same_command() {
    let stage = Stage::begin().await;
    let trust = stage.main_server.ready("trust_file").unwrap();
    for moment in ["before", "after"] {
        let mut fired = 0;
        for number in 1..STEPS {
            let id = format!("SET-UP-{moment}-{number}");
            stage.allocate(&id).await;
            let server = stage.server(&id);
            let at = format!("{moment}:{number}");
            let aborted = aborts_at(&server, &at, ["init", "--id", &id, "--trust", trust]).await;
            fired += u64::from(aborted);
            init(&server, &id, trust).await;
            assert_eq!(synchronize(&server).await, synchronized(), "{at}");
            if !aborted {
                break;
            }
        }
        assert!((2..STEPS - 1).contains(&fired), "key pair and state, at least: {fired} {moment}");
    }
}

#[tokio::test]
async fn a_main_server_killed_at_any_step_of_the_first_synchronization_gives_the_same_answer_after_its_restart() {
    let dir = tempfile::tempdir().unwrap();
    for moment in ["before", "after"] {
        let mut fired = 0;
        for number in 1..STEPS {
            let at = format!("{moment}:{number}");
            let place = dir.path().join(at.replace(':', "-"));
            let data = place.join("main-server");
            let server = LicenseServer::new(&programs(), place.join("server"));
            let id = prepare(&data, &server).await;
            let key_pair = done(&server, ["status"]).await.text("key_thumbprint");

            let aborted = serve_until_aborted(&data, &at, &server, &id).await;
            fired += u64::from(aborted);

            let main_server = start(&data).await;
            init(&server, &id, main_server.ready("trust_file").unwrap()).await;
            assert_eq!(synchronize(&server).await, synchronized(), "{at}");
            let status = done(&server, ["status"]).await;
            assert_eq!(status.text("key_thumbprint"), key_pair, "{at}");
            assert_eq!(status.json["key_generation"], 1, "{at}");
            let bound = main_server.admin(["key-pair", "show", &id]).await.unwrap().done().unwrap();
            assert_eq!(bound.text("key_thumbprint"), key_pair, "{at}");
            if !aborted {
                break;
            }
        }
        assert!((1..STEPS - 1).contains(&fired), "the accepting transaction, at least: {fired} {moment}");
    }
}

async fn start(data: &std::path::Path) -> MainServer {
    MainServer::start_command(&programs(), MainServer::command(&programs(), data)).await.unwrap()
}

/// A main server with its data on disk, and a License Server that is set up for it; the main server ends again.
async fn prepare(data: &std::path::Path, server: &LicenseServer) -> String {
    let main_server = start(data).await;
    let id = main_server.ready("demo_license_server_id").unwrap().to_owned();
    init(server, &id, main_server.ready("trust_file").unwrap()).await;
    main_server.kill().await.unwrap();
    id
}

/// Whether the main server aborted, at its start or while the License Server synchronized.
async fn serve_until_aborted(data: &std::path::Path, at: &str, server: &LicenseServer, id: &str) -> bool {
    let mut command = MainServer::command(&programs(), data);
    command.env("ABORT_AT", at);
    let Ok(main_server) = MainServer::start_command(&programs(), command).await else { return true };
    init(server, id, main_server.ready("trust_file").unwrap()).await;
    let (outcome, _, _) = synchronize(server).await;
    if outcome == "synchronized" {
        main_server.kill().await.unwrap();
        return false;
    }
    assert_eq!(outcome, "failed", "{at}: a main server that died is a failure, never a refusal");
    assert!(main_server.wait().await.unwrap().signal().is_some(), "{at}");
    true
}

/// License Servers that synchronize at once, each in its own id.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn a_main_server_killed_while_many_synchronize_has_told_nobody_what_it_does_not_know_after_its_restart() {
    let dir = tempfile::tempdir().unwrap();
    for moment in ["before", "after"] {
        let mut fired = 0;
        for number in 1..STEPS {
            let at = format!("{moment}:{number}");
            let place = dir.path().join(at.replace(':', "-"));
            let data = place.join("main-server");
            let servers: Vec<_> = (0..AT_ONCE)
                .map(|n| (format!("SITE-{n}"), LicenseServer::new(&programs(), place.join(format!("server-{n}")))))
                .collect();
            prepare_many(&data, &servers).await;
            let aborted = serve_many_until_aborted(&data, &at, &servers).await;
            fired += u64::from(aborted);

            let main_server = start(&data).await;
            for (id, server) in &servers {
                // Not main-server-behind, which whoever was told too early would hear; and not key-pair-in-use.
                init(server, id, main_server.ready("trust_file").unwrap()).await;
                assert_eq!(synchronize(server).await, synchronized(), "{at} {id}");
                let bound = main_server.admin(["key-pair", "show", id]).await.unwrap().done().unwrap();
                let status = done(server, ["status"]).await;
                assert_eq!(status.text("key_thumbprint"), bound.text("key_thumbprint"), "{at} {id}");
                assert_eq!(status.json["key_generation"], 1, "{at} {id}");
            }
            if !aborted {
                break;
            }
        }
        assert!((1..STEPS - 1).contains(&fired), "a commit, at least: {fired} {moment}");
    }
}

/// A main server with these ids on disk, and License Servers that are set up for it; the main server ends again.
async fn prepare_many(data: &std::path::Path, servers: &[(String, LicenseServer)]) {
    let main_server = start(data).await;
    for (id, server) in servers {
        main_server.admin(["ids", "add", id]).await.unwrap().done().unwrap();
        main_server.admin(["licenses", "add", id]).await.unwrap().done().unwrap();
        init(server, id, main_server.ready("trust_file").unwrap()).await;
    }
    main_server.kill().await.unwrap();
}

/// Whether the main server aborted, at its start or while they synchronized.
async fn serve_many_until_aborted(data: &std::path::Path, at: &str, servers: &[(String, LicenseServer)]) -> bool {
    let mut command = MainServer::command(&programs(), data);
    command.env("ABORT_AT", at);
    let Ok(main_server) = MainServer::start_command(&programs(), command).await else { return true };
    for (id, server) in servers {
        init(server, id, main_server.ready("trust_file").unwrap()).await;
    }
    let mut running = JoinSet::new();
    for (_, server) in servers {
        let mut command = server.command(["synchronize"]);
        running.spawn(async move { command.output().await });
    }
    let mut all_synchronized = true;
    while let Some(ended) = running.join_next().await {
        let answer = Answer::read(&ended.unwrap().unwrap()).unwrap();
        let outcome = answer.text("outcome");
        assert!(["synchronized", "failed"].contains(&outcome.as_str()), "{at}: a death is no refusal: {answer:?}");
        all_synchronized &= outcome == "synchronized";
    }
    if all_synchronized {
        main_server.kill().await.unwrap();
        return false;
    }
    assert!(main_server.wait().await.unwrap().signal().is_some(), "{at}");
    true
}
