//! Verbs by keys: plans, what confirms them, runs, arming. No terminal, no runtime.

mod runs;

use std::sync::Arc;

use quarterdeck::input::Key;
use quarterdeck::model::*;
use quarterdeck::operations::{
    Action, Back, Control, Elsewhere, OpEvent, OpId, Outcome, Plan, Progress, Recovery, RecoveryFile,
    Remembered, Tolerance, Unfinished,
};
use quarterdeck::ui::{Effect, Inbound};

use crate::screen::{NOW, Screen, after, checks, cluster, fleet, insert, on_nodes, to};

#[test]
fn a_drain_is_read_confirmed_by_a_word_and_shown() {
    let mut screen = on_nodes();
    to(&mut screen, "eks-use1-node-1");
    let effects = screen.keys("D");
    assert_eq!(checks(&effects), 1);
    assert!(screen.picture().contains("nothing has been changed yet"));
    // Nobody knows yet whether it is allowed.
    screen.keys("enter");
    assert!(screen.picture().contains("the clusters have not said yet whether they allow it"));
    screen.text("eks-use1");
    assert_eq!(screen.keys("enter"), []);
    screen.keys("esc");
    to(&mut screen, "eks-use1-node-1");
    screen.plan("D");
    // Enter alone changes nothing, however often, nor does a wrong word.
    assert_eq!(screen.keys("enter enter enter"), []);
    screen.text("yes");
    assert_eq!(screen.keys("enter"), []);
    assert!(screen.picture().contains("That is not it. Type eks-use1"));
    assert_eq!(screen.ui.paste("eks-use1", screen.now), []);
    assert_eq!(screen.keys("enter"), [], "what is pasted was not read");
    screen.keys("ctrl-u");
    screen.text("eks-use1");
    let effects = screen.keys("enter");
    let [Effect::Run(plan, permit)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(permit.plan, plan.hash());
    assert_eq!(
        (permit.approval.said().as_str(), permit.clusters.as_slice()),
        ("eks-use1", &[ClusterId(0)][..])
    );
    assert!(screen.picture().contains("ARMED eks-use1 15:00"), "{}", screen.picture());
    screen.now = after(1);
    assert!(screen.picture().contains("ARMED eks-use1 14:59"));
    assert_eq!(screen.ui.next_change(screen.now), Some(after(2)), "seconds count now");

    let op = OpId(7);
    let tell = |screen: &mut Screen, progress| {
        let at = screen.now;
        screen.ui.inbound(Inbound::Op(OpEvent { op, at, progress }), at);
    };
    tell(&mut screen, Progress::Accepted(plan.clone()));
    tell(&mut screen, Progress::StepBegan(0));
    assert!(screen.picture().contains(" DRAIN  eks-use1-node-1"), "{}", screen.picture());
    assert_eq!(screen.keys("P"), [Effect::Control(op, Control::Pause)]);
    tell(&mut screen, Progress::Paused);
    assert_eq!(screen.keys("P"), [Effect::Control(op, Control::Resume)]);
    // Leaving asks first while it runs; staying comes first.
    assert_eq!(screen.keys("ctrl-c ctrl-c"), []);
    assert_eq!(screen.keys("enter"), []);
    // Stopping asks how; keeping it running comes first.
    screen.keys("Q");
    assert!(screen.picture().contains("stop and uncordon"), "{}", screen.picture());
    assert_eq!(screen.keys("enter"), []);
    assert_eq!(screen.keys("Q 3"), [Effect::Control(op, Control::StopAndUndo)]);
    assert_eq!(screen.keys("Q 2"), [Effect::Control(op, Control::Stop)]);
    tell(&mut screen, Progress::Ended(Outcome::Stopped, "stopped; the node stays cordoned".into()));
    assert_eq!(screen.keys("Q P"), []);
    screen.keys("esc @");
    assert!(screen.picture().contains("0 running, 0 paused; 1 ended today, 1 of them not done."));
    screen.keys("enter");
    assert!(screen.picture().contains("▲ stopped"), "{}", screen.picture());
}

#[test]
fn keys_from_before_a_plan_was_drawn_are_dropped() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    let now = screen.now;
    let mut effects = Vec::new();
    for key in Key::sequence("D enter y e s enter").unwrap() {
        effects.extend(screen.ui.key(key, now));
    }
    assert_eq!(effects.len(), checks(&effects));
    screen.allow(&effects);
    screen.keys("enter");
    screen.text("yes");
    assert!(matches!(screen.keys("enter").as_slice(), [Effect::Run(..)]));
}

