//! Virtual years: License Servers that synchronize by themselves for months and years, with clocks that drift, step and stand
//! still, networks that lose, delay, double and reorder, and whatever people do to both sides.
//!
//! The cores, the flow and the decisions of automatic synchronization are those that ship; the steps are those of the model
//! ([`crate::world`]), and so are the laws ([`crate::laws`]). Here they are drawn from a seed, and time is in seconds. Two laws
//! more are about time itself ([`service_laws`]). A seed is a site, or many, each with a license server id of its own: an honest
//! License Server, somebody else who knows the id, and perhaps a copy. The main server decides over one id at a time, so that sites
//! meet in nothing but its outages.
//!
//! ```sh
//! YEARS_SEEDS=10000 cargo test -p tests --test model years::no_seed -- --nocapture   # seeds 0 to 9,999, on all cores
//! YEARS_SEED=1234 cargo test -p tests --test model years::no_seed -- --nocapture     # this one again
//! ```
//!
//! A seed that breaks a law is named with the second command. Its run is made small, and told as a scenario for
//! `harness scenario`.

mod broken_on_purpose;
mod plan;
mod service_laws;
mod shrink;
mod site;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use mock_solme::testing::Protocol;

use crate::laws;
use crate::parts::DAY;
use crate::stand_in::Honest;
use plan::Plan;
use site::{Conducts, live};

const RIGHT: Conducts = (&Honest, &Protocol);
/// In each seed; [`hundreds_of_license_servers_live_for_years_on_one_seed`] has more.
const SITES: u64 = 1;
/// So many seeds reach every refusal, every state and every fate.
const ALL_IS_REACHED: u64 = 2_000;

/// What some seeds came to.
#[derive(Debug, Default, PartialEq)]
struct Years {
    seen: laws::Seen,
    sites: u64,
    license_servers: u64,
    /// Of the sites.
    days: u64,
    synchronizations: u64,
    failed: Vec<u64>,
}

impl Years {
    fn add(&mut self, other: Self) {
        for (name, times) in other.seen {
            *self.seen.entry(name).or_default() += times;
        }
        self.sites += other.sites;
        self.license_servers += other.license_servers;
        self.days += other.days;
        self.synchronizations += other.synchronizations;
        self.failed.extend(other.failed);
    }

    fn figures(&self) -> String {
        let Self { sites, license_servers, synchronizations, .. } = self;
        let years = self.days / 365;
        format!("{sites} sites, {license_servers} License Servers, {years} years, {synchronizations} synchronizations")
    }
}

/// One seed, with so many sites.
fn run(seed: u64, sites: u64, conducts: Conducts) -> Years {
    let mut years = Years::default();
    for number in 0..sites {
        let plan = Plan::draw(seed, number);
        let lived = live(&plan, conducts);
        years.add(Years {
            seen: lived.seen,
            sites: 1,
            license_servers: lived.license_servers,
            days: plan.length / DAY,
            synchronizations: lived.synchronizations,
            failed: lived.broken.map(|_| seed).into_iter().collect(),
        });
    }
    years
}

/// Every seed below `seeds`, on all cores.
fn run_all(seeds: u64) -> Years {
    let (next, all) = (AtomicU64::new(0), Mutex::new(Years::default()));
    let work = || {
        let mut own = Years::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return all.lock().unwrap().add(own);
            }
            own.add(run(seed, SITES, RIGHT));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
    let mut all = all.into_inner().unwrap();
    all.failed.sort_unstable();
    all.failed.dedup();
    all
}

/// A law that a seed breaks, made small.
struct Failure {
    law: &'static str,
    /// The command that repeats it, and what happens.
    told: String,
    /// The same on the real programs, where it can be said.
    scenario: Option<String>,
}

impl Failure {
    /// The first site of `seed` that breaks a law.
    fn of(seed: u64, sites: u64, conducts: Conducts) -> Option<Self> {
        let broken = |plan: &Plan| live(plan, conducts).broken;
        let mut plans = (0..sites).map(|number| Plan::draw(seed, number));
        let (plan, law) = plans.find_map(|plan| broken(&plan).map(|law| (plan, law)))?;
        let plan = shrink::plan(&plan, law, conducts);
        let story = shrink::story(&live(&plan, conducts), law, conducts);
        let title = story.as_ref().map_or_else(|| format!("broken: {law}\n{plan:#?}"), |story| story.title());
        let told = format!(
            "seed {seed}; repeat it with\n    YEARS_SEED={seed} cargo test -p tests --test model years::no_seed -- --nocapture\n{title}"
        );
        Some(Self { law, told, scenario: story.and_then(|story| story.to_toml()) })
    }

    fn panic(&self) -> ! {
        panic!("{}\n\n{}", self.told, self.scenario.as_deref().unwrap_or("(no scenario can say this)"))
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

#[test]
fn no_seed_of_virtual_years_breaks_a_law() {
    if let Some(seed) = number("YEARS_SEED") {
        if let Some(failure) = Failure::of(seed, SITES, RIGHT) {
            failure.panic();
        }
        println!("seed {seed} breaks no law: {}", run(seed, SITES, RIGHT).figures());
        return;
    }
    let seeds = number("YEARS_SEEDS").unwrap_or(100);
    let started = std::time::Instant::now();
    let years = run_all(seeds);
    println!("{seeds} seeds in {:.1} s: {}", started.elapsed().as_secs_f64(), years.figures());
    println!("seen: {:?}", years.seen);
    if let Some(seed) = years.failed.first() {
        println!("{} of {seeds} seeds fail: {:?}", years.failed.len(), years.failed);
        Failure::of(*seed, SITES, RIGHT).unwrap().panic();
    }
    let faults = plan::ONCE.map(|fault| fault.name());
    let wanted = laws::SOMETIMES.iter().chain(plan::HAPPENS).chain(&faults).chain(&[
        "warned",
        "synchronized by itself",
        "switched off",
    ]);
    let missing: Vec<_> = wanted.filter(|name| !years.seen.contains_key(*name)).collect();
    // A few seeds cannot reach everything.
    assert!(missing.is_empty() || seeds < ALL_IS_REACHED, "never reached: {missing:?}");
}

#[test]
fn hundreds_of_license_servers_live_for_years_on_one_seed() {
    let sites = number("YEARS_SITES").unwrap_or(100);
    let seed = (0..).find(|seed| Plan::draw(*seed, 0).length > 500 * DAY).unwrap();
    let years = run(seed, sites, RIGHT);
    println!("seed {seed}: {}", years.figures());
    assert_eq!(years.failed, [0; 0]);
    assert!(years.license_servers >= 2 * sites && years.synchronizations > sites, "{}", years.figures());
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    for seed in [0, 7, 4_711] {
        let plan = Plan::draw(seed, 0);
        assert_eq!(plan, Plan::draw(seed, 0));
        let again = std::thread::scope(|scope| scope.spawn(|| live(&plan, RIGHT)).join().unwrap());
        let first = live(&plan, RIGHT);
        assert!(first == again && first.trace.len() > 10, "seed {seed}");
        assert_ne!(first, live(&Plan::draw(seed + 1, 0), RIGHT), "another seed is another run");
    }
}
