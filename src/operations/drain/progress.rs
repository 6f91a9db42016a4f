//! A drain while it runs: what the runner tells, joined with what the fleet shows. Which pod waits
//! for what, where the new ones are, and what would open a budget.

mod held;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::super::{Action, EvictPod, PodProgress, PodState, Run};
use crate::model::{Cluster, Kind, ObjectKey, Pod, Span, Text, Time, Uid};
use crate::views::Snapshot;
use crate::views::health::first_constraint;

/// Clocks of servers may differ from ours by so much: a pod that was made this little before the
/// drain began still counts as new.
const SKEW: Span = Span::from_seconds(5);

/// A drain as it stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DrainProgress {
    /// Its pods: what waits first, what is gone and Ready elsewhere last.
    pub pods: Vec<GoingPod>,
    /// What stays on the nodes: `debug-shell, 4 DaemonSet pods`; empty when that is nothing.
    pub stays: Text,
    /// Pods that were taken and that a controller makes again.
    pub wanted: usize,
    /// Of those, how many new ones are Ready.
    pub ready: usize,
    /// The budgets that hold it up.
    pub held: Vec<HeldBudget>,
}

/// A pod of a drain.
#[derive(Clone, PartialEq, Debug)]
pub struct GoingPod {
    /// What the runner said of it last.
    pub progress: PodProgress,
    /// Since when.
    pub since: Time,
    /// Why, with everything that is known.
    pub why: Text,
    /// The same for little room.
    pub short: Text,
    /// Whether nothing is left to wait for: it is gone, and Ready elsewhere or not to be.
    pub settled: bool,
    /// Whether the one in its place is Ready.
    pub ready_elsewhere: bool,
    /// Whether the drain is over and it was not evicted.
    pub left: bool,
    /// What to look at: the pod itself while it is there, then the one in its place.
    pub object: Option<ObjectKey>,
}

/// A budget that holds a drain up.
#[derive(Clone, PartialEq, Debug)]
pub struct HeldBudget {
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// Healthy pods that it needs, has and counts.
    pub counts: (u32, u32, u32),
    /// How many more must be Ready until it opens; `None` when it never opens by itself.
    pub missing: Option<u32>,
    /// Its pods that are not Ready.
    pub not_ready: Vec<NotReady>,
    /// What would open it from here.
    pub offer: Option<Offer>,
}

/// A pod that a budget counts and that is not Ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotReady {
    /// Its name.
    pub name: Text,
    /// Why, as far as that is known.
    pub why: Text,
}

/// A workload to be scaled for as long as a drain goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The workload.
    pub workload: ObjectKey,
    /// Its replicas now.
    pub from: u32,
    /// Its replicas then.
    pub to: u32,
}

impl DrainProgress {
    /// How a drain stands. `None` for a run that evicts nothing.
    #[must_use]
    pub fn of(run: &Run, snapshot: &Snapshot, now: Time) -> Option<DrainProgress> {
        if run.pods.is_empty() {
            return None;
        }
        let now = run.ended.map_or(now, |ended| ended.min(now));
        let mut drain = DrainProgress::default();
        let mut stays = Stays::default();
        for id in &run.plan.touches {
            let Some(cluster) = snapshot.fleet.cluster(*id) else { continue };
            let joined = Joined::of(run, cluster, now);
            joined.add(&mut drain, &mut stays);
        }
        // Pods of clusters that are not in the fleet any more are still told as the runner tells them.
        for (progress, since) in &run.pods {
            if !drain.pods.iter().any(|pod| pod.progress.uid == progress.uid) {
                drain.pods.push(plain(progress, *since, run.ended, now));
            }
        }
        drain.pods.sort_by_key(|pod| (order(&pod.progress.state), pod.settled, pod.since));
        drain.stays = stays.words();
        Some(drain)
    }
}

/// What waits comes first, what is gone last.
fn order(state: &PodState) -> u8 {
    match state {
        PodState::Failed => 0,
        PodState::WaitsOnBudget(_) => 1,
        PodState::ServerBusy => 2,
        PodState::Queued => 3,
        PodState::Leaving => 4,
        PodState::Evicting => 5,
        PodState::Gone => 6,
    }
}

