//! What the simulated servers serve: every resource, with its names and subresources.

use crate::model::Kind;

/// A resource that is stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Res {
    Nodes,
    Namespaces,
    Pods,
    Deployments,
    StatefulSets,
    DaemonSets,
    ReplicaSets,
    Jobs,
    CronJobs,
    Autoscalers,
    Budgets,
    Events,
    Services,
    Claims,
    Volumes,
    StorageClasses,
    ConfigMaps,
    ServiceAccounts,
    ReplicationControllers,
    Leases,
    NodePools,
    NodeClaims,
}

/// What Kubernetes calls a resource and what can be done with it.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) namespaced: bool,
    /// In `kubectl get all`.
    pub(crate) all: bool,
    pub(crate) subresources: &'static [&'static str],
    /// Whether its spec has a generation.
    pub(crate) generation: bool,
    /// The watched kind, if it is one.
    pub(crate) watched: Option<Kind>,
}

impl Spec {
    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        api_version(self.group, self.version)
    }

    /// `pods`, `deployments.apps`: how messages name it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// `v1` or `apps/v1`.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

const fn spec(
    gv: (&'static str, &'static str),
    names: (&'static str, &'static str, &'static str),
    short: &'static [&'static str],
    namespaced: bool,
    watched: Option<Kind>,
) -> Spec {
    Spec {
        group: gv.0,
        version: gv.1,
        plural: names.0,
        singular: names.1,
        kind: names.2,
        short,
        namespaced,
        all: false,
        subresources: &[],
        generation: false,
        watched,
    }
}

const CORE: (&str, &str) = ("", "v1");
const APPS: (&str, &str) = ("apps", "v1");
const BATCH: (&str, &str) = ("batch", "v1");
const KARPENTER: (&str, &str) = ("karpenter.sh", "v1");

static SPECS: [Spec; Res::ALL.len()] = [
    Spec {
        subresources: &["status"],
        ..spec(CORE, ("nodes", "node", "Node"), &["no"], false, Some(Kind::Node))
    },
    Spec {
        subresources: &["status"],
        ..spec(CORE, ("namespaces", "namespace", "Namespace"), &["ns"], false, Some(Kind::Namespace))
    },
    Spec {
        all: true,
        subresources: &["status", "eviction", "log"],
        ..spec(CORE, ("pods", "pod", "Pod"), &["po"], true, Some(Kind::Pod))
    },
    Spec {
        all: true,
        generation: true,
        subresources: &["status", "scale"],
        ..spec(APPS, ("deployments", "deployment", "Deployment"), &["deploy"], true, Some(Kind::Deployment))
    },
    Spec {
        all: true,
        generation: true,
        subresources: &["status", "scale"],
        ..spec(APPS, ("statefulsets", "statefulset", "StatefulSet"), &["sts"], true, Some(Kind::StatefulSet))
    },
    Spec {
        all: true,
        generation: true,
        subresources: &["status"],
        ..spec(APPS, ("daemonsets", "daemonset", "DaemonSet"), &["ds"], true, Some(Kind::DaemonSet))
    },
    Spec {
        all: true,
        generation: true,
        subresources: &["status", "scale"],
        ..spec(APPS, ("replicasets", "replicaset", "ReplicaSet"), &["rs"], true, Some(Kind::ReplicaSet))
    },
    Spec {
        all: true,
        generation: true,
        subresources: &["status"],
        ..spec(BATCH, ("jobs", "job", "Job"), &[], true, Some(Kind::Job))
    },
    Spec {
        all: true,
        generation: true,
        subresources: &["status"],
        ..spec(BATCH, ("cronjobs", "cronjob", "CronJob"), &["cj"], true, Some(Kind::CronJob))
    },
    Spec {
        all: true,
        subresources: &["status"],
        ..spec(
            ("autoscaling", "v2"),
            ("horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler"),
            &["hpa"],
            true,
            Some(Kind::Autoscaler),
        )
    },
    Spec {
        generation: true,
        subresources: &["status"],
        ..spec(
            ("policy", "v1"),
            ("poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget"),
            &["pdb"],
            true,
            Some(Kind::Budget),
        )
    },
    spec(CORE, ("events", "event", "Event"), &["ev"], true, Some(Kind::Event)),
    Spec {
        all: true,
        subresources: &["status"],
        ..spec(CORE, ("services", "service", "Service"), &["svc"], true, Some(Kind::Service))
    },
    Spec {
        subresources: &["status"],
        ..spec(
            CORE,
            ("persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim"),
            &["pvc"],
            true,
            Some(Kind::Claim),
        )
    },
    Spec {
        subresources: &["status"],
        ..spec(
            CORE,
            ("persistentvolumes", "persistentvolume", "PersistentVolume"),
            &["pv"],
            false,
            Some(Kind::Volume),
        )
    },
    spec(
        ("storage.k8s.io", "v1"),
        ("storageclasses", "storageclass", "StorageClass"),
        &["sc"],
        false,
        Some(Kind::StorageClass),
    ),
    spec(CORE, ("configmaps", "configmap", "ConfigMap"), &["cm"], true, None),
    spec(CORE, ("serviceaccounts", "serviceaccount", "ServiceAccount"), &["sa"], true, None),
    Spec {
        all: true,
        generation: true,
        subresources: &["status", "scale"],
        ..spec(
            CORE,
            ("replicationcontrollers", "replicationcontroller", "ReplicationController"),
            &["rc"],
            true,
            None,
        )
    },
    spec(("coordination.k8s.io", "v1"), ("leases", "lease", "Lease"), &[], true, None),
    Spec {
        generation: true,
        subresources: &["status"],
        ..spec(KARPENTER, ("nodepools", "nodepool", "NodePool"), &[], false, None)
    },
    Spec {
        generation: true,
        subresources: &["status"],
        ..spec(KARPENTER, ("nodeclaims", "nodeclaim", "NodeClaim"), &[], false, None)
    },
];

