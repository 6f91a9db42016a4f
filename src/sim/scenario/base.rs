//! What every cluster has from its first day.

use super::build::create;
use super::file::{ClusterFile, ProviderFile};
use crate::sim::fields::{name, set};
use crate::sim::json::{Value, json};
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Makes namespaces, classes, roles, and the service of the server itself.
pub(super) fn base(world: &mut World, cluster: &ClusterFile) {
    for namespace in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        create(world, Res::Namespaces, json!({ "metadata": { "name": namespace } }));
    }
    for (class, value, description) in [
        (
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
        (
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    ] {
        priority(world, class, value, description);
    }
    let (name, provisioner, disk) = match cluster.provider {
        ProviderFile::Eks => ("gp3", "ebs.csi.aws.com", "gp3"),
        ProviderFile::Gke => ("premium-rwo", "pd.csi.storage.gke.io", "pd-ssd"),
        ProviderFile::Aks => ("managed-csi-premium", "disk.csi.azure.com", "Premium_LRS"),
        ProviderFile::Private => ("longhorn", "driver.longhorn.io", "replicated"),
        ProviderFile::Edge => ("local-path", "rancher.io/local-path", "local"),
    };
    create(
        world,
        Res::StorageClasses,
        json!({
            "metadata": { "name": name, "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } },
            "provisioner": provisioner, "parameters": { "type": disk }, "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
        }),
    );
    server(world);
    roles(world);
    world.absorb();
}

/// Makes a class of priority.
pub(super) fn priority(world: &mut World, class: &str, value: i64, description: &str) {
    let mut object = json!({
        "metadata": { "name": class, "generation": 1 }, "value": value, "preemptionPolicy": "PreemptLowerPriority",
    });
    if !description.is_empty() {
        set(&mut object, "description", description);
    }
    world.create_aside(Res::PriorityClasses, object);
}

/// The default storage class's name.
pub(super) fn storage_class(world: &World) -> String {
    let first = world.store.list(Res::StorageClasses, None).next();
    first.map_or(String::new(), |s| name(s).to_owned())
}

/// The service by which pods reach the server, and what is behind it (`pkg/controlplane/controller/kubernetesservice`).
fn server(world: &mut World) {
    const NAME: &str = "kubernetes";
    let h = random::hash(&world.name);
    let address = format!("172.16.{}.{}", h & 255, 1 + (h >> 8) % 254);
    let meta = |labels: Value| json!({ "name": NAME, "namespace": "default", "labels": labels });
    let mut service = json!({
        "metadata": meta(json!({ "component": "apiserver", "provider": NAME })),
        "spec": {
            "type": "ClusterIP", "clusterIP": "10.96.0.1",
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": 443 }],
        },
    });
    world.create_aside(
        Res::ServiceRanges,
        json!({
            "metadata": { "name": NAME, "finalizers": ["networking.k8s.io/service-cidr-finalizer"] },
            "spec": { "cidrs": [crate::sim::admission::ADDRESSES] },
            "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "",
                "message": "Kubernetes Service CIDR is ready", "lastTransitionTime": world.now.rfc3339() }] },
        }),
    );
    crate::sim::admission::complete(world, Res::Services, &mut service);
    set(&mut service, "status", json!({ "loadBalancer": {} }));
    world.create_aside(Res::Services, service);
    let port = json!([{ "name": "https", "port": 443, "protocol": "TCP" }]);
    let endpoints = json!({
        "metadata": meta(json!({ "endpointslice.kubernetes.io/skip-mirror": "true" })),
        "subsets": [{ "addresses": [{ "ip": address }], "ports": port }],
    });
    world.create_aside(Res::Endpoints, endpoints);
    let slice = json!({
        "metadata": meta(json!({ "kubernetes.io/service-name": NAME })), "addressType": "IPv4", "ports": port,
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }],
    });
    world.create_aside(Res::EndpointSlices, slice);
}

const READING: [&str; 3] = ["get", "list", "watch"];
const WRITING: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// The roles for people, and who has the first of them
/// (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy`): what they give of what is served here.
fn roles(world: &mut World) {
    let everything = json!([
        { "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] },
        { "nonResourceURLs": ["*"], "verbs": ["*"] },
    ]);
    let mut view = rules(&READING, |res| !SECRET.contains(&res) && !RIGHTS.contains(&res));
    view.push(
        json!({ "apiGroups": [""], "resources": ["namespaces", "namespaces/status"], "verbs": READING }),
    );
    let secrets = |verbs: &[&str]| json!({ "apiGroups": [""], "resources": ["secrets"], "verbs": verbs });
    let talk = json!({ "apiGroups": [""], "verbs": ["create", "get"],
        "resources": ["pods/attach", "pods/exec", "pods/portforward", "pods/eviction", "serviceaccounts/token"] });
    let written = |res| !RIGHTS.contains(&res) && !SECRET.contains(&res) && !GIVEN.contains(&res);
    let mut edit = view.clone();
    edit.extend(rules(&WRITING, written));
    edit.extend([secrets(&READING), secrets(&WRITING), talk]);
    let mut admin = edit.clone();
    admin.extend(rules(&[READING.as_slice(), WRITING.as_slice()].concat(), |res| RIGHTS.contains(&res)));
    let marked = |name: &str| {
        json!({ "name": name, "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
                "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" } })
    };
    let list = |rules: Vec<Value>| -> Value { rules.into_iter().collect() };
    for (role, rules) in
        [("cluster-admin", everything), ("view", list(view)), ("edit", list(edit)), ("admin", list(admin))]
    {
        world.create_aside(Res::ClusterRoles, json!({ "metadata": marked(role), "rules": rules }));
    }
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": marked("cluster-admin"),
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": group, "kind": "Group", "name": "system:masters" }],
    });
    world.create_aside(Res::ClusterRoleBindings, binding);
}

/// What only those see who may write it.
const SECRET: [Res; 1] = [Res::Secrets];

/// What gives rights.
const RIGHTS: [Res; 2] = [Res::Roles, Res::RoleBindings];

/// What a namespace is given by others.
const GIVEN: [Res; 3] = [Res::LimitRanges, Res::Quotas, Res::Revisions];

/// A rule for each group, of what namespaces hold and what belongs to it.
fn rules(verbs: &[&str], of: impl Fn(Res) -> bool) -> Vec<Value> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for res in Res::ALL.into_iter().filter(|r| r.spec().namespaced && of(*r)) {
        let spec = res.spec();
        let known = groups.iter().position(|(group, _)| *group == &*spec.group);
        let at = known.unwrap_or_else(|| {
            groups.push((&*spec.group, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(spec.plural.to_string());
        for sub in spec.subresources.iter().filter(|s| ["status", "scale", "log"].contains(&&***s)) {
            groups[at].1.push(format!("{}/{sub}", spec.plural));
        }
    }
    let rule = |(group, resources): (&str, Vec<String>)| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    groups.into_iter().map(rule).collect()
}
