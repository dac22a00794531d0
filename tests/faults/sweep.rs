//! The sweep: an operation is watched once, and then done again for each of its durable calls and each thing that can go
//! wrong with it. After each, what the programs say is as before or as after.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::disk::Disk;
use crate::power::{self, bring_back, moments};
use crate::strace::{CONNECT, Call, Fault, Strace, Wrong};

/// How an operation ended, for whoever asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Done,
    /// Anything else: an error, or no answer at all.
    NotDone,
    /// It could not be asked for.
    NotTried,
}

/// What the programs say of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The same for the same state.
    pub(crate) state: Value,
    /// The number of the last synchronization, which only grows: one that comes again after a lost answer is followed by
    /// one more (P 12.5).
    pub(crate) sequence: u64,
}

impl Seen {
    /// Whether it is the state of `other`, or that with a synchronization more.
    fn is(&self, other: &Self) -> bool {
        self.state == other.state && (other.sequence..=other.sequence + 1).contains(&self.sequence)
    }

    /// In what it differs.
    fn against(&self, other: &Self) -> String {
        let (Value::Object(found), Value::Object(expected)) = (&self.state, &other.state) else { return String::new() };
        let mut text = format!("sequence {} and {}", self.sequence, other.sequence);
        for (name, value) in found.iter().filter(|(name, value)| expected.get(*name) != Some(*value)) {
            let _ = write!(text, "; {name} {value} and {}", expected.get(name).unwrap_or(&Value::Null));
        }
        text
    }
}

