//! The objects of a workload, as a person would apply them.

mod wordy;

use crate::sim::json::{Map, Value, json};

use super::base::storage_class;
use super::file::{ClusterFile, PoolFile, WorkloadFile, WorkloadKind};
use crate::model::Provider;
use crate::sim::controllers::{Manner, Pool, RUNS, tolerate};
use crate::sim::fields::{annotate, list_mut, object_mut, place, set};
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Every object of a workload, in the order of making.
pub(super) fn of(world: &World, cluster: &ClusterFile, w: &WorkloadFile, replicas: u32) -> Vec<(Res, Value)> {
    let mut out = Vec::new();
    if world.store.get(Res::Namespaces, "", &w.namespace).is_none() {
        out.push((Res::Namespaces, json!({ "metadata": { "name": w.namespace } })));
    }
    let template = template(world, cluster, w);
    let mut main = match w.kind {
        WorkloadKind::Deployment => {
            let mut d = json!({ "metadata": meta(w), "spec": {
                "replicas": replicas, "selector": selector(w), "template": template } });
            if w.recreate {
                set(&mut d, "spec.strategy.type", "Recreate");
            }
            (Res::Deployments, d)
        }
        WorkloadKind::StatefulSet => {
            let mut s = json!({ "metadata": meta(w), "spec": {
                "replicas": replicas, "serviceName": w.name, "selector": selector(w), "template": template } });
            if let Some(size) = &w.storage {
                set(
                    &mut s,
                    "spec.volumeClaimTemplates",
                    json!([{ "metadata": { "name": "data" }, "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": storage_class(world),
                    "resources": { "requests": { "storage": size } } } }]),
                );
            }
            (Res::StatefulSets, s)
        }
        WorkloadKind::DaemonSet => (
            Res::DaemonSets,
            json!({ "metadata": meta(w), "spec": { "selector": selector(w), "template": template } }),
        ),
        WorkloadKind::CronJob => {
            let mut pod = template;
            set(&mut pod, "spec.restartPolicy", "Never");
            let cron = json!({ "metadata": meta(w), "spec": {
                "schedule": w.schedule.clone().unwrap_or_else(|| "*/10 * * * *".to_owned()),
                "concurrencyPolicy": "Forbid", "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
                "jobTemplate": { "spec": { "backoffLimit": 2, "template": pod } } } });
            (Res::CronJobs, cron)
        }
        WorkloadKind::Pod => (Res::Pods, json!({ "metadata": meta(w), "spec": template["spec"] })),
    };
    deliver(&mut main.1, w);
    out.push(main);
    out.extend(autoscaler(w).map(|a| (Res::Autoscalers, a)));
    out.extend(budget(w).map(|b| (Res::Budgets, b)));
    out.extend(w.port.map(|port| (Res::Services, service(world, w, port))));
    out
}

/// The name of a class of priority.
pub(super) fn class(value: i64) -> String {
    format!("priority-{value}")
}

fn meta(w: &WorkloadFile) -> Value {
    json!({ "name": w.name, "namespace": w.namespace, "labels": { "app": w.name } })
}

fn selector(w: &WorkloadFile) -> Value {
    json!({ "matchLabels": { "app": w.name } })
}

/// Marks of the system that delivers the workload.
fn deliver(object: &mut Value, w: &WorkloadFile) {
    if let Some(app) = &w.argo {
        object_mut(place(object, "metadata.labels")).insert("app.kubernetes.io/instance".into(), json!(app));
        let spec = w.kind.res().spec();
        annotate(
            object,
            "argocd.argoproj.io/tracking-id",
            &format!("{app}:{}/{}:{}/{}", spec.group, spec.kind, w.namespace, w.name),
        );
    }
    if let Some(release) = &w.helm {
        object_mut(place(object, "metadata.labels"))
            .insert("app.kubernetes.io/managed-by".into(), json!("Helm"));
        annotate(object, "meta.helm.sh/release-name", release);
        annotate(object, "meta.helm.sh/release-namespace", &w.namespace);
    }
}

