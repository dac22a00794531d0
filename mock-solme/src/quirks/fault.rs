//! A fault: a quirk, where it happens and when. The same words in the API, on the command line, in a file and here.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use solme_sync_protocol::{JsonObject, LicenseServerId, UtcTime};

use super::catalogue::{Operation, Quirk, Stage};
use super::variant::Variant;

/// A quirk that is armed, or to be armed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What the main server does.
    pub quirk: Quirk,
    /// Which exchanges it can happen to.
    #[serde(rename = "where", default, deserialize_with = "object")]
    pub place: Place,
    /// Which of those it happens to.
    #[serde(default, deserialize_with = "object")]
    pub when: When,
    /// What the quirk is told.
    #[serde(rename = "with", default, deserialize_with = "object")]
    pub parameters: Parameters,
}

/// Which exchanges a fault can happen to. The default: all that its quirk can happen to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Only exchanges of this operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Only exchanges of this license server id. Not with quirks of the connection: nobody knows yet whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::LicenseServerId>")]
    pub id: Option<LicenseServerId>,
}

/// Which of the matching exchanges a fault happens to. The default: each, for ever.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Not to the first so many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after: u64,
    /// So often, then it is used up; without it for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// With this probability, drawn from the seed: greater than 0, at most 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Not when the last so many exchanges of this operation and id had a quirk each, whichever fault it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most_in_a_row: Option<u64>,
    /// From this main server time on.
    #[serde(default, with = "crate::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub from: Option<UtcTime>,
    /// Before this main server time.
    #[serde(default, with = "crate::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub until: Option<UtcTime>,
}

/// What a quirk is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Of `delay` and `slow-drip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// Of `status-429`, `status-500`, `status-502` and `status-503`: seconds in Retry-After.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Of the same: Retry-After is the date that many seconds after main server time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retry_after_date: bool,
    /// Of `another-status`: from 200 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Of the quirks whose names end in `-variant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::Variant>")]
    pub variant: Option<Variant>,
}

/// Why a fault cannot be armed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The quirk does not happen to this operation.
    #[error("{quirk} does not apply to the operation {operation}")]
    Operation {
        /// The quirk that was to be armed.
        quirk: Quirk,
        /// The operation it was to be limited to.
        operation: Operation,
    },
    /// An id with a quirk of the connection.
    #[error("{0} affects a connection before its id is known: it cannot be limited to an id")]
    Id(Quirk),
    /// Not greater than 0, or more than 1.
    #[error("a probability must be greater than 0 and at most 1")]
    Probability,
    /// `next` or `at_most_in_a_row` is 0.
    #[error("{0} is 0: the fault would never fire")]
    Never(&'static str),
    /// `until` is not after `from`.
    #[error("until is not after from: the fault would never fire")]
    Window,
    /// A parameter that the quirk does not know.
    #[error("{parameter} does not apply to {quirk}")]
    Parameter {
        /// The quirk that was to be armed.
        quirk: Quirk,
        /// Name of the parameter, as in a file of faults.
        parameter: &'static str,
    },
    /// More milliseconds than a client can be expected to wait.
    #[error("milliseconds is {0}, at most an hour (3600000) is allowed")]
    Milliseconds(u64),
    /// A quirk that is told nothing of what it is to do.
    #[error("{quirk} needs a {parameter}")]
    Missing {
        /// The quirk that was to be armed.
        quirk: Quirk,
        /// Name of the parameter, as in a file of faults.
        parameter: &'static str,
    },
    /// A defect of something else.
    #[error("{variant} is a defect of a {}, but {quirk} does not change one", variant.kind())]
    Kind {
        /// The quirk that was to be armed.
        quirk: Quirk,
        /// The defect that was asked for.
        variant: Variant,
    },
    /// Not from 200 to 599.
    #[error("{0} is not a final HTTP status; choose one from 200 to 599")]
    Status(u16),
    /// More seconds than a year.
    #[error("retry_after is {0} seconds, at most {SECONDS_AT_MOST} (a year) are allowed")]
    RetryAfter(u64),
    /// A date without the seconds it is made of.
    #[error("retry_after_date needs retry_after")]
    DateOfNothing,
}

/// An hour, in milliseconds: the longest delay.
const MILLISECONDS_AT_MOST: u64 = 3_600_000;
/// A year, in seconds: the longest Retry-After.
const SECONDS_AT_MOST: u64 = 366 * 86_400;

impl Fault {
    /// A fault that happens to each exchange that its quirk can happen to, for ever.
    pub fn new(quirk: Quirk) -> Self {
        let (place, when, parameters) = (Place::default(), When::default(), Parameters::default());
        Self { quirk, place, when, parameters }
    }

    /// Only to this operation.
    #[must_use]
    pub fn operation(mut self, operation: Operation) -> Self {
        self.place.operation = Some(operation);
        self
    }

    /// Only to this license server id.
    #[must_use]
    pub fn id(mut self, id: LicenseServerId) -> Self {
        self.place.id = Some(id);
        self
    }

    /// Not to the first `exchanges` that match.
    #[must_use]
    pub fn after(mut self, exchanges: u64) -> Self {
        self.when.after = exchanges;
        self
    }

    /// So often, then it is used up.
    #[must_use]
    pub fn next(mut self, times: u64) -> Self {
        self.when.next = Some(times);
        self
    }

