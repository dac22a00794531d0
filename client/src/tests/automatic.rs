//! Automatic synchronization: the whole `serve`, in virtual time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use solme_sync_protocol::UtcTime;

use super::Environment;
use crate::core::{Failure, HttpAnswer};
use crate::output::Exit;
use crate::tests::world::{MAIN_TIME, http};

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// Runs `serve` until `until`; before each pause, `world` may change what it likes. The events are the answer.
fn serve(local: &Environment, until: UtcTime, world: impl Fn(UtcTime) + 'static) -> Vec<Map<String, Value>> {
    serve_with(local, "serve", until, world)
}

fn serve_with(
    local: &Environment,
    words: &str,
    until: UtcTime,
    world: impl Fn(UtcTime) + 'static,
) -> Vec<Map<String, Value>> {
    let events = Rc::new(RefCell::new(Vec::new()));
    let (clock, main, heard) = (local.clock.clone(), local.main.clone(), events.clone());
    let seams = local.seams().on_report(move |event| heard.borrow_mut().push(event.clone())).with_pause(move |asked| {
        let now = *clock.borrow();
        let next = asked.max(now).min(until);
        *clock.borrow_mut() = next;
        let mut state = main.world.borrow_mut();
        state.now = state.now.plus(next.since(now));
        drop(state);
        world(next);
        next >= until
    });
    let ended = local.run_with(words, seams);
    assert_eq!((ended.exit, ended.code()), (Exit::Done, "stopped"), "{ended:?}");
    events.take()
}

fn events<'a>(events: &'a [Map<String, Value>], name: &str) -> Vec<&'a Map<String, Value>> {
    events.iter().filter(|event| event["event"] == name).collect()
}

fn in_trouble(retry_after: Option<&str>) -> Result<HttpAnswer, Failure> {
    Ok(HttpAnswer { retry_after: retry_after.map(str::to_owned), ..http(503, "text/plain", "later") })
}

#[test]
fn it_is_off_at_first_and_the_state_keeps_what_was_chosen() {
    let local = Environment::synchronized();
    let off = local.run("automatic-synchronization").json;
    assert_eq!((&off["mode"], &off["next_at"], &off["serving"]), (&json!("off"), &Value::Null, &json!(false)));
    let daily = local.run("automatic-synchronization daily").json;
    let next: UtcTime = daily["next_at"].as_str().unwrap().parse().unwrap();
    assert!((23 * HOUR..=DAY).contains(&next.since(MAIN_TIME)), "{daily}");
    let status = local.run("status").json;
    assert_eq!(status["automatic_synchronization"]["mode"], "daily");
    assert_eq!(status["automatic_synchronization"]["next_at"], daily["next_at"]);
    assert!(status["notes"].to_string().contains("`license-server serve` does not run"), "{}", status["notes"]);
    local.run("synchronize");
    assert_eq!(local.run("automatic-synchronization").json["mode"], "daily");
    assert_eq!(local.run("automatic-synchronization off").json["next_at"], Value::Null);
    assert_eq!(
        local.run("history").json["events"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|e| e["event"] == "automatic-synchronization")
            .count(),
        2
    );
}

#[test]
fn off_does_nothing_and_each_day_and_each_week_do_what_they_say() {
    for (mode, days, fewest, most) in [("off", 5, 0, 0), ("daily", 10, 10, 11), ("weekly", 30, 4, 5)] {
        let local = Environment::synchronized();
        local.run(&format!("automatic-synchronization {mode}"));
        let told = serve(&local, MAIN_TIME.plus(days * DAY), |_| {});
        let made = local.main().requests.len() - 1;
        assert!((fewest..=most).contains(&made), "{mode}: {made}");
        assert_eq!(events(&told, "synchronized").len(), made, "{mode}");
        assert_eq!(local.run("status").json["sequence"], made + 1, "{mode}");
    }
}

#[test]
fn an_unsynchronized_server_asks_at_once_and_a_restart_makes_no_difference() {
    let local = Environment::new();
    local.run("automatic-synchronization weekly");
    let mut made = Vec::new();
    for day in 1..=16 {
        serve(&local, MAIN_TIME.plus(day * DAY), |_| {});
        made.push(local.main().requests.len());
    }
    assert_eq!((made[0], made[5], made[6], made[15]), (1, 1, 2, 3), "{made:?}");
}

