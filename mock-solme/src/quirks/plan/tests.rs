//! The plan against every word of a fault, for any sequence of exchanges.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use solme_sync_protocol::{LicenseServerId, UtcTime};

use super::*;
use crate::quirks::{FaultError, hostile};

fn id(name: &str) -> LicenseServerId {
    name.parse().unwrap()
}

fn at(seconds: u64) -> UtcTime {
    UtcTime::from_secs(seconds)
}

/// One exchange, whose answer is a receipt with everything behind it.
fn exchange(plan: &mut Plan, operation: Operation, id: Option<&LicenseServerId>, now: UtcTime) -> Option<Quirk> {
    let fired = plan.request(operation, id, now).or_else(|| plan.answer(operation, id, now, |_| true));
    fired.map(|fired| fired.quirk)
}

fn fires(plan: &mut Plan, times: usize) -> Vec<bool> {
    let server = id("A");
    (0..times).map(|_| exchange(plan, Operation::Synchronize, Some(&server), at(0)).is_some()).collect()
}

fn armed(faults: &[Fault]) -> Plan {
    Plan::new(1, faults.to_vec()).unwrap()
}

#[test]
fn after_and_next_count_matching_exchanges() {
    let mut plan = armed(&[Fault::new(Quirk::DropReply).after(1).next(2)]);
    assert_eq!(fires(&mut plan, 5), [false, true, true, false, false]);
    let report = &plan.report()[0];
    assert_eq!((report.matched, report.fired, report.left), (3, 2, Some(0)));
    assert!(!plan.is_armed());
}

#[test]
fn without_next_a_fault_fires_for_ever_until_it_is_disarmed() {
    let mut plan = armed(&[]);
    assert!(!plan.is_armed());
    let number = plan.arm(Fault::new(Quirk::Redirect)).unwrap().number;
    assert_eq!(fires(&mut plan, 3), [true; 3]);
    assert_eq!(plan.report()[0].left, None);
    assert_eq!(plan.disarm(number).map(|report| report.fired), Some(3));
    assert_eq!(plan.disarm(number), None);
    assert_eq!(fires(&mut plan, 2), [false; 2]);
    assert_eq!(plan.arm(Fault::new(Quirk::Redirect)).unwrap().number, number + 1);
    assert_eq!(plan.disarm_all().len(), 1);
    assert!(!plan.is_armed());
}

#[test]
fn a_fault_fires_only_where_it_is_told_to() {
    let mut plan = armed(&[Fault::new(Quirk::FlipByte).operation(Operation::Payload).id(id("A"))]);
    assert_eq!(exchange(&mut plan, Operation::Synchronize, Some(&id("A")), at(0)), None);
    assert_eq!(exchange(&mut plan, Operation::Payload, Some(&id("B")), at(0)), None);
    assert_eq!(exchange(&mut plan, Operation::Payload, None, at(0)), None);
    assert_eq!(exchange(&mut plan, Operation::Payload, Some(&id("A")), at(0)), Some(Quirk::FlipByte));
    assert_eq!(plan.connection(Operation::Payload, at(0)), None);
}

#[test]
fn a_window_begins_with_from_and_ends_before_until() {
    let mut plan = armed(&[Fault::new(Quirk::Delay).from_time(at(10)).until(at(20))]);
    let mut fires = |now| exchange(&mut plan, Operation::File, None, at(now)).is_some();
    assert_eq!([9, 10, 19, 20].map(&mut fires), [false; 4], "delay does not happen to files");
    let mut fires = |now| exchange(&mut plan, Operation::Payload, None, at(now)).is_some();
    assert_eq!([9, 10, 19, 20].map(&mut fires), [false, true, true, false]);
}

#[test]
fn a_quirk_that_an_answer_does_not_offer_does_not_match() {
    let mut plan = armed(&[Fault::new(Quirk::SequenceBack).next(1)]);
    let refusal = |need| need == Need::Message;
    assert_eq!(plan.request(Operation::Synchronize, None, at(0)), None);
    assert_eq!(plan.answer(Operation::Synchronize, None, at(0), refusal), None);
    assert_eq!(plan.report()[0].matched, 0);
    assert_eq!(exchange(&mut plan, Operation::Synchronize, None, at(0)), Some(Quirk::SequenceBack));
}

#[test]
fn an_exchange_has_one_quirk_that_of_the_earlier_stage_and_then_of_the_fault_armed_first() {
    let faults = [Quirk::Truncate, Quirk::FlipByte, Quirk::Status502].map(|quirk| Fault::new(quirk).next(1));
    let mut plan = armed(&faults);
    let fired: Vec<_> = (0..4).map(|_| exchange(&mut plan, Operation::Payload, None, at(0))).collect();
    assert_eq!(fired, [Some(Quirk::Status502), Some(Quirk::Truncate), Some(Quirk::FlipByte), None]);
}

