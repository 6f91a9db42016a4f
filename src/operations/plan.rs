//! Plans: what would be done, shown before it is done.

use crate::model::{ClusterId, Kind, ObjectKey, Span, Text, Time, Tone, Uid, Version};

/// What an operation would do, complete before anything is sent.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Plan {
    /// The operation: `drain`, `cordon`, `failover`.
    pub operation: &'static str,
    /// `drain 1 node`.
    pub title: Text,
    /// What was chosen.
    pub subjects: Vec<ObjectKey>,
    /// The clusters that it writes to; each must be armed.
    pub touches: Vec<ClusterId>,
    /// When it was made.
    pub made: Time,
    /// What will happen, in the order in which it is read.
    pub preview: Vec<Line>,
    /// The objects that it concerns, a line each: what becomes of every single one.
    pub objects: Vec<Line>,
    /// What the person may decide. Deciding makes the plan again.
    pub choices: Vec<Choice>,
    /// What will be done, in order.
    pub steps: Vec<Step>,
    /// Why it must not run as it is. While there is any, it cannot be confirmed.
    pub refusals: Vec<Text>,
    /// The commands that do the same with kubectl.
    pub kubectl: Vec<String>,
    /// What has to be typed.
    pub confirmation: Confirmation,
    /// The readings that it rests on: when one changes, the plan is made again.
    pub rests_on: Vec<(ObjectKey, Version)>,
    /// Whether it changes nothing that outlasts it, as a drill does.
    pub drill: bool,
    /// For a failover: where its reports are named after, and what recovery time was promised.
    pub recovery: Option<Recovery>,
}

/// What a failover or a drill is measured by.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Recovery {
    /// The recovery plan's name.
    pub name: Text,
    /// The cluster that served. On the way back that is the standby of the recovery plan.
    pub from: ClusterId,
    /// The cluster that takes over.
    pub to: ClusterId,
    /// The recovery time that the file promises.
    pub target: Option<Span>,
    /// Whether the cluster that served is left serving by choice.
    pub both_serve: bool,
}

/// A line of a preview.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Line {
    /// `will move`, `will wait`, `stays`, `rules`, `allowed`, `cost`, …
    pub label: Text,
    /// How many, where it counts something.
    pub count: Option<u32>,
    /// The sentence.
    pub text: Text,
    /// How worrying it is.
    pub tone: Tone,
}

/// A decision that is the person's.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Choice {
    /// What it is about, for the operation.
    pub id: Text,
    /// The question.
    pub text: Text,
    /// The answers; the first is the safe one.
    pub answers: Vec<Text>,
    /// The chosen answer.
    pub chosen: usize,
}

/// What has to be typed before a plan runs.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Confirmation {
    /// `yes`; for a production cluster its name; for several clusters `6 clusters`.
    pub word: Text,
}

/// One step.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Step {
    /// `cordon the node`.
    pub title: Text,
    /// How it is undone, for people; empty when it cannot be.
    pub way_back: Text,
    /// What undoes it, when the run is stopped and the person wants that.
    pub undo: Vec<Action>,
    /// How long it may take; past it the run stops with what is left named.
    pub deadline: Option<Span>,
    /// What may go wrong with it without ending the run.
    pub tolerance: Tolerance,
    /// What is done.
    pub action: Action,
}

/// What may go wrong with a step without ending the run.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub enum Tolerance {
    /// Nothing: the run ends when it fails or is late.
    Nothing,
    /// Its cluster does not answer, and the rest does not need it: the run goes on, and this is
    /// left to be done there when it answers again. A refusal still ends the run.
    Silence(Text),
    /// Everything: how it ends is a fact to report.
    Anything,
}

/// What a step does.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub enum Action {
    /// Patches one object.
    Patch(Patch),
    /// Evicts pods, side by side, as fast as their budgets open, and waits until they are gone.
    Evict {
        /// The node that is emptied, for messages.
        node: Target,
        /// The pods.
        pods: Vec<EvictPod>,
        /// Overrides every pod's own grace period, in seconds.
        grace: Option<u32>,
        /// How many may be on their way out at a time; as many as the budgets let when missing.
        at_once: Option<u32>,
        /// The pods of the node that the plan leaves where they are. They say nothing about what is
        /// done, so two plans that differ in them only have one hash.
        #[serde(skip)]
        kept: Vec<Uid>,
        /// Only pods with these labels go; every one when empty.
        #[serde(skip)]
        selector: Text,
    },
    /// Puts a Deployment's pod template back to what one of its ReplicaSets has.
    RollBack(RollBack),
    /// Deletes an object, what it owns after it (propagation `Background`), and waits until it is gone.
    Delete(Target),
    /// Waits until these workloads have their replicas ready.
    AwaitReady(Vec<ReadyTarget>),
    /// Waits until the newest template of this workload is rolled out, by the rules of
    /// `kubectl rollout status` (`kubernetes/kubectl:pkg/polymorphichelpers/rollout_status.go`).
    AwaitRollout(Target),
    /// Waits until another run of this process is over, however it ends.
    AwaitRun(super::OpId),
    /// Waits until a probe answers well.
    Probe(Probe),
    /// Reads a cluster's health and notes it as evidence; it never writes.
    Assess(ClusterId),
}

