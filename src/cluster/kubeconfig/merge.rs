//! Several files as one: the first that sets a name wins, whole entries at a time.

use std::collections::BTreeMap;

use kube::config::{AuthInfo, Cluster, Context, NamedContext};

use super::file::ConfigFile;
use crate::model::Problem;

/// An entry and the file that it is from.
pub(super) struct Entry<'a, T> {
    pub(super) entry: &'a T,
    pub(super) file: &'a ConfigFile,
}

/// What all files say together.
pub(super) struct Merged<'a> {
    /// In the order of the files.
    pub(super) contexts: Vec<Entry<'a, NamedContext>>,
    /// Contexts that an earlier one of the same name hides.
    hidden: Vec<Entry<'a, NamedContext>>,
    pub(super) clusters: BTreeMap<&'a str, Entry<'a, Cluster>>,
    pub(super) users: BTreeMap<&'a str, Entry<'a, AuthInfo>>,
    pub(super) current: Option<&'a str>,
}

impl<'a> Merged<'a> {
    pub(super) fn of(files: &'a [ConfigFile]) -> Merged<'a> {
        let mut merged = Merged {
            contexts: Vec::new(),
            hidden: Vec::new(),
            clusters: BTreeMap::new(),
            users: BTreeMap::new(),
            current: None,
        };
        let mut names = std::collections::BTreeSet::new();
        for file in files {
            let config = &file.config;
            for named in &config.contexts {
                let new = names.insert(named.name.as_str());
                let list = if new { &mut merged.contexts } else { &mut merged.hidden };
                list.push(Entry { entry: named, file });
            }
            for named in &config.clusters {
                if let Some(entry) = &named.cluster {
                    merged.clusters.entry(&named.name).or_insert(Entry { entry, file });
                }
            }
            for named in &config.auth_infos {
                if let Some(entry) = &named.auth_info {
                    merged.users.entry(&named.name).or_insert(Entry { entry, file });
                }
            }
            let current = config.current_context.as_deref().filter(|c| !c.is_empty());
            merged.current = merged.current.or(current);
        }
        merged.current = merged.current.filter(|current| names.contains(current));
        merged
    }

    /// Clusters that nobody sees because an earlier context has the name of theirs: tools that make clusters
    /// give all of them the same (`kubernetes-admin@kubernetes`).
    pub(super) fn problems(&self) -> Vec<Problem> {
        let problem = |hidden: &Entry<'_, NamedContext>| {
            let first = self.contexts.iter().find(|first| first.entry.name == hidden.entry.name)?;
            let own = own_server(hidden)?;
            if self.server_of(first) == Some(own) {
                return None;
            }
            let (name, place) = (&hidden.entry.name, first.file.place(&hidden.entry.name));
            let what = format!(
                "context {name} leads to {own}, and is hidden by that of {place}, as in kubectl: rename one to see both"
            );
            Some(Problem::of(&hidden.file.shown, what))
        };
        self.hidden.iter().filter_map(problem).collect()
    }

    /// The server that a context leads to, as written.
    pub(super) fn server_of(&self, context: &Entry<'_, NamedContext>) -> Option<&'a str> {
        let context: &Context = context.entry.context.as_ref()?;
        self.clusters.get(context.cluster.as_str())?.entry.server.as_deref()
    }

    /// What two contexts must share to be one cluster seen as one user: the server, the way to
    /// it, the user's entry. `None` when the context leads nowhere.
    pub(super) fn identity_of(&self, context: &Entry<'_, NamedContext>) -> Option<(String, String, String)> {
        let server = self.server_of(context)?.trim_end_matches('/').to_owned();
        let context = context.entry.context.as_ref()?;
        let cluster = self.clusters.get(context.cluster.as_str())?.entry;
        let way = format!(
            "{:?} {:?} {:?}",
            cluster.proxy_url, cluster.tls_server_name, cluster.insecure_skip_tls_verify
        );
        Some((server, way, context.user.clone().unwrap_or_default()))
    }
}

/// The server that a context leads to by its own file.
fn own_server<'a>(context: &Entry<'a, NamedContext>) -> Option<&'a str> {
    let wanted = &context.entry.context.as_ref()?.cluster;
    let named = context.file.config.clusters.iter().find(|named| named.name == *wanted)?;
    named.cluster.as_ref()?.server.as_deref()
}
