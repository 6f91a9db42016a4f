//! The fleet's own rules, checked on every plan whatever it does: how much at once, freeze
//! windows, and what runs beside it.
//!
//! Rules of numbers and of time are choices: an incident may need more, and then somebody says so.
//! What another run holds is none: two hands on one recovery pair undo each other.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::json;

use super::elsewhere::crossed as crossed_elsewhere;
use super::words::{count, name_of, some};
use super::{Action, Choice, Line, Patch, Plan, PlanInput, RecoveryFile, Step, Target, delete};
use crate::model::{ClusterId, Fleet, Kind, Text, Tone};

const CLUSTERS: &str = "clusters-rule";
const PODS: &str = "pods-rule";
const FREEZE: &str = "freeze-rule";

/// Cells of a line of rules that hold.
const LINE: usize = 92;

/// What a rule says of a plan.
struct Verdict {
    text: String,
    /// The choice by which a person may go beyond it; `None` for a rule without one.
    choice: Option<&'static str>,
    holds: bool,
}

/// The plan with what the fleet's rules say of it.
pub(super) fn checked(mut plan: Plan, input: &PlanInput<'_>) -> Plan {
    // Letting pods come to a node again is never what a rule wants to prevent.
    let opens = opens(&plan);
    let mut verdicts = Vec::new();
    if !opens {
        verdicts.push(clusters(&plan, input));
        // A recovery takes down what another cluster took over: that is what it is for.
        verdicts.extend(plan.recovery.is_none().then(|| pods(&plan, input)));
        verdicts.extend(freezes(&plan, input));
        verdicts.extend(pairs(&plan, input));
    }
    let fleet = &input.snapshot.fleet;
    let crossed = conflict(&plan, &input.options.under_way, fleet);
    if let Some(text) = crossed.or_else(|| crossed_elsewhere(&plan, &input.options.elsewhere, fleet)) {
        verdicts.push(Verdict { text: text.to_string(), choice: None, holds: false });
    }
    for broken in verdicts.iter().filter(|v| !v.holds) {
        let chosen = broken.choice.map_or(0, |id| input.options.answer(id).min(1));
        if chosen == 0 {
            plan.refusals.push(broken.text.clone().into());
        }
        plan.choices.extend(broken.choice.map(|id| Choice {
            id: Text::clean(id),
            text: broken.text.clone().into(),
            answers: vec![Text::clean("keep to the rule"), Text::clean("go beyond it")],
            chosen,
        }));
    }
    say(&mut plan.preview, verdicts);
    plan
}

/// Whether all that a plan does is to uncordon nodes.
fn opens(plan: &Plan) -> bool {
    let uncordons = |step: &Step| match &step.action {
        Action::Patch(patch) => patch.body == json!({ "spec": { "unschedulable": null } }),
        _ => false,
    };
    !plan.steps.is_empty() && plan.steps.iter().all(uncordons)
}

/// Puts the rules together, where the operation's own are: those that hold on few lines, each
/// that does not on its own.
fn say(preview: &mut Vec<Line>, verdicts: Vec<Verdict>) {
    let place = preview.iter().position(|line| line.label == "rules");
    let place =
        place.or_else(|| preview.iter().position(|line| line.label == "owner" || line.label == "old"));
    let place = place.unwrap_or(preview.len());
    let mut lines: Vec<Line> = Vec::new();
    let mut good: Vec<String> = Vec::new();
    preview.retain(|line| {
        let rule = line.label == "rules";
        match (rule, line.tone) {
            (true, Tone::Ok) => good.push(line.text.to_string()),
            (true, _) => lines.push(line.clone()),
            _ => {}
        }
        !rule
    });
    for verdict in verdicts {
        match verdict.holds {
            true => good.push(verdict.text),
            false => lines.push(Line::new("rules", verdict.text).toned(Tone::Crit)),
        }
    }
    let mut joined = String::new();
    for text in good {
        let piece = format!("✓ {text}");
        if !joined.is_empty() && joined.chars().count() + piece.chars().count() + 2 > LINE {
            lines.push(Line::new("rules", std::mem::take(&mut joined)));
        }
        let gap = if joined.is_empty() { "" } else { "  " };
        joined = format!("{joined}{gap}{piece}");
    }
    if !joined.is_empty() {
        lines.push(Line::new("rules", joined));
    }
    let place = place.min(preview.len());
    preview.splice(place..place, lines);
}

