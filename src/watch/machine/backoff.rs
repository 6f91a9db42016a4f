//! Back-off: how long to wait after a failure, by its cause.

use crate::model::{Cause, Span};

/// Chance from a seed (splitmix64): enough to spread tries, and the same every time.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall by this seed.
    #[must_use]
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `limit`; 0 when the limit is 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        // The remainder fits: it is below a u32.
        u32::try_from(self.roll() % u64::from(limit.max(1))).unwrap_or(0)
    }
}

/// The longest wait that a server can ask for; `Retry-After: 3600` must not blind us for an hour.
pub const LONGEST_ASKED: Span = Span::from_seconds(120);

/// How long to wait after the `tries`-th failure in a row of this cause. It grows for every
/// cause, never shrinks, and half of what is asked is added by chance so that a fleet spreads.
///
/// | cause | first | factor | at most |
/// |---|---|---|---|
/// | 403 | 10 s | 4 | 5 min |
/// | 401, login | 10 s | 2 | 5 min |
/// | 404 | 5 min | – | 5 min |
/// | all others | 0.8 s | 2 | 30 s |
#[must_use]
pub fn delay(cause: Cause, tries: u32, retry_after: Option<Span>, dice: &mut Dice) -> Span {
    let (first, doublings, most) = match cause {
        Cause::Forbidden => (10_000, 2, 300_000),
        Cause::Unauthorized | Cause::Login => (10_000, 1, 300_000),
        Cause::NotFound => (300_000, 0, 300_000),
        _ => (800_i64, 1, 30_000),
    };
    let steps = tries.saturating_sub(1).min(16) * doublings;
    let base = first.checked_shl(steps).unwrap_or(most).clamp(first, most);
    let asked = retry_after.unwrap_or(Span::ZERO).clamp(Span::ZERO, LONGEST_ASKED).millis();
    let base = base.max(asked);
    let spread = u32::try_from(base / 2).unwrap_or(u32::MAX);
    Span::from_millis(base + i64::from(dice.below(spread)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_limit_for_every_cause() {
        let rows = [
            (Cause::Refused, [800, 1600, 3200, 6400], 30_000),
            (Cause::Forbidden, [10_000, 40_000, 160_000, 300_000], 300_000),
            (Cause::Unauthorized, [10_000, 20_000, 40_000, 80_000], 300_000),
            (Cause::NotFound, [300_000; 4], 300_000),
        ];
        for (cause, firsts, most) in rows {
            for seed in 0..50 {
                let mut dice = Dice::new(seed);
                for (tries, base) in (1..).zip(firsts) {
                    let got = delay(cause, tries, None, &mut dice).millis();
                    assert!((base..base * 3 / 2).contains(&got), "{cause:?} {tries}: {got}");
                }
                for tries in [7, 40, u32::MAX] {
                    let got = delay(cause, tries, None, &mut dice).millis();
                    assert!((most..most * 3 / 2).contains(&got), "{cause:?} {tries}: {got}");
                }
            }
        }
    }

    #[test]
    fn what_the_server_asks_for_is_honoured_within_reason() {
        let mut dice = Dice::new(7);
        let mut wait = |seconds| delay(Cause::Busy, 1, Some(Span::from_seconds(seconds)), &mut dice).millis();
        assert!((5_000..7_500).contains(&wait(5)));
        assert!((120_000..180_000).contains(&wait(3600)));
        assert!((120_000..180_000).contains(&wait(i64::MAX)));
        assert!((800..1_200).contains(&wait(0)));
        assert!((800..1_200).contains(&wait(-1)));
    }

    #[test]
    fn dice_fall_by_their_seed() {
        let roll = |seed| {
            std::array::from_fn::<_, 8, _>(|_| 0).map({
                let mut dice = Dice::new(seed);
                move |_: u32| dice.below(51)
            })
        };
        assert_eq!(roll(1), roll(1));
        assert_ne!(roll(1), roll(2));
        assert!(roll(3).iter().all(|n| *n < 51));
        assert_eq!(Dice::new(1).below(0), 0);
    }
}
