//! Rules broken on purpose, and whether the laws notice.

use license_server::testing::{Conduct, Rule, Times};
use license_server::{Mode, State};
use mock_solme::testing::Protocol;
use solme_sync_protocol::{Allocation, LicenseNumber, OpenError, PublicJwk, SealingKey, Signature, VerifyEs384};

use super::plan::{Event, Plan};
use super::service_laws::Unimpeded;
use super::site::{Conducts, live};
use super::{Failure, RIGHT, SITES, run};
use crate::parts::{DAY, Fault, Parts};
use crate::stand_in::{Honest, stand_in};
use crate::world::{Bounds, Step, World};
use crate::{broken, play};

#[test]
fn years_find_each_rule_that_is_broken_on_purpose_and_tell_it_as_a_scenario() {
    let mut played = 0;
    for broken in broken::ALL {
        let conducts: Conducts = (broken.license_server, broken.main_server);
        let seed = (0..2_000).find(|seed| !run(*seed, SITES, conducts).failed.is_empty());
        let seed = seed.unwrap_or_else(|| panic!("not found: {}", broken.rule));
        let failure = Failure::of(seed, SITES, conducts).unwrap();
        println!("{}\n{}\n", broken.rule, failure.told);
        let command = format!("YEARS_SEED={seed} cargo test -p tests --test model years::no_seed -- --nocapture");
        assert_eq!(failure.told.matches(&command).count(), 1, "{}", failure.told);
        assert!(failure.told.lines().count() < 20, "it is small: {}", failure.told);
        assert!(failure.told.contains(failure.law), "{}", failure.told);
        assert_eq!(run(seed, SITES, RIGHT).failed, [0; 0], "the rules as they ship");
        if let Some(scenario) = failure.scenario {
            play(broken.rule, &scenario);
            played += 1;
        }
    }
    assert!(played >= 4, "{played} of {} could be played", broken::ALL.len());
}

/// P 17.4: issues although the clock was set back.
#[derive(Debug)]
struct TrustsAnyClock;

impl Conduct for TrustsAnyClock {
    stand_in!();

    fn rule(&self, rule: Rule, _: Option<&Allocation>, _: &Times, _: Option<&LicenseNumber>) -> Rule {
        if matches!(rule, Rule::LocalClockWrong(_)) { Rule::MayIssue { licenses: 1 } } else { rule }
    }
}

#[test]
fn a_clock_that_is_set_back_and_believed_is_found() {
    let synchronize = (3_600, Event::Take(Step::Synchronize(0, Fault::None)));
    let events = vec![synchronize, (200 * DAY, Event::MoveClock(0, -(300 * DAY).cast_signed()))];
    let plan = Plan { length: 600 * DAY, mode: Mode::Off, events };
    assert_eq!(live(&plan, RIGHT).broken, None);
    let broken = live(&plan, (&TrustsAnyClock, &Protocol)).broken;
    assert_eq!(broken, Some("no clock makes 366 days longer than P 17 allows"));
}

#[test]
fn a_service_that_does_not_come_back_is_found() {
    let parts = Parts::new(&Honest, &Protocol);
    let world = World::first(&parts, Bounds { disturbances: 0, synchronizations: 9 });
    let led = world.take(Step::Synchronize(0, Fault::None), &parts).unwrap();
    let server = led.to.servers[0].unwrap();
    let judge = |mode, since, now| {
        let mut unimpeded = Unimpeded::default();
        unimpeded.impeded(since);
        let shown = parts.look(server.paper, server.who, now);
        (shown.state, unimpeded.broken(mode, now, &shown))
    };
    let by_itself = "with a working network and clock, there is a synchronization each day or each week";
    let overdue = "with a working network and clock, automatic synchronization never leaves a server overdue";
    assert_eq!(judge(Mode::Weekly, 0, 7 * DAY), (State::Synchronized, None));
    assert_eq!(judge(Mode::Weekly, 0, 8 * DAY), (State::Synchronized, Some(by_itself)));
    assert_eq!(judge(Mode::Daily, 0, 2 * DAY), (State::Synchronized, Some(by_itself)));
    assert_eq!(judge(Mode::Daily, 2 * DAY, 2 * DAY), (State::Synchronized, None), "it was impeded");
    assert_eq!(judge(Mode::Off, 0, 300 * DAY), (State::Synchronized, None));
    assert_eq!(judge(Mode::Weekly, 366 * DAY, 367 * DAY), (State::Overdue, Some(overdue)));
}
