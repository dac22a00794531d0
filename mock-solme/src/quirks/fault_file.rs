//! Faults in a file, for `serve --quirks FILE`: TOML, in the words of the API.
//!
//! ```toml
//! [[fault]]
//! quirk = "status-503"
//! where = { operation = "synchronize", id = "DEMO-4711" }
//! when = { after = 1, next = 2 }
//! with = { retry_after = 30 }
//! ```

use serde::Deserialize;

use super::fault::{Fault, FaultError};

/// Why a file of faults cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultFileError {
    /// Not TOML, or with members that there are not.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A fault cannot be armed.
    #[error("fault {number}: {error}")]
    Fault {
        /// Which one, from 1.
        number: usize,
        /// Why it cannot be armed.
        error: FaultError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultFile {
    #[serde(default, rename = "fault")]
    faults: Vec<Fault>,
}

pub(crate) fn parse(text: &str) -> Result<Vec<Fault>, FaultFileError> {
    let FaultFile { faults } = toml::from_str(text)?;
    for (at, fault) in faults.iter().enumerate() {
        fault.check().map_err(|error| FaultFileError::Fault { number: at + 1, error })?;
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirks::{Operation, Quirk};

    #[test]
    fn a_file_has_the_words_of_the_api() {
        let text = r#"
            [[fault]]
            quirk = "status-503"
            where = { operation = "synchronize", id = "DEMO-4711" }
            when = { after = 1, next = 2, probability = 0.5, at_most_in_a_row = 2, from = "2027-01-31T12:00:00Z", until = 1900000000 }
            with = { retry_after = 30, retry_after_date = true }
            [[fault]]
            quirk = "drop-reply"
        "#;
        let (from, until) =
            ("2027-01-31T12:00:00Z".parse().unwrap(), solme_sync_protocol::UtcTime::from_secs(1_900_000_000));
        let fault = Fault::new(Quirk::Status503).operation(Operation::Synchronize).id("DEMO-4711".parse().unwrap());
        let fault = fault.after(1).next(2).probability(0.5).at_most_in_a_row(2).from_time(from).until(until);
        let faults = parse(text).unwrap();
        assert_eq!(faults, [fault.retry_after_date(30), Fault::new(Quirk::DropReply)]);
        let json = serde_json::to_string(&faults).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Fault>>(&json).unwrap(), faults);
    }

    #[test]
    fn what_a_file_gets_wrong_is_named() {
        let wrong = |text: &str| parse(text).unwrap_err().to_string();
        assert!(wrong("[[fault]]\nquirk = \"drop-the-reply\"").contains("is not a quirk"));
        assert!(wrong("[[fault]]\nquirk = \"delay\"\nwhem = {}").contains("whem"));
        assert!(wrong("[[faults]]\nquirk = \"delay\"").contains("faults"));
        let second = "[[fault]]\nquirk = \"delay\"\n[[fault]]\nquirk = \"delay\"\nwhen = { next = 0 }";
        assert_eq!(wrong(second), "fault 2: next is 0: the fault would never fire");
    }
}
