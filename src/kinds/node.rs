//! Nodes (`k8s.io/api/core/v1/generated.proto`).

use super::meta::{Condition, ObjectMeta, text, time};
use super::read::Watched;
use super::resources::{Amounts, amounts};
use super::wire::{Str, wire};
use crate::model::{self, NodeCondition, Record, Text, Truth, identify};

wire! {
    /// A node.
    pub struct Node<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: NodeSpec<'a>,
        3 "status" status: NodeStatus<'a>,
    }

    /// What a node should be.
    pub struct NodeSpec<'a> {
        3 "providerID" provider_id: Str<'a>,
        4 "unschedulable" unschedulable: bool,
        5 "taints" taints: Vec<Taint<'a>>,
    }

    /// What keeps pods away.
    pub struct Taint<'a> {
        1 "key" key: Str<'a>,
        2 "value" value: Str<'a>,
        3 "effect" effect: Str<'a>,
    }

    /// What a node is.
    pub struct NodeStatus<'a> {
        1 "capacity" capacity: Amounts<'a>,
        2 "allocatable" allocatable: Amounts<'a>,
        4 "conditions" conditions: Vec<Condition<'a>>,
        7 "nodeInfo" info: NodeInfo<'a>,
    }

    /// What runs on a node.
    pub struct NodeInfo<'a> {
        7 "kubeletVersion" kubelet_version: Str<'a>,
        9 "operatingSystem" os: Str<'a>,
        10 "architecture" arch: Str<'a>,
    }
}

/// Labels that name the model of a node's GPUs, first hit wins.
const GPU_MODELS: [&str; 6] = [
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
    "eks.amazonaws.com/instance-gpu-name",
    "karpenter.azure.com/sku-gpu-name",
    "kubernetes.azure.com/accelerator",
];

impl<'a> Watched<'a> for Node<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let meta = self.metadata.record();
        let (spec, status) = (&self.spec, &self.status);
        let ready = status.conditions.iter().find(|c| c.kind == "Ready");
        let not_ready = ready.filter(|c| c.status != "True");
        let gpu_model = GPU_MODELS.iter().find_map(|key| meta.labels.get(key)).cloned().unwrap_or_default();
        Record::from(model::Node {
            identity: identify(&meta.labels, &spec.provider_id, &status.info.kubelet_version),
            provider_id: text(&spec.provider_id),
            unschedulable: spec.unschedulable,
            taints: spec.taints.iter().map(Taint::record).collect(),
            capacity: amounts(&status.capacity),
            allocatable: amounts(&status.allocatable),
            gpu_model,
            ready: ready.map_or(Truth::Unknown, |c| Truth::parse(&c.status)),
            ready_since: ready.and_then(|c| time(c.since)),
            ready_reason: not_ready.map_or(Text::EMPTY, |c| text(&c.reason)),
            troubles: status.conditions.iter().filter(|c| is_trouble(c)).map(trouble).collect(),
            kubelet_version: text(&status.info.kubelet_version),
            arch: text(&status.info.arch),
            os: text(&status.info.os),
            meta,
        })
    }
}

impl Taint<'_> {
    fn record(&self) -> model::Taint {
        model::Taint { key: text(&self.key), value: text(&self.value), effect: text(&self.effect) }
    }
}

/// Whether a condition besides `Ready` is bad and holds. Most say what is wrong when they are
/// true (`DiskPressure`, `KernelDeadlock`); some agents say what is right (`KernelReady`,
/// `StorageReady` of the EKS node monitoring agent), and RKE2 says which nodes vote in etcd.
fn is_trouble(condition: &Condition<'_>) -> bool {
    let kind = condition.kind.as_str();
    match kind {
        "Ready" | "EtcdIsVoter" => false,
        _ if kind.ends_with("Ready") || kind.ends_with("Healthy") => condition.status == "False",
        _ => condition.status == "True",
    }
}

fn trouble(condition: &Condition<'_>) -> NodeCondition {
    NodeCondition {
        kind: text(&condition.kind),
        reason: text(&condition.reason),
        since: time(condition.since),
    }
}
