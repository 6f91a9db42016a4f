//! Evictions and the arithmetic of budgets.

use serde_json::{Value, json};

use super::client::{Client, by_hand, small};
use crate::model::Span;
use crate::sim::{Fleet, Role, Scenario};

const BUDGET: &str = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web";

fn pods_of(fleet: &Fleet, app: &str) -> Vec<String> {
    let pods = fleet.cluster("alpha").unwrap().objects("pods");
    let own = pods.iter().filter(|p| p["metadata"]["labels"]["app"] == app);
    own.map(|p| p["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

async fn evict(client: &Client, pod: &str, options: Value) -> (u16, Value) {
    let body = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": pod, "namespace": "shop"}, "deleteOptions": options,
    });
    let answer = client.post(&format!("/api/v1/namespaces/shop/pods/{pod}/eviction"), &body).await;
    (answer.code, answer.json())
}

#[tokio::test]
async fn a_spent_budget_refuses_until_the_pods_moved() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let pods = pods_of(&fleet, "web");
    // four pods, three must stay
    assert_eq!(client.get(BUDGET).await.json()["status"]["disruptionsAllowed"], 1);
    assert_eq!(evict(&client, &pods[0], json!({"dryRun": ["All"]})).await.0, 201);
    assert_eq!(
        client.get(BUDGET).await.json()["status"]["disruptionsAllowed"],
        1,
        "a dry run spends nothing"
    );
    assert_eq!(evict(&client, &pods[0], json!({})).await.0, 201);
    let (code, status) = evict(&client, &pods[1], json!({})).await;
    assert_eq!(code, 429);
    assert_eq!(status["reason"], "TooManyRequests");
    assert_eq!(status["message"], "Cannot evict pod as it would violate the pod's disruption budget.");
    let cause = &status["details"]["causes"][0];
    assert_eq!(cause["reason"], "DisruptionBudget");
    assert_eq!(cause["message"], "The disruption budget web needs 3 healthy pods and has 4 currently");
    let leaving = client.get(&format!("/api/v1/namespaces/shop/pods/{}", pods[0])).await.json();
    assert!(leaving["metadata"]["deletionTimestamp"].is_string());
    let reasons: Vec<&Value> =
        leaving["status"]["conditions"].as_array().unwrap().iter().map(|c| &c["reason"]).collect();
    assert!(reasons.contains(&&json!("EvictionByEvictionAPI")));

    fleet.advance(Span::from_seconds(1));
    let (_, status) = evict(&client, &pods[1], json!({})).await;
    let message = &status["details"]["causes"][0]["message"];
    assert_eq!(*message, "The disruption budget web needs 3 healthy pods and has 3 currently");
    fleet.advance(Span::from_seconds(20));
    assert_eq!(evict(&client, &pods[1], json!({})).await.0, 201, "the pod that moved serves again");
    assert_eq!(evict(&client, "nothing", json!({})).await.0, 404);
}

/// Four pods that serve and two that never will.
const SICK: &str = r#"
name = "sick"
[[cluster]]
name = "alpha"
provider = "private"
version = "1.36"
[[cluster.pool]]
name = "p"
machines = ["metal-32c-128g"]
count = 2
[[workload]]
namespace = "shop"
name = "well"
image = "w:1"
replicas = 4
[[workload]]
namespace = "shop"
name = "sick"
image = "s:1"
replicas = 2
[[incident]]
kind = "not-ready"
clusters = ["alpha"]
at = "1s"
workloads = ["shop/sick"]
"#;

#[tokio::test]
async fn unhealthy_pods_may_go_by_the_policy() {
    let fleet = Fleet::start(Scenario::parse("sick.toml", SICK).unwrap(), by_hand()).await.unwrap();
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let budget = json!({
        "metadata": {"name": "web"},
        "spec": {"minAvailable": 4, "selector": {"matchExpressions": [
            {"key": "app", "operator": "In", "values": ["well", "sick"]}]}},
    });
    client.post("/apis/policy/v1/namespaces/shop/poddisruptionbudgets", &budget).await;
    fleet.advance(Span::from_seconds(15));
    let status = client.get(BUDGET).await.json()["status"].clone();
    assert_eq!((&status["currentHealthy"], &status["disruptionsAllowed"]), (&json!(4), &json!(0)));
    let (well, sick) = (pods_of(&fleet, "well"), pods_of(&fleet, "sick"));
    assert_eq!(evict(&client, &well[0], json!({})).await.0, 429);
    assert_eq!(evict(&client, &sick[0], json!({})).await.0, 201, "enough serve without it");

    client.patch(BUDGET, "merge", &json!({"spec": {"minAvailable": 5}})).await;
    let (code, status) = evict(&client, &well[0], json!({})).await;
    assert_eq!(code, 429);
    let behind = "The disruption budget web is still being processed by the server.";
    assert_eq!(status["details"]["causes"][0]["message"], behind);
    assert_eq!(status["details"]["retryAfterSeconds"], 10);
    fleet.advance(Span::from_seconds(1));
    assert_eq!(evict(&client, &sick[1], json!({})).await.0, 429, "too few serve");
    client.patch(BUDGET, "merge", &json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})).await;
    assert_eq!(evict(&client, &sick[1], json!({})).await.0, 201, "the policy lets sick pods go");
    assert_eq!(evict(&client, &well[0], json!({})).await.0, 429, "one that serves is still held");
}

#[tokio::test]
async fn two_budgets_are_an_error_and_preconditions_hold() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let pods = pods_of(&fleet, "web");
    let (code, _) = evict(&client, &pods[0], json!({"preconditions": {"uid": "another"}})).await;
    assert_eq!(code, 409);
    let second = json!({
        "metadata": {"name": "second"},
        "spec": {"maxUnavailable": "50%", "selector": {"matchLabels": {"app": "web"}}},
    });
    client.post("/apis/policy/v1/namespaces/shop/poddisruptionbudgets", &second).await;
    fleet.advance(Span::from_seconds(1));
    let budget = client.get("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/second").await.json();
    assert_eq!(
        (&budget["status"]["desiredHealthy"], &budget["status"]["expectedPods"]),
        (&json!(2), &json!(4))
    );
    let (code, status) = evict(&client, &pods[0], json!({})).await;
    assert_eq!(code, 500);
    assert!(status["message"].as_str().unwrap().contains("more than one PodDisruptionBudget"));
}