/// Everything that is written to at once: by this plan and by what runs.
fn at_once(plan: &Plan, input: &PlanInput<'_>) -> BTreeSet<ClusterId> {
    let running = input.options.under_way.iter().flat_map(|other| other.touches.iter().copied());
    let elsewhere = input.options.elsewhere.iter().flat_map(|other| other.known(&input.snapshot.fleet));
    plan.touches.iter().copied().chain(running).chain(elsewhere).collect()
}

/// Whether nothing else runs.
fn alone(input: &PlanInput<'_>) -> bool {
    input.options.under_way.is_empty() && input.options.elsewhere.is_empty()
}

fn beside(input: &PlanInput<'_>) -> &'static str {
    if alone(input) { "" } else { ", with what runs" }
}

fn clusters(plan: &Plan, input: &PlanInput<'_>) -> Verdict {
    let (number, most) = (at_once(plan, input).len(), input.options.rules.clusters_at_once);
    let holds = number <= most || plan.touches.len() <= 1 && alone(input);
    let text = format!("{} at once of at most {most}{}", count(number, "cluster"), beside(input));
    Verdict { text, choice: Some(CLUSTERS), holds }
}

fn pods(plan: &Plan, input: &PlanInput<'_>) -> Verdict {
    let most = input.options.rules.pods_at_once;
    let running = input.options.under_way.iter().filter(|other| other.recovery.is_none());
    let number = std::iter::once(plan).chain(running).map(|plan| taken(plan, &input.snapshot.fleet)).sum();
    let text = format!("{} at once of at most {most}{}", count(number, "pod"), beside(input));
    Verdict { text, choice: Some(PODS), holds: number <= most }
}

/// How many pods a plan takes away at a time. Steps that evict or delete wait until that is done, so
/// the largest of them counts; those that scale down follow at once, so they add up.
fn taken(plan: &Plan, fleet: &Fleet) -> usize {
    let (mut most, mut scaled) = (0, 0);
    for step in &plan.steps {
        match &step.action {
            Action::Evict { pods, at_once, .. } => {
                most = most.max(pods.len().min(at_once.map_or(usize::MAX, |number| number as usize)));
            }
            Action::Delete(target) => most = most.max(pods_of(target, fleet)),
            Action::Patch(patch) if patch.subresource == "scale" => scaled += fewer(patch, fleet),
            _ => {}
        }
    }
    most.max(scaled)
}

/// How many pods go with an object.
fn pods_of(target: &Target, fleet: &Fleet) -> usize {
    let Some(cluster) = fleet.cluster(target.cluster) else { return 0 };
    match Kind::by_kind(&target.kind) {
        Some(Kind::Pod) => 1,
        Some(Kind::Job) => delete::active_pods(cluster, &target.namespace, &target.name),
        Some(kind) => {
            let found = cluster.find(kind, &target.namespace, &target.name);
            found.and_then(|record| record.workload()).map_or(0, |workload| workload.current as usize)
        }
        None => 0,
    }
}

/// How many replicas fewer a workload has after a patch of its scale.
fn fewer(patch: &Patch, fleet: &Fleet) -> usize {
    let target = &patch.target;
    let find = || {
        let kind = Kind::by_kind(&target.kind)?;
        fleet
            .cluster(target.cluster)?
            .find(kind, &target.namespace, &target.name)?
            .workload()
            .map(|w| w.desired)
    };
    let wanted = patch.body["spec"]["replicas"].as_u64().and_then(|n| u32::try_from(n).ok());
    wanted.zip(find()).map_or(0, |(wanted, has)| has.saturating_sub(wanted) as usize)
}

fn freezes(plan: &Plan, input: &PlanInput<'_>) -> Vec<Verdict> {
    let fleet = &input.snapshot.fleet;
    let names: Vec<Text> = plan.touches.iter().map(|id| name_of(fleet, *id)).collect();
    let rules = &input.options.rules;
    let mut held: Vec<Verdict> = Vec::new();
    for freeze in &rules.freezes {
        let frozen: Vec<&Text> = names.iter().filter(|n| freeze.holds(n, input.now).is_some()).collect();
        let said = frozen.first().and_then(|name| freeze.holds(name, input.now));
        held.extend(said.map(|said| Verdict {
            text: format!("{} not to be changed: {said}", some(&frozen, 3)),
            choice: None,
            holds: false,
        }));
    }
    // One choice is enough for all windows, and it is asked once.
    if let Some(first) = held.first_mut() {
        first.choice = Some(FREEZE);
    }
    if input.options.answer(FREEZE) == 1 {
        held.iter_mut().skip(1).for_each(|v| v.choice = Some(FREEZE));
    }
    if held.is_empty() && !rules.freezes.is_empty() {
        held.push(Verdict { text: "no freeze window".to_owned(), choice: None, holds: true });
    }
    held
}

/// Never both partners of a recovery pair: one of them must be able to take the other's load. A
/// failover moves its own pair and no other, whichever recovery plans that pair has.
fn pairs(plan: &Plan, input: &PlanInput<'_>) -> Vec<Verdict> {
    let fleet = &input.snapshot.fleet;
    let all = at_once(plan, input);
    let own = plan.recovery.as_ref();
    let moved = |file: &RecoveryFile| {
        let pair =
            partners(file, fleet).map(|id| own.is_some_and(|r| id == Some(r.from) || id == Some(r.to)));
        pair == [true, true] || own.is_some_and(|r| r.name == file.name)
    };
    let files = input.options.recovery_plans.iter().filter(|file| !moved(file));
    let mut verdicts = Vec::new();
    for file in files {
        let partners = partners(file, fleet);
        let mine = partners.map(|id| id.is_some_and(|id| plan.touches.contains(&id)));
        let any = partners.map(|id| id.is_some_and(|id| all.contains(&id)));
        let names = [("primary", &file.primary), ("standby", &file.standby)];
        let text = match (mine, any) {
            ([false, false], _) => continue,
            (_, [true, true]) => format!(
                "{}: primary {} and standby {} would be changed at once{}",
                file.name,
                file.primary,
                file.standby,
                beside(input)
            ),
            ([first, _], _) => {
                let (role, name) = names[usize::from(first)];
                format!("{}: {role} {name} untouched", file.name)
            }
        };
        verdicts.push(Verdict { text, choice: None, holds: any != [true, true] });
    }
    verdicts
}

/// The primary and the standby of a recovery plan, as far as they are in the fleet.
fn partners(file: &RecoveryFile, fleet: &Fleet) -> [Option<ClusterId>; 2] {
    [&file.primary, &file.standby].map(|name| fleet.by_name(name).map(|c| c.id))
}

/// Why a plan must not run beside what runs: a recovery holds its clusters until it ends, and no
/// two runs write to the same object.
#[must_use]
pub fn conflict(plan: &Plan, under_way: &[Plan], fleet: &Fleet) -> Option<Text> {
    let writes = writes(plan);
    under_way.iter().find_map(|other| {
        let held = |of: &Plan, by: &Plan| {
            let recovery = of.recovery.as_ref()?;
            [recovery.from, recovery.to].into_iter().find(|id| by.touches.contains(id))
        };
        let text = if let Some(id) = held(other, plan) {
            format!("{} runs and needs {}: wait until it ends, or stop it", other.title, name_of(fleet, id))
        } else if let Some(id) = held(plan, other) {
            format!("{} runs on {}: wait until it ends, or stop it", other.title, name_of(fleet, id))
        } else {
            let theirs = self::writes(other);
            let (_, object) = writes.iter().find(|w| theirs.contains(*w))?;
            format!("{} runs and writes to {object} too: wait until it ends, or stop it", other.title)
        };
        Some(text.into())
    })
}

/// Every object that a plan's steps write to.
fn writes(plan: &Plan) -> BTreeSet<(ClusterId, String)> {
    let targets = plan.steps.iter().filter_map(|step| step.action.writes_to());
    targets.map(|target| (target.cluster, target.title())).collect()
}
