//! KEDA: a workload sleeps without work, wakes for the first message, and an autoscaler does the rest.

use serde_json::{Value, json};

use super::client::{Client, by_hand};
use super::movement::{named, pods_of, seconds};
use crate::sim::{Control, Fleet, Role, Scenario};

const QUEUE: &str = r#"
name = "queue"
[pace]
ready = "1s"
pull = "1s"
stop = "1s"
autoscaler = "5s"
stabilization = "10s"
[[cluster]]
name = "one"
provider = "eks"
version = "1.36"
[[cluster.pool]]
name = "p"
machines = ["m6i.2xlarge"]
count = 2
[[workload]]
namespace = "queue"
name = "packer"
image = "p:1"
cpu = "100m"
replicas = 1
scale = { min = 0, max = 6, queue = 10, stabilization = "30s" }
load = { cores = 0.0 }
"#;

fn replicas(cluster: &Control) -> i64 {
    named(cluster, "deployments", "packer")["spec"]["replicas"].as_i64().unwrap()
}

fn said(cluster: &Control, reason: &str) -> Option<String> {
    let all = cluster.objects("events");
    let found = all.iter().find(|e| e["reason"] == reason)?;
    Some(found["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_workload_sleeps_and_wakes_by_its_queue() {
    let fleet = Fleet::start(Scenario::parse("queue.toml", QUEUE).unwrap(), by_hand()).await.unwrap();
    let cluster = fleet.cluster("one").unwrap();
    let client = Client::new(&fleet, "one", Role::Admin);
    fleet.advance(seconds(60));
    assert_eq!(replicas(&cluster), 0, "nothing to do");
    assert_eq!(
        said(&cluster, "KEDAScaleTargetDeactivated").unwrap(),
        "Deactivated apps/v1.Deployment queue/packer from 1 to 0"
    );
    let path = "/apis/keda.sh/v1alpha1/namespaces/queue/scaledobjects/packer";
    let state = |object: &Value, kind: &str| {
        let all = object["status"]["conditions"].as_array().unwrap();
        all.iter().find(|c| c["type"] == kind).unwrap()["status"].clone()
    };
    let object = client.get(path).await.json();
    assert_eq!((state(&object, "Ready"), state(&object, "Active")), (json!("True"), json!("False")));
    assert_eq!(object["status"]["hpaName"], "keda-hpa-packer");

    cluster.set_load("queue", "packer", 3_500);
    fleet.advance(seconds(60));
    assert_eq!(
        said(&cluster, "KEDAScaleTargetActivated").unwrap(),
        "Scaled apps/v1.Deployment queue/packer from 0 to 1, triggered by s0-rabbitmq-packer"
    );
    assert_eq!((replicas(&cluster), pods_of(&cluster, "packer").len()), (4, 4), "35 messages, ten each");
    assert!(said(&cluster, "SuccessfulRescale").unwrap().contains("external metric s0-rabbitmq-packer("));
    let hpa = named(&cluster, "horizontalpodautoscalers", "keda-hpa-packer");
    assert_eq!(hpa["metadata"]["ownerReferences"][0]["kind"], "ScaledObject");
    assert_eq!(state(&client.get(path).await.json(), "Active"), "True");

    let hold = json!({"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": "2"}}});
    client.patch(path, "merge", &hold).await;
    fleet.advance(seconds(15));
    assert_eq!(replicas(&cluster), 2);
    assert_eq!(state(&client.get(path).await.json(), "Paused"), "True");
    let go = json!({"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": null}}});
    client.patch(path, "merge", &go).await;
    cluster.set_load("queue", "packer", 0);
    fleet.advance(seconds(120));
    assert_eq!(replicas(&cluster), 0);
    client.delete(path).await;
    fleet.advance(seconds(5));
    assert!(cluster.objects("horizontalpodautoscalers").is_empty(), "its autoscaler goes with it");
}
