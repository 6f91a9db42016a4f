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

#[tokio::test]
async fn claims_of_a_stateful_set_go_as_it_wants() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let sets = "/apis/apps/v1/namespaces/default/statefulsets";
    for (name, deleted, scaled) in
        [("kept", "Retain", "Retain"), ("after", "Delete", "Retain"), ("both", "Delete", "Delete")]
    {
        let set = json!({"metadata": {"name": name}, "spec": {
            "replicas": 3, "serviceName": name, "podManagementPolicy": "Parallel",
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": deleted, "whenScaled": scaled},
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "x:1"}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}});
        assert_eq!(client.post(sets, &set).await.code, 201);
    }
    fleet.advance(Span::from_seconds(60));
    let claims = async |name: &str| {
        let all = client.get(CLAIMS).await.json();
        let names = all["items"].as_array().unwrap().iter().map(|c| c["metadata"]["name"].as_str().unwrap());
        names.filter(|n| n.starts_with(&format!("data-{name}-"))).count()
    };
    let owner = async |claim: &str| {
        let claim = client.get(&format!("{CLAIMS}/{claim}")).await.json();
        claim["metadata"]["ownerReferences"][0]["kind"].as_str().map(str::to_owned)
    };
    assert_eq!(owner("data-kept-2").await, None);
    assert_eq!(owner("data-after-2").await.as_deref(), Some("StatefulSet"));
    for name in ["kept", "after", "both"] {
        let one = json!({"spec": {"replicas": 1}});
        assert_eq!(client.patch(&format!("{sets}/{name}"), "merge", &one).await.code, 200);
    }
    fleet.advance(Span::from_seconds(30));
    assert_eq!((claims("kept").await, claims("after").await, claims("both").await), (3, 3, 1));
    assert_eq!(owner("data-both-0").await.as_deref(), Some("StatefulSet"));
    // a pod that comes back gets a claim of its own
    client.patch(&format!("{sets}/both"), "merge", &json!({"spec": {"replicas": 2}})).await;
    fleet.advance(Span::from_seconds(30));
    assert_eq!(client.get(&format!("{CLAIMS}/data-both-1")).await.json()["status"]["phase"], "Bound");
    for name in ["kept", "after", "both"] {
        client.delete(&format!("{sets}/{name}?propagationPolicy=Background")).await;
    }
    fleet.advance(Span::from_seconds(60));
    assert_eq!((claims("kept").await, claims("after").await, claims("both").await), (3, 0, 0));
}
