//! Cordon, uncordon and drain, with a budget in the way.

use std::collections::BTreeSet;

use quarterdeck::model::{Budget, Cluster, Text, Truth, Uid};
use quarterdeck::operations::{
    Action, Control, EvictPod, Options, Outcome, Plan, PodState, Run, RunState, StepState,
};
use serde_json::json;

use super::hand::{Hand, node_key, plan};
use super::{Disturb, Ground, SPACE, User, blocking, is_app, make_space, path, replicas, workload};

/// Pods without a controller, one of them static.
const LONELY: &str = "lonely";
const STATIC: &str = "static";

/// Replicas that a budget guards, and replicas that none does.
const HELD: u32 = 3;
const FREE: u32 = 6;

/// Everything that is done to nodes, on one ground: cordoned, opened, drained and stopped,
/// drained to the end. `agree` compares a drain's plan with what somebody else says of the node.
pub(crate) async fn nodes(disturb: &mut dyn Disturb, agree: &dyn Fn(&str, &BTreeSet<String>)) {
    let mut ground = Ground::open(&disturb.kubeconfig(User::Admin));
    let name = ground.names()[0].clone();
    ground.live(&name).await;
    let node = furnish(&mut ground, &name).await;
    let mut hand = Hand::on(&ground);

    cordons(&mut ground, &mut hand, &name, &node).await;
    wrong_uid(&mut ground, &mut hand, &name, &node).await;
    agree(&node, &pods_of(&drain(&ground, &name, &node)));
    stopped_and_undone(&mut ground, &mut hand, &name, &node).await;
    drained(&mut ground, &mut hand, disturb, &name, &node).await;

    let verified = hand.journal();
    assert!(verified.records > 20, "{verified:?}");
    assert!(hand.journal_text().contains("\"action\":\"intent\""), "{}", hand.journal_text());
    ground.handle.shutdown().await;
}

/// Makes workloads and a budget that allows nothing; gives a node that has a guarded pod.
async fn furnish(ground: &mut Ground, name: &str) -> String {
    make_space(ground, name).await;
    let apps = format!("/apis/apps/v1/namespaces/{SPACE}");
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": { "name": "held", "namespace": SPACE },
        "spec": { "minAvailable": "100%", "selector": { "matchLabels": { "app": "held" } } },
    });
    let budgets = format!("/apis/policy/v1/namespaces/{SPACE}/poddisruptionbudgets");
    ground.create(name, &budgets, &budget).await;
    let deployments = format!("{apps}/deployments");
    ground.create(name, &deployments, &workload("Deployment", "held", Some(HELD), false)).await;
    ground.create(name, &deployments, &workload("Deployment", "free", Some(FREE), true)).await;
    ground.create(name, &format!("{apps}/daemonsets"), &workload("DaemonSet", "agent", None, false)).await;
    let furnished = |c: &Cluster| {
        let ready = replicas(c, "held") == Some((HELD, HELD)) && replicas(c, "free") == Some((FREE, FREE));
        let counted = guard(c).is_some_and(|b| b.observed >= b.generation && b.expected == HELD);
        ready && counted && chosen(c).is_some()
    };
    let cluster = ground.until(name, "everything runs, and a node has both", furnished).await;
    assert_eq!(guard(&cluster).unwrap().allowed, 0);
    let node = chosen(&cluster).unwrap();
    // A pod that nobody would make again, and one that a kubelet keeps from a file.
    for (pod, annotations) in [(LONELY, json!({})), (STATIC, json!({"kubernetes.io/config.mirror": "x"}))] {
        let object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": pod, "namespace": SPACE, "annotations": annotations },
            "spec": { "nodeName": node, "terminationGracePeriodSeconds": 1,
                      "containers": [{ "name": "a", "image": "registry.local/a:1" }] },
        });
        ground.create(name, &format!("/api/v1/namespaces/{SPACE}/pods"), &object).await;
        let there = |c: &Cluster| c.pods().any(|p| p.meta.name == pod && *p.node == *node);
        ground.until(name, "a pod of its own", there).await;
    }
    node
}

fn guard(cluster: &Cluster) -> Option<&Budget> {
    cluster.budgets().find(|b| b.meta.namespace == SPACE && b.meta.name == "held")
}

/// A node that has a guarded pod, one that is not, and one of a DaemonSet.
fn chosen(cluster: &Cluster) -> Option<String> {
    let on = |node: &str, app: &str| cluster.pods().any(|p| *p.node == *node && is_app(p, app));
    let has_all = |node: &str| ["held", "free", "agent"].iter().all(|app| on(node, app));
    let ready = cluster.nodes().filter(|n| n.ready == Truth::True && !n.unschedulable);
    ready.map(|n| n.meta.name.to_string()).find(|node| has_all(node))
}

fn cordoned(cluster: &Cluster, node: &str) -> bool {
    cluster.nodes().any(|n| *n.meta.name == *node && n.unschedulable)
}

async fn cordons(ground: &mut Ground, hand: &mut Hand, name: &str, node: &str) {
    for (operation, wanted) in [("cordon", true), ("uncordon", false)] {
        let key = node_key(ground, name, node);
        hand.begin(plan(ground, operation, &[key], &Options::default()));
        hand.ends(Outcome::Done).await;
        ground.until(name, operation, |c| cordoned(c, node) == wanted).await;
    }
}

