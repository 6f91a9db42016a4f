//! What is opened: settings, the clusters of a kubeconfig, prices.

use std::path::PathBuf;
use std::sync::Arc;

use super::cli::ClusterArgs;
use super::files;
use crate::cluster::{ClusterTarget, Looked, Plugins, Sources, find_clusters, tier_by_name};
use crate::config::{self, Dirs, Settings};
use crate::model::{Cause, Fault, Problem};
use crate::operations::RecoveryFile;
use crate::sim::Workstation;
use crate::views::prices::Prices;

/// Everything that is known before anything is connected.
pub(super) struct Opened {
    /// Where this user's files are.
    pub(super) dirs: Dirs,
    /// The settings.
    pub(super) settings: Settings,
    /// What was wrong with files.
    pub(super) problems: Vec<Problem>,
    /// The clusters.
    pub(super) targets: Vec<ClusterTarget>,
    /// The credential plugins, and which of them may run.
    pub(super) plugins: Plugins,
    /// The kubeconfig that they come from, if they come from one.
    pub(super) kubeconfig: Option<Kubeconfig>,
    /// Where clusters were looked for.
    pub(super) looked_at: Vec<Looked>,
    /// What nodes cost.
    pub(super) prices: Arc<Prices>,
    /// Recovery plans that come with what was opened, beside the user's own.
    pub(super) recoveries: Vec<Arc<RecoveryFile>>,
    /// The machine of the embedded fleet's scenario, when that is what is opened: it may sleep.
    pub(super) workstation: Option<Workstation>,
}

/// Where clusters come from, and what it led to.
#[derive(Clone)]
pub(super) struct Kubeconfig {
    /// Which files.
    pub(super) sources: Sources,
    /// Which contexts of them.
    pub(super) contexts: Vec<String>,
    /// The clusters, as they were found.
    pub(super) targets: Vec<ClusterTarget>,
}

/// Reads settings and kubeconfigs. Only a missing home directory is an error; everything else is
/// a row or a problem that is shown.
pub(super) fn open(arguments: &ClusterArgs) -> Result<Opened, Fault> {
    let home = std::env::var_os("QUARTERDECK_HOME").map(PathBuf::from);
    let dirs = Dirs::of_user(home).ok_or_else(|| {
        Fault::new(
            Cause::Config,
            "there is no home directory",
            "set HOME, or QUARTERDECK_HOME for our own files",
        )
    })?;
    let loaded = config::load(arguments.settings.as_deref().unwrap_or(&dirs.settings()));
    let sources = Sources::of_process(arguments.kubeconfig.clone());
    let plugins = Plugins::new(&sources, loaded.settings.trusted_plugins.clone());
    let mut problems = loaded.problems;
    problems.extend(plugins.problem());
    let mut found = find_clusters(&sources, &arguments.context);
    problems.append(&mut found.problems);
    problems.extend(files::make_room(found.targets.len()));
    let targets = found.targets.clone();
    for target in &mut found.targets {
        let by_name = tier_by_name(&target.info.name);
        loaded.settings.apply(&mut target.info, by_name);
    }
    Ok(Opened {
        dirs,
        prices: Arc::new(Prices::new(loaded.settings.cost.clone())),
        settings: loaded.settings,
        problems,
        targets: found.targets,
        plugins,
        kubeconfig: Some(Kubeconfig { sources, contexts: arguments.context.clone(), targets }),
        looked_at: found.looked_at,
        recoveries: Vec::new(),
        workstation: None,
    })
}
