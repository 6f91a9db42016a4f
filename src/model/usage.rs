//! What nodes and pods of a cluster use now.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::{Text, Time};

/// What nodes and pods of a cluster use (metrics.k8s.io, polled).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Usage {
    /// When it was measured, by the server's own stamp, if it gave one.
    pub measured: Option<Time>,
    /// By node name.
    pub nodes: FxHashMap<Text, Used>,
    /// By pod.
    pub pods: PodUsage,
}

/// What one node or pod uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Used {
    /// Milli-cores.
    pub cpu: i64,
    /// Bytes.
    pub memory: i64,
}

/// What pods use, by a hash of namespace and name: every poll brings all of it anew, and of an hour
/// some seventy of them are kept, so names would be most of what the past holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PodUsage(Box<[(u64, Used)]>);

impl PodUsage {
    /// What this pod uses, where that was measured.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Used> {
        let at = self.0.binary_search_by_key(&hash(namespace, name), |(hash, _)| *hash).ok()?;
        self.0.get(at).map(|(_, used)| *used)
    }

    /// Of how many pods it is known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is known of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it holds, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl<N: AsRef<str>, T: AsRef<str>> FromIterator<((N, T), Used)> for PodUsage {
    fn from_iter<I: IntoIterator<Item = ((N, T), Used)>>(pods: I) -> PodUsage {
        let of = |((namespace, name), used): ((N, T), Used)| (hash(namespace.as_ref(), name.as_ref()), used);
        PodUsage::of(pods.into_iter().map(of).collect())
    }
}

impl PodUsage {
    fn of(mut pods: Vec<(u64, Used)>) -> PodUsage {
        pods.sort_unstable_by_key(|(hash, _)| *hash);
        PodUsage(pods.into_boxed_slice())
    }
}

fn hash(namespace: &str, name: &str) -> u64 {
    FxBuildHasher.hash_one((namespace, name))
}

/// Gathers what pods use, in any order.
#[derive(Debug, Default)]
pub struct PodUsageBuilder(Vec<(u64, Used)>);

impl PodUsageBuilder {
    /// Adds one.
    pub fn add(&mut self, namespace: &str, name: &str, used: Used) {
        self.0.push((hash(namespace, name), used));
    }

    /// All of them.
    #[must_use]
    pub fn build(self) -> PodUsage {
        PodUsage::of(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_found_by_namespace_and_name() {
        let used = |cpu| Used { cpu, memory: 0 };
        let pods: PodUsage = (0..1000).map(|n| (("shop".to_owned(), format!("web-{n}")), used(n))).collect();
        assert_eq!(pods.len(), 1000);
        assert!((0..1000).all(|n| pods.get("shop", &format!("web-{n}")) == Some(used(n))));
        assert_eq!((pods.get("shop", "web-"), pods.get("shopw", "eb-1")), (None, None));
        assert_eq!(pods.weight(), 24_000);
    }
}
