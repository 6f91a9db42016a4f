//! Restart, roll back, delete, and a scale that lasts as long as another run.

use std::collections::BTreeSet;

use quarterdeck::model::{Cluster, Kind, ObjectKey, Uid};
use quarterdeck::operations::{Options, Outcome, Replicas, StepState};
use serde_json::json;

use super::ground::hand::{Hand, plan};
use super::ground::{Disturb, Ground, SPACE, User, is_app, make_space, path, replicas, workload};

const APP: &str = "web";
const REPLICAS: u32 = 3;

/// Everything that is done to a workload, on one ground.
pub(crate) async fn workloads(disturb: &mut dyn Disturb) {
    let mut ground = Ground::open(&disturb.kubeconfig(User::Admin));
    let name = ground.names()[0].clone();
    ground.live(&name).await;
    make_space(&ground, &name).await;
    let deployments = format!("/apis/apps/v1/namespaces/{SPACE}/deployments");
    ground.create(&name, &deployments, &workload("Deployment", APP, Some(REPLICAS), false)).await;
    ground.until(&name, "it runs", whole).await;
    let mut hand = Hand::on(&ground);

    rolls_back(&mut ground, &mut hand, &name).await;
    restarts(&mut ground, &mut hand, &name).await;
    scales_by(&mut ground, &mut hand, &name).await;
    deletes(&mut ground, &mut hand, &name).await;

    assert!(hand.journal().records > 10);
    assert!(hand.journal_text().contains("\"verb\":\"delete\""), "{}", hand.journal_text());
    ground.handle.shutdown().await;
}

fn whole(cluster: &Cluster) -> bool {
    replicas(cluster, APP) == Some((REPLICAS, REPLICAS)) && pods(cluster).len() == REPLICAS as usize
}

fn pods(cluster: &Cluster) -> BTreeSet<Uid> {
    cluster.pods().filter(|p| is_app(p, APP) && p.ready).map(|p| p.meta.uid).collect()
}

fn own(ground: &Ground, name: &str) -> ObjectKey {
    let cluster = ground.cluster(name);
    cluster.find(Kind::Deployment, SPACE, APP).unwrap().key(cluster.id)
}

fn object() -> String {
    path("/apis/apps/v1", "deployments", APP)
}

async fn image(ground: &Ground, name: &str) -> String {
    let object = ground.get(name, &object()).await;
    object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

/// A new image goes out, and the one before comes back.
async fn rolls_back(ground: &mut Ground, hand: &mut Hand, name: &str) {
    let before = image(ground, name).await;
    let containers = json!([{ "name": APP, "image": "registry.local/web:2" }]);
    let newer = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
    ground.patch(name, &object(), &newer).await;
    let second = |c: &Cluster| {
        let record = c.find(Kind::Deployment, SPACE, APP).and_then(|r| r.workload().cloned());
        whole(c) && record.is_some_and(|w| &*w.revision == "2" && !w.rolling())
    };
    ground.until(name, "the second rollout is done", second).await;
    let two = |c: &Cluster| {
        let sets = c.records(Kind::ReplicaSet).filter_map(|r| r.workload());
        sets.filter(|set| set.meta.namespace == SPACE && !set.revision.is_empty()).count() == 2
    };
    ground.until(name, "both ReplicaSets are known", two).await;

    hand.begin(plan(ground, "roll-back", &[own(ground, name)], &Options::default()));
    let run = hand.ends(Outcome::Done).await;
    assert!(run.steps.iter().all(|step| step.state == StepState::Done), "{:#?}", run.steps);
    assert_eq!(image(ground, name).await, before);
    let third = |c: &Cluster| {
        let record = c.find(Kind::Deployment, SPACE, APP).and_then(|r| r.workload().cloned());
        whole(c) && record.is_some_and(|w| &*w.revision == "3")
    };
    ground.until(name, "the way back is a rollout of its own", third).await;
}

/// Every pod is another one afterwards.
async fn restarts(ground: &mut Ground, hand: &mut Hand, name: &str) {
    let before = pods(&ground.cluster(name));
    hand.begin(plan(ground, "restart", &[own(ground, name)], &Options::default()));
    hand.ends(Outcome::Done).await;
    let anew = |c: &Cluster| whole(c) && pods(c).is_disjoint(&before);
    ground.until(name, "no pod is the same", anew).await;
    let template = ground.get(name, &object()).await["spec"]["template"].clone();
    assert!(template["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string());
}

async fn scales_by(ground: &mut Ground, hand: &mut Hand, name: &str) {
    for (by, wanted) in [(1, REPLICAS + 1), (-1, REPLICAS)] {
        let options = Options { replicas: Some(Replicas::By(by)), ..Options::default() };
        hand.begin(plan(ground, "scale", &[own(ground, name)], &options));
        hand.ends(Outcome::Done).await;
        ground.until(name, "it has them", |c| replicas(c, APP) == Some((wanted, wanted))).await;
    }
}

/// One pod comes back, the workload does not and takes its pods along.
async fn deletes(ground: &mut Ground, hand: &mut Hand, name: &str) {
    ground.until(name, "nothing moves", whole).await;
    let cluster = ground.cluster(name);
    let pod = cluster.pods().find(|p| is_app(p, APP)).unwrap().meta.clone();
    let key = cluster.find(Kind::Pod, SPACE, &pod.name).unwrap().key(cluster.id);
    hand.begin(plan(ground, "delete", &[key], &Options::default()));
    hand.ends(Outcome::Done).await;
    let replaced = |c: &Cluster| whole(c) && !pods(c).contains(&pod.uid);
    ground.until(name, "another pod takes its place", replaced).await;

    hand.begin(plan(ground, "delete", &[own(ground, name)], &Options::default()));
    hand.ends(Outcome::Done).await;
    let gone = |c: &Cluster| replicas(c, APP).is_none() && !c.pods().any(|p| is_app(p, APP));
    ground.until(name, "it and its pods are gone", gone).await;
}
