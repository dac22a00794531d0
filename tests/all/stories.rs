//! The manual's sentences, over real sockets.

use serde_json::{Value, json};

use crate::stage::{Stage, done, may_issue, refused, synchronize, synchronized};

#[tokio::test]
async fn the_first_synchronization_exchanges_the_keys_in_both_directions() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    let in_use = async || stage.admin(["key-pair", "show", "SITE-1"]).await.json["key_thumbprint"].clone();
    assert_eq!(in_use().await, Value::Null, "set up, and not synchronized");

    assert_eq!(synchronize(&server).await, synchronized());
    let status = done(&server, ["status"]).await.json;
    assert_eq!(in_use().await, status["key_thumbprint"], "the main server knows the local server by its key pair");
    // And the local server the main server by its own: another one cannot take its place.
    let other = Stage::begin().await;
    let trust = other.main_server.ready("trust_file").unwrap();
    let taken_over = server.run(["init", "--id", "SITE-1", "--trust", trust]).await.unwrap();
    assert_eq!((taken_over.exit, taken_over.text("code")), (13, "other-main-server".to_owned()), "{taken_over:?}");
    assert_eq!(synchronize(&server).await, synchronized());
    assert_eq!(in_use().await, status["key_thumbprint"]);
}

#[tokio::test]
async fn each_license_server_learns_of_the_licenses_allocated_to_it_and_of_no_others() {
    let stage = Stage::begin().await;
    let allocated = [("SITE-1", stage.allocate("SITE-1").await), ("SITE-2", stage.allocate("SITE-2").await)];
    for (id, number) in &allocated {
        let server = stage.set_up(id, id).await;
        assert_eq!(done(&server, ["status"]).await.json["licenses"], json!([]), "{id}");
        assert_eq!(synchronize(&server).await, synchronized());
        let licenses = done(&server, ["status"]).await.json["licenses"].clone();
        assert_eq!(licenses.as_array().map(Vec::len), Some(1), "{id}: {licenses}");
        assert_eq!(licenses[0]["number"], number.as_str(), "{id}");
        assert_eq!(
            licenses[0]["components"],
            json!([{ "id": solme_sync_protocol::BASE, "name": "Base", "max_users": 5 }])
        );
        for (owner, number) in &allocated {
            let exit = server.run(["may-issue", number]).await.unwrap().exit;
            assert_eq!(exit, if owner == id { 0 } else { 14 }, "{id}, the license of {owner}");
        }
    }
}

#[tokio::test]
async fn no_change_at_the_main_server_is_seen_without_a_synchronization() {
    let stage = Stage::begin().await;
    let [changed, removed] = [stage.allocate("SITE-1").await, add_license(&stage).await];
    let server = stage.set_up("server", "SITE-1").await;
    assert_eq!(synchronize(&server).await, synchronized());
    let licenses = async || done(&server, ["status"]).await.json["licenses"].clone();
    let mut known = licenses().await;
    for change in ["add", "change", "remove"] {
        match change {
            "add" => drop(add_license(&stage).await),
            "change" => drop(stage.admin(["licenses", "change", "SITE-1", &changed, "--component", "Base=9"]).await),
            _ => drop(stage.admin(["licenses", "remove", "SITE-1", &removed]).await),
        }
        assert_eq!(licenses().await, known, "{change}");
        assert_eq!(synchronize(&server).await, synchronized());
        assert_ne!(licenses().await, known, "{change}");
        known = licenses().await;
    }
}

async fn add_license(stage: &Stage) -> String {
    stage.admin(["licenses", "add", "SITE-1"]).await.text("number")
}

