//! Who runs a node, where, on what and how it is paid: read from labels and the provider id.
//!
//! The rules and their order follow the sources named in each function; the label names are those
//! of `kubernetes/api:core/v1/well_known_labels.go` and of the providers' own documents.

use super::{Labels, Text};

/// The provider of a node or cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each is the provider of that name")]
pub enum Provider {
    Eks,
    Gke,
    Aks,
    /// Another cloud: Oracle, Alibaba, DigitalOcean, Hetzner, …
    Cloud,
    /// Own machines: no cloud's provider id.
    Private,
    /// Small sites: k3s and its like.
    Edge,
    #[default]
    Unknown,
}

impl Provider {
    /// The short name for a column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Provider::Eks => "eks",
            Provider::Gke => "gke",
            Provider::Aks => "aks",
            Provider::Cloud => "cloud",
            Provider::Private => "private",
            Provider::Edge => "edge",
            Provider::Unknown => "?",
        }
    }

    /// The name in the price table.
    #[must_use]
    pub const fn price_key(self) -> Option<&'static str> {
        match self {
            Provider::Eks => Some("aws"),
            Provider::Gke => Some("gcp"),
            Provider::Aks => Some("azure"),
            _ => None,
        }
    }
}

/// How a node is paid for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words of the clouds")]
pub enum Capacity {
    OnDemand,
    Spot,
    /// A capacity reservation, already paid.
    Reserved,
    /// No label says so; on demand until one does.
    #[default]
    Assumed,
}

impl Capacity {
    /// The word for a column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Capacity::OnDemand => "on-demand",
            Capacity::Spot => "spot",
            Capacity::Reserved => "reserved",
            Capacity::Assumed => "on-demand~",
        }
    }
}

/// The identity of a node.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Identity {
    /// Who runs it.
    pub provider: Provider,
    /// The region; empty when nothing names it.
    pub region: Text,
    /// The zone; empty when nothing names it.
    pub zone: Text,
    /// The instance type: `m6i.2xlarge`.
    pub instance_type: Text,
    /// How it is paid for.
    pub capacity: Capacity,
    /// The node pool.
    pub pool: Text,
}

/// Labels that name a node's pool, first hit wins.
const POOLS: [&str; 17] = [
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "cloud.google.com/gke-nodepool",
    "cluster.x-k8s.io/deployment-name",
    "cluster.x-k8s.io/pool-name",
    "oci.oraclecloud.com/node-pool-id",
    "k8s.scaleway.com/pool",
    "doks.digitalocean.com/node-pool",
    "lke.linode.com/pool-id",
    "hcloud/node-group",
    "kubernetes.civo.com/civo-node-pool",
    "ibm-cloud.kubernetes.io/worker-pool-name",
    "alibabacloud.com/nodepool-id",
    "nodepool",
];

/// The identity of a node from what its object says.
#[must_use]
pub fn identify(labels: &Labels, provider_id: &str, kubelet_version: &str) -> Identity {
    let label = |keys: &[&str]| keys.iter().find_map(|k| labels.get(k)).cloned().unwrap_or_default();
    let provider = provider(labels, provider_id, kubelet_version);
    let zone = label(&[
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.gke.io/zone",
    ]);
    let mut region = label(&["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"]);
    if region.is_empty() {
        region = region_of_zone(provider, &zone);
    }
    Identity {
        provider,
        region,
        zone,
        instance_type: label(&["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"]),
        capacity: capacity(labels),
        pool: label(&POOLS),
    }
}

/// Provider: the provider id's scheme, then label domains, then the kubelet's version suffix.
fn provider(labels: &Labels, provider_id: &str, kubelet_version: &str) -> Provider {
    match provider_id.split_once("://").map(|(scheme, _)| scheme) {
        Some("aws" | "eks-hybrid") => return Provider::Eks,
        Some("gce") => return Provider::Gke,
        Some("azure") => return Provider::Aks,
        Some("k3s") => return Provider::Edge,
        Some(
            "digitalocean" | "linode" | "hcloud" | "civo" | "vultr" | "exoscale" | "oci" | "ionos"
            | "kamatera" | "openstack" | "qcloud" | "scaleway" | "ibm",
        ) => return Provider::Cloud,
        _ if provider_id.starts_with("ocid1.") => return Provider::Cloud,
        _ => {}
    }
    let has = |domain: &str| labels.pairs().iter().any(|(k, _)| k.starts_with(domain));
    if has("eks.amazonaws.com/") || has("karpenter.k8s.aws/") || kubelet_version.contains("-eks-") {
        Provider::Eks
    } else if has("cloud.google.com/gke-") || kubelet_version.contains("-gke.") {
        Provider::Gke
    } else if has("kubernetes.azure.com/") || has("karpenter.azure.com/") {
        Provider::Aks
    } else if has("alibabacloud.com/") || kubelet_version.contains("aliyun") {
        Provider::Cloud
    } else if kubelet_version.contains("+k3s") {
        Provider::Edge
    } else {
        Provider::Private
    }
}

