//! Folding the symptoms of one cluster by cause.
//!
//! A symptom that a bigger one explains folds under it: pods under the dead node that they are on,
//! a workload's missing replicas and its budget under the cause of its pods, everything under a
//! cluster that does not answer.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::rules::{PATIENCE, nodes_place, pod_workload, reason};
use super::standing::{
    Standing, counted, denied, fault, judged, lagging, login_wanted, old, refused_since, silent,
    silent_since, standing, withdrawn,
};
use crate::model::{
    Cause, Cluster, Kind, Login, Node, Pod, Record, Span, Symptom, SymptomCause, Table, Text, Time, Tone,
    Truth, Uid, Workload,
};
use crate::views::Scope;

/// A workload of one cluster.
pub(super) type WorkloadKey = (Kind, Text, Text);

/// One cause in one cluster.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub cluster: &'a Cluster,
    pub cause: SymptomCause,
    pub tone: Tone,
    pub since: Time,
    /// Whether it began then, or was only found then.
    pub since_sure: bool,
    /// The symptoms of this cause, oldest first.
    pub symptoms: Vec<&'a Symptom>,
    /// Symptoms that it explains beside its own.
    pub explained: usize,
    pub workloads: BTreeSet<WorkloadKey>,
    pub pods: u32,
    pub nodes: u32,
    /// Nodes of the same pool and zone.
    pub nodes_of: u32,
    /// Ready and wanted replicas of the workloads; `None` when there is nothing to count.
    pub serving: Option<(u32, u32)>,
    /// Whether workloads that it touches are not known, so that more may serve and may not.
    pub serving_unknown: bool,
    /// The delivery systems of the workloads.
    pub owners: BTreeSet<Text>,
    /// Set when the blast cannot be known.
    pub blind: bool,
    /// The sentence of a cause that is of the whole cluster.
    pub words: Text,
}

/// Under this share of ready pods a critical cause makes its cluster critical.
const SERVES_BADLY: u32 = 70;

/// How long ended pods and single deaths are news. They stay listed until somebody deletes them.
const NEWS: Span = Span::from_seconds(3600);

/// How long a failed job is news, unless it is deleted before.
const JOB_NEWS: Span = Span::from_seconds(86_400);

/// The causes of what is wrong in one cluster.
pub(super) fn parts<'a>(cluster: &'a Cluster, scope: &Scope, now: Time) -> Vec<Part<'a>> {
    let stands = standing(cluster, now);
    if matches!(stands, Standing::Unseen | Standing::Denied) {
        return vec![whole(cluster, stands, now)];
    }
    let scene = Scene::of(cluster, scope, now);
    let mut parts = scene.by_cause();
    scene.explain_by_nodes(&mut parts);
    scene.explain_by_pods(&mut parts);
    let mut parts: Vec<Part> = parts.into_values().collect();
    for part in &mut parts {
        scene.measure(part);
    }
    let plural = |table: &Table| table.kind.names().plural;
    parts.extend(denied(cluster).map(|table| {
        let words = format!("{} not readable (403)", plural(table));
        blind(cluster, cause(reason::DENIED, plural(table)), Tone::Denied, table.link.since, words)
    }));
    // That nothing is wrong in it cannot be said of what nobody has seen for a while.
    let late = lagging(cluster, now).filter(|(table, age)| judged(table.kind) && *age > PATIENCE);
    parts.extend(late.map(|(table, age)| {
        let why = table.link.fault.as_ref().map(|fault| format!(" ({})", fault.cause.word()));
        let words = format!("{} not updated{}", plural(table), why.unwrap_or_default());
        blind(cluster, cause(reason::NOT_UPDATED, plural(table)), Tone::Warn, now - age, words)
    }));
    parts
}

/// A kind of which nothing can be said.
fn blind(cluster: &Cluster, cause: SymptomCause, tone: Tone, since: Time, words: String) -> Part<'_> {
    let mut part = Part::new(cluster, cause, tone, since);
    part.blind = true;
    part.serving_unknown = true;
    part.words = words.into();
    part
}

