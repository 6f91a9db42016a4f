//! What the server adds to objects before it keeps them: defaults, and the beginning of a status
//! (`kubernetes/kubernetes:pkg/apis/*/v1/defaults.go`, `pkg/registry/*/strategy.go`).

mod pods;
mod services;

pub(crate) use pods::{locate, place_of};

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::controllers::{CLAIM_PROTECTION, VOLUME_PROTECTION};
use super::custom;
use super::fields::{
    annotate, annotation, at, flag, list, list_mut, map, name, object_mut, place, set, text, unset,
};
use super::limits;
use super::quota;
use super::refusal::{Cause, Refusal};
use super::resources::Res;
use super::world::World;

pub(crate) use pods::quality;
pub(crate) use services::ADDRESSES;

/// Fills in what a real server would in a new object.
pub(crate) fn admit(world: &World, res: Res, object: &mut Value) {
    complete(world, res, object);
    match res {
        Res::Pods => {
            limits::fill_in(world, object);
            pods::admit(world, object);
        }
        Res::Deployments
        | Res::ReplicaSets
        | Res::Jobs
        | Res::CronJobs
        | Res::NodePools
        | Res::NodeClaims => set(object, "status", json!({})),
        Res::ReplicationControllers => set(object, "status", json!({ "replicas": 0 })),
        Res::StatefulSets => set(object, "status", json!({ "replicas": 0, "availableReplicas": 0 })),
        Res::DaemonSets => {
            let first = template_generation(object).filter(|n| *n > 0).unwrap_or(1);
            annotate(object, TEMPLATE_GENERATION, &first.to_string());
            let none = json!({
                "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
            });
            set(object, "status", none);
        }
        Res::Autoscalers => {
            set(object, "status", json!({ "desiredReplicas": 0, "currentMetrics": null }));
        }
        Res::Budgets => {
            let none = json!({ "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0 });
            set(object, "status", none);
        }
        Res::Namespaces => set(object, "status", json!({ "phase": "Active" })),
        Res::Claims => claim(world, object),
        Res::Volumes => {
            protect(object, VOLUME_PROTECTION);
            let since = world.now.rfc3339();
            set(object, "status", json!({ "phase": "Pending", "lastPhaseTransitionTime": since }));
        }
        Res::Services => default(object, "status", json!({ "loadBalancer": {} })),
        Res::Ingresses => set(object, "status", json!({ "loadBalancer": {} })),
        Res::SigningRequests => set(object, "status", json!({})),
        Res::Nodes => not_ready(object),
        Res::Definitions => custom::admit(object, world.now),
        _ => {}
    }
}

/// What is in use is not to go before it is not.
fn protect(object: &mut Value, finalizer: &str) {
    let finalizers = list_mut(place(object, "metadata.finalizers"));
    if !finalizers.iter().any(|f| f == finalizer) {
        finalizers.push(finalizer.into());
    }
}

/// Nothing is placed on a new node before a controller has seen it
/// (`plugin/pkg/admission/nodetaint`).
fn not_ready(node: &mut Value) {
    let taint = json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" });
    let taints = list_mut(place(node, "spec.taints"));
    if !taints.contains(&taint) {
        taints.push(taint);
    }
}

/// A new claim waits, for a volume of the default class if it names none: the newest, where more
/// than one is marked (`DefaultStorageClass`).
fn claim(world: &World, object: &mut Value) {
    const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    protect(object, CLAIM_PROTECTION);
    let marked = |c: &&Arc<Value>| annotation(c, DEFAULT) == "true";
    let newest = |class: &&Arc<Value>| {
        (text(class, "metadata.creationTimestamp").to_owned(), std::cmp::Reverse(name(class).to_owned()))
    };
    if let Some(class) = world.store.list(Res::StorageClasses, None).filter(marked).max_by_key(newest) {
        default(object, "spec.storageClassName", json!(name(class)));
    }
    set(object, "status", json!({ "phase": "Pending" }));
}

/// Notes who asks for a certificate: it will be theirs
/// (`pkg/registry/certificates/certificates/strategy.go` `PrepareForCreate`).
pub(crate) fn attribute(res: Res, object: &mut Value, name: &str, groups: &[String]) {
    if res != Res::SigningRequests {
        return;
    }
    unset(object, "spec.uid");
    unset(object, "spec.extra");
    set(object, "spec.username", name);
    set(object, "spec.groups", groups.to_vec());
}

/// Refuses what a namespace has no room for, and what is not within its limits.
pub(crate) fn refuse(world: &mut World, res: Res, object: &Value, dry: bool) -> Result<(), Refusal> {
    if res == Res::Pods {
        pods::known(world, object)?;
    }
    limits::refuse(world, res, object)?;
    quota::admit(world, res, None, object, dry)
}

/// The same of a pod whose containers may use more from now on.
pub(crate) fn refuse_growth(world: &mut World, old: &Value, new: &Value, dry: bool) -> Result<(), Refusal> {
    limits::refuse(world, Res::Pods, new)?;
    quota::admit(world, Res::Pods, Some(old), new, dry)
}

/// What an object asks for that is not to be had, or that another has.
pub(crate) fn taken(world: &World, res: Res, old: Option<&Value>, new: &Value) -> Vec<Cause> {
    if res == Res::Services { services::taken(world, old, new) } else { Vec::new() }
}

/// Refuses a second class of priority that is everybody's
/// (`plugin/pkg/admission/priority` `validatePriorityClass`).
pub(crate) fn alone(world: &World, res: Res, object: &Value) -> Result<(), Refusal> {
    if res != Res::PriorityClasses || !flag(object, "globalDefault") {
        return Ok(());
    }
    let mut classes = world.store.list(Res::PriorityClasses, None);
    match classes.find(|class| flag(class, "globalDefault") && name(class) != name(object)) {
        None => Ok(()),
        Some(other) => {
            let why = format!(
                "PriorityClass {} is already marked as default. Only one default can exist",
                name(other)
            );
            Err(Refusal::forbids(res.spec(), name(object), &why))
        }
    }
}

/// Fills in the defaults of an object, new or changed.
pub(crate) fn complete(world: &World, res: Res, object: &mut Value) {
    match res {
        Res::Pods => pods::complete(place(object, "spec")),
        Res::Deployments | Res::StatefulSets | Res::DaemonSets => workload(res, object),
        Res::ReplicaSets => default(object, "spec.replicas", json!(1)),
        Res::ReplicationControllers => controller(object),
        Res::Jobs | Res::CronJobs => job(res, object),
        Res::Autoscalers => autoscaler(object),
        Res::LimitRanges => limits::complete(object),
        Res::Namespaces => {
            let own = name(object).to_owned();
            object_mut(place(object, "metadata.labels"))
                .insert("kubernetes.io/metadata.name".into(), own.into());
            default(object, "spec.finalizers", json!(["kubernetes"]));
        }
        Res::Services => services::complete(world, object),
        Res::Claims => default(object, "spec.volumeMode", json!("Filesystem")),
        Res::Volumes => {
            default(object, "spec.volumeMode", json!("Filesystem"));
            default(object, "spec.persistentVolumeReclaimPolicy", json!("Retain"));
        }
        Res::StorageClasses => {
            default(object, "reclaimPolicy", json!("Delete"));
            default(object, "volumeBindingMode", json!("Immediate"));
        }
        Res::PriorityClasses => {
            default(object, "preemptionPolicy", json!("PreemptLowerPriority"));
            if !flag(object, "globalDefault") {
                unset(object, "globalDefault");
            }
        }
        Res::NetworkPolicies => {
            let both = !at(object, "spec.egress").is_null();
            let types = if both { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            default(object, "spec.policyTypes", types);
        }
        Res::Secrets => secret(object),
        Res::Endpoints => each(object, "subsets", |subset| each(subset, "ports", protocol)),
        Res::EndpointSlices => slice(object),
        Res::RoleBindings | Res::ClusterRoleBindings => binding(object),
        _ => {}
    }
    let template = match res {
        Res::CronJobs => "spec.jobTemplate.spec.template.spec",
        Res::Deployments
        | Res::StatefulSets
        | Res::ReplicaSets
        | Res::ReplicationControllers
        | Res::DaemonSets
        | Res::Jobs => "spec.template.spec",
        _ => return,
    };
    if at(object, template).is_object() {
        pods::spec(place(object, template));
    }
    // what says nothing is written all the same: it is no pointer in Go
    for nested in [template, "spec.jobTemplate.spec"] {
        let outer = nested.strip_suffix(".spec").unwrap_or(nested);
        if at(object, outer).is_object() {
            default(object, &format!("{outer}.metadata"), json!({}));
        }
    }
}

/// What follows from the uid that a new object is given: a job selects its pods by it
/// (`pkg/registry/batch/job/strategy.go` `generateSelector`), and a pod mounts its token.
pub(crate) fn identify(res: Res, object: &mut Value) {
    if res == Res::Pods {
        return pods::mount_token(object);
    }
    if res != Res::Jobs || flag(object, "spec.manualSelector") {
        return;
    }
    let (own, uid) = (name(object).to_owned(), super::fields::uid(object).to_owned());
    let labels = object_mut(place(object, "spec.template.metadata.labels"));
    for prefix in ["batch.kubernetes.io/", ""] {
        labels.insert(format!("{prefix}controller-uid").into(), json!(uid));
        labels.insert(format!("{prefix}job-name").into(), json!(own));
    }
    // a job without labels has those of its pods (`pkg/apis/batch/v1/defaults.go` `SetDefaults_Job`)
    let labels = labels.clone();
    default(object, "metadata.labels", Value::Object(labels));
    set(object, "spec.selector", json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } }));
}

