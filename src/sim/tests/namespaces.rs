//! What namespaces hold and allow: quotas, tokens, endpoints, containers added for looking.

use serde_json::{Value, json};

use super::client::{Client, small};
use crate::model::Span;
use crate::sim::{Fleet, Role};

async fn ground() -> (Fleet, Client) {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    (fleet, client)
}

fn events(fleet: &Fleet, reason: &str) -> Vec<String> {
    let all = fleet.cluster("alpha").unwrap().objects("events");
    let those = all.iter().filter(|e| e["reason"] == reason);
    those.map(|e| e["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_quota_refuses_clients_and_controllers_and_counts_what_goes() {
    let (fleet, client) = ground().await;
    let quotas = "/api/v1/namespaces/shop/resourcequotas";
    let web = "/apis/apps/v1/namespaces/shop/deployments/web";
    let alpha = fleet.cluster("alpha").unwrap();
    let there = alpha.objects("pods").iter().filter(|p| p["metadata"]["namespace"] == "shop").count();
    let hard = json!({"pods": (there + 1).to_string(), "count/configmaps": "2"});
    let made = client.post(quotas, &json!({"metadata": {"name": "team"}, "spec": {"hard": hard}})).await;
    assert_eq!(made.code, 201);
    fleet.advance(Span::from_seconds(1));
    let used = |key: &'static str| {
        let (client, path) = (client.clone(), format!("{quotas}/team"));
        async move { client.get(&path).await.json()["status"]["used"][key].as_str().unwrap().to_owned() }
    };
    assert_eq!(used("pods").await, there.to_string());

    let maps = "/api/v1/namespaces/shop/configmaps";
    assert_eq!(client.post(maps, &json!({"metadata": {"name": "a"}})).await.code, 201);
    let refused = client.post(maps, &json!({"metadata": {"name": "b"}})).await;
    assert_eq!(
        (refused.code, refused.json()["message"].as_str().unwrap()),
        (
            403,
            "configmaps \"b\" is forbidden: exceeded quota: team, requested: count/configmaps=1, used: \
             count/configmaps=2, limited: count/configmaps=2"
        )
    );

    client.patch(web, "merge", &json!({"spec": {"replicas": 7}})).await;
    fleet.advance(Span::from_seconds(5));
    assert_eq!(used("pods").await, (there + 1).to_string(), "one more, and no other");
    let said = events(&fleet, "FailedCreate");
    assert!(said[0].starts_with("Error creating: pods \"web-"), "{said:?}");
    assert!(said[0].contains("is forbidden: exceeded quota: team, requested: pods=1"), "{said:?}");
    let condition = |d: &Value| -> Option<Value> {
        d["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == "ReplicaFailure").cloned()
    };
    let failing = condition(&client.get(web).await.json()).unwrap();
    assert_eq!((&failing["status"], &failing["reason"]), (&json!("True"), &json!("FailedCreate")));

    client.delete(&format!("{quotas}/team")).await;
    fleet.advance(Span::from_seconds(60));
    let deployment = client.get(web).await.json();
    assert_eq!(deployment["status"]["readyReplicas"], 7);
    assert!(condition(&deployment).is_none());
}

#[tokio::test]
async fn a_service_account_is_there_and_has_tokens() {
    let (_fleet, client) = ground().await;
    let path = "/api/v1/namespaces/shop/serviceaccounts/default/token";
    let asked = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}});
    let made = client.post(path, &asked).await;
    assert_eq!(made.code, 201);
    let token = made.json()["status"]["token"].as_str().unwrap().to_owned();
    assert_eq!(token.split('.').count(), 3, "{token}");
    assert_eq!(client.clone().with_token(&token).get("/api/v1/pods").await.code, 401, "it opens nothing");
    assert_eq!(client.post(path, &json!({"spec": {"expirationSeconds": 60}})).await.code, 422);
    let nobody = client.post("/api/v1/namespaces/shop/serviceaccounts/nobody/token", &asked).await;
    assert_eq!(nobody.json()["message"], "serviceaccounts \"nobody\" not found");
}

