//! Group commit: those who want to write while others do share one transaction, and one wait for the disk.
//!
//! Members make their changes one after the other, under the lock: an operator on the thread of the call, License Servers on
//! the one of [`super::thread`]. So the rules that each evaluates see what those before it have done. A member that fails takes back its own change and nobody else's. The last one
//! that finds nobody waiting commits for all, and no member learns its result before that (P 9.13).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::{StoreError, execute};
use crate::seams::DurableSteps;

/// Members of a group. Later ones form the next, so that nobody waits for long.
pub(super) const MEMBERS: usize = 64;

/// A change that somebody waits for elsewhere. Once it was made it is told what became of its group.
pub(super) type Change = Box<dyn FnOnce(&mut Writer) -> Tell + Send>;
pub(super) type Tell = Box<dyn FnOnce(Result<(), StoreError>)>;

/// One connection, and whoever uses it.
pub(super) struct Groups {
    writer: Mutex<Writer>,
    /// Those who are about to take the lock of `writer`.
    waiting: AtomicUsize,
    /// Counts and reports commits; `None` in memory, where nothing is durable and nobody gains by waiting.
    steps: Option<DurableSteps>,
}

pub(super) struct Writer {
    connection: Connection,
    /// The group whose transaction is open; none, where there is no transaction.
    open: Option<Group>,
}

#[derive(Clone)]
struct Group {
    /// What its first member does, for the durable step.
    name: &'static str,
    members: usize,
    end: Arc<End>,
}

/// What became of a group.
#[derive(Default)]
struct End {
    result: Mutex<Option<Result<(), String>>>,
    reached: Condvar,
}

impl End {
    fn reach(&self, result: Result<(), String>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.reached.notify_all();
    }

    fn wait(&self) -> Result<(), StoreError> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.reached.wait_while(result, |result| result.is_none()).unwrap_or_else(PoisonError::into_inner);
        result.clone().unwrap_or(Ok(())).map_err(StoreError::NotCommitted)
    }
}

impl Groups {
    pub(super) fn new(connection: Connection, steps: Option<DurableSteps>) -> Self {
        Self { writer: Mutex::new(Writer { connection, open: None }), waiting: AtomicUsize::new(0), steps }
    }

    /// Reads with the writer's connection: of what lies in memory, which nobody waits for.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let writer = self.enter();
        let found = catch_unwind(AssertUnwindSafe(|| read(&writer.connection)));
        self.leave(writer);
        found.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Makes a change, durably, or nothing of it.
    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        name: &'static str,
        write: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.enter();
        let done = catch_unwind(AssertUnwindSafe(|| writer.member(name, write)));
        let group = self.leave(writer);
        let done = done.unwrap_or_else(|panic| resume_unwind(panic));
        // What a member was refused for may be another one's change: it waits as well.
        let ended = group.map_or(Ok(()), |group| group.end.wait());
        let done = done?;
        ended?;
        Ok(done)
    }

    /// Makes changes one after the other, and tells each what became of it.
    pub(super) fn write_all(&self, changes: impl Iterator<Item = Change>) {
        let mut writer = self.enter();
        let made: Vec<_> = changes.map(|change| (change(&mut writer), writer.group())).collect();
        self.leave(writer);
        for (tell, group) in made {
            tell(group.map_or(Ok(()), |group| group.end.wait()));
        }
    }

    /// Does what cannot be done in a transaction. The group that is open is committed first.
    pub(super) fn alone<T>(
        &self,
        name: &'static str,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.enter();
        if let Some(group) = writer.open.take() {
            let committed = writer.commit(group.name, self.steps.as_ref());
            group.end.reach(committed.map_err(|error| error.to_string()));
        }
        let act = || act(&mut writer.connection);
        match &self.steps {
            Some(steps) => steps.step(name, act),
            None => act(),
        }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    fn enter(&self) -> MutexGuard<'_, Writer> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        writer
    }

    /// Commits if nobody else is going to. The group that is to be waited for, if there is one.
    fn leave(&self, mut writer: MutexGuard<'_, Writer>) -> Option<Group> {
        let group = writer.group()?;
        let full = group.members >= MEMBERS;
        if full || self.steps.is_none() || self.waiting.load(Ordering::SeqCst) == 0 {
            writer.open = None;
            let committed = writer.commit(group.name, self.steps.as_ref());
            drop(writer);
            group.end.reach(committed.map_err(|error| error.to_string()));
        }
        Some(group)
    }
}

impl Writer {
    /// The group whose transaction is open after a member's change. None if there is nothing to wait for.
    fn group(&mut self) -> Option<Group> {
        if self.connection.is_autocommit() {
            // The only member has failed; or, with a full disk, SQLite has taken back the changes of all.
            self.open.take()?.end.reach(Err("its transaction was rolled back".to_owned()));
        }
        self.open.clone()
    }

    pub(super) fn member<T, E: From<StoreError>>(
        &mut self,
        name: &'static str,
        write: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let first = self.open.is_none();
        execute(&self.connection, if first { "BEGIN IMMEDIATE" } else { "SAVEPOINT member" })?;
        self.open.get_or_insert_with(|| Group { name, members: 0, end: Arc::default() }).members += 1;
        let mut undo = Undo { connection: &self.connection, first, needed: true };
        let done = write(&self.connection)?;
        if !first {
            execute(&self.connection, "RELEASE member")?;
        }
        undo.needed = false;
        Ok(done)
    }

    fn commit(&self, name: &'static str, steps: Option<&DurableSteps>) -> Result<(), StoreError> {
        let commit = || execute(&self.connection, "COMMIT");
        let committed = match steps {
            Some(steps) => steps.step(name, commit),
            None => commit(),
        };
        if committed.is_err() && !self.connection.is_autocommit() {
            roll_back(&self.connection, "ROLLBACK");
        }
        committed
    }
}

/// Takes back what a member has done, if it returns or panics while that is needed.
struct Undo<'a> {
    connection: &'a Connection,
    first: bool,
    needed: bool,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        // With a full disk and the like, SQLite has rolled back everything already.
        if !self.needed || self.connection.is_autocommit() {
            return;
        }
        if self.first {
            roll_back(self.connection, "ROLLBACK");
        } else {
            roll_back(self.connection, "ROLLBACK TO member");
            roll_back(self.connection, "RELEASE member");
        }
    }
}

fn roll_back(connection: &Connection, sql: &str) {
    if let Err(error) = execute(connection, sql) {
        tracing::error!(%error, "the store cannot roll back a failed change");
    }
}

#[cfg(test)]
mod tests;
