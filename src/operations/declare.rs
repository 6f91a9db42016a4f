//! What operations there are, and what each needs to make a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Plan, Replicas, WhileRun, cordon, delete, drain, failover, fleet, restart, roll_back, scale};
use crate::model::{Fleet, Kind, ObjectKey, Rules, Span, Text, Time};
use crate::views::Snapshot;

/// An operation: how it is called, what it acts on, how its plan is made.
#[derive(Clone, Copy, Debug)]
pub struct OperationDecl {
    /// The command's name and [`Plan::operation`]: `drain`.
    pub id: &'static str,
    /// For menus: `drain the node`.
    pub title: &'static str,
    /// The key that opens its plan.
    pub key: char,
    /// The kinds of objects that it acts on. Empty: it acts on no object but on a recovery plan
    /// (see [`Options::recovery`]).
    pub applies_to: &'static [Kind],
    /// Makes the plan by its own lights, or says in a few words why there is none: the menu shows
    /// them. [`OperationDecl::plan`] lays the fleet's rules over it.
    pub draft: fn(&PlanInput<'_>) -> Result<Plan, Text>,
    /// What it does, in a sentence or two, for the help.
    pub doc: &'static str,
}

impl OperationDecl {
    /// Makes the plan, checked against the fleet's rules and against what runs.
    ///
    /// # Errors
    /// Why there is none, in a few words.
    pub fn plan(&self, input: &PlanInput<'_>) -> Result<Plan, Text> {
        (self.draft)(input).map(|plan| fleet::checked(named(plan, &input.snapshot.fleet), input))
    }
}

/// The plan with the cluster's name in the title of each step, where it writes to several.
fn named(mut plan: Plan, fleet: &Fleet) -> Plan {
    if plan.touches.len() < 2 {
        return plan;
    }
    for step in &mut plan.steps {
        let Some(cluster) = step.action.cluster().and_then(|id| fleet.cluster(id)) else { continue };
        let name = &cluster.info.name;
        if !step.title.split_whitespace().any(|word| word == name.as_str()) {
            step.title = Text::from(format!("{name}: {}", step.title));
        }
    }
    plan
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// The fleet.
    pub snapshot: &'a Snapshot,
    /// What was chosen.
    pub subjects: &'a [ObjectKey],
    /// What was decided.
    pub options: &'a Options,
    /// The time.
    pub now: Time,
}

/// What a person decides about a plan.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Options {
    /// The chosen answer of each choice, by [`super::Choice::id`]; the first, safe one when missing.
    pub answers: BTreeMap<Text, usize>,
    /// Replicas to scale to.
    pub replicas: Option<Replicas>,
    /// For scaling: only as long as this run goes on, then back.
    pub while_run: Option<WhileRun>,
    /// When the plan was first asked for. A plan that names a moment names this one, so that it
    /// stays the same plan when it is made again.
    pub asked: Option<Time>,
    /// How many pods of a node may be on their way out at a time; as many as the budgets let when
    /// missing.
    pub at_once: Option<u32>,
    /// Overrides the grace period of every pod that is evicted, in seconds (kubectl's
    /// `--grace-period`); 0 kills at once.
    pub grace: Option<u32>,
    /// How long emptying one node may take (kubectl's `--timeout`); 30 minutes when missing, and no
    /// limit when zero, as for kubectl.
    pub timeout: Option<Span>,
    /// Only pods with these labels are evicted: `app=pay,tier!=web` (kubectl's `--pod-selector`).
    pub pod_selector: Text,
    /// For a failover: which recovery plan, and which way.
    pub recovery: Option<super::RecoveryWish>,
    /// Every recovery plan that is known: nothing but itself may touch both partners of one.
    pub recovery_plans: Arc<Vec<Arc<super::RecoveryFile>>>,
    /// For putting back: the run that was cut off.
    pub unfinished: Option<Arc<super::Unfinished>>,
    /// The fleet's own rules.
    pub rules: Arc<Rules>,
    /// What runs: it counts for the rules, and a plan must not cross it.
    pub under_way: Arc<Vec<Plan>>,
    /// What other processes run: the same holds for it.
    pub elsewhere: Arc<Vec<super::Elsewhere>>,
}

impl Options {
    /// The chosen answer of a choice; the safe one when nobody chose.
    #[must_use]
    pub fn answer(&self, choice: &str) -> usize {
        self.answers.get(choice).copied().unwrap_or(0)
    }
}

/// Every operation, in the order of the menu.
pub const ALL: &[OperationDecl] = &[
    cordon::CORDON,
    cordon::UNCORDON,
    drain::DRAIN,
    scale::SCALE,
    restart::RESTART,
    roll_back::ROLL_BACK,
    delete::DELETE,
    failover::FAILOVER,
];

/// The operation of this id.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static OperationDecl> {
    ALL.iter().find(|operation| operation.id == id)
}

/// The operations that act on this kind, in the order of the menu.
pub fn for_kind(kind: Kind) -> impl Iterator<Item = &'static OperationDecl> {
    ALL.iter().filter(move |operation| operation.applies_to.contains(&kind))
}
