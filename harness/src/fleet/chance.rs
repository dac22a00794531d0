//! What is left to chance, and comes out of the seed.

use std::str::FromStr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A part of all: 5%.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Share {
    percent: f64,
}

impl Share {
    /// Never.
    pub(crate) const NONE: Self = Self { percent: 0.0 };

    /// From 0 to 1.
    pub(crate) fn probability(self) -> f64 {
        self.percent / 100.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').ok_or_else(|| format!("{text:?} is not a share, such as 5%"))?;
        let percent: f64 = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
        if percent > 0.0 && percent <= 100.0 {
            Ok(Self { percent })
        } else {
            Err("a share is more than 0% and at most 100%".to_owned())
        }
    }
}

/// The chances of one thing: those of another one, or with another seed, are others.
#[derive(Debug)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn of(seed: u64, thing: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(thing);
        Self(rng)
    }

    /// Whether what happens to this share of all happens now.
    pub(crate) fn happens(&mut self, share: Share) -> bool {
        // 53 bits are what a float holds.
        let drawn = (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < share.probability()
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // The bias is below 2^-40 for any fleet.
        usize::try_from(self.0.next_u64() % end as u64).unwrap_or_default()
    }

    /// Between half of a time and one and a half of it.
    pub(crate) fn about(&mut self, time: Duration) -> Duration {
        time / 2 + time.mul_f64(self.below(1_000) as f64 / 1_000.0)
    }

    /// All numbers below `end`, in some order.
    pub(crate) fn order(&mut self, end: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..end).collect();
        for last in (1..end).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_chances_and_another_thing_has_others() {
        let order = |seed, thing| Chance::of(seed, thing).order(100);
        assert_eq!(order(1, 1), order(1, 1));
        assert_ne!(order(1, 1), order(1, 2));
        assert_ne!(order(1, 1), order(2, 1));
        let mut sorted = order(1, 1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_share_happens_about_as_often_as_it_says() {
        let mut chance = Chance::of(7, 0);
        let share = "5%".parse().unwrap();
        let happened = (0..10_000).filter(|_| chance.happens(share)).count();
        assert!((400..600).contains(&happened), "{happened}");
        assert!(!(0..1_000).any(|_| chance.happens(Share::NONE)));
        assert!((0..1_000).all(|_| chance.happens("100%".parse().unwrap())));
    }
}
