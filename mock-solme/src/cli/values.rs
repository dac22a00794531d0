//! Values on the command line.

use std::net::{Ipv4Addr, SocketAddr};

use solme_sync_protocol::UtcTime;

use crate::admin::api::{Carrier, ComponentTerms};

/// An address, or a port of the loopback interface.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse()).map_err(|_| {
        "use an address like 0.0.0.0:14443, or a port; 0 takes any free one. For a host name use --public-name"
            .to_owned()
    })
}

/// A seed: what a person can type again.
pub(super) fn seed(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("use a whole number from 0 to {}", u32::MAX))
}

/// A token that fits into a header: visible ASCII, without blanks.
pub(super) fn token(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the token must not be empty".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("use visible ASCII characters without blanks, so that it fits into a header".to_owned());
    }
    Ok(text.to_owned())
}

/// `https`, `http` or `file`.
pub(super) fn carrier(text: &str) -> Result<Carrier, String> {
    let known = [Carrier::Https, Carrier::Http, Carrier::File].into_iter().find(|carrier| carrier.as_str() == text);
    known.ok_or_else(|| "choose https, http or file".to_owned())
}

/// `366d`, `-12h`, `1d12h`: seconds.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    let wrong = || "needs a unit: 366d, 12h, 90m, 30s or 1d12h; -1d goes back".to_owned();
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut seconds = 0_i64;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (count, unit) = rest.split_at(unit_at);
        let (unit, after) = unit.split_at(unit.chars().next().map_or(0, char::len_utf8));
        let unit = match unit {
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return Err(wrong()),
        };
        let part = count.parse().ok().and_then(|count: i64| count.checked_mul(unit));
        seconds = part.and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() || text == "-" { Err(wrong()) } else { Ok(sign * seconds) }
}

/// A time in UTC, or the beginning of a day.
pub(super) fn time(text: &str) -> Result<UtcTime, String> {
    let day = format!("{text}T00:00:00Z");
    text.parse().or_else(|error: solme_sync_protocol::TimeError| day.parse().map_err(|_| error.to_string()))
}

/// A time, or `never`.
pub(super) fn end(text: &str) -> Result<Option<UtcTime>, String> {
    if text == "never" { Ok(None) } else { time(text).map(Some) }
}

/// `Base=5`: a component, by name or by id, and its users.
pub(super) fn component(text: &str) -> Result<ComponentTerms, String> {
    let wrong = || "expected COMPONENT=USERS, like Base=5".to_owned();
    let (component, users) = text.rsplit_once('=').ok_or_else(wrong)?;
    let max_users: u64 = users.parse().map_err(|_| wrong())?;
    if solme_sync_protocol::component_id(component).is_some() {
        return Ok(ComponentTerms { id: None, name: Some(component.to_owned()), max_users });
    }
    match component.parse::<solme_sync_protocol::ComponentId>() {
        Ok(id) => Ok(ComponentTerms { id: Some(id), name: None, max_users }),
        Err(_) => Err(format!("{component:?} is neither a published component nor a component id")),
    }
}

/// A property: `NAME=VALUE`, the first = separates.
pub(super) fn property(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| "expected NAME=VALUE, like customer=ACME".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("366d"), Ok(366 * 86_400));
        assert_eq!(duration("1d12h"), Ok(129_600));
        assert_eq!(duration("-90m"), Ok(-5_400));
        for wrong in ["", "-", "366", "d", "1y", "1d2", "9999999999999999999d", "9223372036854775807d", "1ä"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_utc_and_a_day_begins_at_midnight() {
        assert_eq!(time("2027-01-31"), time("2027-01-31T00:00:00Z"));
        assert_eq!(end("never"), Ok(None));
        assert!(time("tomorrow").is_err());
    }

    #[test]
    fn a_component_has_a_name_or_an_id() {
        assert_eq!(
            component("Ergo SAM=3"),
            Ok(ComponentTerms { id: None, name: Some("Ergo SAM".to_owned()), max_users: 3 })
        );
        let id = Some("AQDreDAZcXJjzgAE".parse().unwrap());
        assert_eq!(component("AQDreDAZcXJjzgAE=3"), Ok(ComponentTerms { id, name: None, max_users: 3 }));
        for wrong in ["Base", "Base=", "Base=x", "Nothing=3"] {
            assert!(component(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_alone_is_one_of_the_loopback_interface() {
        assert_eq!(address("14443"), address("127.0.0.1:14443"));
        assert!(address("14443x").is_err());
    }
}
