//! Section 7: what is allocated.

use std::collections::BTreeMap;

use mock_solme::NewLicense;
use solme_sync_protocol::{BASE, Component};

use super::stage::Stage;
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "7.1" Must what_is_added_is_issued;
        "7.1" Must what_is_removed_is_no_longer_issued;
        "7.1" Must what_is_removed_is_issued_until_the_next_synchronization;
        "7.1" Must an_empty_allocation_leaves_nothing_to_issue;
        "7.1" Must one_snapshot_may_add_and_remove_at_once;
        "7.2" Must an_unknown_component_is_accepted;
        "7.2" Must all_members_may_be_used;
        "7.3" Must a_large_payload_opens;
    }
}

async fn what_is_added_is_issued(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let new = stage.allocate(NewLicense::default())?;
    if server.may_issue_license(&new).await? {
        return Err(Finding::deviates("no license for an unknown number", "it may be issued"));
    }
    let changes = server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&vec![new.to_string()], &changes.added)?;
    Finding::unless_equal(&true, &server.may_issue_license(&new).await?)
}

async fn what_is_removed_is_no_longer_issued(stage: &Stage) -> Outcome {
    let second = stage.allocate(NewLicense::default())?;
    let server = stage.synchronized_server("a").await?;
    stage.remove(&second)?;
    let changes = server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&vec![second.to_string()], &changes.removed)?;
    Finding::unless_equal(&vec![stage.license.to_string()], &server.status().await?.licenses)?;
    Finding::unless_equal(&false, &server.may_issue_license(&second).await?)?;
    Finding::unless_equal(&true, &server.may_issue_license(&stage.license).await?)
}

async fn what_is_removed_is_issued_until_the_next_synchronization(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.remove(&stage.license)?;
    Finding::unless_equal(&true, &server.may_issue_license(&stage.license).await?)
}

async fn an_empty_allocation_leaves_nothing_to_issue(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.remove(&stage.license)?;
    server.synchronize().await?.expect_synchronized()?;
    let status = server.status().await?;
    Finding::unless_equal(&("synchronized".to_owned(), Vec::new()), &(status.state, status.licenses))?;
    server.does_not_issue().await
}

async fn one_snapshot_may_add_and_remove_at_once(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let new = stage.allocate(NewLicense::default())?;
    stage.remove(&stage.license)?;
    let changes = server.synchronize().await?.expect_synchronized()?;
    let wanted = (vec![new.to_string()], vec![stage.license.to_string()], Vec::new());
    Finding::unless_equal(&wanted, &(changes.added, changes.removed, changes.changed))
}

async fn an_unknown_component_is_accepted(stage: &Stage) -> Outcome {
    let components = Some(vec![component(BASE, "Base"), component("ZZZZZZZZZZZZZZZZ", "Of next year")]);
    let number = stage.allocate(NewLicense { components, ..NewLicense::default() })?;
    let server = stage.synchronized_server("a").await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)
}

async fn all_members_may_be_used(stage: &Stage) -> Outcome {
    let properties = BTreeMap::from([("contract".to_owned(), "Größe 4711".to_owned())]);
    let number = stage.allocate(NewLicense {
        display: Some("Plant 2 / night shift".to_owned()),
        domain: Some("Night Shift".to_owned()),
        expires_at: Some(None),
        properties,
        ..NewLicense::default()
    })?;
    let server = stage.synchronized_server("a").await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)
}

async fn a_large_payload_opens(stage: &Stage) -> Outcome {
    // Half a megabyte, so that it comes in many pieces.
    let properties: BTreeMap<String, String> = (0..40).map(|n| (format!("note {n}"), "x".repeat(250))).collect();
    for _ in 0..50 {
        stage.allocate(NewLicense { properties: properties.clone(), ..NewLicense::default() })?;
    }
    let server = stage.synchronized_server("a").await?;
    Finding::unless_equal(&51, &server.status().await?.licenses.len())
}

fn component(id: &str, name: &str) -> Component {
    Component { id: id.parse().expect("an id of 16 characters"), name: name.to_owned(), max_users: 5 }
}
