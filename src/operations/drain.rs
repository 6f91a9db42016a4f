//! Drain: move the pods off nodes, with kubectl's filters and the server's budgets, one node
//! after another.

mod budgets;
mod each;
mod pods;
mod preview;
pub(super) mod progress;
#[cfg(test)]
mod tests;

use crate::model::{ClusterId, Kind, ObjectKey, Resources, Selector, Span, Text, Version};
use crate::views::Snapshot;

use super::subjects::{self, Chosen};
use super::words::{self, confirmation, count, kubectl, some};
use super::{
    Action, Choice, EvictPod, OperationDecl, Options, Plan, PlanInput, ReadyTarget, Step, Tolerance, cordon,
    rules, selector,
};
use pods::{Concern, Fate, OnNode, Surroundings};

/// Drain.
pub(super) const DRAIN: OperationDecl = OperationDecl {
    id: "drain",
    title: "drain the node",
    key: 'D',
    applies_to: &[Kind::Node],
    draft: plan,
    doc: "Cordons the node and evicts its pods as fast as their budgets open. DaemonSet and static \
          pods stay. Several nodes are all cordoned first and then emptied one after another.",
};

/// How long emptying one node may take.
const NODE_DEADLINE: Span = Span::from_seconds(30 * 60);
/// How long the moved pods' workloads may take to be ready again.
const READY_DEADLINE: Span = Span::from_seconds(10 * 60);

const POOL_RULE: &str = "pool-rule";
const ZONE_RULE: &str = "zone-rule";

/// What the plan is made from, joined.
struct Draft<'a> {
    input: PlanInput<'a>,
    nodes: Vec<OneNode<'a>>,
}

/// A node that is emptied, and its pods.
struct OneNode<'a> {
    chosen: Chosen<'a>,
    pods: Vec<OnNode<'a>>,
}

impl<'a> OneNode<'a> {
    /// The pods that go, given what was decided; those that no budget holds come first, so that
    /// none of them waits behind one that a budget does.
    fn going<'s>(&'s self, options: &'s Options) -> Vec<&'s OnNode<'a>> {
        let mut going: Vec<_> = self.pods.iter().filter(|on| goes(on, options)).collect();
        going.sort_by_key(|on| budgets::asked(on).len() == 1);
        going
    }
}

/// Whether a pod goes, given what was decided: every concern about it must be accepted.
fn goes(on: &OnNode<'_>, options: &Options) -> bool {
    matches!(on.fate, Fate::Goes(_)) && on.concerns().iter().all(|c| options.answer(c.id()) == 1)
}

impl Concern {
    fn id(self) -> &'static str {
        match self {
            Concern::Orphan => "orphan",
            Concern::EmptyDir => "emptydir",
            Concern::Unreplicated => "unreplicated",
            Concern::DoubleBudget => "double-budget",
        }
    }
}

fn plan(input: &PlanInput<'_>) -> Result<Plan, Text> {
    let draft = draft(input)?;
    let chosen: Vec<Chosen<'_>> = draft.nodes.iter().map(|n| n.chosen.clone()).collect();
    let steps = draft.steps();
    if steps.is_empty() && draft.choices(&chosen).is_empty() {
        return Err(Text::from(format!("{}: cordoned already, and no pod would move", draft.names())));
    }
    let touches = words::clusters_of(input.subjects);
    let fleet = &input.snapshot.fleet;
    Ok(Plan {
        operation: "drain",
        title: format!("drain {}", count(chosen.len(), "node")).into(),
        subjects: chosen.iter().map(|c| c.key.clone()).collect(),
        made: input.now,
        preview: draft.preview(&chosen, &touches),
        objects: draft.objects(),
        choices: draft.choices(&chosen),
        steps,
        refusals: draft.refusals(&chosen),
        kubectl: draft.kubectl(&touches),
        confirmation: confirmation(fleet, &touches),
        rests_on: draft.rests_on(),
        touches,
        drill: false,
        recovery: None,
    })
}