/// Whether the run is over and a pod was not even asked to go.
fn is_left(state: &PodState, ended: Option<Time>) -> bool {
    let waits = matches!(
        state,
        PodState::WaitsOnBudget(_) | PodState::Queued | PodState::ServerBusy | PodState::Evicting
    );
    waits && ended.is_some()
}

/// What is known of a pod that was on its way when the drain ended.
const ASKED: &str = "was asked to go; not looked at since";

fn why_left(state: &PodState) -> String {
    match state {
        PodState::WaitsOnBudget(budget) => format!("left: budget {budget} held it"),
        _ => "left: not evicted".to_owned(),
    }
}

fn plain(progress: &PodProgress, since: Time, ended: Option<Time>, now: Time) -> GoingPod {
    let left = is_left(&progress.state, ended);
    let why = match ended {
        _ if left => why_left(&progress.state),
        Some(_) if progress.state == PodState::Leaving => ASKED.to_owned(),
        Some(_) => progress.why.to_string(),
        None => with_next_try(progress, now),
    };
    let why = Text::from(why);
    GoingPod {
        progress: progress.clone(),
        since,
        short: why.clone(),
        why,
        settled: progress.state == PodState::Gone,
        ready_elsewhere: false,
        left,
        object: None,
    }
}

/// What the runner said, and when the pod is asked for again.
fn with_next_try(progress: &PodProgress, now: Time) -> String {
    match progress.retry_at {
        Some(at) => format!("{} · next try in {} s", progress.why, left(now, at)),
        None => progress.why.to_string(),
    }
}

/// Pods that stay on the nodes.
#[derive(Default)]
struct Stays {
    named: Vec<String>,
    daemons: usize,
    mirrors: usize,
}

impl Stays {
    fn words(&self) -> Text {
        let pods = |n: usize, what: &str| format!("{n} {what} pod{}", if n == 1 { "" } else { "s" });
        let mut words = match self.named.len() {
            0..=3 => self.named.clone(),
            more => vec![format!("{} and {} more", self.named[0], more - 1)],
        };
        if self.daemons > 0 {
            words.push(pods(self.daemons, "DaemonSet"));
        }
        if self.mirrors > 0 {
            words.push(pods(self.mirrors, "static"));
        }
        words.join(", ").into()
    }
}

/// A workload by its namespace, kind and name.
type Owner<'a> = (&'a Text, &'a Text, &'a Text);

/// One cluster of a drain, looked at once.
struct Joined<'a> {
    run: &'a Run,
    cluster: &'a Cluster,
    now: Time,
    /// What the plan says of each pod, by uid.
    planned: FxHashMap<Uid, &'a EvictPod>,
    /// The pods of the plan that are still there, by uid.
    there: FxHashMap<Uid, &'a Pod>,
    /// The pod in the place of one that went, by its uid.
    new: FxHashMap<Uid, &'a Pod>,
    /// Pods of the nodes that are not in the plan.
    others: Vec<&'a Pod>,
}

