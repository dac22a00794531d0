//! Bad inputs over every interface of a License Server, by tables. After each of them: it has ended, an error has its next
//! step, nothing that was said acts on a terminal ([`Environment::run`] looks at that), the state is unharmed, and an
//! honest synchronization works.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Environment;
use super::environment::{Answer, copy_directory};
use crate::cli::Cli;
use crate::output::Exit;
use crate::tests::world::http;

/// What strangers write where a word was asked for.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "-",
        "--",
        ".",
        "..",
        "/",
        "/dev/null",
        "/nowhere/at/all",
        "0",
        "-1",
        "1e400",
        "18446744073709551616",
        "99999999999999999999d",
        "NaN",
        "null",
        "true",
        "{}",
        "[]",
        "\"",
        "'; DROP TABLE setup; --",
        "%00%0d%0a",
        "${HOME}",
        "evil\u{1b}[2J\u{9b}31m",
        "evil\r\nforged: ok",
        "\u{202e}\u{2066}evil\u{feff}",
        "\u{e0041}\u{200b}\u{2028}",
        "ÅÄÖ 日本語 👩\u{200d}💻",
        "a@b@c",
        "http://",
        "http://secret:secret@",
        "socks5://u:secret@[::g]:1",
        "localhost:99999",
        "[::1",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend(["x".repeat(300), "9".repeat(70_000), "a.".repeat(5_000), "\u{202e}".repeat(1_000)]);
    texts
}

fn json_values() -> Vec<Value> {
    let mut deep = json!(1);
    (0..100).for_each(|_| deep = json!([deep]));
    let mut values = vec![Value::Null, json!(true), json!(-1), json!(1.5), json!(u64::MAX), json!([]), json!({}), deep];
    values.extend(texts().into_iter().map(Value::String));
    values
}

/// Each way in which one member of an object can be wrong, and what is no object.
fn mutations(good: &Value) -> Vec<Vec<u8>> {
    let mut bad = Vec::new();
    for name in good.as_object().unwrap().keys() {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(name);
        bad.push(without.to_string().into_bytes());
        for (n, value) in json_values().into_iter().enumerate() {
            // Not each with each: every value meets some member, every member several values.
            if (n + name.len()) % 4 == 0 {
                let mut wrong = good.clone();
                wrong[name] = value;
                bad.push(wrong.to_string().into_bytes());
            }
        }
    }
    let text = good.to_string();
    bad.extend((0..20).map(|n| text.as_bytes()[..text.len() * n / 20].to_vec()));
    bad.extend((0..40).map(|n| flipped(text.as_bytes(), n)));
    bad.extend(texts().into_iter().map(String::into_bytes));
    bad.extend([b"\xff\xfe\x00".to_vec(), vec![b'['; 100_000], vec![0; 3_000_000]]);
    bad
}

/// One bit is another one.
fn flipped(bytes: &[u8], n: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = (n * 7_919 + 13) % bytes.len();
    bytes[at] ^= 1 << (n % 7);
    bytes
}

/// Runs a command that must end soon, and with a next step unless it is done.
fn run<const N: usize>(local: &Environment, words: [&str; N]) -> Answer {
    let began = Instant::now();
    let answer = local.run_words(words);
    assert!(began.elapsed() < Duration::from_secs(20), "{words:?} took {:?}", began.elapsed());
    if answer.exit != Exit::Done {
        let cure = answer.json["cure"].as_str().unwrap_or_default();
        assert!(cure.len() > 10 && cure.ends_with(['.', '?', ')']), "{words:?} has no next step: {answer:?}");
        assert!(answer.text.lines().any(|line| line.starts_with("Next: ")), "{words:?}: {}", answer.text);
        assert!(!answer.json["message"].as_str().unwrap_or_default().is_empty(), "{answer:?}");
    }
    answer
}

/// The state is unharmed, and an honest synchronization works.
fn assert_unharmed(local: &Environment, after: &str) {
    let after = after.chars().take(200).collect::<String>();
    {
        let mut main = local.main();
        (main.answer, main.refuse) = (None, None);
        main.payload_answers.clear();
    }
    assert_eq!(local.run("may-issue").exit, Exit::Done, "after {after:?}");
    let synchronized = local.run("synchronize");
    assert_eq!(synchronized.exit, Exit::Done, "after {after:?}: {synchronized:?}");
}