#[test]
fn a_plan_is_made_again_when_the_world_changes() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    screen.plan("D");
    screen.keys("enter");
    screen.text("ye");
    // Another snapshot in which nothing that the plan rests on changed leaves it alone.
    assert_eq!(checks(&screen.fleet(fleet())), 0);
    screen.text("s");
    let mut changed = fleet();
    let mut dev = (*changed.clusters[4]).clone();
    let mut pod = Pod { phase: Phase::Running, ready: true, node: "dev-1-node-1".into(), ..Pod::default() };
    pod.meta.name = "late".into();
    pod.meta.namespace = "shop".into();
    pod.meta.uid = Uid::parse("00000000-0000-4000-8000-00000000ffff");
    insert(&mut dev, Record::Pod(pod));
    let node = dev.records(Kind::Node).find(|r| r.meta().name == "dev-1-node-1").unwrap().clone();
    let mut newer = (*node).clone();
    if let Record::Node(node) = &mut newer {
        node.meta.version = Version(9_999);
    }
    let mut rows = Rows::default();
    for record in dev.records(Kind::Node) {
        rows.insert(if record.meta().uid == newer.meta().uid {
            Arc::new(newer.clone())
        } else {
            record.clone()
        });
    }
    dev.tables[Kind::Node.index()].rows = rows;
    changed.clusters[4] = Arc::new(dev);
    let effects = screen.fleet(changed);
    assert_eq!(checks(&effects), 1, "the clusters are asked again");
    // The enter that was on its way is not for this plan.
    assert_eq!(screen.ui.key(Key::parse("enter").unwrap(), screen.now), []);
    assert!(screen.picture().contains("made again: 02:14:07"), "{}", screen.picture());
    screen.allow(&effects);
    screen.keys("enter");
    assert_eq!(screen.keys("enter"), [], "what was typed before does not count");
}

#[test]
fn what_clusters_say_shows_and_a_no_blocks() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    let effects = screen.keys("C");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(screen.picture().contains("asking the clusters"));
    let denied =
        quarterdeck::operations::Line::new("allowed", "nodes patch: no rule allows it").toned(Tone::Crit);
    let hash = plan.hash();
    screen.ui.inbound(Inbound::Checked("another".to_owned(), vec![]), NOW);
    assert!(screen.picture().contains("asking the clusters"));
    screen.ui.inbound(Inbound::Checked(hash, vec![denied]), NOW);
    screen.keys("enter");
    screen.text("yes");
    assert_eq!(screen.keys("enter"), []);
    assert!(screen.picture().contains("refused as it is"), "{}", screen.picture());
}

#[test]
fn verbs_say_why_they_do_not_run() {
    let mut screen = Screen::new(120, 36);
    assert_eq!(screen.keys("D"), []);
    assert!(screen.picture().contains("drain acts on nodes; here are none of them"));
    let mut screen = on_nodes();
    screen.keys("z");
    assert!(screen.picture().contains("FROZEN 02:14:07Z"));
    assert_eq!(screen.keys("D"), []);
    assert!(screen.picture().contains("frozen: z first"));
    screen.keys("z a");
    assert!(
        screen.picture().contains("uncordon the node  · dev-1-node-1: not cordoned"),
        "{}",
        screen.picture()
    );
    // What cannot run stays listed and does not run; what can is opened by its key.
    assert_eq!(screen.keys("2"), []);
    assert_eq!(checks(&screen.keys("C")), 1);
    screen.keys("esc F");
    assert!(screen.picture().contains("no recovery plan"));
}

#[test]
fn marks_live_across_filters_and_panes_and_verbs_take_them() {
    let mut screen = on_nodes();
    screen.keys("/");
    screen.text("node-1 !edge");
    screen.keys("enter *");
    assert!(screen.picture().contains("4 marked in 4 clusters"), "{}", screen.picture());
    screen.keys("esc 2 0");
    assert!(screen.picture().contains("4 marked in 4 clusters"));
    let effects = screen.keys("C");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(plan.subjects.len(), 4);
    assert_eq!(plan.confirmation.word, "4 clusters");
}

#[test]
fn arming_a_production_cluster_takes_its_name() {
    let mut screen = on_nodes();
    to(&mut screen, "eks-euw1-node-1");
    screen.keys("A");
    screen.text("yes");
    screen.keys("enter");
    assert!(screen.picture().contains("READ-ONLY"));
    screen.keys("ctrl-u");
    screen.text("eks-euw1");
    screen.keys("enter");
    assert!(screen.picture().contains("ARMED eks-euw1 15:00"), "{}", screen.picture());
    screen.now = after(900);
    screen.draw();
    assert!(screen.picture().contains("READ-ONLY"), "it ends by itself");
    screen.now = NOW;
    screen.keys("A");
    assert!(screen.picture().contains("eks-euw1 is read-only again"));
}