impl<'a> Joined<'a> {
    fn of(run: &'a Run, cluster: &'a Cluster, now: Time) -> Joined<'a> {
        let mut planned: FxHashMap<Uid, &EvictPod> = FxHashMap::default();
        let mut nodes: BTreeSet<&Text> = BTreeSet::new();
        for step in &run.plan.steps {
            if let Action::Evict { node, pods, .. } = &step.action
                && node.cluster == cluster.id
            {
                nodes.insert(&node.name);
                planned.extend(pods.iter().map(|pod| (pod.uid, pod)));
            }
        }
        let mut joined = Joined {
            run,
            cluster,
            now,
            planned,
            there: FxHashMap::default(),
            new: FxHashMap::default(),
            others: Vec::new(),
        };
        let mut made: FxHashMap<Owner<'a>, Vec<&'a Pod>> = FxHashMap::default();
        let sets = owners_of_sets(cluster);
        for pod in cluster.pods() {
            if joined.planned.contains_key(&pod.meta.uid) {
                joined.there.insert(pod.meta.uid, pod);
            } else if nodes.contains(&pod.node) {
                joined.others.push(pod);
            } else if pod.meta.created.is_some_and(|at| at + SKEW >= run.began)
                && !pod.finished()
                && let Some(owner) = owner(pod, &sets)
            {
                made.entry(owner).or_default().push(pod);
            }
        }
        joined.pair(made);
        joined
    }

    /// Gives each pod that went one of the new ones of its workload, in the order in which they came;
    /// a StatefulSet's by its name.
    fn pair(&mut self, mut made: FxHashMap<Owner<'a>, Vec<&'a Pod>>) {
        made.values_mut().for_each(|pods| pods.sort_by_key(|pod| (pod.meta.created, &pod.meta.name)));
        let went = |state: &PodState| matches!(state, PodState::Gone | PodState::Leaving);
        let mut gone: Vec<&(PodProgress, Time)> =
            self.run.pods.iter().filter(|(pod, _)| went(&pod.state)).collect();
        gone.sort_by_key(|(pod, since)| (pod.state != PodState::Gone, *since));
        for (pod, _) in gone {
            let Some(planned) = self.planned.get(&pod.uid) else { continue };
            let Some((kind, name)) = &planned.owner else { continue };
            let Some(candidates) = made.get_mut(&(&planned.namespace, kind, name)) else { continue };
            let at = candidates.iter().position(|new| new.meta.name == planned.name);
            let at = at.or((kind != "StatefulSet" && !candidates.is_empty()).then_some(0));
            if let Some(at) = at {
                self.new.insert(pod.uid, candidates.remove(at));
            }
        }
    }

    fn add(&self, drain: &mut DrainProgress, stays: &mut Stays) {
        let mine = self.run.pods.iter().filter(|(pod, _)| self.planned.contains_key(&pod.uid));
        for (progress, since) in mine {
            let pod = self.pod(progress, *since);
            if progress.state == PodState::Gone && self.planned[&progress.uid].owner.is_some() {
                drain.wanted += 1;
                drain.ready += usize::from(pod.ready_elsewhere);
            }
            drain.pods.push(pod);
        }
        for pod in self.others.iter().filter(|pod| !pod.finished()) {
            match &pod.meta.owner {
                _ if pod.traits.mirror => stays.mirrors += 1,
                Some(owner) if owner.kind == "DaemonSet" => stays.daemons += 1,
                _ => stays.named.push(pod.meta.name.to_string()),
            }
        }
        if self.run.ended.is_none() {
            drain.held.extend(self.held());
        }
    }

    fn pod(&self, progress: &PodProgress, since: Time) -> GoingPod {
        let uid = progress.uid;
        let ended = self.run.ended;
        let left = is_left(&progress.state, ended);
        let (why, short, settled) = match &progress.state {
            state if left => {
                let said = why_left(state);
                (said.clone(), said, false)
            }
            PodState::Leaving if ended.is_some() => {
                let there = self.there.contains_key(&uid);
                let said = if there { ASKED } else { "gone since" };
                (said.to_owned(), said.to_owned(), !there)
            }
            PodState::WaitsOnBudget(name) => self.waits(progress, name),
            PodState::Leaving => {
                let said = self.leaving(progress, since);
                (said.clone(), said, false)
            }
            PodState::Gone => self.gone(uid),
            _ => {
                let why = with_next_try(progress, self.now);
                (why.clone(), why, false)
            }
        };
        let (there, new) = (self.there.get(&uid), self.new.get(&uid));
        let shown = if progress.state == PodState::Gone { new.or(there) } else { there.or(new) };
        let object = shown.map(|pod| ObjectKey {
            cluster: self.cluster.id,
            kind: Kind::Pod,
            namespace: pod.meta.namespace.clone(),
            name: pod.meta.name.clone(),
            uid: pod.meta.uid,
        });
        GoingPod {
            progress: progress.clone(),
            since,
            why: why.into(),
            short: short.into(),
            settled,
            ready_elsewhere: self.ready_elsewhere(progress),
            left,
            object,
        }
    }

    fn ready_elsewhere(&self, progress: &PodProgress) -> bool {
        progress.state == PodState::Gone && self.new.get(&progress.uid).is_some_and(|new| new.ready)
    }

    fn waits(&self, progress: &PodProgress, name: &Text) -> (String, String, bool) {
        let next = progress.retry_at.map(|at| left(self.now, at));
        let (then, soon) = match next {
            Some(seconds) => (format!(" · next try in {seconds} s"), format!(", try in {seconds} s")),
            None => (String::new(), String::new()),
        };
        match self.budget(&progress.namespace, name) {
            Some(b) => (
                format!("{name} needs {} healthy, has {}{then}", b.needed, b.healthy),
                format!("{name} {}/{}{soon}", b.healthy, b.needed),
                false,
            ),
            None => (format!("{}{then}", progress.why), format!("{name}{soon}"), false),
        }
    }

    fn leaving(&self, progress: &PodProgress, since: Time) -> String {
        let grace = self.planned.get(&progress.uid).map_or(0, |pod| pod.grace);
        let until = self.there.get(&progress.uid).and_then(|pod| pod.meta.deleting);
        let until = until.unwrap_or(since + Span::from_seconds(i64::from(grace)));
        let over = until.age(self.now);
        if !progress.why.starts_with("grace") {
            progress.why.to_string()
        } else if over > Span::ZERO {
            format!("grace {grace} s is over since {over}: a finalizer or its kubelet holds it")
        } else {
            format!("grace {grace} s, {} s left", left(self.now, until))
        }
    }

    /// Where the new one of a pod that is gone is.
    fn gone(&self, uid: Uid) -> (String, String, bool) {
        let both = |text: String, settled| (text.clone(), text, settled);
        let Some(new) = self.new.get(&uid) else {
            return match self.planned.get(&uid).and_then(|pod| pod.owner.as_ref()) {
                Some(_) => both("no new one yet".to_owned(), false),
                None => both("nothing makes it again".to_owned(), true),
            };
        };
        let age = |until: Option<Time>| match (new.meta.created, until) {
            (Some(made), Some(until)) => made.age(until).max(Span::ZERO).to_string(),
            _ => "?".to_owned(),
        };
        let node = &new.node;
        if new.ready {
            let took = age(new.ready_since);
            let long = format!("new one on {node} Ready after {took}");
            return (long, format!("new one Ready after {took}"), true);
        }
        let waited = age(Some(self.now));
        if node.is_empty() {
            let why = first_constraint(&new.message).map_or(String::new(), |why| format!(": {why}"));
            return both(format!("new one waits for a node, {waited}{why}"), false);
        }
        let word = state(new);
        (format!("new one on {node} {word}, {waited}"), format!("new one {word}, {waited}"), false)
    }
}

