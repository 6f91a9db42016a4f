//! Workloads: a small shop with everything a console has to show, or ten thousand pods.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::Result;
use super::plane::Plane;
use super::wait::wait_until;

/// The namespaces of [`Plane::seed_fleet`].
const NAMESPACES: &[&str] = &["payments", "shop", "platform"];

/// Deployments of [`Plane::seed_pods`], and the namespaces they are spread over.
const BULK_DEPLOYMENTS: u32 = 100;
const BULK_NAMESPACES: u32 = 20;

impl Plane {
    /// A small shop: Deployments, a StatefulSet, a DaemonSet, budgets (one that allows one disruption, one that allows
    /// none) and an autoscaler without metrics. `scale` multiplies the replicas; about 20 pods per step.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn seed_fleet(&self, scale: u32) -> Result<()> {
        let mut items: Vec<Value> = NAMESPACES.iter().map(|name| namespace(name)).collect();
        items.extend([
            deployment("payments", "checkout", 4 * scale, "250m", "256Mi"),
            budget("payments", "checkout", json!({"maxUnavailable": 1})),
            workload("StatefulSet", "payments", "ledger", 3 * scale, "500m", "1Gi"),
            // All of them, always: whoever drains a node with one of these finds out why drains get stuck.
            budget("payments", "ledger", json!({"minAvailable": "100%"})),
            deployment("shop", "web", 6 * scale, "200m", "192Mi"),
            autoscaler("shop", "web", 3 * scale, 20 * scale),
            deployment("shop", "cart", 3 * scale, "100m", "128Mi"),
            deployment("platform", "gateway", 2 * scale, "300m", "256Mi"),
            budget("platform", "gateway", json!({"minAvailable": 1})),
            workload("DaemonSet", "platform", "node-agent", 0, "50m", "64Mi"),
        ]);
        self.apply_list(items)
    }

    /// At least `nodes` nodes and, on top of what runs, `pods` pods in [`BULK_DEPLOYMENTS`] Deployments.
    /// Returns as soon as it is asked for; [`Plane::wait_pods`] waits until they run.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn seed_pods(&self, nodes: u32, pods: u32) -> Result<()> {
        let have = self.kubectl(&["get", "nodes", "-o", "name"])?.lines().count();
        let missing = nodes.saturating_sub(u32::try_from(have).unwrap_or(u32::MAX));
        if missing > 0 {
            self.add_nodes(missing)?;
        }
        let mut items: Vec<Value> =
            (0..BULK_NAMESPACES).map(|at| namespace(&format!("bulk-{at:02}"))).collect();
        for at in 0..BULK_DEPLOYMENTS {
            let (space, name) = (format!("bulk-{:02}", at % BULK_NAMESPACES), format!("app-{at:03}"));
            // What does not divide evenly goes to the first ones.
            let replicas = pods / BULK_DEPLOYMENTS + u32::from(at < pods % BULK_DEPLOYMENTS);
            let mut bulk = deployment(&space, &name, replicas, "25m", "32Mi");
            elaborate(&mut bulk["spec"]["template"]["spec"]["containers"][0]);
            items.push(bulk);
        }
        self.apply_list(items)
    }

    /// Has every pod of an application that runs now use so much (`400m`), as metrics-server sees it. Pods that come
    /// later use what their template says.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn load(&self, space: &str, app: &str, cpu: &str) -> Result<()> {
        let (app, usage) = (format!("app={app}"), format!("kwok.x-k8s.io/usage-cpu={cpu}"));
        self.kubectl(&["annotate", "pods", "-n", space, "-l", &app, "--overwrite", &usage]).map(drop)
    }

    /// Waits until at least `count` pods run.
    ///
    /// # Errors
    /// When they do not within `deadline`.
    pub fn wait_pods(&self, count: usize, deadline: Duration) -> Result<()> {
        let running = ["get", "pods", "-A", "--field-selector=status.phase=Running", "-o", "name"];
        wait_until(deadline, &format!("{count} pods run on {}", self.name()), || {
            Ok(self.kubectl(&running)?.lines().count() >= count)
        })
    }

    /// Waits until `count` nodes are ready.
    ///
    /// # Errors
    /// When they are not within `deadline`.
    pub fn wait_nodes(&self, count: usize, deadline: Duration) -> Result<()> {
        wait_until(deadline, &format!("{count} nodes of {} are ready", self.name()), || {
            let ready = |line: &&str| line.split_whitespace().nth(1) == Some("Ready");
            Ok(self.kubectl(&["get", "nodes", "--no-headers"])?.lines().filter(ready).count() >= count)
        })
    }

    fn apply_list(&self, items: Vec<Value>) -> Result<()> {
        self.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())
    }
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// A Deployment whose pods keep apart by zone.
fn deployment(space: &str, name: &str, replicas: u32, cpu: &str, memory: &str) -> Value {
    let mut object = workload("Deployment", space, name, replicas, cpu, memory);
    object["spec"]["template"]["spec"]["topologySpreadConstraints"] = json!([{
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": name}},
    }]);
    object
}

/// Makes a container say as much as those of charts do: a pod of a real cluster has 9 KB of JSON.
fn elaborate(container: &mut Value) {
    let env = (0..16).map(|n| json!({"name": format!("SERVICE_{n}_URL"), "value": format!("https://service-{n}.platform.svc.cluster.local:8443/api/v1")}));
    container["env"] = env.collect();
    container["ports"] =
        json!([{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]);
    for (probe, path) in
        [("livenessProbe", "/livez"), ("readinessProbe", "/readyz"), ("startupProbe", "/readyz")]
    {
        container[probe] = json!({"httpGet": {"path": path, "port": "http"}});
    }
    container["securityContext"] = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true});
}

fn workload(kind: &str, space: &str, name: &str, replicas: u32, cpu: &str, memory: &str) -> Value {
    let labels = json!({"app": name});
    let resources = json!({"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}});
    let container =
        json!({"name": name, "image": format!("registry.local/{name}:1.4.2"), "resources": resources});
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"namespace": space, "name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {"kwok.x-k8s.io/usage-cpu": "20m", "kwok.x-k8s.io/usage-memory": "24Mi"},
                },
                // KWOK ends a pod at once; a grace period would only slow drains down by what nobody does.
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
            },
        },
    });
    match kind {
        "DaemonSet" => object["spec"]["template"]["spec"]["tolerations"] = json!([{"operator": "Exists"}]),
        "StatefulSet" => {
            object["spec"]["serviceName"] = name.into();
            object["spec"]["replicas"] = replicas.into();
        }
        _ => object["spec"]["replicas"] = replicas.into(),
    }
    object
}

fn budget(space: &str, app: &str, mut rule: Value) -> Value {
    rule["selector"] = json!({"matchLabels": {"app": app}});
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"namespace": space, "name": app},
        "spec": rule,
    })
}

fn autoscaler(space: &str, deployment: &str, min: u32, max: u32) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": 70});
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": space, "name": deployment},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": min,
            "maxReplicas": max,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    })
}