#[tokio::test]
async fn second_server_with_the_same_id_is_refused_until_the_key_pair_is_cleared() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let first = stage.set_up("first", "SITE-1").await;
    let second = stage.set_up("second", "SITE-1").await;
    assert_eq!(synchronize(&first).await, synchronized());
    assert_eq!(synchronize(&second).await, refused("key-pair-in-use"));
    assert_eq!(may_issue(&second).await, Err("unsynchronized".to_owned()));

    stage.admin(["key-pair", "clear", "SITE-1", "--even-so", "--reason", "asked by the customer"]).await;
    assert_eq!(synchronize(&second).await, synchronized());
    assert_eq!(done(&second, ["status"]).await.json["key_generation"], 2);
    assert_eq!(synchronize(&first).await, refused("key-pair-cleared"));
    assert_eq!(may_issue(&first).await, Err("cleared".to_owned()));
    assert_eq!(done(&first, ["status"]).await.text("state"), "cleared");
    assert_eq!(may_issue(&second).await, Ok(()));
}

#[tokio::test]
async fn a_cleared_server_goes_on_with_a_new_key_pair_and_never_with_the_old_one() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    assert_eq!(synchronize(&server).await, synchronized());
    let old = done(&server, ["status"]).await.text("key_thumbprint");
    stage.admin(["key-pair", "clear", "SITE-1", "--even-so", "--reason", "asked by the customer"]).await;
    assert_eq!(may_issue(&server).await, Ok(()), "the old server is not told (P 16.5)");
    assert_eq!(synchronize(&server).await, refused("key-pair-cleared"));

    assert_eq!(server.run(["new-key-pair"]).await.unwrap().exit, 2, "without --yes nothing happens");
    assert_eq!(done(&server, ["status"]).await.text("key_thumbprint"), old);
    done(&server, ["new-key-pair", "--yes"]).await;
    assert_eq!(may_issue(&server).await, Err("unsynchronized".to_owned()));
    assert_eq!(synchronize(&server).await, synchronized());
    let status = done(&server, ["status"]).await;
    assert_ne!(status.text("key_thumbprint"), old);
    assert_eq!(status.json["key_generation"], 2);
}

#[tokio::test]
async fn nothing_is_issued_after_366_days_and_one_synchronization_brings_it_back() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let mut server = stage.set_up("server", "SITE-1").await;
    assert_eq!(synchronize(&server).await, synchronized());
    assert_eq!(done(&server, ["status"]).await.json["days_left"], 366);

    server.clock_offset("365d");
    assert_eq!(may_issue(&server).await, Ok(()));
    server.clock_offset("366d");
    assert_eq!(may_issue(&server).await, Err("overdue".to_owned()));
    assert_eq!(done(&server, ["status"]).await.json["days_left"], 0);

    stage.admin(["clock", "advance", "366d"]).await;
    assert_eq!(synchronize(&server).await, synchronized());
    assert_eq!(may_issue(&server).await, Ok(()));
}

#[tokio::test]
async fn a_clock_set_back_issues_nothing_until_a_synchronization_sets_it_straight() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let mut server = stage.set_up("server", "SITE-1").await;
    assert_eq!(synchronize(&server).await, synchronized());
    server.clock_offset("300d");
    assert_eq!(may_issue(&server).await, Ok(()));
    server.clock_offset("298d");
    assert_eq!(may_issue(&server).await, Err("local-clock-wrong".to_owned()));
    server.clock_offset("0s");
    assert_eq!(may_issue(&server).await, Err("local-clock-wrong".to_owned()));
    assert_eq!(synchronize(&server).await, synchronized(), "the request stated the mark of the fast clock (P 17.5)");
    assert_eq!(may_issue(&server).await, Ok(()));
}

#[tokio::test]
async fn a_change_at_the_main_server_is_seen_at_the_next_synchronization() {
    let stage = Stage::begin().await;
    let first = stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    assert_eq!(synchronize(&server).await, synchronized());

    let second = stage.admin(["licenses", "add", "SITE-1", "--component", "Base=2"]).await.text("number");
    stage.admin(["licenses", "change", "SITE-1", &first, "--component", "Base=9"]).await;
    let changes = done(&server, ["synchronize"]).await.json["changes"].clone();
    assert_eq!(numbers(&changes["added"]), [second.as_str()]);
    assert_eq!(numbers(&changes["changed"]), [first.as_str()]);
    assert_eq!(numbers(&changes["removed"]), Vec::<String>::new());
    assert_eq!(server.run(["may-issue", &first]).await.unwrap().exit, 0);

    stage.admin(["licenses", "remove", "SITE-1", &first]).await;
    assert_eq!(server.run(["may-issue", &first]).await.unwrap().exit, 0, "not before the next synchronization");
    let changes = done(&server, ["synchronize"]).await.json["changes"].clone();
    assert_eq!(numbers(&changes["removed"]), [first.as_str()]);
    let answer = server.run(["may-issue", &first]).await.unwrap();
    assert_eq!((answer.exit, answer.text("code")), (14, "license-not-allocated".to_owned()));
    assert_eq!(server.run(["may-issue", &second]).await.unwrap().exit, 0);
}

