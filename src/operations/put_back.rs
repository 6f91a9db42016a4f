//! Runs that were cut off, as when the console was killed: what they left, and the plan that puts
//! it back.

use serde_json::Value;

use super::words::{confirmation, count, kubectl, some};
use super::{
    Action, Choice, Line, OperationDecl, Patch, PatchKind, Plan, PlanInput, RollBack, Step, Target, Tolerance,
};
use crate::model::{Cluster, Fleet, Kind, ObjectKey, Record, Text, Time, Tone, Uid};

/// The choice of what becomes of something that somebody else changed since.
const CHANGED: &str = "changed-since";

/// Put back what a run left. It is in no menu: it is offered when there is something to put back.
pub const PUT_BACK: OperationDecl = OperationDecl {
    id: "put-back",
    title: "put back what a run left",
    key: ' ',
    applies_to: &[],
    draft: plan,
    doc: "Undoes what a run that was cut off had done, last first.",
};

/// A run that began and has no end in the journal, and that no process carries on.
#[derive(Clone, PartialEq, Debug)]
pub struct Unfinished {
    /// The number of its first record in the journal.
    pub seq: u64,
    /// When it began.
    pub at: Time,
    /// `drain 1 node`.
    pub title: Text,
    /// `drain`.
    pub operation: Text,
    /// What it was about.
    pub subjects: Vec<Remembered>,
    /// What undoes its steps, last first; only of steps that were begun.
    pub back: Vec<Back>,
}

/// An object by what outlasts this process: clusters are known by their names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remembered {
    /// The cluster's name.
    pub cluster: Text,
    /// Its kind: `Node`.
    pub kind: Text,
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// Its uid.
    pub uid: Uid,
}

/// One patch that undoes a step.
#[derive(Clone, PartialEq, Debug)]
pub struct Back {
    /// The object.
    pub object: Remembered,
    /// Its API version, and the resource in paths.
    pub api: (Text, Text),
    /// What is said of it: `uncordon`.
    pub title: Text,
    /// Which subresource; empty for the object itself.
    pub subresource: Text,
    /// The JSON merge patch; null for one that gives a template back.
    pub patch: Value,
    /// What the step had set, as a JSON merge patch; null where that is not known.
    pub did: Value,
    /// For a workload that was rolled back: which template it had.
    pub template: Option<Template>,
}

/// A pod template by the ReplicaSet that has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    /// The name of the ReplicaSet.
    pub set: Text,
    /// Its uid.
    pub uid: Uid,
    /// The number of its rollout.
    pub revision: Text,
}

impl Unfinished {
    /// The subjects that are still in the fleet and are the same.
    #[must_use]
    pub fn found(&self, fleet: &Fleet) -> Vec<ObjectKey> {
        let find = |object: &Remembered| {
            let cluster = fleet.by_name(&object.cluster)?;
            let kind = Kind::by_kind(&object.kind)?;
            let key = cluster.find(kind, &object.namespace, &object.name)?.key(cluster.id);
            (key.uid == object.uid).then_some(key)
        };
        self.subjects.iter().filter_map(find).collect()
    }

    /// `drain 1 node (gke n0)`: its title, and what it was about.
    #[must_use]
    pub fn named(&self) -> String {
        match self.subjects.as_slice() {
            [] => self.title.to_string(),
            [one] => format!("{} ({} {})", self.title, one.cluster, one.name),
            [first, ..] => format!("{} ({} {} and more)", self.title, first.cluster, first.name),
        }
    }

    /// The clusters that it wrote to and that are in the fleet.
    #[must_use]
    pub fn clusters<'a>(&self, fleet: &'a Fleet) -> Vec<&'a Cluster> {
        let mut names: Vec<&Text> = self.back.iter().map(|back| &back.object.cluster).collect();
        names.extend(self.subjects.iter().map(|subject| &subject.cluster));
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| fleet.by_name(name)).map(AsRef::as_ref).collect()
    }
}

