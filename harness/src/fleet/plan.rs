//! What goes wrong in a fleet, and when: `--faults PLAN`, a closed list.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::chance::Share;
use crate::scenario::span;

/// What goes wrong. Nothing, by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plan {
    /// As it was written.
    pub(crate) text: String,
    /// What happens once, in the order of time.
    pub(crate) events: Vec<(Duration, Event)>,
    /// Requests that are carried out, and whose answer is lost.
    pub(crate) drop_replies: Share,
    /// Payloads that are lost.
    pub(crate) drop_payloads: Share,
    /// Synchronizations beside which a thief tries the same license server id.
    pub(crate) thieves: Share,
    /// Synchronizations before which the License Server is reinstalled, and its key pair cleared.
    pub(crate) clears: Share,
    /// Synchronizations in which the License Server is killed.
    pub(crate) kills: Share,
    /// Requests that the main server answers at a time; its own bound without it.
    pub(crate) at_once: Option<NonZeroU32>,
}

/// What happens to all at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The main server is killed, and started again.
    Restart,
    /// Every License Server is due at once.
    Storm,
    /// Thieves ask as fast as they can, for this long.
    Flood(Duration),
    /// The main server is killed, and its disk is put back to this moment so much later.
    RollBack(Duration),
}

/// The words of a plan: name, form, what it means. For `--help`.
const WORDS: &[(&str, &str, &str)] = &[
    ("restart-main-server", "@10s", "kill the main server at 10 s, and start it again"),
    ("storm", "@15s", "all License Servers are due at once, as each day"),
    ("flood", "@20s+5s", "thieves ask as fast as they can for 5 s"),
    ("drop-replies", "=5%", "the main server accepts, and its receipt is lost"),
    ("drop-payloads", "=2%", "the payload is lost"),
    ("thief", "=3%", "beside a synchronization, a thief tries its license server id"),
    ("clears", "=1%", "reinstall a License Server, and clear its old key pair"),
    ("kill-clients", "=2%", "kill a License Server before it sends, or before it stores the answer"),
    ("at-once", "=8", "the main server answers 8 requests at a time, and sheds the others"),
    ("roll-back", "@10s+2s", "put the disk of 10 s back at 12 s; a control: it must end as lost"),
];

/// What `--help` says of the plan.
pub(crate) fn help() -> String {
    let words = WORDS.iter().map(|(name, form, about)| format!("  {:<25} {about}\n", format!("{name}{form}")));
    format!("Faults, separated by commas; those with @ may be repeated:\n{}", words.collect::<String>())
}

impl Plan {
    /// The last moment at which something happens.
    pub(crate) fn ends_at(&self) -> Duration {
        let end = |(at, event): &(Duration, Event)| match event {
            Event::Restart | Event::Storm => *at,
            Event::Flood(lasts) | Event::RollBack(lasts) => *at + *lasts,
        };
        self.events.iter().map(end).max().unwrap_or_default()
    }

    fn add(&mut self, fault: &str) -> Result<(), String> {
        let (name, value) = fault.split_once(['@', '=']).unwrap_or((fault, ""));
        let Some((_, form, _)) = WORDS.iter().find(|(known, ..)| *known == name) else {
            let names: Vec<&str> = WORDS.iter().map(|(name, ..)| *name).collect();
            return Err(format!("{name:?} is not a fault; choose from {}", names.join(", ")));
        };
        let wrong = |why: &str| format!("{fault:?}: {why}; write it as {name}{form}");
        if !fault[name.len()..].starts_with(&form[..1]) {
            return Err(wrong("it has another form"));
        }
        let at = || span(value).map_err(|why| wrong(&why));
        let window = || {
            let (from, lasts) = value.split_once('+').ok_or_else(|| wrong("it needs how long it lasts"))?;
            let (from, lasts) = (span(from).map_err(|why| wrong(&why))?, span(lasts).map_err(|why| wrong(&why))?);
            if lasts.is_zero() { Err(wrong("it lasts no time")) } else { Ok((from, lasts)) }
        };
        let share = |share: &mut Share| {
            if *share != Share::NONE {
                return Err(format!("{name} appears twice; name it once"));
            }
            *share = value.parse().map_err(|why: String| wrong(&why))?;
            Ok(())
        };
        match name {
            "restart-main-server" => self.events.push((at()?, Event::Restart)),
            "storm" => self.events.push((at()?, Event::Storm)),
            "flood" => window().map(|(from, lasts)| self.events.push((from, Event::Flood(lasts))))?,
            "roll-back" => window().map(|(from, lasts)| self.events.push((from, Event::RollBack(lasts))))?,
            "drop-replies" => share(&mut self.drop_replies)?,
            "drop-payloads" => share(&mut self.drop_payloads)?,
            "thief" => share(&mut self.thieves)?,
            "clears" => share(&mut self.clears)?,
            "kill-clients" => share(&mut self.kills)?,
            _ if self.at_once.is_some() => return Err(format!("{name} appears twice; name it once")),
            _ => self.at_once = Some(value.parse().map_err(|_| wrong("it needs a number from 1"))?),
        }
        Ok(())
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut plan = Self { text: text.to_owned(), ..Self::default() };
        if text != "none" {
            text.split(',').try_for_each(|fault| plan.add(fault.trim()))?;
        }
        plan.events.sort_by_key(|(at, _)| *at);
        let busy = plan.events.windows(2).find(|pair| {
            let (at, event) = pair[0];
            matches!(event, Event::Flood(lasts) | Event::RollBack(lasts) if at + lasts > pair[1].0)
        });
        match busy {
            Some(pair) => {
                Err(format!("{:?} begins before what began at {:?} has ended; begin it later", pair[1].1, pair[0].0))
            }
            None => Ok(plan),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_plan_is_read_whole_and_its_events_are_in_the_order_of_time() {
        let text = "storm@15s, restart-main-server@10s,flood@20s+5s,drop-replies=5%,thief=0.5%,at-once=8";
        let plan: Plan = text.parse().unwrap();
        let events =
            [(seconds(10), Event::Restart), (seconds(15), Event::Storm), (seconds(20), Event::Flood(seconds(5)))];
        assert_eq!(plan.events, events);
        assert_eq!((plan.drop_replies, plan.thieves), ("5%".parse().unwrap(), "0.5%".parse().unwrap()));
        assert_eq!((plan.at_once, plan.ends_at()), (NonZeroU32::new(8), seconds(25)));
        let nothing = "none".parse::<Plan>().unwrap();
        assert_eq!(nothing, Plan { text: "none".to_owned(), ..Plan::default() });
    }

    #[test]
    fn each_word_of_the_help_is_understood_in_the_form_that_it_has_there() {
        for (name, form, _) in WORDS {
            let text = format!("{name}{form}");
            assert_ne!(text.parse::<Plan>().unwrap(), Plan { text, ..Plan::default() }, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_the_form_that_it_should_have() {
        for (bad, said) in [
            ("", "is not a fault"),
            ("storms@1s", "choose from restart-main-server"),
            ("storm=1s", "write it as storm@15s"),
            ("storm@10", "needs a unit"),
            ("flood@10s", "how long it lasts"),
            ("flood@10s+0s", "no time"),
            ("drop-replies=5", "write it as drop-replies=5%"),
            ("drop-replies=0%", "more than 0"),
            ("drop-replies=101%", "at most 100"),
            ("thief=1%,thief=2%", "twice"),
            ("at-once=0", "a number from 1"),
            ("flood@10s+5s,storm@12s", "before"),
        ] {
            let error = bad.parse::<Plan>().unwrap_err();
            assert!(error.contains(said), "{bad}: {error}");
        }
    }
}
