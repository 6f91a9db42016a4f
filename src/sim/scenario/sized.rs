//! A generated fleet of a given size.

use toml::Spanned;

use super::file::{
    ClusterFile, PaceFile, PoolFile, ProviderFile, ScaleFile, ScenarioFile, WorkloadFile, WorkloadKind,
};
use crate::model::Tier;
use crate::sim::controllers::Manner;

/// Pods of one workload.
const REPLICAS: usize = 6;

fn plain(text: &str) -> Spanned<String> {
    Spanned::new(0..0, text.to_owned())
}

/// `n` of `of` parts of a whole: parts differ by one at most and sum up exactly.
fn part(whole: usize, n: usize, of: usize) -> usize {
    whole * (n + 1) / of - whole * n / of
}

/// A fleet of this many clusters, nodes and pods in all.
pub(super) fn sized(clusters: usize, nodes: usize, pods: usize) -> ScenarioFile {
    let clusters = clusters.max(1);
    let mut file = ScenarioFile {
        name: format!("{clusters} clusters, {nodes} nodes, {pods} pods"),
        seed: 1,
        churn: 0.0,
        pace: PaceFile::default(),
        clusters: Vec::new(),
        workloads: Vec::new(),
        quotas: Vec::new(),
        incidents: Vec::new(),
    };
    for i in 0..clusters {
        let (provider, machine, region) = match i % 4 {
            0 => (ProviderFile::Eks, "m6i.4xlarge", "us-east-1"),
            1 => (ProviderFile::Gke, "n2-standard-16", "europe-west1"),
            2 => (ProviderFile::Aks, "Standard_D16s_v5", "westeurope"),
            _ => (ProviderFile::Private, "metal-32c-128g", "fra"),
        };
        let name = format!("c{i:03}");
        let count = part(nodes, i, clusters).max(1);
        file.clusters.push(ClusterFile {
            name: name.clone(),
            provider,
            region: region.to_owned(),
            zones: ["a", "b", "c"].map(|z| format!("{region}{z}")).to_vec(),
            version: "1.36".to_owned(),
            tier: Tier::Dev,
            login: super::file::LoginFile::Token,
            pools: vec![PoolFile {
                name: "general".to_owned(),
                machines: vec![plain(machine)],
                count,
                min: count,
                max: Some(count),
                spot: false,
                autoscaler: Manner::None,
                taint: None,
                zones: None,
            }],
        });
        workloads(&mut file, &name, part(pods, i, clusters), count);
    }
    file
}

/// Workloads of a cluster that make up so many pods, the system's own on every node included.
fn workloads(file: &mut ScenarioFile, cluster: &str, pods: usize, nodes: usize) {
    let mut left = pods.saturating_sub(super::build::system_pods(nodes));
    let mut n = 0;
    while left > 0 {
        let replicas = left.min(REPLICAS);
        left -= replicas;
        file.workloads.push(WorkloadFile {
            namespace: format!("team-{}", n / 10),
            name: format!("app-{n}"),
            kind: if n % 10 == 9 { WorkloadKind::StatefulSet } else { WorkloadKind::Deployment },
            image: format!("ghcr.io/acme/app-{}:1.{}", n % 40, n % 7),
            sidecar: (n % 5 == 0).then(|| "ghcr.io/acme/proxy:2.1".to_owned()),
            cpu: Some("50m".to_owned()),
            memory: Some("128Mi".to_owned()),
            replicas: Some(replicas as u32),
            clusters: vec![plain(cluster)],
            scale: (n % 20 == 0).then_some(ScaleFile {
                min: replicas as u32,
                max: 20,
                cpu: 80,
                queue: None,
                stabilization: None,
            }),
            wordy: true,
            ..WorkloadFile::default()
        });
        n += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_sum_up() {
        assert_eq!((0..7).map(|i| part(100, i, 7)).sum::<usize>(), 100);
        let file = sized(3, 10, 100);
        assert_eq!(file.clusters.iter().map(|c| c.pools[0].count).sum::<usize>(), 10);
    }
}
