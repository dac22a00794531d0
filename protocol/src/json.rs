//! Strict JSON (P 2.1 to 2.5): no duplicate member at any depth, bounded depth, objects only where objects belong.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::limits;

/// Why JSON was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Two members of one name in one object (P 2.2).
    #[error("duplicate member {0:?}")]
    DuplicateMember(String),
    /// Nested deeper than P 18 allows.
    #[error("nested deeper than {} levels", limits::JSON_DEPTH)]
    TooDeep,
    /// Not JSON, or not the members and types that are wanted. The text is for people.
    #[error("{0}")]
    Invalid(String),
}

/// Reads one JSON object of type `T` under the rules of P 2.
///
/// # Errors
/// [`JsonError`]; unknown members are an error only where `T` denies them.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    refuse_duplicates(bytes)?;
    let object: Object<T> = serde_json::from_slice(bytes).map_err(|e| JsonError::Invalid(e.to_string()))?;
    Ok(object.0)
}

fn refuse_duplicates(bytes: &[u8]) -> Result<(), JsonError> {
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walked = Walk { depth: 0, found: &mut found }.deserialize(&mut deserializer);
    match (walked.and_then(|()| deserializer.end()), found) {
        (_, Some(error)) => Err(error),
        (Err(error), None) => Err(JsonError::Invalid(error.to_string())),
        (Ok(()), None) => Ok(()),
    }
}

/// Walks over any JSON value, and keeps nothing of it but the names of the object it is in.
struct Walk<'a> {
    /// How many arrays and objects are open.
    depth: usize,
    found: &'a mut Option<JsonError>,
}

impl Walk<'_> {
    /// Goes into an array or object, empty or not.
    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > limits::JSON_DEPTH {
            *self.found = Some(JsonError::TooDeep);
            return Err(E::custom("too deep"));
        }
        Ok(())
    }

    fn inner(&mut self) -> Walk<'_> {
        Walk { depth: self.depth, found: self.found }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.enter()?;
        while seq.next_element_seed(self.inner())?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if names.contains(&name) {
                *self.found = Some(JsonError::DuplicateMember(name));
                return Err(A::Error::custom("duplicate member"));
            }
            names.insert(name);
            map.next_value_seed(self.inner())?;
        }
        Ok(())
    }
}

/// A `T` written as a JSON object. serde's derived structs also accept an array of their fields: on the wire that would
/// be a second spelling of the same message.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOnly<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for MapOnly<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(MapOnly(PhantomData)).map(Object)
    }
}

/// For a field that is an object.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Object::deserialize(d).map(|object| object.0)
}

/// For a field that is an array of objects.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(d)?.into_iter().map(|object| object.0).collect())
}

/// For an integer field (P 2.5).
pub(crate) fn integer<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let value = u64::deserialize(d)?;
    if value > limits::INTEGER {
        return Err(D::Error::custom(format!("{value} is greater than 2^53 - 1")));
    }
    Ok(value)
}

/// For a field that may be null but may not be missing (P 5.1, 7.2).
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Sample {
        #[serde(deserialize_with = "integer")]
        a: u64,
    }

    fn check(text: &str) -> Result<Sample, JsonError> {
        parse(text.as_bytes())
    }

    #[test]
    fn unknown_members_are_ignored_and_duplicates_inside_them_are_not() {
        assert_eq!(check(r#"{"a":1,"b":{"c":[null,true,-1,1.5,"x"]}}"#), Ok(Sample { a: 1 }));
        let twice = |name: &str| Err(JsonError::DuplicateMember(name.to_owned()));
        assert_eq!(check(r#"{"a":1,"a":1}"#), twice("a"));
        assert_eq!(check(r#"{"a":1,"b":[{"c":{"d":1,"d":2}}]}"#), twice("d"));
        assert_eq!(check(r#"{"a":1,"b":1,"\u0062":1}"#), twice("b"), "names are compared after unescaping");
    }

    #[test]
    fn a_number_beyond_a_double_is_no_json_here_also_in_an_unknown_member() {
        assert_eq!(check(r#"{"a":1,"b":1e300}"#), Ok(Sample { a: 1 }));
        assert!(matches!(check(r#"{"a":1,"b":1e400}"#), Err(JsonError::Invalid(_))), "P 2.5 allows both");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!(r#"{{"a":1,"b":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        assert_eq!(check(&nested(limits::JSON_DEPTH - 1)), Ok(Sample { a: 1 }));
        assert_eq!(check(&nested(limits::JSON_DEPTH)), Err(JsonError::TooDeep));
        let objects = |n: usize| format!(r#"{{"a":1,"b":{}{{}}{}}}"#, r#"{"c":"#.repeat(n - 1), "}".repeat(n - 1));
        assert_eq!(check(&objects(limits::JSON_DEPTH - 1)), Ok(Sample { a: 1 }));
        assert_eq!(check(&objects(limits::JSON_DEPTH)), Err(JsonError::TooDeep), "an empty object is a level too");
        assert_eq!(check(&nested(100_000)), Err(JsonError::TooDeep));
    }

    #[test]
    fn arrays_fractions_and_large_integers_are_not_what_was_asked_for() {
        for bad in [
            "[1]",
            r#"{"a":1.0}"#,
            r#"{"a":1e2}"#,
            r#"{"a":-1}"#,
            r#"{"a":9007199254740992}"#,
            r#"{"a":"1"}"#,
            "{}",
            r#"{"a":1} x"#,
            "\u{feff}{\"a\":1}",
            "",
            "{\"a\":1,}",
        ] {
            assert!(matches!(check(bad), Err(JsonError::Invalid(_))), "{bad}");
        }
        let error = check("[1]").unwrap_err().to_string();
        assert!(error.starts_with("invalid type: sequence, expected an object"), "{error}");
        assert_eq!(check(r#"{"a":9007199254740991}"#), Ok(Sample { a: 9_007_199_254_740_991 }));
    }
}
