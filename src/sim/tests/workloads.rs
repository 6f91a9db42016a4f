//! What workloads' controllers do beyond making pods: revisions, partitions, surges, deadlines.

use serde_json::{Map, Value, json};

use super::client::Client;
use super::movement::{DEPLOYMENTS, alpha, deployment, named, pods_of, ready, reasons, seconds};
use crate::model::Span;
use crate::sim::Control;

const SETS: &str = "/apis/apps/v1/namespaces/shop/statefulsets";
const DAEMONS: &str = "/apis/apps/v1/namespaces/monitoring/daemonsets";
const JOBS: &str = "/apis/batch/v1/namespaces/shop/jobs";

fn uids(cluster: &Control, app: &str) -> Vec<Value> {
    let mut uids: Vec<Value> = pods_of(cluster, app).iter().map(|p| p["metadata"]["uid"].clone()).collect();
    uids.sort_by_key(Value::to_string);
    uids
}

/// The same with the fields of every object the other way round.
fn turned(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().rev().map(|(k, v)| (k.clone(), turned(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(turned).collect(),
        other => other.clone(),
    }
}

async fn put(client: &Client, path: &str, object: &Value) -> u16 {
    client.send(http::Method::PUT, path, &[("content-type", "application/json")], object).await.code
}

#[tokio::test]
async fn a_template_is_the_same_whatever_the_order_of_its_fields() {
    let (fleet, client, cluster) = alpha().await;
    for (path, app) in [
        (format!("{DEPLOYMENTS}/web"), "web"),
        (format!("{SETS}/db"), "db"),
        (format!("{DAEMONS}/node-exporter"), "node-exporter"),
    ] {
        let before = uids(&cluster, app);
        let other = turned(&client.get(&path).await.json());
        assert_eq!(put(&client, &path, &other).await, 200);
        fleet.advance(seconds(20));
        assert_eq!(uids(&cluster, app), before, "{path}: nothing is restarted");
    }
    let of_web = |o: &Value| o["metadata"]["ownerReferences"][0]["name"] == "web";
    assert_eq!(cluster.objects("replicasets").iter().filter(|s| of_web(s)).count(), 1);
}

async fn roll(client: &Client, path: &str, image: &str) {
    let patch = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]);
    assert_eq!(client.patch(path, "json", &patch).await.code, 200, "{path}");
}