/// What an operation is done under.
#[derive(Clone, Copy)]
pub(crate) enum Under<'a> {
    Strace(&'a Strace),
    /// The program aborts at a durable step of its own: `before:3`.
    Abort(&'a str),
    Disk(Disk),
}

/// A durable operation of a program, and the place where it is done.
pub(crate) trait Operation {
    fn name(&self) -> &'static str;
    /// Whose calls count.
    fn folder(&self) -> &Path;
    /// Where the state is, and a copy of it as it was when the watch began.
    fn state(&self) -> (&Path, PathBuf);
    /// Another directory that it uses, and a copy of it as it was.
    fn beside(&self) -> Option<(PathBuf, PathBuf)> {
        None
    }
    /// Everything as before the operation.
    fn begin(&mut self);
    /// Does it. The program has ended when this returns, if it is one that goes on.
    fn act(&mut self, under: Under<'_>) -> Told;
    /// What the programs say of the state, after a restart.
    fn look(&mut self) -> Seen;
    /// Does it again, without strace.
    fn again(&mut self) -> Told;
    /// The other side has got as far as it was when this was done for the first time.
    fn other_side_went_on(&mut self);
}

/// What a sweep has found.
pub(crate) struct Swept {
    pub(crate) name: &'static str,
    /// How many durable calls the operation has, by name.
    pub(crate) calls: String,
    pub(crate) faults: usize,
    pub(crate) violations: Vec<String>,
}

/// Sweeps one operation; with `COUNT=1` its calls are counted and nothing goes wrong.
pub(crate) fn sweep(operation: &mut dyn Operation, logs: &Path) -> Swept {
    operation.begin();
    let before = operation.look();
    operation.begin();
    let strace = Strace::new(logs, None);
    assert_eq!(operation.act(Under::Strace(&strace)), Told::Done, "{}, without any fault", operation.name());
    let all = strace.calls(operation.folder());
    let (state, copy) = operation.state();
    let mut disk = power::Disk::of(&copy, state);
    if let Some((beside, copy)) = operation.beside() {
        disk = disk.and(&copy, &beside);
    }
    let moments = moments(disk, &all);
    let after = operation.look();
    let (connects, calls): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|call| call.name == CONNECT);
    let connects = connects.first().and_then(|first| all.iter().position(|call| call == first)).unwrap_or(all.len());
    let mut swept = Swept { name: operation.name(), calls: counted(&calls), faults: 0, violations: Vec::new() };
    if std::env::var_os("COUNT").is_some() {
        return swept;
    }
    for fault in calls.iter().flat_map(Fault::all) {
        swept.faults += 1;
        if let Err(violation) = endure(operation, &fault, logs, &before, &after) {
            let Fault { call, wrong } = &fault;
            let (name, number, file) = (&call.name, call.number, call.file().display());
            swept.violations.push(format!("{}: {wrong:?} at {name} {number} of {file}: {violation}", swept.name));
        }
    }
    for (made, kept, remains) in moments {
        swept.faults += 1;
        operation.begin();
        if made > connects {
            operation.other_side_went_on();
        }
        bring_back(&remains, operation.state().0);
        let told = if made == all.len() { Told::Done } else { Told::NotDone };
        if let Err(violation) = whole(operation, told, &before, &after) {
            let last = made.checked_sub(1).map(|last| &all[last]);
            let last = last.map_or("nothing".to_owned(), |call| format!("{} of {}", call.name, call.file().display()));
            swept.violations.push(format!(
                "{}: the power failed after call {made}, {last}; {kept:?} was kept: {violation}",
                swept.name
            ));
        }
    }
    swept
}

fn endure(
    operation: &mut dyn Operation,
    fault: &Fault,
    logs: &Path,
    before: &Seen,
    after: &Seen,
) -> Result<(), String> {
    operation.begin();
    let strace = Strace::new(logs, Some(fault));
    let told = operation.act(Under::Strace(&strace));
    if fault.wrong == Wrong::Torn {
        tear(&fault.call, &strace.calls(operation.folder()));
    } else if let Wrong::Error(_) = fault.wrong {
        let fired = strace.calls(operation.folder()).iter().any(|call| call.injected);
        fired.then_some(()).ok_or("the fault was not met")?;
    }
    whole(operation, told, before, after)
}

/// Does one operation on a disk that may not be written to, and on larger and larger ones until it is done: how many
/// disks were too small for it.
pub(crate) fn fill(operation: &mut dyn Operation) -> usize {
    /// What the operation needs is less than this, in KiB.
    const LARGEST: u32 = 4_096;
    operation.begin();
    let before = operation.look();
    operation.begin();
    assert_eq!(operation.act(Under::Abort("never")), Told::Done, "{}", operation.name());
    let after = operation.look();
    let mut full = 0;
    for disk in [Disk::ReadOnly].into_iter().chain((4..=LARGEST).step_by(4).map(Disk::Of)) {
        operation.begin();
        let told = operation.act(Under::Disk(disk));
        if told == Told::NotTried {
            continue;
        }
        let whole = whole(operation, told, &before, &after);
        whole.unwrap_or_else(|violation| panic!("{}, {disk:?}: {violation}", operation.name()));
        if told == Told::Done && disk != Disk::ReadOnly {
            return full;
        }
        full += 1;
    }
    panic!("{} is not done on a disk of {LARGEST} KiB", operation.name());
}

/// Aborts one operation before and after each of its durable steps, as the program counts them. How many there are.
pub(crate) fn abort(operation: &mut dyn Operation) -> usize {
    /// More than any operation has.
    const STEPS: usize = 60;
    operation.begin();
    let before = operation.look();
    operation.begin();
    assert_eq!(operation.act(Under::Abort("never")), Told::Done, "{}", operation.name());
    let after = operation.look();
    let mut steps = 0;
    for moment in ["before", "after"] {
        for number in 1..=STEPS {
            operation.begin();
            let at = format!("{moment}:{number}");
            if operation.act(Under::Abort(&at)) == Told::Done {
                break;
            }
            steps += 1;
            let whole = whole(operation, Told::NotDone, &before, &after);
            whole.unwrap_or_else(|violation| panic!("{}, aborted {at}: {violation}", operation.name()));
            assert!(number < STEPS, "{}, {at}: it does not end", operation.name());
        }
    }
    steps / 2
}

/// The state is as before or as after; as after, if that was told. What was not done can be done.
fn whole(operation: &mut dyn Operation, told: Told, before: &Seen, after: &Seen) -> Result<(), String> {
    let found = operation.look();
    if found.is(after) {
        return Ok(());
    }
    if !found.is(before) || told == Told::Done {
        let (of_before, of_after) = (found.against(before), found.against(after));
        return Err(format!("told {told:?}. Found and before: {of_before}. Found and after: {of_after}"));
    }
    let again = operation.again();
    let settled = operation.look();
    if settled.is(after) && again == Told::Done {
        return Ok(());
    }
    Err(format!("done again ({again:?}). Found and after: {}", settled.against(after)))
}

/// Does the half of a write at which the process was killed.
fn tear(planned: &Call, calls: &[Call]) {
    let Some(call) = calls.iter().rfind(|call| call.name == planned.name && !call.succeeded) else {
        return; // another thread was killed meanwhile, before it came to this
    };
    let half = &call.bytes[..call.bytes.len() / 2];
    let Ok(file) = File::options().write(true).open(call.file()) else { return };
    let place = if call.name == "write" { fs::metadata(call.file()).unwrap().len() } else { call.place };
    file.write_all_at(half, place).unwrap();
}

/// `fsync 2, openat 3`. How many pages SQLite writes before a sync depends on what is in them; its steps are the syncs.
fn counted(calls: &[Call]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for call in calls.iter().filter(|call| call.name != "pwrite64") {
        *counts.entry(&call.name).or_default() += 1;
    }
    let mut text = String::new();
    for (name, count) in counts {
        let _ = write!(text, "{}{name} {count}", if text.is_empty() { "" } else { ", " });
    }
    text
}
