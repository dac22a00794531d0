//! What a synchronization changed: licenses added, removed, changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use solme_sync_protocol::{Allocation, License, LicenseNumber};

/// The difference between two allocations, by license number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Licenses that are newly allocated.
    pub added: Vec<LicenseNumber>,
    /// Licenses that are no longer allocated.
    pub removed: Vec<LicenseNumber>,
    /// Licenses that are allocated as before, with another content.
    pub changed: Vec<LicenseNumber>,
    /// What is different in each of `changed`, for people.
    pub differences: BTreeMap<LicenseNumber, Vec<String>>,
}

impl Changes {
    /// Whether both allocations say the same.
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// What is different in `after`. The order of licenses and of components carries no meaning (P 7).
pub(crate) fn changes_between(before: Option<&Allocation>, after: &Allocation) -> Changes {
    let before = before.map(by_number).unwrap_or_default();
    let after = by_number(after);
    let mut changes = Changes::default();
    for (number, license) in &after {
        let Some(old) = before.get(number) else {
            changes.added.push((*number).clone());
            continue;
        };
        let differences = differences(old, license);
        if !differences.is_empty() {
            changes.changed.push((*number).clone());
            changes.differences.insert((*number).clone(), differences);
        }
    }
    changes.removed = before.keys().filter(|number| !after.contains_key(*number)).map(|n| (*n).clone()).collect();
    changes
}

fn by_number(allocation: &Allocation) -> BTreeMap<&LicenseNumber, &License> {
    allocation.licenses.iter().map(|license| (&license.number, license)).collect()
}

fn differences(before: &License, after: &License) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, before: Option<String>, after: Option<String>| {
        if before != after {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            found.push(format!("{what}: {} -> {}", shown(before), shown(after)));
        }
    };
    compare("display", before.display.clone(), after.display.clone());
    compare("domain", before.domain.clone(), after.domain.clone());
    compare("valid from", Some(before.valid_from.to_string()), Some(after.valid_from.to_string()));
    let end = |license: &License| license.expires_at.map(|time| time.to_string());
    compare("expires at", end(before), end(after));
    for (id, (old, new)) in paired(components(before), components(after)) {
        let shown = |component: Option<&(String, u64)>| component.map(|(_, users)| format!("{users} users"));
        let name = new.as_ref().or(old.as_ref()).map_or(id.as_str(), |(name, _)| name.as_str());
        compare(name, shown(old.as_ref()), shown(new.as_ref()));
    }
    for (name, (old, new)) in paired(before.properties.clone(), after.properties.clone()) {
        compare(&name, old, new);
    }
    let renamed = components(before)
        .iter()
        .any(|(id, (name, _))| components(after).get(id).is_some_and(|(new_name, _)| new_name != name));
    if renamed {
        found.push("component names".to_owned());
    }
    found
}

fn components(license: &License) -> BTreeMap<String, (String, u64)> {
    license.components.iter().map(|c| (c.id.to_string(), (c.name.clone(), c.max_users))).collect()
}

/// Two maps side by side.
fn paired<V: Clone>(a: BTreeMap<String, V>, b: BTreeMap<String, V>) -> BTreeMap<String, (Option<V>, Option<V>)> {
    let mut pairs: BTreeMap<String, (Option<V>, Option<V>)> =
        a.into_iter().map(|(name, value)| (name, (Some(value), None))).collect();
    for (name, value) in b {
        pairs.entry(name).or_default().1 = Some(value);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{NUMBERS, allocation, license};

    #[test]
    fn each_change_is_shown_as_what_it_is() {
        let before = allocation(1, &[0, 1]);
        let mut after = allocation(2, &[1, 2]);
        after.licenses[0].components[0].max_users = 9;
        after.licenses[0].domain = Some("Plant 2".to_owned());
        let changes = changes_between(Some(&before), &after);
        let number = |n: usize| vec![NUMBERS[n].parse().unwrap()];
        assert_eq!((changes.added, changes.removed, changes.changed), (number(2), number(0), number(1)));
        let wanted = ["domain: none -> Plant 2", "Base: 5 users -> 9 users"].map(str::to_owned).to_vec();
        assert_eq!(changes.differences.into_values().collect::<Vec<_>>(), [wanted]);
    }

    #[test]
    fn order_and_revision_are_no_changes() {
        let before = allocation(1, &[0, 1]);
        let mut after = allocation(2, &[1, 0]);
        after.licenses[0].components.reverse();
        assert!(changes_between(Some(&before), &after).is_empty());
    }

    #[test]
    fn one_change_of_any_kind_is_a_change() {
        let mut changed = allocation(1, &[0]);
        changed.licenses[0].display = Some("x".to_owned());
        for after in [allocation(1, &[0, 1]), allocation(1, &[]), changed] {
            let changes = changes_between(Some(&allocation(1, &[0])), &after);
            assert_eq!(changes.added.len() + changes.removed.len() + changes.changed.len(), 1);
            assert!(!changes.is_empty());
        }
    }

    #[test]
    fn every_field_of_a_license_is_compared() {
        let edits: [fn(&mut License); 7] = [
            |l| l.display = Some("x".to_owned()),
            |l| l.domain = Some("x".to_owned()),
            |l| l.valid_from = l.valid_from.plus(1),
            |l| l.expires_at = None,
            |l| l.components[0].max_users += 1,
            |l| l.components[0].name.push('x'),
            |l| drop(l.properties.insert("a".to_owned(), "b".to_owned())),
        ];
        for (index, edit) in edits.iter().enumerate() {
            let mut changed = license(0);
            edit(&mut changed);
            assert_eq!(differences(&license(0), &changed).len(), 1, "edit {index}");
        }
        assert_eq!(changes_between(None, &allocation(1, &[0])).added.len(), 1);
    }
}
