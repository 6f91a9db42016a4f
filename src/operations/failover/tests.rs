//! A recovery plan over two small clusters.

use super::*;
use crate::model::{Cause, Fault, LinkState, Span};
use crate::operations::fixture::{NOW, World, snapshot};
use crate::operations::{Action, Options, Probe, RecoveryWish, Tolerance};
use crate::views::Snapshot;

const FILE: &str = r#"
version = 1
name = "shop-eu"
primary = "gke"
standby = "eks"
target = "10m"
[[workload]]
kind = "Deployment"
namespace = "shop"
name = "cart"
[[workload]]
kind = "Deployment"
namespace = "shop"
name = "web"
replicas = 4
standby_replicas = 1
[probe]
http = "https://standby.example/healthz"
[[traffic]]
api = "k8gb.io/v1beta1"
kind = "Gslb"
namespace = "shop"
name = "shop"
patch = { spec = { tag = "eks" } }
back = { spec = { tag = "gke" } }
"#;

fn worlds(cart: u32) -> [World; 2] {
    [
        World::new(0, "gke", Tier::Prod).node("g0", "", "").deployment("cart", 6).deployment("web", 9),
        World::new(1, "eks", Tier::Prod)
            .node("e0", "", "")
            .deployment("cart", cart)
            .deployment("web", 1)
            .autoscaler("cart", 2, 4),
    ]
}

fn dead(cluster: &mut Cluster) {
    cluster.link.state = LinkState::Broken;
    cluster.link.heard = Some(NOW - Span::from_seconds(90));
    cluster.link.fault = Some(Fault::new(Cause::Timeout, "no answer in 10 s", ""));
}

fn of(snapshot: &Snapshot, text: &str, way: Way) -> Result<Plan, Text> {
    let file = Arc::new(RecoveryFile::read(text).unwrap());
    let options = Options { recovery: Some(RecoveryWish { file, way }), ..Options::default() };
    plan(&PlanInput { snapshot, subjects: &[], options: &options, now: NOW })
}

fn titles(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|s| s.title.as_str()).collect()
}

fn line<'a>(plan: &'a Plan, label: &str) -> &'a Line {
    plan.preview.iter().find(|l| l.label == label).unwrap()
}

#[test]
fn where_no_traffic_is_moved_the_primary_may_be_left_serving() {
    let text: String = FILE.split("[[traffic]]").next().unwrap().to_owned();
    let snapshot = snapshot(worlds(2).into());
    let down = of(&snapshot, &text, Way::Run).unwrap();
    assert!(titles(&down).contains(&"scale cart 6 → 0 on gke"));
    assert!(line(&down, "traffic").text.contains("is lost when it is scaled down"));
    assert_eq!(down.choices[0].chosen, 0);
    let file = Arc::new(RecoveryFile::read(&text).unwrap());
    let answers = [(Text::clean("primary"), 1)].into();
    let options =
        Options { recovery: Some(RecoveryWish { file, way: Way::Run }), answers, ..Options::default() };
    let left = plan(&PlanInput { snapshot: &snapshot, subjects: &[], options: &options, now: NOW }).unwrap();
    assert!(!titles(&left).iter().any(|title| title.ends_with("on gke") && title.starts_with("scale")));
    assert!(line(&left, "traffic").text.contains("keeps serving until you move it"));
    let both = |plan: &Plan| plan.recovery.as_ref().is_some_and(|recovery| recovery.both_serve);
    assert!(both(&left) && !both(&down));
    assert!(of(&snapshot, FILE, Way::Run).unwrap().choices.is_empty());
}

#[test]
fn a_run_starts_the_standby_shifts_traffic_probes_and_scales_the_primary_down() {
    let plan = of(&snapshot(worlds(2).into()), FILE, Way::Run).unwrap();
    assert_eq!(
        titles(&plan),
        [
            "assess gke",
            "autoscaler cart: 2–4 → 6–6",
            "scale cart 2 → 6",
            "scale web 1 → 4",
            "wait until 10 pods are Ready on eks",
            "shift traffic: Gslb shop/shop",
            "probe https://standby.example/healthz",
            "scale cart 6 → 0 on gke",
            "scale web 9 → 0 on gke",
        ]
    );
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert_eq!(line(&plan, "fit").text, "7 of 7 pods fit on eks by requests");
    assert_eq!(plan.confirmation.word, "eks gke");
    assert_eq!(plan.touches, [ClusterId(0), ClusterId(1)]);
    assert_eq!(plan.steps[0].tolerance, Tolerance::Anything);
    assert_eq!(plan.steps[5].tolerance, Tolerance::Nothing, "traffic that does not move ends the run");
    let later =
        Tolerance::Silence("kubectl --context gke scale -n shop deployments/cart --replicas=0".into());
    assert_eq!(plan.steps[7].tolerance, later);
    assert_eq!(plan.steps[5].undo.len(), 1);
    let recovery = plan.recovery.unwrap();
    assert_eq!(
        (recovery.from, recovery.to, recovery.target),
        (ClusterId(0), ClusterId(1), Some(Span::from_seconds(600)))
    );
}