/// A plan made for a node that is another one by now changes nothing.
async fn wrong_uid(ground: &mut Ground, hand: &mut Hand, name: &str, node: &str) {
    let key = node_key(ground, name, node);
    let mut plan = plan(ground, "cordon", &[key], &Options::default());
    let Action::Patch(patch) = &mut plan.steps[0].action else { panic!("cordoning patches") };
    patch.target.uid = Some(Uid::parse("00000000-0000-4000-8000-000000000001"));
    hand.begin(plan);
    let run = hand.ends(Outcome::Failed).await;
    assert!(run.result.contains("another object of that name"), "{}", run.result);
    let object = ground.get(name, &format!("/api/v1/nodes/{node}")).await;
    assert_ne!(object["spec"]["unschedulable"], true);
}

/// The plan to drain it, with every pod that can go.
fn drain(ground: &Ground, name: &str, node: &str) -> Plan {
    let mut options = Options::default();
    for choice in ["emptydir", "unreplicated", "pool-rule"] {
        options.answers.insert(Text::clean(choice), 1);
    }
    plan(ground, "drain", &[node_key(ground, name, node)], &options)
}

fn evicted(plan: &Plan) -> Vec<&EvictPod> {
    let pods = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Evict { pods, .. } => Some(pods),
        _ => None,
    });
    pods.flatten().collect()
}

fn pods_of(plan: &Plan) -> BTreeSet<String> {
    evicted(plan).iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect()
}

/// Every pod without a budget is gone, and of those of the budget one waits on it by name.
fn blocked(run: &Run) -> bool {
    let pods = evicted(&run.plan);
    let state = |pod: &EvictPod| run.pods.iter().find(|(p, _)| p.uid == pod.uid).map(|(p, _)| &p.state);
    let (held, free): (Vec<&EvictPod>, Vec<&EvictPod>) =
        pods.into_iter().partition(|p| p.budgets.iter().any(|b| b == "held"));
    let waits = PodState::WaitsOnBudget(Text::clean("held"));
    let free_gone = free.iter().filter(|p| p.namespace == SPACE).all(|p| state(p) == Some(&PodState::Gone));
    free_gone && held.iter().any(|p| state(p) == Some(&waits))
}

async fn stopped_and_undone(ground: &mut Ground, hand: &mut Hand, name: &str, node: &str) {
    hand.begin(drain(ground, name, node));
    let run = hand.until("only the budget is in the way", blocked).await;
    assert_eq!(run.state, RunState::Running);
    ground.until(name, "the node is cordoned", |c| cordoned(c, node)).await;
    let (pod, _) = run.pods.iter().find(|(p, _)| matches!(p.state, PodState::WaitsOnBudget(_))).unwrap();
    assert!(!pod.why.is_empty() && pod.retry_at.is_some(), "{pod:?}");
    hand.control(Control::StopAndUndo);
    let run = hand.ends(Outcome::Stopped).await;
    assert!(run.result.contains("1 undone"), "{}", run.result);
    ground.until(name, "the node is open again", |c| !cordoned(c, node)).await;
    let cluster = ground.cluster(name);
    let stays = cluster.pods().any(|p| p.meta.uid == pod.uid && p.node == node && p.meta.deleting.is_none());
    assert!(stays, "the guarded pod was left alone");
}

/// To the end, although the server is away for a while.
async fn drained(ground: &mut Ground, hand: &mut Hand, disturb: &mut dyn Disturb, name: &str, node: &str) {
    hand.begin(drain(ground, name, node));
    hand.until("only the budget is in the way", blocked).await;
    blocking(|| disturb.stop(name));
    let asked = |run: &Run| run.evidence.iter().any(|(_, line)| line.contains("does not answer"));
    hand.until("it says that the server is away", asked).await;
    blocking(|| disturb.start(name));
    ground.live(name).await;
    let held = path("/apis/policy/v1", "poddisruptionbudgets", "held");
    ground.patch(name, &held, &json!({ "spec": { "minAvailable": 1 } })).await;
    let run = hand.ends(Outcome::Done).await;
    assert!(run.steps.iter().all(|step| step.state == StepState::Done), "{:#?}", run.steps);
    assert!(run.pods.iter().all(|(pod, _)| pod.state == PodState::Gone), "{:#?}", run.pods);
    let left = |c: &Cluster| c.pods().any(|p| p.node == node && (is_app(p, "held") || is_app(p, "free")));
    ground.until(name, "the node is empty", |c| !left(c) && cordoned(c, node)).await;
    let whole =
        |c: &Cluster| replicas(c, "held") == Some((HELD, HELD)) && replicas(c, "free") == Some((FREE, FREE));
    ground.until(name, "its pods run elsewhere", whole).await;
    let cluster = ground.cluster(name);
    let on_it = |pod: &str| cluster.pods().any(|p| p.node == node && p.meta.name == pod);
    assert!(on_it(STATIC) && !on_it(LONELY));
    let agent = cluster.pods().any(|p| p.node == node && is_app(p, "agent"));
    assert!(agent, "pods of DaemonSets stay");
    hand.begin(plan(ground, "uncordon", &[node_key(ground, name, node)], &Options::default()));
    hand.ends(Outcome::Done).await;
}
