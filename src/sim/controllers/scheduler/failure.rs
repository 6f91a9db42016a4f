//! Why no node takes a pod, in the scheduler's words (`framework.FitError`).

use std::collections::BTreeMap;

use super::filter::NO_PORTS;
use crate::sim::fields::text;
use crate::sim::json::Value;

/// Why each node does not take a pod.
#[derive(Debug, Default)]
pub(super) struct Failure {
    nodes: usize,
    /// A reason that has nothing to do with nodes.
    pod: Option<String>,
    reasons: BTreeMap<String, usize>,
    /// Nodes that would take it if pods of theirs were gone.
    pub(super) crowded: Vec<String>,
}

/// Reasons that go away when pods do.
fn passes(reason: &str) -> bool {
    const WITH_PODS: [&str; 5] = [
        "Too many pods",
        NO_PORTS,
        "node(s) didn't match pod anti-affinity rules",
        "node(s) didn't satisfy existing pods anti-affinity rules",
        "node(s) didn't match pod topology spread constraints",
    ];
    reason.starts_with("Insufficient") || WITH_PODS.contains(&reason)
}

impl Failure {
    /// A pod that goes nowhere, whatever the nodes.
    pub(super) fn of_all(nodes: usize, why: String) -> Failure {
        Failure { nodes, pod: Some(why), ..Failure::default() }
    }

    /// Takes note of why a node does not do.
    pub(super) fn add(&mut self, node: &str, reasons: Vec<String>) {
        self.nodes += 1;
        if reasons.iter().all(|r| passes(r)) {
            self.crowded.push(node.to_owned());
        }
        for reason in reasons {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// Takes note of nodes that were not looked at for the same reason.
    pub(super) fn pass_over(&mut self, nodes: usize, reason: &str) {
        self.nodes += nodes;
        if nodes > 0 {
            self.reasons.insert(reason.to_owned(), nodes);
        }
    }

    /// The message, when something is done about it.
    pub(super) fn said(&self) -> String {
        if self.nodes == 0 {
            return "no nodes available to schedule pods".into();
        }
        if let Some(why) = &self.pod {
            return format!("0/{} nodes are available: {why}.", self.nodes);
        }
        let parts = counted(self.reasons.iter().map(|(reason, n)| (reason.as_str(), *n)));
        format!("0/{} nodes are available: {parts}.", self.nodes)
    }

    /// The message, when no pod can go for this one.
    pub(super) fn said_without_victims(&self, pod: &Value) -> String {
        if self.nodes == 0 {
            return self.said();
        }
        if text(pod, "spec.preemptionPolicy") == "Never" {
            let why = "not eligible due to preemptionPolicy=Never.";
            return format!("{} no new claims to deallocate, preemption: {why}", self.said());
        }
        let crowded = self.crowded.len();
        let parts = counted([
            ("No preemption victims found for incoming pod", crowded),
            ("Preemption is not helpful for scheduling", self.nodes - crowded),
        ]);
        let nodes = self.nodes;
        format!(
            "{} no new claims to deallocate, preemption: 0/{nodes} nodes are available: {parts}.",
            self.said()
        )
    }
}

/// Reasons with their counts, in the order of their text.
fn counted<'a>(reasons: impl IntoIterator<Item = (&'a str, usize)>) -> String {
    let said = reasons.into_iter().filter(|(_, n)| *n > 0).map(|(reason, n)| format!("{n} {reason}"));
    let mut parts: Vec<String> = said.collect();
    parts.sort_unstable();
    parts.join(", ")
}
