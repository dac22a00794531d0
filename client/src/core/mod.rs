//! The core that decides: no I/O, no clock, no randomness. Times, ids and keys are arguments; what to do is the result.

mod answer;
mod automatic;
mod changes;
mod check;
mod doctor;
mod failure;
mod file_failure;
mod issue;
mod outstanding;
mod proxy;
mod proxy_failure;
mod refused;
mod state;
mod times;

pub(crate) use answer::{Answered, HttpAnswer, MAX_ANSWER, interpret_answer, interpret_payload};
pub(crate) use automatic::{FIRST_WARNING, Mode, Schedule, TimeLeft, next_warning_at};
pub(crate) use changes::{Changes, changes_between};
pub(crate) use check::{CheckedReceipt, CheckedRefusal, PayloadWrong, Wrong, read_receipt, read_refusal};
pub(crate) use doctor::{
    Check, Finding, Found, Network, PortAnswer, interpret_health, interpret_no_payload, no_network,
};
pub(crate) use failure::{Failure, PortFault, Role};
pub(crate) use file_failure::FileFailure;
pub(crate) use issue::{Rule, may_issue};
pub(crate) use outstanding::{Fate, Outstanding, RequestDamaged, fate, new_request};
pub(crate) use proxy::{ProxyWord, Via};
pub(crate) use proxy_failure::ProxyFailure;
pub(crate) use refused::{Carrier, Meaning, cure_of, meaning};
pub(crate) use state::{Applied, Identity, LastReceipt, LocalServer, Stored};
pub(crate) use times::{ClockWrong, SKEW_WORTH_SAYING, Times, in_words, skew};
