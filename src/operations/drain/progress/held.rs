//! The budgets in the way of a drain: which pods would open them, and what would help from here.

use super::{HeldBudget, Joined, NotReady, Offer, state};
use crate::model::{Budget, Kind, Pod, Text};
use crate::operations::PodState;
use crate::views::health::first_constraint;

/// At most so many replicas more are offered to open a budget.
const MOST_MORE: u32 = 5;

impl<'a> Joined<'a> {
    pub(super) fn budget(&self, namespace: &Text, name: &Text) -> Option<&'a Budget> {
        self.cluster.budgets().find(|b| b.meta.namespace == *namespace && b.meta.name == *name)
    }

    pub(super) fn held(&self) -> Vec<HeldBudget> {
        let mut names: Vec<(&Text, &Text)> = Vec::new();
        for (pod, _) in &self.run.pods {
            if let PodState::WaitsOnBudget(budget) = &pod.state
                && self.planned.contains_key(&pod.uid)
                && !names.contains(&(&pod.namespace, budget))
            {
                names.push((&pod.namespace, budget));
            }
        }
        names.into_iter().filter_map(|(ns, name)| Some(self.held_by(self.budget(ns, name)?))).collect()
    }

    fn held_by(&self, b: &'a Budget) -> HeldBudget {
        let counted = self.cluster.pods().filter(|pod| {
            pod.meta.namespace == b.meta.namespace && !pod.finished() && b.selector.matches(&pod.meta.labels)
        });
        let mut not_ready: Vec<&Pod> =
            counted.filter(|pod| !pod.ready || pod.meta.deleting.is_some()).collect();
        not_ready.sort_by_key(|pod| (pod.meta.created, &pod.meta.name));
        let opens = b.needed < b.expected || b.expected == 0;
        HeldBudget {
            namespace: b.meta.namespace.clone(),
            name: b.meta.name.clone(),
            counts: (b.needed, b.healthy, b.expected),
            missing: opens.then(|| (b.needed + 1).saturating_sub(b.healthy)),
            not_ready: not_ready
                .iter()
                .map(|pod| NotReady { name: pod.meta.name.clone(), why: self.why_not_ready(pod) })
                .collect(),
            offer: self.offer(b),
        }
    }

    fn why_not_ready(&self, pod: &Pod) -> Text {
        let age = pod.meta.created.map_or(String::new(), |made| format!(" {}", made.age(self.now)));
        Text::from(if pod.meta.deleting.is_some() {
            "is leaving".to_owned()
        } else if pod.node.is_empty() {
            let why = first_constraint(&pod.message).map_or(String::new(), |why| format!(", {why}"));
            format!("Pending{age}{why}")
        } else {
            format!("{}{age} on {}", state(pod), pod.node)
        })
    }

    /// The Deployment of the guarded pods with the few replicas more that would open the budget, if
    /// some would. A StatefulSet is not offered: one more member of a database is no small thing.
    fn offer(&self, b: &Budget) -> Option<Offer> {
        let guarded =
            self.planned.values().find(|pod| {
                pod.namespace == b.meta.namespace
                    && self.run.pods.iter().any(|(p, _)| {
                        p.uid == pod.uid && p.state == PodState::WaitsOnBudget(b.meta.name.clone())
                    })
            })?;
        let (kind, name) = guarded.owner.as_ref().filter(|(kind, _)| kind == "Deployment")?;
        let record = self.cluster.find(Kind::by_kind(kind)?, &guarded.namespace, name)?;
        let from = record.workload()?.desired;
        let more = (1..=MOST_MORE).find(|more| opens_with(b, *more))?;
        Some(Offer { workload: record.key(self.cluster.id), from, to: from + more })
    }
}

/// Whether so many more healthy pods open a budget: it counts them among what it expects too
/// (`kubernetes/kubernetes:pkg/controller/disruption/disruption.go` `getExpectedPodCount`).
pub(super) fn opens_with(b: &Budget, more: u32) -> bool {
    let expected = b.expected + more;
    let share = |text: &str| {
        let percent = text.strip_suffix('%')?.parse::<u32>().ok()?;
        Some(u32::try_from((u64::from(expected) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX))
    };
    let number = |text: &Text| share(text).or_else(|| text.parse::<u32>().ok());
    let needed = if !b.min_available.is_empty() {
        number(&b.min_available)
    } else if !b.max_unavailable.is_empty() {
        number(&b.max_unavailable).map(|most| expected.saturating_sub(most))
    } else {
        None
    };
    needed.is_some_and(|needed| b.healthy + more > needed)
}
