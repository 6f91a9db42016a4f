//! Machines that clusters are made of, and the node objects that they become.

use crate::sim::json::{Map, Value, json};

use super::fields::{object_mut, place, set};
use super::random;
use super::world::World;
use crate::model::{Provider, Time};

/// What holds Karpenter's nodes and their claims until they are drained.
pub(crate) const KARPENTER: &str = "karpenter.sh/termination";

/// A type of machine.
#[derive(Debug, PartialEq)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    /// Whole cores.
    pub(crate) cpu: i64,
    /// GiB.
    pub(crate) memory: i64,
    pub(crate) gpus: i64,
    /// The label of its GPU's model.
    pub(crate) gpu_model: &'static str,
    /// Thousandths of a dollar an hour, on demand in the provider's largest region: what the node
    /// autoscalers compare.
    pub(crate) price: i64,
}

const fn machine(name: &'static str, cpu: i64, memory: i64, price: i64) -> Machine {
    Machine { name, cpu, memory, gpus: 0, gpu_model: "", price }
}

const fn with_gpu(base: Machine, gpus: i64, gpu_model: &'static str) -> Machine {
    Machine { gpus, gpu_model, ..base }
}

/// Every type of machine that scenarios can name. Prices: the providers' lists of July 2026.
pub(crate) static MACHINES: [Machine; 25] = [
    machine("t3.large", 2, 8, 83),
    machine("m6i.xlarge", 4, 16, 192),
    machine("m6i.2xlarge", 8, 32, 384),
    machine("m6i.4xlarge", 16, 64, 768),
    machine("m7g.2xlarge", 8, 32, 326),
    machine("c6i.2xlarge", 8, 16, 340),
    machine("c6i.4xlarge", 16, 32, 680),
    machine("r6i.2xlarge", 8, 64, 504),
    with_gpu(machine("g5.2xlarge", 8, 32, 1212), 1, "NVIDIA-A10G"),
    machine("e2-standard-4", 4, 16, 151),
    machine("e2-standard-8", 8, 32, 302),
    machine("n2-standard-4", 4, 16, 219),
    machine("n2-standard-8", 8, 32, 438),
    machine("n2-standard-16", 16, 64, 875),
    with_gpu(machine("g2-standard-12", 12, 48, 997), 1, "NVIDIA-L4"),
    with_gpu(machine("g2-standard-24", 24, 96, 1994), 2, "NVIDIA-L4"),
    machine("Standard_D4s_v5", 4, 16, 192),
    machine("Standard_D8s_v5", 8, 32, 384),
    machine("Standard_D16s_v5", 16, 64, 768),
    machine("Standard_E8s_v5", 8, 64, 504),
    machine("Standard_F8s_v2", 8, 16, 338),
    with_gpu(machine("Standard_NC4as_T4_v3", 4, 28, 526), 1, "Tesla-T4"),
    machine("metal-32c-128g", 32, 128, 900),
    machine("metal-64c-256g", 64, 256, 1600),
    machine("k3s", 4, 8, 40),
];

/// The type of this name.
pub(crate) fn find(name: &str) -> Option<&'static Machine> {
    MACHINES.iter().find(|m| m.name == name)
}

impl Machine {
    /// Its architecture, as nodes are labelled.
    pub(crate) fn arch(&self) -> &'static str {
        if self.name.starts_with("m7g") { "arm64" } else { "amd64" }
    }

    /// Thousandths of a dollar an hour as it is paid for.
    pub(crate) fn price(&self, spot: bool) -> i64 {
        if spot { self.price * 3 / 10 } else { self.price }
    }

    /// What pods may ask for: the machine without what it keeps for itself.
    pub(crate) fn allocatable(&self) -> Value {
        let mut out = json!({
            "cpu": format!("{}m", self.cpu * 1000 - 80 - self.cpu * 10),
            "memory": format!("{}Ki", (self.memory << 20) - (900 << 10)),
            "pods": "110", "ephemeral-storage": "95488389760",
        });
        if self.gpus > 0 {
            object_mut(&mut out).insert("nvidia.com/gpu".into(), json!(self.gpus.to_string()));
        }
        out
    }

    fn capacity(&self) -> Value {
        let mut out = self.allocatable();
        set(&mut out, "cpu", self.cpu.to_string());
        set(&mut out, "memory", format!("{}Ki", self.memory << 20));
        set(&mut out, "ephemeral-storage", "104845292Ki");
        out
    }
}

/// What a node is made from.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) name: &'a str,
    pub(crate) pool: &'a str,
    pub(crate) machine: &'static Machine,
    pub(crate) zone: &'a str,
    pub(crate) spot: bool,
    pub(crate) karpenter: bool,
    pub(crate) labels: &'a Map,
    /// Key and value of a `NoSchedule` taint.
    pub(crate) taint: Option<(&'a str, &'a str)>,
}