#[test]
fn words_of_the_command_line() {
    let local = Environment::synchronized();
    let state = local.state();
    let places: [&[&str]; 15] = [
        &["init", "--trust", "trust.json", "--id"],
        &["init", "--id", "DEMO-4711", "--trust"],
        &["may-issue"],
        &["automatic-synchronization"],
        &["request-clear", "--out", "/dev/null", "--from"],
        &["request-clear", "--smtp"],
        &["import-response"],
        &["import-response", "--dry-run"],
        &["status", "--config"],
        &["status", "--clock-offset"],
        &["config", "--connect-limit"],
        &["config", "--total-limit"],
        &["config", "--no-proxy"],
        &["config", "--proxy-password-file"],
        &["completions"],
    ];
    for place in places {
        for text in texts() {
            if (place[0] == "import-response" && text == "-") || (text == "localhost:99999" && place[1..] == ["--smtp"])
            {
                continue; // standard input; and a port that cannot be is told by another test
            }
            let fixed = ["license-server", "--state", state.to_str().unwrap()];
            let words = fixed.iter().chain(place).copied().chain([text.as_str()]);
            match Cli::read(words) {
                Err(error) => assert!(error.use_stderr() && error.to_string().contains("--help"), "{error}"),
                Ok(_) => {
                    let words: Vec<&str> = place.iter().copied().chain([text.as_str()]).collect();
                    match words.as_slice() {
                        [a, b] => drop(run(&local, [*a, *b])),
                        [a, b, c] => drop(run(&local, [*a, *b, *c])),
                        [a, b, c, d] => drop(run(&local, [*a, *b, *c, *d])),
                        [a, b, c, d, e] => drop(run(&local, [*a, *b, *c, *d, *e])),
                        _ => unreachable!("no place has more words"),
                    }
                }
            }
        }
        assert_unharmed(&local, &place.join(" "));
    }
}

#[test]
fn proxies() {
    let local = Environment::synchronized();
    let mut addresses = texts();
    for scheme in ["http", "socks5", "socks5h", "https", "socks4", "ftp", "HTTP", "", "ht tp"] {
        for rest in [
            "",
            "secret",
            ":1",
            "secret@:1",
            "u:secret@h:0",
            "u:secret@h:65536",
            "u:secret@h:1/x",
            "h:1?secret",
            "[::g]:1",
        ] {
            addresses.push(format!("{scheme}://{rest}"));
        }
    }
    for address in addresses {
        if Cli::read(["license-server", "config", "--proxy", &address]).is_err() {
            continue; // a flag, or nothing
        }
        let answer = run(&local, ["config", "--proxy", &address]);
        assert_eq!(answer.exit, Exit::Usage, "{address:?}: {answer:?}");
        assert!(
            !answer.text.contains("secret") && !answer.json.to_string().contains("secret"),
            "{address:?}: {answer:?}"
        );
    }
    assert_unharmed(&local, "proxies");
}

#[test]
fn settings_in_a_file() {
    let local = Environment::synchronized();
    let names =
        ["state", "connect_limit", "total_limit", "proxy", "no_proxy", "proxy_password_file", "proxy_loopback", "x"];
    let mut files: Vec<String> = Vec::new();
    for name in names {
        for value in
            ["1", "-1", "1.5", "nan", "true", "[]", "[1]", "{}", "{a = 1}", "1979-05-27", "''", "'\u{202e}'", "["]
        {
            files.push(format!("{name} = {value}"));
        }
        files.push(format!("{name} = '1s'\n{name} = '2s'"));
    }
    files.extend(texts());
    files.extend(["[".repeat(10_000), "a = ".to_owned() + &"[".repeat(10_000), "x".repeat(2_000_000)]);
    for (n, file) in files.iter().enumerate() {
        local.write("config.toml", file.as_bytes());
        let path = local.path("config.toml").display().to_string();
        run(&local, ["config", "--config", &path]);
        if n % 20 == 0 {
            assert_unharmed(&local, file);
        }
    }
    local.write("config.toml", b"\xff\xfe");
    assert_eq!(local.run("config --config config.toml").code(), "configuration");
}

#[test]
fn trust_files() {
    let local = Environment::synchronized();
    let good: Value = serde_json::from_slice(&local.read("trust.json")).unwrap();
    let path = local.path("bad.json").display().to_string();
    for (n, bad) in mutations(&good).iter().enumerate() {
        local.write("bad.json", bad);
        let answer = run(&local, ["init", "--id", "DEMO-4711", "--trust", &path]);
        if answer.exit == Exit::Done {
            assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").exit, Exit::Done, "and back: {answer:?}");
        }
        if n % 20 == 0 {
            assert_unharmed(&local, &String::from_utf8_lossy(bad));
        }
    }
    assert_unharmed(&local, "trust files");
}

#[test]
fn response_files() {
    let local = Environment::synchronized();
    local.run("export-request request.json");
    local.process("request.json", "response.json");
    let good: Value = serde_json::from_slice(&local.read("response.json")).unwrap();
    let path = local.path("bad.json").display().to_string();
    for (n, bad) in mutations(&good).iter().enumerate() {
        local.write("bad.json", bad);
        let dry = run(&local, ["import-response", "--dry-run", &path]);
        if dry.exit != Exit::Done {
            assert_eq!(dry.exit, Exit::FileNotUsable, "{dry:?}");
            run(&local, ["import-response", &path]);
        }
        if n % 20 == 0 {
            assert_eq!(local.run("may-issue").exit, Exit::Done);
            assert_eq!(local.run("status").json["sequence"], 1, "{dry:?}");
        }
    }
    assert_eq!(local.run("import-response response.json").exit, Exit::Done, "the good one is still good");
    assert_unharmed(&local, "response files");
}

