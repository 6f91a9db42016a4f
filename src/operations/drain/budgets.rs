//! Pods × budgets: which evictions the server would allow now, and what the others wait for.
//!
//! The arithmetic is that of the apiserver's eviction handler
//! (`kubernetes/kubernetes:pkg/registry/core/pod/storage/eviction.go`).

use super::pods::OnNode;
use crate::model::{Budget, Tone, Uid, UnhealthyPolicy};

/// What one budget does to a plan.
#[derive(Clone, Debug)]
pub(super) struct Wait<'a> {
    pub(super) budget: &'a Budget,
    /// Pods that go now.
    pub(super) now: usize,
    /// Pods that wait until it opens.
    pub(super) waits: usize,
    /// Of those that wait, the ones that are not ready themselves.
    unready: usize,
}

/// Whether a budget lets a pod go whatever it allows: the pod is not ready, and the budget says
/// `AlwaysAllow`, or has the healthy pods that it needs.
pub(super) fn lets_unready_go(budget: &Budget, ready: bool) -> bool {
    let healthy = budget.healthy >= budget.needed && budget.needed > 0;
    !ready && (budget.unhealthy == UnhealthyPolicy::AlwaysAllow || healthy)
}

/// The budgets that must be asked for this pod: none for a pod that none of them can hold.
pub(super) fn asked<'a>(on: &OnNode<'a>) -> Vec<&'a Budget> {
    let passes = on.budgets.len() == 1 && lets_unready_go(on.budgets[0], on.pod.ready);
    if on.free_of_budgets() || passes { Vec::new() } else { on.budgets.clone() }
}

/// For each of these pods, in the order in which they come, the budget that it waits for; `None`
/// for one that goes at once.
pub(super) fn held<'a>(pods: &[&OnNode<'a>]) -> Vec<Option<&'a Budget>> {
    let mut let_go: Vec<(Uid, u32)> = Vec::new();
    let mut held = |on: &&OnNode<'a>| {
        let [budget] = asked(on)[..] else { return None };
        let index = let_go.iter().position(|(uid, _)| *uid == budget.meta.uid).unwrap_or_else(|| {
            let_go.push((budget.meta.uid, 0));
            let_go.len() - 1
        });
        let now = &mut let_go[index].1;
        if behind(budget) || *now >= budget.allowed {
            return Some(budget);
        }
        *now += 1;
        None
    };
    pods.iter().map(&mut held).collect()
}

/// What every budget of these pods does, in the order in which the pods come. Pods that are to be
/// deleted past their budgets are not among them.
pub(super) fn waits<'a>(pods: &[&OnNode<'a>]) -> Vec<Wait<'a>> {
    let mut found: Vec<Wait<'a>> = Vec::new();
    for (on, held) in pods.iter().zip(held(pods)) {
        let [budget] = asked(on)[..] else { continue };
        let is = |uid: Uid| move |w: &Wait<'_>| w.budget.meta.uid == uid;
        let index = found.iter().position(is(budget.meta.uid)).unwrap_or_else(|| {
            found.push(Wait { budget, now: 0, waits: 0, unready: 0 });
            found.len() - 1
        });
        let wait = &mut found[index];
        if held.is_some() {
            wait.waits += 1;
            wait.unready += usize::from(!on.pod.ready);
        } else {
            wait.now += 1;
        }
    }
    found
}

/// Whether the budget's status speaks of an older spec: then the server refuses for a while.
fn behind(budget: &Budget) -> bool {
    budget.observed < budget.generation
}

impl Wait<'_> {
    /// What it waits for.
    pub(super) fn sentence(&self) -> String {
        let b = self.budget;
        let name = format!("budget {}/{}", b.meta.namespace, b.meta.name);
        let unready = match self.unready {
            0 => String::new(),
            n => format!("; {n} of them not Ready, and its policy holds those too"),
        };
        if behind(b) {
            return format!("{name} is being worked out by the server: asked again until it is");
        }
        let has = format!("needs {} healthy and has {}", b.needed, b.healthy);
        if self.never_opens() {
            return format!(
                "{name} needs all {} healthy: it never opens by itself; scale up or change it",
                b.expected
            );
        }
        if b.allowed > 0 {
            return format!("{name} lets {} go at a time: {has}{unready}", b.allowed);
        }
        let missing = (b.needed + 1).saturating_sub(b.healthy).max(1) as usize;
        let verb = if missing == 1 { "is" } else { "are" };
        format!("{name} {has}: opens when {missing} more {verb} Ready{unready}")
    }

    /// Whether it stays shut even when every pod that it counts is healthy.
    pub(super) fn never_opens(&self) -> bool {
        let b = self.budget;
        !behind(b) && b.allowed == 0 && b.expected > 0 && b.needed >= b.expected
    }

    pub(super) fn tone(&self) -> Tone {
        if self.never_opens() { Tone::Crit } else { Tone::Warn }
    }
}
