//! A run that breaks a law, made small: first what happens in it, then the steps that were taken, until they can be told as a
//! scenario.

use std::collections::HashMap;

use super::plan::{Event, Plan};
use super::site::{BOUNDS, Conducts, Lived, live};
use crate::laws;
use crate::parts::{At, DAY, Parts};
use crate::story::Story;
use crate::world::{Step, World};

/// Plans and steps that are tried at most.
const TRIES: usize = 1_500;

/// The smallest plan found that breaks the same law.
pub(crate) fn plan(plan: &Plan, law: &'static str, conducts: Conducts) -> Plan {
    let breaks = |events: &[(At, Event)]| {
        let smaller = Plan { events: events.to_vec(), ..plan.clone() };
        live(&smaller, conducts).broken == Some(law)
    };
    Plan { events: fewer(&plan.events, breaks), ..plan.clone() }
}

/// The smallest story found that breaks the law, without a service that does things by itself. `None`: the law is about that
/// service.
pub(crate) fn story(lived: &Lived, law: &'static str, conducts: Conducts) -> Option<Story> {
    let breaks = |steps: &[Step]| breaks(steps, law, conducts);
    let trace = [without_looks(&lived.trace), lived.trace.clone()].into_iter().find(|trace| breaks(trace))?;
    let mut steps = fewer(&trace, breaks);
    for at in 0..steps.len() {
        for whole in whole_days(steps[at]) {
            let mut rounded = steps.clone();
            rounded[at] = whole;
            if breaks(&rounded) {
                steps = rounded;
                break;
            }
        }
    }
    Some(Story::new(law, fewer(&steps, breaks), None, BOUNDS))
}

/// The steps without the daily looks, which most laws can do without.
fn without_looks(steps: &[Step]) -> Vec<Step> {
    let mut kept = Vec::new();
    for step in steps {
        match (step, kept.last_mut()) {
            (Step::Look(_), _) => {}
            (Step::Pass(seconds), Some(Step::Pass(before))) => *before += seconds,
            _ => kept.push(*step),
        }
    }
    kept
}

fn whole_days(step: Step) -> Vec<Step> {
    let day = DAY.cast_signed();
    match step {
        Step::Pass(seconds) => vec![Step::Pass(seconds / DAY * DAY), Step::Pass(seconds.div_ceil(DAY) * DAY)],
        Step::Clock(number, seconds) => {
            let down = seconds.div_euclid(day) * day;
            vec![Step::Clock(number, down), Step::Clock(number, down + day)]
        }
        _ => Vec::new(),
    }
}

/// Whether these steps break the law, as far as they lead anywhere.
fn breaks(steps: &[Step], law: &'static str, conducts: Conducts) -> bool {
    let parts = Parts::new(conducts.0, conducts.1);
    let mut world = World::first(&parts, BOUNDS);
    for step in steps {
        let Some(led) = world.take(*step, &parts) else { continue };
        if let Some(broken) = laws::broken(&world, &led, &parts) {
            return broken == law;
        }
        world = led.to;
    }
    law == laws::WAY_OUT
        && [0, 1].iter().any(|number| !laws::has_a_way_out(&world, *number, &parts, &mut HashMap::new()))
}

/// As few of `all` as still break something: ever smaller parts are left out.
fn fewer<T: Clone>(all: &[T], breaks: impl Fn(&[T]) -> bool) -> Vec<T> {
    let (mut kept, mut tries) = (all.to_vec(), 0);
    let mut part = kept.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut changed) = (0, false);
        while at < kept.len() && tries < TRIES {
            tries += 1;
            let until = (at + part).min(kept.len());
            let without: Vec<T> = [&kept[..at], &kept[until..]].concat();
            if breaks(&without) {
                (kept, changed) = (without, true);
            } else {
                at = until;
            }
        }
        match (part, changed) {
            _ if tries >= TRIES => return kept,
            (1, false) => return kept,
            (1, true) => {}
            _ => part = part.div_ceil(2),
        }
    }
}