#[test]
fn connections_are_counted_apart_from_exchanges() {
    let mut plan = armed(&[Fault::new(Quirk::PortClosed).at_most_in_a_row(1), Fault::new(Quirk::DropReply)]);
    let door = |plan: &mut Plan| plan.connection(Operation::Payload, at(0)).is_some();
    assert!(door(&mut plan));
    assert_eq!(exchange(&mut plan, Operation::Payload, None, at(0)), Some(Quirk::DropReply));
    assert!(!door(&mut plan));
    assert!(door(&mut plan));
}

#[test]
fn ids_beyond_the_limit_share_a_count() {
    let mut plan = armed(&[Fault::new(Quirk::DropReply).at_most_in_a_row(1)]);
    for number in 0..IDS_AT_MOST + 10 {
        exchange(&mut plan, Operation::Synchronize, Some(&id(&format!("S{number}"))), at(0));
    }
    assert!(plan.courses.len() <= IDS_AT_MOST + Operation::ALL.len());
}

#[test]
fn what_makes_no_sense_is_not_armed() {
    let mut plan = armed(&[]);
    let mut wrong = |fault| plan.arm(fault).unwrap_err();
    let (quirk, operation) = (Quirk::TlsOtherCa, Operation::Payload);
    assert_eq!(wrong(Fault::new(quirk).operation(operation)), FaultError::Operation { quirk, operation });
    assert_eq!(wrong(Fault::new(quirk).id(id("A"))), FaultError::Id(quirk));
    for probability in [0.0, -0.5, 1.5, f64::NAN] {
        assert_eq!(wrong(Fault::new(quirk).probability(probability)), FaultError::Probability);
    }
    assert_eq!(wrong(Fault::new(quirk).next(0)), FaultError::Never("next"));
    assert_eq!(wrong(Fault::new(quirk).at_most_in_a_row(0)), FaultError::Never("at_most_in_a_row"));
    assert_eq!(wrong(Fault::new(quirk).from_time(at(5)).until(at(5))), FaultError::Window);
    let parameter = |parameter| FaultError::Parameter { quirk, parameter };
    assert_eq!(wrong(Fault::new(quirk).milliseconds(5)), parameter("milliseconds"));
    assert_eq!(wrong(Fault::new(quirk).retry_after(5)), parameter("retry_after"));
    assert_eq!(wrong(Fault::new(Quirk::Delay).milliseconds(3_600_001)), FaultError::Milliseconds(3_600_001));
    let mut date = Fault::new(Quirk::Status503).retry_after_date(1);
    date.parameters.retry_after = None;
    assert_eq!(wrong(date), FaultError::DateOfNothing);
    assert!(plan.report().is_empty());
}

#[test]
fn a_reset_begins_anew_with_the_faults_of_the_start() {
    let start = [Fault::new(Quirk::DropReply).probability(0.5)];
    let mut plan = armed(&start);
    let first = fires(&mut plan, 50);
    assert_ne!(fires(&mut plan, 50), first, "draws are not repeated");
    plan.arm(Fault::new(Quirk::Redirect)).unwrap();
    plan.reset();
    assert_eq!(plan.report().len(), 1);
    assert_eq!(fires(&mut plan, 50), first);
}

#[test]
fn the_names_of_quirks_are_unique_and_read_back() {
    let names: HashMap<_, _> = Quirk::ALL.iter().map(|quirk| (quirk.as_str(), quirk)).collect();
    assert_eq!(names.len(), Quirk::ALL.len());
    assert!(names.iter().all(|(name, quirk)| name.parse() == Ok(**quirk)));
    assert!("drop".parse::<Quirk>().is_err());
}

#[test]
fn no_quirk_comes_instead_of_a_response_file() {
    let of_files = Quirk::ALL.iter().filter(|quirk| quirk.operations().contains(&Operation::File));
    assert!(of_files.clone().count() > 0);
    assert!(of_files.into_iter().all(|quirk| matches!(quirk.stage(), Stage::Message(_) | Stage::Way)));
}

/// An exchange that a test makes up.
type Step = (Operation, u8, u64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let operation = prop_oneof![Just(Operation::Synchronize), Just(Operation::Payload)];
    vec((operation, 0..3_u8, 0..40_u64), 1..200)
}

fn fault() -> impl Strategy<Value = Fault> {
    let quirks = vec![Quirk::DropReply, Quirk::FlipByte, Quirk::Status502, Quirk::WrongSignature];
    let place = (proptest::option::of(Just(Operation::Synchronize)), proptest::option::of(0..3_u8));
    let counts = (0..5_u64, proptest::option::of(1..6_u64), proptest::option::of(1..4_u64));
    let probability = proptest::option::of(0.1..1.0_f64);
    let window = proptest::option::of((0..20_u64, 1..20_u64));
    (prop::sample::select(quirks), place, counts, probability, window).prop_map(
        |(quirk, (operation, server), (after, next, at_most_in_a_row), probability, window)| {
            let mut fault = Fault::new(quirk);
            fault.place.operation = operation;
            fault.place.id = server.map(|server| id(&format!("S{server}")));
            fault.when.after = after;
            fault.when.next = next;
            fault.when.probability = probability;
            fault.when.at_most_in_a_row = at_most_in_a_row;
            fault.when.from = window.map(|(from, _)| at(from));
            fault.when.until = window.map(|(from, length)| at(from + length));
            fault
        },
    )
}