/// The labels of a node.
pub(crate) fn labels(world: &World, plan: &Plan<'_>) -> Map {
    let arch = plan.machine.arch();
    let mut out = Map::new();
    let mut put = |key: &str, value: &str| {
        out.insert(key.into(), json!(value));
    };
    put("kubernetes.io/hostname", plan.name);
    put("kubernetes.io/os", "linux");
    put("kubernetes.io/arch", arch);
    put("node.kubernetes.io/instance-type", plan.machine.name);
    if !world.region.is_empty() {
        put("topology.kubernetes.io/region", &world.region);
    }
    if !plan.zone.is_empty() {
        put("topology.kubernetes.io/zone", plan.zone);
    }
    if plan.karpenter {
        put("karpenter.sh/nodepool", plan.pool);
        put("karpenter.sh/capacity-type", if plan.spot { "spot" } else { "on-demand" });
        put("karpenter.sh/registered", "true");
        put("karpenter.sh/initialized", "true");
    }
    match (world.provider, plan.karpenter) {
        (Provider::Eks, false) => {
            put("eks.amazonaws.com/nodegroup", plan.pool);
            put("eks.amazonaws.com/capacityType", if plan.spot { "SPOT" } else { "ON_DEMAND" });
        }
        (Provider::Gke, _) => {
            put("cloud.google.com/gke-nodepool", plan.pool);
            put("cloud.google.com/gke-provisioning", if plan.spot { "spot" } else { "standard" });
            if plan.spot {
                put("cloud.google.com/gke-spot", "true");
            }
        }
        (Provider::Aks, _) => {
            put("kubernetes.azure.com/agentpool", plan.pool);
            put("agentpool", plan.pool);
            put("kubernetes.azure.com/managedby", "aks");
            put("kubernetes.azure.com/mode", if plan.pool == "system" { "system" } else { "user" });
            if plan.spot {
                put("kubernetes.azure.com/scalesetpriority", "spot");
            }
        }
        (Provider::Private | Provider::Edge, _) => put("nodepool", plan.pool),
        _ => {}
    }
    if plan.machine.gpus > 0 {
        put("nvidia.com/gpu.product", plan.machine.gpu_model);
        put("nvidia.com/gpu.count", &plan.machine.gpus.to_string());
    }
    out.extend(plan.labels.clone());
    out
}

fn provider_id(world: &World, plan: &Plan<'_>) -> String {
    let h = random::hash(&format!("{}/{}", world.name, plan.name));
    match world.provider {
        Provider::Eks => format!("aws:///{}/i-0{h:016x}", plan.zone),
        Provider::Gke => format!("gce://acme-prod/{}/{}", plan.zone, plan.name),
        Provider::Aks => format!(
            "azure:///subscriptions/5c1e0b1a-0000-4000-8000-000000000001/resourceGroups/MC_acme_{}_{}/providers/Microsoft.Compute/virtualMachineScaleSets/aks-{}-vmss/virtualMachines/{}",
            world.name,
            world.region,
            plan.pool,
            h % 100
        ),
        Provider::Edge => format!("k3s://{}", plan.name),
        _ => String::new(),
    }
}

/// A node object. It is ready at once, or boots first.
pub(crate) fn node(world: &World, plan: &Plan<'_>, ready: bool, now: Time) -> Value {
    let h = random::hash(&format!("{}{}", world.name, plan.name));
    let ip = format!("10.{}.{}.{}", h % 16, h >> 8 & 255, 1 + (h >> 16) % 254);
    let image = match world.provider {
        Provider::Eks => "Amazon Linux 2023.9.20260601",
        Provider::Gke => "Container-Optimized OS from Google",
        Provider::Aks => "Ubuntu 24.04.2 LTS",
        Provider::Edge => "Debian GNU/Linux 13 (trixie)",
        _ => "Flatcar Container Linux 4230.2.1",
    };
    let arch = labels(world, plan).get("kubernetes.io/arch").cloned().unwrap_or_default();
    let mut node = json!({
        "metadata": {
            "name": plan.name, "labels": labels(world, plan),
            "annotations": { "volumes.kubernetes.io/controller-managed-attach-detach": "true" },
        },
        "spec": { "podCIDR": format!("10.{}.{}.0/24", 64 + h % 64, h >> 8 & 255) },
        "status": {
            "capacity": plan.machine.capacity(), "allocatable": plan.machine.allocatable(),
            "addresses": [{ "type": "InternalIP", "address": ip }, { "type": "Hostname", "address": plan.name }],
            "nodeInfo": {
                "machineID": format!("{h:032x}"), "systemUUID": format!("{h:032x}"), "bootID": format!("{h:032x}"),
                "kernelVersion": "6.12.31", "osImage": image, "containerRuntimeVersion": "containerd://2.1.3",
                "kubeletVersion": world.version, "kubeProxyVersion": "", "operatingSystem": "linux",
                "architecture": arch,
            },
            "conditions": conditions(ready, now),
        },
    });
    if plan.karpenter {
        set(&mut node, "metadata.finalizers", json!([KARPENTER]));
    }
    let id = provider_id(world, plan);
    if !id.is_empty() {
        set(&mut node, "spec.providerID", id);
    }
    let mut taints = Vec::new();
    if let Some((key, value)) = plan.taint {
        taints.push(json!({ "key": key, "value": value, "effect": "NoSchedule" }));
    }
    if plan.spot && world.provider == Provider::Aks {
        taints.push(json!({ "key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule" }));
    }
    if !ready {
        taints.push(json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" }));
    }
    if !taints.is_empty() {
        *place(&mut node, "spec.taints") = Value::from(taints);
    }
    node
}

fn conditions(ready: bool, now: Time) -> Value {
    let now = now.rfc3339();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    let ready = match ready {
        true => condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        false => condition(
            "Ready",
            "False",
            "KubeletNotReady",
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
        ),
    };
    json!([
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available"
        ),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ready,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fields::resources;

    #[test]
    fn machines_offer_less_than_they_have() {
        let m = find("g2-standard-12").unwrap();
        let (all, free) = (resources(&m.capacity()), resources(&m.allocatable()));
        assert_eq!((all.cpu, all.memory, all.gpus, free.gpus), (12_000, 48 << 30, 1, 1));
        assert!(free.cpu < all.cpu && free.memory < all.memory && free.pods == 110);
        assert!(find("nothing").is_none());
    }
}
