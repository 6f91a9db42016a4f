//! Totals as a fold over the records before and after each change.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::model::{
    Capacity, Cluster, CostTotals, Money, Phase, Price, Provider, Record, Resources, Text, Totals, Truth, Uid,
};
use crate::views::PriceOf;

/// What the totals need to remember: what each node was counted at, so that exactly that is taken
/// away again, and how many nodes each provider and region has.
#[derive(Default)]
pub(super) struct Counts {
    prices: FxHashMap<Uid, Price>,
    providers: BTreeMap<Provider, u32>,
    regions: BTreeMap<Text, u32>,
}

impl Counts {
    /// Folds one change into the totals, and the majority of nodes into provider and region.
    pub(super) fn fold(
        &mut self,
        cluster: &mut Cluster,
        before: Option<&Record>,
        after: Option<&Record>,
        price: &PriceOf,
    ) {
        if let Some(record) = before {
            self.count(&mut cluster.totals, record, None, Step::Less);
        }
        if let Some(record) = after {
            let cost = record.node().map(|node| price(&cluster.info, node));
            self.count(&mut cluster.totals, record, cost, Step::More);
        }
        let is_node = |record: Option<&Record>| record.is_some_and(|r| r.node().is_some());
        if is_node(before) || is_node(after) {
            cluster.provider = majority(&self.providers).copied().unwrap_or_default();
            cluster.region = majority(&self.regions).cloned().unwrap_or_default();
        }
    }

    fn count(&mut self, totals: &mut Totals, record: &Record, price: Option<Price>, step: Step) {
        match record {
            Record::Node(node) => {
                step.count(&mut totals.nodes, true);
                step.count(&mut totals.nodes_ready, node.ready == Truth::True);
                step.count(&mut totals.nodes_cordoned, node.unschedulable);
                step.add(&mut totals.capacity, node.capacity);
                step.add(&mut totals.allocatable, node.allocatable);
                step.tally(&mut self.providers, node.identity.provider);
                if !node.identity.region.is_empty() {
                    step.tally(&mut self.regions, node.identity.region.clone());
                }
                let price = match step {
                    Step::More => {
                        let price = price.unwrap_or_default();
                        self.prices.insert(node.meta.uid, price);
                        price
                    }
                    Step::Less => self.prices.remove(&node.meta.uid).unwrap_or_default(),
                };
                step.cost(&mut totals.cost, price);
            }
            Record::Pod(pod) if !pod.finished() => {
                step.count(&mut totals.pods, true);
                step.count(&mut totals.pods_ready, pod.ready);
                let placed = !pod.node.is_empty();
                step.count(&mut totals.pods_pending, !placed && pod.phase == Phase::Pending);
                if placed {
                    step.add(&mut totals.requests, pod.requests);
                }
            }
            Record::Workload(workload) => step.count(&mut totals.workloads, workload.kind.is_workload()),
            _ => {}
        }
    }
}

/// The totals of a cluster counted anew: what the fold must always agree with.
#[cfg(test)]
pub(super) fn recount(info: &crate::model::ClusterInfo, records: &[&Record], price: &PriceOf) -> Totals {
    let (mut counts, mut totals) = (Counts::default(), Totals::default());
    for record in records {
        let cost = record.node().map(|node| price(info, node));
        counts.count(&mut totals, record, cost, Step::More);
    }
    totals
}

/// The most frequent; of equals the first in order, so that it does not flicker.
fn majority<T: Ord>(counts: &BTreeMap<T, u32>) -> Option<&T> {
    counts.iter().rev().max_by_key(|(_, count)| **count).map(|(value, _)| value)
}

#[derive(Clone, Copy)]
enum Step {
    More,
    Less,
}

impl Step {
    fn count(self, number: &mut u32, counts: bool) {
        *number = match self {
            _ if !counts => *number,
            Step::More => number.saturating_add(1),
            Step::Less => number.saturating_sub(1),
        };
    }

    fn add(self, sum: &mut Resources, part: Resources) {
        match self {
            Step::More => *sum += part,
            Step::Less => *sum -= part,
        }
    }

    fn money(self, sum: &mut Money, part: Money, counts: bool) {
        match self {
            _ if !counts => {}
            Step::More => *sum += part,
            Step::Less => *sum -= part,
        }
    }

    fn tally<T: Ord>(self, counts: &mut BTreeMap<T, u32>, value: T) {
        match self {
            Step::More => *counts.entry(value).or_default() += 1,
            Step::Less => {
                if let Some(count) = counts.get_mut(&value) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(&value);
                    }
                }
            }
        }
    }

    fn cost(self, cost: &mut CostTotals, price: Price) {
        let Some(rate) = price.rate else { return self.count(&mut cost.unknown, true) };
        let approximate = price.basis.approximate();
        self.count(&mut cost.guessed, approximate);
        self.count(&mut cost.priced, !approximate);
        self.money(&mut cost.rate, rate, true);
        self.money(&mut cost.estimated, rate, approximate);
        self.money(&mut cost.spot, rate, price.capacity == Capacity::Spot);
    }
}
