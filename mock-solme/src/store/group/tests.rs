//! Groups of writers, made to meet: each waits, within its change, for the others to be waiting for their turn.

use std::path::Path;
use std::sync::Barrier;
use std::task::{Context, Waker};
use std::thread;

use super::super::readers::Readers;
use super::super::thread::WriterThread;
use super::*;
use crate::seams::{DurableStep, Moment, Seams};

/// A table in a file, and what is told of its durable steps.
fn groups(directory: &Path, tell: impl Fn(DurableStep) + Send + Sync + 'static) -> Groups {
    let connection = open(&directory.join("state.sqlite"));
    connection.execute_batch("CREATE TABLE word (word TEXT PRIMARY KEY)").unwrap();
    let seams = Seams { durable_step: Box::new(tell), ..Seams::default() };
    Groups::new(connection, Some(DurableSteps::new(seams)))
}

fn open(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection
}

fn words(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT word FROM word ORDER BY word").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn add(connection: &Connection, word: &str) -> Result<(), StoreError> {
    connection.execute("INSERT INTO word VALUES (?1)", [word])?;
    Ok(())
}

fn wait_until_waiting(groups: &Groups, how_many: usize) {
    while groups.waiting() < how_many {
        thread::yield_now();
    }
}

type Change = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

fn change(change: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static) -> Change {
    Box::new(change)
}

/// One group of these changes, the first one first. What each was told; none where it has panicked.
fn together(groups: &Groups, changes: Vec<Change>) -> Vec<Option<Result<(), String>>> {
    together_and(groups, changes, |_| {})
}

/// The same; each does something as soon as its change was made.
fn together_and(groups: &Groups, changes: Vec<Change>, made: impl Fn(usize) + Sync) -> Vec<Option<Result<(), String>>> {
    let others = changes.len() - 1;
    let first_is_in = Barrier::new(changes.len());
    thread::scope(|scope| {
        let threads: Vec<_> = changes
            .into_iter()
            .enumerate()
            .map(|(number, change)| {
                let (first_is_in, made) = (&first_is_in, &made);
                scope.spawn(move || {
                    if number > 0 {
                        first_is_in.wait();
                    }
                    let result = groups.write("change", |connection| {
                        if number == 0 {
                            first_is_in.wait();
                            wait_until_waiting(groups, others);
                        }
                        change(connection)
                    });
                    made(number);
                    result
                })
            })
            .collect();
        let told = |result: Result<(), StoreError>| result.map_err(|error| error.to_string());
        threads.into_iter().map(|thread| thread.join().ok().map(told)).collect()
    })
}

/// What would be there after a power failure now.
fn after_a_power_failure(directory: &Path) -> Vec<String> {
    let copy = tempfile::tempdir().unwrap();
    for file in ["state.sqlite", "state.sqlite-wal"] {
        if directory.join(file).exists() {
            std::fs::copy(directory.join(file), copy.path().join(file)).unwrap();
        }
    }
    words(&open(&copy.path().join("state.sqlite")))
}

#[test]
fn those_who_wait_while_another_one_writes_share_its_commit_whole_before_anybody_hears_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_owned();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let groups = groups(directory.path(), {
        let (place, seen) = (place.clone(), Arc::clone(&seen));
        move |step| seen.lock().unwrap().push((step.moment, after_a_power_failure(&place)))
    });
    let writer = |word: &'static str| change(move |connection| add(connection, word));
    let all = ["a", "b", "c"].map(str::to_owned).to_vec();
    let told = together_and(&groups, vec![writer("a"), writer("b"), writer("c")], |_| {
        assert_eq!(after_a_power_failure(&place), all);
    });
    assert!(told.iter().all(|told| *told == Some(Ok(()))), "{told:?}");
    assert_eq!(*seen.lock().unwrap(), [(Moment::Before, Vec::new()), (Moment::After, all)]);
}

#[test]
fn a_member_that_fails_or_panics_takes_back_its_own_change_and_nobody_elses() {
    let directory = tempfile::tempdir().unwrap();
    let groups = groups(directory.path(), |_| {});
    let fails = |word: &'static str| {
        change(move |connection| {
            add(connection, word)?;
            Err(StoreError::Damaged("on purpose".to_owned()))
        })
    };
    let panics = change(|connection| {
        add(connection, "panics").unwrap();
        panic!("on purpose")
    });
    let works = |word: &'static str| change(move |connection| add(connection, word));
    let told = together(&groups, vec![works("a"), fails("b"), panics, works("d")]);
    assert_eq!((&told[0], &told[3]), (&Some(Ok(())), &Some(Ok(()))));
    assert!(told[1].as_ref().is_some_and(Result::is_err) && told[2].is_none(), "{told:?}");
    assert_eq!(after_a_power_failure(directory.path()), ["a", "d"]);

    // The first one has no savepoint: its failure ends the transaction, and the others have one of their own.
    let told = together(&groups, vec![fails("e"), works("f"), works("g")]);
    assert!(told[0].as_ref().is_some_and(Result::is_err), "{told:?}");
    assert_eq!(told[1..], [Some(Ok(())), Some(Ok(()))]);
    assert_eq!(after_a_power_failure(directory.path()), ["a", "d", "f", "g"]);
}

