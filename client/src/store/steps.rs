//! Durable steps, numbered, so that a test can stop the process before and after each of them.

use std::cell::Cell;
use std::rc::Rc;

use crate::seams::{DurableStep, Moment};

/// Counts the durable steps of one run.
#[derive(Clone)]
pub(crate) struct DurableSteps(Rc<Counter>);

struct Counter {
    done: Cell<u64>,
    hook: Option<Box<dyn Fn(DurableStep)>>,
}

impl DurableSteps {
    pub(crate) fn new(hook: Option<Box<dyn Fn(DurableStep)>>) -> Self {
        Self(Rc::new(Counter { done: Cell::new(0), hook }))
    }

    pub(crate) fn take<T, E>(&self, name: &'static str, step: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let number = self.0.done.get() + 1;
        self.0.done.set(number);
        self.tell(DurableStep { number, name, moment: Moment::Before });
        let done = step()?;
        self.tell(DurableStep { number, name, moment: Moment::After });
        Ok(done)
    }

    fn tell(&self, step: DurableStep) {
        if let Some(hook) = &self.0.hook {
            hook(step);
        }
    }
}