fn trace(plan: &mut Plan, steps: &[Step]) -> Vec<Option<Quirk>> {
    let run = |(operation, server, now): &Step| exchange(plan, *operation, Some(&id(&format!("S{server}"))), at(*now));
    steps.iter().map(run).collect()
}

proptest! {
    #[test]
    fn every_word_of_a_single_fault_is_kept_for_any_sequence(fault in fault(), seed: u32, steps in steps()) {
        let mut plan = Plan::new(seed, vec![fault.clone()]).unwrap();
        let (mut matched, mut fired) = (0, 0);
        let mut in_a_row = HashMap::<(Operation, u8), u64>::new();
        for (step, quirk) in steps.iter().zip(trace(&mut plan, &steps)) {
            let (operation, server, now) = *step;
            let covered = fault.quirk.operations().contains(&operation)
                && fault.place.operation.is_none_or(|only| only == operation)
                && fault.place.id.as_ref().is_none_or(|only| *only == id(&format!("S{server}")))
                && fault.when.from.is_none_or(|from| from <= at(now))
                && fault.when.until.is_none_or(|until| at(now) < until);
            let used_up = fault.when.next.is_some_and(|next| fired >= next);
            if covered && !used_up {
                matched += 1;
            }
            let row = in_a_row.entry((operation, server)).or_default();
            let allowed = covered && !used_up && matched > fault.when.after
                && fault.when.at_most_in_a_row.is_none_or(|at_most| *row < at_most);
            match quirk {
                Some(_) => {
                    prop_assert!(allowed);
                    fired += 1;
                    *row += 1;
                }
                None => {
                    prop_assert!(!allowed || fault.when.probability.is_some());
                    *row = 0;
                }
            }
        }
        let report = &plan.report()[0];
        prop_assert_eq!((report.matched, report.fired), (matched, fired));
        prop_assert_eq!(report.left, fault.when.next.map(|next| next - fired));
    }

    #[test]
    fn the_same_seed_gives_the_same_quirks(seed: u32, faults in vec(fault(), 0..6), steps in steps()) {
        let run = || trace(&mut Plan::new(seed, faults.clone()).unwrap(), &steps);
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn another_seed_gives_other_quirks(seed: u32) {
        let steps: Vec<Step> = (0..200).map(|_| (Operation::Synchronize, 0, 0)).collect();
        let run = |seed| trace(&mut Plan::new(seed, hostile()).unwrap(), &steps);
        prop_assert_ne!(run(seed), run(seed.wrapping_add(1)));
    }

    #[test]
    fn license_servers_side_by_side_do_not_change_each_others_draws(seed: u32, steps in steps()) {
        let alone = |server: u8| {
            let own: Vec<Step> = steps.iter().copied().filter(|step| step.1 == server).collect();
            trace(&mut Plan::new(seed, hostile()).unwrap(), &own)
        };
        let together = trace(&mut Plan::new(seed, hostile()).unwrap(), &steps);
        for server in 0..3 {
            let own = steps.iter().zip(&together).filter(|(step, _)| step.1 == server);
            prop_assert_eq!(own.map(|(_, quirk)| *quirk).collect::<Vec<_>>(), alone(server));
        }
    }

    #[test]
    fn the_hostile_profile_lets_every_third_exchange_through(seed: u32, steps in steps()) {
        let mut plan = Plan::new(seed, hostile()).unwrap();
        let mut in_a_row = HashMap::<(Operation, u8), u64>::new();
        for (step, quirk) in steps.iter().zip(trace(&mut plan, &steps)) {
            let row = in_a_row.entry((step.0, step.1)).or_default();
            *row = if quirk.is_some() { *row + 1 } else { 0 };
            prop_assert!(*row <= 2);
        }
    }

    #[test]
    fn a_probability_is_about_what_was_asked_for(seed: u32, probability in 0.1..0.9_f64) {
        let mut plan = Plan::new(seed, vec![Fault::new(Quirk::DropReply).probability(probability)]).unwrap();
        let fired = fires(&mut plan, 2_000).iter().filter(|fired| **fired).count() as f64;
        // Six standard deviations: a test that fails once in a hundred million runs.
        let spread = 6.0 * (2_000.0 * probability * (1.0 - probability)).sqrt();
        prop_assert!((fired - 2_000.0 * probability).abs() <= spread, "{fired} of 2000 at {probability}");
    }
}
