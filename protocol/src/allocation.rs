//! The allocation (P 7): what is allocated to one license server id.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ComponentId, JsonError, Salt, UtcTime, component, json, limits};

/// What is allocated to one license server id: always a full snapshot (P 7.1). Its salt comes and goes with the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Raised by every change, never lowered.
    #[serde(deserialize_with = "json::integer")]
    pub revision: u64,
    /// The licenses, their numbers unique.
    #[serde(deserialize_with = "json::objects")]
    pub licenses: Vec<License>,
}

/// What is sealed (P 7).
#[derive(Deserialize)]
struct Salted {
    #[serde(rename = "salt")]
    _salt: Salt,
    #[serde(deserialize_with = "json::integer")]
    revision: u64,
    #[serde(deserialize_with = "json::objects")]
    licenses: Vec<License>,
}

/// The same, to be written.
#[derive(Serialize)]
struct SaltedRef<'a> {
    salt: &'a Salt,
    #[serde(flatten)]
    allocation: &'a Allocation,
}

/// One allocated license (P 7.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// The license number, 37 characters (P 7.2).
    pub number: LicenseNumber,
    /// Shown instead of the number: 1 to 128 printable ASCII characters.
    #[serde(deserialize_with = "json::nullable")]
    pub display: Option<String>,
    /// License domain: 1 to 128 printable ASCII characters, no space at either end, compared without regard to case.
    #[serde(deserialize_with = "json::nullable")]
    pub domain: Option<String>,
    /// What may be used, and by how many users at a time.
    #[serde(deserialize_with = "json::objects")]
    pub components: Vec<Component>,
    /// The license may be issued from this time on.
    pub valid_from: UtcTime,
    /// The license may be issued before this time; `None`: without end.
    #[serde(deserialize_with = "json::nullable")]
    pub expires_at: Option<UtcTime>,
    /// Free notes for people, by name; they mean nothing to the protocol (P 7.2).
    pub properties: BTreeMap<String, String>,
}

/// One component of a license.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Id of the component, 16 characters.
    pub id: ComponentId,
    /// Its name, for people.
    pub name: String,
    /// Users at a time, at least 1.
    #[serde(deserialize_with = "json::integer")]
    pub max_users: u64,
}

/// Why an allocation is not one of P 7.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not JSON, or not the members and types of P 7.2.
    #[error("{0}")]
    Json(JsonError),
    /// More or longer than P 18 allows.
    #[error("{what}: {found}, at most {at_most} are allowed")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// How much there is.
        found: usize,
        /// The limit of section 18.
        at_most: usize,
    },
    /// Two licenses of one number.
    #[error("license {0} appears twice")]
    DuplicateLicense(LicenseNumber),
    /// A license breaks a rule.
    #[error("license {number}: {rule}")]
    License {
        /// Number of the license that breaks it.
        number: LicenseNumber,
        /// The rule, for people.
        rule: String,
    },
}

impl Allocation {
    /// Reads and checks an allocation with its salt.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, Malformed> {
        at_most("bytes", bytes.len(), limits::ALLOCATION)?;
        let Salted { revision, licenses, .. } = json::parse(bytes).map_err(Malformed::Json)?;
        let allocation = Self { revision, licenses };
        allocation.check()?;
        Ok(allocation)
    }

    /// The bytes that are digested and sealed (P 7.5). The salt is fresh for each receipt.
    pub fn to_json(&self, salt: &Salt) -> Vec<u8> {
        let salted = SaltedRef { salt, allocation: self };
        serde_json::to_vec(&salted).expect("an allocation has string keys and no failing serializers")
    }

    /// The number of bytes that are sealed (P 18); every salt has the same length.
    pub fn size(&self) -> usize {
        self.to_json(&Salt::from_random([0; 16])).len()
    }

    /// Checks the rules of P 7 and the limits of P 18 that types cannot say.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn check(&self) -> Result<(), Malformed> {
        at_most("licenses", self.licenses.len(), limits::LICENSES)?;
        let mut numbers = HashSet::new();
        for license in &self.licenses {
            license.check()?;
            if !numbers.insert(&license.number) {
                return Err(Malformed::DuplicateLicense(license.number.clone()));
            }
        }
        Ok(())
    }
}

impl License {
    /// Checks the rules of P 7 and the limits of P 18 for one license.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn check(&self) -> Result<(), Malformed> {
        let broken = |rule: &str| Err(Malformed::License { number: self.number.clone(), rule: rule.to_owned() });
        let printable = |text: &str| {
            !text.is_empty() && text.len() <= limits::DISPLAY && text.bytes().all(|b| (b' '..=b'~').contains(&b))
        };
        if self.display.as_deref().is_some_and(|text| !printable(text)) {
            return broken("its display string is not 1 to 128 printable ASCII characters");
        }
        if self.domain.as_deref().is_some_and(|text| !printable(text) || text.trim() != text) {
            return broken("its domain is not 1 to 128 printable ASCII characters without a space at either end");
        }
        if self.expires_at.is_some_and(|end| end <= self.valid_from) {
            return broken("it expires before it is valid");
        }
        at_most(&format!("components of license {}", self.number), self.components.len(), limits::COMPONENTS)?;
        let mut ids = HashSet::new();
        for component in &self.components {
            if !ids.insert(component.id.as_str()) {
                return broken(&format!("component {} appears twice", component.id));
            }
            if component.max_users == 0 {
                return broken(&format!("component {} has no users", component.id));
            }
            if component.max_users > limits::INTEGER {
                return broken(&format!("max_users of component {} is greater than 2^53 - 1", component.id));
            }
            let name = component.name.chars().count();
            if name == 0 || name > limits::COMPONENT_NAME {
                return broken(&format!("the name of component {} is not 1 to 64 characters", component.id));
            }
        }
        if !ids.contains(component::BASE) {
            return broken("the component Base is missing");
        }
        at_most(&format!("properties of license {}", self.number), self.properties.len(), limits::PROPERTIES)?;
        for (name, value) in &self.properties {
            let length = name.chars().count();
            if length == 0 || length > limits::PROPERTY_NAME || value.chars().count() > limits::PROPERTY_VALUE {
                return broken("a property's name is not 1 to 64 characters, or its value longer than 256");
            }
        }
        Ok(())
    }
}

