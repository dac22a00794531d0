//! The cases, a file for each section of PROTOCOL.md, or two where there are many.

mod accepting;
mod allocation;
mod catalogue;
mod clearing;
mod defects;
mod direct;
mod encodings;
mod file;
mod keys;
mod readable;
mod receipt;
mod refusal;
mod request;
mod rules;
mod signed_messages;

use solme_sync_protocol::{InvalidRequestReason, ProblemCode, UtcTime};

use super::draft::Object;
use super::stage::{LicenseServer, Site, Stage};
use crate::conformance::{Case, Finding, Outcome};

/// All cases, in the order of the page.
pub(super) fn all() -> Vec<Case<Stage>> {
    let mut cases: Vec<Case<Stage>> = [
        encodings::cases(),
        keys::cases(),
        signed_messages::cases(),
        request::cases(),
        receipt::cases(),
        allocation::cases(),
        refusal::cases(),
        readable::cases(),
        rules::cases(),
        accepting::cases(),
        catalogue::cases(),
        direct::cases(),
        file::cases(),
        clearing::cases(),
        defects::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let place = |clause: &str| clause.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect::<Vec<_>>();
    cases.sort_by_key(|case| place(case.clause));
    cases
}

/// Names the variant that a finding is about.
fn of<T>(variant: &str, found: Result<T, Finding>) -> Result<T, Finding> {
    found.map_err(|finding| match finding {
        Finding::Deviates { expected, got } => Finding::Deviates { expected: format!("{variant}: {expected}"), got },
        other => other,
    })
}

/// Passes where each of these cannot be tied to a request, and gets an unsigned problem (9.1).
async fn all_unreadable(site: &Site, variants: impl IntoIterator<Item = (&str, String)>) -> Outcome {
    for (variant, text) in variants {
        let answer = of(variant, site.send(&text).await)?;
        of(variant, answer.problem(ProblemCode::UnreadableRequest))?;
    }
    Ok(())
}

/// Passes where both are main server time; a minute lies between them on a very slow machine.
fn near(first: UtcTime, second: UtcTime) -> Outcome {
    if second.since(first) < 60 && first.since(second) == 0 {
        return Ok(());
    }
    let expected = format!("an iat of main server time, {} or a little later", first.as_secs());
    Err(Finding::deviates(expected, second.as_secs().to_string()))
}

/// What is done to an honest payload.
type Change = fn(&mut Object);

/// Passes where each of these payloads gets `malformed-claims` (9.8).
async fn all_malformed(server: &LicenseServer, variants: impl IntoIterator<Item = (&str, fn(&mut Object))>) -> Outcome {
    for (variant, change) in variants {
        let answer = of(variant, server.send(&server.request_with(change)).await)?;
        of(variant, answer.invalid(InvalidRequestReason::MalformedClaims))?;
    }
    Ok(())
}