fn template(world: &World, cluster: &ClusterFile, w: &WorkloadFile) -> Value {
    let mut requests = Map::new();
    requests.insert("cpu".into(), json!(w.cpu.clone().unwrap_or_else(|| "100m".to_owned())));
    requests.insert("memory".into(), json!(w.memory.clone().unwrap_or_else(|| "128Mi".to_owned())));
    let mut limits = json!({ "memory": requests["memory"] });
    if w.gpus > 0 {
        requests.insert("nvidia.com/gpu".into(), json!(w.gpus.to_string()));
        object_mut(&mut limits).insert("nvidia.com/gpu".into(), json!(w.gpus.to_string()));
    }
    let mut container = json!({
        "name": w.name, "image": w.image, "imagePullPolicy": "IfNotPresent",
        "resources": { "requests": requests, "limits": limits },
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    });
    if let Some(port) = w.port {
        set(&mut container, "ports", json!([{ "containerPort": port, "protocol": "TCP" }]));
        set(
            &mut container,
            "readinessProbe",
            json!({
            "httpGet": { "path": "/healthz", "port": port, "scheme": "HTTP" }, "periodSeconds": 10 }),
        );
        for (probe, failures) in [("livenessProbe", 3), ("startupProbe", 6)] {
            let get = json!({ "path": "/livez", "port": port, "scheme": "HTTP" });
            set(
                &mut container,
                probe,
                json!({ "httpGet": get, "periodSeconds": 10, "failureThreshold": failures }),
            );
        }
    }
    let mut containers = vec![container];
    if let Some(image) = &w.sidecar {
        containers.push(json!({
            "name": "proxy", "image": image, "imagePullPolicy": "IfNotPresent",
            "resources": { "requests": { "cpu": "20m", "memory": "64Mi" } },
        }));
    }
    let mut pod = json!({
        "metadata": { "labels": { "app": w.name } },
        "spec": {
            "containers": containers, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst", "serviceAccountName": "default", "schedulerName": "default-scheduler",
        },
    });
    if w.wordy {
        wordy::add(w, &mut pod);
    }
    if let Some(value) = w.priority {
        set(&mut pod, "spec.priorityClassName", class(value));
    }
    if let Some(place) = w.apart {
        let term = json!([{ "labelSelector": selector(w), "topologyKey": place.label() }]);
        set(&mut pod, "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution", term);
    }
    if let Some(place) = w.spread {
        let constraint = json!([{ "maxSkew": 1, "topologyKey": place.label(), "whenUnsatisfiable": "DoNotSchedule",
                                  "labelSelector": selector(w) }]);
        set(&mut pod, "spec.topologySpreadConstraints", constraint);
    }
    if w.scratch {
        list_mut(place(&mut pod, "spec.volumes")).push(json!({ "name": "scratch", "emptyDir": {} }));
    }
    if let Some(runs) = w.runs {
        annotate(&mut pod, RUNS, &runs.0.seconds().to_string());
    }
    if let Some(pool) = &w.pool
        && let Some(pool) = cluster.pools.iter().find(|p| p.name == *pool)
    {
        on_pool(world, pool, &mut pod);
    }
    // a spot machine of AKS is tainted by its provider; what nothing forbids may run there
    if world.provider == Provider::Aks {
        tolerate(&mut pod, "kubernetes.azure.com/scalesetpriority", "spot", "NoSchedule");
    }
    if w.kind == WorkloadKind::DaemonSet {
        for pool in &cluster.pools {
            taint_of(pool, &mut pod);
        }
    }
    pod
}

fn on_pool(world: &World, pool: &PoolFile, pod: &mut Value) {
    let key = match world.provider {
        _ if pool.autoscaler == Manner::Karpenter => "karpenter.sh/nodepool",
        Provider::Eks => "eks.amazonaws.com/nodegroup",
        Provider::Gke => "cloud.google.com/gke-nodepool",
        Provider::Aks => "kubernetes.azure.com/agentpool",
        _ => "nodepool",
    };
    object_mut(place(pod, "spec.nodeSelector")).insert(key.into(), json!(pool.name));
    taint_of(pool, pod);
}

