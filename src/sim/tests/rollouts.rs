//! How workloads change: all at once, in proportion, paused; jobs that keep count; daemons that wait.

use serde_json::{Value, json};

use super::movement::{DEPLOYMENTS, alpha, deployment, named, pods_of, reasons, seconds};
use crate::model::Span;
use crate::sim::Control;

const JOBS: &str = "/apis/batch/v1/namespaces/shop/jobs";

fn images(cluster: &Control, app: &str) -> Vec<String> {
    let image = |p: &std::sync::Arc<Value>| p["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    let mut all: Vec<String> = pods_of(cluster, app).iter().map(image).collect();
    all.sort();
    all
}

fn to_image(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}})
}

fn replicas(cluster: &Control, app: &str) -> Vec<i64> {
    let sets = cluster.objects("replicasets").into_iter();
    let mine = sets.filter(|s| s["metadata"]["ownerReferences"][0]["name"] == app);
    let mut all: Vec<i64> = mine.map(|s| s["spec"]["replicas"].as_i64().unwrap()).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn what_recreates_waits_until_the_last_old_pod_is_gone() {
    let (fleet, client, cluster) = alpha().await;
    let mut made = deployment("all", 3, "10m");
    made["spec"]["strategy"] = json!({"type": "Recreate"});
    client.post(DEPLOYMENTS, &made).await;
    fleet.advance(seconds(10));
    client.patch(&format!("{DEPLOYMENTS}/all"), "strategic-merge", &to_image("x:2")).await;
    let leaving = || named(&cluster, "deployments", "all")["status"]["terminatingReplicas"].as_i64();
    let (mut mixed, mut most) = (false, leaving());
    assert_eq!(most, Some(0));
    for _ in 0..80 {
        fleet.advance(Span::from_millis(100));
        most = most.max(leaving());
        let all = images(&cluster, "all");
        mixed |= all.contains(&"x:1".to_owned()) && all.contains(&"x:2".to_owned());
    }
    assert!(!mixed, "old and new pods never run together");
    assert_eq!(images(&cluster, "all"), ["x:2"; 3]);
    assert_eq!((most, leaving()), (Some(3), Some(0)), "those that leave are counted until they are gone");
}

#[tokio::test]
async fn a_new_size_in_the_middle_of_a_rollout_is_shared_out() {
    let (fleet, client, cluster) = alpha().await;
    client.post(DEPLOYMENTS, &deployment("part", 8, "10m")).await;
    fleet.advance(seconds(10));
    // the new image never comes, so the rollout stays in its middle
    fleet.begin("kind = \"registry-down\"\nregistry = \"ghcr.io\"\nclusters = [\"alpha\"]\n").unwrap();
    let path = format!("{DEPLOYMENTS}/part");
    client.patch(&path, "strategic-merge", &to_image("ghcr.io/acme/new:1")).await;
    fleet.advance(seconds(5));
    assert_eq!(replicas(&cluster, "part"), [4, 6], "a quarter more, a quarter less");
    client.patch(&path, "merge", &json!({"spec": {"replicas": 16}})).await;
    fleet.advance(seconds(2));
    let sizes = replicas(&cluster, "part");
    assert_eq!(sizes.iter().sum::<i64>(), 20);
    assert!((7..=9).contains(&sizes[0]) && (11..=13).contains(&sizes[1]), "{sizes:?}");
}

#[tokio::test]
async fn a_paused_deployment_says_so_and_is_not_late() {
    let (fleet, client, cluster) = alpha().await;
    let mut made = deployment("slow", 2, "10m");
    made["spec"]["progressDeadlineSeconds"] = json!(20);
    client.post(DEPLOYMENTS, &made).await;
    fleet.advance(seconds(10));
    let path = format!("{DEPLOYMENTS}/slow");
    client.patch(&path, "merge", &json!({"spec": {"paused": true}})).await;
    client.patch(&path, "strategic-merge", &to_image("x:2")).await;
    fleet.advance(seconds(60));
    let progressing = || {
        let conditions = named(&cluster, "deployments", "slow")["status"]["conditions"].clone();
        let found =
            conditions.as_array().unwrap().iter().find(|c| c["type"] == "Progressing").cloned().unwrap();
        (found["status"].clone(), found["reason"].clone())
    };
    assert_eq!(progressing(), (json!("Unknown"), json!("DeploymentPaused")));
    assert_eq!(images(&cluster, "slow"), ["x:1"; 2]);
    client.patch(&path, "merge", &json!({"spec": {"replicas": 1}})).await;
    fleet.advance(seconds(5));
    assert_eq!(images(&cluster, "slow"), ["x:1"], "a pause stops rollouts, not scaling");
    client.patch(&path, "merge", &json!({"spec": {"paused": false}})).await;
    fleet.advance(seconds(15));
    assert_eq!(images(&cluster, "slow"), ["x:2"]);
    assert_eq!(progressing(), (json!("True"), json!("NewReplicaSetAvailable")));
}

#[tokio::test]
async fn the_cheapest_pod_goes_first() {
    let (fleet, client, cluster) = alpha().await;
    client.post(DEPLOYMENTS, &deployment("priced", 3, "10m")).await;
    fleet.advance(seconds(10));
    let cheap = pods_of(&cluster, "priced")[1]["metadata"]["name"].as_str().unwrap().to_owned();
    let cost = json!({"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-5"}}});
    client.patch(&format!("/api/v1/namespaces/shop/pods/{cheap}"), "merge", &cost).await;
    client.patch(&format!("{DEPLOYMENTS}/priced"), "merge", &json!({"spec": {"replicas": 2}})).await;
    fleet.advance(seconds(5));
    assert!(pods_of(&cluster, "priced").iter().all(|p| p["metadata"]["name"] != cheap.as_str()));
}

