//! Failover: the plan of a recovery file, as a run, a drill, or the way back.
//!
//! A run looks at the primary, starts the workloads on the standby, waits for them, moves traffic,
//! probes, and scales the primary down. A drill does the same without traffic and without touching
//! the primary, and puts the standby back. The way back is a run in the other direction.

mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::words::{confirmation, kubectl, name_of, some};
use super::{
    Choice, Confirmation, Line, OperationDecl, Plan, PlanInput, Recovery, RecoveryFile, RecoveryWorkload,
    Step, Way, fit, scale,
};
use crate::model::{
    Autoscaler, Cluster, ClusterId, ObjectKey, Record, Resources, Text, Tier, Tone, Version, Workload,
};

/// The choice of what becomes of the side that served, where the recovery plan moves no traffic.
const PRIMARY: &str = "primary";

/// The choice whether to begin although no pod finds room by requests: nodes may come for them, or
/// take them by a toleration that is not read.
const ROOM: &str = "room";

/// Fail over.
pub(super) const FAILOVER: OperationDecl = OperationDecl {
    id: "failover",
    title: "fail over",
    key: 'F',
    applies_to: &[],
    draft: plan,
    doc: "Carries out a recovery plan: starts the workloads on the standby, moves traffic, probes, \
          and measures how long it took. A drill rehearses it without moving traffic.",
};

/// A recovery plan, laid over the fleet.
struct Draft<'a> {
    input: PlanInput<'a>,
    file: &'a RecoveryFile,
    way: Way,
    /// The cluster that serves now.
    from: &'a Arc<Cluster>,
    /// The cluster that takes over.
    to: &'a Arc<Cluster>,
    workloads: Vec<Moved<'a>>,
    refusals: Vec<Text>,
}

/// A workload of the file, on the cluster that takes over.
struct Moved<'a> {
    wish: &'a RecoveryWorkload,
    key: ObjectKey,
    /// What the cluster that takes over has of it.
    there: &'a Workload,
    autoscaler: Option<&'a Autoscaler>,
    /// What the cluster that serves has of it, as last seen.
    here: Option<&'a Workload>,
    /// Replicas that it must have.
    wanted: u32,
}

impl Moved<'_> {
    /// Replicas that are missing.
    fn missing(&self) -> u32 {
        self.wanted.saturating_sub(self.there.desired)
    }

    /// The command that sets its replicas on a cluster.
    fn scaled(&self, cluster: &Cluster, to: u32) -> String {
        let resource = format!("{}/{}", self.key.kind.names().plural, self.key.name);
        kubectl(cluster, &["scale", "-n", &self.key.namespace, &resource, &format!("--replicas={to}")])
    }
}

fn plan(input: &PlanInput<'_>) -> Result<Plan, Text> {
    let draft = draft(input)?;
    let (fits, of) = draft.fit();
    let mut refusals = draft.refusals.clone();
    if draft.way != Way::Drill {
        refusals.extend(draft.lost_traffic());
    }
    if draft.no_room(fits, of) && input.options.answer(ROOM) == 0 {
        refusals.push(draft.room_question(of));
    }
    let steps = draft.steps();
    let touches = draft.touches(&steps);
    let drill = draft.way == Way::Drill;
    let verb = match draft.way {
        Way::Run => "fail over",
        Way::Drill => "drill",
        Way::Back => "bring back",
    };
    Ok(Plan {
        operation: "failover",
        title: format!("{verb} {}: {} → {}", draft.file.name, draft.from.info.name, draft.to.info.name)
            .into(),
        subjects: draft.workloads.iter().map(|w| w.key.clone()).collect(),
        made: input.now,
        preview: draft.preview(fits, of, &steps),
        objects: Vec::new(),
        choices: draft.choices(fits, of),
        refusals,
        kubectl: draft.kubectl(),
        confirmation: draft.confirmation(&touches),
        rests_on: draft.rests_on(),
        touches,
        steps,
        drill,
        recovery: Some(Recovery {
            name: draft.file.name.clone(),
            from: draft.from.id,
            to: draft.to.id,
            target: draft.file.target,
            both_serve: draft.way == Way::Run && !draft.scales_down(),
        }),
    })
}

