//! The record of a node.

use super::Pool;
use crate::model::{Identity, Meta, Resources, Text, Time, Truth};

/// A node.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Node {
    /// What every object has.
    pub meta: Meta,
    /// Provider, region, zone, type, pool.
    pub identity: Identity,
    /// `spec.providerID`.
    pub provider_id: Text,
    /// Cordoned: `spec.unschedulable`.
    pub unschedulable: bool,
    /// Its taints.
    pub taints: Box<[Taint]>,
    /// What the machine has.
    pub capacity: Resources,
    /// What pods may ask for.
    pub allocatable: Resources,
    /// The model of its GPUs, if a label names it.
    pub gpu_model: Text,
    /// Whether the kubelet says ready; unknown when its heartbeats stopped.
    pub ready: Truth,
    /// When that last changed.
    pub ready_since: Option<Time>,
    /// Why it is not ready.
    pub ready_reason: Text,
    /// Conditions that are bad and true: pressures and what the problem detector found.
    pub troubles: Box<[NodeCondition]>,
    /// `v1.36.3-eks-…`.
    pub kubelet_version: Text,
    /// `amd64`.
    pub arch: Text,
    /// `linux`.
    pub os: Text,
}

/// A taint.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[allow(missing_docs, reason = "the fields of core/v1 Taint")]
pub struct Taint {
    pub key: Text,
    pub value: Text,
    pub effect: Text,
}

/// A bad condition that holds.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[allow(missing_docs, reason = "the fields of core/v1 NodeCondition")]
pub struct NodeCondition {
    pub kind: Text,
    pub reason: Text,
    pub since: Option<Time>,
}

impl Node {
    /// Whether a taint with this key is set.
    #[must_use]
    pub fn tainted(&self, key: &str) -> bool {
        self.taints.iter().any(|t| t.key == key)
    }

    /// Whether new pods may come here: ready, not cordoned, no `NoSchedule` or `NoExecute` taint.
    #[must_use]
    pub fn open(&self) -> bool {
        self.ready == Truth::True
            && !self.unschedulable
            && self.meta.deleting.is_none()
            && self.taints.iter().all(|t| t.effect == "PreferNoSchedule")
    }

    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        let identity = &mut self.identity;
        for text in
            [&mut identity.region, &mut identity.zone, &mut identity.instance_type, &mut identity.pool]
        {
            pool.text(text);
        }
        for text in [
            &mut self.kubelet_version,
            &mut self.arch,
            &mut self.os,
            &mut self.gpu_model,
            &mut self.ready_reason,
        ] {
            pool.text(text);
        }
        for taint in &mut self.taints {
            pool.text(&mut taint.key);
            pool.text(&mut taint.value);
            pool.text(&mut taint.effect);
        }
    }
}