fn images(cluster: &Control, app: &str) -> Vec<String> {
    let mut all: Vec<(String, String)> = pods_of(cluster, app)
        .iter()
        .map(|p| {
            (
                p["metadata"]["name"].to_string(),
                p["spec"]["containers"][0]["image"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    all.sort();
    all.into_iter().map(|(_, image)| image).collect()
}

#[tokio::test]
async fn sets_keep_revisions_to_go_back_to() {
    let (fleet, client, cluster) = alpha().await;
    for (path, space, own) in [
        (format!("{SETS}/db"), "shop", "db"),
        (format!("{DAEMONS}/node-exporter"), "monitoring", "node-exporter"),
    ] {
        let old = images(&cluster, own)[0].clone();
        roll(&client, &path, "x:2").await;
        fleet.advance(seconds(60));
        assert!(images(&cluster, own).iter().all(|i| i == "x:2"), "{:?}", images(&cluster, own));
        let list = format!("/apis/apps/v1/namespaces/{space}/controllerrevisions");
        let revisions = |list: Value| {
            let all = list["items"].as_array().unwrap().clone();
            let mine = all.into_iter().filter(|r| r["metadata"]["ownerReferences"][0]["name"] == own);
            let mut mine: Vec<Value> = mine.collect();
            mine.sort_by_key(|r| r["revision"].as_i64());
            mine
        };
        let all = revisions(client.get(&list).await.json());
        assert_eq!(all.iter().map(|r| r["revision"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
        // as `kubectl rollout undo` does it
        assert_eq!(client.patch(&path, "strategic-merge", &all[0]["data"]).await.code, 200);
        fleet.advance(seconds(60));
        assert!(images(&cluster, own).iter().all(|i| *i == old), "{:?}", images(&cluster, own));
        let all = revisions(client.get(&list).await.json());
        assert_eq!(
            all.iter().map(|r| r["revision"].as_i64().unwrap()).collect::<Vec<_>>(),
            [2, 3],
            "the old one is the newest"
        );
    }
}

#[tokio::test]
async fn a_partition_keeps_the_first_pods_as_they_were() {
    let (fleet, client, cluster) = alpha().await;
    let path = format!("{SETS}/db");
    let strategy = |strategy: Value| json!({"spec": {"updateStrategy": strategy}});
    let half = strategy(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}));
    client.patch(&path, "merge", &half).await;
    roll(&client, &path, "x:2").await;
    fleet.advance(seconds(30));
    assert_eq!(images(&cluster, "db"), ["ghcr.io/acme/postgres:16.3", "x:2"]);
    client.delete("/api/v1/namespaces/shop/pods/db-0").await;
    fleet.advance(seconds(30));
    assert_eq!(images(&cluster, "db"), ["ghcr.io/acme/postgres:16.3", "x:2"], "and as they were made");
    let status = named(&cluster, "statefulsets", "db")["status"].clone();
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    client.patch(&path, "merge", &strategy(json!({"type": "OnDelete", "rollingUpdate": null}))).await;
    fleet.advance(seconds(30));
    assert_eq!(images(&cluster, "db"), ["ghcr.io/acme/postgres:16.3", "x:2"], "only what is deleted is new");
    client.delete("/api/v1/namespaces/shop/pods/db-0").await;
    fleet.advance(seconds(30));
    assert_eq!(images(&cluster, "db"), ["x:2", "x:2"]);
}

#[tokio::test]
async fn ordinals_begin_where_they_are_told_and_parallel_pods_go_together() {
    let (fleet, client, cluster) = alpha().await;
    let mut set = deployment("par", 3, "10m");
    set["spec"]["podManagementPolicy"] = json!("Parallel");
    set["spec"]["serviceName"] = json!("par");
    set["spec"]["ordinals"] = json!({"start": 5});
    assert_eq!(client.post(SETS, &set).await.code, 201);
    fleet.advance(Span::from_millis(200));
    let names = || {
        let mut names: Vec<String> = pods_of(&cluster, "par")
            .iter()
            .map(|p| p["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["par-5", "par-6", "par-7"], "at once");
    fleet.advance(seconds(20));
    client.patch(&format!("{SETS}/par"), "merge", &json!({"spec": {"replicas": 1}})).await;
    fleet.advance(Span::from_millis(200));
    let leaving =
        pods_of(&cluster, "par").iter().filter(|p| !p["metadata"]["deletionTimestamp"].is_null()).count();
    assert_eq!(leaving, 2, "side by side");
}

#[tokio::test]
async fn a_request_for_everything_does_not_stand_in_the_way() {
    let (fleet, client, cluster) = alpha().await;
    let too_many = deployment("huge", 3_000_000_000, "1m");
    let refused = client.post(DEPLOYMENTS, &too_many).await;
    assert_eq!(refused.code, 400);
    assert!(
        refused.json()["message"].as_str().unwrap().contains(
            "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32"
        ),
        "{}",
        refused.json()["message"]
    );
    // two that own each other, and a budget that asks whose a pod is
    let sets = "/apis/apps/v1/namespaces/shop/replicasets";
    for own in ["one", "two"] {
        assert_eq!(client.post(sets, &deployment(own, 1, "1m")).await.code, 201);
    }
    for (own, other) in [("one", "two"), ("two", "one")] {
        let uid = client.get(&format!("{sets}/{other}")).await.json()["metadata"]["uid"].clone();
        let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": other, "uid": uid, "controller": true});
        let patch = json!({"metadata": {"ownerReferences": [owner]}});
        assert_eq!(client.patch(&format!("{sets}/{own}"), "merge", &patch).await.code, 200);
    }
    let budget = json!({"metadata": {"name": "one"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "one"}}}});
    client.post("/apis/policy/v1/namespaces/shop/poddisruptionbudgets", &budget).await;
    fleet.advance(seconds(1));
    assert_eq!(named(&cluster, "poddisruptionbudgets", "one")["status"]["expectedPods"], 0);
    let pod = json!({"metadata": {"labels": {"app": "huge"}},
                     "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}});
    let job = json!({"metadata": {"name": "huge"}, "spec": {"parallelism": 2_000_000_000, "template": pod}});
    assert_eq!(client.post(JOBS, &job).await.code, 201);
    fleet.advance(Span::from_millis(30));
    assert_eq!(pods_of(&cluster, "huge").len(), 500, "as many as one look makes");
}

#[tokio::test]
async fn a_rollout_of_daemons_goes_as_fast_as_it_may_and_past_what_is_broken() {
    let (fleet, client, cluster) = alpha().await;
    let path = format!("{DAEMONS}/node-exporter");
    let outdated = || images(&cluster, "node-exporter").iter().filter(|i| *i != "x:2").count();
    assert_eq!(outdated(), 3);
    client
        .patch(&path, "merge", &json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}}}))
        .await;
    roll(&client, &path, "x:2").await;
    fleet.advance(Span::from_millis(100));
    let leaving = || {
        pods_of(&cluster, "node-exporter")
            .iter()
            .filter(|p| !p["metadata"]["deletionTimestamp"].is_null())
            .count()
    };
    assert_eq!(leaving(), 2);
    fleet.advance(seconds(30));
    assert_eq!(outdated(), 0);
    // none of these can be pulled, and still the next rollout gets past them
    let down = "kind = \"registry-down\"\nclusters = [\"alpha\"]\nregistry = \"broken.example\"\n";
    fleet.begin(down).unwrap();
    roll(&client, &path, "broken.example/x:1").await;
    fleet.advance(seconds(20));
    roll(&client, &path, "x:2").await;
    fleet.advance(seconds(60));
    let pods = pods_of(&cluster, "node-exporter");
    assert!(outdated() == 0 && pods.iter().all(|p| ready(p)), "{:?}", images(&cluster, "node-exporter"));

    let surge = json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}});
    client.patch(&path, "merge", &surge).await;
    roll(&client, &path, "x:3").await;
    for _ in 0..120 {
        fleet.advance(Span::from_millis(250));
        let serving: Vec<Value> = pods_of(&cluster, "node-exporter")
            .iter()
            .filter(|p| ready(p))
            .map(|p| p["spec"]["nodeName"].clone())
            .collect();
        assert!(cluster.objects("nodes").iter().all(|n| serving.contains(&n["metadata"]["name"])), "no gap");
    }
    assert!(images(&cluster, "node-exporter").iter().all(|i| i == "x:3"));
    let label = json!({"spec": {"template": {"spec": {"affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "no-such-label", "operator": "Exists"}]}]}}}}}}});
    client.patch(&path, "merge", &label).await;
    fleet.advance(seconds(30));
    assert!(pods_of(&cluster, "node-exporter").is_empty(), "no node has that label");
    assert_eq!(named(&cluster, "daemonsets", "node-exporter")["status"]["desiredNumberScheduled"], 0);
}

#[tokio::test]
async fn a_deployment_says_what_is_missing_and_waits_until_pods_are_steady() {
    let (fleet, client, cluster) = alpha().await;
    let mut slow = deployment("slow", 2, "10m");
    slow["spec"]["minReadySeconds"] = json!(30);
    slow["metadata"]["annotations"] = json!({"kubernetes.io/change-cause": "first"});
    client.post(DEPLOYMENTS, &slow).await;
    fleet.advance(seconds(10));
    let status = || named(&cluster, "deployments", "slow")["status"].clone();
    assert_eq!((&status()["readyReplicas"], &status()["availableReplicas"]), (&json!(2), &Value::Null));
    assert_eq!(status()["unavailableReplicas"], 2);
    fleet.advance(seconds(35));
    assert_eq!(
        (&status()["availableReplicas"], &status()["unavailableReplicas"]),
        (&json!(2), &Value::Null),
        "none is left out"
    );
    let causes = || -> Vec<Value> {
        let sets = cluster.objects("replicasets").into_iter();
        let mine = sets.filter(|s| s["metadata"]["ownerReferences"][0]["name"] == "slow");
        mine.map(|s| s["metadata"]["annotations"]["kubernetes.io/change-cause"].clone()).collect()
    };
    assert_eq!(causes(), [json!("first")]);
    let second = json!({
        "metadata": {"annotations": {"kubernetes.io/change-cause": "second"}},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x:2"}]}}},
    });
    client.patch(&format!("{DEPLOYMENTS}/slow"), "strategic-merge", &second).await;
    fleet.advance(seconds(1));
    assert_eq!(status()["unavailableReplicas"], 1, "of three that were asked for, old and new");
    assert_eq!(causes().len(), 2);
    assert!(causes().contains(&json!("first")) && causes().contains(&json!("second")), "{:?}", causes());
}

fn job(name: &str, spec: &Value) -> Value {
    let mut job = json!({"metadata": {"name": name}, "spec": {"template": {
        "metadata": {"labels": {"app": name}, "annotations": {"sim.quarterdeck.dev/runs-seconds": "5"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}}});
    for (key, value) in spec.as_object().unwrap() {
        job["spec"][key] = value.clone();
    }
    job
}

#[tokio::test]
async fn jobs_share_queues_count_what_is_gone_and_end_in_time() {
    let (fleet, client, cluster) = alpha().await;
    let status = |own: &str| named(&cluster, "jobs", own)["status"].clone();
    client.post(JOBS, &job("queue", &json!({"parallelism": 2}))).await;
    assert!(client.get(&format!("{JOBS}/queue")).await.json()["spec"].get("completions").is_none());
    fleet.advance(seconds(1));
    assert_eq!(pods_of(&cluster, "queue").len(), 2);
    fleet.advance(seconds(30));
    assert_eq!((&status("queue")["succeeded"], pods_of(&cluster, "queue").len()), (&json!(2), 2));
    let pod = &pods_of(&cluster, "queue")[0]["metadata"]["labels"];
    let uid = named(&cluster, "jobs", "queue")["metadata"]["uid"].clone();
    assert_eq!((&pod["batch.kubernetes.io/controller-uid"], &pod["job-name"]), (&uid, &json!("queue")));

    client.post(JOBS, &job("two", &json!({"completions": 2}))).await;
    fleet.advance(seconds(10));
    let first = pods_of(&cluster, "two").into_iter().find(|p| p["status"]["phase"] == "Succeeded").unwrap();
    let path = format!("/api/v1/namespaces/shop/pods/{}", first["metadata"]["name"].as_str().unwrap());
    client.delete(&path).await;
    fleet.advance(seconds(30));
    assert_eq!(status("two")["succeeded"], 2, "the one that is gone counts");
    assert_eq!(pods_of(&cluster, "two").len(), 1);

    client.post(JOBS, &job("late", &json!({"activeDeadlineSeconds": 3}))).await;
    client.post(JOBS, &job("brief", &json!({"ttlSecondsAfterFinished": 10}))).await;
    fleet.advance(seconds(12));
    let failed = status("late")["conditions"].clone();
    assert_eq!((&failed[1]["type"], &failed[1]["reason"]), (&json!("Failed"), &json!("DeadlineExceeded")));
    assert_eq!(status("brief")["succeeded"], 1);
    fleet.advance(seconds(20));
    assert_eq!(client.get(&format!("{JOBS}/brief")).await.code, 404, "its time is over");
    assert!(pods_of(&cluster, "brief").is_empty());
}

#[tokio::test]
async fn a_job_that_fails_waits_longer_each_time() {
    let (fleet, client, cluster) = alpha().await;
    let incident = "kind = \"crash\"\nclusters = [\"alpha\"]\nworkloads = [\"shop/cart\"]\nlasts = \"1h\"\n";
    fleet.begin(incident).unwrap();
    let mut bad = job("bad", &json!({"backoffLimit": 3}));
    bad["spec"]["template"]["metadata"]["labels"]["app"] = json!("cart");
    client.post(JOBS, &bad).await;
    let made = || {
        let mine = |p: &&std::sync::Arc<Value>| p["metadata"]["labels"]["job-name"] == "bad";
        cluster.objects("pods").iter().filter(mine).count()
    };
    let mut seen = vec![(0, 0)];
    for second in 1..=180 {
        fleet.advance(seconds(1));
        if made() > seen[seen.len() - 1].1 {
            seen.push((second, made()));
        }
    }
    let waits: Vec<i64> = seen.windows(2).skip(1).map(|w| w[1].0 - w[0].0).collect();
    assert_eq!(seen.len(), 5, "four pods: {seen:?}");
    assert!(
        (14..=22).contains(&waits[0]) && (24..=32).contains(&waits[1]) && (44..=52).contains(&waits[2]),
        "{waits:?}"
    );
    assert!(reasons(&cluster).contains(&"BackoffLimitExceeded".to_owned()));
}

#[tokio::test]
async fn a_cron_job_runs_beside_another_only_if_it_may() {
    let (fleet, client, cluster) = alpha().await;
    let cron = |own: &str, policy: &str, schedule: &str| {
        json!({"metadata": {"name": own}, "spec": {"schedule": schedule, "concurrencyPolicy": policy, "jobTemplate": {"spec": {
            "template": {"metadata": {"annotations": {"sim.quarterdeck.dev/runs-seconds": "150"}},
                         "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}}}}})
    };
    let crons = "/apis/batch/v1/namespaces/shop/cronjobs";
    for (own, policy, schedule) in [
        ("forbid", "Forbid", "* * * * *"),
        ("replace", "Replace", "* * * * *"),
        ("monthly", "Allow", "30 2 1 * *"),
    ] {
        assert_eq!(client.post(crons, &cron(own, policy, schedule)).await.code, 201);
    }
    assert_eq!(client.post(crons, &cron("odd", "Allow", "99 * * * *")).await.code, 422);
    fleet.advance(seconds(130));
    let of = |own: &str| {
        cluster.objects("jobs").iter().filter(|j| j["metadata"]["ownerReferences"][0]["name"] == own).count()
    };
    assert_eq!((of("forbid"), of("replace"), of("monthly")), (1, 1, 0));
    assert!(reasons(&cluster).contains(&"JobAlreadyActive".to_owned()));
    for own in ["forbid", "replace"] {
        client.delete(&format!("{crons}/{own}")).await;
    }
    // it is two o'clock on the 21st
    fleet.advance(seconds(40 * 60));
    assert_eq!(of("monthly"), 0, "only on the first");
}
