//! Amounts of money in the unit that is shown, and shares of them.

use crate::model::{Cell, CostTotals, MONTH_HOURS, Money, grouped};

/// For how long a rate is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Unit {
    #[default]
    Hour,
    Day,
    Month,
}

impl Unit {
    /// The heading of a column in this unit.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Unit::Hour => "$/h",
            Unit::Day => "$/day",
            Unit::Month => "$/month",
        }
    }

    /// What stands behind an amount in this unit.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Unit::Hour => "/h",
            Unit::Day => "/day",
            Unit::Month => "/month",
        }
    }

    /// A rate in this unit.
    #[must_use]
    pub const fn of(self, rate: Money) -> Money {
        let hours = match self {
            Unit::Hour => 1,
            Unit::Day => 24,
            Unit::Month => MONTH_HOURS,
        };
        Money::from_nanos(rate.nanos().saturating_mul(hours))
    }
}

/// An amount in a unit: months without cents, as long as there is a dollar to show.
pub(super) fn figure(rate: Money, unit: Unit) -> String {
    let amount = unit.of(rate);
    let dollars = amount.nanos().unsigned_abs().saturating_add(500_000_000) / 1_000_000_000;
    if unit != Unit::Month || dollars < 10 {
        return amount.to_string();
    }
    let sign = if amount < Money::ZERO { "-" } else { "" };
    format!("{sign}{}", grouped(dollars))
}

/// An amount as a cell; it sorts by the rate, whatever the unit.
pub(super) fn money(rate: Money, unit: Unit) -> Cell {
    Cell::number(figure(rate, unit), rate.nanos())
}

/// How sure an amount is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Doubt {
    /// A part of it is estimated or as last seen: `~4.70`.
    pub(super) about: bool,
    /// A part of it is not known: `4.70+?`.
    pub(super) more: bool,
}

impl Doubt {
    /// How sure the prices in it are.
    pub(super) const fn of(cost: &CostTotals) -> Doubt {
        Doubt { about: cost.guessed > 0, more: cost.unknown > 0 }
    }

    /// Less sure still.
    pub(super) const fn or(self, about: bool, more: bool) -> Doubt {
        Doubt { about: self.about || about, more: self.more || more }
    }

    /// The amount as `text` says it, with what is not sure of it: `~$4.70`, `$4.70+?`; `unknown`
    /// where nothing of it is known.
    pub(super) fn say(self, rate: Money, text: &str, unknown: &str) -> String {
        let about = if self.about { "~" } else { "" };
        match (self.more, rate == Money::ZERO) {
            (true, true) => unknown.to_owned(),
            (true, false) => format!("{about}{text}+?"),
            (false, _) => format!("{about}{text}"),
        }
    }

    /// What is paid, as a cell.
    pub(super) fn price(self, rate: Money, unit: Unit) -> Cell {
        Cell::number(self.say(rate, &figure(rate, unit), "$?"), rate.nanos())
    }

    /// A part of what is paid, as a cell: of nothing that is known no amount.
    pub(super) fn part(self, rate: Money, unit: Unit) -> Cell {
        Cell::number(self.say(rate, &figure(rate, unit), "?"), rate.nanos())
    }
}

/// A percentage; `-` of nothing.
pub(super) fn percent(part: Money, whole: Money) -> Cell {
    if whole == Money::ZERO {
        return Cell::text("-");
    }
    let value = part.scaled(100, 1).nanos() / whole.nanos().max(1);
    Cell::number(format!("{value} %"), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_nothing_have_no_percentage() {
        assert_eq!(percent(Money::ZERO, Money::ZERO).text, "-");
        assert_eq!(percent(Money::from_micros(1), Money::from_micros(4)).text, "25 %");
    }

    #[test]
    fn units_multiply() {
        let rate = Money::from_micros(1_000_000);
        assert_eq!(Unit::Day.of(rate).to_string(), "24.00");
        assert_eq!(Unit::Month.of(rate), rate.month());
        assert_eq!(figure(rate, Unit::Month), "730");
        assert_eq!(figure(Money::from_micros(71_360_000), Unit::Month), "52,093");
        assert_eq!(figure(Money::from_micros(1_000), Unit::Month), "0.73");
    }
}
