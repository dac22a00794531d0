//! The core that decides: no I/O, no clock, no randomness. Times, ids and keys are arguments; what to do is the result.

mod answer;
mod automatic;
mod changes;
mod check;
mod doctor;
mod exchange;
mod failure;
mod file_failure;
mod issue;
mod outstanding;
mod proxy;
mod proxy_failure;
mod refused;
mod service;
mod state;
mod times;

pub use answer::HttpAnswer;
pub(crate) use answer::{Answered, MAX_ANSWER, interpret_answer, interpret_payload};
pub(crate) use automatic::{FIRST_WARNING, Mode, Schedule, TimeLeft, next_warning_at};
pub(crate) use changes::{Changes, changes_between};
pub(crate) use check::{CheckedReceipt, CheckedRefusal, read_receipt, read_refusal};
pub use check::{PayloadWrong, Wrong};
pub(crate) use doctor::{
    Check, Finding, Found, Network, PortAnswer, interpret_health, interpret_no_payload, no_network,
};
pub(crate) use exchange::{Answer, Asked, End, Exchange, Round};
pub use failure::Role;
pub(crate) use failure::{Failure, PortFault};
pub(crate) use file_failure::FileFailure;
pub use issue::Rule;
pub(crate) use issue::may_issue;
pub use outstanding::{Consequence, Fate};
pub(crate) use outstanding::{Outstanding, RequestDamaged, new_request};
pub(crate) use proxy::{ProxyWord, Via};
pub(crate) use proxy_failure::ProxyFailure;
pub(crate) use refused::{Carrier, Meaning, cure_of, meaning, refusal_is_transient};
pub(crate) use service::{Due, Warning};
pub(crate) use state::{Applied, Identity, LastReceipt, LocalServer, Stored};
pub use state::{Sealed, Tampering};
pub use times::{ClockWrong, Times};
pub(crate) use times::{SKEW_WORTH_SAYING, in_words, skew};