#[tokio::test]
async fn an_indexed_job_numbers_its_pods_and_a_drained_one_counts_as_failed() {
    let (fleet, client, cluster) = alpha().await;
    let template = json!({
        "metadata": {"labels": {"app": "parts"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1", "command": ["sleep", "8"]}]},
    });
    let job = json!({"metadata": {"name": "parts"}, "spec": {
        "completions": 3, "parallelism": 2, "completionMode": "Indexed", "template": template}});
    client.post(JOBS, &job).await;
    fleet.advance(seconds(4));
    let pods = pods_of(&cluster, "parts");
    let index = |p: &Value| p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"].clone();
    let mut indexes: Vec<String> = pods.iter().map(|p| index(p).as_str().unwrap().to_owned()).collect();
    indexes.sort();
    assert_eq!(indexes, ["0", "1"]);
    let first = pods.iter().find(|p| index(p) == "0").unwrap();
    assert_eq!(first["spec"]["hostname"], "parts-0");
    assert_eq!(first["metadata"]["finalizers"], json!(["batch.kubernetes.io/job-tracking"]));
    let own = first["metadata"]["name"].as_str().unwrap();
    client.delete(&format!("/api/v1/namespaces/shop/pods/{own}")).await;
    fleet.advance(seconds(90));
    let status = named(&cluster, "jobs", "parts")["status"].clone();
    assert_eq!((&status["failed"], &status["succeeded"]), (&json!(1), &json!(3)), "{status}");
    assert_eq!(status["completedIndexes"], "0-2");
    let kinds: Vec<&Value> = status["conditions"].as_array().unwrap().iter().map(|c| &c["type"]).collect();
    assert_eq!(kinds, ["SuccessCriteriaMet", "Complete"]);
    assert!(status.get("active").is_none(), "none is left out");
    client.delete(&format!("{JOBS}/parts?propagationPolicy=Background")).await;
    fleet.advance(seconds(5));
    assert!(pods_of(&cluster, "parts").is_empty(), "nothing holds what its job has left");
}

#[tokio::test]
async fn a_daemon_that_is_too_large_waits_and_says_where() {
    let (fleet, client, cluster) = alpha().await;
    let large = deployment("large", 0, "64");
    let set = json!({"metadata": {"name": "large"}, "spec": {
        "selector": large["spec"]["selector"], "template": large["spec"]["template"]}});
    client.post("/apis/apps/v1/namespaces/shop/daemonsets", &set).await;
    fleet.advance(seconds(30));
    let pods = pods_of(&cluster, "large");
    assert_eq!(pods.len(), 3, "one for each node, and none brings another node");
    assert_eq!(cluster.objects("nodes").len(), 3);
    assert!(pods.iter().all(|p| p["status"]["phase"] == "Pending"));
    let message = pods[0]["status"]["conditions"][0]["message"].as_str().unwrap();
    let why =
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].";
    assert!(message.starts_with(why), "{message}");
    let status = named(&cluster, "daemonsets", "large")["status"].clone();
    assert_eq!((&status["desiredNumberScheduled"], &status["numberUnavailable"]), (&json!(3), &json!(3)));
}

#[tokio::test]
async fn a_metric_that_cannot_be_read_is_said_and_nothing_is_done() {
    let (fleet, client, cluster) = alpha().await;
    let metric = json!({"type": "External", "external": {
        "metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "5"}}});
    let scaler = json!({"metadata": {"name": "by-queue"}, "spec": {"minReplicas": 1, "maxReplicas": 9, "metrics": [metric],
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
    client.post("/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers", &scaler).await;
    fleet.advance(seconds(10));
    let status = named(&cluster, "horizontalpodautoscalers", "by-queue")["status"].clone();
    let active =
        status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "ScalingActive").unwrap();
    assert_eq!((&active["status"], &active["reason"]), (&json!("False"), &json!("FailedGetExternalMetric")));
    let said = reasons(&cluster);
    assert!(said.contains(&"FailedComputeMetricsReplicas".to_owned()));
    assert_eq!(pods_of(&cluster, "web").len(), 4);
}