/// The Deployments of ReplicaSets, by namespace and name of the set.
fn owners_of_sets(cluster: &Cluster) -> FxHashMap<(&Text, &Text), (&Text, &Text)> {
    cluster
        .records(Kind::ReplicaSet)
        .filter_map(|record| {
            let meta = record.meta();
            let owner = meta.owner.as_deref()?;
            Some(((&meta.namespace, &meta.name), (&owner.kind, &owner.name)))
        })
        .collect()
}

/// The workload of a pod, as a plan names it.
fn owner<'a>(
    pod: &'a Pod,
    sets: &FxHashMap<(&'a Text, &'a Text), (&'a Text, &'a Text)>,
) -> Option<Owner<'a>> {
    let owner = pod.meta.owner.as_deref()?;
    let of_set = sets.get(&(&pod.meta.namespace, &owner.name)).filter(|_| owner.kind == "ReplicaSet");
    let (kind, name) = of_set.copied().unwrap_or((&owner.kind, &owner.name));
    Some((&pod.meta.namespace, kind, name))
}

/// What a pod that is not Ready does, in a word or two.
fn state(pod: &Pod) -> &str {
    match pod.status() {
        "Running" => "is starting",
        other => other,
    }
}

/// Whole seconds until then.
fn left(now: Time, then: Time) -> i64 {
    (now.age(then).millis().max(0) + 999) / 1000
}
