//! May a license be issued? (P 17)

use solme_sync_protocol::{License, LicenseNumber, UtcTime};

use super::refusal::Carrier;
use super::state::{Cleared, LocalServer, Overdue, Synchronized};
use super::{ClockError, Times, in_words};

/// The answer, with the rule that gave it and the clock values that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) rule: Rule,
    /// The times it was decided at.
    pub(crate) times: Times,
    /// The deadline that counted, if there was one.
    pub(crate) synchronize_by: Option<UtcTime>,
}

/// What decides whether a license may be issued. Only the first one is a yes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // of the members: their names say all there is
pub enum Rule {
    /// P 17.1 and 17.7 hold, for this number of the allocated licenses or for the one that was asked for.
    MayIssue { licenses: usize },
    /// P 17.1: no receipt was applied yet.
    Unsynchronized,
    /// P 17.1: the effective time has reached the deadline.
    Overdue { synchronize_by: UtcTime },
    /// P 17.8, 12.6: the main server has cleared the key pair.
    Cleared { message: String, cure: String },
    /// P 17.8, 11.12: what is stored does not verify.
    Tampered { found: String },
    /// P 17.4: the local clock is too far behind the latest time seen.
    LocalClockWrong(ClockError),
    /// P 17.7: the allocation does not have this number.
    NotAllocated { number: LicenseNumber },
    /// P 17.7: the effective time is before `valid_from`.
    NotYetValid { number: LicenseNumber, valid_from: UtcTime },
    /// P 17.7: the effective time has reached `expires_at`.
    Expired { number: LicenseNumber, expires_at: UtcTime },
    /// P 17.7: the allocation has no license at all.
    NothingAllocated,
    /// P 17.7: no license of the allocation is valid now.
    NothingValid,
}

/// May a license be issued? With a number: that license; without: any.
pub(crate) fn may_issue(server: &LocalServer, times: &Times, number: Option<&LicenseNumber>) -> Verdict {
    let applied = match server {
        LocalServer::Tampered(tampered) => Err(Rule::Tampered { found: tampered.found.to_string() }),
        LocalServer::Cleared(cleared) => Err(cleared_rule(cleared)),
        LocalServer::Unsynchronized(_) => Err(Rule::Unsynchronized),
        LocalServer::Overdue(Overdue { applied }) | LocalServer::Synchronized(Synchronized { applied }) => Ok(applied),
    };
    let (rule, synchronize_by) = match applied {
        Err(rule) => (rule, None),
        Ok(applied) => {
            let synchronize_by = applied.receipt().synchronize_by;
            // The deadline is asked again here: it alone decides, whatever the name of the state says (P 17.1).
            let rule = if times.effective() >= synchronize_by {
                Rule::Overdue { synchronize_by }
            } else if let Err(wrong) = times.check_clock() {
                Rule::LocalClockWrong(wrong)
            } else {
                judge_licenses(&applied.allocation().licenses, times.effective(), number)
            };
            (rule, Some(synchronize_by))
        }
    };
    Verdict { rule, times: *times, synchronize_by }
}

fn cleared_rule(cleared: &Cleared) -> Rule {
    let cure = "Run `license-server new-key-pair --yes`, then synchronize.".to_owned();
    Rule::Cleared { message: cleared.meaning(Carrier::Direct).message, cure }
}

fn judge_licenses(licenses: &[License], now: UtcTime, number: Option<&LicenseNumber>) -> Rule {
    let Some(number) = number else {
        return match licenses.iter().filter(|license| not_valid(license, now).is_none()).count() {
            0 if licenses.is_empty() => Rule::NothingAllocated,
            0 => Rule::NothingValid,
            licenses => Rule::MayIssue { licenses },
        };
    };
    match licenses.iter().find(|license| license.number == *number) {
        None => Rule::NotAllocated { number: number.clone() },
        Some(license) => not_valid(license, now).unwrap_or(Rule::MayIssue { licenses: 1 }),
    }
}

/// Why a license is not within its own validity (P 17.7).
fn not_valid(license: &License, now: UtcTime) -> Option<Rule> {
    let number = || license.number.clone();
    if now < license.valid_from {
        return Some(Rule::NotYetValid { number: number(), valid_from: license.valid_from });
    }
    let ended = license.expires_at.filter(|end| now >= *end);
    ended.map(|expires_at| Rule::Expired { number: number(), expires_at })
}

impl Verdict {
    pub(crate) const fn is_yes(&self) -> bool {
        matches!(self.rule, Rule::MayIssue { .. })
    }

