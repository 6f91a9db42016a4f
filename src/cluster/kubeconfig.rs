//! Kubeconfig by kubectl's rules: which files, how they merge, and what each context comes to.
//!
//! Nothing here fails as a whole. A file that cannot be read or parsed is one broken row; an
//! entry that cannot work is a broken row of its own, with the reason and what to do.
//!
//! Source of the rules: `client-go/tools/clientcmd`: `KUBECONFIG` is a list, missing files in it
//! are skipped, the first file that sets a name wins, relative paths belong to the file that
//! writes them; without it `~/.kube/config`; without any, the service account of the pod.

mod connect;
mod file;
mod glob;
mod in_cluster;
mod merge;
mod rewritten;
mod user;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use glob::chosen;
pub use rewritten::rewritten;
pub(super) use user::read_again;

use self::merge::Merged;
use super::target::{Auth, ClusterTarget, Connection, PluginSpec};
use super::tier::tier_by_name;
use crate::model::{ClusterId, ClusterInfo, Fault, PluginId, Problem, Text, Tier};

/// Where to look, as values, so that tests look elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--kubeconfig FILE`: this file alone.
    pub file: Option<PathBuf>,
    /// Environment variables: `KUBECONFIG`, proxies, the service account's server.
    pub env: BTreeMap<String, String>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// Where a pod finds its service account.
    pub service_account: PathBuf,
}

impl Sources {
    /// Those of this process.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>) -> Sources {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Sources {
            file,
            env: std::env::vars_os().filter_map(text).collect(),
            home: std::env::home_dir(),
            service_account: PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount"),
        }
    }

    /// The files to read, in the order of their precedence, whether they are there or not.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        paths(self, &mut Vec::new())
    }

    pub(super) fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A path for people: the home directory as `~`.
    pub(super) fn shown(&self, path: &Path) -> String {
        match self.home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
            Some(rest) => format!("~/{}", rest.display()),
            None => path.display().to_string(),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The clusters, in the order of their contexts; ids count from 0.
    pub targets: Vec<ClusterTarget>,
    /// Where was looked, for the screen that says that there is nothing.
    pub looked_at: Vec<Looked>,
    /// What is wrong with files that can be read.
    pub problems: Vec<Problem>,
    /// The name of the current context, if a file says one that exists.
    pub current: Option<Text>,
}

/// One place and what was there: `KUBECONFIG` and `not set`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Looked {
    /// The place.
    pub place: Text,
    /// What was there, in a word or two.
    pub found: Text,
}

/// Finds the clusters of the chosen contexts (see [`chosen`]).
#[must_use]
pub fn find_clusters(sources: &Sources, contexts: &[String]) -> Found {
    let mut found = Found::default();
    let mut files = Vec::new();
    for path in paths(sources, &mut found.looked_at) {
        let (place, what) = match file::read(&path, sources.shown(&path)) {
            Ok(Some(config)) => {
                let count = config.config.contexts.len();
                let shown = config.shown.clone();
                files.push(config);
                (shown, format!("{count} {}", if count == 1 { "context" } else { "contexts" }))
            }
            Ok(None) => (sources.shown(&path), "no such file".to_owned()),
            Err(fault) => {
                let shown = sources.shown(&path);
                found.targets.push(broken_file(&shown, fault));
                (shown, "broken".to_owned())
            }
        };
        found.looked_at.push(Looked { place: Text::from(place), found: Text::from(what) });
    }
    let merged = Merged::of(&files);
    found.current = merged.current.map(Text::clean);
    found.problems = merged.problems();
    let mut targets = contexts_of(&merged, contexts, sources);
    if files.is_empty() && found.targets.is_empty() && sources.file.is_none() {
        let inside = in_cluster::find(sources);
        let word = if inside.is_some() { "yes" } else { "no" };
        found.looked_at.push(Looked { place: Text::clean("in-cluster"), found: Text::clean(word) });
        targets.extend(inside.filter(|t| chosen(&t.info.name, contexts)));
    }
    targets.append(&mut found.targets);
    // Ids are 16 bits: no kubeconfig of this world has more contexts.
    targets.truncate(usize::from(u16::MAX));
    for (id, target) in (0..).zip(&mut targets) {
        target.id = ClusterId(id);
    }
    found.targets = targets;
    found
}

/// The files to read, in the order of their precedence.
fn paths(sources: &Sources, looked_at: &mut Vec<Looked>) -> Vec<PathBuf> {
    if let Some(file) = &sources.file {
        return vec![file.clone()];
    }
    if let Some(list) = sources.var("KUBECONFIG") {
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in std::env::split_paths(list).filter(|p| !p.as_os_str().is_empty()) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        return paths;
    }
    looked_at.push(Looked { place: Text::clean("KUBECONFIG"), found: Text::clean("not set") });
    sources.home.iter().map(|home| home.join(".kube/config")).collect()
}

fn broken_file(shown: &str, fault: Fault) -> ClusterTarget {
    let info = ClusterInfo { name: Text::clean(shown), source: Text::clean(shown), ..ClusterInfo::default() };
    ClusterTarget::broken(info, fault)
}

/// One target for each server and user; further contexts of both are its aliases.
fn contexts_of(merged: &Merged<'_>, patterns: &[String], sources: &Sources) -> Vec<ClusterTarget> {
    let mut targets: Vec<ClusterTarget> = Vec::new();
    let mut known: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for context in merged.contexts.iter().filter(|c| chosen(&c.entry.name, patterns)) {
        let name = context.entry.name.as_str();
        let info = ClusterInfo {
            name: Text::clean(name),
            source: Text::clean(&context.file.shown),
            tier: tier_by_name(name).unwrap_or_default(),
            server: Text::clean(merged.server_of(context).unwrap_or_default()),
            ..ClusterInfo::default()
        };
        let identity = merged.identity_of(context);
        if let Some(at) = identity.as_ref().and_then(|identity| known.get(identity)) {
            let first = &mut targets[*at];
            first.info.aliases.push(info.name);
            first.info.tier = Tier::min(first.info.tier, info.tier);
            continue;
        }
        let target = match connect::connection(merged, context, sources) {
            Ok(connection) => {
                let connection = Some(Arc::<Connection>::new(connection));
                ClusterTarget { id: ClusterId(0), info, connection, names: None }
            }
            Err(fault) => ClusterTarget::broken(info, fault),
        };
        known.extend(identity.map(|identity| (identity, targets.len())));
        targets.push(target);
    }
    number_plugins(&mut targets);
    targets
}

/// Says of each target which plugin logs in there; one that serves several has one number.
fn number_plugins(targets: &mut [ClusterTarget]) {
    let mut numbers: HashMap<Arc<PluginSpec>, u16> = HashMap::new();
    for target in targets {
        let Some(Auth::Plugin(spec)) = target.connection.as_deref().map(|c| &c.auth) else { continue };
        let next = u16::try_from(numbers.len()).unwrap_or(u16::MAX);
        let number = *numbers.entry(Arc::clone(spec)).or_insert(next);
        target.info.plugin = Some(PluginId { number, name: Text::clean(spec.name()) });
    }
}

#[cfg(test)]
mod tests;
