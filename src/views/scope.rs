//! Scope: the part of the fleet that every pane shows.

use crate::model::{Cluster, ClusterId, Node, Text};

/// The part of the fleet that every pane shows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Scope {
    /// Every cluster.
    #[default]
    All,
    /// The clusters of a group: a path from the outermost group inwards.
    Group(Vec<Text>),
    /// Some clusters, by name or marks.
    Clusters(Vec<ClusterId>),
    /// One namespace of one cluster.
    Namespace(ClusterId, Text),
    /// One namespace, wherever it is.
    NamespaceEverywhere(Text),
    /// One node pool of one cluster.
    Pool(ClusterId, Text),
}

/// The groups above a cluster, outermost first: those of the settings, else its provider and region.
#[must_use]
pub fn grouping(cluster: &Cluster) -> Vec<Text> {
    if !cluster.info.groups.is_empty() {
        return cluster.info.groups.clone();
    }
    let mut path = vec![Text::clean(cluster.provider.name())];
    if !cluster.region.is_empty() {
        path.push(cluster.region.clone());
    }
    path
}

impl Scope {
    /// Whether this cluster, or a part of it, is in scope. A cluster that several contexts lead to is in
    /// a scope by one of them ([`Cluster::same_as`]).
    #[must_use]
    pub fn holds(&self, cluster: &Cluster) -> bool {
        let counted = cluster.same_as.as_ref().is_some_and(|other| match self {
            Scope::All | Scope::NamespaceEverywhere(_) => true,
            Scope::Group(_) => other.info.groups == cluster.info.groups,
            Scope::Clusters(ids) => ids.contains(&other.id),
            Scope::Namespace(..) | Scope::Pool(..) => false,
        });
        self.names(cluster) && !counted
    }

    /// Whether this context is in scope, be it counted or not.
    #[must_use]
    pub fn names(&self, cluster: &Cluster) -> bool {
        match self {
            Scope::All | Scope::NamespaceEverywhere(_) => true,
            Scope::Group(path) => grouping(cluster).starts_with(path),
            Scope::Clusters(ids) => ids.contains(&cluster.id),
            Scope::Namespace(id, _) | Scope::Pool(id, _) => cluster.id == *id,
        }
    }

    /// Whether this namespace of a cluster that is in scope is in scope. Things without a
    /// namespace are in scope unless the scope is one namespace.
    #[must_use]
    pub fn holds_namespace(&self, namespace: &str) -> bool {
        match self {
            Scope::Namespace(_, only) | Scope::NamespaceEverywhere(only) => *only == namespace,
            _ => true,
        }
    }

    /// Whether this node of a cluster that is in scope is in scope.
    #[must_use]
    pub fn holds_node(&self, node: &Node) -> bool {
        match self {
            Scope::Pool(_, pool) => node.identity.pool == *pool,
            _ => true,
        }
    }

    /// One level wider; `None` when this is everything.
    #[must_use]
    pub fn wider(&self) -> Option<Scope> {
        match self {
            Scope::All => None,
            Scope::Group(path) if path.len() > 1 => Some(Scope::Group(path[..path.len() - 1].to_vec())),
            Scope::Group(_) | Scope::Clusters(_) | Scope::NamespaceEverywhere(_) => Some(Scope::All),
            Scope::Namespace(id, _) | Scope::Pool(id, _) => Some(Scope::Clusters(vec![*id])),
        }
    }
}
