//! A thread that makes the changes of those who must not wait on theirs. What has come by the time it is back from the
//! disk is one group.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::StoreError;
use super::group::{Change, Groups, MEMBERS};

/// Ends when it is dropped, after the changes that it was given.
pub(super) struct WriterThread {
    changes: Option<mpsc::Sender<Change>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterThread {
    pub(super) fn start(groups: Arc<Groups>) -> std::io::Result<Self> {
        let (changes, given) = mpsc::channel();
        let write = move || {
            while let Ok(first) = given.recv() {
                groups.write_all(std::iter::once(first).chain(given.try_iter().take(MEMBERS - 1)));
            }
        };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(write)?;
        Ok(Self { changes: Some(changes), thread: Some(thread) })
    }

    /// As [`Groups::write`], elsewhere. Once this was polled the change is made, even if nobody waits for it any more.
    pub(super) async fn write<T, E>(
        &self,
        name: &'static str,
        write: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (tell, told) = oneshot::channel::<Result<Result<T, E>, Box<dyn Any + Send>>>();
        let change: Change = Box::new(move |writer| {
            let made = catch_unwind(AssertUnwindSafe(|| writer.member(name, write)));
            Box::new(move |ended| drop(tell.send(made.map(|made| made.and_then(|done| Ok(ended.map(|()| done)?))))))
        });
        if let Some(changes) = &self.changes {
            let _ = changes.send(change); // if it has ended, `told` says so
        }
        match told.await {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(StoreError::NotCommitted("its thread has ended".to_owned()).into()),
        }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the store's thread has panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_thread_has_ended_when_it_is_dropped() {
        let groups = Arc::new(Groups::new(Connection::open_in_memory().unwrap(), None));
        let thread = WriterThread::start(Arc::clone(&groups)).unwrap();
        drop(thread);
        assert_eq!(Arc::strong_count(&groups), 1, "nothing is written any more once a store is closed");
    }
}