/// A cluster that does not answer or refuses us: nothing else can be said of it.
fn whole(cluster: &Cluster, stands: Standing, now: Time) -> Part<'_> {
    let fault = fault(cluster);
    let (reason, tone, since, words) = if stands == Standing::Denied {
        let words = match (&cluster.login, fault) {
            // Which plugin, and what it lacks, is what has to be mended.
            (Login::Plugin, Some(fault)) => fault.what.to_string(),
            _ if login_wanted(cluster) => "login wanted".to_owned(),
            _ => "access refused".to_owned(),
        };
        let since = refused_since(cluster).unwrap_or(cluster.link.since);
        (reason::LOGIN, Tone::Denied, since, words)
    } else if cluster.seen() {
        let since = silent_since(cluster, now);
        (reason::NO_ANSWER, Tone::Unseen, since, format!("{} since {}Z", silent(cluster), since.clock()))
    } else {
        let words = match fault {
            // Nothing was asked: the entry is wrong, and only this says how.
            Some(fault) if fault.cause == Cause::Config => fault.what.to_string(),
            Some(fault) => format!("never answered: {}", fault.cause.word()),
            None => "never answered".to_owned(),
        };
        (reason::NO_ANSWER, Tone::Unseen, cluster.link.since, words)
    };
    let mut part = Part::new(cluster, cause(reason, &cluster.info.name), tone, since);
    part.words = words.into();
    part.explained = cluster.symptoms.len();
    part.serving_unknown = true;
    part.blind = !cluster.seen();
    let known = |kind: Kind, count: u32| if withdrawn(cluster, kind) { 0 } else { count };
    part.nodes = known(Kind::Node, cluster.totals.nodes);
    part.pods = known(Kind::Pod, cluster.totals.pods);
    part.blind |= withdrawn(cluster, Kind::Pod);
    part
}

fn cause(reason: &str, subject: &str) -> SymptomCause {
    SymptomCause { reason: reason.into(), subject: subject.into() }
}

impl<'a> Part<'a> {
    pub(super) fn new(cluster: &'a Cluster, cause: SymptomCause, tone: Tone, since: Time) -> Part<'a> {
        Part {
            cluster,
            cause,
            tone,
            since,
            since_sure: true,
            symptoms: Vec::new(),
            explained: 0,
            workloads: BTreeSet::new(),
            pods: 0,
            nodes: 0,
            nodes_of: 0,
            serving: None,
            serving_unknown: false,
            owners: BTreeSet::new(),
            blind: false,
            words: Text::EMPTY,
        }
    }

    /// Whether it is as last seen: something that it tells is.
    pub(super) fn old(&self, now: Time) -> bool {
        match standing(self.cluster, now) {
            Standing::Unseen => true,
            // That we are refused is so now.
            Standing::Denied => false,
            Standing::Live | Standing::Connecting => {
                let old = |kind: Kind| old(self.cluster, kind, now);
                let counted = self.workloads.iter().any(|(kind, ..)| old(*kind)) && self.serving.is_some();
                let of_pods = self.pods > 0 && !withdrawn(self.cluster, Kind::Pod) && old(Kind::Pod);
                counted || of_pods || self.symptoms.first().is_some_and(|first| old(first.object.kind))
            }
        }
    }
}

/// What is looked up again and again while one cluster is folded.
struct Scene<'a> {
    cluster: &'a Cluster,
    symptoms: Vec<&'a Symptom>,
    workloads: FxHashMap<(Kind, &'a str, &'a str), &'a Workload>,
    /// Pods by uid that sit on a node that is not ready, with the node's place.
    stranded: FxHashMap<Uid, (&'a Pod, Text)>,
}

impl<'a> Scene<'a> {
    fn of(cluster: &'a Cluster, scope: &Scope, now: Time) -> Scene<'a> {
        let inside = in_pool(cluster, scope);
        let mut symptoms: Vec<&Symptom> = cluster
            .symptoms
            .values()
            .map(|symptom| &**symptom)
            .filter(|s| !withdrawn(cluster, s.object.kind))
            .filter(|s| s.counts_from <= now && is_news(s, now) && scope.holds_namespace(&s.object.namespace))
            .filter(|s| inside.as_ref().is_none_or(|set| set.contains(&s.object.uid)))
            .filter(|s| !waits_on_purpose(cluster, s))
            .collect();
        symptoms.sort_by(|a, b| (a.since, &a.object.name).cmp(&(b.since, &b.object.name)));
        // Most clusters are fine: nothing is looked up for them.
        let workloads = if symptoms.is_empty() { FxHashMap::default() } else { by_name(cluster) };
        let stranded = stranded(cluster, &symptoms);
        Scene { cluster, symptoms, workloads, stranded }
    }

    fn by_cause(&self) -> BTreeMap<SymptomCause, Part<'a>> {
        let mut parts: BTreeMap<SymptomCause, Part<'a>> = BTreeMap::new();
        for symptom in &self.symptoms {
            let new = || Part::new(self.cluster, symptom.cause.clone(), symptom.tone, symptom.since);
            let part = parts.entry(symptom.cause.clone()).or_insert_with(new);
            part.tone = part.tone.max(symptom.tone);
            part.symptoms.push(symptom);
            part.pods += u32::from(symptom.object.kind == Kind::Pod);
            part.nodes += u32::from(symptom.object.kind == Kind::Node);
            if let Some((kind, name)) = &symptom.workload {
                part.workloads.insert((*kind, symptom.object.namespace.clone(), name.clone()));
            }
        }
        parts
    }

