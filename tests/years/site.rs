//! One license server id through its years: its License Servers do by themselves what `serve` has due, and the plan happens to them.

use license_server::Mode;
use license_server::testing::{AutomaticOnPaper, Conduct as LicenseServerConduct, Due, Ended, Run};
use mock_solme::testing::Conduct as MainServerConduct;

use super::plan::{Event, Plan};
use super::service_laws::{Issued, Unimpeded};
use crate::laws;
use crate::parts::{At, DAY, Fault, Parts, T0};
use crate::world::{Bounds, COPY, Led, Step, World};

/// A service that was killed is started again after this time.
const RESTART: At = 60;
/// After so many failures in a row somebody switches the service off for a while. Whoever follows a cure switches it on.
const PATIENCE: u32 = 24;
const SWITCHED_OFF: At = 14 * DAY;
pub(crate) const BOUNDS: Bounds = Bounds { disturbances: u8::MAX, synchronizations: u8::MAX };

/// How both sides behave.
pub(crate) type Conducts = (&'static dyn LicenseServerConduct, &'static dyn MainServerConduct);

/// What a run came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Lived {
    pub(crate) seen: laws::Seen,
    /// Steps that were taken, in their order.
    pub(crate) trace: Vec<Step>,
    pub(crate) synchronizations: u64,
    pub(crate) license_servers: u64,
    /// The law that the last step broke.
    pub(crate) broken: Option<&'static str>,
}

/// Lives through a plan, until a law is broken.
pub(crate) fn live(plan: &Plan, conducts: Conducts) -> Lived {
    let parts = Parts::new(conducts.0, conducts.1);
    let mut site = Site::new(plan, &parts);
    let broken = site.live().err().map(|Broken(law)| law);
    let license_servers = site.world.present().count() as u64;
    Lived { seen: site.seen, trace: site.trace, synchronizations: site.synchronizations, license_servers, broken }
}

/// A law is broken.
pub(super) struct Broken(pub(super) &'static str);

/// A License Server's computer, and the network it is in.
#[derive(Clone)]
struct Host {
    automatic: AutomaticOnPaper,
    /// When the service looks at its state next. `None`: there is no service, only commands.
    wakes: Option<At>,
    off_until: At,
    weather: Vec<(Fault, At)>,
    once: Option<Fault>,
    clock: Clock,
    last: Option<Ended>,
    /// Automatic synchronizations in a row.
    failed: u32,
    unimpeded: Unimpeded,
    issued: Issued,
}

impl Host {
    fn impediments_end(&self) -> impl Iterator<Item = At> {
        self.weather.iter().map(|(_, until)| *until).chain([self.clock.stopped_until])
    }
}

/// By how much a clock is off, and how that changes.
#[derive(Debug, Clone, Copy)]
struct Clock {
    offset: i64,
    since: At,
    /// Seconds in a million.
    drift: i64,
    stopped_until: At,
}

const MILLION: i64 = 1_000_000;

impl Clock {
    const RIGHT: Self = Self { offset: 0, since: 0, drift: 0, stopped_until: 0 };

    fn offset(self, now: At) -> i64 {
        let stopped = now.min(self.stopped_until).saturating_sub(self.since).cast_signed();
        let ran = now.saturating_sub(self.since.max(self.stopped_until)).cast_signed();
        self.offset - stopped + ran * self.drift / MILLION
    }

    /// The same clock, from now on.
    fn at(self, now: At) -> Self {
        Self { offset: self.offset(now), since: now, ..self }
    }

    /// When it shows `until`, if nothing happens to it.
    fn shows(self, until: u64, now: At) -> At {
        let ahead = until.saturating_sub(T0.plus(now).offset(self.offset(now)).as_secs()).cast_signed();
        let runs = (ahead * MILLION + MILLION + self.drift - 1) / (MILLION + self.drift);
        now.max(self.stopped_until) + runs.cast_unsigned()
    }

    fn is_right(self, now: At) -> bool {
        self.offset(now).abs() < 3_600 && self.stopped_until < now
    }
}

struct Site<'a> {
    plan: &'a Plan,
    parts: &'a Parts,
    world: World,
    hosts: [Host; 3],
    backup: AutomaticOnPaper,
    seen: laws::Seen,
    trace: Vec<Step>,
    synchronizations: u64,
}

