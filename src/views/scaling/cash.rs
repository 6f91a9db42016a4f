//! What a change does to the bill, and what replicas are worth.

use std::fmt;

use super::dollars;
use crate::model::{Cluster, CostChange, Money, Resources};
use crate::views::prices::{CORE, GIB, GPU};

/// How much resources weigh, in nano-dollars an hour.
fn weight(resources: Resources) -> i64 {
    let cores = i128::from(resources.cpu) * i128::from(CORE);
    let memory = i128::from(resources.memory) * i128::from(GIB) * 1000 / (1 << 30);
    let gpus = i128::from(resources.gpus) * i128::from(GPU) * 1000;
    i64::try_from(cores + memory + gpus).unwrap_or(i64::MAX)
}

/// What `count` replicas that ask for this are worth at the cluster's blended price; `None` when
/// no price is known. It moves between idle and workload: the bill changes with nodes only.
pub(super) fn allocated(cluster: &Cluster, requests: Resources, count: i64) -> Option<CostChange> {
    let cost = &cluster.totals.cost;
    let all = weight(cluster.totals.allocatable);
    if all <= 0 || cost.priced + cost.guessed == 0 {
        return None;
    }
    let rate = cost.rate.scaled(weight(requests), all).scaled(count, 1);
    let approximate = cost.guessed > 0 || cost.unknown > 0;
    Some(CostChange { rate, approximate, absorbed: true })
}

/// What a row says in `$/h`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Cash {
    /// What the bill changes by.
    pub rate: Money,
    /// What is paid for nothing, or moved between idle and workload.
    pub aside: Money,
    /// Whether a price in it is estimated.
    pub approximate: bool,
    /// Whether a price in it is not known.
    pub unknown: bool,
    /// Whether the bill changes at all.
    pub moved: bool,
    /// What `aside` is.
    pub kind: Kind,
}

/// What a figure that is not cash means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Kind {
    /// Nothing is set aside.
    #[default]
    Cash,
    /// Idle capacity took it: nothing came or went.
    Absorbed,
    /// Nodes came or went for it; they are rows of their own, this is the share of these replicas.
    Share,
    /// It is paid for and does not serve.
    Lost,
    /// Money does not apply.
    None,
}

impl Cash {
    pub(super) const NONE: Cash = Cash {
        rate: Money::ZERO,
        aside: Money::ZERO,
        approximate: false,
        unknown: false,
        moved: false,
        kind: Kind::None,
    };

    pub(super) fn add(&mut self, cost: Option<CostChange>) {
        match cost {
            None => self.unknown = true,
            Some(change) => {
                self.approximate |= change.approximate;
                if change.absorbed { self.aside += change.rate } else { self.rate += change.rate }
            }
        }
        self.moved |= cost.is_none_or(|c| !c.absorbed);
    }

    pub(super) fn and(mut self, other: Cash) -> Cash {
        self.rate += other.rate;
        self.aside += other.aside;
        self.approximate |= other.approximate;
        self.unknown |= other.unknown;
        self.moved |= other.moved;
        self
    }

    /// Both together, as one figure: what moves the bill, else what was set aside.
    pub(super) fn joined(self, other: Cash) -> Cash {
        let kind = match (self.kind, other.kind) {
            (a, b) if a == b => a,
            (Kind::None, one) | (one, Kind::None) => one,
            (Kind::Cash, _) | (_, Kind::Cash) => Kind::Cash,
            (Kind::Share, _) | (_, Kind::Share) => Kind::Share,
            (one, _) => one,
        };
        Cash { kind, ..self.and(other) }
    }

    pub(super) fn sort(&self) -> i64 {
        self.rate.nanos()
    }

    /// `+$2.47`, `~+$2.47`, `+$2.47+?`, `$?`.
    pub(super) fn dollars(&self) -> String {
        let about = if self.approximate { "~" } else { "" };
        match (self.unknown, self.rate == Money::ZERO) {
            (true, true) => "$?".to_owned(),
            (true, false) => format!("{about}{}+?", dollars(self.rate)),
            (false, _) => format!("{about}{}", dollars(self.rate)),
        }
    }
}

impl fmt::Display for Cash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.approximate { "~" } else { "" };
        let text = match self.kind {
            Kind::None => "-".to_owned(),
            Kind::Absorbed if self.unknown => "?".to_owned(),
            Kind::Absorbed => "absorbed".to_owned(),
            Kind::Share | Kind::Cash | Kind::Lost if self.unknown && self.rate == Money::ZERO => {
                "?".to_owned()
            }
            Kind::Share => format!("{about}{:#}", self.aside),
            Kind::Lost => format!("0 ({about}{})", self.aside),
            Kind::Cash => {
                let more = if self.unknown { "+?" } else { "" };
                format!("{about}{:#}{more}", self.rate)
            }
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusterId, ClusterInfo, Time};
    use std::sync::Arc;

    #[test]
    fn replicas_are_worth_their_share_of_all_nodes() {
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), Time::from_seconds(1));
        let size = Resources { cpu: 8000, memory: 32 << 30, gpus: 0, pods: 110 };
        assert_eq!(allocated(&cluster, size, 1), None);
        cluster.totals.allocatable = size.times(10);
        cluster.totals.cost.rate = Money::from_micros(3_900_000);
        cluster.totals.cost.priced = 10;
        let change = allocated(&cluster, size, 2).unwrap();
        assert_eq!(change.rate, Money::from_micros(780_000));
        assert!(change.absorbed && !change.approximate);
    }

    #[test]
    fn unknown_is_never_zero() {
        let mut cash = Cash::default();
        cash.add(None);
        assert_eq!((cash.to_string().as_str(), cash.dollars().as_str()), ("?", "$?"));
        cash.add(Some(CostChange { rate: Money::from_micros(770_000), approximate: true, absorbed: false }));
        assert_eq!((cash.to_string().as_str(), cash.dollars().as_str()), ("~+0.77+?", "~+$0.77+?"));
    }
}