    /// Pods on a dead node are the node's, whatever else is wrong with them.
    fn explain_by_nodes(&self, parts: &mut BTreeMap<SymptomCause, Part<'a>>) {
        if self.stranded.is_empty() {
            return;
        }
        for (pod, place) in self.stranded.values() {
            let cause = SymptomCause { reason: reason::NODE_NOT_READY.into(), subject: place.clone() };
            let Some(part) = parts.get_mut(&cause) else { continue };
            part.pods += 1;
            if let Some((kind, name)) = pod_workload(pod) {
                part.workloads.insert((kind, pod.meta.namespace.clone(), name));
            }
        }
        let mut moved: Vec<Text> = Vec::new();
        for part in parts.values_mut() {
            let (stranded, own): (Vec<&Symptom>, Vec<&Symptom>) =
                part.symptoms.iter().partition(|s| self.stranded.contains_key(&s.object.uid));
            if stranded.is_empty() {
                continue;
            }
            moved.extend(stranded.iter().filter_map(|s| Some(self.stranded.get(&s.object.uid)?.1.clone())));
            part.pods -= u32::try_from(stranded.len()).unwrap_or(part.pods).min(part.pods);
            part.workloads = touched(&own);
            part.symptoms = own;
        }
        for place in moved {
            let cause = SymptomCause { reason: reason::NODE_NOT_READY.into(), subject: place };
            if let Some(part) = parts.get_mut(&cause) {
                part.explained += 1;
            }
        }
        parts.retain(|_, part| !part.symptoms.is_empty());
    }

    /// Missing replicas, their budget and their job are explained by what is wrong with the pods.
    fn explain_by_pods(&self, parts: &mut BTreeMap<SymptomCause, Part<'a>>) {
        const EXPLAINED: [&str; 5] =
            [reason::UNAVAILABLE, reason::DEADLINE, reason::JOB_FAILED, reason::BUDGET, reason::NOT_READY];
        let mut bigger: BTreeMap<WorkloadKey, (u32, SymptomCause)> = BTreeMap::new();
        for part in parts.values().filter(|p| p.pods > 0) {
            // Not ready says nothing about why: it explains, but anything else explains better.
            let weight = if part.cause.reason == reason::NOT_READY { 0 } else { part.pods };
            for workload in &part.workloads {
                let best = bigger.entry(workload.clone()).or_insert_with(|| (weight, part.cause.clone()));
                if weight > best.0 {
                    *best = (weight, part.cause.clone());
                }
            }
        }
        let mut explained: Vec<(SymptomCause, u32)> = Vec::new();
        for part in parts.values_mut().filter(|p| EXPLAINED.contains(&p.cause.reason.as_str())) {
            let by = |s: &&Symptom| {
                let found = self.workload_behind(s).and_then(|key| bigger.get(&key));
                found.map(|(_, cause)| cause).filter(|cause| **cause != part.cause)
            };
            let (gone, own): (Vec<&Symptom>, Vec<&Symptom>) =
                part.symptoms.iter().partition(|s| by(s).is_some());
            explained.extend(
                gone.iter().filter_map(|s| Some((by(s)?.clone(), u32::from(s.object.kind == Kind::Pod)))),
            );
            if !gone.is_empty() {
                part.pods =
                    u32::try_from(own.iter().filter(|s| s.object.kind == Kind::Pod).count()).unwrap_or(0);
                part.workloads = touched(&own);
                part.symptoms = own;
            }
        }
        for (cause, pods) in explained {
            if let Some(part) = parts.get_mut(&cause) {
                part.explained += 1;
                part.pods += pods;
            }
        }
        parts.retain(|_, part| !part.symptoms.is_empty());
    }

    fn workload_behind(&self, symptom: &Symptom) -> Option<WorkloadKey> {
        let namespace = &symptom.object.namespace;
        if let Some((kind, name)) = &symptom.workload {
            return Some((*kind, namespace.clone(), name.clone()));
        }
        let record = self.cluster.records(Kind::Budget).find(|r| r.meta().uid == symptom.object.uid)?;
        let selector = &record.budget()?.selector;
        // A template carries at least the labels that its workload selects by.
        let guards = |w: &&&Workload| w.meta.namespace == *namespace && selector.matches(&w.selector.labels);
        let workload = self.workloads.values().find(guards)?;
        Some((workload.kind, namespace.clone(), workload.meta.name.clone()))
    }