#[test]
fn scaling_asks_for_a_number_first() {
    let mut one = cluster(0, "dev-1", &["staging"], Tier::Dev);
    let mut web = Workload { desired: 2, ..Workload::empty(Kind::Deployment) };
    web.meta.name = "web".into();
    web.meta.namespace = "shop".into();
    web.meta.uid = Uid::parse("00000000-0000-4000-8000-00000000aaaa");
    insert(&mut one, Record::Workload(web));
    let mut screen = Screen::new(120, 36);
    screen.fleet(Fleet { clusters: vec![Arc::new(one)] });
    screen.keys(":");
    screen.text("deploy");
    screen.keys("enter S");
    assert!(
        screen.picture().contains("scale shop/web dev-1 2 to how many replicas?"),
        "{}",
        screen.picture()
    );
    screen.text("many");
    assert_eq!(screen.keys("enter"), []);
    screen.keys("ctrl-u");
    screen.text("5");
    let effects = screen.keys("enter");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(plan.operation, "scale");
    assert!(screen.picture().contains("like          kubectl"), "{}", screen.picture());
}

#[test]
fn a_plan_that_cannot_be_read_cannot_be_confirmed() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    screen.plan("D");
    screen.resize(40, 10);
    screen.draw();
    screen.keys("enter");
    screen.text("yes");
    assert_eq!(screen.keys("enter"), []);
    screen.resize(120, 36);
    screen.draw();
    screen.keys("enter");
    screen.text("yes");
    assert!(matches!(screen.keys("enter").as_slice(), [Effect::Run(..)]));
}

/// A deployment of two rollouts and its pods, in each of these clusters.
fn rolled(names: &[(&str, u32)]) -> Fleet {
    let clusters = names.iter().enumerate().map(|(id, (name, replicas))| {
        let id = u16::try_from(id).unwrap();
        let mut one = cluster(id, name, &["staging"], Tier::Dev);
        let uid = |n: u32| Uid::parse(&format!("00000000-0000-4000-b000-{:012x}", u32::from(id) * 100 + n));
        let named = |workload: &mut Workload, name: &str, number: u32| {
            workload.meta.name = name.into();
            workload.meta.namespace = "pay".into();
            workload.meta.uid = uid(number);
            workload.meta.version = Version(1);
        };
        let mut api = Workload { desired: *replicas, ready: *replicas, ..Workload::empty(Kind::Deployment) };
        named(&mut api, "api", 1);
        api.revision = "7".into();
        for (number, revision) in [(2, "6"), (3, "7")] {
            let mut set = Workload { revision: revision.into(), ..Workload::empty(Kind::ReplicaSet) };
            named(&mut set, &format!("api-{revision}"), number);
            let owner =
                Owner { api: "apps/v1".into(), kind: "Deployment".into(), name: "api".into(), uid: uid(1) };
            set.meta.owner = Some(Arc::new(owner));
            insert(&mut one, Record::Workload(set));
        }
        insert(&mut one, Record::Workload(api));
        let mut pod = Pod { phase: Phase::Running, ..Pod::default() };
        pod.meta.name = "api-7-x".into();
        pod.meta.namespace = "pay".into();
        pod.meta.uid = uid(9);
        let owner =
            Owner { api: "apps/v1".into(), kind: "ReplicaSet".into(), name: "api-7".into(), uid: uid(3) };
        pod.meta.owner = Some(Arc::new(owner));
        insert(&mut one, Record::Pod(pod));
        Arc::new(one)
    });
    Fleet { clusters: clusters.collect() }
}

fn on(kind: &str, fleet: Fleet) -> Screen {
    let mut screen = Screen::new(120, 36);
    screen.fleet(fleet);
    screen.keys(":");
    screen.text(kind);
    screen.keys("enter");
    screen
}

#[test]
fn scaling_several_names_each_with_its_cluster_and_replicas() {
    let mut screen = on("deploy", rolled(&[("dev-1", 4), ("dev-2", 2)]));
    screen.keys("* S");
    let picture = screen.picture();
    assert!(picture.contains("scale 2 workloads: pay/api dev-1 4, pay/api dev-2 2"), "{picture}");
    screen.text("+2");
    let effects = screen.keys("enter");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    let titles: Vec<&str> = plan.steps.iter().map(|step| step.title.as_str()).collect();
    assert!(titles.contains(&"scale api on dev-1 4 → 6") && titles.contains(&"scale api on dev-2 2 → 4"));
    let named = |title: &&str| title.contains("dev-1") || title.contains("dev-2");
    assert!(titles.iter().all(named), "{titles:?}");
}