impl<'a> Site<'a> {
    fn new(plan: &'a Plan, parts: &'a Parts) -> Self {
        let host = |mode, wakes| Host {
            automatic: AutomaticOnPaper::new(mode),
            wakes,
            off_until: 0,
            weather: Vec::new(),
            once: None,
            clock: Clock::RIGHT,
            last: None,
            failed: 0,
            unimpeded: Unimpeded::default(),
            issued: Issued::default(),
        };
        Self {
            plan,
            parts,
            world: World::first(parts, BOUNDS),
            hosts: [host(plan.mode, Some(0)), host(Mode::Off, None), host(plan.mode, None)],
            backup: AutomaticOnPaper::new(plan.mode),
            seen: laws::Seen::new(),
            trace: Vec::new(),
            synchronizations: 0,
        }
    }

    fn live(&mut self) -> Result<(), Broken> {
        let mut events = self.plan.events.iter().peekable();
        loop {
            let event = events.peek().map_or(self.plan.length, |(at, _)| *at);
            let next = self.next_to_wake().filter(|(at, _)| *at <= event.min(self.plan.length));
            if let Some((at, number)) = next {
                self.pass(at)?;
                self.wake(number)?;
            } else if let Some((at, event)) = events.next_if(|(at, _)| *at < self.plan.length) {
                self.pass(*at)?;
                self.happen(*event)?;
            } else {
                break;
            }
        }
        self.end()
    }

    fn next_to_wake(&self) -> Option<(At, usize)> {
        let wakes = self.world.present().filter_map(|(number, _)| {
            let host = &self.hosts[number];
            host.wakes.map(|at| (at.max(host.off_until), number))
        });
        wakes.min()
    }

    /// Time passes, and each clock goes as it goes. Where bad weather or a stop of a clock ends on the way, the laws of the service
    /// begin to count.
    fn pass(&mut self, to: At) -> Result<(), Broken> {
        self.judge()?;
        while self.world.now < to {
            let now = self.world.now;
            let ends = self.hosts.iter().flat_map(Host::impediments_end).filter(|at| now < *at);
            self.take(Step::Pass(ends.fold(to, At::min) - now))?;
            self.judge()?;
        }
        Ok(())
    }

    /// A step, if it leads anywhere, and the laws after it.
    fn take(&mut self, step: Step) -> Result<Option<Run>, Broken> {
        if let Step::Synchronize(number, _)
        | Step::Look(number)
        | Step::Export(number)
        | Step::Import(number, _)
        | Step::NewKeyPair(number) = step
        {
            self.see_clock(number)?;
        }
        let Some(led) = self.world.take(step, self.parts) else { return Ok(None) };
        self.trace.push(step);
        if matches!(step, Step::Pass(_) | Step::Clock(..)) {
            self.world = led.to; // the laws come when somebody looks
            return Ok(None);
        }
        laws::note(&mut self.seen, &self.world, &led, self.parts);
        if let Some(law) = laws::broken(&self.world, &led, self.parts) {
            return Err(Broken(law));
        }
        let Led { to, run, ended, .. } = led;
        self.world = to;
        if let Step::Synchronize(number, _) | Step::Import(number, _) = step {
            self.synchronizations += 1;
            self.hosts[number].last = ended;
        }
        Ok(run)
    }

    /// The clock of a server is looked at: what it shows by now is a step of its own.
    fn see_clock(&mut self, number: usize) -> Result<(), Broken> {
        let offset = self.hosts[number].clock.offset(self.world.now);
        let shown = self.world.servers[number].map(|server| server.who.clock);
        if shown.is_some_and(|shown| shown != offset) {
            self.take(Step::Clock(number, offset))?;
        }
        Ok(())
    }

