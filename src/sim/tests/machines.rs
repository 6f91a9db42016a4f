//! Node pools that are obeyed, providers without machines, and nodes that somebody empties.

use serde_json::{Value, json};

use super::client::{Client, small};
use super::movement::{DEPLOYMENTS, alpha, deployment, named, pods_of, ready, reasons, seconds};
use crate::sim::{Control, Role};

const POOLS: &str = "/apis/karpenter.sh/v1/nodepools";

fn messages(cluster: &Control, reason: &str) -> Vec<String> {
    let all = cluster.objects("events");
    let of = all.iter().filter(|e| e["reason"] == reason);
    of.map(|e| e["message"].as_str().unwrap().to_owned()).collect()
}

fn types(cluster: &Control) -> Vec<String> {
    let kind = |n: &std::sync::Arc<Value>| {
        n["metadata"]["labels"]["node.kubernetes.io/instance-type"].as_str().unwrap().to_owned()
    };
    let mut all: Vec<String> = cluster.objects("nodes").iter().map(kind).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_node_pool_is_obeyed() {
    let (fleet, client, cluster) = alpha().await;
    fleet.advance(seconds(5));
    let pool = || named(&cluster, "nodepools", "general");
    assert_eq!(pool()["status"]["resources"]["nodes"], "3");
    assert_eq!(pool()["status"]["resources"]["cpu"], "12");
    let own = format!("{POOLS}/general");
    client.patch(&own, "merge", &json!({"spec": {"limits": {"cpu": "12"}}})).await;
    client.post(DEPLOYMENTS, &deployment("big", 3, "3")).await;
    fleet.advance(seconds(40));
    assert_eq!(cluster.objects("nodes").len(), 3, "no more than its limits");
    let refused = messages(&cluster, "FailedScheduling");
    assert!(refused.iter().any(|m| m.contains("exceed limits for nodepool: \"general\"")), "{refused:?}");

    let requirement =
        json!([{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["m6i.2xlarge"]}]);
    let wider =
        json!({"spec": {"limits": {"cpu": "100"}, "template": {"spec": {"requirements": requirement}}}});
    client.patch(&own, "merge", &wider).await;
    fleet.advance(seconds(40));
    assert!(types(&cluster).contains(&"m6i.2xlarge".to_owned()), "{:?}", types(&cluster));
    assert!(pods_of(&cluster, "big").iter().all(|p| ready(p)));

    client.delete("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web").await;
    client.delete(&own).await;
    fleet.advance(seconds(120));
    assert!(
        cluster.objects("nodes").is_empty() && cluster.objects("nodeclaims").is_empty(),
        "all go with it"
    );
    let again =
        json!({"metadata": {"name": "fresh"}, "spec": {"template": {"spec": {"requirements": requirement}}}});
    assert_eq!(client.post(POOLS, &again).await.code, 201);
    fleet.advance(seconds(60));
    assert!(!types(&cluster).is_empty() && types(&cluster).iter().all(|t| t == "m6i.2xlarge"));
    assert!(pods_of(&cluster, "big").iter().all(|p| ready(p)));
}

#[tokio::test]
async fn a_budget_of_a_node_pool_keeps_idle_nodes() {
    let (fleet, client, cluster) = alpha().await;
    let none = json!({"spec": {"disruption": {"budgets": [{"nodes": "0"}]}}});
    client.patch(&format!("{POOLS}/general"), "merge", &none).await;
    client.post(DEPLOYMENTS, &deployment("big", 4, "3")).await;
    fleet.advance(seconds(60));
    let most = cluster.objects("nodes").len();
    client.delete(&format!("{DEPLOYMENTS}/big")).await;
    fleet.advance(seconds(300));
    assert_eq!((cluster.objects("nodes").len(), most > 3), (most, true));
    let said = messages(&cluster, "DisruptionBlocked");
    let why = "No allowed disruptions for disruption reason Empty due to blocking budget";
    assert!(said.iter().any(|m| m == why), "{said:?}");
}

#[tokio::test]
async fn without_capacity_karpenter_asks_in_another_zone() {
    let (fleet, client, cluster) = alpha().await;
    fleet.begin("kind = \"no-capacity\"\nclusters = [\"alpha\"]\nzone = \"us-east-1a\"\n").unwrap();
    client.post(DEPLOYMENTS, &deployment("big", 3, "3")).await;
    fleet.advance(seconds(60));
    let short = messages(&cluster, "InsufficientCapacityError");
    assert!(
        short.iter().any(|m| m.contains("sufficient m6i.xlarge capacity") && m.contains("us-east-1a")),
        "{short:?}"
    );
    assert!(pods_of(&cluster, "big").iter().all(|p| ready(p)), "there are two more zones");
    let zone = |n: &std::sync::Arc<Value>| n["metadata"]["labels"]["topology.kubernetes.io/zone"].clone();
    assert!(
        cluster.objects("nodes").iter().filter(|n| zone(n) == "us-east-1a").count() <= 1,
        "none came there"
    );
    assert_eq!(cluster.objects("nodeclaims").len(), cluster.objects("nodes").len());
}

#[tokio::test]
async fn without_capacity_a_group_is_left_alone_for_a_while() {
    let fleet = small().await;
    let client = Client::new(&fleet, "beta", Role::Admin);
    let cluster = fleet.cluster("beta").unwrap();
    fleet.begin("kind = \"no-capacity\"\nclusters = [\"beta\"]\nlasts = \"60s\"\n").unwrap();
    client.post(DEPLOYMENTS, &deployment("big", 3, "3")).await;
    fleet.advance(seconds(30));
    let failed = messages(&cluster, "FailedScaleUp");
    assert!(failed.iter().any(|m| m.contains("GCE out of resources")), "{failed:?}");
    assert!(messages(&cluster, "ScaleUpFailed").iter().any(|m| m.contains("OutOfResource.GCE_STOCKOUT")));
    let held = "1 in backoff after failed scale-up";
    assert!(messages(&cluster, "NotTriggerScaleUp").iter().any(|m| m.contains(held)));
    let status = named(&cluster, "configmaps", "cluster-autoscaler-status")["data"]["status"].clone();
    assert!(status.as_str().unwrap().contains("status: Backoff"), "{status}");
    fleet.advance(seconds(200));
    let held = cluster.objects("nodes").len();
    assert!(held <= 3, "left alone although there are machines again: {held}");
    fleet.advance(seconds(150));
    assert!(cluster.objects("nodes").len() > held, "five minutes are over");
}

#[tokio::test]
async fn what_does_not_fit_a_new_node_is_told_by_its_first_reason() {
    let fleet = small().await;
    let client = Client::new(&fleet, "beta", Role::Admin);
    let cluster = fleet.cluster("beta").unwrap();
    client.post(DEPLOYMENTS, &deployment("huge", 1, "64")).await;
    fleet.advance(seconds(20));
    let said = messages(&cluster, "NotTriggerScaleUp");
    assert_eq!(said, ["pod didn't trigger scale-up: 1 Insufficient cpu"]);
}

#[tokio::test]
async fn a_node_of_karpenters_is_drained_when_it_is_deleted() {
    let (fleet, client, cluster) = alpha().await;
    fleet.advance(seconds(2));
    let node = cluster.objects("nodes")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    client.delete(&format!("/api/v1/nodes/{node}")).await;
    fleet.advance(seconds(1));
    let going = named(&cluster, "nodes", &node);
    assert!(going["metadata"]["deletionTimestamp"].is_string(), "it waits until it is empty");
    fleet.advance(seconds(120));
    assert!(cluster.objects("nodes").iter().all(|n| n["metadata"]["name"] != node.as_str()));
    assert!(cluster.objects("nodeclaims").iter().all(|c| c["status"]["nodeName"] != node.as_str()));
    assert!(pods_of(&cluster, "web").iter().all(|p| ready(p)));
}

#[tokio::test]
async fn a_taint_of_anybody_drives_pods_away_when_their_time_is_over() {
    let (fleet, client, cluster) = alpha().await;
    let mut stays = deployment("stays", 1, "10m");
    stays["spec"]["template"]["spec"]["tolerations"] =
        json!([{"key": "repair", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}]);
    client.post(DEPLOYMENTS, &stays).await;
    fleet.advance(seconds(8));
    let pod = pods_of(&cluster, "stays")[0].clone();
    let node = pod["spec"]["nodeName"].as_str().unwrap();
    let taint = json!({"spec": {"taints": [{"key": "repair", "value": "now", "effect": "NoExecute"}]}});
    client.patch(&format!("/api/v1/nodes/{node}"), "merge", &taint).await;
    let there = || pods_of(&cluster, "stays").iter().any(|p| p["metadata"]["uid"] == pod["metadata"]["uid"]);
    fleet.advance(seconds(25));
    assert!(there());
    fleet.advance(seconds(15));
    assert!(!there(), "thirty seconds are over");
    assert!(reasons(&cluster).contains(&"TaintManagerEviction".to_owned()));
    client.patch(&format!("/api/v1/nodes/{node}"), "merge", &json!({"spec": {"unschedulable": true}})).await;
    fleet.advance(seconds(1));
    assert!(reasons(&cluster).contains(&"NodeNotSchedulable".to_owned()));
}

#[tokio::test]
async fn a_node_whose_pods_may_not_go_is_no_candidate() {
    let fleet = small().await;
    let cluster = fleet.cluster("beta").unwrap();
    fleet
        .begin("kind = \"budget-blocks\"\nclusters = [\"beta\"]\nworkloads = [\"shop/web\", \"shop/cart\"]\n")
        .unwrap();
    fleet.advance(seconds(300));
    assert_eq!(cluster.objects("nodes").len(), 3);
    let taints = cluster.objects("nodes").iter().filter(|n| n["spec"]["taints"].is_array()).count();
    assert_eq!(taints, 0, "none is tainted for nothing");
}

#[tokio::test]
async fn machines_that_drifted_are_replaced_before_their_pods_have_to_go() {
    let (fleet, client, cluster) = alpha().await;
    fleet.advance(seconds(20));
    let pool = cluster.objects("nodepools")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let drifted = || {
        let claims = cluster.objects("nodeclaims").into_iter();
        let said = claims.filter_map(|c| {
            let all = c["status"]["conditions"].as_array().cloned().unwrap_or_default();
            all.into_iter().find(|c| c["type"] == "Drifted").map(|c| c["reason"].as_str().unwrap().to_owned())
        });
        said.collect::<Vec<_>>()
    };
    assert!(drifted().is_empty());
    let before: Vec<Value> = cluster.objects("nodes").iter().map(|n| n["metadata"]["name"].clone()).collect();
    let path = format!("/apis/karpenter.sh/v1/nodepools/{pool}");
    let labels = json!({"spec": {"template": {"metadata": {"labels": {"team": "blue"}}}}});
    assert_eq!(client.patch(&path, "merge", &labels).await.code, 200);
    let mut least = 4;
    let mut seen = 0;
    for _ in 0..900 {
        fleet.advance(seconds(1));
        seen = seen.max(drifted().len());
        least = least.min(pods_of(&cluster, "web").iter().filter(|p| ready(p)).count());
    }
    assert_eq!(seen, before.len(), "all of them were made from what was");
    assert!(drifted().is_empty(), "{:?}", drifted());
    let nodes = cluster.objects("nodes");
    assert!(nodes.iter().all(|n| n["metadata"]["labels"]["team"] == "blue"));
    assert!(nodes.iter().all(|n| !before.contains(&n["metadata"]["name"])));
    assert!(least >= 3, "a pod goes at a time, when there is room for it: {least}");
    assert!(messages(&cluster, "DisruptionTerminating").iter().any(|m| m == "Disrupting Node: Drifted"));
}