impl Res {
    /// Every stored resource, in the order of [`Res::index`].
    pub(crate) const ALL: [Res; 22] = [
        Res::Nodes,
        Res::Namespaces,
        Res::Pods,
        Res::Deployments,
        Res::StatefulSets,
        Res::DaemonSets,
        Res::ReplicaSets,
        Res::Jobs,
        Res::CronJobs,
        Res::Autoscalers,
        Res::Budgets,
        Res::Events,
        Res::Services,
        Res::Claims,
        Res::Volumes,
        Res::StorageClasses,
        Res::ConfigMaps,
        Res::ServiceAccounts,
        Res::ReplicationControllers,
        Res::Leases,
        Res::NodePools,
        Res::NodeClaims,
    ];

    /// Its place in tables.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Its names.
    pub(crate) fn spec(self) -> &'static Spec {
        &SPECS[self.index()]
    }

    /// The resource at a path's group, version and plural. Events are served by two groups.
    pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<Res> {
        if (group, version, plural) == ("events.k8s.io", "v1", "events") {
            return Some(Res::Events);
        }
        Res::ALL.into_iter().find(|r| {
            let spec = r.spec();
            spec.plural == plural && spec.group == group && spec.version == version
        })
    }

    /// The resource of a kind, as owner and scale references name it.
    pub(crate) fn of_kind(kind: &str) -> Option<Res> {
        Res::ALL.into_iter().find(|r| r.spec().kind == kind)
    }

    /// The resource of this plural, whatever its group.
    pub(crate) fn of_plural(plural: &str) -> Option<Res> {
        Res::ALL.into_iter().find(|r| r.spec().plural == plural)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_agrees_with_the_watched_kinds() {
        for (i, res) in Res::ALL.into_iter().enumerate() {
            assert_eq!(res.index(), i);
        }
        for kind in Kind::ALL {
            let names = kind.names();
            let res = Res::of_plural(names.plural).unwrap();
            let spec = res.spec();
            assert_eq!(spec.watched, Some(kind), "{names:?}");
            assert_eq!((spec.group, spec.kind, spec.namespaced), (names.group, names.kind, names.namespaced));
        }
    }
}
