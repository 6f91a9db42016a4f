//! What the server adds to objects before it keeps them: defaults, and the beginning of a status
//! (`kubernetes/kubernetes:pkg/apis/*/v1/defaults.go`, `pkg/registry/*/strategy.go`).

mod pods;
mod services;

pub(crate) use pods::{locate, place_of};

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::controllers::{CLAIM_PROTECTION, VOLUME_PROTECTION};
use super::custom;
use super::fields::{annotate, annotation, at, list, list_mut, map, name, object_mut, place, set, text};
use super::limits;
use super::quota;
use super::refusal::Refusal;
use super::resources::Res;
use super::world::World;

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
        | Res::ReplicationControllers
        | Res::Jobs
        | Res::CronJobs
        | Res::NodePools
        | Res::NodeClaims => set(object, "status", json!({})),
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
            set(object, "status", json!({ "phase": "Pending" }));
        }
        Res::Services => default(object, "status", json!({ "loadBalancer": {} })),
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

/// A new claim waits, for a volume of the default class if it names none (`DefaultStorageClass`).
fn claim(world: &World, object: &mut Value) {
    const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    protect(object, CLAIM_PROTECTION);
    let marked = |c: &&Arc<Value>| annotation(c, DEFAULT) == "true";
    if let Some(class) = world.store.list(Res::StorageClasses, None).find(marked) {
        default(object, "spec.storageClassName", json!(name(class)));
    }
    set(object, "status", json!({ "phase": "Pending" }));
}

/// Refuses what a namespace has no room for, and what is not within its limits.
pub(crate) fn refuse(world: &mut World, res: Res, object: &Value, dry: bool) -> Result<(), Refusal> {
    if res == Res::Pods {
        pods::known(world, object)?;
    }
    limits::refuse(world, res, object)?;
    quota::admit(world, res, object, dry)
}

/// Fills in the defaults of an object, new or changed.
pub(crate) fn complete(world: &World, res: Res, object: &mut Value) {
    match res {
        Res::Pods => pods::complete(place(object, "spec")),
        Res::Deployments | Res::StatefulSets | Res::DaemonSets => workload(res, object),
        Res::ReplicaSets | Res::ReplicationControllers => default(object, "spec.replicas", json!(1)),
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
        Res::PriorityClasses => default(object, "preemptionPolicy", json!("PreemptLowerPriority")),
        Res::NetworkPolicies => {
            let both = !at(object, "spec.egress").is_null();
            let types = if both { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            default(object, "spec.policyTypes", types);
        }
        Res::Secrets => secret(object),
        _ => {}
    }
    let template = match res {
        Res::CronJobs => "spec.jobTemplate.spec.template.spec",
        Res::Deployments | Res::StatefulSets | Res::ReplicaSets | Res::DaemonSets | Res::Jobs => {
            "spec.template.spec"
        }
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
    if res != Res::Jobs || super::fields::flag(object, "spec.manualSelector") {
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

/// What a write leaves as it was when it does not say it (`patchAllocatedValues`).
pub(crate) fn carry(res: Res, old: &Value, new: &mut Value) {
    if res == Res::Services {
        services::carry(old, new);
    }
}

/// Plain text of a secret is kept encoded.
fn secret(object: &mut Value) {
    default(object, "type", json!("Opaque"));
    let plain = map(object, "stringData").clone();
    super::fields::unset(object, "stringData");
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
