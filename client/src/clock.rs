//! The local clock, and the offset that a simulation gives it.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use solme_sync_protocol::UtcTime;

/// The clock of this computer. One that is set before 1970 shows 1970.
pub(crate) fn real() -> UtcTime {
    UtcTime::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// A span of time on the command line: `366d`, `-2h`, `30m`, `10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its length in seconds.
    pub(crate) seconds: i64,
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} needs a number and a unit: 10s, 30m, -2h, 366d");
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let seconds_each = match unit {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let number = &text[..text.len() - 1];
        let count: i64 = number.parse().map_err(|_| wrong())?;
        count.checked_mul(seconds_each).map(|seconds| Self { seconds }).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        let seconds = |text: &str| text.parse::<Span>().map(|span| span.seconds);
        assert_eq!(seconds("366d"), Ok(366 * 86_400));
        assert_eq!(seconds("-2h"), Ok(-7_200));
        assert_eq!(seconds("30m"), Ok(1_800));
        assert_eq!(seconds("10s"), Ok(10));
        for bad in ["", "d", "1", "1w", "1.5d", "1 d", "9223372036854775807d", "ä"] {
            assert!(seconds(bad).is_err(), "{bad:?}");
        }
    }
}