    /// `serve` looks at the state, and does what is due.
    fn wake(&mut self, number: usize) -> Result<(), Broken> {
        for _ in 0..8 {
            self.look(number)?;
            let now = self.world.now;
            let Some(server) = self.world.servers[number] else { return Ok(()) };
            match self.parts.due(&self.hosts[number].automatic, server.paper, server.who, now) {
                Due::Synchronize => {
                    if self.synchronize(number, true)? == Some(Ended::Killed) {
                        self.hosts[number].wakes = Some(now + RESTART);
                        return Ok(());
                    }
                }
                Due::Warn(warning) => {
                    self.see("warned");
                    let host = &mut self.hosts[number];
                    host.automatic = host.automatic.clone().warned(warning);
                }
                Due::Nothing { until } => {
                    let host = &mut self.hosts[number];
                    host.wakes = Some(host.clock.shows(until.as_secs(), now));
                    return Ok(());
                }
            }
        }
        Err(Broken("what is due is done, and not due at once again"))
    }

    fn look(&mut self, number: usize) -> Result<(), Broken> {
        self.take(Step::Look(number))?;
        let Some(server) = self.world.servers[number] else { return Ok(()) };
        let shown = self.parts.look(server.paper, server.who, self.world.now);
        let clock = T0.plus(self.world.now).offset(server.who.clock).as_secs();
        self.hosts[number].issued.look(self.world.now, clock, &shown).map_or(Ok(()), |law| Err(Broken(law)))
    }

    fn see(&mut self, name: &'static str) {
        *self.seen.entry(name).or_default() += 1;
    }

    /// The service, if there is one, sees that something changed.
    fn rouse(&mut self, number: usize) {
        let now = self.world.now;
        if let Some(wakes) = &mut self.hosts[number].wakes {
            *wakes = now;
        }
    }

    /// One synchronization, with what the network does to it.
    fn synchronize(&mut self, number: usize, automatic: bool) -> Result<Option<Ended>, Broken> {
        let now = self.world.now;
        let host = &mut self.hosts[number];
        let weather = host.weather.iter().find(|(_, until)| now < *until).map(|(fault, _)| *fault);
        let fault = host.once.take().or(weather).unwrap_or(Fault::None);
        if fault != Fault::None {
            host.unimpeded.impeded(now);
            self.see(fault.name());
        }
        let run = self.take(Step::Synchronize(number, fault))?;
        let (Some(run), Some(server)) = (run, self.world.servers[number]) else { return Ok(None) };
        let before = self.hosts[number].automatic.clone();
        self.hosts[number].automatic = self.parts.after(before, &run, automatic, server.paper, server.who, now);
        let host = &mut self.hosts[number];
        match run.ended {
            Ended::Synchronized => {
                host.failed = 0;
                if automatic {
                    self.see("synchronized by itself");
                }
            }
            _ if !automatic => {}
            _ if host.failed < PATIENCE => host.failed += 1,
            _ => {
                host.failed = 0;
                host.off_until = host.off_until.max(now + SWITCHED_OFF);
                self.see("switched off");
            }
        }
        Ok(Some(run.ended))
    }

    fn happen(&mut self, event: Event) -> Result<(), Broken> {
        let now = self.world.now;
        self.see(event.name());
        match event {
            Event::Take(Step::Synchronize(number, fault)) => {
                if fault != Fault::None {
                    self.hosts[number].once = Some(fault);
                }
                if self.hosts[number].off_until <= now {
                    self.synchronize(number, false)?;
                    self.rouse(number);
                }
            }
            Event::Take(step) => self.act(step)?,
            Event::FollowCure(number) => {
                self.hosts[number].off_until = now;
                let cures = self.hosts[number].last.as_ref().and_then(|ended| laws::cures(ended, number));
                for step in cures.unwrap_or_default() {
                    self.act(step)?;
                }
            }
            Event::Weather(number, fault, span) => self.hosts[number].weather.push((fault, now + span)),
            Event::Once(number, fault) => self.hosts[number].once = Some(fault),
            Event::Off(number, span) => self.hosts[number].off_until = now + span,
            Event::MoveClock(number, seconds) => self.set_clock(number, |clock| clock.offset += seconds),
            Event::Drift(number, drift) => self.set_clock(number, |clock| clock.drift = drift),
            Event::Stop(number, span) => self.set_clock(number, |clock| clock.stopped_until = now + span),
            Event::SetRight(number) => self.set_clock(number, |clock| *clock = Clock { since: now, ..Clock::RIGHT }),
        }
        Ok(())
    }