/// How a node is paid for; the order is the decision order of the reference, first hit wins.
fn capacity(labels: &Labels) -> Capacity {
    const WORDS: [&str; 9] = [
        "karpenter.sh/capacity-type",
        "eks.amazonaws.com/capacityType",
        "kubernetes.azure.com/priority",
        "kubernetes.azure.com/scalesetpriority",
        "cloud.google.com/gke-spot",
        "cloud.google.com/gke-preemptible",
        "cloud.google.com/gke-provisioning",
        "cluster.x-k8s.io/interruptible",
        "node.kubernetes.io/lifecycle",
    ];
    let word = WORDS.iter().chain(&["node-lifecycle", "lifecycle"]).find_map(|key| {
        // GKE writes gke-spot=true; "false" there decides nothing.
        labels.get(key).filter(|value| **value != "false").map(|value| (*key, value))
    });
    match word {
        None => Capacity::Assumed,
        Some((key, value)) => match value.to_ascii_lowercase().as_str() {
            "spot" | "preemptible" => Capacity::Spot,
            "true" if key.starts_with("cloud.google.com/gke-") => Capacity::Spot,
            _ if key == "cluster.x-k8s.io/interruptible" => Capacity::Spot,
            "reserved" | "capacity_block" => Capacity::Reserved,
            _ => Capacity::OnDemand,
        },
    }
}

/// The region that a zone's name implies, by the provider's own form.
fn region_of_zone(provider: Provider, zone: &str) -> Text {
    match provider {
        Provider::Eks => zone.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or_default().into(),
        Provider::Gke | Provider::Aks => {
            zone.rsplit_once('-').map(|(region, _)| region).unwrap_or_default().into()
        }
        _ => Text::EMPTY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(pairs: &[(&str, &str)], provider_id: &str, version: &str) -> Identity {
        let labels = Labels::new(pairs.iter().map(|(k, v)| (Text::clean(k), Text::clean(v))).collect());
        identify(&labels, provider_id, version)
    }

    #[test]
    fn providers_are_told_apart() {
        assert_eq!(node(&[], "aws:///us-east-1a/i-0", "").provider, Provider::Eks);
        assert_eq!(node(&[], "gce://p/europe-west1-b/n", "").provider, Provider::Gke);
        assert_eq!(node(&[], "azure:///subscriptions/x", "").provider, Provider::Aks);
        assert_eq!(node(&[], "k3s://pi", "v1.35.1+k3s1").provider, Provider::Edge);
        assert_eq!(node(&[], "", "v1.36.1-eks-1a2b").provider, Provider::Eks);
        assert_eq!(node(&[], "vsphere://42", "v1.36.1").provider, Provider::Private);
        assert_eq!(node(&[], "hcloud://42", "v1.36.1").provider, Provider::Cloud);
    }

    #[test]
    fn regions_follow_from_zones_when_not_named() {
        let zone = |z, id| node(&[("topology.kubernetes.io/zone", z)], id, "").region;
        assert_eq!(zone("us-east-1a", "aws:///x/i"), "us-east-1");
        assert_eq!(zone("europe-west1-b", "gce://x/y/z"), "europe-west1");
        assert_eq!(zone("westeurope-2", "azure:///x"), "westeurope");
    }

    #[test]
    fn capacity_goes_by_the_first_label_that_says() {
        assert_eq!(node(&[("karpenter.sh/capacity-type", "spot")], "", "").capacity, Capacity::Spot);
        assert_eq!(
            node(&[("eks.amazonaws.com/capacityType", "ON_DEMAND")], "", "").capacity,
            Capacity::OnDemand
        );
        assert_eq!(
            node(&[("kubernetes.azure.com/scalesetpriority", "spot")], "", "").capacity,
            Capacity::Spot
        );
        assert_eq!(node(&[("cloud.google.com/gke-spot", "true")], "", "").capacity, Capacity::Spot);
        assert_eq!(node(&[("cloud.google.com/gke-spot", "false")], "", "").capacity, Capacity::Assumed);
        assert_eq!(node(&[("karpenter.sh/capacity-type", "reserved")], "", "").capacity, Capacity::Reserved);
        assert_eq!(node(&[], "", "").capacity, Capacity::Assumed);
    }
}
