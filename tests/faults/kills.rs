//! SIGKILL at random moments, under load. A ledger has whatever any client was ever told; after each kill everything that
//! it has is there, once.
//!
//! `KILLS=1000 KILLS_SEED=7 cargo test -p tests --test faults killed` does more of it, or the same once more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::main_server::Running;
use crate::program;

const SERVERS: usize = 4;
/// The largest part of a round in which nothing is killed.
const LATEST: Duration = Duration::from_millis(400);

/// Xorshift: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// What a License Server has been told, of the key pair that it has.
#[derive(Debug, Default, Clone)]
struct Told {
    key: Value,
    generation: u64,
    sequence: u64,
    /// Its last answer.
    code: String,
}

/// Whatever any client was ever told.
#[derive(Debug, Default)]
struct Ledger {
    servers: [Told; SERVERS],
    /// Licenses by id and number: whether somebody was told that they are there.
    licenses: BTreeMap<(String, String), bool>,
    /// By id: how many clears were told, and how many asked for.
    clears: BTreeMap<String, (u64, u64)>,
    facts: usize,
}

struct Site {
    dir: TempDir,
    ledger: Mutex<Ledger>,
}

fn id(server: usize) -> String {
    format!("SITE-{server}")
}

impl Site {
    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn serve(&self) -> Running {
        let mut command = program("mock-solme");
        command.args(["serve", "--empty", "--exit-with-stdin", "--data"]).arg(self.data());
        Running::start(command).expect("the main server starts again")
    }

    fn command(&self, server: usize, words: &[&str]) -> Command {
        let mut command = program("license-server");
        command.arg("--state").arg(self.dir.path().join(id(server))).arg("--json").args(words);
        command
    }

    /// A command that nobody kills.
    fn run(&self, server: usize, words: &[&str]) -> Value {
        let output = self.command(server, words).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words:?}: {output:?}"))
    }

    fn init(&self, server: usize, trust: &Path) {
        let answer = self.run(server, &["init", "--id", &id(server), "--trust", trust.to_str().unwrap()]);
        assert_eq!(answer["outcome"], "done", "{answer}");
    }

    /// What a License Server does in a round: it synchronizes, or follows the cure. Its process goes where the killer
    /// finds it.
    fn acts(&self, server: usize, place: &Place) {
        let cleared = self.ledger.lock().unwrap().servers[server].code == "key-pair-cleared";
        let words: &[&str] = if cleared { &["new-key-pair", "--yes"] } else { &["synchronize"] };
        let mut child = self.command(server, words).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        *place.0.lock().unwrap() = Some(child);
        place.1.notify_all();
        let said = std::io::read_to_string(stdout).unwrap();
        place.0.lock().unwrap().as_mut().unwrap().wait().unwrap();
        // One that was killed has told nothing, or half of it.
        let Ok(answer) = serde_json::from_str::<Value>(&said) else { return };
        let mut ledger = self.ledger.lock().unwrap();
        ledger.servers[server].code = answer["code"].as_str().unwrap().to_owned();
        if answer["outcome"] == "synchronized" {
            drop(ledger);
            self.told(server, &self.run(server, &["status"]), true);
        }
    }

    /// A License Server says how far it is. `new`: it has just been told so by the main server.
    fn told(&self, server: usize, status: &Value, new: bool) {
        let mut ledger = self.ledger.lock().unwrap();
        let before = ledger.servers[server].clone();
        let number = |member: &str| status[member].as_u64().unwrap_or(0);
        let (generation, sequence) = (number("key_generation"), number("sequence"));
        let key = status["key_thumbprint"].clone();
        if key == before.key || new {
            assert!(generation >= before.generation, "{}: {before:?}, and now {status}", id(server));
            assert!(sequence >= before.sequence, "lost: {before:?}, and now {status}");
        }
        if new {
            assert!(sequence > before.sequence, "told twice: {before:?}, and now {status}");
            ledger.facts += 1;
            ledger.servers[server] = Told { key, generation, sequence, code: before.code };
        }
    }

    /// What the operator does in a round.
    fn operate(&self, running: &Running, round: usize, server: usize) {
        let id = id(server);
        if round.is_multiple_of(5) {
            self.ledger.lock().unwrap().clears.entry(id.clone()).or_default().1 += 1;
            let body = json!({ "even_so": true, "reason": "a test" }).to_string();
            let answer = running.ask("POST", &format!("/ids/{id}/key-pair/clear"), &body);
            if answer.is_some_and(|(status, answer)| status == 200 && answer["outcome"] == "cleared") {
                let mut ledger = self.ledger.lock().unwrap();
                ledger.clears.entry(id).or_default().0 += 1;
                ledger.facts += 1;
            }
            return;
        }
        let number = format!("AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-{round:07}");
        self.ledger.lock().unwrap().licenses.insert((id.clone(), number.clone()), false);
        let answer = running.ask("POST", &format!("/ids/{id}/licenses"), &json!({ "number": number }).to_string());
        if answer.is_some_and(|(status, _)| status == 201) {
            let mut ledger = self.ledger.lock().unwrap();
            ledger.licenses.insert((id, number), true);
            ledger.facts += 1;
        }
    }

    /// Everything that the ledger has is there, once, and nothing that nobody asked for.
    fn compare(&self, running: &Running) {
        for server in 0..SERVERS {
            self.told(server, &self.run(server, &["status"]), false);
            let id = id(server);
            let (record, licenses) =
                (get(running, &format!("/ids/{id}")), get(running, &format!("/ids/{id}/licenses")));
            let ledger = self.ledger.lock().unwrap();
            let told = &ledger.servers[server];
            assert!(record["sequence"].as_u64() >= Some(told.sequence), "lost: {told:?}, and it is {record}");
            let (clears_told, clears_asked) = ledger.clears.get(&id).copied().unwrap_or_default();
            let cleared = record["key_generation"].as_u64().unwrap() - 1;
            assert!((clears_told..=clears_asked).contains(&cleared), "{clears_told} clears told, {record}");
            let there: Vec<&str> =
                licenses["licenses"].as_array().unwrap().iter().map(|one| one["number"].as_str().unwrap()).collect();
            let once: BTreeSet<&str> = there.iter().copied().collect();
            assert_eq!(once.len(), there.len(), "doubled: {there:?}");
            for ((_, number), told) in ledger.licenses.iter().filter(|((of, _), _)| *of == id) {
                assert!(!told || once.contains(number.as_str()), "lost: {number} of {id}");
            }
            let asked = |number: &&str| ledger.licenses.contains_key(&(id.clone(), (*number).to_owned()));
            assert!(once.iter().all(asked), "nobody asked for one of {once:?}");
            let audit = get(running, &format!("/audit?id={id}&limit=10000"));
            let added = audit.as_array().unwrap().iter().filter(|row| row["action"] == "license-added").count();
            assert_eq!(added, once.len(), "each license is in the audit once");
        }
    }
}

