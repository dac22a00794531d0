//! Where tests reach into an ordinary run. Never a cargo feature: a workspace build would unite those.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::conduct::{Conduct, Protocol};

/// What a run can be given besides its arguments. The default is an ordinary run.
pub struct Seams {
    /// Called before and after each durable step, on the thread that does it. A test aborts the process there.
    pub durable_step: Box<dyn Fn(DurableStep) + Send + Sync>,
    /// What the main server does.
    pub conduct: Arc<dyn Conduct>,
}

impl Default for Seams {
    fn default() -> Self {
        Self { durable_step: Box::new(|_| {}), conduct: Arc::new(Protocol) }
    }
}

impl fmt::Debug for Seams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seams").field("conduct", &self.conduct).finish_non_exhaustive()
    }
}

/// A step after which something is on disk that was not there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableStep {
    /// From 1, counted in this process.
    pub number: u64,
    /// What is made durable.
    pub name: &'static str,
    /// Whether it is about to happen, or has happened.
    pub moment: Moment,
}

/// Which side of a durable step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of it is on disk yet.
    Before,
    /// All of it is on disk.
    After,
}

/// Counts the durable steps of one main server, and tells the seam of each.
#[derive(Clone)]
pub(crate) struct DurableSteps {
    seams: Arc<Seams>,
    taken: Arc<AtomicU64>,
}

impl DurableSteps {
    pub(crate) fn new(seams: Seams) -> Self {
        Self { seams: Arc::new(seams), taken: Arc::default() }
    }

    /// Does one step, and tells the seam before and after.
    pub(crate) fn step<T, E>(&self, name: &'static str, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let number = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
        (self.seams.durable_step)(DurableStep { number, name, moment: Moment::Before });
        let done = act()?;
        (self.seams.durable_step)(DurableStep { number, name, moment: Moment::After });
        Ok(done)
    }
}