/// Lets the pod run on a tainted pool.
fn taint_of(pool: &PoolFile, pod: &mut Value) {
    if let Some((key, value)) = pool.taint.as_ref().and_then(|t| t.get_ref().split_once('=')) {
        tolerate(pod, key, value, "NoSchedule");
    }
}

fn autoscaler(w: &WorkloadFile) -> Option<Value> {
    let scale = w.scale.as_ref().filter(|s| s.queue.is_none())?;
    let kind = if w.kind == WorkloadKind::StatefulSet { "StatefulSet" } else { "Deployment" };
    let mut out = json!({ "metadata": meta(w), "spec": {
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": kind, "name": w.name },
        "minReplicas": scale.min, "maxReplicas": scale.max,
        "metrics": [{ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": scale.cpu } } }],
    } });
    if let Some(window) = scale.stabilization {
        set(&mut out, "spec.behavior.scaleDown.stabilizationWindowSeconds", window.0.seconds());
    }
    Some(out)
}

/// What KEDA scales by the messages that wait.
pub(super) fn scaled_object(w: &WorkloadFile) -> Option<Value> {
    let scale = w.scale.as_ref()?;
    let queue = scale.queue?;
    let kind = if w.kind == WorkloadKind::StatefulSet { "StatefulSet" } else { "Deployment" };
    Some(json!({ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": meta(w), "spec": {
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": kind, "name": w.name },
        "minReplicaCount": scale.min, "maxReplicaCount": scale.max, "pollingInterval": 10,
        "cooldownPeriod": scale.stabilization.map_or(60, |s| s.0.seconds()),
        "triggers": [{ "type": "rabbitmq", "metadata": {
            "protocol": "amqp", "queueName": w.name, "mode": "QueueLength", "value": queue.to_string() } }],
    } }))
}

fn budget(w: &WorkloadFile) -> Option<Value> {
    let file = w.budget.as_ref()?;
    let amount = |text: &String| match text.parse::<i64>() {
        Ok(n) => json!(n),
        Err(_) => json!(text),
    };
    let mut out = json!({ "metadata": meta(w), "spec": { "selector": selector(w) } });
    if let Some(min) = &file.min_available {
        set(&mut out, "spec.minAvailable", amount(min));
    }
    if let Some(max) = &file.max_unavailable {
        set(&mut out, "spec.maxUnavailable", amount(max));
    }
    if file.always_allow_unhealthy {
        set(&mut out, "spec.unhealthyPodEvictionPolicy", "AlwaysAllow");
    }
    Some(out)
}

fn service(world: &World, w: &WorkloadFile, port: u16) -> Value {
    let h = random::hash(&format!("{}{}{}", world.name, w.namespace, w.name));
    json!({ "metadata": meta(w), "spec": {
        "type": "ClusterIP", "clusterIP": format!("10.{}.{}.{}", 96 + h % 16, h >> 8 & 255, 1 + (h >> 16) % 254),
        "selector": { "app": w.name },
        "ports": [{ "name": "http", "port": 80, "targetPort": port, "protocol": "TCP" }],
    } })
}

/// Karpenter's node pool.
pub(super) fn node_pool(pool: &Pool) -> Value {
    let types: Vec<&str> = pool.machines.iter().map(|m| m.name).collect();
    let capacity = if pool.spot { "spot" } else { "on-demand" };
    let cpu: i64 = pool.machines.iter().map(|m| m.cpu).max().unwrap_or(0) * pool.max as i64;
    let taint =
        |(key, value): &(String, String)| json!({ "key": key, "value": value, "effect": "NoSchedule" });
    let taints: Value = pool.taint.iter().map(taint).collect();
    json!({ "metadata": { "name": pool.name }, "spec": {
        "limits": { "cpu": cpu.to_string(), "nodes": pool.max.to_string() }, "weight": 10,
        "disruption": { "consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "1m", "budgets": [{ "nodes": "10%" }] },
        "template": { "spec": {
            "nodeClassRef": { "group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default" },
            "taints": taints,
            "requirements": [
                { "key": "karpenter.sh/capacity-type", "operator": "In", "values": [capacity] },
                { "key": "node.kubernetes.io/instance-type", "operator": "In", "values": types },
            ],
        } },
    } })
}