/// Defaults of what keeps pods running.
fn workload(res: Res, object: &mut Value) {
    default(object, "spec.revisionHistoryLimit", json!(10));
    let strategy = if res == Res::Deployments { "spec.strategy" } else { "spec.updateStrategy" };
    default(object, &format!("{strategy}.type"), json!("RollingUpdate"));
    let rolls = text(object, &format!("{strategy}.type")) == "RollingUpdate";
    let rolling: &[(&str, Value)] = match res {
        Res::Deployments => {
            default(object, "spec.replicas", json!(1));
            default(object, "spec.progressDeadlineSeconds", json!(600));
            &[("maxSurge", json!("25%")), ("maxUnavailable", json!("25%"))]
        }
        Res::StatefulSets => {
            default(object, "spec.replicas", json!(1));
            default(object, "spec.podManagementPolicy", json!("OrderedReady"));
            default(object, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", json!("Retain"));
            default(object, "spec.persistentVolumeClaimRetentionPolicy.whenScaled", json!("Retain"));
            &[("partition", json!(0))]
        }
        _ => &[("maxUnavailable", json!(1)), ("maxSurge", json!(0))],
    };
    for (field, value) in rolling.iter().filter(|_| rolls) {
        default(object, &format!("{strategy}.rollingUpdate.{field}"), value.clone());
    }
}

/// Defaults of a replication controller, which selects what it makes if it says nothing else.
fn controller(object: &mut Value) {
    default(object, "spec.replicas", json!(1));
    let labels = at(object, "spec.template.metadata.labels").clone();
    if labels.is_object() {
        default(object, "spec.selector", labels.clone());
        default(object, "metadata.labels", labels);
    }
}

/// Changes each item of a list, if there is one.
fn each(object: &mut Value, path: &str, change: impl Fn(&mut Value)) {
    let items = object.get_mut(path).and_then(Value::as_array_mut);
    items.into_iter().flatten().for_each(change);
}

fn protocol(port: &mut Value) {
    default(port, "protocol", json!("TCP"));
}

/// Defaults of a slice of endpoints (`pkg/apis/discovery/v1/defaults.go`); what is known of an
/// endpoint is always written.
fn slice(object: &mut Value) {
    each(object, "ports", |port| {
        default(port, "name", json!(""));
        protocol(port);
    });
    each(object, "endpoints", |endpoint| default(endpoint, "conditions", json!({})));
}

/// The group of what a binding names (`pkg/apis/rbac/v1/defaults.go`).
fn binding(object: &mut Value) {
    let group = || json!("rbac.authorization.k8s.io");
    default(object, "roleRef.apiGroup", group());
    each(object, "subjects", |subject| {
        if ["User", "Group"].contains(&text(subject, "kind")) {
            default(subject, "apiGroup", group());
        }
    });
}

/// Defaults of what runs to an end.
fn job(res: Res, object: &mut Value) {
    default(object, "spec.suspend", json!(false));
    if res == Res::CronJobs {
        default(object, "spec.concurrencyPolicy", json!("Allow"));
        default(object, "spec.successfulJobsHistoryLimit", json!(3));
        default(object, "spec.failedJobsHistoryLimit", json!(1));
        return;
    }
    // completions are left out where pods share a queue of work: then the first that ends well says
    // that it is empty
    if at(object, "spec.parallelism").is_null() {
        default(object, "spec.completions", json!(1));
    }
    default(object, "spec.parallelism", json!(1));
    default(object, "spec.backoffLimit", json!(6));
    default(object, "spec.completionMode", json!("NonIndexed"));
    default(object, "spec.manualSelector", json!(false));
    // a job with rules of its own about failures waits until a pod has failed
    let rules = at(object, "spec.podFailurePolicy").is_object();
    default(object, "spec.podReplacementPolicy", json!(if rules { "Failed" } else { "TerminatingOrFailed" }));
}

/// Defaults of a horizontal autoscaler: one that says no metric keeps CPU at 80 %
/// (`pkg/apis/autoscaling/v2/defaults.go`).
fn autoscaler(object: &mut Value) {
    default(object, "spec.minReplicas", json!(1));
    if list(object, "spec.metrics").is_empty() {
        let target = json!({ "type": "Utilization", "averageUtilization": 80 });
        set(
            object,
            "spec.metrics",
            json!([{ "type": "Resource", "resource": { "name": "cpu", "target": target } }]),
        );
    }
}

fn default(object: &mut Value, path: &str, value: Value) {
    if at(object, path).is_null() {
        set(object, path, value);
    }
}

/// The annotation that says how often the template of a daemon set changed, which its pods are labelled with
/// (`pkg/registry/apps/daemonset/strategy.go`).
pub(crate) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// How often the template of a daemon set changed.
pub(crate) fn template_generation(daemon_set: &Value) -> Option<i64> {
    annotation(daemon_set, TEMPLATE_GENERATION).parse().ok()
}

/// What the server counts in an object whose defaults are filled in.
pub(crate) fn recount(res: Res, old: &Value, new: &mut Value) {
    if let Some(before) = template_generation(old).filter(|_| res == Res::DaemonSets) {
        let changed = at(old, "spec.template") != at(new, "spec.template");
        annotate(new, TEMPLATE_GENERATION, &(before + i64::from(changed)).to_string());
    }
}

/// What a write leaves as it was, and what follows from it.
pub(crate) fn carry(world: &World, res: Res, old: &Value, new: &mut Value) {
    match res {
        Res::Services => services::carry(old, new),
        Res::SigningRequests => {
            // what was asked for stays, and when it was decided is noted
            set(new, "spec", at(old, "spec").clone());
            decided(world, old, new);
        }
        _ => {}
    }
}

/// When each thing was decided about a request for a certificate (`populateConditionTimestamps`).
fn decided(world: &World, old: &Value, new: &mut Value) {
    let now = json!(world.now.rfc3339());
    let before = list(old, "status.conditions").to_vec();
    let Some(conditions) = new.pointer_mut("/status/conditions").and_then(Value::as_array_mut) else {
        return;
    };
    for one in conditions {
        default(one, "lastUpdateTime", now.clone());
        let same = before.iter().find(|c| c["type"] == one["type"] && c["status"] == one["status"]);
        let since = same.map(|c| c["lastTransitionTime"].clone()).filter(|t| !t.is_null());
        default(one, "lastTransitionTime", since.unwrap_or_else(|| now.clone()));
    }
}

/// Plain text of a secret is kept encoded.
fn secret(object: &mut Value) {
    default(object, "type", json!("Opaque"));
    let plain = map(object, "stringData").clone();
    unset(object, "stringData");
    for (key, value) in plain {
        let encoded = super::tls::base64(value.as_str().unwrap_or_default().as_bytes());
        object_mut(place(object, "data")).insert(key, encoded.into());
    }
}

/// Begins the removal of a namespace; its controller does the rest.
pub(crate) fn close_namespace(world: &mut World, namespace: &Arc<Value>) -> Arc<Value> {
    let now = world.now;
    let mut new = (**namespace).clone();
    set(&mut new, "status.phase", "Terminating");
    world.store.close(Res::Namespaces, namespace, new, now)
}
