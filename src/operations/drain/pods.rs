//! What becomes of each pod of a node, by kubectl's filters in kubectl's order
//! (`kubernetes/kubectl:pkg/drain/filters.go`): deleted, DaemonSet, mirror, emptyDir, controller.
//! Where kubectl refuses without a flag, the person decides here.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::model::{Budget, Cluster, Kind, Phase, Pod, Selector, Text};

/// What a person has to decide about a pod before it goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Concern {
    /// Its DaemonSet is gone.
    Orphan,
    /// Its `emptyDir` goes with it.
    EmptyDir,
    /// Nothing makes it again.
    Unreplicated,
    /// More than one budget guards it: the eviction API answers 500 for ever.
    DoubleBudget,
}

/// What becomes of a pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It belongs to a DaemonSet, which would put it back.
    DaemonSet,
    /// It is a static pod's mirror: only its kubelet ends it.
    Mirror,
    /// The pod selector leaves it out.
    NotSelected,
    /// It goes, if each of these concerns is accepted.
    Goes(Vec<Concern>),
}

/// A pod of the node, with the budgets that guard it.
#[derive(Clone, Debug)]
pub(super) struct OnNode<'a> {
    pub(super) pod: &'a Pod,
    pub(super) fate: Fate,
    pub(super) budgets: Vec<&'a Budget>,
}

impl OnNode<'_> {
    /// `namespace/name`.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.pod.meta.namespace, self.pod.meta.name)
    }

    /// Whether the eviction API looks at no budget for it: it is pending, has ended, or is on its
    /// way out (`canIgnorePDB` of the apiserver's eviction.go).
    pub(super) fn free_of_budgets(&self) -> bool {
        self.pod.finished() || self.pod.phase == Phase::Pending || self.pod.meta.deleting.is_some()
    }

    /// Whether kubectl evicts it with `--force` only.
    pub(super) fn needs_force(&self) -> bool {
        self.concerns().iter().any(|c| matches!(c, Concern::Orphan | Concern::Unreplicated))
    }

    pub(super) fn concerns(&self) -> &[Concern] {
        match &self.fate {
            Fate::Goes(concerns) => concerns,
            _ => &[],
        }
    }
}

/// What is looked up for every pod of a cluster.
pub(super) struct Surroundings<'a> {
    /// The names of DaemonSets; `None` while they are not known, and then all are held to exist.
    daemon_sets: Option<BTreeSet<(&'a Text, &'a Text)>>,
    budgets: FxHashMap<&'a Text, Vec<&'a Budget>>,
    pods: FxHashMap<&'a Text, Vec<&'a Pod>>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn of(cluster: &'a Cluster) -> Surroundings<'a> {
        let sets = cluster.table(Kind::DaemonSet);
        let name = |r: &'a std::sync::Arc<crate::model::Record>| (&r.meta().namespace, &r.meta().name);
        let mut budgets: FxHashMap<&Text, Vec<&Budget>> = FxHashMap::default();
        for budget in cluster.budgets() {
            budgets.entry(&budget.meta.namespace).or_default().push(budget);
        }
        let mut pods: FxHashMap<&Text, Vec<&Pod>> = FxHashMap::default();
        for pod in cluster.pods() {
            pods.entry(&pod.node).or_default().push(pod);
        }
        Surroundings {
            daemon_sets: sets.synced.map(|_| cluster.records(Kind::DaemonSet).map(name).collect()),
            budgets,
            pods,
        }
    }

    /// The pods of a node, by namespace and name.
    pub(super) fn on(&self, node: &Text, selector: Option<&Selector>) -> Vec<OnNode<'a>> {
        let pods = self.pods.get(node).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<OnNode<'a>> = pods.iter().map(|pod| self.judge(pod, selector)).collect();
        found.sort_by(|a, b| {
            let key = |p: &OnNode<'a>| (p.pod.meta.namespace.clone(), p.pod.meta.name.clone());
            key(a).cmp(&key(b))
        });
        found
    }

    fn judge(&self, pod: &'a Pod, selector: Option<&Selector>) -> OnNode<'a> {
        let guards = |b: &&&Budget| b.selector.matches(&pod.meta.labels);
        let budgets = self.budgets.get(&pod.meta.namespace);
        let budgets: Vec<&Budget> = budgets.into_iter().flatten().filter(guards).copied().collect();
        let mut on = OnNode { pod, fate: Fate::Mirror, budgets };
        on.fate = if selector.is_some_and(|s| !s.matches(&pod.meta.labels)) {
            Fate::NotSelected
        } else {
            self.fate(&on)
        };
        on
    }

    fn fate(&self, on: &OnNode<'_>) -> Fate {
        let pod = on.pod;
        let mut concerns = Vec::new();
        // kubectl knows the DaemonSets of apps/v1 only, not those of other groups.
        let daemon = pod.meta.owner.as_ref().filter(|o| o.kind == "DaemonSet" && o.api == "apps/v1");
        if let Some(owner) = daemon.filter(|_| !pod.finished()) {
            let exists = |sets: &BTreeSet<_>| sets.contains(&(&pod.meta.namespace, &owner.name));
            if self.daemon_sets.as_ref().is_none_or(exists) {
                return Fate::DaemonSet;
            }
            concerns.push(Concern::Orphan);
        }
        if pod.traits.mirror {
            return Fate::Mirror;
        }
        if pod.traits.empty_dir && !pod.finished() {
            concerns.push(Concern::EmptyDir);
        }
        if pod.meta.owner.is_none() && !pod.finished() {
            concerns.push(Concern::Unreplicated);
        }
        if on.budgets.len() > 1 && !on.free_of_budgets() {
            concerns.push(Concern::DoubleBudget);
        }
        Fate::Goes(concerns)
    }
}
