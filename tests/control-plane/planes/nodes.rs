//! Node objects as each provider's kubelets would register them.

use serde_json::{Map, Value, json};

use super::looks::{Look, Pool, Provider};

/// One node to be: its place in the fleet decides everything about it.
struct Place<'a> {
    look: &'a Look,
    pool: &'a Pool,
    /// Counted over the whole plane.
    index: u32,
    zone: &'a str,
}

/// `count` nodes, beginning with the one numbered `first`; the pools take turns by their sizes, the zones one by one.
pub(crate) fn nodes(look: &Look, first: u32, count: u32) -> Vec<Value> {
    (first..first.saturating_add(count)).filter_map(|index| node(look, index)).collect()
}

fn node(look: &Look, index: u32) -> Option<Value> {
    let round: u32 = look.pools.iter().map(|pool| pool.nodes).sum();
    let mut slot = index.checked_rem(round)?;
    let pool = look.pools.iter().find(|pool| {
        let here = slot < pool.nodes;
        slot = slot.saturating_sub(pool.nodes);
        here
    })?;
    let zones = u32::try_from(look.zones.len()).ok()?;
    let zone =
        index.checked_rem(zones).and_then(|at| look.zones.get(at as usize)).copied().unwrap_or_default();
    let place = Place { look, pool, index, zone };
    let name = place.name();
    let (capacity, allocatable) = place.resources();
    let address = format!("10.{}.{}.{}", 16 + index / 40_000, index / 200 % 200, 10 + index % 200);
    Some(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": place.labels(&name)},
        "spec": {"providerID": place.provider_id(&name), "taints": place.taints()},
        "status": {
            "capacity": capacity,
            "allocatable": allocatable,
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
                // Where KWOK answers for the kubelet.
                {"type": "InternalDNS", "address": "localhost"},
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": uuid(0xb007, index),
                "containerRuntimeVersion": "containerd://2.1.4",
                "kernelVersion": "6.12.37",
                "kubeProxyVersion": "",
                "kubeletVersion": look.kubelet,
                "machineID": uuid(0x3ac1, index).replace('-', ""),
                "operatingSystem": "linux",
                "osImage": look.os,
                "systemUUID": uuid(0x5757, index),
            },
        },
    }))
}

