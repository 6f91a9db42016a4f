//! What controllers make of it, with time moved by hand.

use std::sync::Arc;

use serde_json::{Value, json};

use super::client::{Client, small};
use crate::model::Span;
use crate::sim::{Control, Fleet, Role};

pub(super) fn seconds(n: i64) -> Span {
    Span::from_seconds(n)
}

pub(super) fn named(cluster: &Control, plural: &str, name: &str) -> Arc<Value> {
    let found = cluster.objects(plural).into_iter().find(|o| o["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {plural} {name}"))
}

pub(super) fn pods_of(cluster: &Control, app: &str) -> Vec<Arc<Value>> {
    cluster.objects("pods").into_iter().filter(|p| p["metadata"]["labels"]["app"] == app).collect()
}

pub(super) fn ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|c| c.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

pub(super) fn reasons(cluster: &Control) -> Vec<String> {
    cluster.objects("events").iter().map(|e| e["reason"].as_str().unwrap().to_owned()).collect()
}

pub(super) async fn alpha() -> (Fleet, Client, Control) {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let control = fleet.cluster("alpha").unwrap();
    (fleet, client, control)
}

pub(super) fn deployment(name: &str, replicas: i64, cpu: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "x:1", "resources": {"requests": {"cpu": cpu}}}]},
            },
        },
    })
}

pub(super) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";

#[tokio::test]
async fn a_deployment_becomes_ready_rolls_and_goes() {
    let (fleet, client, cluster) = alpha().await;
    assert_eq!(client.post(DEPLOYMENTS, &deployment("new", 3, "100m")).await.code, 201);
    fleet.advance(seconds(10));
    let made = named(&cluster, "deployments", "new");
    assert_eq!(made["status"]["readyReplicas"], 3);
    assert_eq!(made["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let first: Vec<Value> = pods_of(&cluster, "new").iter().map(|p| p["metadata"]["uid"].clone()).collect();

    let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x:2"}]);
    client.patch(&format!("{DEPLOYMENTS}/new"), "json", &image).await;
    let mut lowest = 3;
    for _ in 0..40 {
        fleet.advance(Span::from_millis(500));
        lowest = lowest.min(pods_of(&cluster, "new").iter().filter(|p| ready(p)).count());
    }
    let pods = pods_of(&cluster, "new");
    assert_eq!((pods.len(), lowest), (3, 3), "25 % of three may be missing: none");
    assert!(pods.iter().all(|p| p["spec"]["containers"][0]["image"] == "x:2" && ready(p)));
    assert!(pods.iter().all(|p| !first.contains(&p["metadata"]["uid"])));

    client.delete(&format!("{DEPLOYMENTS}/new")).await;
    fleet.advance(seconds(10));
    assert!(pods_of(&cluster, "new").is_empty(), "what it owned goes with it");
}

#[tokio::test]
async fn a_drain_moves_every_pod() {
    let (fleet, client, cluster) = alpha().await;
    let node = pods_of(&cluster, "web")[0]["spec"]["nodeName"].as_str().unwrap().to_owned();
    client
        .patch(&format!("/api/v1/nodes/{node}"), "strategic-merge", &json!({"spec": {"unschedulable": true}}))
        .await;
    fleet.advance(seconds(1));
    let taints = named(&cluster, "nodes", &node)["spec"]["taints"].clone();
    assert_eq!(taints[0]["key"], "node.kubernetes.io/unschedulable");
    let daemon = |p: &Value| p["metadata"]["ownerReferences"][0]["kind"] == "DaemonSet";
    let here = || {
        let all = cluster.objects("pods").into_iter();
        all.filter(|p| p["spec"]["nodeName"] == node.as_str() && !daemon(p)).collect::<Vec<_>>()
    };
    let mut refused = 0;
    for _ in 0..60 {
        let Some(pod) = here().into_iter().find(|p| p["metadata"]["deletionTimestamp"].is_null()) else {
            break;
        };
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}/eviction",
            pod["metadata"]["namespace"].as_str().unwrap(),
            pod["metadata"]["name"].as_str().unwrap()
        );
        refused += usize::from(client.post(&path, &json!({"metadata": {}})).await.code == 429);
        fleet.advance(seconds(1));
    }
    fleet.advance(seconds(20));
    assert!(here().is_empty() && refused < 60);
    assert_eq!(pods_of(&cluster, "web").iter().filter(|p| ready(p)).count(), 4);
}

