//! Adding, changing and removing the licenses of an id. Each change raises the revision of its allocation (P 7).

use std::collections::BTreeMap;

use solme_sync_protocol::{Allocation, Component, License, LicenseNumber, Malformed, UtcTime, limits};

use super::Record;

/// The latest time that an operator can name: RFC 3339 has no year 10000.
pub const LATEST: UtcTime = UtcTime::from_secs(253_370_764_800);

/// What to change in a license; what is `None` stays. The inner `None` of an optional member removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LicenseChange {
    /// Shown instead of the number (P 7.2).
    pub display: Option<Option<String>>,
    /// License domain (P 7.2); none: open to all.
    pub domain: Option<Option<String>>,
    /// All components from now on; Base among them.
    pub components: Option<Vec<Component>>,
    /// Start of the validity.
    pub valid_from: Option<UtcTime>,
    /// End of the validity.
    pub expires_at: Option<Option<UtcTime>>,
    /// All properties from now on.
    pub properties: Option<BTreeMap<String, String>>,
}

/// Why licenses cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LicenseError {
    /// There is no such license in the allocation.
    #[error("license {0} is not allocated to this license server id")]
    Unknown(LicenseNumber),
    /// The allocation would not be well formed (P 7), or exceed a limit (P 18).
    #[error("{0}")]
    Malformed(Malformed),
}

/// Allocates one more license.
///
/// # Errors
/// [`LicenseError::Malformed`], also for a number that is allocated already.
pub fn add_license(record: &Record, license: License) -> Result<Record, LicenseError> {
    let mut licenses = record.allocation.licenses.clone();
    licenses.push(license);
    with_licenses(record, licenses)
}

/// Changes a license.
///
/// # Errors
/// [`LicenseError`].
pub fn change_license(record: &Record, number: &LicenseNumber, change: LicenseChange) -> Result<Record, LicenseError> {
    let mut licenses = record.allocation.licenses.clone();
    let license = licenses
        .iter_mut()
        .find(|license| license.number == *number)
        .ok_or_else(|| LicenseError::Unknown(number.clone()))?;
    change.apply(license);
    with_licenses(record, licenses)
}

/// Takes a license back.
///
/// # Errors
/// [`LicenseError::Unknown`].
pub fn remove_license(record: &Record, number: &LicenseNumber) -> Result<Record, LicenseError> {
    let mut licenses = record.allocation.licenses.clone();
    licenses.retain(|license| license.number != *number);
    if licenses.len() == record.allocation.licenses.len() {
        return Err(LicenseError::Unknown(number.clone()));
    }
    with_licenses(record, licenses)
}

/// The license of this number.
///
/// # Errors
/// [`LicenseError::Unknown`].
pub fn license<'a>(record: &'a Record, number: &LicenseNumber) -> Result<&'a License, LicenseError> {
    let found = record.allocation.licenses.iter().find(|license| license.number == *number);
    found.ok_or_else(|| LicenseError::Unknown(number.clone()))
}

/// Checks an allocation as a whole: well formed, and small enough to be sealed.
///
/// # Errors
/// [`Malformed`].
pub fn check_allocation(allocation: &Allocation) -> Result<(), Malformed> {
    allocation.check()?;
    let too_late = |license: &&License| license.valid_from.max(license.expires_at.unwrap_or_default()) > LATEST;
    if let Some(license) = allocation.licenses.iter().find(too_late) {
        let rule = format!("a date is later than {LATEST}");
        return Err(Malformed::License { number: license.number.clone(), rule });
    }
    let found = allocation.size();
    if found > limits::ALLOCATION {
        return Err(Malformed::TooMany { what: "bytes".to_owned(), found, at_most: limits::ALLOCATION });
    }
    Ok(())
}

/// The revision is raised by a change, and by nothing else.
fn with_licenses(record: &Record, licenses: Vec<License>) -> Result<Record, LicenseError> {
    if licenses == record.allocation.licenses {
        return Ok(record.clone());
    }
    let allocation = Allocation { revision: record.allocation.revision + 1, licenses };
    check_allocation(&allocation).map_err(LicenseError::Malformed)?;
    Ok(Record { allocation, ..record.clone() })
}

impl LicenseChange {
    fn apply(self, license: &mut License) {
        let Self { display, domain, components, valid_from, expires_at, properties } = self;
        set(&mut license.display, display);
        set(&mut license.domain, domain);
        set(&mut license.components, components);
        set(&mut license.valid_from, valid_from);
        set(&mut license.expires_at, expires_at);
        set(&mut license.properties, properties);
    }
}

fn set<T>(member: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *member = value;
    }
}

#[cfg(test)]
mod tests {
    use solme_sync_protocol::BASE;

    use super::super::players::T0;
    use super::*;