fn draft<'a>(input: &PlanInput<'a>) -> Result<Draft<'a>, Text> {
    let wish = input.options.recovery.as_ref().ok_or_else(|| Text::clean("no recovery plan is chosen"))?;
    let fleet = &input.snapshot.fleet;
    let find = |role: &str, name: &Text| {
        let unknown = || Text::from(format!("{}: {role} {name} is not in the fleet", wish.file.name));
        fleet.by_name(name).ok_or_else(unknown)
    };
    let primary = find("primary", &wish.file.primary)?;
    let standby = find("standby", &wish.file.standby)?;
    if primary.is_context_of(standby) {
        let text =
            format!("{}: {} and {} are one cluster", wish.file.name, wish.file.primary, wish.file.standby);
        return Err(text.into());
    }
    let (from, to) = if wish.way == Way::Back { (standby, primary) } else { (primary, standby) };
    let mut draft = Draft {
        input: *input,
        file: &wish.file,
        way: wish.way,
        from,
        to,
        workloads: Vec::new(),
        refusals: Vec::new(),
    };
    for workload in &wish.file.workloads {
        match draft.moved(workload) {
            Ok(moved) => draft.workloads.push(moved),
            Err(why) => draft.refusals.push(why),
        }
    }
    if !to.link.live() {
        let why = to.link.fault.as_ref().map(|f| format!(": {}", f.what)).unwrap_or_default();
        draft.refusals.push(format!("{} does not answer{why}: nothing can take over", to.info.name).into());
    }
    Ok(draft)
}

