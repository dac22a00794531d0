//! Section 11: what the local server checks.

use std::fs;
use std::path::Path;

use super::stage::{Stage, broken};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "11.9" Must what_was_stored_is_there_in_the_next_run;
        "11.12" Must a_license_number_changed_in_the_state_is_found;
        "11.12" Must a_signature_changed_in_the_state_is_found;
        "11.12" Must a_synchronization_heals_what_was_tampered_with;
    }
}

async fn what_was_stored_is_there_in_the_next_run(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let (first, second) = (server.status().await?, server.status().await?);
    Finding::unless_equal(&first, &second)?;
    Finding::unless_equal(&vec![stage.license.to_string()], &second.licenses)
}

async fn a_license_number_changed_in_the_state_is_found(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    forge(stage, &server.state)?;
    server.is("tampered").await?;
    server.does_not_issue().await
}

async fn a_signature_changed_in_the_state_is_found(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let receipt = stage.exchanges().pop().map(|exchange| exchange.answer).unwrap_or_default();
    // The last characters of a signature, which holds no unused bits.
    let (kept, last) = receipt.split_at(receipt.len().saturating_sub(4));
    let forged = format!("{kept}{}", if last == "AAAA" { "BBBB" } else { "AAAA" });
    if replace(&server.state, receipt.as_bytes(), forged.as_bytes()).map_err(broken)? == 0 {
        return Err(Finding::Skipped("the state directory does not hold the receipt in clear".to_owned()));
    }
    server.is("tampered").await?;
    server.does_not_issue().await
}

async fn a_synchronization_heals_what_was_tampered_with(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    forge(stage, &server.state)?;
    server.is("tampered").await?;
    server.synchronize().await?.expect_synchronized()?;
    server.is("synchronized").await?;
    server.issues().await
}

/// Writes another license number over the one in the state, wherever that stands in clear.
fn forge(stage: &Stage, state: &Path) -> Outcome {
    let number = stage.license.as_str();
    let other = if number.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{other}", &number[..number.len() - 1]);
    if replace(state, number.as_bytes(), forged.as_bytes()).map_err(broken)? == 0 {
        return Err(Finding::Skipped("the state directory does not hold the license number in clear".to_owned()));
    }
    Ok(())
}

fn replace(path: &Path, old: &[u8], new: &[u8]) -> std::io::Result<usize> {
    if path.is_dir() {
        return fs::read_dir(path)?.map(|entry| replace(&entry?.path(), old, new)).sum();
    }
    let mut bytes = fs::read(path)?;
    let places: Vec<usize> =
        bytes.windows(old.len()).enumerate().filter(|(_, at)| *at == old).map(|(n, _)| n).collect();
    for place in &places {
        bytes[*place..*place + new.len()].copy_from_slice(new);
    }
    if !places.is_empty() {
        fs::write(path, bytes)?;
    }
    Ok(places.len())
}
