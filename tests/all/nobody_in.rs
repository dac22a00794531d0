//! Every route on every listener, as it stands in the source, and what each must not give: without the token, with a
//! wrong one, under another name, from another page, by another method.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const ROUTERS: [&str; 7] = [
    include_str!("../../mock-solme/src/admin/router.rs"),
    include_str!("../../mock-solme/src/console/mod.rs"),
    include_str!("../../mock-solme/src/http/https_role.rs"),
    include_str!("../../mock-solme/src/http/payload_role.rs"),
    include_str!("../../pages/src/shell.rs"),
    include_str!("../../client/src/manager/mod.rs"),
    include_str!("../../harness/src/stage/live.rs"),
];
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/// A route, as its path and methods.
type Routes = BTreeMap<String, Vec<&'static str>>;

/// The routes of a router: `.route("/path", get(..).post(..))`, or the lines of a table: `GET "/path" ..`.
fn routes(source: &str) -> Routes {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let routes = code.split(".route(\"").skip(1).map(|rest| {
        let (path, rest) = rest.split_once('"').unwrap();
        let rest = rest.split("\n        .").next().unwrap();
        let of = |method: &&&str| rest.contains(&format!("{}(", method.to_lowercase()));
        let mut methods: Vec<_> = METHODS.iter().filter(of).copied().collect();
        if methods.is_empty() {
            // Of a file, and of what is built before it.
            methods.push(if path.starts_with("/api/") { "POST" } else { "GET" });
        }
        (filled(path), methods)
    });
    let mut routes: Routes = routes.collect();
    for method in METHODS {
        let paths =
            code.lines().filter_map(|line| line.trim().strip_prefix(method)?.strip_prefix(" \"/")?.split_once('"'));
        for (path, _) in paths {
            routes.entry(format!("/{}", filled(path))).or_default().push(method);
        }
    }
    routes
}

/// A path with something in each of its places.
fn filled(path: &str) -> String {
    path.replace("{id}", "DEMO-4711").replace("{number}", "1")
}

/// A program that serves pages, until it is dropped.
struct Served {
    process: Child,
    /// Host and port.
    address: String,
    token: String,
}

impl Served {
    /// Starts it; `read` finds address and token in the line that it prints.
    fn start(words: &[&str], state: &Path, read: impl Fn(&str) -> Option<(String, String)>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subject"));
        command.args(words).env("XDG_STATE_HOME", state).env("HOME", state);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (address, token) = lines.map_while(Result::ok).find_map(|line| read(&line)).expect("it says where it is");
        let address = address.trim_start_matches("http://").to_owned();
        Self { process, address, token }
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        ask(&self.address, method, path, headers)
    }
}

/// Status and answer.
fn ask(address: &str, method: &str, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\n{headers}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer)
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `http://HOST:PORT/#TOKEN`, somewhere in a line.
fn with_token(line: &str) -> Option<(String, String)> {
    let address = line.split(['"', ' ']).find(|word| word.starts_with("http://") && word.contains("/#"))?;
    address.split_once("/#").map(|(address, token)| (address.to_owned(), token.to_owned()))
}

/// What all of them refuse, and what wants a token.
fn walk(served: &Served, routes: &Routes, is_open: impl Fn(&str) -> bool) {
    let host = format!("Host: {}\r\n", served.address);
    let token = format!("Authorization: Bearer {}\r\n", served.token);
    for (path, methods) in routes {
        for method in METHODS {
            let asked = |headers: &str| served.ask(method, path, headers);
            let refused = |headers: &str, expected: &[u16]| {
                let (status, answer) = asked(headers);
                assert!(expected.contains(&status), "{method} {path} with {headers:?}: {answer}");
                assert!(!answer.contains(&served.token), "{method} {path} shows the token: {answer}");
                assert!(!answer.to_lowercase().contains("access-control-allow"), "{method} {path}: {answer}");
            };
            // Whoever asks has to call it by its name, whatever else they have.
            refused(&token, &[400, 421]);
            refused(&format!("Host: evil.example\r\n{token}"), &[421]);
            refused(&format!("Host: {}.evil.example\r\n{token}", served.address), &[421]);
            for origin in ["null", "http://evil.example", "https://evil.example", "file://"] {
                refused(&format!("{host}Origin: {origin}\r\n{token}"), &[403]);
            }
            let open = is_open(path) && method == "GET";
            let is_there = methods.contains(&method);
            if !open {
                let without: &[u16] = if is_there && !is_open(path) { &[401] } else { &[401, 405] };
                refused(&host, without);
                for wrong in ["Bearer wrong", "Bearer ", "Basic YWRtaW46YWRtaW4=", "bearer", "Bearer\t"] {
                    refused(&format!("{host}Authorization: {wrong}\r\n"), without);
                }
                refused(&format!("{host}Authorization: Bearer {}x\r\n", served.token), without);
                refused(&format!("{host}Cookie: token={}\r\n", served.token), without);
            }
            if !is_there {
                refused(&format!("{host}{token}"), &[404, 405, 501]);
            }
        }
    }
}

#[test]
fn every_route_wants_its_name_its_own_page_and_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let [admin, console, https, http, house, manager, stage] = ROUTERS.map(routes);
    assert!(admin.len() >= 30 && console.len() >= 8 && manager.len() >= 9 && stage.len() >= 9, "all routes were found");
    let both = |routes: Routes, more: &Routes| routes.into_iter().chain(more.clone()).collect::<Routes>();

    let main_server = Served::start(&["mock-solme", "serve", "--exit-with-stdin"], state, |line| {
        let ready: Value = serde_json::from_str(line).ok()?;
        let text = |member: &str| ready[member].as_str().unwrap().to_owned();
        std::fs::write(state.join("trust"), text("trust_file")).unwrap();
        std::fs::write(state.join("http"), text("http")).unwrap();
        Some((text("admin"), text("admin_token")))
    });
    let pages = both(console, &house);
    let is_page = |path: &str| ["/health", "/openapi.json"].contains(&path) || pages.contains_key(path);
    walk(&main_server, &both(admin, &pages), is_page);

    let (trust, server) = (std::fs::read_to_string(state.join("trust")).unwrap(), state.join("server"));
    let server = server.to_str().unwrap();
    let init = ["license-server", "--state", server, "init", "--id", "DEMO-4711", "--trust", trust.as_str()];
    assert!(Command::new(env!("CARGO_BIN_EXE_subject")).args(init).output().unwrap().status.success());
    let words = ["license-server", "--state", server, "--json", "manager"];
    let manager_page = Served::start(&words, state, with_token);
    let of_manager = both(both(manager, &routes(include_str!("../../client/src/manager/shell.rs"))), &house);
    walk(&manager_page, &of_manager, |path| !path.starts_with("/api/"));

    let stage_page = Served::start(&["demo", "--web"], state, with_token);
    walk(&stage_page, &both(stage, &house), |path| !path.starts_with("/api/"));

    // The two ports of the protocol give nothing but what the protocol has there, to nobody.
    let payloads = std::fs::read_to_string(state.join("http")).unwrap();
    let payloads = payloads.trim_start_matches("http://");
    assert_eq!((https.len(), http.len()), (2, 1), "the routes of the two ports");
    for path in ["/", "/health", "/payloads", "/payloads/", "/payloads/..", "/payloads/AAAAAAAAAAAAAAAAAAAAAA", "/ids"]
    {
        for method in METHODS {
            let (status, answer) = ask(payloads, method, path, "Host: x\r\n");
            assert!([404, 405].contains(&status), "{method} {path} on 8080: {answer}");
        }
    }
}
