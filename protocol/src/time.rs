//! The one form of time (P 2.6).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{json, limits};

/// A local server must synchronize again within this many seconds: 366 days (P 6.2).
pub const SYNCHRONIZE_WITHIN: u64 = 366 * 86_400;

/// Seconds since 1970-01-01T00:00:00Z, an integer on the wire (P 2.6), RFC 3339 for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct UtcTime(u64);

/// Text that is not a time in UTC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time in UTC. Expected 2027-01-31T12:00:00Z, or seconds since 1970")]
pub struct TimeError(String);

/// What follows the seconds of a time that RFC 3339 cannot write, which is any after the year 9999.
const AFTER_1970: &str = " s after 1970";

impl UtcTime {
    /// The time `seconds` after 1970; the greatest one on the wire when it is later than that.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(if seconds > limits::INTEGER { limits::INTEGER } else { seconds })
    }

    /// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// This time, `seconds` later.
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self::from_secs(self.0.saturating_add(seconds))
    }

    /// This time, moved by `seconds` in either direction; 1970 when it would be earlier than that.
    #[must_use]
    pub const fn offset(self, seconds: i64) -> Self {
        Self::from_secs(self.0.saturating_add_signed(seconds))
    }

    /// Seconds from `earlier` to this time; 0 when `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The `synchronize_by` of a receipt with this main server time (P 6.2).
    #[must_use]
    pub const fn synchronize_by(self) -> Self {
        self.plus(SYNCHRONIZE_WITHIN)
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).map(jiff::Timestamp::from_second) {
            Ok(Ok(timestamp)) => timestamp.fmt(f),
            _ => write!(f, "{}{AFTER_1970}", self.0),
        }
    }
}

impl FromStr for UtcTime {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError(text.to_owned());
        if let Ok(seconds) = text.strip_suffix(AFTER_1970).unwrap_or(text).parse::<u64>() {
            return if seconds <= limits::INTEGER { Ok(Self(seconds)) } else { Err(wrong()) };
        }
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        u64::try_from(timestamp.as_second()).map(Self).map_err(|_| wrong())
    }
}

impl<'de> Deserialize<'de> for UtcTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::integer(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_rfc_3339_and_may_write_it() {
        let time = UtcTime::from_secs(1_795_478_400);
        assert_eq!(time.to_string(), "2026-11-24T00:00:00Z");
        assert_eq!("2026-11-24T00:00:00Z".parse(), Ok(time));
        assert_eq!("1795478400".parse(), Ok(time));
        assert!("tomorrow".parse::<UtcTime>().is_err());
        assert!("1960-01-01T00:00:00Z".parse::<UtcTime>().is_err());
    }

    #[test]
    fn a_time_beyond_the_year_9999_is_read_as_it_is_written() {
        for seconds in
            [253_402_207_199, 253_402_207_200, 253_402_207_201, 253_402_300_800, 11_111_022_111_022, limits::INTEGER]
        {
            let time = UtcTime::from_secs(seconds);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn times_are_seconds_between_1970_and_the_greatest_on_the_wire() {
        let (first, last) = (UtcTime::from_secs(0), UtcTime::from_secs(limits::INTEGER));
        assert_eq!(last.as_secs(), limits::INTEGER);
        assert_eq!(UtcTime::from_secs(limits::INTEGER + 1), last);
        assert_eq!((last.plus(1), last.offset(1), first.offset(-1)), (last, last, first));
        assert_eq!((UtcTime::from_secs(7).since(UtcTime::from_secs(4)), first.since(last)), (3, 0));
    }

    #[test]
    fn a_leap_year_still_has_366_days() {
        let start: UtcTime = "2027-11-24T00:00:00Z".parse().unwrap();
        assert_eq!(start.synchronize_by().to_string(), "2028-11-24T00:00:00Z");
    }
}
