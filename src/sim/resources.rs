//! What the simulated servers serve: every built-in resource, with its names and subresources,
//! and where objects are kept.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

/// A built-in resource.
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
    Secrets,
    Endpoints,
    LimitRanges,
    Quotas,
    PodTemplates,
    Revisions,
    Roles,
    RoleBindings,
    ClusterRoles,
    ClusterRoleBindings,
    Ingresses,
    IngressClasses,
    NetworkPolicies,
    Drivers,
    NodeDrivers,
    Attachments,
    PriorityClasses,
    EndpointSlices,
    RuntimeClasses,
    SigningRequests,
    MutatingWebhooks,
    ValidatingWebhooks,
    Definitions,
    StorageCapacities,
    VolumeClasses,
    Addresses,
    ServiceRanges,
}

/// Where the objects of a resource are kept: a built-in one, or one that a
/// `CustomResourceDefinition` makes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Slot(u16);

impl Slot {
    /// The slot of the custom resource of this number.
    pub(crate) fn custom(number: usize) -> Slot {
        Slot(u16::try_from(Res::ALL.len() + number).unwrap_or(u16::MAX))
    }

    /// Its place in tables.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The built-in resource, if it is one.
    pub(crate) fn built_in(self) -> Option<Res> {
        Res::ALL.get(self.index()).copied()
    }
}

impl From<Res> for Slot {
    fn from(res: Res) -> Slot {
        Slot(res as u16)
    }
}

impl PartialEq<Res> for Slot {
    fn eq(&self, res: &Res) -> bool {
        self.0 == *res as u16
    }
}

/// A name that the program or a client gave.
pub(crate) type Name = Cow<'static, str>;

/// What Kubernetes calls a resource and what can be done with it.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) group: Name,
    /// The versions served; the first is preferred, and the one in which objects are kept.
    pub(crate) versions: Vec<Name>,
    pub(crate) plural: Name,
    pub(crate) singular: Name,
    pub(crate) kind: Name,
    pub(crate) short: Vec<Name>,
    pub(crate) categories: Vec<Name>,
    pub(crate) namespaced: bool,
    pub(crate) subresources: Vec<Name>,
    /// Whether its spec has a generation.
    pub(crate) generation: bool,
    /// Whether the table of fields knows it: then it is served as protobuf, and patches merge
    /// its lists by their keys.
    pub(crate) typed: bool,
}

impl Spec {
    /// `v1` or `apps/v1`, as objects are kept.
    pub(crate) fn api_version(&self) -> String {
        api_version(&self.group, self.versions.first().map_or("", AsRef::as_ref))
    }

    /// `pods`, `deployments.apps`: how messages name it.
    pub(crate) fn qualified(&self) -> String {
        qualified(&self.group, &self.plural)
    }

    /// Whether it has a subresource.
    pub(crate) fn has(&self, subresource: &str) -> bool {
        self.subresources.iter().any(|s| s == subresource)
    }
}

/// `pods`, `deployments.apps`.
pub(crate) fn qualified(group: &str, plural: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}

/// `v1` or `apps/v1`.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// A line of the table: group, versions, plural, kind, short names, categories, subresources, and
/// letters: `n` namespaced, `g` its spec has a generation, `u` untyped.
type Line = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const LINES: [Line; Res::ALL.len()] = [
    ("", "v1", "nodes", "Node", "no", "", "proxy status", ""),
    ("", "v1", "namespaces", "Namespace", "ns", "", "status finalize", ""),
    ("", "v1", "pods", "Pod", "po", "all", "status eviction log binding exec attach portforward proxy ephemeralcontainers resize", "ng"),
    ("apps", "v1", "deployments", "Deployment", "deploy", "all", "status scale", "ng"),
    ("apps", "v1", "statefulsets", "StatefulSet", "sts", "all", "status scale", "ng"),
    ("apps", "v1", "daemonsets", "DaemonSet", "ds", "all", "status", "ng"),
    ("apps", "v1", "replicasets", "ReplicaSet", "rs", "all", "status scale", "ng"),
    ("batch", "v1", "jobs", "Job", "", "all", "status", "ng"),
    ("batch", "v1", "cronjobs", "CronJob", "cj", "all", "status", "ng"),
    ("autoscaling", "v2 v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa", "all", "status", "n"),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", "", "status", "ng"),
    ("", "v1", "events", "Event", "ev", "", "", "n"),
    ("", "v1", "services", "Service", "svc", "all", "proxy status", "n"),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc", "", "status", "n"),
    ("", "v1", "persistentvolumes", "PersistentVolume", "pv", "", "status", ""),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", "", "", ""),
    ("", "v1", "configmaps", "ConfigMap", "cm", "", "", "n"),
    ("", "v1", "serviceaccounts", "ServiceAccount", "sa", "", "token", "n"),
    ("", "v1", "replicationcontrollers", "ReplicationController", "rc", "all", "status scale", "ng"),
    ("coordination.k8s.io", "v1", "leases", "Lease", "", "", "", "n"),
    ("karpenter.sh", "v1", "nodepools", "NodePool", "", "karpenter", "status", "gu"),
    ("karpenter.sh", "v1", "nodeclaims", "NodeClaim", "", "karpenter", "status", "gu"),
    ("", "v1", "secrets", "Secret", "", "", "", "n"),
    ("", "v1", "endpoints", "Endpoints", "ep", "", "", "n"),
    ("", "v1", "limitranges", "LimitRange", "limits", "", "", "n"),
    ("", "v1", "resourcequotas", "ResourceQuota", "quota", "", "status", "n"),
    ("", "v1", "podtemplates", "PodTemplate", "", "", "", "n"),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", "", "", "", "n"),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", "", "", "", "n"),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", "", "", "n"),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", "", "", ""),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "", "", "", ""),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", "ing", "", "status", "ng"),
    ("networking.k8s.io", "v1", "ingressclasses", "IngressClass", "", "", "", "g"),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol", "", "", "ng"),
    ("storage.k8s.io", "v1", "csidrivers", "CSIDriver", "", "", "", ""),
    ("storage.k8s.io", "v1", "csinodes", "CSINode", "", "", "", ""),
    ("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", "", "", "status", ""),
    ("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", "", "", "g"),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "", "", "", "ng"),
    ("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", "", "", "", ""),
    ("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", "csr", "", "approval status", ""),
    ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", "", "api-extensions", "", "g"),
    ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", "", "api-extensions", "", "g"),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", "crd crds", "api-extensions", "status", "gu"),
    ("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity", "", "", "", "n"),
    ("storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass", "vac", "", "", ""),
    ("networking.k8s.io", "v1", "ipaddresses", "IPAddress", "ip", "", "", ""),
    ("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", "", "", "status", ""),
];