    /// What still serves, who owns it, and how bad it is therefore.
    fn measure(&self, part: &mut Part<'a>) {
        if part.cause.reason == reason::BUDGET {
            part.workloads = part.symptoms.iter().filter_map(|s| self.workload_behind(s)).collect();
        }
        let found = |(kind, namespace, name): &WorkloadKey| {
            self.workloads.get(&(*kind, namespace.as_str(), name.as_str())).copied()
        };
        let workloads: Vec<&Workload> = part.workloads.iter().filter_map(found).collect();
        let wanted: u32 = workloads.iter().map(|w| w.desired).sum();
        let ready: u32 = workloads.iter().map(|w| w.ready.min(w.desired)).sum();
        part.serving = (wanted > 0).then_some((ready, wanted));
        let unknown = |kind: Kind| kind.is_workload() && !counted(self.cluster, kind);
        part.serving_unknown = part.workloads.iter().any(|(kind, ..)| unknown(*kind));
        part.owners =
            workloads.iter().filter_map(|w| Some(w.meta.manager.as_ref()?.system.clone())).collect();
        if part.nodes > 0 {
            let same = |n: &&Node| nodes_place(n) == part.cause.subject.as_str();
            part.nodes_of = u32::try_from(self.cluster.nodes().filter(same).count()).unwrap_or(u32::MAX);
        }
        if part.pods == 0 && matches!(part.cause.reason.as_str(), reason::UNAVAILABLE | reason::DEADLINE) {
            part.pods = wanted - ready;
        }
        if let Some(first) = part.symptoms.first() {
            (part.since, part.since_sure) = (first.since, first.since_sure);
        }
        let bad = match part.serving {
            Some(_) if workloads.iter().any(|w| w.desired > 0 && w.ready == 0) => true,
            Some((ready, wanted)) => u64::from(ready) * 100 < u64::from(wanted) * u64::from(SERVES_BADLY),
            // Nodes that carried nothing; but a cluster of dead nodes is down.
            None if part.nodes > 0 => self.cluster.nodes().all(|n| n.ready != Truth::True),
            None => true,
        };
        if part.tone == Tone::Crit && !bad {
            part.tone = Tone::Warn;
        }
    }
}

fn touched(symptoms: &[&Symptom]) -> BTreeSet<WorkloadKey> {
    let key = |s: &&Symptom| {
        let (kind, name) = s.workload.as_ref()?;
        Some((*kind, s.object.namespace.clone(), name.clone()))
    };
    symptoms.iter().filter_map(key).collect()
}

/// What ended is news for a while only.
fn is_news(symptom: &Symptom, now: Time) -> bool {
    let old = symptom.since.age(now);
    match symptom.cause.reason.as_str() {
        reason::EVICTED | reason::POD_FAILED => old <= NEWS,
        reason::OOM if symptom.tone < Tone::Crit => old <= NEWS,
        reason::JOB_FAILED => old <= JOB_NEWS,
        _ => true,
    }
}

/// A claim whose class binds with the first pod waits for that pod; the pod says if it cannot.
fn waits_on_purpose(cluster: &Cluster, symptom: &Symptom) -> bool {
    let class = &symptom.cause.subject;
    symptom.cause.reason == reason::CLAIM_PENDING
        && cluster.records(Kind::StorageClass).filter_map(|r| r.storage_class()).any(|c| {
            c.binding == "WaitForFirstConsumer"
                && (c.meta.name == *class || (class.is_empty() && c.is_default))
        })
}

fn by_name(cluster: &Cluster) -> FxHashMap<(Kind, &str, &str), &Workload> {
    let readable = |w: &&Workload| !withdrawn(cluster, w.kind);
    let workloads = cluster.workloads().filter(readable);
    workloads.map(|w| ((w.kind, w.meta.namespace.as_str(), w.meta.name.as_str()), w)).collect()
}

fn stranded<'a>(cluster: &'a Cluster, symptoms: &[&Symptom]) -> FxHashMap<Uid, (&'a Pod, Text)> {
    let dead: FxHashMap<&str, &Text> = symptoms
        .iter()
        .filter(|s| s.cause.reason == reason::NODE_NOT_READY)
        .map(|s| (s.object.name.as_str(), &s.cause.subject))
        .collect();
    if dead.is_empty() || withdrawn(cluster, Kind::Pod) {
        return FxHashMap::default();
    }
    let pods = cluster.pods().filter(|p| !p.finished());
    pods.filter_map(|p| Some((p.meta.uid, (p, (*dead.get(p.node.as_str())?).clone())))).collect()
}

/// The objects of a pool's scope: its nodes and what runs on them; `None` when the scope is no pool.
fn in_pool(cluster: &Cluster, scope: &Scope) -> Option<FxHashSet<Uid>> {
    let Scope::Pool(..) = scope else { return None };
    let nodes: FxHashMap<&str, Uid> =
        cluster.nodes().filter(|n| scope.holds_node(n)).map(|n| (n.meta.name.as_str(), n.meta.uid)).collect();
    let pods = cluster.records(Kind::Pod).filter_map(|r| match &**r {
        Record::Pod(pod) if nodes.contains_key(pod.node.as_str()) => Some(pod.meta.uid),
        _ => None,
    });
    Some(pods.chain(nodes.values().copied()).collect())
}