#[tokio::test]
async fn services_know_the_pods_behind_them() {
    let (fleet, client) = ground().await;
    let services = "/api/v1/namespaces/shop/services";
    let service = json!({"metadata": {"name": "front"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}});
    assert_eq!(client.post(services, &service).await.code, 201);
    fleet.advance(Span::from_seconds(2));
    let slices = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?labelSelector=kubernetes.io/service-name%3Dfront";
    let ready = || async {
        let slice = client.get(slices).await.json()["items"][0].clone();
        let endpoints = slice["endpoints"].as_array().unwrap().clone();
        assert_eq!(slice["ports"][0]["port"], 8080);
        (endpoints.len(), endpoints.iter().filter(|e| e["conditions"]["ready"] == true).count())
    };
    assert_eq!(ready().await, (4, 4));
    let old = client.get("/api/v1/namespaces/shop/endpoints/front").await.json();
    assert_eq!(old["subsets"][0]["addresses"].as_array().unwrap().len(), 4);
    let first = client.get(slices).await.json()["items"][0]["endpoints"][0]["targetRef"]["name"].clone();
    client.delete(&format!("/api/v1/namespaces/shop/pods/{}", first.as_str().unwrap())).await;
    fleet.advance(Span::from_millis(200));
    assert_eq!(ready().await.1, 3, "one that leaves is not ready");
    fleet.advance(Span::from_seconds(20));
    assert_eq!(ready().await, (4, 4));
    client.delete(&format!("{services}/front")).await;
    fleet.advance(Span::from_seconds(1));
    assert!(client.get(slices).await.json()["items"].as_array().unwrap().is_empty());
    assert_eq!(client.get("/api/v1/namespaces/shop/endpoints/front").await.code, 404);
}

#[tokio::test]
async fn a_container_can_be_added_for_looking_into_a_pod() {
    let (fleet, client) = ground().await;
    let pods = fleet.cluster("alpha").unwrap().objects("pods");
    let web = pods.iter().find(|p| p["metadata"]["labels"]["app"] == "web").unwrap();
    let path = format!("/api/v1/namespaces/shop/pods/{}", web["metadata"]["name"].as_str().unwrap());
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "debugger", "image": "busybox"}]}});
    let added = client.patch(&format!("{path}/ephemeralcontainers"), "strategic-merge", &debug).await;
    assert_eq!(added.code, 200, "{}", added.json());
    fleet.advance(Span::from_seconds(2));
    let status = client.get(&path).await.json()["status"]["ephemeralContainerStatuses"][0].clone();
    assert_eq!((&status["name"], status["state"]["running"].is_object()), (&json!("debugger"), true));
    assert_eq!(client.get(&format!("{path}/log?container=debugger")).await.code, 200);
    let gone = json!([{"op": "remove", "path": "/spec/ephemeralContainers/0"}]);
    let refused = client.patch(&format!("{path}/ephemeralcontainers"), "json", &gone).await;
    assert_eq!(refused.code, 422, "it stays");
    let metrics = client.get("/metrics").await;
    assert!(
        String::from_utf8(metrics.body.to_vec())
            .unwrap()
            .contains("apiserver_storage_objects{resource=\"pods\"}")
    );
}

#[tokio::test]
async fn a_full_store_takes_no_writes_from_anybody() {
    let (mut fleet, client) = ground().await;
    let (address, token) = fleet.open_control("127.0.0.1:0".parse().unwrap()).await.unwrap();
    super::faults::begin(address, &token, "kind = \"etcd-full\"\nclusters = [\"alpha\"]\nlasts = \"1m\"")
        .await;
    fleet.advance(Span::from_millis(10));
    let refused =
        client.post("/api/v1/namespaces/shop/configmaps", &json!({"metadata": {"name": "a"}})).await;
    assert_eq!(
        (refused.code, &refused.json()["message"]),
        (500, &json!("etcdserver: mvcc: database space exceeded"))
    );
    let version =
        || async { client.get("/api/v1/nodes").await.json()["metadata"]["resourceVersion"].clone() };
    let before = version().await;
    fleet.advance(Span::from_seconds(40));
    assert_eq!(version().await, before, "not even heartbeats");
    fleet.advance(Span::from_seconds(40));
    assert_ne!(version().await, before);
    assert_eq!(
        client.post("/api/v1/namespaces/shop/configmaps", &json!({"metadata": {"name": "a"}})).await.code,
        201
    );
}