static SPECS: LazyLock<Vec<Arc<Spec>>> = LazyLock::new(|| LINES.iter().map(|l| Arc::new(spec(l))).collect());

fn spec(line: &'static Line) -> Spec {
    let (group, versions, plural, kind, short, categories, subresources, letters) = *line;
    let words = |text: &'static str| text.split_whitespace().map(Name::Borrowed).collect();
    Spec {
        group: group.into(),
        versions: words(versions),
        plural: plural.into(),
        singular: kind.to_lowercase().into(),
        kind: kind.into(),
        short: words(short),
        categories: words(categories),
        namespaced: letters.contains('n'),
        subresources: words(subresources),
        generation: letters.contains('g'),
        typed: !letters.contains('u'),
    }
}

impl Res {
    /// Every built-in resource, in the order of the table.
    pub(crate) const ALL: [Res; 49] = [
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
        Res::Secrets,
        Res::Endpoints,
        Res::LimitRanges,
        Res::Quotas,
        Res::PodTemplates,
        Res::Revisions,
        Res::Roles,
        Res::RoleBindings,
        Res::ClusterRoles,
        Res::ClusterRoleBindings,
        Res::Ingresses,
        Res::IngressClasses,
        Res::NetworkPolicies,
        Res::Drivers,
        Res::NodeDrivers,
        Res::Attachments,
        Res::PriorityClasses,
        Res::EndpointSlices,
        Res::RuntimeClasses,
        Res::SigningRequests,
        Res::MutatingWebhooks,
        Res::ValidatingWebhooks,
        Res::Definitions,
        Res::StorageCapacities,
        Res::VolumeClasses,
        Res::Addresses,
        Res::ServiceRanges,
    ];

    /// Its names.
    pub(crate) fn spec(self) -> &'static Arc<Spec> {
        &SPECS[self as usize]
    }

    /// The resource at a path's group, version and plural. Events are served by two groups.
    pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<Res> {
        if (group, version, plural) == ("events.k8s.io", "v1", "events") {
            return Some(Res::Events);
        }
        Res::ALL.into_iter().find(|r| {
            let spec = r.spec();
            spec.plural == plural && spec.group == group && spec.versions.iter().any(|v| v == version)
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
    use crate::model::Kind;

    #[test]
    fn the_table_is_in_order_and_agrees_with_the_watched_kinds() {
        for (i, res) in Res::ALL.into_iter().enumerate() {
            assert_eq!((res as usize, Slot::from(res).built_in()), (i, Some(res)));
        }
        assert_eq!(Slot::custom(0).built_in(), None);
        for kind in Kind::ALL {
            let names = kind.names();
            let res = Res::of_plural(names.plural).unwrap();
            let spec = res.spec();
            assert_eq!(
                (&*spec.group, &*spec.kind, spec.namespaced),
                (names.group, names.kind, names.namespaced)
            );
        }
        // the variant and its line are of the same kind
        for (res, kind) in [
            (Res::Quotas, "ResourceQuota"),
            (Res::Drivers, "CSIDriver"),
            (Res::EndpointSlices, "EndpointSlice"),
            (Res::Definitions, "CustomResourceDefinition"),
            (Res::ServiceRanges, "ServiceCIDR"),
        ] {
            assert_eq!(res.spec().kind, kind);
        }
    }
}