#[tokio::test]
async fn a_copy_of_a_servers_state_is_found_out() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    assert_eq!(synchronize(&server).await, synchronized());
    let copy = stage.server("copy");
    std::fs::create_dir(&copy.state).unwrap();
    for entry in std::fs::read_dir(&server.state).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), copy.state.join(entry.file_name())).unwrap();
    }
    assert_eq!(synchronize(&copy).await, synchronized(), "the first of the two cannot be told from the other");
    assert_eq!(synchronize(&server).await, refused("state-diverged"));
    assert_eq!(may_issue(&server).await, Ok(()), "it keeps what it has until its deadline (P 17.8)");
    assert_eq!(synchronize(&copy).await, synchronized());
}

#[tokio::test]
async fn an_id_can_be_disabled_and_enabled_again() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    stage.admin(["ids", "disable", "SITE-1"]).await;
    assert_eq!(synchronize(&server).await, refused("license-server-id-disabled"));
    stage.admin(["ids", "enable", "SITE-1"]).await;
    assert_eq!(synchronize(&server).await, synchronized());
    let stranger = stage.set_up("stranger", "SITE-2").await;
    assert_eq!(synchronize(&stranger).await, refused("unknown-license-server-id"));
}

#[tokio::test]
async fn a_license_added_by_hand_to_the_state_is_found_and_named_and_a_synchronization_heals_it() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    assert_eq!(synchronize(&server).await, synchronized());
    assert_eq!(edit_allocation(&server.state), 1);

    assert_eq!(may_issue(&server).await, Err("tampered".to_owned()));
    assert_eq!(done(&server, ["status"]).await.text("state"), "tampered");
    assert_eq!(synchronize(&server).await, synchronized());
    assert_eq!(may_issue(&server).await, Ok(()));
}

/// Raises the users of a stored allocation from 5 to 9, as someone with an SQLite shell would.
fn edit_allocation(state: &std::path::Path) -> usize {
    let file = std::fs::read_dir(state)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "sqlite" || extension == "db"))
        .expect("the state has a database");
    let database = rusqlite::Connection::open(file).unwrap();
    let (table, column) = allocation_column(&database);
    let sql = format!(
        "UPDATE {table} SET {column} = CAST(replace(CAST({column} AS TEXT), '\"max_users\":5', '\"max_users\":9') AS BLOB)
         WHERE instr(CAST({column} AS TEXT), '\"max_users\":5') > 0"
    );
    database.execute(&sql, []).unwrap()
}

/// Finds where the allocation is by looking, so that the test knows no more of the state than a licensee does.
fn allocation_column(database: &rusqlite::Connection) -> (String, String) {
    let mut tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables {
        let mut columns = database.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).unwrap();
        let columns: Vec<String> = columns.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for column in columns {
            let sql =
                format!("SELECT count(*) FROM {table} WHERE instr(CAST({column} AS TEXT), '\"max_users\":5') > 0");
            let rows: i64 = database.query_row(&sql, [], |row| row.get(0)).unwrap();
            if rows == 1 {
                return (table, column);
            }
        }
    }
    panic!("no table holds the allocation");
}

fn numbers(licenses: &Value) -> Vec<String> {
    let licenses = licenses.as_array().expect("a list of license numbers");
    licenses.iter().map(|number| number.as_str().expect("a license number").to_owned()).collect()
}
