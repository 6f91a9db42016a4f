//! The record of a horizontal pod autoscaler.

use std::fmt;

use super::Pool;
use crate::model::{Condition, Meta, Text, Time, Truth, condition};

/// A horizontal pod autoscaler (`autoscaling/v2`).
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Autoscaler {
    /// What every object has.
    pub meta: Meta,
    /// The kind that it scales: `Deployment`.
    pub target_kind: Text,
    /// The name of what it scales.
    pub target: Text,
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// Replicas that it saw.
    pub current: u32,
    /// Replicas that it wants.
    pub desired: u32,
    /// When it last changed something.
    pub last_scaled: Option<Time>,
    /// What it looks at.
    pub metrics: Box<[Metric]>,
    /// `AbleToScale`, `ScalingActive`, `ScalingLimited`, …
    pub conditions: Box<[Condition]>,
}

/// One metric of an autoscaler.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Metric {
    /// `cpu`, `memory`, or the name of an external one.
    pub name: Text,
    /// What it is now.
    pub current: Option<Amount>,
    /// What it should be.
    pub target: Option<Amount>,
}

/// The value of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Amount {
    /// Percent of what pods ask for.
    Percent(u32),
    /// A quantity, in thousandths.
    Milli(i64),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Percent(percent) => write!(f, "{percent} %"),
            Amount::Milli(milli) if milli % 1000 == 0 => write!(f, "{}", milli / 1000),
            // Servers write 2.4 as 2400m too; below one, thousandths are what everybody knows.
            Amount::Milli(milli) if *milli > 1000 => {
                let text = format!("{}.{:03}", milli / 1000, milli % 1000);
                f.write_str(text.trim_end_matches('0'))
            }
            Amount::Milli(milli) => write!(f, "{milli}m"),
        }
    }
}

impl Metric {
    /// How far the metric is from its target, in thousandths: 1000 is on target.
    #[must_use]
    pub fn ratio(&self) -> Option<u64> {
        let (current, target) = match (self.current?, self.target?) {
            (Amount::Percent(c), Amount::Percent(t)) => (i64::from(c), i64::from(t)),
            (Amount::Milli(c), Amount::Milli(t)) => (c, t),
            _ => return None,
        };
        u64::try_from(i128::from(current) * 1000 / i128::from(target.max(1))).ok()
    }
}

impl Autoscaler {
    /// Whether it is held at its maximum though it wants more: condition `ScalingLimited` with
    /// reason `TooManyReplicas`.
    #[must_use]
    pub fn at_ceiling(&self) -> bool {
        condition(&self.conditions, "ScalingLimited")
            .is_some_and(|c| c.status == Truth::True && c.reason == "TooManyReplicas")
    }

    /// How many replicas its worst metric asks for: replicas × current / target, rounded up.
    #[must_use]
    pub fn wants(&self) -> Option<u32> {
        let ratio = self.metrics.iter().filter_map(Metric::ratio).max()?;
        u32::try_from((u64::from(self.current) * ratio).div_ceil(1000)).ok()
    }

    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        pool.text(&mut self.target_kind);
        pool.text(&mut self.target);
        for condition in &mut self.conditions {
            pool.text(&mut condition.kind);
            pool.text(&mut condition.reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[test]
    fn amounts_read_as_people_write_them() {
        let written = |milli| Amount::Milli(milli).to_string();
        assert_eq!([250, 1000, 2400, 61_500, 1001].map(written), ["250m", "1", "2.4", "61.5", "1.001"]);
        assert_eq!(Amount::Percent(96).to_string(), "96 %");
    }
}
