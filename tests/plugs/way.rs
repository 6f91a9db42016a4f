//! What stands between the console and its servers.

use std::path::Path;

use color_eyre::eyre::{Result, eyre};
use fastrand::Rng;
use quarterdeck::cluster::{Sources, find_clusters};

use crate::plug::Pulled;

/// A proxy that this project did not write, before each server.
pub(crate) trait Way {
    /// Leads through it.
    fn kubeconfig(&self) -> &Path;
    /// Puts something in the way of a cluster.
    fn pull(&self, cluster: &str, chance: &mut Rng) -> Result<Pulled>;
    /// It carries everything for this cluster again.
    fn mend(&self, cluster: &str) -> Result<()>;
}

/// The name of the cluster whose server listens there.
pub(crate) fn cluster_at(kubeconfig: &Path, port: u16) -> Result<String> {
    let found = find_clusters(&Sources { file: Some(kubeconfig.to_owned()), ..Sources::default() }, &[]);
    let mut infos = found.targets.iter().map(|target| &target.info);
    let info = infos.find(|info| info.server.ends_with(&format!(":{port}")));
    info.map(|info| info.name.to_string()).ok_or_else(|| eyre!("no context leads to port {port}"))
}