#[test]
fn an_unreachable_primary_is_said_and_does_not_hold_the_run_up() {
    let [gke, eks] = worlds(2);
    let plan = of(&snapshot(vec![gke.with(dead), eks]), FILE, Way::Run).unwrap();
    assert_eq!(
        line(&plan, "unreachable").text,
        "gke does not answer: no answer in 10 s; what it runs is as last seen 1m30s ago"
    );
    let down: Vec<_> = plan.steps.iter().filter(|s| s.title.ends_with("on gke, if it answers")).collect();
    assert_eq!(down.len(), 2);
    assert!(down.iter().all(|s| matches!(s.tolerance, Tolerance::Silence(_))));
    assert!(plan.refusals.is_empty());
}

#[test]
fn a_drill_moves_no_traffic_and_puts_the_standby_back() {
    let plan = of(&snapshot(worlds(2).into()), FILE, Way::Drill).unwrap();
    assert_eq!(
        titles(&plan)[4..],
        [
            "wait until 10 pods are Ready on eks",
            "probe https://standby.example/healthz",
            "put back Deployment shop/web: 4 → 1",
            "put back Deployment shop/cart: 6 → 2",
            "put back HorizontalPodAutoscaler shop/cart: 6–6 → 2–4",
        ]
    );
    assert!(plan.drill);
    assert_eq!((plan.touches.as_slice(), plan.confirmation.word.as_str()), (&[ClusterId(1)][..], "eks"));
    let Action::Patch(last) = &plan.steps[8].action else { panic!("not a patch") };
    assert_eq!(last.body["spec"]["minReplicas"], 2);
    assert_ne!(plan.hash(), of(&snapshot(worlds(2).into()), FILE, Way::Run).unwrap().hash());
}

#[test]
fn the_way_back_returns_what_the_plan_names() {
    let plan = of(&snapshot(worlds(6).into()), FILE, Way::Back).unwrap();
    assert_eq!(plan.title, "bring back shop-eu: eks → gke");
    assert!(titles(&plan).contains(&"shift traffic: Gslb shop/shop"));
    let Some(Action::Patch(traffic)) =
        plan.steps.iter().find(|s| s.title.starts_with("shift")).map(|s| &s.action)
    else {
        panic!("not a patch")
    };
    // The object is the same: the standby's, as the file says.
    assert_eq!((traffic.target.cluster, traffic.body["spec"]["tag"].as_str()), (ClusterId(1), Some("gke")));
    assert!(plan.steps.iter().any(|s| matches!(s.action, Action::Probe(Probe::Ready(_)))));
    assert_eq!(
        line(&plan, "stays").text,
        "eks keeps what it runs of shop/cart: the plan names no standby_replicas"
    );
}

#[test]
fn what_is_missing_is_refused_with_what_to_do() {
    let [gke, eks] = worlds(2);
    let refusals = |worlds: Vec<World>, text: &str| of(&snapshot(worlds), text, Way::Run).unwrap().refusals;
    let other = FILE.replace("name = \"web\"", "name = \"pay\"");
    assert_eq!(
        refusals(vec![gke, eks], &other),
        ["Deployment shop/pay is not on eks: deploy it there first"]
    );
    let [_, eks] = worlds(2);
    assert_eq!(
        refusals(vec![World::new(0, "gke", Tier::Prod), eks], FILE),
        ["Deployment shop/cart: gke was never seen running it; give replicas in the recovery plan"]
    );
    let [gke, eks] = worlds(2);
    assert!(refusals(vec![gke, eks.with(dead)], FILE)[0].starts_with("eks does not answer"));
    let [gke, _] = worlds(2);
    assert_eq!(
        of(&snapshot(vec![gke]), FILE, Way::Run).unwrap_err(),
        "shop-eu: standby eks is not in the fleet"
    );
}

#[test]
fn two_contexts_of_one_cluster_are_no_fleet() {
    let of_one = |cluster: &mut Cluster| cluster.identity = Some(crate::operations::fixture::uid(7));
    let both = worlds(2).into_iter().map(|world| world.with(of_one)).collect();
    let refused = of(&snapshot(both), FILE, Way::Run).unwrap_err();
    assert_eq!(refused, "shop-eu: gke and eks are one cluster");
}

