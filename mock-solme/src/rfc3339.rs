//! Times in JSON of our own: RFC 3339, `2027-01-31T12:00:00Z`. On the wire they are seconds (P 2.6); those are read here
//! as well.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use solme_sync_protocol::UtcTime;

use crate::registry::LATEST;

/// A time in JSON of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rfc3339(pub(crate) UtcTime);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Rfc3339 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "write a time like 2027-01-31T12:00:00Z, or as seconds since 1970")]
        enum Time {
            Seconds(u64),
            Text(String),
        }
        let time = match Time::deserialize(deserializer)? {
            Time::Seconds(seconds) => UtcTime::from_secs(seconds),
            Time::Text(text) => text.parse().map_err(D::Error::custom)?,
        };
        if time > LATEST { Err(D::Error::custom(format!("{time} is later than {LATEST}"))) } else { Ok(Self(time)) }
    }
}

pub(crate) fn serialize<S: Serializer>(time: &UtcTime, serializer: S) -> Result<S::Ok, S::Error> {
    Rfc3339(*time).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UtcTime, D::Error> {
    Rfc3339::deserialize(deserializer).map(|time| time.0)
}

/// For a time that may be missing.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Rfc3339, Serialize, Serializer, UtcTime};

    pub(crate) fn serialize<S: Serializer>(time: &Option<UtcTime>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(Rfc3339).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcTime>, D::Error> {
        Ok(Option::<Rfc3339>::deserialize(deserializer)?.map(|time| time.0))
    }
}

/// For a time that may be missing, and may be null, which is something else.
pub(crate) mod nullable {
    use super::{Deserializer, Serializer, UtcTime, option};

    pub(crate) fn serialize<S: Serializer>(time: &Option<Option<UtcTime>>, serializer: S) -> Result<S::Ok, S::Error> {
        option::serialize(&time.flatten(), serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<UtcTime>>, D::Error> {
        option::deserialize(d).map(Some)
    }
}