impl Place<'_> {
    fn name(&self) -> String {
        let Self { look, pool, index, .. } = self;
        match look.provider {
            Provider::Eks => {
                let (third, fourth) = (index / 200 % 200, 10 + index % 200);
                let domain = if look.region == "us-east-1" { "ec2" } else { look.region };
                format!("ip-10-{}-{third}-{fourth}.{domain}.internal", 16 + index / 40_000)
            }
            Provider::Gke => {
                format!("gke-{}-{}-{:08x}-{:04x}", look.name, pool.name, hash(7, 0), hash(1, *index) & 0xffff)
            }
            Provider::Aks => format!("aks-{}-31415926-vmss{index:06}", pool.name),
            Provider::Edge => format!("{}-node{}", look.name, index + 1),
            Provider::OnPrem => format!("{}-{}-{:02}", look.region, pool.name, index + 1),
        }
    }

    fn provider_id(&self, name: &str) -> String {
        let Self { look, pool, index, zone } = self;
        match look.provider {
            Provider::Eks => format!("aws:///{zone}/i-0{:08x}{:08x}", hash(2, *index), hash(3, *index)),
            Provider::Gke => format!("gce://shop-prod/{zone}/{name}"),
            Provider::Aks => format!(
                "azure:///subscriptions/{}/resourceGroups/MC_shop_{}_{}/providers/Microsoft.Compute/\
                 virtualMachineScaleSets/aks-{}-31415926-vmss/virtualMachines/{index}",
                uuid(0x50b5, 0),
                look.name,
                look.region,
                pool.name
            ),
            Provider::Edge => format!("k3s://{name}"),
            Provider::OnPrem => format!("vsphere://{}", uuid(0x5757, *index)),
        }
    }

    fn labels(&self, name: &str) -> Value {
        let Self { look, pool, zone, .. } = self;
        let mut labels = Map::new();
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                labels.insert(key.to_owned(), Value::from(value));
            }
        };
        put("kubernetes.io/arch", "amd64");
        put("kubernetes.io/os", "linux");
        put("kubernetes.io/hostname", name);
        put("node.kubernetes.io/instance-type", pool.instance);
        put("topology.kubernetes.io/region", look.region);
        put("topology.kubernetes.io/zone", zone);
        match look.provider {
            Provider::Eks => {
                put("eks.amazonaws.com/nodegroup", pool.name);
                put("eks.amazonaws.com/capacityType", if pool.spot { "SPOT" } else { "ON_DEMAND" });
            }
            Provider::Gke => {
                put("cloud.google.com/gke-nodepool", pool.name);
                put("cloud.google.com/gke-provisioning", if pool.spot { "spot" } else { "standard" });
                put("cloud.google.com/gke-spot", if pool.spot { "true" } else { "" });
                put("topology.gke.io/zone", zone);
            }
            Provider::Aks => {
                put("kubernetes.azure.com/agentpool", pool.name);
                put("kubernetes.azure.com/cluster", &format!("MC_shop_{}_{}", look.name, look.region));
                put("kubernetes.azure.com/mode", if pool.name == "system" { "system" } else { "user" });
                put("kubernetes.azure.com/priority", if pool.spot { "spot" } else { "regular" });
            }
            Provider::Edge => put("site", "store-0117"),
            Provider::OnPrem => put("node-role.kubernetes.io/worker", "true"),
        }
        if let Some((count, model)) = pool.gpus {
            put("nvidia.com/gpu.product", model);
            put("nvidia.com/gpu.count", &count.to_string());
        }
        labels.into()
    }

    /// Azure taints its spot machines by itself; the others leave that to their users.
    fn taints(&self) -> Value {
        let mut taints = Vec::new();
        if self.look.provider == Provider::Aks && self.pool.spot {
            let key = "kubernetes.azure.com/scalesetpriority";
            taints.push(json!({"key": key, "value": "spot", "effect": "NoSchedule"}));
        }
        if self.pool.gpus.is_some() {
            taints.push(json!({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}));
        }
        taints.into()
    }

    /// Capacity (a little less memory than advertised: firmware and kernel) and allocatable (less what the kubelet
    /// keeps, which on EKS, GKE and AKS is a falling share of each further core and gigabyte).
    fn resources(&self) -> (Value, Value) {
        let Self { pool, look, .. } = self;
        let memory = u64::from(pool.memory_gib) * 1024 * 1024 / 100 * 97;
        let (cpu_kept, memory_kept) = match look.provider {
            Provider::Edge => (0, 0),
            Provider::OnPrem => (200, 1024 * 1024),
            Provider::Eks | Provider::Gke | Provider::Aks => (cpu_kept(pool.cpu), memory_kept(memory)),
        };
        let of = |cpu: String, memory: u64| {
            let mut all = json!({
                "cpu": cpu,
                "memory": format!("{memory}Ki"),
                "pods": "110",
                "ephemeral-storage": "104845292Ki",
            });
            if let (Some((count, _)), Some(map)) = (pool.gpus, all.as_object_mut()) {
                map.insert("nvidia.com/gpu".to_owned(), count.to_string().into());
            }
            all
        };
        (
            of(pool.cpu.to_string(), memory),
            of(format!("{}m", pool.cpu * 1000 - cpu_kept), memory - memory_kept),
        )
    }
}

/// Millicores: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest.
fn cpu_kept(cores: u32) -> u32 {
    60 + if cores > 1 { 10 } else { 0 } + cores.saturating_sub(2).min(2) * 5 + cores.saturating_sub(4) * 5 / 2
}

/// KiB: a quarter of the first 4 GiB, a fifth of the next 4, a tenth of the next 8, 6 % of the rest, and 100 MiB.
fn memory_kept(total: u64) -> u64 {
    const GIB: u64 = 1024 * 1024;
    let tiers = [(4 * GIB, 25), (4 * GIB, 20), (8 * GIB, 10), (u64::MAX, 6)];
    let mut left = total;
    let mut kept = 100 * 1024;
    for (size, percent) in tiers {
        let part = left.min(size);
        kept += part * percent / 100;
        left -= part;
    }
    kept
}

/// Ids that look random and are the same in every run.
fn hash(salt: u32, index: u32) -> u32 {
    let mut x = index.wrapping_mul(0x9E37_79B1) ^ salt.wrapping_mul(0x85EB_CA6B) ^ 0x27D4_EB2F;
    x ^= x >> 15;
    x = x.wrapping_mul(0x2C1B_3C6D);
    x ^ (x >> 13)
}

fn uuid(salt: u32, index: u32) -> String {
    let [a, b, c] = [hash(salt, index), hash(salt ^ 1, index), hash(salt ^ 2, index)];
    format!("{a:08x}-{:04x}-4{:03x}-a{:03x}-{c:08x}{:04x}", b >> 16, b & 0xfff, c & 0xfff, a & 0xffff)
}