    /// With this probability: greater than 0, at most 1.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.when.probability = Some(probability);
        self
    }

    /// Not after so many quirks in a row: [`When::at_most_in_a_row`].
    #[must_use]
    pub fn at_most_in_a_row(mut self, exchanges: u64) -> Self {
        self.when.at_most_in_a_row = Some(exchanges);
        self
    }

    /// From this main server time on.
    #[must_use]
    pub fn from_time(mut self, time: UtcTime) -> Self {
        self.when.from = Some(time);
        self
    }

    /// Before this main server time.
    #[must_use]
    pub fn until(mut self, time: UtcTime) -> Self {
        self.when.until = Some(time);
        self
    }

    /// The delay, in milliseconds: [`Parameters::milliseconds`].
    #[must_use]
    pub fn milliseconds(mut self, milliseconds: u64) -> Self {
        self.parameters.milliseconds = Some(milliseconds);
        self
    }

    /// Retry-After, in seconds: [`Parameters::retry_after`].
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.parameters.retry_after = Some(seconds);
        self
    }

    /// Retry-After as a date, so many seconds from now: [`Parameters::retry_after_date`].
    #[must_use]
    pub fn retry_after_date(mut self, seconds: u64) -> Self {
        self.parameters.retry_after_date = true;
        self.retry_after(seconds)
    }

    /// The HTTP status, from 200 to 599: [`Parameters::status`].
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.parameters.status = Some(status);
        self
    }

    /// The answer has this defect; the quirk is the one that has answers of its kind changed.
    pub fn of(variant: Variant) -> Option<Self> {
        let quirk = Quirk::ALL.iter().copied().find(|quirk| quirk.changes() == Some(variant.kind()))?;
        let mut fault = Self::new(quirk);
        fault.parameters.variant = Some(variant);
        Some(fault)
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`FaultError`].
    pub fn check(&self) -> Result<(), FaultError> {
        let Self { quirk, place, when, parameters } = self;
        let quirk = *quirk;
        if let Some(operation) = place.operation.filter(|operation| !quirk.happens_to(*operation)) {
            return Err(FaultError::Operation { quirk, operation });
        }
        if place.id.is_some() && quirk.stage() == Stage::Connection {
            return Err(FaultError::Id(quirk));
        }
        if when.probability.is_some_and(|probability| !(probability > 0.0 && probability <= 1.0)) {
            return Err(FaultError::Probability);
        }
        for (name, count) in [("next", when.next), ("at_most_in_a_row", when.at_most_in_a_row)] {
            if count == Some(0) {
                return Err(FaultError::Never(name));
            }
        }
        if let (Some(from), Some(until)) = (when.from, when.until)
            && from >= until
        {
            return Err(FaultError::Window);
        }
        parameters.check(quirk)
    }

    /// Whether it can happen to this exchange at this time.
    pub(super) fn covers(&self, operation: Operation, id: Option<&LicenseServerId>, now: UtcTime) -> bool {
        self.quirk.happens_to(operation)
            && self.place.operation.map_or(operation != Operation::Probe, |only| only == operation)
            && (self.place.id.is_none() || self.place.id.as_ref() == id)
            && self.when.from.is_none_or(|from| now >= from)
            && self.when.until.is_none_or(|until| now < until)
    }
}

impl Quirk {
    /// Whether it has to be told what to do.
    pub(crate) fn needs_parameters(self) -> bool {
        self.changes().is_some() || self == Self::AnotherStatus
    }
}

impl Parameters {
    fn check(self, quirk: Quirk) -> Result<(), FaultError> {
        let takes_time = matches!(quirk, Quirk::Delay | Quirk::SlowDrip);
        let says_when = matches!(quirk, Quirk::Status429 | Quirk::Status500 | Quirk::Status502 | Quirk::Status503);
        let strangers = [
            ("milliseconds", self.milliseconds.is_some() && !takes_time),
            ("retry_after", self.retry_after.is_some() && !says_when),
            ("retry_after_date", self.retry_after_date && !says_when),
            ("status", self.status.is_some() && quirk != Quirk::AnotherStatus),
            ("variant", self.variant.is_some() && quirk.changes().is_none()),
        ];
        if let Some((parameter, _)) = strangers.into_iter().find(|(_, stranger)| *stranger) {
            return Err(FaultError::Parameter { quirk, parameter });
        }
        self.check_variant(quirk)?;
        if let Some(seconds) = self.retry_after.filter(|seconds| *seconds > SECONDS_AT_MOST) {
            return Err(FaultError::RetryAfter(seconds));
        }
        match self.milliseconds {
            Some(milliseconds) if milliseconds > MILLISECONDS_AT_MOST => Err(FaultError::Milliseconds(milliseconds)),
            _ if self.retry_after_date && self.retry_after.is_none() => Err(FaultError::DateOfNothing),
            _ => Ok(()),
        }
    }

    fn check_variant(self, quirk: Quirk) -> Result<(), FaultError> {
        match (quirk.changes(), self.variant, self.status) {
            (Some(_), None, _) => Err(FaultError::Missing { quirk, parameter: "variant" }),
            (Some(kind), Some(variant), _) if variant.kind() != kind => Err(FaultError::Kind { quirk, variant }),
            (_, _, None) if quirk == Quirk::AnotherStatus => Err(FaultError::Missing { quirk, parameter: "status" }),
            (_, _, Some(status)) if !(200..600).contains(&status) => Err(FaultError::Status(status)),
            _ => Ok(()),
        }
    }
}

fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    JsonObject::deserialize(d).map(|object| object.0)
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}