impl<'a> Draft<'a> {
    /// Finds a workload on both sides. The error says what is missing, and what to do about it.
    fn moved(&self, wish: &'a RecoveryWorkload) -> Result<Moved<'a>, Text> {
        let title = format!("{} {}/{}", wish.kind.names().kind, wish.namespace, wish.name);
        let find = |cluster: &'a Cluster| cluster.find(wish.kind, &wish.namespace, &wish.name);
        let to = &self.to.info.name;
        let record = find(self.to).ok_or_else(|| match self.to.table(wish.kind).synced {
            Some(_) => Text::from(format!("{title} is not on {to}: deploy it there first")),
            None => Text::from(format!("the {} of {to} are not known yet", wish.kind.names().plural)),
        })?;
        let there = record.workload().ok_or_else(|| Text::from(format!("{title} has no replicas")))?;
        let here = find(self.from).and_then(|r| r.workload());
        let unknown = || {
            let from = &self.from.info.name;
            Text::from(format!(
                "{title}: {from} was never seen running it; give replicas in the recovery plan"
            ))
        };
        let wanted = wish.replicas.or(here.map(|w| w.desired)).ok_or_else(unknown)?;
        let key = record.key(self.to.id);
        Ok(Moved { wish, there, autoscaler: scale::autoscaler_of(self.to, &key), here, wanted, key })
    }

    /// How many of the missing pods fit where they are to start, by requests, where that is known;
    /// and how many are missing.
    fn fit(&self) -> (Option<usize>, usize) {
        let mut demands: Vec<Resources> = Vec::new();
        for w in &self.workloads {
            demands.extend(std::iter::repeat_n(w.there.requests, w.missing().min(10_000) as usize));
        }
        let of = demands.len();
        let known = fit::unknown(self.to).is_none();
        (known.then(|| fit::place(&mut fit::rooms(self.to, &[], |_| true), &mut demands)), of)
    }

    /// The clusters that the steps write to.
    fn touches(&self, steps: &[Step]) -> Vec<ClusterId> {
        let writes = steps.iter().flat_map(|s| std::iter::once(&s.action).chain(&s.undo));
        let mut ids: Vec<ClusterId> =
            writes.filter_map(|action| action.writes_to()).map(|target| target.cluster).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// `yes` where no production is touched; else the names of what is written to, the cluster
    /// that takes over first.
    fn confirmation(&self, touches: &[ClusterId]) -> Confirmation {
        let fleet = &self.input.snapshot.fleet;
        let prod = |id: &ClusterId| fleet.cluster(*id).is_some_and(|c| c.info.tier == Tier::Prod);
        if touches.len() < 2 {
            return confirmation(fleet, touches);
        }
        if !touches.iter().any(prod) {
            return Confirmation { word: Text::clean("yes") };
        }
        let mut order = touches.to_vec();
        order.sort_unstable_by_key(|id| (*id != self.to.id, *id != self.from.id, *id));
        let names: Vec<String> = order.iter().map(|id| name_of(fleet, *id).to_string()).collect();
        Confirmation { word: names.join(" ").into() }
    }

    fn preview(&self, fits: Option<usize>, of: usize, steps: &[Step]) -> Vec<Line> {
        let (from, to) = (&self.from.info.name, &self.to.info.name);
        let mut lines = Vec::new();
        if !self.from.link.live() {
            let age = self.from.link.age(self.input.now);
            let seen = age.map_or("never seen".to_owned(), |age| format!("as last seen {age} ago"));
            let fault = self.from.link.fault.as_ref().map(|f| format!(": {}", f.what)).unwrap_or_default();
            let text = format!("{from} does not answer{fault}; what it runs is {seen}");
            lines.push(Line::new("unreachable", text).toned(Tone::Crit));
        }
        for w in self.workloads.iter().filter(|w| w.missing() > 0) {
            let text = format!("{} on {to}: {} → {}", w.key.path(), w.there.desired, w.wanted);
            lines.push(Line::new("will start", text).counted(w.missing() as usize));
        }
        let (fit, tone) = match fits {
            None => {
                let why = fit::unknown(self.to).unwrap_or_default();
                (format!("whether {of} pods fit on {to} {why}"), Tone::Warn)
            }
            Some(fits) if fits < of => {
                let rest = format!("{} wait for a new node", of - fits);
                (format!("{fits} of {of} pods fit on {to} by requests; {rest}"), Tone::Warn)
            }
            Some(fits) => (format!("{fits} of {of} pods fit on {to} by requests"), Tone::Ok),
        };
        lines.push(Line::new("fit", fit).toned(tone));
        lines.extend(self.autoscaler_lines());
        lines.extend(self.managers());
        if self.way == Way::Drill {
            lines.push(Line::new(
                "drill",
                format!("no traffic moves, {from} is not touched, {to} is put back"),
            ));
        } else {
            let traffic = steps.iter().filter(|s| s.title.starts_with("shift traffic")).count();
            let text = match (traffic, self.scales_down()) {
                (0, true) => format!(
                    "the recovery plan moves none: what still arrives at {from} is lost when it is scaled down"
                ),
                (0, false) => format!("the recovery plan moves none: {from} keeps serving until you move it"),
                _ => "patched after all are Ready".to_owned(),
            };
            let tone = if traffic == 0 { Tone::Warn } else { Tone::Ok };
            lines.push(Line::new("traffic", text).counted(traffic).toned(tone));
        }
        let stays = |w: &&Moved<'_>| self.way == Way::Back && w.wish.standby_replicas.is_none();
        let kept: Vec<String> = self.workloads.iter().filter(stays).map(|w| w.key.path()).collect();
        if !kept.is_empty() {
            let text = format!(
                "{from} keeps what it runs of {}: the plan names no standby_replicas",
                some(&kept, 3)
            );
            lines.push(Line::new("stays", text).counted(kept.len()));
        }
        lines
    }

    fn autoscaler_lines(&self) -> Vec<Line> {
        let fought = self.workloads.iter().filter_map(|w| Some((w, w.autoscaler?)));
        fought
            .filter(|(w, a)| a.min < w.wanted)
            .map(|(w, a)| {
                let text = format!(
                    "autoscaler {} keeps {}–{} and would fight: its minimum is raised to {} first",
                    a.meta.name, a.min, a.max, w.wanted
                );
                Line::new("owner", text).toned(Tone::Warn)
            })
            .collect()
    }

    fn managers(&self) -> Vec<Line> {
        let kept: Vec<String> = self
            .workloads
            .iter()
            .filter(|w| w.missing() > 0)
            .filter_map(|w| w.there.meta.manager.as_ref().map(|m| format!("{} {}", m.system, m.name)))
            .collect();
        if kept.is_empty() {
            return Vec::new();
        }
        let text =
            format!("{} may put the replicas back: pause it, or change them there too", some(&kept, 3));
        vec![Line::new("owner", text).counted(kept.len()).toned(Tone::Warn)]
    }

    fn kubectl(&self) -> Vec<String> {
        let up = self.workloads.iter().filter(|w| w.missing() > 0).map(|w| w.scaled(self.to, w.wanted));
        let down = self.workloads.iter().filter_map(|w| Some(w.scaled(self.from, self.scaled_down(w)?)));
        up.chain(down).collect()
    }

    fn rests_on(&self) -> Vec<(ObjectKey, Version)> {
        let mut readings = Vec::new();
        for w in &self.workloads {
            readings.push((w.key.clone(), w.there.meta.version));
            if let Some(a) = w.autoscaler {
                readings.push((Record::Autoscaler(a.clone()).key(self.to.id), a.meta.version));
            }
            if let Some(here) = w.here {
                readings.push((Record::Workload(here.clone()).key(self.from.id), here.meta.version));
            }
        }
        readings
    }

    /// Whether the side that served is scaled down. Without traffic in the recovery plan that may be
    /// too early, and a person may leave it serving.
    fn scales_down(&self) -> bool {
        self.way != Way::Run || !self.file.traffic.is_empty() || self.input.options.answer(PRIMARY) == 0
    }

    /// Whether pods are missing and none of them finds room by requests.
    fn no_room(&self, fits: Option<usize>, of: usize) -> bool {
        fits == Some(0) && of > 0
    }

    fn room_question(&self, of: usize) -> Text {
        format!("none of {of} pods fits on {}: it has no room by requests", self.to.info.name).into()
    }

    fn choices(&self, fits: Option<usize>, of: usize) -> Vec<Choice> {
        let choice = |id: &str, text: Text, answers: [&str; 2]| Choice {
            id: Text::clean(id),
            text,
            answers: answers.map(Text::clean).into(),
            chosen: self.input.options.answer(id).min(1),
        };
        let mut choices = Vec::new();
        if self.no_room(fits, of) {
            let answers = ["wait until there is room", "begin: the pods wait for nodes"];
            choices.push(choice(ROOM, self.room_question(of), answers));
        }
        if self.way == Way::Run && self.file.traffic.is_empty() {
            let text = format!("{}, from which no traffic is moved", self.from.info.name);
            let answers = ["scale it down after the probe", "leave it serving"];
            choices.push(choice(PRIMARY, text.into(), answers));
        }
        choices
    }

    /// To how many replicas the side that served is scaled down; `None` when it is left alone.
    fn scaled_down(&self, w: &Moved<'_>) -> Option<u32> {
        if !self.scales_down() {
            return None;
        }
        let to = match self.way {
            Way::Run => 0,
            Way::Drill => return None,
            Way::Back => w.wish.standby_replicas?,
        };
        match w.here {
            Some(here) => (here.desired > to).then_some(to),
            None => self.unseen(w).then_some(to),
        }
    }

    /// Whether nobody knows what the side that served runs of this: it may run all of it and come
    /// back with it.
    fn unseen(&self, w: &Moved<'_>) -> bool {
        self.way == Way::Run && w.here.is_none() && self.from.table(w.key.kind).synced.is_none()
    }

    /// The key of a workload on the side that served.
    fn key_here(&self, w: &Moved<'_>, here: &Workload) -> ObjectKey {
        ObjectKey { cluster: self.from.id, uid: here.meta.uid, ..w.key.clone() }
    }
}