#[tokio::test]
async fn work_scales_a_deployment_up_to_its_ceiling_and_down_again() {
    let (fleet, _, cluster) = alpha().await;
    fleet.advance(seconds(10));
    // two pods of 500m at 70 %: 2.1 cores want six
    cluster.set_load("shop", "cart", 2_100);
    fleet.advance(seconds(60));
    let cart = || named(&cluster, "deployments", "cart")["spec"]["replicas"].as_i64().unwrap();
    assert!((6..=7).contains(&cart()), "{}", cart());
    assert!(reasons(&cluster).contains(&"SuccessfulRescale".to_owned()));
    cluster.set_load("shop", "cart", 40_000);
    fleet.advance(seconds(60));
    assert_eq!(cart(), 12);
    let conditions = named(&cluster, "horizontalpodautoscalers", "cart")["status"]["conditions"].clone();
    let limited =
        conditions.as_array().unwrap().iter().find(|c| c["type"] == "ScalingLimited").unwrap().clone();
    assert_eq!((&limited["status"], &limited["reason"]), (&json!("True"), &json!("TooManyReplicas")));
    cluster.set_load("shop", "cart", 100);
    fleet.advance(seconds(60));
    assert_eq!(cart(), 2);
}

#[tokio::test]
async fn pods_without_room_get_a_node_and_idle_nodes_go() {
    for (name, pool, noticed, gone) in [
        ("alpha", "karpenter.sh/nodepool", "Nominated", "DisruptionTerminating"),
        ("beta", "cloud.google.com/gke-nodepool", "TriggeredScaleUp", "ScaleDown"),
    ] {
        let fleet = small().await;
        let client = Client::new(&fleet, name, Role::Admin);
        let cluster = fleet.cluster(name).unwrap();
        client.post(DEPLOYMENTS, &deployment("big", 4, "3")).await;
        fleet.advance(seconds(2));
        let waiting = |c: &Control| pods_of(c, "big").iter().filter(|p| !ready(p)).count();
        assert!(waiting(&cluster) > 0, "{name}");
        let pod = pods_of(&cluster, "big").into_iter().find(|p| p["spec"]["nodeName"].is_null()).unwrap();
        let message = pod["status"]["conditions"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("0/3 nodes are available: 3 Insufficient cpu."), "{message}");
        fleet.advance(seconds(60));
        let nodes = cluster.objects("nodes");
        assert!((4..=6).contains(&nodes.len()), "{name} {}", nodes.len());
        assert!(nodes.iter().all(|n| n["metadata"]["labels"][pool].is_string()));
        assert!(waiting(&cluster) <= 1, "{name}: {}", waiting(&cluster));
        assert!(reasons(&cluster).contains(&noticed.to_owned()), "{name}");

        client.delete(&format!("{DEPLOYMENTS}/big")).await;
        fleet.advance(seconds(600));
        let left = cluster.objects("nodes").len();
        assert_eq!(left, if name == "alpha" { 3 } else { 2 }, "{name}: down to the least");
        assert!(reasons(&cluster).contains(&gone.to_owned()), "{name}");
        assert!(pods_of(&cluster, "web").iter().all(|p| ready(p)));
        assert_eq!(cluster.objects("nodeclaims").len(), if name == "alpha" { left } else { 0 });
    }
}