    /// What people and machines do, and what else it changes.
    fn act(&mut self, step: Step) -> Result<(), Broken> {
        match step {
            Step::Clock(number, _) => {
                let now = self.world.now;
                self.set_clock(number, |clock| *clock = Clock { since: now, ..Clock::RIGHT });
                return Ok(());
            }
            Step::BackUp => self.backup = self.hosts[0].automatic.clone(),
            Step::Copy if self.world.servers[COPY].is_none() => self.hosts[COPY] = self.hosts[0].clone(),
            Step::Restore => self.hosts[0].automatic = self.backup.clone(),
            _ => {}
        }
        let before = self.world;
        self.take(step)?;
        if let Step::Import(number, _) = step {
            self.imported(number, &before);
        }
        let world = self.world;
        for (number, _) in world.present() {
            self.rouse(number);
        }
        Ok(())
    }

    /// What an import changes in the schedule, as each synchronization does.
    fn imported(&mut self, number: usize, before: &World) {
        let newest = |world: &World| {
            let server = world.servers[number]?;
            Some((server, self.parts.newest(server.paper, server.who).sync_id))
        };
        let (Some((_, before)), Some((server, after))) = (newest(before), newest(&self.world)) else { return };
        if before != after {
            let run = Run { ended: Ended::Synchronized, applied: true, transient: false, retry_after: None };
            let (automatic, now) = (self.hosts[number].automatic.clone(), self.world.now);
            // The answer is as old as the file was slow; the next one is due from now on.
            self.hosts[number].unimpeded.impeded(now);
            self.hosts[number].automatic = self.parts.after(automatic, &run, false, server.paper, server.who, now);
        }
    }

    fn set_clock(&mut self, number: usize, set: impl FnOnce(&mut Clock)) {
        let now = self.world.now;
        let host = &mut self.hosts[number];
        host.clock = host.clock.at(now);
        set(&mut host.clock);
        self.rouse(number);
    }

    /// The laws of the service.
    fn judge(&mut self) -> Result<(), Broken> {
        let (world, parts, now, mode) = (self.world, self.parts, self.world.now, self.plan.mode);
        for (number, server) in world.present() {
            let host = &mut self.hosts[number];
            if host.wakes.is_none() || mode == Mode::Off {
                continue;
            }
            let weather = host.weather.iter().any(|(_, until)| now <= *until);
            let clock_is_right = host.clock.is_right(now);
            if weather || now <= host.off_until || !clock_is_right || !laws::is_served(&world, &server, parts) {
                host.unimpeded.impeded(now);
                continue;
            }
            let shown = parts.look(server.paper, server.who, now);
            if let Some(law) = host.unimpeded.broken(mode, now, &shown) {
                return Err(Broken(law));
            }
        }
        Ok(())
    }

    /// In the end everything is set right, and whoever follows the cures is synchronized.
    fn end(&mut self) -> Result<(), Broken> {
        let world = self.world;
        for (number, _) in world.present() {
            self.look(number)?;
        }
        for number in [0, 1] {
            let mut world = self.world;
            world = world.take(Step::Clock(number, 0), self.parts).map_or(world, |led| led.to);
            if !laws::has_a_way_out(&world, number, self.parts, &mut std::collections::HashMap::new()) {
                return Err(Broken(laws::WAY_OUT));
            }
        }
        Ok(())
    }
}