#[test]
fn a_failure_is_tried_again_and_both_it_and_the_next_time_show_in_the_status() {
    let local = Environment::synchronized();
    local.run("automatic-synchronization daily");
    local.main().answer = Some(in_trouble(None));
    let told = serve(&local, MAIN_TIME.plus(DAY + HOUR), |_| {});
    let failed = events(&told, "failed");
    assert!((6..=8).contains(&failed.len()), "{}", failed.len());
    let next_at = |event: &Map<String, Value>| event["next_at"].as_str().unwrap().parse::<UtcTime>().unwrap();
    let at = |event: &Map<String, Value>| event["at"].as_str().unwrap().parse::<UtcTime>().unwrap();
    let waits: Vec<u64> = failed.iter().map(|event| next_at(event).since(at(event))).collect();
    assert!(waits.is_sorted() && waits[0] < 80, "{waits:?}");
    let automatic = local.run("status").json["automatic_synchronization"].clone();
    assert_eq!(automatic["last"]["code"], "main-server-trouble");
    assert_eq!(automatic["last"]["at"], failed.last().unwrap()["at"]);
    assert_eq!(automatic["next_at"], failed.last().unwrap()["next_at"]);
    assert_eq!(local.run("may-issue").exit, Exit::Done);
}

#[test]
fn a_retry_after_is_honoured_in_both_forms_and_only_from_port_443() {
    let date = Ok(HttpAnswer {
        date: Some("Fri, 15 Jan 2027 08:00:00 GMT".to_owned()),
        ..in_trouble(Some("Fri, 15 Jan 2027 11:00:00 GMT")).unwrap()
    });
    for (answer, from_443, hours) in
        [(in_trouble(Some("10800")), true, 3), (date, true, 3), (in_trouble(Some("10800")), false, 0)]
    {
        let local = Environment::synchronized();
        local.run("automatic-synchronization daily");
        if from_443 {
            local.main().answer = Some(answer);
        } else {
            local.main().payload_answers = vec![answer];
        }
        let told = serve(&local, MAIN_TIME.plus(DAY), |_| {});
        let first = events(&told, "failed")[0].clone();
        let wait = first["next_at"].as_str().unwrap().parse::<UtcTime>().unwrap();
        let wait = wait.since(first["at"].as_str().unwrap().parse().unwrap());
        assert_eq!(wait / HOUR, hours, "{first:?}");
    }
    let local = Environment::synchronized();
    local.run("automatic-synchronization daily");
    local.main().answer = Some(in_trouble(Some("10800")));
    let told = serve(&local, MAIN_TIME.plus(DAY), |_| {});
    let last = (*events(&told, "failed").last().unwrap()).clone();
    *local.clock.borrow_mut() = last["at"].as_str().unwrap().parse().unwrap();
    let kept = local.run("status").json["automatic_synchronization"]["next_at"].clone();
    assert_eq!(kept, last["next_at"], "another process knows of it too");
}

#[test]
fn what_a_person_must_mend_is_asked_once_a_day_and_a_cleared_key_pair_not_at_all() {
    let local = Environment::synchronized();
    local.run("automatic-synchronization daily");
    local.main().refuse = Some(solme_sync_protocol::RefusalCode::LicenseServerIdDisabled);
    let told = serve(&local, MAIN_TIME.plus(10 * DAY), |_| {});
    assert!((10..=11).contains(&events(&told, "refused").len()), "{told:?}");
    local.main().refuse = Some(solme_sync_protocol::RefusalCode::KeyPairCleared);
    let told = serve(&local, MAIN_TIME.plus(20 * DAY), |_| {});
    assert_eq!(events(&told, "refused").len(), 1);
    assert_eq!(local.run("status").json["automatic_synchronization"]["next_at"], Value::Null);
    // A new key pair has something to ask again, in the mode that was chosen.
    local.main().refuse = None;
    local.run("new-key-pair --yes");
    let told = serve(&local, MAIN_TIME.plus(21 * DAY), |_| {});
    assert_eq!(events(&told, "synchronized")[0]["at"], MAIN_TIME.plus(20 * DAY).to_string());
}

#[test]
fn a_manual_synchronization_and_a_file_count_and_beside_a_manual_one_there_is_no_second() {
    let local = Rc::new(Environment::synchronized());
    local.run("automatic-synchronization daily");
    local.days_pass(1);
    // The manual one is on its way when the automatic one is due.
    *local.main.meanwhile.borrow_mut() = Some(Box::new({
        let local = Rc::downgrade(&local);
        move || {
            let local = local.upgrade().unwrap();
            let events = Rc::new(RefCell::new(Vec::new()));
            let heard = events.clone();
            let seams = local.seams().with_patience(Duration::ZERO).with_pause(|_| true);
            local.run_with("serve", seams.on_report(move |event| heard.borrow_mut().push(event.clone())));
            assert_eq!(events.borrow()[1]["code"], "synchronization-under-way", "{events:?}");
        }
    }));
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    let told = serve(&local, MAIN_TIME.plus(DAY + HOUR), |_| {});
    assert_eq!((events(&told, "synchronized").len(), local.main().requests.len()), (0, 2), "{told:?}");
    local.run("export-request request.json");
    local.process("request.json", "response.json");
    *local.clock.borrow_mut() = MAIN_TIME.plus(DAY + 20 * HOUR);
    assert_eq!(local.run("import-response response.json").exit, Exit::Done);
    let told = serve(&local, MAIN_TIME.plus(2 * DAY + 10 * HOUR), |_| {});
    assert_eq!(events(&told, "synchronized").len(), 0, "{told:?}");
}

