//! The scenario file: its keys, their defaults, and what is wrong with a mistaken one.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::incident::IncidentFile;
use crate::model::{Provider, Span, Tier};
use crate::sim::controllers::Manner;
use crate::sim::load::{Load, Shape};
use crate::sim::resources::Res;
use crate::sim::timing::Timing;

/// A length of time in a file: `"30s"`, `"4m"`, `"2h"`, `"12d"`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Length(pub(crate) Span);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Length, D::Error> {
        let text = String::deserialize(source)?;
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        match number.parse::<i64>().ok().filter(|_| millis > 0).and_then(|n| n.checked_mul(millis)) {
            Some(total) => Ok(Length(Span::from_millis(total))),
            None => Err(de::Error::custom(format!(
                "{text:?} is no length of time; expected one such as \"500ms\", \"30s\", \"4m\", \"2h\" or \"12d\""
            ))),
        }
    }
}

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ScenarioFile {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) seed: u64,
    /// Changes of pods a second, in all clusters together.
    #[serde(default)]
    pub(crate) churn: f64,
    #[serde(default)]
    pub(crate) pace: PaceFile,
    #[serde(default, rename = "cluster")]
    pub(crate) clusters: Vec<ClusterFile>,
    #[serde(default, rename = "workload")]
    pub(crate) workloads: Vec<WorkloadFile>,
    #[serde(default, rename = "quota")]
    pub(crate) quotas: Vec<QuotaFile>,
    #[serde(default, rename = "incident")]
    pub(crate) incidents: Vec<IncidentFile>,
}

/// How long things take; what is left out takes as long as in real clusters.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PaceFile {
    pull: Option<Length>,
    ready: Option<Length>,
    stop: Option<Length>,
    heartbeat: Option<Length>,
    node_grace: Option<Length>,
    toleration: Option<Length>,
    autoscaler: Option<Length>,
    stabilization: Option<Length>,
    scan: Option<Length>,
    launch: Option<Length>,
    unneeded: Option<Length>,
}

impl PaceFile {
    /// The durations of a cluster.
    pub(crate) fn timing(self) -> Timing {
        let usual = Timing::default();
        let or = |length: Option<Length>, usual: Span| length.map_or(usual, |l| l.0);
        Timing {
            pull: or(self.pull, usual.pull),
            ready: or(self.ready, usual.ready),
            stop: or(self.stop, usual.stop),
            heartbeat: or(self.heartbeat, usual.heartbeat),
            node_grace: or(self.node_grace, usual.node_grace),
            toleration: or(self.toleration, usual.toleration),
            autoscaler: or(self.autoscaler, usual.autoscaler),
            stabilization: or(self.stabilization, usual.stabilization),
            scan: or(self.scan, usual.scan),
            launch: or(self.launch, usual.launch),
            unneeded: or(self.unneeded, usual.unneeded),
        }
    }
}

/// Who runs a cluster.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProviderFile {
    Eks,
    Gke,
    Aks,
    Private,
    Edge,
}

impl From<ProviderFile> for Provider {
    fn from(provider: ProviderFile) -> Provider {
        match provider {
            ProviderFile::Eks => Provider::Eks,
            ProviderFile::Gke => Provider::Gke,
            ProviderFile::Aks => Provider::Aks,
            ProviderFile::Private => Provider::Private,
            ProviderFile::Edge => Provider::Edge,
        }
    }
}

/// How clients log in to a cluster.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LoginFile {
    /// With a token that is written into the kubeconfig.
    #[default]
    Token,
    /// With a program that the kubeconfig names.
    Plugin,
}

/// A cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ClusterFile {
    pub(crate) name: String,
    pub(crate) provider: ProviderFile,
    #[serde(default)]
    pub(crate) region: String,
    #[serde(default)]
    pub(crate) zones: Vec<String>,
    /// The minor version: `1.36`.
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) tier: Tier,
    /// How clients log in.
    #[serde(default)]
    pub(crate) login: LoginFile,
    #[serde(rename = "pool")]
    pub(crate) pools: Vec<PoolFile>,
}

/// A pool of nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PoolFile {
    pub(crate) name: String,
    /// The types it may have, the usual one first.
    pub(crate) machines: Vec<Spanned<String>>,
    pub(crate) count: usize,
    #[serde(default)]
    pub(crate) min: usize,
    pub(crate) max: Option<usize>,
    #[serde(default)]
    pub(crate) spot: bool,
    #[serde(default)]
    pub(crate) autoscaler: Manner,
    /// `key=value`, with effect `NoSchedule`.
    pub(crate) taint: Option<Spanned<String>>,
    /// The zones of this pool, if not all of the cluster's.
    pub(crate) zones: Option<Vec<String>>,
}

/// What keeps pods.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WorkloadKind {
    #[default]
    Deployment,
    StatefulSet,
    DaemonSet,
    CronJob,
    /// A pod that nothing keeps.
    Pod,
}

impl WorkloadKind {
    /// As files name it.
    pub(crate) fn named(self) -> &'static str {
        match self {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "stateful-set",
            WorkloadKind::DaemonSet => "daemon-set",
            WorkloadKind::CronJob => "cron-job",
            WorkloadKind::Pod => "pod",
        }
    }

    /// What it is made as.
    pub(crate) fn res(self) -> Res {
        match self {
            WorkloadKind::Deployment => Res::Deployments,
            WorkloadKind::StatefulSet => Res::StatefulSets,
            WorkloadKind::DaemonSet => Res::DaemonSets,
            WorkloadKind::CronJob => Res::CronJobs,
            WorkloadKind::Pod => Res::Pods,
        }
    }
}