#[tokio::test]
async fn a_silent_node_is_given_up_and_taken_back() {
    let (fleet, _, cluster) = alpha().await;
    fleet.advance(seconds(6));
    let node = pods_of(&cluster, "web")[0]["spec"]["nodeName"].as_str().unwrap().to_owned();
    cluster.silence(&node);
    fleet.advance(seconds(16));
    let given_up = named(&cluster, "nodes", &node);
    let status =
        given_up["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
    assert_eq!((&status["status"], &status["reason"]), (&json!("Unknown"), &json!("NodeStatusUnknown")));
    let on_node = |p: &Arc<Value>| p["spec"]["nodeName"] == node.as_str();
    assert!(cluster.objects("pods").iter().filter(|p| on_node(p)).all(|p| !ready(p)));
    fleet.advance(seconds(30));
    let web = pods_of(&cluster, "web");
    assert_eq!(web.iter().filter(|p| ready(p) && !on_node(p)).count(), 4, "they are made again elsewhere");
    assert!(web.iter().any(on_node), "nobody ends them there");
    assert!(reasons(&cluster).contains(&"TaintManagerEviction".to_owned()));
    cluster.revive(&node);
    fleet.advance(seconds(10));
    let back = named(&cluster, "nodes", &node);
    assert!(ready(&back) && back["spec"]["taints"].is_null());
    assert!(
        !pods_of(&cluster, "web").iter().any(|p| on_node(p) && !p["metadata"]["deletionTimestamp"].is_null())
    );
}

#[tokio::test]
async fn a_stateful_set_rolls_one_by_one_and_keeps_its_claims() {
    let (fleet, client, cluster) = alpha().await;
    let path = "/apis/apps/v1/namespaces/shop/statefulsets/db";
    let restart = json!({"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}});
    client.patch(path, "strategic-merge", &restart).await;
    for _ in 0..40 {
        fleet.advance(Span::from_millis(500));
        let serving = pods_of(&cluster, "db").iter().filter(|p| ready(p)).count();
        assert!(serving >= 1, "never both at once");
    }
    let pods = pods_of(&cluster, "db");
    assert!(pods.len() == 2 && pods.iter().all(|p| p["metadata"]["annotations"]["restarted"] == "now"));
    client.patch(&format!("{path}/scale"), "merge", &json!({"spec": {"replicas": 3}})).await;
    fleet.advance(seconds(10));
    let claims: Vec<Value> =
        cluster.objects("persistentvolumeclaims").iter().map(|c| c["metadata"]["name"].clone()).collect();
    assert_eq!(claims, ["data-db-0", "data-db-1", "data-db-2"]);
}

#[tokio::test]
async fn a_cron_job_starts_jobs_that_end() {
    let (fleet, client, cluster) = alpha().await;
    let pod = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}});
    let cron = json!({
        "metadata": {"name": "tidy"},
        "spec": {"schedule": "*/1 * * * *", "jobTemplate": {"spec": {"template": pod}}},
    });
    client.post("/apis/batch/v1/namespaces/shop/cronjobs", &cron).await;
    fleet.advance(seconds(400));
    let jobs = cluster.objects("jobs");
    let done = jobs.iter().filter(|j| j["status"]["succeeded"] == 1).count();
    assert_eq!(done, 3, "of those that ended three are kept");
    assert!(
        cluster.objects("pods").iter().filter(|p| p["metadata"]["labels"]["job-name"].is_string()).count()
            <= 4
    );
}

#[tokio::test]
async fn a_namespace_goes_with_all_that_is_in_it() {
    let (fleet, client, cluster) = alpha().await;
    client.delete("/api/v1/namespaces/shop").await;
    fleet.advance(seconds(60));
    let left = cluster.objects("pods").iter().filter(|p| p["metadata"]["namespace"] == "shop").count();
    assert_eq!((left, client.get("/api/v1/namespaces/shop").await.code), (0, 404));
}