#[test]
fn answers_of_both_ports() {
    let local = Environment::synchronized();
    let types = [
        "",
        "application/jose",
        "application/problem+json",
        "application/json",
        "text/html",
        "application/octet-stream",
    ];
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"null".to_vec(),
        b"{}".to_vec(),
        b"\xff\xfe".to_vec(),
        "evil\u{1b}[2J\u{202e}\r\n".into(),
        "a.b.c".into(),
        vec![b'['; 20_000],
        br#"{"type":"x","title":"\u001b","status":0,"detail":"\u202e","code":"\r\n","cure":"","refusal":"a.b.c"}"#
            .to_vec(),
        vec![b'x'; 40_000],
    ];
    let mut n = 0;
    for status in [200, 201, 204, 301, 400, 401, 403, 404, 405, 409, 413, 418, 429, 500, 503, 599, 999] {
        for content_type in types {
            n += 1;
            let answer = http(status, content_type, bodies[n % bodies.len()].clone());
            local.main().answer = Some(Ok(answer.clone()));
            assert_eq!(run(&local, ["synchronize"]).exit, Exit::NotReached, "{status} {content_type}");
            run(&local, ["doctor"]);
            local.main().answer = None;
            local.main().payload_answers = vec![Ok(answer.clone()), Ok(answer)];
            run(&local, ["synchronize"]);
            if n % 7 == 0 {
                assert_unharmed(&local, &format!("{status} {content_type}"));
            }
        }
    }
    assert_unharmed(&local, "answers");
}

#[test]
fn files_of_the_state() {
    let local = Environment::synchronized();
    let kept = local.path("kept");
    copy_directory(&local.state(), &kept);
    let mut damages: Vec<(String, Vec<u8>)> = Vec::new();
    for file in ["signing-key.pem", "state.sqlite", "setup.json"] {
        let good = std::fs::read(kept.join(file)).unwrap();
        damages.extend((0..6).map(|n| (file.to_owned(), good[..good.len() * n / 6].to_vec())));
        damages.extend((0..10).map(|n| (file.to_owned(), flipped(&good, n))));
        damages.push((file.to_owned(), vec![0; 100_000]));
    }
    for file in ["signing-key.next.pem", "state.sqlite-wal", "state.sqlite-journal", "lock", "synchronization.lock"] {
        damages.push((file.to_owned(), vec![0xff; 10_000]));
    }
    for (file, bytes) in damages {
        std::fs::write(local.state().join(&file), bytes).unwrap();
        for words in ["status", "may-issue", "history", "doctor", "synchronize"] {
            run(&local, [words]);
        }
        restore(&local, &kept);
        assert_unharmed(&local, &file);
        restore(&local, &kept);
    }
}

/// Puts the state back from its copy. The main server forgets what it gave since.
fn restore(local: &Environment, kept: &std::path::Path) {
    std::fs::remove_dir_all(local.state()).unwrap();
    copy_directory(kept, &local.state());
    local.main().put_back(1);
}

#[test]
fn rows_of_the_state() {
    let local = Environment::synchronized();
    local.run("export-request request.json");
    let kept = local.path("kept");
    copy_directory(&local.state(), &kept);
    let columns: Vec<(String, String)> = {
        let db = rusqlite::Connection::open(kept.join("state.sqlite")).unwrap();
        let query = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
        let mut query = db.prepare(query).unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let mut edits = 0;
    for (table, column) in columns.iter().filter(|(_, column)| column != "one") {
        for value in ["NULL", "''", "-1", "9223372036854775807", "char(27, 8238, 10)", "zeroblob(100)"] {
            let db = rusqlite::Connection::open(local.state().join("state.sqlite")).unwrap();
            let changed = db.execute(&format!("UPDATE {table} SET {column} = {value}"), []);
            drop(db);
            if changed.is_ok_and(|rows| rows > 0) {
                edits += 1;
                for words in ["status", "history", "synchronize"] {
                    run(&local, [words]);
                }
                restore(&local, &kept);
            }
        }
        assert_unharmed(&local, &format!("{table}.{column}"));
        restore(&local, &kept);
    }
    assert!(edits > 60, "{edits}");
}

#[test]
fn replies_of_a_mail_server() {
    let local = Environment::synchronized();
    let replies: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\r\n".to_vec(),
        b"999 what\r\n".to_vec(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"220-more\r\n220-more\r\n".to_vec(),
        b"\xff\xfe\x00\r\n".to_vec(),
        "554 evil\u{1b}[2J\u{202e}\r\n".into(),
        "220 \u{9b}\u{2028}forged\r\n550 no\r\n".into(),
        b"16 03 01".to_vec(),
        vec![b'2'; 300_000],
    ];
    for reply in replies {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let shown = String::from_utf8_lossy(&reply[..reply.len().min(50)]).into_owned();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(&reply);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut lines = BufReader::new(stream);
            while lines.read_line(&mut String::new()).is_ok_and(|n| n > 0) {}
        });
        let answer = run(&local, ["request-clear", "--smtp", &at]);
        assert_eq!((answer.exit, answer.code()), (Exit::NotReached, "mail-not-sent"), "{shown:?}");
        server.join().unwrap();
        assert_unharmed(&local, &shown);
    }
}