/// One object to write to.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Target {
    /// The cluster.
    pub cluster: ClusterId,
    /// `v1`, `apps/v1`, `k8gb.io/v1beta1`.
    pub api: Text,
    /// The resource in paths: `nodes`, `deployments`.
    pub plural: Text,
    /// Its kind, for people.
    pub kind: Text,
    /// Its namespace; empty when it has none.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// The uid it must have, when it is known.
    pub uid: Option<Uid>,
}

/// A patch of one object.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Patch {
    /// What is patched.
    pub target: Target,
    /// `scale`, `status`; empty for the object itself.
    pub subresource: &'static str,
    /// How the patch is meant.
    pub kind: PatchKind,
    /// The patch.
    pub body: serde_json::Value,
}

/// A way back through a Deployment's ReplicaSets: the template itself is read when it is sent.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct RollBack {
    /// The Deployment.
    pub target: Target,
    /// The ReplicaSet whose template it gets.
    pub to: Target,
    /// The number of that ReplicaSet's rollout (annotation `deployment.kubernetes.io/revision`).
    pub revision: Text,
}

/// How a patch is meant (`Content-Type` of the request).
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchKind {
    /// `application/merge-patch+json`.
    Merge,
    /// `application/strategic-merge-patch+json`; built-in kinds only.
    Strategic,
    /// `application/json-patch+json`.
    Json,
}

/// A pod to evict.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct EvictPod {
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// The uid it must have: a new pod of the same name is another pod.
    pub uid: Uid,
    /// The budgets that guard it, by name.
    pub budgets: Vec<Text>,
    /// Its grace period, for the screen.
    pub grace: u32,
    /// The workload that it belongs to, for the screen: kind and name.
    pub owner: Option<(Text, Text)>,
    /// Two budgets guard it, the eviction API refuses such a pod for ever (HTTP 500), and the
    /// person chose to delete it instead.
    pub delete: bool,
}

/// A workload that must become ready.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct ReadyTarget {
    /// The workload.
    pub target: Target,
    /// What kind, for looking at snapshots.
    pub kind: Kind,
    /// Ready replicas that it must have.
    pub replicas: u32,
    /// Whether it need have no more of them than are wanted when it is looked at: an autoscaler may
    /// take some away meanwhile, and a workload that somebody deleted needs none.
    pub as_wanted: bool,
}

/// How it is known that the standby serves.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub enum Probe {
    /// A GET that must answer with this status.
    Http {
        /// `https://…` or `http://…`.
        url: Text,
        /// The status that counts as good; 200 unless the file says otherwise.
        status: u16,
        /// How long between tries.
        every: Span,
    },
    /// Every workload is ready.
    Ready(Vec<ReadyTarget>),
}

impl Action {
    /// The cluster that it writes to or looks at; `None` for one that is on no single cluster.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterId> {
        match self {
            Action::Patch(patch) => Some(patch.target.cluster),
            Action::Evict { node, .. } => Some(node.cluster),
            Action::Assess(cluster) => Some(*cluster),
            Action::RollBack(back) => Some(back.target.cluster),
            Action::Delete(target) | Action::AwaitRollout(target) => Some(target.cluster),
            Action::AwaitReady(_) | Action::AwaitRun(_) | Action::Probe(_) => None,
        }
    }
}

impl Action {
    /// What it writes to; `None` for one that only looks or waits. An eviction counts as a write to
    /// its node.
    #[must_use]
    pub fn writes_to(&self) -> Option<&Target> {
        match self {
            Action::Patch(patch) => Some(&patch.target),
            Action::Evict { node, .. } => Some(node),
            Action::RollBack(back) => Some(&back.target),
            Action::Delete(target) => Some(target),
            Action::AwaitReady(_)
            | Action::AwaitRollout(_)
            | Action::AwaitRun(_)
            | Action::Probe(_)
            | Action::Assess(_) => None,
        }
    }
}

impl Target {
    /// `kind namespace/name`, for people.
    #[must_use]
    pub fn title(&self) -> String {
        if self.namespace.is_empty() {
            format!("{} {}", self.kind, self.name)
        } else {
            format!("{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

impl Line {
    /// A line of a preview.
    #[must_use]
    pub fn new(label: &str, text: impl Into<Text>) -> Line {
        Line { label: Text::clean(label), count: None, text: text.into(), tone: Tone::Ok }
    }

    /// The same line with a number.
    #[must_use]
    pub fn counted(self, count: usize) -> Line {
        Line { count: u32::try_from(count).ok(), ..self }
    }

    /// The same line with a tone.
    #[must_use]
    pub fn toned(self, tone: Tone) -> Line {
        Line { tone, ..self }
    }
}