#[test]
fn one_serve_is_enough_and_the_status_says_that_it_runs() {
    let local = Rc::new(Environment::synchronized());
    local.run("automatic-synchronization daily");
    let seen = Rc::new(RefCell::new(Value::Null));
    let inside = {
        let (local, seen) = (Rc::downgrade(&local), seen.clone());
        move |_| {
            let local = local.upgrade().unwrap();
            seen.replace(local.run("status").json["automatic_synchronization"]["serving"].clone());
            let second = local.run_with("serve", local.seams().with_patience(Duration::ZERO));
            assert_eq!((second.exit, second.code()), (Exit::LocalState, "already-serving"));
        }
    };
    serve(&local, MAIN_TIME.plus(HOUR), inside);
    assert_eq!(*seen.borrow(), true);
    assert_eq!(local.run("status").json["automatic_synchronization"]["serving"], false);
}

#[cfg(unix)]
#[test]
fn it_warns_at_90_30_7_and_1_days_and_when_overdue_each_once_whatever_is_restarted() {
    let local = Environment::synchronized();
    let log = local.path("warnings.txt");
    let command = format!("echo \"$LICENSE_SERVER_ID $DAYS_LEFT $SYNCHRONIZE_BY\" >> {}", log.display());
    local.write("config.toml", format!("warning_command = '{command}'").as_bytes());
    let mut given = Vec::new();
    for day in [270, 275, 300, 336, 350, 358, 364, 365, 400] {
        let now = MAIN_TIME.plus(day * DAY);
        *local.clock.borrow_mut() = now;
        let told = serve_with(&local, "--config config.toml serve", now.plus(2 * DAY), |_| {});
        assert_eq!(events(&told, "trouble"), Vec::<&Map<String, Value>>::new());
        given.extend(events(&told, "warning").iter().map(|warning| warning["days_left"].as_u64().unwrap()));
    }
    assert_eq!(given, [90, 30, 7, 1, 0]);
    let by = MAIN_TIME.synchronize_by();
    let lines: Vec<String> = given.iter().map(|days| format!("DEMO-4711 {days} {by}")).collect();
    assert_eq!(String::from_utf8(local.read("warnings.txt")).unwrap().lines().collect::<Vec<_>>(), lines);
}

#[cfg(unix)]
#[test]
fn a_warning_command_that_fails_is_named_and_the_status_warns_all_the_same() {
    let local = Environment::synchronized();
    local.days_pass(270);
    let told = serve_with(&local, "serve --warning-command false", MAIN_TIME.plus(277 * DAY), |_| {});
    assert_eq!(events(&told, "trouble")[0]["code"], "warning-command-failed");
    assert_eq!(events(&told, "warning").len(), 1);
    assert!(
        local.run("status").json["notes"].to_string().contains("89 days left"),
        "{}",
        local.run("status").json["notes"]
    );
}

#[test]
fn a_clock_that_is_set_back_by_a_month_puts_nothing_off() {
    let local = Environment::synchronized();
    local.run("automatic-synchronization weekly");
    *local.clock.borrow_mut() = MAIN_TIME.offset(-30 * 86_400);
    let told = serve(&local, MAIN_TIME.offset(-30 * 86_400).plus(10), |_| {});
    assert_eq!(events(&told, "synchronized").len(), 1);
}

#[test]
fn a_state_that_cannot_be_used_for_a_while_does_not_end_it() {
    let local = Environment::synchronized();
    local.run("automatic-synchronization daily");
    let (key, aside) = (local.state().join("signing-key.pem"), local.path("aside.pem"));
    let began = MAIN_TIME.plus(DAY + 600);
    let world = move |now: UtcTime| {
        if now < began && key.exists() {
            std::fs::rename(&key, &aside).unwrap();
        } else if now >= began && aside.exists() {
            std::fs::rename(&aside, &key).unwrap();
        }
    };
    let told = serve(&local, MAIN_TIME.plus(DAY + 2 * HOUR), world);
    let trouble: Vec<&Value> = events(&told, "trouble").iter().map(|event| &event["code"]).collect();
    assert_eq!(trouble, ["key-file-missing"], "it is named once, and looked at each minute");
    assert_eq!(events(&told, "synchronized").len(), 1, "{told:?}");
}

#[test]
fn a_state_of_the_first_version_is_brought_up_to_date() {
    let local = Environment::synchronized();
    local.edit_database("DROP TABLE automatic; DROP TABLE automatic_last; DROP TABLE seal; PRAGMA user_version = 1;");
    assert_eq!(local.run("automatic-synchronization").json["mode"], "off");
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    assert_eq!(local.run("status").json["sequence"], 2);
}