/// One way back, laid over the fleet.
struct Laid<'a> {
    back: &'a Back,
    cluster: &'a Cluster,
    /// What there is now of what it writes to, where that is watched and known.
    record: Option<&'a Record>,
    /// `has 20 now, the run left 10`, when somebody else changed it since.
    changed: Option<String>,
}

fn plan(input: &PlanInput<'_>) -> Result<Plan, Text> {
    let run = input.options.unfinished.as_ref().ok_or_else(|| Text::clean("no run was cut off"))?;
    let fleet = &input.snapshot.fleet;
    let (mut laid, mut refusals) = (Vec::new(), Vec::new());
    for back in &run.back {
        match fleet.by_name(&back.object.cluster) {
            Some(cluster) => laid.push(lay(back, cluster)),
            None => refusals.push(format!("{} is not in the fleet", back.object.cluster).into()),
        }
    }
    let over = input.options.answer(CHANGED) == 1;
    let (sent, kept): (Vec<&Laid<'_>>, Vec<&Laid<'_>>) =
        laid.iter().partition(|l| over || l.changed.is_none());
    let steps: Vec<Step> = sent.iter().map(|l| step(l.back, l.cluster)).collect();
    let mut touches: Vec<_> = sent.iter().map(|l| l.cluster.id).collect();
    touches.sort_unstable();
    touches.dedup();
    if steps.is_empty() {
        refusals.push(Text::clean(match kept.is_empty() {
            true => "it had changed nothing that can be put back",
            false => "somebody changed since all that it could put back",
        }));
    }
    Ok(Plan {
        operation: PUT_BACK.id,
        title: format!("put back what {} left", run.title).into(),
        subjects: run.found(fleet),
        made: input.now,
        preview: preview(&laid, run, steps.len(), over),
        objects: Vec::new(),
        choices: choices(&laid, over),
        kubectl: sent.iter().filter_map(|l| command(l)).collect(),
        confirmation: confirmation(fleet, &touches),
        touches,
        rests_on: laid
            .iter()
            .filter_map(|l| l.record.map(|r| (r.key(l.cluster.id), r.meta().version)))
            .collect(),
        steps,
        refusals,
        drill: false,
        recovery: None,
    })
}

fn lay<'a>(back: &'a Back, cluster: &'a Cluster) -> Laid<'a> {
    let object = &back.object;
    let same = |record: &&std::sync::Arc<Record>| object.uid.is_none() || record.meta().uid == object.uid;
    let record = Kind::by_kind(&object.kind).and_then(|k| cluster.find(k, &object.namespace, &object.name));
    let record = record.filter(same).map(AsRef::as_ref);
    Laid { back, cluster, record, changed: record.and_then(|record| changed(record, back)) }
}

/// What an object has now where that is neither what the run had set nor what it is put back to.
fn changed(record: &Record, back: &Back) -> Option<String> {
    let of = |patch: &Value, field: &str| patch["spec"][field].as_u64().and_then(|n| u32::try_from(n).ok());
    let differs = |field: &str, now: u32| {
        let left = of(&back.did, field)?;
        (now != left && Some(now) != of(&back.patch, field)).then_some((now, left))
    };
    match record {
        Record::Workload(w) => {
            let (now, left) = differs("replicas", w.desired)?;
            Some(format!("has {now} now, the run left {left}"))
        }
        Record::Autoscaler(a) => {
            differs("minReplicas", a.min).or_else(|| differs("maxReplicas", a.max))?;
            let left = (of(&back.did, "minReplicas")?, of(&back.did, "maxReplicas")?);
            Some(format!("keeps {}–{} now, the run left {}–{}", a.min, a.max, left.0, left.1))
        }
        _ => None,
    }
}

