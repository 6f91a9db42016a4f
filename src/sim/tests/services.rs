//! What a cluster has from its first day, and what services are given.

use serde_json::{Value, json};

use super::client::{Client, small};
use crate::model::Span;
use crate::sim::Role;

#[tokio::test]
async fn a_cluster_has_what_every_cluster_has() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let service = client.get("/api/v1/namespaces/default/services/kubernetes").await.json();
    assert_eq!(
        (&service["spec"]["clusterIP"], &service["spec"]["type"]),
        (&json!("10.96.0.1"), &json!("ClusterIP"))
    );
    let authority = client.get("/api/v1/namespaces/shop/configmaps/kube-root-ca.crt").await.json();
    assert_eq!(authority["data"]["ca.crt"], fleet.authority());
    for role in ["cluster-admin", "admin", "edit", "view"] {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}");
        assert!(client.get(&path).await.json()["rules"].as_array().is_some_and(|r| !r.is_empty()), "{role}");
    }
    let made = json!({"metadata": {"name": "fresh"}});
    assert_eq!(client.post("/api/v1/namespaces", &made).await.code, 201);
    fleet.advance(Span::from_seconds(1));
    let authority = client.get("/api/v1/namespaces/fresh/configmaps/kube-root-ca.crt").await.json();
    assert_eq!(authority["data"]["ca.crt"], fleet.authority());
}

#[tokio::test]
async fn an_address_is_there_as_long_as_its_service_has_it() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let services = "/api/v1/namespaces/shop/services";
    let service = json!({"metadata": {"name": "in"}, "spec": {"ports": [{"port": 80}]}});
    let made = client.post(services, &service).await.json();
    let ip = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let address = format!("/apis/networking.k8s.io/v1/ipaddresses/{ip}");
    let whose = client.get(&address).await.json();
    assert_eq!(
        whose["spec"]["parentRef"],
        json!({"group": "", "resource": "services", "namespace": "shop", "name": "in"})
    );
    let another = json!({"metadata": {"name": "other"}, "spec": {"clusterIP": ip, "ports": [{"port": 80}]}});
    let refused = client.post(services, &another).await;
    assert_eq!(
        (refused.code, refused.json()["details"]["causes"][0]["field"].as_str()),
        (422, Some("spec.clusterIPs"))
    );
    let named = json!({"spec": {"type": "ExternalName", "externalName": "db.example"}});
    let path = format!("{services}/in");
    let moved = client.patch(&path, "merge", &named).await;
    assert_eq!((moved.code, &moved.json()["spec"]["clusterIP"]), (200, &Value::Null));
    assert_eq!(client.get(&address).await.code, 404);
    assert_eq!(client.post(services, &another).await.code, 201);
}

#[tokio::test]
async fn a_service_of_a_cloud_is_reached_from_outside() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let services = "/api/v1/namespaces/shop/services";
    let service =
        json!({"metadata": {"name": "front"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}});
    let made = client.post(services, &service).await.json();
    assert!(made["spec"]["ports"][0]["nodePort"].as_i64().is_some_and(|n| (30_000..32_768).contains(&n)));
    let ingress = || async {
        let now: Value = client.get(&format!("{services}/front")).await.json();
        now["status"]["loadBalancer"]["ingress"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(ingress().await, 0);
    fleet.advance(Span::from_seconds(10));
    assert_eq!(ingress().await, 1);
}