#[test]
fn a_pod_stands_for_its_workload() {
    let mut screen = on("pods", rolled(&[("dev-1", 4)]));
    to(&mut screen, "api-7-x");
    for (key, operation) in [("R", "restart"), ("B", "roll-back"), ("X", "delete")] {
        let effects = screen.plan(key);
        let [Effect::Check(plan)] = effects.as_slice() else { panic!("{key}: {effects:?}") };
        assert_eq!(plan.operation, operation);
        let wanted = if key == "X" { Kind::Pod } else { Kind::Deployment };
        assert_eq!(plan.subjects.iter().map(|s| s.kind).collect::<Vec<_>>(), [wanted]);
        screen.keys("enter");
        screen.text("yes");
        assert!(matches!(screen.keys("enter").as_slice(), [Effect::Run(..)]), "{}", screen.picture());
    }
    // The plan that is made again while somebody types stays the same plan.
    screen.plan("R");
    screen.keys("enter");
    screen.text("ye");
    screen.now = after(30);
    let mut changed = rolled(&[("dev-1", 4)]);
    let mut one = (*changed.clusters[0]).clone();
    let found = one.find(Kind::Deployment, "pay", "api").unwrap();
    let mut api = found.workload().unwrap().clone();
    api.meta.version = Version(2);
    insert(&mut one, Record::Workload(api));
    changed.clusters[0] = Arc::new(one);
    assert_eq!(checks(&screen.fleet(changed)), 0);
    screen.text("s");
    assert!(matches!(screen.keys("enter").as_slice(), [Effect::Run(..)]), "{}", screen.picture());
}

#[test]
fn options_of_a_drain_make_its_plan_again() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    screen.keys("D");
    assert!(screen.picture().contains("one by one"), "{}", screen.picture());
    screen.keys("O");
    assert!(screen.picture().contains("each pod's own"), "{}", screen.picture());
    screen.keys("enter");
    screen.text("soon");
    assert_eq!(screen.keys("enter"), []);
    assert!(screen.picture().contains("is no number of seconds"), "{}", screen.picture());
    screen.keys("ctrl-u");
    screen.text("5");
    let effects = screen.keys("enter");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(plan.kubectl[0].contains("--grace-period=5"), "{:?}", plan.kubectl);
    screen.keys("j j enter");
    screen.text("1");
    assert_eq!(checks(&screen.plan("enter")), 1);
    screen.keys("esc enter");
    screen.text("yes");
    let effects = screen.keys("enter");
    let [Effect::Run(plan, permit)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(permit.plan, plan.hash());
    let evict = plan.steps.iter().find_map(|step| match &step.action {
        Action::Evict { grace, at_once, .. } => Some((*grace, *at_once)),
        _ => None,
    });
    assert_eq!(evict, Some((Some(5), Some(1))));
}

#[test]
fn a_recovery_plan_is_proposed_on_screen() {
    let mut screen = Screen::new(120, 36);
    screen.fleet(rolled(&[("dev-1", 4), ("dev-2", 2)]));
    screen.keys(":");
    screen.text("failover init");
    screen.keys("enter");
    assert!(screen.picture().contains("which cluster serves now?"), "{}", screen.picture());
    screen.keys("1");
    assert!(screen.picture().contains("which cluster is to take over"), "{}", screen.picture());
    let effects = screen.keys("1");
    let [Effect::KeepRecovery(text)] = effects.as_slice() else { panic!("{effects:?}") };
    let file = Arc::new(RecoveryFile::read(text).unwrap());
    assert_eq!((&*file.primary, &*file.standby), ("dev-1", "dev-2"));
    screen.ui.inbound(Inbound::Recovery(file, "/home/me/recovery/x.toml".into()), screen.now);
    assert!(screen.picture().contains("/home/me/recovery/x.toml"), "{}", screen.picture());
    screen.keys("F");
    assert!(screen.picture().contains("1  drill dev-1-to-dev-2"), "{}", screen.picture());
    screen.keys("esc :");
    screen.text("failover init nowhere dev-2");
    screen.keys("enter");
    assert!(screen.picture().contains("no cluster is called nowhere"), "{}", screen.picture());
}
