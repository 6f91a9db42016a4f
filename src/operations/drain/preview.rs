//! What a drain says before it is done.

use super::budgets::{self, Wait};
use super::pods::{Concern, Fate, OnNode};
use super::{Draft, OneNode, goes};
use crate::model::{ClusterId, Kind, Money, Taint, Text, Tone, Truth};
use crate::operations::subjects::{self, Chosen};
use crate::operations::words::{count, name_of, some};
use crate::operations::{Line, fit, rules};

/// Nodes that are described one by one.
const NAMED: usize = 5;

/// `ip-10-0-232-147  m6i.2xlarge · zone b · pool std · Ready · 23 pods`.
fn node_line(one: &OneNode<'_>) -> Line {
    let node = one.chosen.node;
    let identity = &node.identity;
    let named = |what: &str, name: &Text| (!name.is_empty()).then(|| format!("{what}{name}"));
    let state = match node.ready {
        Truth::True => "Ready",
        Truth::False | Truth::Unknown => "NotReady",
    };
    let cordoned = node.unschedulable.then(|| "cordoned already".to_owned());
    let said = [
        named("", &identity.instance_type),
        named("zone ", &identity.zone),
        named("pool ", &identity.pool),
        Some(state.to_owned()),
        cordoned,
        Some(count(one.pods.len(), "pod")),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    Line::new("node", format!("{}  {}", one.chosen.key.name, said.join(" · ")))
}

/// The question of a concern.
pub(super) fn question(concern: Concern, pods: &[&OnNode<'_>]) -> String {
    let names = some(&pods.iter().map(|on| on.path()).collect::<Vec<_>>(), 3);
    let one = pods.len() == 1;
    match concern {
        Concern::EmptyDir if one => format!("{names} loses its emptyDir"),
        Concern::EmptyDir => format!("{} lose their emptyDir: {names}", pods.len()),
        Concern::Unreplicated => {
            format!("{names} {} no controller: kubectl would refuse here", if one { "has" } else { "have" })
        }
        Concern::Orphan if one => format!("{names} belongs to a DaemonSet that is gone"),
        Concern::Orphan => format!("{names} belong to a DaemonSet that is gone"),
        Concern::DoubleBudget => {
            format!("more than one budget guards {names}: the eviction API refuses that for ever")
        }
    }
}

/// The answers to a concern, the safe one first.
pub(super) fn answers(concern: Concern) -> [&'static str; 2] {
    match concern {
        Concern::EmptyDir => ["leave", "accept"],
        Concern::Unreplicated => ["leave", "evict, it ends"],
        Concern::Orphan => ["leave", "evict"],
        Concern::DoubleBudget => ["leave", "delete, past its budgets"],
    }
}

impl<'a> Draft<'a> {
    pub(super) fn preview(&self, chosen: &[Chosen<'a>], touches: &[ClusterId]) -> Vec<Line> {
        let mut lines: Vec<Line> = self.nodes.iter().take(NAMED).map(node_line).collect();
        for id in touches {
            self.movement(*id, touches.len() > 1, &mut lines);
        }
        lines.extend(self.stays());
        lines.extend(self.notes());
        lines.push(self.touched(touches));
        lines.extend(self.rules(chosen));
        lines.push(Line::new("owner", rules::node_owner(chosen, "nobody reverts a cordon")));
        lines.push(self.cost());
        let kinds = [Kind::Node, Kind::Pod, Kind::Budget];
        let old = subjects::stale(chosen, &kinds, self.input.now);
        lines.extend(old.into_iter().map(|text| Line::new("old", text).toned(Tone::Unseen)));
        lines
    }

    /// What moves and what waits, in one cluster; `named` where there are several.
    fn movement(&self, id: ClusterId, named: bool, lines: &mut Vec<Line>) {
        let prefix = if named { format!("{}: ", name_of(&self.snapshot().fleet, id)) } else { String::new() };
        let mine = self.nodes.iter().filter(|n| n.chosen.cluster.id == id);
        let going: Vec<&OnNode<'a>> = mine.flat_map(|n| n.going(self.options())).collect();
        let held: Vec<&OnNode<'a>> =
            going.iter().copied().filter(|on| !on.concerns().contains(&Concern::DoubleBudget)).collect();
        let waits: Vec<Wait<'_>> = budgets::waits(&held).into_iter().filter(|w| w.waits > 0).collect();
        let waiting: usize = waits.iter().map(|w| w.waits).sum();
        let (sentence, tone) = self.fit(id);
        if going.is_empty() {
            lines.push(Line::new("will move", format!("{prefix}no pod")).counted(0));
            return;
        }
        let moving = going.len() - waiting;
        lines.push(Line::new("will move", format!("{prefix}{sentence}")).counted(moving).toned(tone));
        for wait in waits {
            let text = format!("{prefix}{}", wait.sentence());
            lines.push(Line::new("will wait", text).counted(wait.waits).toned(wait.tone()));
        }
    }

    /// What the bill would lose if the empty nodes were removed; moving pods alone costs nothing.
    fn cost(&self) -> Line {
        let nodes = self.nodes.iter().map(|n| n.chosen.cluster.price(n.chosen.node));
        let (mut sum, mut about, mut unknown) = (Money::ZERO, false, 0);
        for price in nodes {
            match price.rate {
                Some(rate) => (sum, about) = (sum + rate, about || price.basis.approximate()),
                None => unknown += 1,
            }
        }
        let what = if self.nodes.len() == 1 { "the node" } else { "the nodes" };
        let about = if about { "~" } else { "" };
        let rest = match unknown {
            0 => format!("{about}-${sum}/h if {what} is removed"),
            n if n == self.nodes.len() => format!("no price is known for {what}"),
            n => format!("{about}-${sum}/h +? if {what} are removed; {n} without a price"),
        };
        let rest = if self.nodes.len() > 1 { rest.replace(" is removed", " are removed") } else { rest };
        Line::new("cost", format!("$0.00/h now; {rest}"))
    }

    /// Where the pods that move could start, by requests alone: the pools of their nodes first.
    fn fit(&self, id: ClusterId) -> (String, Tone) {
        let mut demands = self.demands(id);
        let total = demands.len();
        let mine: Vec<_> = self.nodes.iter().filter(|n| n.chosen.cluster.id == id).collect();
        let Some(cluster) = mine.first().map(|n| n.chosen.cluster).filter(|_| total > 0) else {
            return ("none of them starts elsewhere".to_owned(), Tone::Ok);
        };
        if let Some(why) = fit::unknown(cluster) {
            return (format!("whether they fit elsewhere {why}"), Tone::Warn);
        }
        let taints: Vec<Taint> = mine.iter().flat_map(|n| n.chosen.node.taints.iter().cloned()).collect();
        let pools: Vec<&Text> = mine.iter().map(|n| &n.chosen.node.identity.pool).collect();
        let chosen = |name: &Text| mine.iter().any(|n| n.chosen.key.name == *name);
        let pool = |node: &crate::model::Node| pools.contains(&&node.identity.pool);
        let mut same = fit::rooms(cluster, &taints, |n| !chosen(&n.meta.name) && pool(n));
        let mut other = fit::rooms(cluster, &taints, |n| !chosen(&n.meta.name) && !pool(n));
        let free = fit::free(&same);
        let place = place_name(&pools, &same);
        let here = fit::place(&mut same, &mut demands);
        let there = fit::place(&mut other, &mut demands);
        match (here, there, demands.len()) {
            (_, 0, 0) => (format!("fit in {place} by requests: yes, {free} free there"), Tone::Ok),
            (_, _, 0) => (format!("fit by requests: {here} in {place}, {there} in other pools"), Tone::Ok),
            (_, _, none) => {
                let text = format!(
                    "{} of {total} fit by requests ({here} in {place}); {none} wait for a new node",
                    here + there
                );
                (text, Tone::Warn)
            }
        }
    }

    fn stays(&self) -> Vec<Line> {
        let with = |fate: &Fate| self.all().filter(|(_, on)| on.fate == *fate).count();
        let left: Vec<String> = self
            .all()
            .filter(|(_, on)| matches!(on.fate, Fate::Goes(_)) && !goes(on, self.options()))
            .map(|(_, on)| on.path())
            .collect();
        let pods = |number: usize, what: &str, rest: &str| {
            format!("{what} pod{}{rest}", if number == 1 { "" } else { "s" })
        };
        let mut lines = Vec::new();
        let mut say = |number: usize, text: String| {
            if number > 0 {
                lines.push(Line::new("stays", text).counted(number));
            }
        };
        let daemons = with(&Fate::DaemonSet);
        say(daemons, pods(daemons, "DaemonSet", ""));
        let mirrors = with(&Fate::Mirror);
        say(mirrors, pods(mirrors, "static", ", ended by the kubelet only"));
        let others = with(&Fate::NotSelected);
        say(others, format!("not of {}", self.options().pod_selector));
        say(left.len(), format!("left until you choose: {}", some(&left, 3)));
        lines
    }

    fn notes(&self) -> Vec<Line> {
        let going: Vec<&OnNode<'a>> = self.nodes.iter().flat_map(|n| n.going(self.options())).collect();
        let mut lines = Vec::new();
        let mut note = |who: Vec<&&OnNode<'a>>, what: &str| {
            if !who.is_empty() {
                let names: Vec<String> = who.iter().map(|on| on.path()).collect();
                let text = format!("{what}: {}", some(&names, 3));
                lines.push(Line::new("note", text).counted(who.len()).toned(Tone::Warn));
            }
        };
        let by = |has: fn(&OnNode<'a>) -> bool| going.iter().filter(|on| has(on)).collect::<Vec<_>>();
        note(
            by(|on| on.pod.traits.do_not_disrupt),
            "karpenter.sh/do-not-disrupt is set; a drain does not heed it",
        );
        note(
            by(|on| on.pod.traits.not_safe_to_evict),
            "safe-to-evict is \"false\"; a drain does not heed it",
        );
        note(by(|on| on.pod.meta.deleting.is_some()), "already being deleted");
        let stops = self.stops_kubectl();
        if !stops.is_empty() {
            let text = format!("kubectl would evict nothing while {} stay", some(&stops, 3));
            let text = if stops.len() == 1 { text.replace(" stay", " stays") } else { text };
            lines.push(Line::new("note", text));
        }
        if self.options().grace == Some(0) {
            lines.push(
                Line::new("note", "grace 0 kills at once: nothing is shut down in order").toned(Tone::Crit),
            );
        }
        for node in &self.nodes {
            if node.chosen.cluster.table(Kind::Budget).synced.is_none() {
                let text = format!(
                    "budgets of {} are not known: what waits is seen on the way",
                    node.chosen.cluster.info.name
                );
                if !lines.iter().any(|line| line.text == text.as_str()) {
                    lines.push(Line::new("note", text).toned(Tone::Warn));
                }
            }
        }
        lines
    }

    fn touched(&self, touches: &[ClusterId]) -> Line {
        let pods: usize = self.nodes.iter().map(|n| n.going(self.options()).len()).sum();
        let mut workloads: Vec<_> = self.nodes.iter().flat_map(|n| self.workloads(n)).collect();
        workloads.sort_unstable();
        workloads.dedup();
        let text = [
            count(touches.len(), "cluster"),
            count(self.nodes.len(), "node"),
            count(pods, "pod"),
            count(workloads.len(), "workload"),
        ];
        Line::new("touches", text.join(", "))
    }

    fn rules(&self, chosen: &[Chosen<'a>]) -> Vec<Line> {
        let mut lines: Vec<Line> = self.shares(chosen).iter().map(|share| share.line(Tone::Crit)).collect();
        if chosen.len() > 1 && self.options().rules.one_zone {
            let zones = rules::zones(chosen);
            let tone = if zones.len() > 1 { Tone::Crit } else { Tone::Ok };
            lines.push(Line::new("rules", "one zone at a time").toned(tone));
        }
        lines
    }
}

/// `pool std, zones c and d`; zones by their last part where they share the rest.
fn place_name(pools: &[&Text], rooms: &[fit::Room<'_>]) -> String {
    let mut names: Vec<&Text> = pools.to_vec();
    names.sort_unstable();
    names.dedup();
    let pool = match names[..] {
        [one] if one.is_empty() => "nodes without a pool".to_owned(),
        [one] => format!("pool {one}"),
        _ => "their pools".to_owned(),
    };
    let mut zones: Vec<&Text> =
        rooms.iter().map(|r| &r.node.identity.zone).filter(|z| !z.is_empty()).collect();
    zones.sort_unstable();
    zones.dedup();
    match zones[..] {
        [] => pool,
        [one] => format!("{pool}, zone {one}"),
        _ => format!("{pool}, zones {}", some(&zones, 3)),
    }
}