fn draft<'a>(input: &PlanInput<'a>) -> Result<Draft<'a>, Text> {
    let chosen = subjects::nodes(input)?;
    if let Some(c) = chosen.iter().find(|c| c.cluster.table(Kind::Pod).synced.is_none()) {
        return Err(Text::from(format!("the pods of {} are not known", c.cluster.info.name)));
    }
    let wanted = &input.options.pod_selector;
    let selector: Option<Selector> = if wanted.is_empty() { None } else { Some(selector::parse(wanted)?) };
    let mut around: Vec<(ClusterId, Surroundings<'a>)> = Vec::new();
    let mut nodes = Vec::new();
    for chosen in chosen {
        let id = chosen.cluster.id;
        let index = around.iter().position(|(c, _)| *c == id).unwrap_or_else(|| {
            around.push((id, Surroundings::of(chosen.cluster)));
            around.len() - 1
        });
        let pods = around[index].1.on(&chosen.node.meta.name, selector.as_ref());
        nodes.push(OneNode { chosen, pods });
    }
    Ok(Draft { input: *input, nodes })
}

impl<'a> Draft<'a> {
    fn options(&self) -> &'a Options {
        self.input.options
    }

    fn snapshot(&self) -> &'a Snapshot {
        self.input.snapshot
    }

    fn names(&self) -> String {
        some(&self.nodes.iter().map(|n| &n.chosen.key.name).collect::<Vec<_>>(), 3)
    }

    /// Every pod of every node.
    fn all(&self) -> impl Iterator<Item = (&OneNode<'a>, &OnNode<'a>)> {
        self.nodes.iter().flat_map(|node| node.pods.iter().map(move |pod| (node, pod)))
    }

    /// All nodes are cordoned first; then each is emptied, and what moved off it is ready again
    /// before the next one begins.
    fn steps(&self) -> Vec<Step> {
        let cordons = self.nodes.iter().filter(|n| !n.chosen.node.unschedulable);
        let mut steps: Vec<Step> = cordons.map(|n| cordon::step(&n.chosen, true)).collect();
        let busy: Vec<_> = self.nodes.iter().filter(|n| !n.going(self.options()).is_empty()).collect();
        for (index, node) in busy.iter().enumerate() {
            steps.push(self.evict(node));
            steps.extend(self.await_ready(node, index + 1 == busy.len()));
        }
        steps
    }

    fn evict(&self, node: &OneNode<'a>) -> Step {
        let going = node.going(self.options());
        let name = &node.chosen.key.name;
        Step {
            title: format!("evict {} from {name}, as fast as the budgets open", count(going.len(), "pod"))
                .into(),
            way_back: Text::clean("none: they start elsewhere"),
            undo: Vec::new(),
            deadline: self.deadline(),
            tolerance: Tolerance::Nothing,
            action: Action::Evict {
                node: words::target(&node.chosen.key, "v1"),
                pods: going.iter().map(|on| self.evict_pod(node, on)).collect(),
                grace: self.options().grace,
                at_once: self.options().at_once,
                kept: node
                    .pods
                    .iter()
                    .filter(|on| !goes(on, self.options()))
                    .map(|on| on.pod.meta.uid)
                    .collect(),
                selector: self.options().pod_selector.clone(),
            },
        }
    }

    /// How long emptying one node may take. As for kubectl, zero is no limit.
    fn deadline(&self) -> Option<Span> {
        match self.options().timeout {
            None => Some(NODE_DEADLINE),
            Some(none) if none <= Span::ZERO => None,
            Some(limit) => Some(limit),
        }
    }

    fn evict_pod(&self, node: &OneNode<'a>, on: &OnNode<'a>) -> EvictPod {
        let meta = &on.pod.meta;
        let owner = self.workload(node, on).map(|key| (Text::clean(key.kind.names().kind), key.name));
        let delete = on.concerns().contains(&Concern::DoubleBudget);
        EvictPod {
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid,
            budgets: if delete {
                Vec::new()
            } else {
                budgets::asked(on).iter().map(|b| b.meta.name.clone()).collect()
            },
            grace: self.options().grace.unwrap_or(on.pod.grace_seconds),
            owner: owner.or_else(|| meta.owner.as_ref().map(|o| (o.kind.clone(), o.name.clone()))),
            delete,
        }
    }

    /// The Deployment or StatefulSet that a pod belongs to, if it is known.
    fn workload(&self, node: &OneNode<'a>, on: &OnNode<'a>) -> Option<ObjectKey> {
        let cluster = node.chosen.cluster;
        let namespace = &on.pod.meta.namespace;
        let mut owner = on.pod.meta.owner.clone()?;
        if owner.kind == "ReplicaSet" {
            let set = cluster.find(Kind::ReplicaSet, namespace, &owner.name)?;
            owner = set.meta().owner.clone()?;
        }
        let kind =
            Kind::by_kind(&owner.kind).filter(|k| matches!(k, Kind::Deployment | Kind::StatefulSet))?;
        Some(cluster.find(kind, namespace, &owner.name)?.key(cluster.id))
    }

    /// The workloads of the pods that go, each once.
    fn workloads(&self, node: &OneNode<'a>) -> Vec<ObjectKey> {
        let mut keys: Vec<ObjectKey> =
            node.going(self.options()).iter().filter_map(|on| self.workload(node, on)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn await_ready(&self, node: &OneNode<'a>, last: bool) -> Option<Step> {
        let targets: Vec<ReadyTarget> =
            self.workloads(node).iter().filter_map(|key| self.ready_target(node, key)).collect();
        if targets.is_empty() {
            return None;
        }
        Some(Step {
            title: format!("check: {} Ready again", count(targets.len(), "workload")).into(),
            way_back: Text::EMPTY,
            undo: Vec::new(),
            deadline: Some(READY_DEADLINE),
            // After the last node there is nothing left to hold back: it is a fact to report.
            tolerance: if last { Tolerance::Anything } else { Tolerance::Nothing },
            action: Action::AwaitReady(targets),
        })
    }

    /// A workload that was short of replicas before need not have more of them after.
    fn ready_target(&self, node: &OneNode<'a>, key: &ObjectKey) -> Option<ReadyTarget> {
        let record = node.chosen.cluster.find(key.kind, &key.namespace, &key.name)?;
        let workload = record.workload()?;
        let replicas = workload.desired.min(workload.ready);
        let target = words::target(key, "v1");
        (replicas > 0).then_some(ReadyTarget { target, kind: key.kind, replicas, as_wanted: true })
    }

    fn choices(&self, chosen: &[Chosen<'a>]) -> Vec<Choice> {
        let mut choices: Vec<Choice> = Vec::new();
        let make = |id: &str, text: String, answers: [&str; 2]| Choice {
            id: Text::clean(id),
            text: text.into(),
            answers: answers.iter().map(|a| Text::clean(a)).collect(),
            chosen: self.options().answer(id).min(1),
        };
        for concern in [Concern::Orphan, Concern::EmptyDir, Concern::Unreplicated, Concern::DoubleBudget] {
            let pods: Vec<&OnNode<'_>> =
                self.all().map(|(_, on)| on).filter(|on| on.concerns().contains(&concern)).collect();
            if !pods.is_empty() {
                choices.push(make(
                    concern.id(),
                    preview::question(concern, &pods),
                    preview::answers(concern),
                ));
            }
        }
        for share in self.shares(chosen).into_iter().filter(|share| !share.holds()) {
            choices.push(make(POOL_RULE, share.sentence(), ["keep to the rule", "go beyond it"]));
        }
        choices.dedup_by(|a, b| a.id == POOL_RULE && b.id == POOL_RULE);
        let zones = self.zones(chosen);
        if zones.len() > 1 {
            let text = format!("one zone at a time: these nodes are in {}", some(&zones, 4));
            choices.push(make(ZONE_RULE, text, ["keep to the rule", "go beyond it"]));
        }
        choices
    }

    fn refusals(&self, chosen: &[Chosen<'a>]) -> Vec<Text> {
        let mut refusals: Vec<Text> = Vec::new();
        if self.options().answer(POOL_RULE) == 0 {
            let broken = self.shares(chosen).into_iter().filter(|share| !share.holds());
            refusals.extend(broken.map(|share| Text::from(format!("more than {}", share.sentence()))));
        }
        let zones = self.zones(chosen);
        if zones.len() > 1 && self.options().answer(ZONE_RULE) == 0 {
            refusals.push(Text::from(format!("one zone at a time: these nodes are in {}", some(&zones, 4))));
        }
        if self.steps().is_empty() {
            refusals.push(Text::clean("nothing would move: every pod that could go is left by choice"));
        }
        refusals
    }

    /// How much of each pool is taken out.
    fn shares(&self, chosen: &[Chosen<'a>]) -> Vec<rules::Share> {
        rules::pool_share(chosen, self.options().rules.pool_percent)
    }

    /// The zones that the nodes are in, where only one may be at a time; else none.
    fn zones(&self, chosen: &[Chosen<'a>]) -> Vec<Text> {
        if self.options().rules.one_zone { rules::zones(chosen) } else { Vec::new() }
    }

    /// The pods that are left by choice and that stop kubectl: it evicts nothing at all while it may
    /// not evict every pod of the node.
    fn stops_kubectl(&self) -> Vec<String> {
        let forced = self.all().any(|(_, on)| goes(on, self.options()) && on.needs_force());
        let stops = |on: &OnNode<'a>| {
            let open = on.concerns().iter().filter(|c| self.options().answer(c.id()) == 0);
            let open: Vec<&Concern> = open.collect();
            open.contains(&&Concern::EmptyDir)
                || !forced && open.iter().any(|c| matches!(c, Concern::Orphan | Concern::Unreplicated))
        };
        self.all().filter(|(_, on)| stops(on)).map(|(_, on)| on.path()).collect()
    }

    /// A delete for each pod that two budgets guard, and one drain for each cluster, with the flags
    /// that the decisions amount to.
    fn kubectl(&self, touches: &[ClusterId]) -> Vec<String> {
        let mut lines = Vec::new();
        for id in touches {
            let nodes: Vec<_> = self.nodes.iter().filter(|n| n.chosen.cluster.id == *id).collect();
            let Some(cluster) = nodes.first().map(|n| n.chosen.cluster) else { continue };
            let mut arguments = vec!["drain"];
            arguments.extend(nodes.iter().map(|n| n.chosen.key.name.as_str()));
            let flags = self.flags(&nodes);
            arguments.extend(flags.iter().map(String::as_str));
            // First, for kubectl drain would ask for their eviction for ever.
            for on in nodes.iter().flat_map(|n| n.going(self.options())) {
                if on.concerns().contains(&Concern::DoubleBudget) {
                    let meta = &on.pod.meta;
                    lines.push(kubectl(cluster, &["delete", "pod", "-n", &meta.namespace, &meta.name]));
                }
            }
            lines.push(kubectl(cluster, &arguments));
        }
        lines
    }

    fn flags(&self, nodes: &[&OneNode<'a>]) -> Vec<String> {
        let going = || nodes.iter().flat_map(|n| n.going(self.options()));
        let any = |concern| going().any(|on| on.concerns().contains(&concern));
        let options = self.options();
        let mut flags = vec!["--ignore-daemonsets".to_owned()];
        if any(Concern::EmptyDir) {
            flags.push("--delete-emptydir-data".to_owned());
        }
        if any(Concern::Unreplicated) || any(Concern::Orphan) {
            flags.push("--force".to_owned());
        }
        flags.extend(options.grace.map(|grace| format!("--grace-period={grace}")));
        if !options.pod_selector.is_empty() {
            flags.push(format!("--pod-selector={}", options.pod_selector));
        }
        // kubectl is not told parts of a second: what is less than one would be no limit at all.
        let seconds = self.deadline().map_or(0, |limit| (limit.millis() + 999) / 1000);
        flags.push(match (seconds, seconds % 60) {
            (0, _) => "--timeout=0s".to_owned(),
            (_, 0) => format!("--timeout={}m", seconds / 60),
            _ => format!("--timeout={seconds}s"),
        });
        flags
    }

    fn rests_on(&self) -> Vec<(ObjectKey, Version)> {
        let mut readings = Vec::new();
        for node in &self.nodes {
            let cluster = node.chosen.cluster.id;
            let key = |kind, meta: &crate::model::Meta| ObjectKey {
                cluster,
                kind,
                namespace: meta.namespace.clone(),
                name: meta.name.clone(),
                uid: meta.uid,
            };
            readings.push((node.chosen.key.clone(), node.chosen.node.meta.version));
            for on in &node.pods {
                readings.push((key(Kind::Pod, &on.pod.meta), on.pod.meta.version));
                readings.extend(on.budgets.iter().map(|b| (key(Kind::Budget, &b.meta), b.meta.version)));
            }
        }
        readings.sort_unstable();
        readings.dedup();
        readings
    }

    /// What the pods that start again elsewhere ask for: those that have ended or that nothing
    /// makes again do not.
    fn demands(&self, cluster: ClusterId) -> Vec<Resources> {
        let mine = self.nodes.iter().filter(move |n| n.chosen.cluster.id == cluster);
        let going = mine.flat_map(|n| n.going(self.options()));
        going
            .filter(|on| !on.pod.finished() && on.pod.meta.owner.is_some())
            .map(|on| on.pod.requests)
            .collect()
    }
}
