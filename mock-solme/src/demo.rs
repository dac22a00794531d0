//! The demo license server id, so that a newcomer has something to synchronize with.

use std::collections::BTreeMap;

use solme_sync_protocol::{COMPONENTS, Component, LicenseServerId};

use crate::main_server::{By, MainServer, NewId, NewLicense, OperatorError, base};

/// The demo license server id.
const ID: &str = "DEMO-4711";
/// Who may ask for a clear of its key pair.
const CONTACT: &str = "it@customer.example";

/// Adds the id and its licenses, unless they are there from an earlier run.
pub(crate) fn add(main_server: &MainServer) -> Result<LicenseServerId, OperatorError> {
    let (id, new, by) = demo();
    match main_server.add_id(&id, new, &by) {
        Ok(_) | Err(OperatorError::IdExists(_)) => Ok(id),
        Err(error) => Err(error),
    }
}

/// As at the first start.
pub(crate) fn reset(main_server: &MainServer) -> Result<(), OperatorError> {
    main_server.reset(main_server.has_demo().then(demo))
}

fn demo() -> (LicenseServerId, NewId, By) {
    let id = ID.parse().expect("of the form of an id");
    let new = NewId {
        name: Some("Demo customer".to_owned()),
        contacts: vec![CONTACT.to_owned()],
        licenses: licenses(),
        reserved_for: None,
    };
    (id, new, By { operator: "mock-solme".to_owned(), reason: "demo".to_owned() })
}

/// Between them all 19 components; one with a display string, one with a domain.
fn licenses() -> Vec<NewLicense> {
    let named = |names: &[&str], users: u64| {
        let chosen = COMPONENTS.iter().filter(|(name, _)| names.contains(name));
        chosen.map(|(name, id)| component(name, id, users)).collect::<Vec<_>>()
    };
    let all = COMPONENTS.iter().map(|(name, id)| component(name, id, 3)).collect();
    vec![
        NewLicense {
            components: Some(named(&["Base", "Method", "Balance", "Ergo", "SMED", "FMEA"], 10)),
            properties: BTreeMap::from([("customer".to_owned(), "Demo customer".to_owned())]),
            ..NewLicense::default()
        },
        NewLicense {
            display: Some("Engineering, all components".to_owned()),
            components: Some(all),
            ..NewLicense::default()
        },
        NewLicense { domain: Some("training".to_owned()), components: Some(vec![base(2)]), ..NewLicense::default() },
    ]
}

fn component(name: &str, id: &str, max_users: u64) -> Component {
    Component { id: id.parse().expect("published ids have the form of one"), name: name.to_owned(), max_users }
}
