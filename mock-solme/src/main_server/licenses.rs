//! Licenses of an id, with what is made up where the operator does not say it.

use std::collections::BTreeMap;

use solme_sync_protocol::{BASE, Component, License, LicenseNumber, LicenseServerId, UtcTime};

use super::operator::Note;
use super::{By, MainServer, OperatorError};
use crate::registry::{self, LicenseChange, Record};
use crate::store::audit::AuditAction;

/// Base users of a license that does not say how many.
const USERS: u64 = 5;
const DAY: u64 = 86_400;
/// Ten years: longer than the 366 days, so that a simulation sees a synchronization end before its licenses do.
const VALID_FOR: u64 = 3_653 * DAY;

/// A license to be allocated; what is `None` is made up: a number, five users of Base, ten years from today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewLicense {
    /// The license number; `None`: made up from the seed.
    pub number: Option<LicenseNumber>,
    /// Shown instead of the number (P 7.2).
    pub display: Option<String>,
    /// License domain (P 7.2); none: open to all.
    pub domain: Option<String>,
    /// Components and their users; `None`: five users of Base.
    pub components: Option<Vec<Component>>,
    /// Start of the validity.
    pub valid_from: Option<UtcTime>,
    /// End of the validity; the inner `None`: without end.
    pub expires_at: Option<Option<UtcTime>>,
    /// Free notes for people, by name; they mean nothing to the protocol (P 7.2).
    pub properties: BTreeMap<String, String>,
}

impl MainServer {
    /// Allocates a license to an id.
    pub(crate) fn add_license(&self, id: &LicenseServerId, new: NewLicense, by: &By) -> Result<License, OperatorError> {
        let now = self.now();
        let mut added = None;
        self.change(id, "add a license", by, |record| {
            let license = self.license(record, new, now);
            let changed = registry::add_license(record, license.clone())?;
            let note = Note::new(AuditAction::LicenseAdded, in_short(&license));
            added = Some(license);
            Ok((changed, note))
        })?;
        Ok(added.expect("the change has run"))
    }

    /// The license, with what is made up.
    pub(super) fn license(&self, record: &Record, new: NewLicense, now: UtcTime) -> License {
        let valid_from = new.valid_from.unwrap_or(UtcTime::from_secs(now.as_secs() / DAY * DAY));
        License {
            number: new.number.unwrap_or_else(|| self.free_number(record)),
            display: new.display,
            domain: new.domain,
            components: new.components.unwrap_or_else(|| vec![base(USERS)]),
            valid_from,
            expires_at: new.expires_at.unwrap_or(Some(valid_from.plus(VALID_FOR))),
            properties: new.properties,
        }
    }

    /// Changes a license of an id.
    pub(crate) fn change_license(
        &self,
        id: &LicenseServerId,
        number: &LicenseNumber,
        change: LicenseChange,
        by: &By,
    ) -> Result<License, OperatorError> {
        let record = self.change(id, "change a license", by, |record| {
            let changed = registry::change_license(record, number, change)?;
            let detail = in_short(registry::license(&changed, number)?);
            Ok((changed, Note::new(AuditAction::LicenseChanged, detail)))
        })?;
        Ok(registry::license(&record, number)?.clone())
    }

    /// Takes a license back.
    pub(crate) fn remove_license(
        &self,
        id: &LicenseServerId,
        number: &LicenseNumber,
        by: &By,
    ) -> Result<Record, OperatorError> {
        self.change(id, "remove a license", by, |record| {
            let changed = registry::remove_license(record, number)?;
            Ok((changed, Note::new(AuditAction::LicenseRemoved, format!("license {number}"))))
        })
    }

    /// A license number that the allocation does not have: the same ones in the same order for the same seed.
    fn free_number(&self, record: &Record) -> LicenseNumber {
        let seed = u64::from(self.settings.seed) << 32;
        let numbers = (record.allocation.revision..).map(|n| license_number(seed ^ n, &record.license_server_id));
        let taken = |number: &LicenseNumber| record.allocation.licenses.iter().any(|l| l.number == *number);
        numbers.into_iter().find(|number| !taken(number)).expect("there are 36^32 numbers")
    }
}

/// A license for the audit.
fn in_short(License { number, components, .. }: &License) -> String {
    let base = components.iter().find(|component| component.id.as_str() == BASE).map_or(0, |base| base.max_users);
    format!("license {number}, {base} users of Base")
}

/// The component Base for `users` users.
pub(crate) fn base(users: u64) -> Component {
    Component { id: BASE.parse().expect("Base has the form of an id"), name: "Base".to_owned(), max_users: users }
}

fn license_number(seed: u64, id: &LicenseServerId) -> LicenseNumber {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let digest = solme_sync_protocol::Digest::of(format!("{seed} {id}"));
    let mut characters = digest.as_bytes().iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % 36]));
    let groups = [5, 5, 5, 5, 5, 7].map(|length| characters.by_ref().take(length).collect::<String>());
    groups.join("-").parse().expect("of the form XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXXXX")
}
