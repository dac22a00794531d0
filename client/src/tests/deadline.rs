//! Nothing is issued past `synchronize_by`, whatever is done to clock and network (P 17.1, 17.4, 17.8).

use proptest::prelude::*;
use solme_sync_protocol::{RefusalCode, SYNCHRONIZE_WITHIN, UtcTime};

use super::Environment;
use crate::output::Exit;
use crate::tests::world::MAIN_TIME;

const DAY: u64 = 86_400;

#[derive(Debug, Clone)]
enum Step {
    /// Time passes, at both ends.
    Pass(u64),
    /// Someone sets the local clock.
    ClockJumps(i64),
    Synchronize,
    /// The main server says no, but for the one no that ends the right to issue at once.
    Refused(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let day = DAY as i64;
    prop_oneof![
        6 => (1..200 * DAY).prop_map(Step::Pass),
        3 => (-400 * day..400 * day).prop_map(Step::ClockJumps),
        1 => (-day..day).prop_map(Step::ClockJumps),
        3 => Just(Step::Synchronize),
        1 => any::<prop::sample::Index>().prop_map(Step::Refused),
    ]
}

/// What an onlooker knows who sees both clocks and every answer.
struct Onlooker {
    deadline: Option<UtcTime>,
    /// Seconds since the last synchronization during which licenses could be issued.
    used: u64,
    may_issue: bool,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_issued_past_the_deadline(steps in prop::collection::vec(step(), 1..16)) {
        let local = Environment::new();
        let mut onlooker = Onlooker { deadline: None, used: 0, may_issue: false };
        for step in steps {
            let mut passed = 0;
            match step {
                Step::Pass(seconds) => {
                    passed = seconds;
                    let later = local.main().now.plus(seconds);
                    local.main().now = later;
                    local.clock.replace_with(|clock| clock.plus(seconds));
                }
                Step::ClockJumps(seconds) => drop(local.clock.replace_with(|clock| clock.offset(seconds))),
                Step::Synchronize => {
                    prop_assert_eq!(local.run("synchronize").exit, Exit::Done, "a wrong clock never stands in the way");
                    onlooker = Onlooker { deadline: Some(local.main().now.plus(SYNCHRONIZE_WITHIN)), used: 0, may_issue: false };
                }
                Step::Refused(which) => {
                    let codes: Vec<_> = RefusalCode::ALL.iter().filter(|code| **code != RefusalCode::KeyPairCleared).collect();
                    local.main().refuse = Some(**which.get(&codes));
                    prop_assert_eq!(local.run("synchronize").exit, Exit::Refused);
                    local.main().refuse = None;
                }
            }
            let may_issue = local.run("may-issue").exit == Exit::Done;
            if onlooker.may_issue && may_issue {
                onlooker.used += passed;
            }
            onlooker.may_issue = may_issue;
            match onlooker.deadline {
                None => prop_assert!(!may_issue, "never synchronized"),
                Some(deadline) if may_issue => {
                    prop_assert!(*local.clock.borrow() < deadline, "past the deadline by its own clock");
                    prop_assert!(onlooker.used < SYNCHRONIZE_WITHIN + DAY, "used {} s", onlooker.used);
                }
                Some(_) => {}
            }
        }
    }

    /// The property above would hold for a server that never issues.
    #[test]
    fn an_honest_clock_issues_up_to_the_deadline_and_not_at_it(early in 1..366 * DAY) {
        let local = Environment::synchronized();
        *local.clock.borrow_mut() = MAIN_TIME.plus(SYNCHRONIZE_WITHIN - early);
        prop_assert_eq!(local.run("may-issue").exit, Exit::Done);
        *local.clock.borrow_mut() = MAIN_TIME.plus(SYNCHRONIZE_WITHIN);
        let at_the_deadline = local.run("may-issue");
        prop_assert_eq!((at_the_deadline.exit, at_the_deadline.code()), (Exit::MayNotIssue, "overdue"));
    }
}