/// A workload, in some clusters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WorkloadFile {
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) kind: WorkloadKind,
    pub(crate) image: String,
    /// A second container in every pod.
    pub(crate) sidecar: Option<String>,
    pub(crate) cpu: Option<String>,
    pub(crate) memory: Option<String>,
    #[serde(default)]
    pub(crate) gpus: u32,
    /// Replicas in each of `clusters`.
    pub(crate) replicas: Option<u32>,
    /// Clusters by name; `*` stands for any letters.
    #[serde(default)]
    pub(crate) clusters: Vec<Spanned<String>>,
    /// Replicas by cluster.
    #[serde(default)]
    pub(crate) replicas_in: BTreeMap<Spanned<String>, u32>,
    pub(crate) age: Option<Length>,
    /// Runs only on this pool.
    pub(crate) pool: Option<String>,
    pub(crate) scale: Option<ScaleFile>,
    pub(crate) budget: Option<BudgetFile>,
    pub(crate) load: Option<LoadFile>,
    /// Of a cron job.
    pub(crate) schedule: Option<String>,
    /// How long a job's pod runs.
    pub(crate) runs: Option<Length>,
    /// The size of a volume for each pod of a stateful set.
    pub(crate) storage: Option<String>,
    /// Whether pods have an `emptyDir`.
    #[serde(default)]
    pub(crate) scratch: bool,
    /// A port that a service offers.
    pub(crate) port: Option<u16>,
    /// The Argo CD application that delivers it.
    pub(crate) argo: Option<String>,
    /// The Helm release that delivers it.
    pub(crate) helm: Option<String>,
    /// The value of its class of priority.
    pub(crate) priority: Option<i64>,
    /// No two of its pods on the same node, or in the same zone.
    pub(crate) apart: Option<PlaceFile>,
    /// Its pods are spread evenly over nodes or zones.
    pub(crate) spread: Option<PlaceFile>,
    /// `Recreate` instead of a rolling update.
    #[serde(default)]
    pub(crate) recreate: bool,
    /// Whether its pods say as much as those of a chart do, which is what a fleet is measured with.
    #[serde(skip)]
    pub(crate) wordy: bool,
}

/// Over what pods are spread.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PlaceFile {
    Node,
    Zone,
}

impl PlaceFile {
    /// The label of nodes that says where they are.
    pub(crate) fn label(self) -> &'static str {
        match self {
            PlaceFile::Node => "kubernetes.io/hostname",
            PlaceFile::Zone => "topology.kubernetes.io/zone",
        }
    }
}

/// A quota of a namespace, and the limits of its containers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct QuotaFile {
    pub(crate) namespace: String,
    #[serde(default = "usual_quota")]
    pub(crate) name: String,
    pub(crate) clusters: Vec<Spanned<String>>,
    pub(crate) hard: BTreeMap<String, String>,
    /// What containers may use at most that do not say.
    #[serde(default)]
    pub(crate) default: BTreeMap<String, String>,
    /// What containers ask for that do not say.
    #[serde(default)]
    pub(crate) default_request: BTreeMap<String, String>,
    /// What containers may use at most.
    #[serde(default)]
    pub(crate) most: BTreeMap<String, String>,
}

fn usual_quota() -> String {
    "quota".to_owned()
}

impl QuotaFile {
    pub(crate) fn concerns(&self, cluster: &str) -> bool {
        self.clusters.iter().any(|c| fits(c.get_ref(), cluster))
    }
}

/// A horizontal autoscaler.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ScaleFile {
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// Percent of requests.
    #[serde(default)]
    pub(crate) cpu: u32,
    /// Messages for each replica: then KEDA scales it, down to nothing where it may.
    pub(crate) queue: Option<u32>,
    /// How long a lower wish must last.
    pub(crate) stabilization: Option<Length>,
}

/// A disruption budget.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BudgetFile {
    /// A count or a percentage.
    pub(crate) min_available: Option<String>,
    pub(crate) max_unavailable: Option<String>,
    #[serde(default)]
    pub(crate) always_allow_unhealthy: bool,
}

/// Work over time, in cores, all replicas together.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LoadFile {
    pub(crate) cores: f64,
    #[serde(default)]
    pub(crate) swing: f64,
    pub(crate) period: Option<Length>,
    #[serde(default)]
    pub(crate) shape: Shape,
}

impl From<LoadFile> for Load {
    fn from(file: LoadFile) -> Load {
        Load {
            base: (file.cores * 1000.0) as i64,
            swing: (file.swing * 1000.0) as i64,
            period: file.period.map_or(Span::ZERO, |p| p.0),
            shape: file.shape,
        }
    }
}

/// Whether a cluster is meant by a pattern.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            let Some(rest) = name.strip_prefix(head) else { return false };
            (0..=rest.len()).any(|i| rest.is_char_boundary(i) && fits(tail, &rest[i..]))
        }
    }
}

impl WorkloadFile {
    /// Replicas in a cluster; `None` when it does not run there.
    pub(crate) fn replicas_of(&self, cluster: &str) -> Option<u32> {
        let own = self.replicas_in.iter().find(|(c, _)| fits(c.get_ref(), cluster)).map(|(_, n)| *n);
        let listed = self.clusters.iter().any(|c| fits(c.get_ref(), cluster));
        // one that names no cluster at all runs in all
        let everywhere = self.clusters.is_empty() && self.replicas_in.is_empty();
        own.or_else(|| (listed || everywhere).then(|| self.replicas.unwrap_or(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit() {
        for (pattern, name, is) in [
            ("eks-*", "eks-use1", true),
            ("*", "x", true),
            ("*-use*", "eks-use1", true),
            ("eks", "eks-use1", false),
            ("gke-*", "eks", false),
        ] {
            assert_eq!(fits(pattern, name), is, "{pattern} {name}");
        }
    }
}