fn preview(laid: &[Laid<'_>], run: &Unfinished, steps: usize, over: bool) -> Vec<Line> {
    let text = format!("{} began {} and was cut off", run.title, run.at.rfc3339());
    let mut lines =
        vec![Line::new("because", text).toned(Tone::Warn), Line::new("puts back", count(steps, "step"))];
    for (l, why) in laid.iter().filter_map(|l| Some((l, l.changed.as_ref()?))) {
        let label = if over { "note" } else { "stays" };
        lines.push(Line::new(label, format!("{}: {why}", title(&l.back.object))).toned(Tone::Warn));
    }
    lines
}

fn choices(laid: &[Laid<'_>], over: bool) -> Vec<Choice> {
    let changed: Vec<String> = laid
        .iter()
        .filter_map(|l| Some(format!("{} {}", title(&l.back.object), l.changed.as_ref()?)))
        .collect();
    if changed.is_empty() {
        return Vec::new();
    }
    vec![Choice {
        id: Text::clean(CHANGED),
        text: some(&changed, 3).into(),
        answers: ["leave it", "put it back all the same"].map(Text::clean).into(),
        chosen: usize::from(over),
    }]
}

fn title(object: &Remembered) -> String {
    if object.namespace.is_empty() {
        format!("{} {}", object.kind, object.name)
    } else {
        format!("{} {}/{}", object.kind, object.namespace, object.name)
    }
}

/// The command that does the same; giving a template back has none of one line.
fn command(l: &Laid<'_>) -> Option<String> {
    let object = &l.back.object;
    if l.back.template.is_some() {
        let resource = format!("{}/{}", l.back.api.1, object.name);
        let revision = &l.back.template.as_ref()?.revision;
        let to = format!("--to-revision={revision}");
        return Some(kubectl(l.cluster, &["rollout", "undo", "-n", &object.namespace, &resource, &to]));
    }
    let place: &[&str] = if object.namespace.is_empty() { &[] } else { &["-n", &object.namespace] };
    let resource = format!("{}/{}", l.back.api.1, object.name);
    let words: Vec<String> = match (&*l.back.subresource, l.back.patch["spec"]["replicas"].as_u64()) {
        ("scale", Some(replicas)) => vec!["scale".into(), resource, format!("--replicas={replicas}")],
        _ if l.back.patch["spec"].get("unschedulable").is_some_and(Value::is_null) => {
            vec!["uncordon".into(), object.name.to_string()]
        }
        _ => vec!["patch".into(), resource, "--type=merge".into(), "-p".into(), l.back.patch.to_string()],
    };
    let (verb, rest) = words.split_first()?;
    let words: Vec<&str> = std::iter::once(verb.as_str())
        .chain(place.iter().copied())
        .chain(rest.iter().map(String::as_str))
        .collect();
    Some(kubectl(l.cluster, &words))
}

fn step(back: &Back, cluster: &Cluster) -> Step {
    let object = &back.object;
    let known = |uid: Uid| (!uid.is_none()).then_some(uid);
    let target = Target {
        cluster: cluster.id,
        api: back.api.0.clone(),
        plural: back.api.1.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        uid: known(object.uid),
    };
    let title = format!("{}: {}", target.title(), back.title).into();
    let action = match &back.template {
        Some(template) => Action::RollBack(RollBack {
            to: Target {
                plural: "replicasets".into(),
                kind: "ReplicaSet".into(),
                name: template.set.clone(),
                uid: known(template.uid),
                ..target.clone()
            },
            target,
            revision: template.revision.clone(),
        }),
        None => Action::Patch(Patch {
            target,
            subresource: if back.subresource == "scale" { "scale" } else { "" },
            kind: PatchKind::Merge,
            body: back.patch.clone(),
        }),
    };
    Step {
        title,
        way_back: Text::EMPTY,
        undo: Vec::new(),
        deadline: Some(super::cordon::PATCH_DEADLINE),
        tolerance: Tolerance::Nothing,
        action,
    }
}

/// A drain of the node n0 of the cluster gke that began then and was cut off, for tests.
#[cfg(test)]
pub(crate) fn cut_off_drain(node: Uid, at: Time) -> Unfinished {
    let object = Remembered {
        cluster: "gke".into(),
        kind: "Node".into(),
        namespace: Text::EMPTY,
        name: "n0".into(),
        uid: node,
    };
    Unfinished {
        seq: 7,
        at,
        title: "drain 1 node".into(),
        operation: "drain".into(),
        subjects: vec![object.clone()],
        back: vec![Back {
            object,
            api: ("v1".into(), "nodes".into()),
            title: "uncordon".into(),
            subresource: Text::EMPTY,
            patch: serde_json::json!({ "spec": { "unschedulable": null } }),
            did: serde_json::json!({ "spec": { "unschedulable": true } }),
            template: None,
        }],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Tier;
    use crate::operations::Options;
    use crate::operations::fixture::{NOW, World, key, snapshot};

    #[test]
    fn what_was_left_is_put_back_by_a_plan_like_any_other() {
        let snapshot = snapshot(vec![World::new(0, "gke", Tier::Prod).node("n0", "", "")]);
        let node = key(&snapshot, 0, Kind::Node, "", "n0");
        let run = cut_off_drain(node.uid, NOW);
        let object = run.subjects[0].clone();
        assert_eq!(run.found(&snapshot.fleet), std::slice::from_ref(&node));
        let other = Remembered { uid: Uid::parse("other"), ..object };
        assert!(Unfinished { subjects: vec![other], ..run.clone() }.found(&snapshot.fleet).is_empty());
        let options = Options { unfinished: Some(Arc::new(run)), ..Options::default() };
        let input = PlanInput { snapshot: &snapshot, subjects: &[], options: &options, now: NOW };
        let plan = PUT_BACK.plan(&input).unwrap();
        assert_eq!((plan.confirmation.word.as_str(), plan.refusals.len()), ("gke", 0));
        let [step] = &plan.steps[..] else { panic!("{:?}", plan.steps) };
        let Action::Patch(patch) = &step.action else { panic!("{step:?}") };
        assert_eq!((step.title.as_str(), patch.target.uid), ("Node n0: uncordon", Some(node.uid)));
    }

    fn scaled(did: u32, back: u32) -> Unfinished {
        let spec = |replicas: u32| serde_json::json!({ "spec": { "replicas": replicas } });
        Unfinished {
            seq: 9,
            at: NOW,
            title: "scale shop/cart".into(),
            operation: "scale".into(),
            subjects: Vec::new(),
            back: vec![Back {
                object: Remembered {
                    cluster: "gke".into(),
                    kind: "Deployment".into(),
                    namespace: "shop".into(),
                    name: "cart".into(),
                    uid: Uid::default(),
                },
                api: ("apps/v1".into(), "deployments".into()),
                title: format!("{did} → {back}").into(),
                subresource: "scale".into(),
                patch: spec(back),
                did: spec(did),
                template: None,
            }],
        }
    }

    fn laid(has: u32, run: Unfinished, over: bool) -> Plan {
        let snapshot = snapshot(vec![World::new(0, "gke", Tier::Prod).deployment("cart", has)]);
        let answers = if over { [(Text::clean(CHANGED), 1)].into() } else { Default::default() };
        let rules = Arc::new(crate::model::Rules { pods_at_once: 5, ..Default::default() });
        let options = Options { unfinished: Some(Arc::new(run)), answers, rules, ..Options::default() };
        PUT_BACK.plan(&PlanInput { snapshot: &snapshot, subjects: &[], options: &options, now: NOW }).unwrap()
    }

    #[test]
    fn what_somebody_changed_since_is_left_unless_it_is_chosen() {
        let plan = laid(20, scaled(10, 3), false);
        assert_eq!(plan.choices[0].text, "Deployment shop/cart has 20 now, the run left 10");
        assert_eq!((plan.steps.len(), plan.refusals.len()), (0, 1));
        let plan = laid(20, scaled(10, 3), true);
        assert_eq!(plan.steps.len(), 1);
        assert_eq!(plan.kubectl, ["kubectl --context gke scale -n shop deployments/cart --replicas=3"]);
        assert_eq!(plan.rests_on.len(), 1, "made again when it changes");
        let plan = laid(10, scaled(10, 8), false);
        assert!(plan.choices.is_empty() && plan.refusals.is_empty(), "{:?}", plan.refusals);
    }

    #[test]
    fn the_rules_hold_for_all_that_is_put_back_but_an_uncordon() {
        let plan = laid(10, scaled(10, 3), false);
        assert_eq!(plan.refusals, ["7 pods at once of at most 5"]);
    }
}
