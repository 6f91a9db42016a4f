//! What the nodes of a plane look like: which provider they claim to be from, and which machines they are.

use std::borrow::Cow;

/// Whose nodes they look like; decides names, labels, `providerID` and what the kubelet keeps for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Amazon EKS with managed node groups.
    Eks,
    /// Google Kubernetes Engine.
    Gke,
    /// Azure Kubernetes Service.
    Aks,
    /// k3s on small machines in a shop or a plant.
    Edge,
    /// A data centre of one's own, on vSphere.
    OnPrem,
}

/// Equal machines.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Node group, agent pool, node pool.
    pub name: &'static str,
    /// The instance type as the provider names it.
    pub instance: &'static str,
    /// Processors.
    pub cpu: u32,
    /// Memory in GiB as the provider advertises it.
    pub memory_gib: u32,
    /// Interruptible, at a lower price.
    pub spot: bool,
    /// NVIDIA GPUs and their model.
    pub gpus: Option<(u32, &'static str)>,
    /// How many at the start.
    pub nodes: u32,
}

/// One plane's looks.
#[derive(Debug, Clone)]
pub struct Look {
    /// The name of the plane and of its context.
    pub name: Cow<'static, str>,
    /// Whose nodes.
    pub provider: Provider,
    /// Region as the provider writes it.
    pub region: &'static str,
    /// Zones, used in turn.
    pub zones: &'static [&'static str],
    /// The kubelets' version.
    pub kubelet: Cow<'static, str>,
    /// The kubelets' operating system.
    pub os: &'static str,
    /// The machines.
    pub pools: &'static [Pool],
}

impl Look {
    /// The same machines under servers of `version` (`v1.34.4`): kubelets may be older than their API server, never of a
    /// newer minor (<https://kubernetes.io/releases/version-skew-policy/#kubelet>).
    pub(crate) fn served_by(&mut self, version: &str) {
        let minor = |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
        if minor(&self.kubelet) > minor(version) {
            let suffix =
                self.kubelet.find(['-', '+']).and_then(|at| self.kubelet.get(at..)).unwrap_or_default();
            self.kubelet = format!("{version}{suffix}").into();
        }
    }
}

const POOL: Pool = Pool { name: "", instance: "", cpu: 0, memory_gib: 0, spot: false, gpus: None, nodes: 0 };

/// Five clusters as a team may have them: three clouds, a data centre, a shop.
pub const ALL: &[Look] = &[EKS, GKE, ONPREM, AKS, EDGE];

/// EKS in us-east-1: a few on-demand machines, spot, and one with a GPU.
pub const EKS: Look = Look {
    name: Cow::Borrowed("eks-use1"),
    provider: Provider::Eks,
    region: "us-east-1",
    zones: &["us-east-1a", "us-east-1b", "us-east-1c"],
    kubelet: Cow::Borrowed("v1.36.3-eks-7f9c2d1"),
    os: "Amazon Linux 2023.9.20260710",
    pools: &[
        Pool { name: "general", instance: "m6i.2xlarge", cpu: 8, memory_gib: 32, nodes: 3, ..POOL },
        Pool { name: "spot", instance: "c6i.2xlarge", cpu: 8, memory_gib: 16, spot: true, nodes: 2, ..POOL },
        Pool {
            name: "gpu",
            instance: "g5.2xlarge",
            cpu: 8,
            memory_gib: 32,
            gpus: Some((1, "NVIDIA-A10G")),
            nodes: 1,
            ..POOL
        },
    ],
};

/// GKE in europe-west1.
pub const GKE: Look = Look {
    name: Cow::Borrowed("gke-euw1"),
    provider: Provider::Gke,
    region: "europe-west1",
    zones: &["europe-west1-b", "europe-west1-c", "europe-west1-d"],
    kubelet: Cow::Borrowed("v1.36.2-gke.1389000"),
    os: "Container-Optimized OS from Google",
    pools: &[
        Pool { name: "default-pool", instance: "n2-standard-8", cpu: 8, memory_gib: 32, nodes: 3, ..POOL },
        Pool {
            name: "spot-pool",
            instance: "e2-standard-4",
            cpu: 4,
            memory_gib: 16,
            spot: true,
            nodes: 2,
            ..POOL
        },
    ],
};

/// A data centre in Frankfurt, a minor version behind.
pub const ONPREM: Look = Look {
    name: Cow::Borrowed("onprem-fra"),
    provider: Provider::OnPrem,
    region: "fra",
    zones: &["fra-row1", "fra-row2"],
    kubelet: Cow::Borrowed("v1.35.6"),
    os: "Ubuntu 24.04.3 LTS",
    pools: &[
        Pool { name: "worker", instance: "vm-16c-64g", cpu: 16, memory_gib: 64, nodes: 3, ..POOL },
        Pool { name: "bulk", instance: "vm-32c-128g", cpu: 32, memory_gib: 128, nodes: 1, ..POOL },
    ],
};

/// AKS in westeurope.
pub const AKS: Look = Look {
    name: Cow::Borrowed("aks-weu"),
    provider: Provider::Aks,
    region: "westeurope",
    zones: &["westeurope-1", "westeurope-2", "westeurope-3"],
    kubelet: Cow::Borrowed("v1.36.1"),
    os: "Ubuntu 22.04.5 LTS",
    pools: &[
        Pool { name: "system", instance: "Standard_D4s_v5", cpu: 4, memory_gib: 16, nodes: 2, ..POOL },
        Pool { name: "user", instance: "Standard_D8s_v5", cpu: 8, memory_gib: 32, nodes: 3, ..POOL },
        Pool {
            name: "spot",
            instance: "Standard_D8s_v5",
            cpu: 8,
            memory_gib: 32,
            spot: true,
            nodes: 1,
            ..POOL
        },
    ],
};

/// k3s on three small machines, without zones.
pub const EDGE: Look = Look {
    name: Cow::Borrowed("edge-01"),
    provider: Provider::Edge,
    region: "",
    zones: &[],
    kubelet: Cow::Borrowed("v1.35.4+k3s1"),
    os: "openSUSE MicroOS",
    pools: &[Pool { name: "edge", instance: "k3s", cpu: 4, memory_gib: 8, nodes: 3, ..POOL }],
};
