//! What kubelets make of pods: probes, containers for the start, commands, and what is missing.

use serde_json::{Value, json};

use super::movement::{DEPLOYMENTS, alpha, deployment, pods_of, ready, seconds};
use crate::sim::Control;

const PODS: &str = "/api/v1/namespaces/shop/pods";

fn pod(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
}

fn container(name: &str, command: &[&str]) -> Value {
    json!({"name": name, "image": "x:1", "command": command})
}

/// The reasons and messages of what was said of a pod.
fn said(cluster: &Control, pod: &str) -> Vec<String> {
    let all = cluster.objects("events");
    let of = all.iter().filter(|e| e["involvedObject"]["name"] == pod);
    of.map(|e| format!("{}: {}", e["reason"].as_str().unwrap(), e["message"].as_str().unwrap())).collect()
}

fn has(said: &[String], part: &str) -> bool {
    said.iter().any(|s| s.contains(part))
}

fn condition(object: &Value, kind: &str) -> Value {
    let all = object["status"]["conditions"].as_array().unwrap();
    all.iter().find(|c| c["type"] == kind).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_liveness_probe_that_fails_restarts_its_container_and_no_other() {
    let (fleet, _, cluster) = alpha().await;
    let incident = "kind = \"probe-fails\"\nprobe = \"liveness\"\nclusters = [\"alpha\"]\nworkloads = [\"shop/web\"]\nlasts = \"70s\"\n";
    fleet.begin(incident).unwrap();
    fleet.advance(seconds(15));
    assert!(pods_of(&cluster, "web").iter().all(|p| ready(p)), "two failures are not enough");
    fleet.advance(seconds(10));
    let web = pods_of(&cluster, "web");
    let restarts = |p: &Value| p["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap();
    assert!(web.iter().all(|p| restarts(p) == 1), "{}", web[0]["status"]);
    let said = said(&cluster, web[0]["metadata"]["name"].as_str().unwrap());
    assert!(
        has(&said, "Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 503"),
        "{said:?}"
    );
    assert!(has(&said, "Killing: Container web failed liveness probe, will be restarted"), "{said:?}");
    fleet.advance(seconds(120));
    assert!(pods_of(&cluster, "web").iter().all(|p| ready(p) && restarts(p) >= 2));
}

#[tokio::test]
async fn a_readiness_probe_takes_three_failures_and_a_startup_probe_keeps_a_container_from_serving() {
    let (fleet, client, cluster) = alpha().await;
    let probe = |field: &str| {
        let mut c = container("c", &[]);
        c[field] = json!({"exec": {"command": ["false"]}, "periodSeconds": 5, "failureThreshold": 2});
        json!({"containers": [c]})
    };
    client.post(PODS, &pod("unready", probe("readinessProbe"))).await;
    client.post(PODS, &pod("unborn", probe("startupProbe"))).await;
    fleet.advance(seconds(20));
    let of = |name: &str| pods_of(&cluster, name)[0].clone();
    assert!(!ready(&of("unready")) && of("unready")["status"]["containerStatuses"][0]["restartCount"] == 0);
    assert!(!ready(&of("unborn")) && of("unborn")["status"]["containerStatuses"][0]["restartCount"] != 0);
    assert!(has(&said(&cluster, "unready"), "Readiness probe failed: command failed"));
    assert!(has(&said(&cluster, "unborn"), "Container c failed startup probe, will be restarted"));
    let odd =
        "kind = \"probe-fails\"\nprobe = \"liveness\"\nclusters = [\"alpha\"]\nworkloads = [\"shop/db\"]\n";
    assert!(fleet.begin(odd).unwrap_err().contains("has no probes; expected a workload with a port"));
}

#[tokio::test]
async fn init_containers_run_in_order_and_hold_the_others_back() {
    let (fleet, client, cluster) = alpha().await;
    let spec = json!({
        "initContainers": [container("one", &["sleep", "5"]), container("two", &["sleep", "5"])],
        "containers": [container("c", &[])],
    });
    client.post(PODS, &pod("steps", spec)).await;
    let status = || pods_of(&cluster, "steps")[0]["status"].clone();
    fleet.advance(seconds(4));
    assert_eq!(status()["phase"], "Pending");
    assert!(status()["initContainerStatuses"][0]["state"]["running"].is_object());
    assert_eq!(status()["initContainerStatuses"][1]["state"]["waiting"]["reason"], "PodInitializing");
    assert_eq!(status()["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    let incomplete = condition(&pods_of(&cluster, "steps")[0], "Initialized");
    assert_eq!(incomplete["message"], "containers with incomplete status: [one two]");
    fleet.advance(seconds(20));
    assert_eq!(status()["phase"], "Running");
    assert!(ready(&pods_of(&cluster, "steps")[0]));
    assert_eq!(status()["initContainerStatuses"][1]["state"]["terminated"]["exitCode"], 0);

    let spec = json!({
        "initContainers": [container("bad", &["sh", "-c", "exit 3"])], "containers": [container("c", &[])],
    });
    client.post(PODS, &pod("stuck", spec)).await;
    fleet.advance(seconds(10));
    let stuck = pods_of(&cluster, "stuck")[0].clone();
    assert_eq!(stuck["status"]["phase"], "Pending");
    let init = &stuck["status"]["initContainerStatuses"][0];
    assert_eq!(init["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!((&init["lastState"]["terminated"]["exitCode"], &init["restartCount"]), (&json!(3), &json!(1)));
}

#[tokio::test]
async fn one_bad_container_leaves_the_other_alone_and_a_first_end_is_seen() {
    let (fleet, client, cluster) = alpha().await;
    let spec =
        json!({"containers": [container("good", &[]), container("bad", &["sh", "-c", "sleep 3; exit 7"])]});
    client.post(PODS, &pod("pair", spec)).await;
    let statuses = || pods_of(&cluster, "pair")[0]["status"]["containerStatuses"].clone();
    let mut seen = Vec::new();
    for _ in 0..30 {
        fleet.advance(seconds(1));
        let now = match &statuses()[1]["state"] {
            s if s["terminated"].is_object() => s["terminated"]["reason"].clone(),
            s if s["waiting"].is_object() => s["waiting"]["reason"].clone(),
            _ => json!("running"),
        };
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    let order = ["ContainerCreating", "running", "Error", "running", "Error", "CrashLoopBackOff", "running"];
    assert_eq!(seen[..7], order.map(|s| json!(s)), "{seen:?}");
    assert_eq!((&statuses()[0]["ready"], &statuses()[0]["restartCount"]), (&json!(true), &json!(0)));
    assert_eq!(
        condition(&pods_of(&cluster, "pair")[0], "Ready")["message"],
        "containers with unready status: [bad]"
    );
}

#[tokio::test]
async fn commands_decide_how_a_pod_ends() {
    let (fleet, client, cluster) = alpha().await;
    for (name, command) in [("well", ["true"].as_slice()), ("ill", &["false"]), ("stays", &["sleep", "1000"])]
    {
        let spec = json!({"restartPolicy": "Never", "containers": [container("c", command)]});
        client.post(PODS, &pod(name, spec)).await;
    }
    fleet.advance(seconds(60));
    let phase = |name: &str| pods_of(&cluster, name)[0]["status"]["phase"].clone();
    assert_eq!(
        (phase("well"), phase("ill"), phase("stays")),
        (json!("Succeeded"), json!("Failed"), json!("Running"))
    );
    assert_eq!(condition(&pods_of(&cluster, "ill")[0], "Ready")["reason"], "PodFailed");
    assert_eq!(condition(&pods_of(&cluster, "well")[0], "Ready")["reason"], "PodCompleted");
}

#[tokio::test]
async fn what_a_pod_is_configured_by_must_be_there() {
    let (fleet, client, cluster) = alpha().await;
    let mut by_env = container("c", &[]);
    by_env["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    client.post(PODS, &pod("env", json!({"containers": [by_env]}))).await;
    let volume = json!([{"name": "keys", "secret": {"secretName": "keys"}}]);
    client.post(PODS, &pod("vol", json!({"containers": [container("c", &[])], "volumes": volume}))).await;
    fleet.advance(seconds(12));
    let waits =
        |name: &str| pods_of(&cluster, name)[0]["status"]["containerStatuses"][0]["state"]["waiting"].clone();
    assert_eq!(waits("env")["reason"], "CreateContainerConfigError");
    assert_eq!(waits("env")["message"], "configmap \"settings\" not found");
    assert!(has(&said(&cluster, "env"), "Failed: Error: configmap \"settings\" not found"));
    assert_eq!(waits("vol")["reason"], "ContainerCreating");
    let failed = "FailedMount: MountVolume.SetUp failed for volume \"keys\" : secret \"keys\" not found";
    assert!(has(&said(&cluster, "vol"), failed), "{:?}", said(&cluster, "vol"));
    for (path, name) in [("configmaps", "settings"), ("secrets", "keys")] {
        let path = format!("/api/v1/namespaces/shop/{path}");
        assert_eq!(client.post(&path, &json!({"metadata": {"name": name}})).await.code, 201);
    }
    fleet.advance(seconds(30));
    assert!(["env", "vol"].iter().all(|name| ready(&pods_of(&cluster, name)[0])));
}

#[tokio::test]
async fn what_is_stopped_is_said_once_and_a_pod_of_nowhere_is_collected() {
    let (fleet, client, cluster) = alpha().await;
    client.post(DEPLOYMENTS, &deployment("brief", 1, "10m")).await;
    fleet.advance(seconds(8));
    let own = pods_of(&cluster, "brief")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    client.delete(&format!("{PODS}/{own}")).await;
    fleet.advance(seconds(8));
    let events = cluster.objects("events");
    let killing =
        events.iter().find(|e| e["reason"] == "Killing" && e["involvedObject"]["name"] == own.as_str());
    let killing = killing.unwrap();
    assert_eq!((&killing["message"], &killing["count"]), (&json!("Stopping container c"), &json!(1)));
    let spec = json!({"nodeName": "nowhere", "containers": [container("c", &[])]});
    client.post(PODS, &pod("lost", spec)).await;
    fleet.advance(seconds(30));
    assert_eq!(pods_of(&cluster, "lost").len(), 1);
    fleet.advance(seconds(20));
    assert!(pods_of(&cluster, "lost").is_empty());
}
