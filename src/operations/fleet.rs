//! The fleet's own rules, checked on every plan whatever it does: how much at once, freeze
//! windows, and what runs beside it.
//!
//! Rules of numbers and of time are choices: an incident may need more, and then somebody says so.
//! What another run holds is none: two hands on one recovery pair undo each other.

use std::collections::BTreeSet;

use super::words::{count, name_of, some};
use super::{Action, Choice, Line, Plan, PlanInput, RecoveryFile};
use crate::model::{ClusterId, Fleet, Text, Tone};

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
    // Putting something back into service is never what a rule wants to prevent.
    let opens = matches!(plan.operation, "uncordon" | "put-back");
    let mut verdicts = Vec::new();
    if !opens {
        verdicts.extend([clusters(&plan, input), pods(&plan, input)]);
        verdicts.extend(freezes(&plan, input));
        verdicts.extend(pairs(&plan, input));
    }
    if let Some(text) = conflict(&plan, &input.options.under_way, &input.snapshot.fleet) {
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
    let running = input.options.under_way.iter().flat_map(|other| &other.touches);
    plan.touches.iter().chain(running).copied().collect()
}

fn beside(input: &PlanInput<'_>) -> &'static str {
    if input.options.under_way.is_empty() { "" } else { ", with what runs" }
}

fn clusters(plan: &Plan, input: &PlanInput<'_>) -> Verdict {
    let (number, most) = (at_once(plan, input).len(), input.options.rules.clusters_at_once);
    let holds = number <= most || plan.touches.len() <= 1 && input.options.under_way.is_empty();
    let text = format!("{} at once of at most {most}{}", count(number, "cluster"), beside(input));
    Verdict { text, choice: Some(CLUSTERS), holds }
}

fn pods(plan: &Plan, input: &PlanInput<'_>) -> Verdict {
    let most = input.options.rules.pods_at_once;
    let number: usize = std::iter::once(plan).chain(input.options.under_way.iter()).map(evicted).sum();
    let text = format!("{} at once of at most {most}{}", count(number, "pod"), beside(input));
    Verdict { text, choice: Some(PODS), holds: number <= most }
}

fn evicted(plan: &Plan) -> usize {
    let pods = plan.steps.iter().map(|step| match &step.action {
        Action::Evict { pods, .. } => pods.len(),
        Action::Delete(target) => usize::from(&*target.plural == "pods"),
        _ => 0,
    });
    pods.sum()
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
        let pair = partners(file, fleet)
            .map(|id| own.is_some_and(|r| id == Some(r.primary) || id == Some(r.standby)));
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
            [recovery.primary, recovery.standby].into_iter().find(|id| by.touches.contains(id))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::civil::DateTime;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::{Freeze, Kind, ObjectKey, Rules, Tier, Window};
    use crate::operations::fixture::{NOW, World, key, snapshot};
    use crate::operations::{Options, RecoveryWish, Way, by_id};
    use crate::views::Snapshot;

    fn fleet() -> Snapshot {
        let cluster = |id, name| {
            World::new(id, name, Tier::Prod)
                .node("n0", "", "")
                .deployment("cart", 2)
                .pod("cart-1", "cart", "n0")
        };
        snapshot(vec![cluster(0, "gke"), cluster(1, "eks"), cluster(2, "aks")])
    }

    fn pair() -> Arc<RecoveryFile> {
        let text = "version=1\nname='shop'\nprimary='gke'\nstandby='eks'\n[[workload]]\nkind='Deployment'\n\
                    namespace='shop'\nname='cart'\nreplicas=3";
        Arc::new(RecoveryFile::read(text).unwrap())
    }

    fn plan(operation: &str, clusters: &[u16], options: &Options) -> Plan {
        let snapshot = fleet();
        let subjects: Vec<ObjectKey> =
            clusters.iter().map(|id| key(&snapshot, *id, Kind::Node, "", "n0")).collect();
        let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options, now: NOW };
        by_id(operation).unwrap().plan(&input).unwrap()
    }

    fn rules(change: impl FnOnce(&mut Rules)) -> Options {
        let mut rules = Rules::default();
        change(&mut rules);
        Options { rules: Arc::new(rules), ..Options::default() }
    }

    fn said(plan: &Plan) -> String {
        let lines = plan.preview.iter().filter(|line| line.label == "rules");
        lines.map(|line| line.text.to_string()).collect::<Vec<_>>().join("\n")
    }

    /// Refused, unless this choice goes beyond it.
    fn refused_until(operation: &str, clusters: &[u16], options: &Options, choice: &str, why: &str) {
        let plan = plan(operation, clusters, options);
        assert_eq!(plan.refusals, [why]);
        assert!(plan.choices.iter().any(|c| c.id == choice && c.chosen == 0), "{:?}", plan.choices);
        let beyond = Options { answers: [(Text::clean(choice), 1)].into(), ..options.clone() };
        let plan = super::tests::plan(operation, clusters, &beyond);
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let line = plan.preview.iter().find(|line| line.text == why).unwrap();
        assert_eq!(line.tone, Tone::Crit, "it is still said");
    }

    #[test]
    fn rules_that_hold_are_shown_together() {
        let plan =
            plan("drain", &[0], &Options { recovery_plans: Arc::new(vec![pair()]), ..Options::default() });
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        assert_eq!(
            said(&plan),
            "✓ 10 % of nodes without a pool: 1 of 1 node  ✓ 1 cluster at once of at most 3\n\
             ✓ 1 pod at once of at most 250  ✓ shop: standby eks untouched"
        );
    }

    #[test]
    fn numbers_at_once_are_limited() {
        let two = rules(|r| r.clusters_at_once = 2);
        let why = "3 clusters at once of at most 2";
        refused_until("cordon", &[0, 1, 2], &two, CLUSTERS, why);
        let none = rules(|r| r.pods_at_once = 1);
        refused_until("drain", &[0, 2], &none, PODS, "2 pods at once of at most 1");
        // What runs counts.
        let running = Options { under_way: Arc::new(vec![plan("drain", &[0], &none)]), ..none };
        refused_until("drain", &[2], &running, PODS, "2 pods at once of at most 1, with what runs");
    }

    #[test]
    fn nothing_is_changed_in_a_freeze_window_but_what_opens_a_node() {
        let frozen = rules(|r| {
            r.freezes = vec![Freeze {
                clusters: "g*".to_owned(),
                why: "sale".into(),
                zone: TimeZone::UTC,
                zone_name: "UTC".into(),
                when: Window::Once(DateTime::MIN, "2027-01-04T06:00".parse::<DateTime>().unwrap()),
            }];
        });
        let why = "gke not to be changed: sale, until 2027-01-04 06:00 UTC";
        refused_until("cordon", &[0], &frozen, FREEZE, why);
        let elsewhere = plan("cordon", &[2], &frozen);
        assert!(elsewhere.refusals.is_empty() && said(&elsewhere).contains("✓ no freeze window"));
        let closed = World::new(0, "gke", Tier::Prod).node_with("n0", "", "", |n| n.unschedulable = true);
        let closed = snapshot(vec![closed]);
        let subjects = [key(&closed, 0, Kind::Node, "", "n0")];
        let input = PlanInput { snapshot: &closed, subjects: &subjects, options: &frozen, now: NOW };
        assert!(by_id("uncordon").unwrap().plan(&input).unwrap().refusals.is_empty());
    }

    #[test]
    fn partners_are_never_changed_at_once() {
        let paired = Options { recovery_plans: Arc::new(vec![pair()]), ..Options::default() };
        let both = plan("cordon", &[0, 1], &paired);
        assert_eq!(both.refusals, ["shop: primary gke and standby eks would be changed at once"]);
        assert!(!both.choices.iter().any(|c| c.text.contains("would be changed")), "it has no way round");
        let running = Options { under_way: Arc::new(vec![plan("drain", &[1], &paired)]), ..paired };
        let beside = plan("drain", &[0], &running);
        assert_eq!(
            beside.refusals,
            ["shop: primary gke and standby eks would be changed at once, with what runs"]
        );
    }

    #[test]
    fn a_failover_is_not_held_up_by_another_plan_for_its_pair() {
        let other = RecoveryFile { name: "shop-too".into(), ..RecoveryFile::clone(&pair()) };
        let wish = Some(RecoveryWish { file: pair(), way: Way::Run });
        let known = Arc::new(vec![pair(), Arc::new(other)]);
        let options = Options { recovery: wish, recovery_plans: known, ..Options::default() };
        let failover = plan("failover", &[], &options);
        assert!(failover.refusals.is_empty(), "{:?}", failover.refusals);
        let both = plan("cordon", &[0, 1], &options);
        assert_eq!(both.refusals.len(), 2, "everybody else is");
    }

    #[test]
    fn a_recovery_holds_its_clusters() {
        let wish = |way| Options { recovery: Some(RecoveryWish { file: pair(), way }), ..Options::default() };
        for way in [Way::Run, Way::Drill] {
            let failover = plan("failover", &[], &wish(way));
            let title = failover.title.clone();
            let running = Options { under_way: Arc::new(vec![failover]), ..Options::default() };
            for (operation, id, name) in [("drain", 1, "eks"), ("cordon", 0, "gke")] {
                let plan = plan(operation, &[id], &running);
                let why = format!("{title} runs and needs {name}: wait until it ends, or stop it");
                assert_eq!(plan.refusals, [why.as_str()]);
            }
            assert!(plan("drain", &[2], &running).refusals.is_empty());
        }
        let running = Arc::new(vec![plan("drain", &[1], &Options::default())]);
        let failover = plan("failover", &[], &Options { under_way: running, ..wish(Way::Run) });
        assert_eq!(failover.refusals, ["drain 1 node runs on eks: wait until it ends, or stop it"]);
    }

    #[test]
    fn two_runs_never_write_to_one_object() {
        let running = Arc::new(vec![plan("drain", &[0], &Options::default())]);
        let options = Options { under_way: running, ..Options::default() };
        assert_eq!(
            plan("cordon", &[0], &options).refusals,
            ["drain 1 node runs and writes to Node n0 too: wait until it ends, or stop it"]
        );
    }
}