    /// The code, as scripts see it.
    pub(crate) const fn code(&self) -> &'static str {
        match self.rule {
            Rule::MayIssue { .. } => "may-issue",
            Rule::Unsynchronized => "unsynchronized",
            Rule::Overdue { .. } => "overdue",
            Rule::Cleared { .. } => "cleared",
            Rule::Tampered { .. } => "tampered",
            Rule::LocalClockWrong(_) => "local-clock-wrong",
            Rule::NotAllocated { .. } => "license-not-allocated",
            Rule::NotYetValid { .. } => "license-not-yet-valid",
            Rule::Expired { .. } => "license-expired",
            Rule::NothingAllocated => "nothing-allocated",
            Rule::NothingValid => "nothing-valid",
        }
    }

    pub(crate) fn message(&self) -> String {
        match &self.rule {
            Rule::MayIssue { licenses: 1 } => "yes: one license may be issued".to_owned(),
            Rule::MayIssue { licenses } => format!("yes: {licenses} licenses may be issued"),
            Rule::Unsynchronized => "this server has not synchronized with this key pair yet (P 17.1)".to_owned(),
            Rule::Overdue { synchronize_by } => format!(
                "the required synchronization was due by {synchronize_by}; it is {} now (P 17.1)",
                self.times.effective()
            ),
            Rule::Cleared { message, .. } => format!("{message} (P 17.8)"),
            Rule::Tampered { found } => format!("the state of this server was tampered with: {found} (P 17.8)"),
            Rule::LocalClockWrong(wrong) => format!(
                "the local clock is {} behind the latest time seen, {}; since the last synchronization it was set back \
                 by {} in total, at most 24 h are allowed (P 17.4)",
                in_words(wrong.behind),
                self.times.high_water_mark,
                in_words(wrong.set_back)
            ),
            Rule::NotAllocated { number } => format!("license {number} is not allocated to this server (P 17.7)"),
            Rule::NotYetValid { number, valid_from } => {
                format!("license {number} is valid from {valid_from}; it is {} now (P 17.7)", self.times.effective())
            }
            Rule::Expired { number, expires_at } => format!("license {number} expired at {expires_at} (P 17.7)"),
            Rule::NothingAllocated => "no license is allocated to this server (P 17.7)".to_owned(),
            Rule::NothingValid => "no allocated license is valid now (P 17.7)".to_owned(),
        }
    }

    /// What to do next; `None` for a yes.
    pub(crate) fn cure(&self) -> Option<String> {
        const SYNCHRONIZE: &str = "Run `license-server synchronize`, or synchronize via file";
        let cure = match &self.rule {
            Rule::MayIssue { .. } => return None,
            Rule::Unsynchronized | Rule::Overdue { .. } | Rule::Tampered { .. } => format!("{SYNCHRONIZE}."),
            Rule::Cleared { cure, .. } => cure.clone(),
            Rule::LocalClockWrong(_) => format!(
                "Set this computer's clock. If the latest time seen came from a fast clock, {}.",
                SYNCHRONIZE.replacen("Run", "run", 1)
            ),
            Rule::NotAllocated { .. } | Rule::NothingAllocated => {
                format!("If Solme has allocated it meanwhile, {}.", SYNCHRONIZE.replacen("Run", "run", 1))
            }
            Rule::NotYetValid { .. } => "Wait until it is valid, or use another license.".to_owned(),
            Rule::Expired { .. } | Rule::NothingValid => {
                format!("Renew it with Solme, then {}.", SYNCHRONIZE.replacen("Run", "run", 1))
            }
        };
        Some(cure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{MAIN_TIME, NUMBERS, World};

    const DAY: u64 = 86_400;

    fn code_at(world: &World, seconds: u64, number: Option<usize>) -> &'static str {
        let times = Times::starting_at(MAIN_TIME.plus(seconds));
        let number = number.map(|n| NUMBERS[n].parse().unwrap());
        may_issue(&world.synchronized(&times), &times, number.as_ref()).code()
    }

    #[test]
    fn the_deadline_and_the_validity_of_the_license_decide() {
        let world = World::new();
        // License 0 is valid from the start for ten years, license 1 from day 10 to day 20, license 2 is not allocated.
        for (seconds, number, wanted) in [
            (0, Some(0), "may-issue"),
            (0, None, "may-issue"),
            (10 * DAY - 1, Some(1), "license-not-yet-valid"),
            (10 * DAY, Some(1), "may-issue"),
            (20 * DAY - 1, Some(1), "may-issue"),
            (20 * DAY, Some(1), "license-expired"),
            (0, Some(2), "license-not-allocated"),
            (366 * DAY - 1, Some(0), "may-issue"),
            (366 * DAY, Some(0), "overdue"),
            (366 * DAY, None, "overdue"),
            (366 * DAY, Some(2), "overdue"),
        ] {
            assert_eq!(code_at(&world, seconds, number), wanted, "{seconds} s, license {number:?}");
        }
    }

    #[test]
    fn without_a_number_any_valid_license_will_do() {
        let world = World::new();
        for (seconds, wanted) in [
            (10 * DAY - 1, "nothing-valid"),
            (10 * DAY, "may-issue"),
            (20 * DAY - 1, "may-issue"),
            (20 * DAY, "nothing-valid"),
        ] {
            let times = Times::starting_at(MAIN_TIME.plus(seconds));
            assert_eq!(may_issue(&world.synchronized_with(&[1], &times), &times, None).code(), wanted, "{seconds} s");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_issues_nothing_until_it_is_right_again() {
        let world = World::new();
        let times = Times::starting_at(MAIN_TIME.plus(10 * DAY)).observe(MAIN_TIME.plus(8 * DAY));
        let verdict = may_issue(&world.synchronized(&times), &times, None);
        assert_eq!(verdict.rule, Rule::LocalClockWrong(ClockError { behind: 2 * DAY, set_back: 2 * DAY }));
        assert!(verdict.cure().unwrap().contains("clock"));
        let times = times.observe(MAIN_TIME.plus(10 * DAY));
        assert!(may_issue(&world.synchronized(&times), &times, None).is_yes());
    }

    #[test]
    fn every_no_has_a_cure() {
        let world = World::new();
        let times = Times::starting_at(MAIN_TIME);
        let unsynchronized = may_issue(&world.unsynchronized(), &times, None);
        assert_eq!((unsynchronized.code(), unsynchronized.cure().is_some()), ("unsynchronized", true));
        let empty = may_issue(&world.synchronized_with(&[], &times), &times, None);
        assert_eq!((empty.code(), empty.cure().is_some()), ("nothing-allocated", true));
    }
}
