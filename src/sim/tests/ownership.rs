//! Whose an object is: adoption, release, garbage.

use serde_json::{Value, json};

use super::movement::{DEPLOYMENTS, alpha, deployment, named, pods_of, seconds};
use crate::sim::Control;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";

fn uids(cluster: &Control, app: &str) -> Vec<String> {
    let mut uids: Vec<String> =
        pods_of(cluster, app).iter().map(|p| p["metadata"]["uid"].to_string()).collect();
    uids.sort();
    uids
}

#[tokio::test]
async fn what_was_left_behind_is_taken_up_again() {
    let (fleet, client, cluster) = alpha().await;
    client.post(DEPLOYMENTS, &deployment("new", 2, "10m")).await;
    fleet.advance(seconds(10));
    let before = uids(&cluster, "new");
    let orphan = format!("{DEPLOYMENTS}/new?propagationPolicy=Orphan");
    assert_eq!(client.delete(&orphan).await.code, 200);
    fleet.advance(seconds(5));
    assert_eq!(uids(&cluster, "new"), before, "they stay");
    client.post(DEPLOYMENTS, &deployment("new", 2, "10m")).await;
    fleet.advance(seconds(10));
    assert_eq!(uids(&cluster, "new"), before, "and are the new one's");
    let owner = named(&cluster, "deployments", "new")["metadata"]["uid"].clone();
    let sets = cluster.objects("replicasets");
    let mine: Vec<_> = sets.iter().filter(|s| s["metadata"]["ownerReferences"][0]["uid"] == owner).collect();
    assert_eq!(mine.len(), 1);

    // a pod that is taken out of its selector is let go, and replaced
    let pod = pods_of(&cluster, "new")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/namespaces/shop/pods/{pod}");
    client.patch(&path, "merge", &json!({"metadata": {"labels": {"app": "quarantine"}}})).await;
    fleet.advance(seconds(10));
    let pod = client.get(&path).await.json();
    assert_eq!(pod["metadata"]["ownerReferences"].as_array().map(Vec::len).unwrap_or(0), 0);
    assert_eq!(pods_of(&cluster, "new").len(), 2);
    // and back: then there is one too many
    client.patch(&path, "merge", &json!({"metadata": {"labels": {"app": "new"}}})).await;
    fleet.advance(seconds(10));
    assert_eq!(pods_of(&cluster, "new").len(), 2);
}

#[tokio::test]
async fn what_several_own_goes_with_the_last_of_them() {
    let (fleet, client, _) = alpha().await;
    let map = |name: &str, owners: &[&Value]| {
        let owners: Vec<Value> = owners
            .iter()
            .map(|o| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": o["metadata"]["name"], "uid": o["metadata"]["uid"]}))
            .collect();
        json!({"metadata": {"name": name, "ownerReferences": owners}})
    };
    let one = client.post(MAPS, &map("one", &[])).await.json();
    let two = client.post(MAPS, &map("two", &[])).await.json();
    client.post(MAPS, &map("both", &[&one, &two])).await;
    let never = json!({"metadata": {"name": "never", "uid": "00000000-0000-4000-8000-000000000000"}});
    client.post(MAPS, &map("lost", &[&never])).await;
    fleet.advance(seconds(2));
    assert_eq!(client.get(&format!("{MAPS}/lost")).await.code, 404, "its owner never was");
    client.delete(&format!("{MAPS}/one")).await;
    fleet.advance(seconds(2));
    let left = client.get(&format!("{MAPS}/both")).await.json();
    assert_eq!(left["metadata"]["ownerReferences"].as_array().unwrap().len(), 1);
    client.delete(&format!("{MAPS}/two")).await;
    fleet.advance(seconds(2));
    assert_eq!(client.get(&format!("{MAPS}/both")).await.code, 404);
}

#[tokio::test]
async fn deletions_do_what_they_are_told() {
    let (fleet, client, cluster) = alpha().await;
    let jobs = "/apis/batch/v1/namespaces/shop/jobs";
    let job = |own: &str| {
        json!({"metadata": {"name": own}, "spec": {"template": {"metadata": {"labels": {"app": own}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}}})
    };
    for own in ["kept", "gone"] {
        client.post(jobs, &job(own)).await;
    }
    fleet.advance(seconds(3));
    let kept = client.delete(&format!("{jobs}/kept")).await;
    assert!(
        kept.header("warning").contains("child pods are preserved by default"),
        "{}",
        kept.header("warning")
    );
    client.delete(&format!("{jobs}/gone?propagationPolicy=Background")).await;
    let odd = client.delete(&format!("{jobs}/kept?propagationPolicy=Sideways")).await;
    assert_eq!(odd.code, 422);
    assert!(
        odd.json()["message"]
            .as_str()
            .unwrap()
            .contains("propagationPolicy: Unsupported value: \"Sideways\"")
    );
    fleet.advance(seconds(10));
    assert_eq!((pods_of(&cluster, "kept").len(), pods_of(&cluster, "gone").len()), (1, 0));

    for name in ["default", "kube-system"] {
        let refused = client.delete(&format!("/api/v1/namespaces/{name}")).await;
        assert_eq!(refused.code, 403);
        assert!(refused.json()["message"].as_str().unwrap().ends_with("this namespace may not be deleted"));
    }
    assert_eq!(client.delete("/api/v1/namespaces").await.code, 405);
    let before = cluster.objects("pods").len();
    assert_eq!(client.delete("/api/v1/pods").await.code, 405);
    assert_eq!(
        client.post("/api/v1/pods", &json!({"metadata": {"name": "p", "namespace": "shop"}})).await.code,
        405
    );
    assert_eq!(cluster.objects("pods").len(), before);

    // twice is once
    client.post(DEPLOYMENTS, &deployment("fore", 1, "10m")).await;
    fleet.advance(seconds(5));
    let path = format!("{DEPLOYMENTS}/fore");
    for _ in 0..2 {
        client.delete(&format!("{path}?propagationPolicy=Foreground")).await;
    }
    assert_eq!(client.get(&path).await.json()["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    fleet.advance(seconds(20));
    assert_eq!(client.get(&path).await.code, 404);
}
