//! `harness fleet`: what it finds, and that it finds it.

use serde_json::Value;
use tokio::process::Command;

/// Runs a fleet to its end: exit code and JSON report.
async fn fleet(words: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_subject"));
    command.args(["fleet", "--seed", "7", "--json", "-"]).args(words).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let json = serde_json::from_slice(&output.stdout);
    let report = json.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), report)
}

fn count(report: &Value, member: &str) -> u64 {
    report[member].as_u64().unwrap_or_else(|| panic!("{member}: {report:#}"))
}

#[tokio::test]
async fn a_fleet_goes_through_restarts_thieves_clears_and_lost_replies_and_nothing_is_lost() {
    let faults = "restart-main-server@1s,storm@1500ms,flood@2s+500ms,drop-replies=10%,drop-payloads=5%,thief=20%,\
                  clears=20%,kill-clients=20%";
    let (exit, report) = fleet(&["--servers", "12", "--rate", "40", "--duration", "3s", "--faults", faults]).await;
    assert_eq!((exit, &report["verdict"]), (Some(0), &"passed".into()), "{report:#}");
    for found in ["lost", "bound_twice", "wrongly_refused", "not_recovered"] {
        assert_eq!(count(&report, found), 0, "{found}: {report:#}");
    }
    for happened in ["done", "kills", "clears"] {
        assert!(count(&report, happened) > 0, "{happened}: {report:#}");
    }
    assert!(count(&report["thieves"], "key-pair-in-use") > 0, "{report:#}");
    assert!(count(&report["refusals"], "key-pair-in-use") >= count(&report, "clears"), "{report:#}");
    assert_eq!(report["events"].as_array().unwrap().len(), 3, "{report:#}");
    assert!(report["by_second"].as_array().unwrap().len() >= 3, "{report:#}");
}

#[tokio::test]
async fn a_storm_that_is_more_than_the_main_server_answers_is_shed_and_recovered_from() {
    let faults = "storm@500ms,storm@1s,at-once=1";
    let (exit, report) = fleet(&["--servers", "10", "--rate", "1", "--duration", "2s", "--faults", faults]).await;
    assert_eq!(exit, Some(0), "{report:#}");
    assert!(count(&report, "shed") > 0 && count(&report, "done") >= 10, "{report:#}");
}

#[tokio::test]
async fn a_main_server_whose_disk_loses_writes_is_found_out() {
    let words = ["--servers", "8", "--rate", "40", "--duration", "3s", "--faults", "roll-back@1s+1s"];
    let (exit, report) = fleet(&words).await;
    assert_eq!((exit, &report["verdict"]), (Some(1), &"failed".into()), "{report:#}");
    assert!(count(&report, "lost") > 0 && count(&report, "wrongly_refused") > 0, "{report:#}");
    let finding = &report["findings"][0];
    assert!(finding["license_server_id"].is_string() && finding["what"].is_string(), "{report:#}");
}

#[tokio::test]
async fn a_main_server_that_forgets_the_key_pair_in_use_is_found_out() {
    for (mutant, faults) in [
        ("binding-forgotten-at-restart", "restart-main-server@1s,thief=50%"),
        ("binds-over-the-key-pair-in-use", "thief=50%"),
    ] {
        let words = ["--servers", "8", "--rate", "40", "--duration", "2s", "--faults", faults, "--mutant", mutant];
        let (exit, report) = fleet(&words).await;
        assert_eq!((exit, &report["mutant"]), (Some(1), &mutant.into()), "{report:#}");
        assert!(count(&report, "bound_twice") > 0, "{mutant}: {report:#}");
    }
}

#[tokio::test]
async fn what_a_fleet_cannot_be_asked_for_is_said_before_anything_starts() {
    for (words, said) in [
        (&["--faults", "storms@1s"][..], "choose from restart-main-server"),
        (&["--faults", "storm@10s"], "after --duration"),
        (&["--servers", "0"], "from 1 to 10000"),
        (&["--rate", "0"], "above 0"),
        (&["--rate", "100000", "--duration", "1h"], "the ledger has room"),
        (&["--html", "/no/such/report"], "no directory /no/such"),
        (&["--mutant", "no-such-bug"], "no such mutant"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_subject")).arg("fleet").args(words).output().await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && errors.contains(said), "{words:?}: {errors}");
    }
}