#[test]
fn a_commit_that_fails_is_told_to_every_member_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let groups = groups(directory.path(), |_| {});
    let deferred = "CREATE TABLE pair (a TEXT REFERENCES word (word) DEFERRABLE INITIALLY DEFERRED);";
    groups.writer.lock().unwrap().connection.execute_batch(&format!("PRAGMA foreign_keys = ON; {deferred}")).unwrap();
    let spoils = change(|connection| {
        connection.execute("INSERT INTO pair VALUES ('nobody')", [])?;
        Ok(())
    });
    let works = change(|connection| add(connection, "a"));
    let told = together(&groups, vec![works, spoils]);
    assert!(told.iter().all(|result| result.as_ref().is_some_and(Result::is_err)), "{told:?}");
    assert_eq!(after_a_power_failure(directory.path()), [""; 0]);
    assert_eq!(together(&groups, vec![change(|connection| add(connection, "b"))]), [Some(Ok(()))]);
    assert_eq!(after_a_power_failure(directory.path()), ["b"]);
}

#[test]
fn a_reader_beside_waits_for_no_group_and_sees_what_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state.sqlite");
    let readers = Arc::new(Readers::new(&file));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let groups = groups(directory.path(), {
        let (readers, seen) = (Arc::clone(&readers), Arc::clone(&seen));
        move |_| seen.lock().unwrap().push(readers.read(|connection| Ok(words(connection))).unwrap())
    });
    let write = groups.write("change", |connection| {
        add(connection, "a")?;
        assert_eq!(readers.read(|connection| Ok(words(connection)))?, [""; 0]);
        Ok::<_, StoreError>(())
    });
    write.unwrap();
    assert_eq!(*seen.lock().unwrap(), [vec![], vec!["a".to_owned()]]);
}

#[test]
fn the_thread_makes_one_group_of_what_has_come_and_tells_each_what_became_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let commits = Arc::new(AtomicUsize::new(0));
    let groups = Arc::new(groups(directory.path(), {
        let commits = Arc::clone(&commits);
        move |step| {
            commits.fetch_add(usize::from(step.moment == Moment::Before), Ordering::SeqCst);
        }
    }));
    let thread = WriterThread::start(Arc::clone(&groups)).unwrap();
    let change = |word: &'static str| {
        thread.write("change", move |connection| {
            add(connection, word)?;
            match word {
                "fails" => Err(StoreError::Damaged("on purpose".to_owned())),
                "panics" => panic!("on purpose"),
                _ => Ok(word),
            }
        })
    };
    let mut told: Vec<_> = ["fails", "a", "b", "fails", "panics", "c"].map(change).map(Box::pin).into();
    let hold = groups.write("hold", |_| {
        let mut context = Context::from_waker(Waker::noop());
        assert!(told.iter_mut().all(|told| told.as_mut().poll(&mut context).is_pending()));
        wait_until_waiting(&groups, 1);
        Ok::<_, StoreError>(())
    });
    hold.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let told = told.into_iter().map(|told| catch_unwind(AssertUnwindSafe(|| runtime.block_on(told).ok())).ok());
    let expected = [Some(None), Some(Some("a")), Some(Some("b")), Some(None), None, Some(Some("c"))];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(after_a_power_failure(directory.path()), ["a", "b", "c"]);
    assert_eq!(commits.load(Ordering::SeqCst), 1);
}

#[test]
fn a_group_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let steps = Arc::new(AtomicUsize::new(0));
    let groups = groups(directory.path(), {
        let steps = Arc::clone(&steps);
        move |step| {
            steps.fetch_add(usize::from(step.moment == Moment::After), Ordering::SeqCst);
        }
    });
    let changes = |n: usize| (0..n).map(|n| change(move |connection| add(connection, &format!("{n:03}")))).collect();
    assert!(together(&groups, changes(MEMBERS + 1)).iter().all(|told| *told == Some(Ok(()))));
    assert_eq!(steps.load(Ordering::SeqCst), 2);
    assert_eq!(after_a_power_failure(directory.path()).len(), MEMBERS + 1);
}
