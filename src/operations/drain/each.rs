//! What becomes of each pod of the nodes, a line each.

use super::pods::{Concern, Fate, OnNode};
use super::{Draft, budgets, goes, preview};
use crate::model::{Budget, Text, Tone};
use crate::operations::Line;

impl<'a> Draft<'a> {
    /// Every pod, node by node: those that go in the order in which they are asked for, then those
    /// that are somebody's choice, then those that stay.
    pub(super) fn objects(&self) -> Vec<Line> {
        let several = self.nodes.len() > 1;
        let mut lines = Vec::new();
        for node in &self.nodes {
            let place = if several { format!("{}: ", node.chosen.key.name) } else { String::new() };
            let going = node.going(self.options());
            let held = budgets::held(&going);
            lines.extend(going.iter().zip(held).map(|(on, held)| self.going_line(on, held, &place)));
            let mut left: Vec<Line> = node
                .pods
                .iter()
                .filter(|on| !goes(on, self.options()))
                .map(|on| self.left_line(on, &place))
                .collect();
            left.sort_by_key(|line| line.label != "your choice");
            lines.extend(left);
        }
        lines
    }

    fn going_line(&self, on: &OnNode<'a>, held: Option<&Budget>, place: &str) -> Line {
        let grace = self.options().grace.unwrap_or(on.pod.grace_seconds);
        let mut text = format!("{place}{}  grace {grace} s", on.path());
        if let Some(budget) = held {
            let (name, needed, healthy) = (&budget.meta.name, budget.needed, budget.healthy);
            text.push_str(&format!(", budget {name} needs {needed} healthy and has {healthy}"));
        }
        for concern in on.concerns() {
            text.push_str(&format!(", {}: {}", about(*concern), preview::answers(*concern)[1]));
        }
        let tone = if held.is_some() { Tone::Warn } else { Tone::Ok };
        Line::new(if held.is_some() { "will wait" } else { "will move" }, text).toned(tone)
    }

    fn left_line(&self, on: &OnNode<'a>, place: &str) -> Line {
        let path = on.path();
        let line = |label: &str, why: &str| Line::new(label, Text::from(format!("{place}{path}  {why}")));
        match &on.fate {
            Fate::DaemonSet => line("stays", "DaemonSet"),
            Fate::Mirror => line("stays", "static, ended by the kubelet only"),
            Fate::NotSelected => line("stays", "not selected"),
            Fate::Goes(concerns) => {
                let open = concerns.iter().filter(|c| self.options().answer(c.id()) == 0);
                let why: Vec<&str> = open.map(|concern| about(*concern)).collect();
                line("your choice", &format!("left: {}", why.join(", "))).toned(Tone::Warn)
            }
        }
    }
}

/// What a concern is about.
fn about(concern: Concern) -> &'static str {
    match concern {
        Concern::Orphan => "its DaemonSet is gone",
        Concern::EmptyDir => "emptyDir",
        Concern::Unreplicated => "no controller",
        Concern::DoubleBudget => "more than one budget",
    }
}
