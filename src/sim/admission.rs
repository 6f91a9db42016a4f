//! What a server adds to objects as they are made, and how namespaces close.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fields::{at, int, list, list_mut, map, name, object_mut, place, set, text};
use super::resources::Res;
use super::world::World;

/// Fills in what a real server would.
pub(crate) fn admit(world: &World, res: Res, object: &mut Value) {
    match res {
        Res::Pods => pod(world, object),
        Res::Deployments => {
            default(object, "spec.replicas", json!(1));
            default(object, "spec.revisionHistoryLimit", json!(10));
            default(object, "spec.progressDeadlineSeconds", json!(600));
            default(object, "spec.strategy.type", json!("RollingUpdate"));
            if text(object, "spec.strategy.type") == "RollingUpdate" {
                default(object, "spec.strategy.rollingUpdate.maxSurge", json!("25%"));
                default(object, "spec.strategy.rollingUpdate.maxUnavailable", json!("25%"));
            }
            empty_status(object);
        }
        Res::StatefulSets => {
            default(object, "spec.replicas", json!(1));
            default(object, "spec.podManagementPolicy", json!("OrderedReady"));
            default(object, "spec.updateStrategy.type", json!("RollingUpdate"));
            empty_status(object);
        }
        Res::ReplicaSets | Res::ReplicationControllers => {
            default(object, "spec.replicas", json!(1));
            empty_status(object);
        }
        Res::DaemonSets => {
            default(object, "spec.updateStrategy.type", json!("RollingUpdate"));
            default(object, "spec.updateStrategy.rollingUpdate.maxUnavailable", json!(1));
            empty_status(object);
        }
        Res::Jobs => {
            default(object, "spec.completions", json!(1));
            default(object, "spec.parallelism", json!(1));
            default(object, "spec.backoffLimit", json!(6));
            empty_status(object);
        }
        Res::Autoscalers => {
            default(object, "spec.minReplicas", json!(1));
            empty_status(object);
        }
        Res::CronJobs => {
            default(object, "spec.suspend", json!(false));
            empty_status(object);
        }
        Res::Budgets | Res::NodePools | Res::NodeClaims => empty_status(object),
        Res::Namespaces => {
            let own = name(object).to_owned();
            object_mut(place(object, "metadata.labels"))
                .insert("kubernetes.io/metadata.name".into(), own.into());
            set(object, "spec.finalizers", json!(["kubernetes"]));
            set(object, "status", json!({ "phase": "Active" }));
        }
        Res::Services => {
            default(object, "spec.type", json!("ClusterIP"));
            default(object, "spec.clusterIP", json!("10.96.0.1"));
            default(object, "status", json!({ "loadBalancer": {} }));
        }
        _ => {}
    }
}

fn empty_status(object: &mut Value) {
    set(object, "status", json!({}));
}

fn default(object: &mut Value, path: &str, value: Value) {
    if at(object, path).is_null() {
        set(object, path, value);
    }
}

/// Defaults of a pod; the tolerations are those of the admission plugin
/// `DefaultTolerationSeconds`.
fn pod(world: &World, pod: &mut Value) {
    default(pod, "spec.restartPolicy", json!("Always"));
    default(pod, "spec.terminationGracePeriodSeconds", json!(30));
    default(pod, "spec.schedulerName", json!("default-scheduler"));
    default(pod, "spec.serviceAccountName", json!("default"));
    let seconds = world.timing.toleration.seconds();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerates = |t: &Value| {
            let covers = ["", key].contains(&text(t, "key"));
            covers && ["", "NoExecute"].contains(&text(t, "effect"))
        };
        if !list(pod, "spec.tolerations").iter().any(tolerates) {
            list_mut(place(pod, "spec.tolerations")).push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds,
            }));
        }
    }
    let class = quality(pod);
    set(pod, "status", json!({ "phase": "Pending", "qosClass": class }));
}

fn quality(pod: &Value) -> &'static str {
    let containers = list(pod, "spec.containers");
    let asks = |c: &Value, what: &str| !map(c, &format!("resources.{what}")).is_empty();
    if !containers.iter().any(|c| asks(c, "requests") || asks(c, "limits")) {
        return "BestEffort";
    }
    let same = |c: &Value| asks(c, "limits") && at(c, "resources.limits") == at(c, "resources.requests");
    if containers.iter().all(same) { "Guaranteed" } else { "Burstable" }
}

/// Begins the removal of a namespace; its controller does the rest.
pub(crate) fn close_namespace(world: &mut World, namespace: &Arc<Value>) -> Arc<Value> {
    let now = world.now;
    let mut new = (**namespace).clone();
    if int(&new, "metadata.deletionGracePeriodSeconds") == 0 {
        set(&mut new, "metadata.deletionTimestamp", now.rfc3339());
    }
    set(&mut new, "status.phase", "Terminating");
    world.store.replace(Res::Namespaces, namespace, new)
}
