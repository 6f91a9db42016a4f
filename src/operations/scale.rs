//! Scale: how many replicas a workload has, through its `scale` subresource.

#[cfg(test)]
mod tests;

use serde_json::json;

use super::cordon::PATCH_DEADLINE;
use super::words::{self, confirmation, count, kubectl};
use super::{
    Action, Choice, Line, OpId, OperationDecl, Options, Patch, PatchKind, Plan, PlanInput, ReadyTarget, Step,
    Tolerance, fit,
};
use crate::model::{
    Autoscaler, Cluster, Kind, ObjectKey, Record, Resources, Span, Text, Tone, Version, Workload,
};

/// Scale.
pub(super) const SCALE: OperationDecl = OperationDecl {
    id: "scale",
    title: "scale the workload",
    key: 'S',
    applies_to: &[Kind::Deployment, Kind::StatefulSet, Kind::ReplicaSet],
    draft: plan,
    doc: "Sets how many replicas a workload wants, through its scale subresource, and waits until \
          they are ready.",
};

const READY_DEADLINE: Span = Span::from_seconds(10 * 60);
/// The most replicas that are set: beyond it a digit too many is likelier than a wish.
const MOST: u32 = 10_000;
const AUTOSCALER: &str = "autoscaler";

/// How many replicas are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replicas {
    /// So many.
    To(u32),
    /// So many more, or fewer, than each workload wants now.
    By(i32),
}

/// A run that goes on: replicas are wanted only so long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WhileRun {
    /// Which.
    pub op: OpId,
    /// `drain 1 node`.
    pub title: Text,
}

impl Replicas {
    /// Reads `6`, `+2` or `-1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Replicas> {
        let text = text.trim();
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        match text.starts_with(['+', '-']) {
            true => text.parse().ok().map(Replicas::By),
            false => text.parse().ok().map(Replicas::To),
        }
    }

    /// How many that is for a workload that wants `now`.
    #[must_use]
    pub fn of(self, now: u32) -> u32 {
        match self {
            Replicas::To(to) => to,
            Replicas::By(by) => now.saturating_add_signed(by),
        }
    }
}

struct Chosen<'a> {
    cluster: &'a Cluster,
    key: ObjectKey,
    workload: &'a Workload,
    autoscaler: Option<&'a Autoscaler>,
    to: u32,
}

fn plan(input: &PlanInput<'_>) -> Result<Plan, Text> {
    let chosen = input.subjects.iter().map(|key| choose(input, key)).collect::<Result<Vec<_>, Text>>()?;
    if chosen.is_empty() {
        return Err(Text::clean("no workload is chosen"));
    }
    let touches = words::clusters_of(input.subjects);
    let fleet = &input.snapshot.fleet;
    let follow = input.options.answer(AUTOSCALER) == 1;
    let several = chosen.len() > 1;
    let refusal = refusal(&chosen, input.options.replicas);
    let steps = match &refusal {
        Some(_) => Vec::new(),
        None => chosen.iter().flat_map(|c| steps(c, follow, several)).collect(),
    };
    let steps = match &input.options.while_run {
        Some(run) if refusal.is_none() => for_a_while(steps, run),
        _ => steps,
    };
    Ok(Plan {
        operation: "scale",
        title: title(&chosen, input.options).into(),
        subjects: chosen.iter().map(|c| c.key.clone()).collect(),
        made: input.now,
        preview: chosen.iter().flat_map(|c| preview(c, follow, several)).collect(),
        objects: Vec::new(),
        choices: choices(&chosen, follow),
        steps,
        refusals: refusal.into_iter().map(Text::from).collect(),
        kubectl: chosen.iter().map(command).collect(),
        confirmation: confirmation(fleet, &touches),
        rests_on: chosen.iter().flat_map(rests_on).collect(),
        touches,
        drill: false,
        recovery: None,
    })
}

fn choose<'a>(input: &PlanInput<'a>, key: &ObjectKey) -> Result<Chosen<'a>, Text> {
    let fleet = &input.snapshot.fleet;
    let kind = key.kind.names().kind;
    if !matches!(key.kind, Kind::Deployment | Kind::StatefulSet | Kind::ReplicaSet) {
        return Err(Text::from(format!("a {kind} has no replicas to set")));
    }
    let cluster = fleet.cluster(key.cluster).ok_or_else(|| Text::clean("the cluster is not in the fleet"))?;
    let found = cluster.find(key.kind, &key.namespace, &key.name).and_then(|r| r.workload());
    let workload = found.ok_or_else(|| Text::from(format!("{kind} {} is not there any more", key.path())))?;
    if !key.uid.is_none() && workload.meta.uid != key.uid {
        return Err(Text::from(format!("{kind} {} is another one of that name by now", key.path())));
    }
    if let Some(owner) = workload.meta.owner.as_ref().filter(|_| key.kind == Kind::ReplicaSet) {
        return Err(Text::from(format!("{} {} sets its replicas: scale that", owner.kind, owner.name)));
    }
    Ok(Chosen {
        cluster,
        key: ObjectKey { uid: workload.meta.uid, ..key.clone() },
        workload,
        autoscaler: autoscaler_of(cluster, key),
        to: input.options.replicas.map_or(workload.desired, |wanted| wanted.of(workload.desired)),
    })
}

