//! Faults of storage, on the real programs.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod disk;
mod kills;
mod license_server;
mod main_server;
mod power;
mod strace;
mod sweep;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::sweep::{Operation, abort, fill, sweep};

/// One of the two programs: `FAULTS_PROGRAM` names an executable that is both.
fn program(name: &str) -> Command {
    let executable = std::env::var_os("FAULTS_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_subject").into());
    let mut command = Command::new(executable);
    command.arg(name).stdin(Stdio::null());
    command
}

/// Copies a directory, modes and all.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// How many durable calls each operation has: a call that nobody sweeps is seen here.
const CALLS: &str = include_str!("calls.txt");

#[test]
#[ignore = "needs strace: tests/faults/run.sh installs it, and runs this"]
fn whatever_goes_wrong_with_a_durable_call_the_state_is_as_before_or_as_after() {
    let swept = Mutex::new(Vec::new());
    each(|operation| {
        let logs = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let one = sweep(operation, &logs.path().join("of"));
        println!("{}: {} faults in {:.1?}, {} violations", one.name, one.faults, begun.elapsed(), one.violations.len());
        swept.lock().unwrap().push(one);
    });
    let mut swept = swept.into_inner().unwrap();
    swept.sort_by(|one, other| (one.name, &one.calls).cmp(&(other.name, &other.calls)));
    let violations: Vec<&String> = swept.iter().flat_map(|one| &one.violations).collect();
    for violation in &violations {
        println!("\n{violation}");
    }
    let faults: usize = swept.iter().map(|one| one.faults).sum();
    println!("\n{} operations, {faults} faults, {} violations", swept.len(), violations.len());
    assert!(violations.is_empty(), "{} violations", violations.len());
    let calls: String = swept.iter().map(|one| format!("{}: {}\n", one.name, one.calls)).collect();
    let expected: String = CALLS.lines().filter(|line| wanted(line)).map(|line| format!("{line}\n")).collect();
    assert!(
        calls == expected,
        "the calls are others now; if that is right, they belong into tests/faults/calls.txt:\n{calls}"
    );
}

#[test]
#[ignore = "needs to be root: tests/faults/run.sh runs this"]
fn on_a_full_disk_and_on_one_that_may_not_be_written_to_the_state_is_as_before() {
    let full = each(|operation| {
        let full = fill(operation);
        println!("{}: {full} disks that were too small", operation.name());
    });
    assert!(full >= 30);
}

/// What needs no strace: the programs abort at their own durable steps.
#[test]
fn wherever_a_program_aborts_the_state_is_as_before_or_as_after() {
    each(|operation| {
        let steps = abort(operation);
        println!("{}: {steps} steps", operation.name());
    });
}

/// `ONLY=synchronization` is for the operations in whose name that stands.
fn wanted(name: &str) -> bool {
    let operation = name.split(':').next().unwrap_or_default();
    std::env::var("ONLY").map_or(true, |only| operation.contains(&only))
}

/// Does something with each operation, with as many hands as there are processors. How many there were.
fn each(act: impl Fn(&mut dyn Operation) + Sync) -> usize {
    let operations = operations();
    let next = AtomicUsize::new(0);
    let hand = || {
        while let Some(make) = operations.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut operation = make();
            if !wanted(operation.name()) {
                continue;
            }
            act(&mut *operation);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(hand);
        }
    });
    operations.len()
}

/// All operations of both programs. Each is prepared by whoever does it.
fn operations() -> Vec<MakeOperation> {
    let servers = license_server::CASES.iter().map(|case| Box::new(|| case.at_a_site()) as MakeOperation);
    let main_servers = main_server::CASES.iter().map(|case| Box::new(|| case.at_a_site()) as MakeOperation);
    servers.chain(main_servers).collect()
}

type MakeOperation = Box<dyn Fn() -> Box<dyn Operation> + Send + Sync>;
