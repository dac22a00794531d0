//! Section 7: what is allocated.

use std::collections::BTreeMap;

use mock_solme::NewLicense;
use solme_sync_protocol::{BASE, Component};

use super::must;
use super::stage::Stage;
use crate::conformance::{Case, Finding, Outcome};

pub(super) fn cases() -> Vec<Case<Stage>> {
    vec![
        must("7.1", "what-is-added-is-issued", |s| Box::pin(added(s))),
        must("7.1", "what-is-removed-is-no-longer-issued", |s| Box::pin(removed(s))),
        must("7.1", "what-is-removed-is-issued-until-the-next-synchronization", |s| Box::pin(not_yet_removed(s))),
        must("7.1", "an-empty-allocation-leaves-nothing-to-issue", |s| Box::pin(empty(s))),
        must("7.1", "one-snapshot-may-add-and-remove-at-once", |s| Box::pin(both(s))),
        must("7.2", "an-unknown-component-is-accepted", |s| Box::pin(unknown_component(s))),
        must("7.2", "all-members-may-be-used", |s| Box::pin(all_members(s))),
        must("7.3", "a-large-payload-opens", |s| Box::pin(large(s))),
    ]
}

async fn added(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let new = stage.allocate(NewLicense::default())?;
    if server.may_issue_license(&new).await? {
        return Err(Finding::deviates("no license that the server cannot know of", "it would be issued"));
    }
    let changes = server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&vec![new.to_string()], &changes.added)?;
    Finding::unless_equal(&true, &server.may_issue_license(&new).await?)
}

async fn removed(stage: &Stage) -> Outcome {
    let second = stage.allocate(NewLicense::default())?;
    let server = stage.synchronized_server("a").await?;
    stage.remove(&second)?;
    let changes = server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&vec![second.to_string()], &changes.removed)?;
    Finding::unless_equal(&vec![stage.license.to_string()], &server.status().await?.licenses)?;
    Finding::unless_equal(&false, &server.may_issue_license(&second).await?)?;
    Finding::unless_equal(&true, &server.may_issue_license(&stage.license).await?)
}

async fn not_yet_removed(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.remove(&stage.license)?;
    Finding::unless_equal(&true, &server.may_issue_license(&stage.license).await?)
}

async fn empty(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.remove(&stage.license)?;
    server.synchronize().await?.expect_synchronized()?;
    let status = server.status().await?;
    Finding::unless_equal(&("synchronized".to_owned(), Vec::new()), &(status.state, status.licenses))?;
    server.does_not_issue().await
}

async fn both(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let new = stage.allocate(NewLicense::default())?;
    stage.remove(&stage.license)?;
    let changes = server.synchronize().await?.expect_synchronized()?;
    let wanted = (vec![new.to_string()], vec![stage.license.to_string()], Vec::new());
    Finding::unless_equal(&wanted, &(changes.added, changes.removed, changes.changed))
}

async fn unknown_component(stage: &Stage) -> Outcome {
    let components = Some(vec![component(BASE, "Base"), component("ZZZZZZZZZZZZZZZZ", "Of next year")]);
    let number = stage.allocate(NewLicense { components, ..NewLicense::default() })?;
    let server = stage.synchronized_server("a").await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)
}

async fn all_members(stage: &Stage) -> Outcome {
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

async fn large(stage: &Stage) -> Outcome {
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