/// The autoscaler that scales this workload.
pub(super) fn autoscaler_of<'a>(cluster: &'a Cluster, key: &ObjectKey) -> Option<&'a Autoscaler> {
    let scales = |a: &&Autoscaler| {
        a.meta.namespace == key.namespace && a.target == key.name && a.target_kind == key.kind.names().kind
    };
    cluster.records(Kind::Autoscaler).filter_map(|r| r.autoscaler()).find(scales)
}

/// Why it cannot run as it is.
fn refusal(chosen: &[Chosen<'_>], wanted: Option<Replicas>) -> Option<String> {
    let Some(wanted) = wanted else {
        return Some("say how many replicas it should have".to_owned());
    };
    if let Some(far) = chosen.iter().find(|c| c.to > MOST) {
        return Some(format!("{} replicas: more than {MOST} are not set from here", far.to));
    }
    let same = chosen.iter().all(|c| c.workload.desired == c.to);
    same.then(|| match wanted {
        Replicas::To(to) => format!("{} wanted already", count(to as usize, "replica")),
        Replicas::By(_) => "that changes nothing".to_owned(),
    })
}

fn title(chosen: &[Chosen<'_>], options: &Options) -> String {
    let what = match chosen {
        [one] => one.key.path(),
        several => count(several.len(), "workload"),
    };
    let title = match (chosen, options.replicas) {
        ([one], Some(_)) => format!("scale {what} {} → {}", one.workload.desired, one.to),
        (_, Some(Replicas::To(to))) => format!("scale {what} to {to}"),
        (_, Some(Replicas::By(by))) => format!("scale {what} by {by:+}"),
        (_, None) => format!("scale {what}"),
    };
    match &options.while_run {
        Some(run) => format!("{title} until {} ends", run.title),
        None => title,
    }
}

/// The same steps for as long as a run goes on: then what they set is put back, last first. Nobody
/// waits for the new pods here; whoever needs them does.
fn for_a_while(steps: Vec<Step>, run: &WhileRun) -> Vec<Step> {
    let mut steps: Vec<Step> =
        steps.into_iter().filter(|step| matches!(step.action, Action::Patch(_))).collect();
    let back = steps.iter().rev().flat_map(|step| {
        step.undo.iter().map(|undo| Step {
            title: format!(
                "put back {}: {}",
                undo.writes_to().map_or_else(String::new, |t| t.title()),
                step.way_back
            )
            .into(),
            way_back: Text::EMPTY,
            undo: Vec::new(),
            deadline: Some(PATCH_DEADLINE),
            tolerance: Tolerance::Nothing,
            action: undo.clone(),
        })
    });
    let back: Vec<Step> = back.collect();
    steps.push(Step {
        title: format!("wait until {} ends", run.title).into(),
        way_back: Text::EMPTY,
        undo: Vec::new(),
        deadline: None,
        tolerance: Tolerance::Nothing,
        action: Action::AwaitRun(run.op),
    });
    steps.extend(back);
    steps
}

/// `several`: beside others, so that each step says on which cluster it is.
fn steps(c: &Chosen<'_>, follow: bool, several: bool) -> Vec<Step> {
    let place = if several { format!(" on {}", c.cluster.info.name) } else { String::new() };
    let mut steps = Vec::new();
    if let Some(autoscaler) = c.autoscaler.filter(|_| follow) {
        let step = bounds(c.cluster, autoscaler, c.to);
        steps.extend(step.map(|step| Step { title: format!("{}{place}", step.title).into(), ..step }));
    }
    let (from, to) = (c.workload.desired, c.to);
    let step = replicas(&words::target(&c.key, "v1"), from, to);
    steps.push(Step { title: format!("scale {}{place} {from} → {to}", c.key.name).into(), ..step });
    if c.to > 0 {
        let target = ReadyTarget {
            target: words::target(&c.key, "v1"),
            kind: c.key.kind,
            replicas: c.to,
            as_wanted: false,
        };
        steps.push(Step {
            title: format!("wait until {} of {}{place} are Ready", c.to, c.key.name).into(),
            way_back: Text::EMPTY,
            undo: Vec::new(),
            deadline: Some(READY_DEADLINE),
            tolerance: Tolerance::Anything,
            action: Action::AwaitReady(vec![target]),
        });
    }
    steps
}

/// The step that sets a workload's replicas.
pub(super) fn replicas(target: &super::Target, from: u32, to: u32) -> Step {
    let patch = |count: u32| {
        Action::Patch(Patch {
            target: target.clone(),
            subresource: "scale",
            kind: PatchKind::Merge,
            body: json!({ "spec": { "replicas": count } }),
        })
    };
    Step {
        title: format!("scale {} {from} → {to}", target.name).into(),
        way_back: format!("{to} → {from}").into(),
        undo: vec![patch(from)],
        deadline: Some(PATCH_DEADLINE),
        tolerance: Tolerance::Nothing,
        action: patch(to),
    }
}

/// The step that moves an autoscaler's bounds so that it keeps at least `to`; `None` when it does
/// already. Zero replicas switch an autoscaler off by themselves, so its bounds stay.
pub(super) fn bounds(cluster: &Cluster, autoscaler: &Autoscaler, to: u32) -> Option<Step> {
    let (min, max) = (autoscaler.min, autoscaler.max);
    let (new_min, new_max) = (to, max.max(to));
    if to == 0 || (new_min, new_max) == (min, max) {
        return None;
    }
    let key = Record::Autoscaler(autoscaler.clone()).key(cluster.id);
    let patch = |min: u32, max: u32| {
        Action::Patch(Patch {
            target: words::target(&key, "v2"),
            subresource: "",
            kind: PatchKind::Merge,
            body: json!({ "spec": { "minReplicas": min, "maxReplicas": max } }),
        })
    };
    Some(Step {
        title: format!("autoscaler {}: {min}–{max} → {new_min}–{new_max}", key.name).into(),
        way_back: format!("{new_min}–{new_max} → {min}–{max}").into(),
        undo: vec![patch(min, max)],
        deadline: Some(PATCH_DEADLINE),
        tolerance: Tolerance::Nothing,
        action: patch(new_min, new_max),
    })
}

fn preview(c: &Chosen<'_>, follow: bool, several: bool) -> Vec<Line> {
    let (from, to) = (c.workload.desired, c.to);
    if to > MOST {
        return Vec::new();
    }
    let mut name = format!("{} {}", c.key.kind.names().kind, c.key.path());
    if several {
        name = format!("{name} on {} {from} → {to}", c.cluster.info.name);
    }
    let mut lines = Vec::new();
    if to > from {
        let (text, tone) = room(c, (to - from) as usize);
        lines.push(
            Line::new("will start", format!("{name}: {text}")).counted((to - from) as usize).toned(tone),
        );
    } else if to < from {
        let (text, tone) = match to {
            0 => ("nothing of it runs after that", Tone::Crit),
            _ => ("no budget is asked when a workload is scaled down", Tone::Warn),
        };
        lines
            .push(Line::new("will end", format!("{name}: {text}")).counted((from - to) as usize).toned(tone));
    }
    if let Some(a) = c.autoscaler {
        let held = if follow || (to > 0 && a.min == to) {
            format!("autoscaler {} keeps {}–{}; its bounds move too", a.meta.name, a.min, a.max)
        } else if to == 0 {
            format!("autoscaler {} keeps {}–{}; zero replicas switch it off", a.meta.name, a.min, a.max)
        } else {
            format!("autoscaler {} keeps {}–{} and may undo this in 15 s", a.meta.name, a.min, a.max)
        };
        lines.push(Line::new("owner", held).toned(if follow { Tone::Ok } else { Tone::Warn }));
    }
    if let Some(m) = &c.workload.meta.manager {
        let text = format!("{} {} may put the replicas back: change them there too", m.system, m.name);
        lines.push(Line::new("owner", text).toned(Tone::Warn));
    }
    lines
}

/// Whether so many more replicas fit, by requests.
fn room(c: &Chosen<'_>, more: usize) -> (String, Tone) {
    if let Some(why) = fit::unknown(c.cluster) {
        return (format!("whether they fit {why}"), Tone::Warn);
    }
    let mut demands: Vec<Resources> = vec![c.workload.requests; more];
    let mut rooms = fit::rooms(c.cluster, &[], |_| true);
    let fits = fit::place(&mut rooms, &mut demands);
    match demands.len() {
        0 => ("they fit by requests".to_owned(), Tone::Ok),
        none => (format!("{fits} fit by requests, {none} wait for a new node"), Tone::Warn),
    }
}

fn choices(chosen: &[Chosen<'_>], follow: bool) -> Vec<Choice> {
    let scaled: Vec<String> = chosen
        .iter()
        .filter(|c| c.to > 0 && c.autoscaler.is_some_and(|a| a.min != c.to || a.max < c.to))
        .map(|c| c.key.path())
        .collect();
    if scaled.is_empty() {
        return Vec::new();
    }
    vec![Choice {
        id: Text::clean(AUTOSCALER),
        text: format!("an autoscaler keeps the replicas of {}", words::some(&scaled, 3)).into(),
        answers: vec![Text::clean("leave it as it is"), Text::clean("set its minimum to this, too")],
        chosen: usize::from(follow),
    }]
}

fn command(c: &Chosen<'_>) -> String {
    let resource = format!("{}/{}", c.key.kind.names().plural, c.key.name);
    kubectl(c.cluster, &["scale", "-n", &c.key.namespace, &resource, &format!("--replicas={}", c.to)])
}

fn rests_on(c: &Chosen<'_>) -> Vec<(ObjectKey, Version)> {
    let mut readings = vec![(c.key.clone(), c.workload.meta.version)];
    if let Some(autoscaler) = c.autoscaler {
        let key = Record::Autoscaler(autoscaler.clone()).key(c.cluster.id);
        readings.push((key, autoscaler.meta.version));
    }
    readings
}
