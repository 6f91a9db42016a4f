//! Money as a rate: nano-dollars an hour, in whole numbers, so that sums are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// A rate in nano-dollars (10⁻⁹ USD) an hour.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Money(i64);

/// Hours of a month, as AWS, Azure and Google bill it.
pub const MONTH_HOURS: i64 = 730;

impl Money {
    /// Nothing an hour.
    pub const ZERO: Money = Money(0);

    /// A rate from nano-dollars an hour.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Money {
        Money(nanos)
    }

    /// A rate from micro-dollars an hour, the unit of the price table.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Money {
        Money(micros.saturating_mul(1000))
    }

    /// The rate in nano-dollars an hour.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The rate in dollars an hour, for output only.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "output only")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The rate for 730 hours, in the same unit.
    #[must_use]
    pub const fn month(self) -> Money {
        Money(self.0.saturating_mul(MONTH_HOURS))
    }

    /// This rate times `numerator / denominator`, rounded to the nearest nano-dollar.
    #[must_use]
    pub fn scaled(self, numerator: i64, denominator: i64) -> Money {
        if denominator == 0 {
            return Money::ZERO;
        }
        let product = i128::from(self.0) * i128::from(numerator);
        let half = i128::from(denominator.abs()) / 2 * if product < 0 { -1 } else { 1 };
        let rounded = (product + half) / i128::from(denominator);
        Money(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
    }

    /// This rate split by `weights`, by largest remainder: the parts sum to it exactly.
    /// All weights zero or none at all: everything stays with the first part, if there is one.
    #[must_use]
    pub fn split(self, weights: &[u64]) -> Vec<Money> {
        let total: u128 = weights.iter().map(|w| u128::from(*w)).sum();
        let mut parts = vec![Money::ZERO; weights.len()];
        if total == 0 {
            if let Some(first) = parts.first_mut() {
                *first = self;
            }
            return parts;
        }
        let sign = if self.0 < 0 { -1 } else { 1 };
        let whole = u128::from(self.0.unsigned_abs());
        let mut remainders: Vec<(u128, usize)> = Vec::with_capacity(weights.len());
        let mut left = self.0.unsigned_abs();
        for (index, weight) in weights.iter().enumerate() {
            let product = whole * u128::from(*weight);
            let share = u64::try_from(product / total).unwrap_or(u64::MAX);
            parts[index] = Money(sign * i64::try_from(share).unwrap_or(i64::MAX));
            left -= share;
            remainders.push((product % total, index));
        }
        remainders.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, index) in remainders.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            parts[index].0 += sign;
        }
        parts
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(self.0.saturating_neg())
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(rates: I) -> Money {
        rates.fold(Money::ZERO, Add::add)
    }
}

/// Dollars with cents, `412.80`; with the alternate form a sign too, `+0.77`. What is not zero
/// but under a cent is `<0.01`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = (self.0.unsigned_abs() + 5_000_000) / 10_000_000;
        let sign = match self.0 {
            n if n < 0 => "-",
            n if n > 0 && f.alternate() => "+",
            _ => "",
        };
        let text = if cents == 0 && self.0 != 0 {
            format!("{sign}<0.01")
        } else {
            format!("{sign}{}.{:02}", grouped(cents / 100), cents % 100)
        };
        f.pad(&text)
    }
}

/// A whole number with thousands set apart: `301,344`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}n/h", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_written_as_people_read_them() {
        assert_eq!(Money::from_micros(412_800_000).to_string(), "412.80");
        assert_eq!(format!("{:#}", Money::from_micros(770_000)), "+0.77");
        assert_eq!(Money::from_micros(4_000).to_string(), "<0.01");
        assert_eq!(Money::from_micros(-300_000).to_string(), "-0.30");
        assert_eq!(Money::from_micros(412_800_000).month().to_string(), "301,344.00");
        assert_eq!(Money::ZERO.to_string(), "0.00");
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole(rate in -10_i64.pow(15)..10_i64.pow(15), weights in prop::collection::vec(0_u64..1_000_000, 1..20)) {
            let whole = Money::from_nanos(rate);
            prop_assert_eq!(whole.split(&weights).into_iter().sum::<Money>(), whole);
        }
    }
}