    fn numbered(last: &str) -> License {
        License {
            number: format!("AVIX1-00000-00000-00000-00000-{last}").parse().unwrap(),
            display: None,
            domain: None,
            components: vec![Component { id: BASE.parse().unwrap(), name: "Base".to_owned(), max_users: 5 }],
            valid_from: T0,
            expires_at: None,
            properties: BTreeMap::new(),
        }
    }

    fn empty() -> Record {
        Record::new("DEMO-1".parse().unwrap(), T0)
    }

    #[test]
    fn every_change_raises_the_revision_and_what_changes_nothing_does_not() {
        let one = add_license(&empty(), numbered("0000001")).unwrap();
        let two = add_license(&one, numbered("0000002")).unwrap();
        let number = numbered("0000002").number;
        let named = LicenseChange { display: Some(Some("Line 2".to_owned())), ..LicenseChange::default() };
        let changed = change_license(&two, &number, named.clone()).unwrap();
        assert_eq!(license(&changed, &number).unwrap().display.as_deref(), Some("Line 2"));
        assert_eq!(change_license(&changed, &number, named), Ok(changed.clone()));
        let removed = remove_license(&changed, &number).unwrap();
        assert_eq!(removed.allocation.licenses, one.allocation.licenses);
        let revisions = [&one, &two, &changed, &removed].map(|record| record.allocation.revision);
        assert_eq!(revisions, [1, 2, 3, 4]);
    }

    #[test]
    fn an_inner_none_removes_a_member() {
        let number = numbered("0000001").number;
        let with = License { domain: Some("cell".to_owned()), expires_at: Some(T0.plus(1)), ..numbered("0000001") };
        let record = add_license(&empty(), with).unwrap();
        let change = LicenseChange { domain: Some(None), expires_at: Some(None), ..LicenseChange::default() };
        let changed = change_license(&record, &number, change).unwrap();
        assert_eq!(changed.allocation.licenses, [numbered("0000001")]);
    }

    #[test]
    fn what_is_not_allocated_can_be_neither_changed_nor_removed() {
        let number = numbered("0000001").number;
        let unknown = LicenseError::Unknown(number.clone());
        assert_eq!(remove_license(&empty(), &number), Err(unknown.clone()));
        assert_eq!(change_license(&empty(), &number, LicenseChange::default()), Err(unknown));
    }

    #[test]
    fn a_change_that_breaks_a_rule_of_the_protocol_is_refused() {
        let record = add_license(&empty(), numbered("0000001")).unwrap();
        let number = numbered("0000001").number;
        assert_eq!(
            add_license(&record, numbered("0000001")),
            Err(LicenseError::Malformed(Malformed::DuplicateLicense(number.clone())))
        );
        let no_base = LicenseChange { components: Some(Vec::new()), ..LicenseChange::default() };
        assert!(matches!(change_license(&record, &number, no_base), Err(LicenseError::Malformed(_))));
    }

    #[test]
    fn an_allocation_that_cannot_be_sealed_within_the_limit_is_refused() {
        let properties = (0..limits::PROPERTIES).map(|i| (format!("{i:064}"), "x".repeat(limits::PROPERTY_VALUE)));
        let large = License { properties: properties.collect(), ..numbered("0000000") };
        let mut allocation = Allocation { revision: 1, licenses: Vec::new() };
        let refused_at = (0..limits::LICENSES).find(|i| {
            allocation.licenses.push(License { number: numbered(&format!("{i:07}")).number, ..large.clone() });
            // The whole is written out only where the limit is near: it is 8 MB long.
            i * 20_900 > limits::ALLOCATION && check_allocation(&allocation).is_err()
        });
        assert!(refused_at.is_some());
        assert!(allocation.check().is_ok(), "only its size is wrong");
        let mut over = allocation.size() - limits::ALLOCATION;
        for value in allocation.licenses.iter_mut().flat_map(|license| license.properties.values_mut()) {
            let cut = over.min(value.len());
            value.truncate(value.len() - cut);
            over -= cut;
        }
        assert_eq!((allocation.size(), check_allocation(&allocation)), (limits::ALLOCATION, Ok(())));
    }

    #[test]
    fn no_date_is_so_late_that_no_clock_could_reach_it() {
        let dated = |valid_from, expires_at| Allocation {
            revision: 1,
            licenses: vec![License { valid_from, expires_at, ..numbered("0000001") }],
        };
        let (last, beyond) = (LATEST, LATEST.plus(1));
        assert_eq!(check_allocation(&dated(last, None)), Ok(()));
        assert_eq!(check_allocation(&dated(T0, Some(last))), Ok(()));
        for allocation in [dated(beyond, None), dated(T0, Some(beyond))] {
            assert!(matches!(check_allocation(&allocation), Err(Malformed::License { .. })));
        }
    }
}