fn get(running: &Running, path: &str) -> Value {
    let (status, answer) = running.ask("GET", path, "").unwrap();
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Where the process of a License Server is, as soon as there is one.
#[derive(Default)]
struct Place(Mutex<Option<Child>>, Condvar);

impl Place {
    /// Kills it, or what is left of it, `at` a moment after `begun`.
    fn kill(&self, begun: Instant, at: Duration) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |child| child.is_none()).unwrap());
        pass(begun, at);
        self.0.lock().unwrap().as_mut().unwrap().kill().unwrap();
    }
}

/// The moment is what is random here: nothing is waited for.
fn pass(begun: Instant, at: Duration) {
    thread::sleep(at.saturating_sub(begun.elapsed()));
}

/// A number from the environment, or this one.
fn chosen(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}

#[test]
fn what_anybody_was_told_is_there_once_however_often_either_side_is_killed() {
    let kills = usize::try_from(chosen("KILLS", 40)).unwrap();
    let seed = chosen("KILLS_SEED", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64);
    println!("seed {seed}: KILLS_SEED={seed} KILLS={kills} cargo test -p tests --test faults killed");
    let mut dice = Dice(seed | 1);
    let site = Site { dir: tempfile::tempdir().unwrap(), ledger: Mutex::default() };
    let mut running = site.serve();
    for server in 0..SERVERS {
        let (status, answer) =
            running.ask("POST", "/ids", &json!({ "license_server_id": id(server) }).to_string()).unwrap();
        assert_eq!(status, 201, "{answer}");
        site.init(server, Path::new(running.ready("trust_file")));
    }
    let mut of_the_main_server = 0;
    for round in 1..=kills {
        let (victim, operated) = (dice.below(SERVERS * 2), dice.below(SERVERS));
        let at = LATEST.mul_f64((dice.below(1_000) as f64 / 1_000.0).powi(2));
        let begun = Instant::now();
        let places: [Place; SERVERS] = Default::default();
        thread::scope(|scope| {
            let (site, asked) = (&site, &running);
            for (server, place) in places.iter().enumerate() {
                scope.spawn(move || site.acts(server, place));
            }
            scope.spawn(move || site.operate(asked, round, operated));
            match places.get(victim) {
                Some(place) => place.kill(begun, at),
                None => {
                    pass(begun, at);
                    asked.kill_now();
                }
            }
        });
        if victim >= SERVERS {
            of_the_main_server += 1;
            running.kill();
            running = site.serve();
            for server in 0..SERVERS {
                site.init(server, Path::new(running.ready("trust_file")));
            }
        }
        site.compare(&running);
    }
    // With nobody killed, everybody gets there by what the answers say.
    for server in 0..SERVERS {
        let synchronized = (0..4).any(|_| {
            site.acts(server, &Place::default());
            site.ledger.lock().unwrap().servers[server].code == "synchronized"
        });
        assert!(synchronized, "{:?}", site.ledger.lock().unwrap().servers[server]);
        let (status, record) = (site.run(server, &["status"]), get(&running, &format!("/ids/{}", id(server))));
        for member in ["sequence", "key_generation", "key_thumbprint", "allocation_revision"] {
            assert_eq!(status[member], record[member], "{member} of {}", id(server));
        }
    }
    site.compare(&running);
    let ledger = site.ledger.lock().unwrap();
    println!("{kills} kills, {of_the_main_server} of the main server; {} facts told, 0 lost, 0 doubled", ledger.facts);
    assert!(ledger.facts > kills, "there was no load: {} facts", ledger.facts);
}
