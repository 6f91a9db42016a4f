//! The record of a pod.

use super::{Pool, text_as};
use crate::model::{Kind, Meta, Resources, Text, Time};

/// A pod.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Pod {
    /// What every object has.
    pub meta: Meta,
    /// The node it runs on; empty while it has none.
    pub node: Text,
    /// Where it is in its life.
    pub phase: Phase,
    /// Whether it serves: condition `Ready`.
    pub ready: bool,
    /// When readiness last changed.
    pub ready_since: Option<Time>,
    /// When it was scheduled; `None` while it waits for a node.
    pub scheduled: Option<Time>,
    /// Why it is in this state: the reason of the pod, or of condition `PodScheduled` while that
    /// is false (`Evicted`, `Unschedulable`, …).
    pub reason: Text,
    /// The sentence that goes with it.
    pub message: Text,
    /// When the kubelet took it.
    pub started: Option<Time>,
    /// What it asks for, as the scheduler counts: the larger of init and main containers, and
    /// its overhead.
    pub requests: Resources,
    /// Its containers, sidecars and init containers.
    pub containers: Box<[Container]>,
    /// What drain has to know about it.
    pub traits: Traits,
    /// The claims that it mounts.
    pub claims: Box<[Text]>,
    /// `spec.terminationGracePeriodSeconds`.
    pub grace_seconds: u32,
    /// Who asked it to go: the reason of condition `DisruptionTarget`.
    pub disruption: Text,
}

/// A pod's phase (core/v1 `PodPhase`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, serde::Serialize)]
#[allow(missing_docs, reason = "the words of core/v1")]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
    #[default]
    Unknown,
}

/// A container of a pod.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Container {
    /// Its name.
    pub name: Text,
    /// Its image as the pod asks for it.
    pub image: Text,
    /// Whether it is an init container (sidecars too).
    pub init: bool,
    /// Whether it serves.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// What it does.
    pub state: ContainerState,
    /// Why: `CrashLoopBackOff`, `ImagePullBackOff`, `Completed`, …
    pub reason: Text,
    /// The sentence that goes with it.
    pub message: Text,
    /// Since when.
    pub since: Option<Time>,
    /// How it ended the last time: `OOMKilled`, `Error`.
    pub last_reason: Text,
    /// The exit code of that end.
    pub last_exit: i32,
    /// When that was.
    pub last_ended: Option<Time>,
}

/// What a container does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[allow(missing_docs, reason = "the states of core/v1 ContainerState")]
pub enum ContainerState {
    #[default]
    Waiting,
    Running,
    Terminated,
}

/// What drain has to know about a pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Traits {
    /// A static pod's mirror (annotation `kubernetes.io/config.mirror`): cannot be evicted.
    pub mirror: bool,
    /// Has an `emptyDir` volume: its data goes with it.
    pub empty_dir: bool,
    /// Karpenter must not disrupt it (`karpenter.sh/do-not-disrupt`).
    pub do_not_disrupt: bool,
    /// The cluster autoscaler must not evict it (`cluster-autoscaler.kubernetes.io/safe-to-evict: "false"`).
    pub not_safe_to_evict: bool,
}

impl Phase {
    /// From the API's word.
    #[must_use]
    pub fn parse(word: &str) -> Phase {
        match word {
            "Pending" => Phase::Pending,
            "Running" => Phase::Running,
            "Succeeded" => Phase::Succeeded,
            "Failed" => Phase::Failed,
            _ => Phase::Unknown,
        }
    }

    /// The API's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
            Phase::Unknown => "Unknown",
        }
    }
}

impl Pod {
    /// Whether it ended, well or badly.
    #[must_use]
    pub fn finished(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Restarts of all its containers.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.containers.iter().map(|c| c.restarts).fold(0, u32::saturating_add)
    }

    /// Ready and all main containers: `2/3`.
    #[must_use]
    pub fn ready_counts(&self) -> (usize, usize) {
        let main = self.containers.iter().filter(|c| !c.init);
        (main.clone().filter(|c| c.ready).count(), main.count())
    }

    /// The workload that keeps it, as people call it: the deployment behind its replica set (the
    /// replica set's name ends in the pod's `pod-template-hash`), the stateful set, daemon set or
    /// job; `None` for a pod of its own or of a controller that is not watched.
    #[must_use]
    pub fn workload(&self) -> Option<(Kind, Text)> {
        let owner = self.meta.owner.as_deref()?;
        let kind = Kind::by_kind(&owner.kind)?;
        if kind != Kind::ReplicaSet {
            return Some((kind, owner.name.clone()));
        }
        let hash = self.meta.labels.get("pod-template-hash");
        let deployment = hash.and_then(|hash| owner.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
        Some(match deployment {
            Some(name) => (Kind::Deployment, Text::clean(name)),
            None => (Kind::ReplicaSet, owner.name.clone()),
        })
    }

    /// The word that `kubectl get pods` shows as STATUS, by the rules of its printer
    /// (`kubernetes/kubernetes:pkg/printers/internalversion/printers.go` `printPod`).
    #[must_use]
    pub fn status(&self) -> &str {
        let initialising = self.containers.iter().find(|c| {
            c.init
                && self.phase == Phase::Pending
                && match c.state {
                    ContainerState::Waiting => !c.reason.is_empty() && c.reason != "PodInitializing",
                    ContainerState::Terminated => c.last_exit != 0,
                    ContainerState::Running => false,
                }
        });
        if let Some(container) = initialising {
            return container.reason.as_str();
        }
        if self.meta.deleting.is_some() {
            return if self.reason == "NodeLost" { "Unknown" } else { "Terminating" };
        }
        let stuck = self
            .containers
            .iter()
            .rev()
            .find(|c| !c.init && c.state != ContainerState::Running && !c.reason.is_empty());
        match stuck {
            Some(container) => container.reason.as_str(),
            None if !self.reason.is_empty() && self.scheduled.is_some() => self.reason.as_str(),
            None => self.phase.name(),
        }
    }

    pub(super) fn share(&mut self, pool: &mut dyn Pool, before: Option<&Pod>) {
        text_as(&mut self.node, before.map(|pod| &pod.node), pool);
        text_as(&mut self.reason, before.map(|pod| &pod.reason), pool);
        text_as(&mut self.message, before.map(|pod| &pod.message), pool);
        text_as(&mut self.disruption, before.map(|pod| &pod.disruption), pool);
        for (i, container) in self.containers.iter_mut().enumerate() {
            container.share(pool, before.and_then(|pod| pod.containers.get(i)));
        }
    }
}

impl Container {
    fn share(&mut self, pool: &mut dyn Pool, before: Option<&Container>) {
        text_as(&mut self.name, before.map(|container| &container.name), pool);
        text_as(&mut self.image, before.map(|container| &container.image), pool);
        text_as(&mut self.reason, before.map(|container| &container.reason), pool);
        text_as(&mut self.message, before.map(|container| &container.message), pool);
        text_as(&mut self.last_reason, before.map(|container| &container.last_reason), pool);
    }
}
