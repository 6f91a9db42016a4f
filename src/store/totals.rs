//! Totals as a fold over the records before and after each change.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Cluster, Phase, Provider, Record, Resources, Text, Totals, Truth, spared};
use crate::views::PriceOf;

/// What the totals need to remember: how many nodes each provider and region has.
#[derive(Default)]
pub(super) struct Counts {
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
            self.count(&mut cluster.totals, record, Step::Less);
        }
        if let Some(record) = after {
            self.count(&mut cluster.totals, record, Step::More);
        }
        fold_prices(cluster, before, after, price);
        let is_node = |record: Option<&Record>| record.is_some_and(|r| r.node().is_some());
        if is_node(before) || is_node(after) {
            cluster.provider = majority(&self.providers).copied().unwrap_or_default();
            cluster.region = majority(&self.regions).cloned().unwrap_or_default();
        }
    }

    fn count(&mut self, totals: &mut Totals, record: &Record, step: Step) {
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

/// Keeps the price of each node beside the totals, so that what was counted for a node is exactly
/// what is taken away again.
fn fold_prices(cluster: &mut Cluster, before: Option<&Record>, after: Option<&Record>, price: &PriceOf) {
    let old = before.and_then(Record::node).and_then(|node| cluster.prices.get(&node.meta.uid)).copied();
    let new = after.and_then(Record::node).map(|node| {
        let price = spared(|| price(&cluster.info, node)).unwrap_or_default();
        (node.meta.uid, price)
    });
    if let Some(old) = old {
        cluster.totals.cost.remove(old);
    }
    match (new, before.and_then(Record::node)) {
        (Some((uid, price)), _) => {
            cluster.totals.cost.add(price);
            if old != Some(price) {
                Arc::make_mut(&mut cluster.prices).insert(uid, price);
            }
        }
        (None, Some(gone)) => {
            Arc::make_mut(&mut cluster.prices).remove(&gone.meta.uid);
        }
        (None, None) => {}
    }
}

/// The totals of a cluster counted anew: what the fold must always agree with.
#[cfg(test)]
pub(super) fn recount(info: &crate::model::ClusterInfo, records: &[&Record], price: &PriceOf) -> Totals {
    let (mut counts, mut totals) = (Counts::default(), Totals::default());
    for record in records {
        counts.count(&mut totals, record, Step::More);
        if let Some(node) = record.node() {
            totals.cost.add(price(info, node));
        }
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
}