fn at_most(what: &str, found: usize, at_most: usize) -> Result<(), Malformed> {
    if found > at_most { Err(Malformed::TooMany { what: what.to_owned(), found, at_most }) } else { Ok(()) }
}

/// A license number: `XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXXXX`, each X one of A-Z, 0-9 (P 7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LicenseNumber(String);

impl LicenseNumber {
    /// The number as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LicenseNumber {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let groups: Vec<&str> = text.split('-').collect();
        let well_formed = groups.iter().map(|group| group.len()).eq([5, 5, 5, 5, 5, 7])
            && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
        if well_formed {
            Ok(Self(text))
        } else {
            Err(format!(
                "{text:?} is not a license number. Expected XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXXXX, each X one of A-Z, 0-9"
            ))
        }
    }
}

impl FromStr for LicenseNumber {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

impl From<LicenseNumber> for String {
    fn from(number: LicenseNumber) -> Self {
        number.0
    }
}

impl fmt::Display for LicenseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "AVIX1-00000-00000-00000-00000-DEMO001";

    fn salt() -> Salt {
        Salt::from_random([1; 16])
    }

    fn license() -> License {
        License {
            number: NUMBER.parse().unwrap(),
            display: None,
            domain: None,
            components: vec![Component { id: component::BASE.parse().unwrap(), name: "Base".to_owned(), max_users: 5 }],
            valid_from: UtcTime::from_secs(10),
            expires_at: Some(UtcTime::from_secs(20)),
            properties: BTreeMap::new(),
        }
    }

    #[test]
    fn license_numbers_have_one_form() {
        let number: LicenseNumber = NUMBER.parse().unwrap();
        assert_eq!((number.as_str(), number.to_string().as_str()), (NUMBER, NUMBER));
        for bad in [
            "",
            "AVIX1-00000-00000-00000-00000-DEMO01",
            "avix1-00000-00000-00000-00000-DEMO001",
            "AVIX1-00000-00000-00000-DEMO001",
            "AVIX1-00000-00000-00000-00000-DEMO001-",
            "AVIX1 00000 00000 00000 00000 DEMO001",
        ] {
            assert!(bad.parse::<LicenseNumber>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_rule_of_a_license_is_checked() {
        assert_eq!(license().check(), Ok(()));
        let broken: [fn(&mut License); 10] = [
            |l| l.display = Some(String::new()),
            |l| l.display = Some("ä".to_owned()),
            |l| l.domain = Some(" x".to_owned()),
            |l| l.domain = Some("x\t".to_owned()),
            |l| l.expires_at = Some(l.valid_from),
            |l| l.components.clear(),
            |l| l.components[0].max_users = 0,
            |l| l.components[0].max_users = limits::INTEGER + 1,
            |l| l.components.push(l.components[0].clone()),
            |l| drop(l.properties.insert(String::new(), String::new())),
        ];
        for (index, change) in broken.iter().enumerate() {
            let mut license = license();
            change(&mut license);
            assert!(matches!(license.check(), Err(Malformed::License { .. })), "change {index}");
        }
        let mut greatest = license();
        greatest.components[0].max_users = limits::INTEGER;
        greatest.components[0].name = "ä".repeat(limits::COMPONENT_NAME);
        greatest.properties.insert("n".repeat(limits::PROPERTY_NAME), "v".repeat(limits::PROPERTY_VALUE));
        assert_eq!(greatest.check(), Ok(()));
    }

    #[test]
    fn the_size_is_that_of_what_is_sealed() {
        let allocation = Allocation { revision: 3, licenses: vec![license()] };
        assert_eq!(allocation.size(), allocation.to_json(&salt()).len());
    }

    #[test]
    fn an_allocation_survives_its_json_and_names_a_license_only_once() {
        let mut allocation = Allocation { revision: 3, licenses: vec![license()] };
        assert_eq!(Allocation::from_json(&allocation.to_json(&salt())), Ok(allocation.clone()));
        allocation.licenses.push(license());
        let twice = Malformed::DuplicateLicense(NUMBER.parse().unwrap());
        assert_eq!(Allocation::from_json(&allocation.to_json(&salt())), Err(twice));
    }

    #[test]
    fn unknown_members_are_ignored_at_any_depth() {
        let allocation = Allocation { revision: 3, licenses: vec![license()] };
        let json = String::from_utf8(allocation.to_json(&salt())).unwrap();
        let more =
            json.replace('{', r#"{"unknown":[1],"#).replace(r#""properties":{"unknown":[1],"#, r#""properties":{"#);
        assert_eq!(Allocation::from_json(more.as_bytes()), Ok(allocation));
    }

    #[test]
    fn a_missing_member_is_not_null() {
        let json = String::from_utf8(Allocation { revision: 3, licenses: vec![license()] }.to_json(&salt())).unwrap();
        let without = json.replace(r#""display":null,"#, "");
        assert_ne!(json, without);
        assert!(matches!(Allocation::from_json(without.as_bytes()), Err(Malformed::Json(_))));
    }
}