#[test]
fn room_is_a_warning_until_there_is_none() {
    let [gke, _] = worlds(2);
    let eks = |cpu: i64| {
        World::new(1, "eks", Tier::Prod)
            .node_with("e0", "", "", |n| n.allocatable.cpu = cpu)
            .deployment("cart", 2)
            .deployment("web", 1)
    };
    let plan = of(&snapshot(vec![gke, eks(5000)]), FILE, Way::Run).unwrap();
    assert_eq!(line(&plan, "fit").text, "5 of 7 pods fit on eks by requests; 2 wait for a new node");
    assert_eq!((line(&plan, "fit").tone, plan.refusals.len()), (Tone::Warn, 0));
    let [gke, _] = worlds(2);
    let plan = of(&snapshot(vec![gke, eks(500)]), FILE, Way::Run).unwrap();
    assert_eq!(plan.refusals, ["none of 7 pods fits on eks: it has no room by requests"]);
    assert_eq!((&*plan.choices[0].id, plan.choices[0].chosen), ("room", 0));
    // Nodes may come for them, and tolerations are not read: a person may know better.
    let [gke, _] = worlds(2);
    let plan = answered(&snapshot(vec![gke, eks(500)]), "room");
    assert!(plan.refusals.is_empty() && plan.choices[0].chosen == 1, "{:?}", plan.refusals);
}

/// The run of the file, with the other answer to one choice.
fn answered(snapshot: &Snapshot, choice: &str) -> Plan {
    let file = Arc::new(RecoveryFile::read(FILE).unwrap());
    let recovery = Some(RecoveryWish { file, way: Way::Run });
    let options = Options { recovery, answers: [(Text::clean(choice), 1)].into(), ..Options::default() };
    plan(&PlanInput { snapshot, subjects: &[], options: &options, now: NOW }).unwrap()
}

fn unseen(cluster: &mut Cluster) {
    for table in &mut cluster.tables {
        table.synced = None;
    }
}

#[test]
fn a_primary_that_was_never_seen_is_scaled_down_all_the_same() {
    let [_, eks] = worlds(2);
    let gke = World::new(0, "gke", Tier::Prod).with(dead).with(unseen);
    let text = FILE.replace("name = \"cart\"", "name = \"cart\"\nreplicas = 6");
    let plan = of(&snapshot(vec![gke, eks]), &text, Way::Run).unwrap();
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let last = plan.steps.last().unwrap();
    assert_eq!(last.title, "scale web to 0 on gke, if it answers");
    assert_eq!((last.undo.len(), &*last.way_back), (0, "none: it was never seen"));
    let Action::Patch(patch) = &last.action else { panic!("{last:?}") };
    assert_eq!(
        (patch.target.uid, patch.target.cluster, &patch.body["spec"]["replicas"]),
        (None, ClusterId(0), &0.into())
    );
    let later = "kubectl --context gke scale -n shop deployments/web --replicas=0";
    assert_eq!(last.tolerance, Tolerance::Silence(later.into()));
    assert_eq!(titles(&plan)[7], "scale cart to 0 on gke, if it answers");
    assert!(plan.kubectl.iter().any(|line| line == later) && plan.touches.contains(&ClusterId(0)));
    // One whose tables are known runs none of it: there is nothing to scale down.
    let [_, eks] = worlds(2);
    let plan =
        of(&snapshot(vec![World::new(0, "gke", Tier::Prod).with(dead), eks]), &text, Way::Run).unwrap();
    assert!(!titles(&plan).iter().any(|title| title.ends_with("if it answers")), "{:?}", titles(&plan));
}

#[test]
fn a_standby_that_still_lists_is_not_said_to_lack_anything() {
    let [gke, _] = worlds(2);
    let eks = World::new(1, "eks", Tier::Prod).with(unseen);
    let plan = of(&snapshot(vec![gke, eks]), FILE, Way::Run).unwrap();
    assert_eq!(plan.refusals[0], "the deployments of eks are not known yet");
}

/// Nodes whose pods nobody may read look empty, and are not.
#[test]
fn room_is_not_known_where_pods_are_not() {
    let [gke, eks] = worlds(2);
    let blind = eks.with(|c| c.tables[crate::model::Kind::Pod.index()].synced = None);
    let plan = of(&snapshot(vec![gke, blind]), FILE, Way::Run).unwrap();
    let fit = line(&plan, "fit");
    assert!(fit.text.ends_with("fit on eks is not known: the pods of eks are not"), "{}", fit.text);
    assert_eq!(fit.tone, Tone::Warn);
}

#[test]
fn traffic_on_the_side_that_is_lost_is_left_to_people() {
    let text = FILE.replace("[[traffic]]", "[[traffic]]\ncluster = \"primary\"");
    let plan = of(&snapshot(worlds(2).into()), &text, Way::Run).unwrap();
    let Tolerance::Silence(later) = &plan.steps[5].tolerance else { panic!("{:?}", plan.steps[5]) };
    assert_eq!(
        later,
        r#"kubectl --context gke patch -n shop gslbs/shop --type=merge -p '{"spec":{"tag":"eks"}}'"#
    );
}
