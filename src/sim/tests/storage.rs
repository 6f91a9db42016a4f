//! Claims and volumes as clients make, grow and delete them.

use serde_json::json;

use super::client::{Client, small};
use crate::model::Span;
use crate::sim::Role;

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";

#[tokio::test]
async fn a_claim_takes_the_smallest_volume_that_fits_and_gives_it_back() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    for (name, size) in [("large", "50Gi"), ("right", "5Gi"), ("small", "1Gi")] {
        let volume = json!({"metadata": {"name": name}, "spec": {"storageClassName": "manual", "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}}});
        assert_eq!(client.post(VOLUMES, &volume).await.code, 201);
    }
    fleet.advance(Span::from_seconds(1));
    let volume = async |name: &str| client.get(&format!("{VOLUMES}/{name}")).await.json();
    assert_eq!(volume("right").await["status"]["phase"], "Available");
    let claim = json!({"metadata": {"name": "data"}, "spec": {"storageClassName": "manual",
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}}});
    assert_eq!(client.post(CLAIMS, &claim).await.code, 201);
    fleet.advance(Span::from_seconds(2));
    let bound = client.get(&format!("{CLAIMS}/data")).await.json();
    assert_eq!((&bound["spec"]["volumeName"], &bound["status"]["phase"]), (&json!("right"), &json!("Bound")));
    assert_eq!(bound["status"]["capacity"]["storage"], "5Gi");
    // a volume that is in use does not go
    client.delete(&format!("{VOLUMES}/right")).await;
    fleet.advance(Span::from_seconds(2));
    assert!(volume("right").await["metadata"]["deletionTimestamp"].is_string());
    client.delete(&format!("{VOLUMES}/large")).await;
    fleet.advance(Span::from_seconds(2));
    assert_eq!(client.get(&format!("{VOLUMES}/large")).await.code, 404);
}

#[tokio::test]
async fn a_claim_in_use_waits_for_its_pod() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let claim = json!({"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    assert_eq!(client.post(CLAIMS, &claim).await.code, 201);
    let pod = json!({"metadata": {"name": "user"}, "spec": {"containers": [{"name": "c", "image": "x:1"}],
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}});
    assert_eq!(client.post("/api/v1/namespaces/default/pods", &pod).await.code, 201);
    fleet.advance(Span::from_seconds(30));
    let own = format!("{CLAIMS}/data");
    assert_eq!(client.get(&own).await.json()["status"]["phase"], "Bound");
    let larger = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    assert_eq!(client.patch(&own, "merge", &larger).await.code, 200);
    fleet.advance(Span::from_seconds(2));
    assert_eq!(client.get(&own).await.json()["status"]["capacity"]["storage"], "2Gi");
    assert_eq!(client.delete(&own).await.code, 200);
    fleet.advance(Span::from_seconds(10));
    assert!(client.get(&own).await.json()["metadata"]["deletionTimestamp"].is_string());
    client.delete("/api/v1/namespaces/default/pods/user").await;
    fleet.advance(Span::from_seconds(60));
    assert_eq!(client.get(&own).await.code, 404);
}
