//! The rules on plans of small fleets.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::*;
use crate::model::{Freeze, Kind, ObjectKey, Rules, Tier, Window};
use crate::operations::fixture::{NOW, World, key, snapshot};
use crate::operations::{Options, RecoveryWish, Way, by_id};
use crate::views::Snapshot;

fn fleet() -> Snapshot {
    let cluster = |id, name| {
        World::new(id, name, Tier::Prod).node("n0", "", "").deployment("cart", 2).pod("cart-1", "cart", "n0")
    };
    snapshot(vec![cluster(0, "gke"), cluster(1, "eks"), cluster(2, "aks")])
}

fn pair() -> Arc<RecoveryFile> {
    let text = "version=1\nname='shop'\nprimary='gke'\nstandby='eks'\n[[workload]]\nkind='Deployment'\n\
                namespace='shop'\nname='cart'\nreplicas=3";
    Arc::new(RecoveryFile::read(text).unwrap())
}

fn plan(operation: &str, clusters: &[u16], options: &Options) -> Plan {
    let snapshot = fleet();
    let subjects: Vec<ObjectKey> =
        clusters.iter().map(|id| key(&snapshot, *id, Kind::Node, "", "n0")).collect();
    let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options, now: NOW };
    by_id(operation).unwrap().plan(&input).unwrap()
}

fn rules(change: impl FnOnce(&mut Rules)) -> Options {
    let mut rules = Rules::default();
    change(&mut rules);
    Options { rules: Arc::new(rules), ..Options::default() }
}

fn said(plan: &Plan) -> String {
    let lines = plan.preview.iter().filter(|line| line.label == "rules");
    lines.map(|line| line.text.to_string()).collect::<Vec<_>>().join("\n")
}

/// Refused, unless this choice goes beyond it.
fn refused_until(operation: &str, clusters: &[u16], options: &Options, choice: &str, why: &str) {
    let plan = plan(operation, clusters, options);
    assert_eq!(plan.refusals, [why]);
    assert!(plan.choices.iter().any(|c| c.id == choice && c.chosen == 0), "{:?}", plan.choices);
    let beyond = Options { answers: [(Text::clean(choice), 1)].into(), ..options.clone() };
    let plan = super::tests::plan(operation, clusters, &beyond);
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let line = plan.preview.iter().find(|line| line.text == why).unwrap();
    assert_eq!(line.tone, Tone::Crit, "it is still said");
}

#[test]
fn rules_that_hold_are_shown_together() {
    let plan = plan("drain", &[0], &Options { recovery_plans: Arc::new(vec![pair()]), ..Options::default() });
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert_eq!(
        said(&plan),
        "✓ 10 % of nodes without a pool: 1 of 1 node, one always may\n\
         ✓ 1 cluster at once of at most 3  ✓ 1 pod at once of at most 250\n\
         ✓ shop: standby eks untouched"
    );
}

#[test]
fn numbers_at_once_are_limited() {
    let two = rules(|r| r.clusters_at_once = 2);
    let why = "3 clusters at once of at most 2";
    refused_until("cordon", &[0, 1, 2], &two, CLUSTERS, why);
    let none = rules(|r| r.pods_at_once = 1);
    assert!(plan("drain", &[0, 2], &none).refusals.is_empty(), "one node after the other");
    // What runs counts.
    let running = Options { under_way: Arc::new(vec![plan("drain", &[0], &none)]), ..none };
    refused_until("drain", &[2], &running, PODS, "2 pods at once of at most 1, with what runs");
}

#[test]
fn pods_that_are_scaled_away_or_deleted_with_their_workload_count() {
    let snapshot = snapshot(vec![
        World::new(0, "gke", Tier::Prod)
            .node("n0", "", "")
            .deployment("cart", 300)
            .pod("a", "x", "n0")
            .pod("b", "x", "n0"),
    ]);
    let subjects = [key(&snapshot, 0, Kind::Deployment, "shop", "cart")];
    let made = |operation: &str, options: &Options| {
        let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options, now: NOW };
        by_id(operation).unwrap().plan(&input).unwrap()
    };
    let down = Options { replicas: Some(crate::operations::Replicas::To(0)), ..Options::default() };
    for plan in [made("scale", &down), made("delete", &Options::default())] {
        assert_eq!(plan.refusals, ["300 pods at once of at most 250"], "{}", plan.title);
    }
    let up = Options { replicas: Some(crate::operations::Replicas::To(900)), ..Options::default() };
    assert!(made("scale", &up).refusals.is_empty());
    // As many as may be on their way out at a time.
    let node = [key(&snapshot, 0, Kind::Node, "", "n0")];
    let drained = |at_once: Option<u32>| {
        let options = Options { at_once, ..rules(|r| r.pods_at_once = 1) };
        let input = PlanInput { snapshot: &snapshot, subjects: &node, options: &options, now: NOW };
        by_id("drain").unwrap().plan(&input).unwrap().refusals.len()
    };
    assert_eq!((drained(None), drained(Some(1))), (1, 0));
}

#[test]
fn what_another_terminal_runs_counts_too() {
    let other = |clusters: &[&str], recovery| crate::operations::Elsewhere {
        title: "drain 1 node".into(),
        clusters: clusters.iter().map(|name| Text::clean(name)).collect(),
        recovery,
        subjects: vec![crate::operations::Remembered {
            cluster: "gke".into(),
            kind: "Node".into(),
            namespace: Text::EMPTY,
            name: "n0".into(),
            uid: crate::model::Uid::default(),
        }],
    };
    let beside = |other| Options {
        elsewhere: Arc::new(vec![other]),
        recovery_plans: Arc::new(vec![pair()]),
        ..Options::default()
    };
    let partner = plan("drain", &[1], &beside(other(&["gke"], false)));
    assert_eq!(
        partner.refusals,
        ["shop: primary gke and standby eks would be changed at once, with what runs"]
    );
    let why = "drain 1 node runs on Node n0 too, from another terminal: wait until it ends, or stop it there";
    assert_eq!(plan("cordon", &[0], &beside(other(&["gke"], false))).refusals, [why]);
    let held = "drain 1 node runs on aks, from another terminal: wait until it ends, or stop it there";
    assert_eq!(plan("drain", &[2], &beside(other(&["aks"], true))).refusals, [held]);
    assert!(plan("drain", &[2], &beside(other(&["gke"], true))).refusals.is_empty());
    let wish = Some(RecoveryWish { file: pair(), way: Way::Run });
    let failover = plan("failover", &[], &Options { recovery: wish, ..beside(other(&["gke"], false)) });
    assert!(failover.refusals[0].contains("runs on gke, from another terminal"), "{:?}", failover.refusals);
}

#[test]
fn nothing_is_changed_in_a_freeze_window_but_what_opens_a_node() {
    let frozen = rules(|r| {
        r.freezes = vec![Freeze {
            clusters: "g*".to_owned(),
            why: "sale".into(),
            zone: TimeZone::UTC,
            zone_name: "UTC".into(),
            when: Window::Once(DateTime::MIN, "2027-01-04T06:00".parse::<DateTime>().unwrap()),
        }];
    });
    let why = "gke not to be changed: sale, until 2027-01-04 06:00 UTC";
    refused_until("cordon", &[0], &frozen, FREEZE, why);
    let elsewhere = plan("cordon", &[2], &frozen);
    assert!(elsewhere.refusals.is_empty() && said(&elsewhere).contains("✓ no freeze window"));
    let closed = World::new(0, "gke", Tier::Prod).node_with("n0", "", "", |n| n.unschedulable = true);
    let closed = snapshot(vec![closed]);
    let subjects = [key(&closed, 0, Kind::Node, "", "n0")];
    let input = PlanInput { snapshot: &closed, subjects: &subjects, options: &frozen, now: NOW };
    assert!(by_id("uncordon").unwrap().plan(&input).unwrap().refusals.is_empty());
}

#[test]
fn partners_are_never_changed_at_once() {
    let paired = Options { recovery_plans: Arc::new(vec![pair()]), ..Options::default() };
    let both = plan("cordon", &[0, 1], &paired);
    assert_eq!(both.refusals, ["shop: primary gke and standby eks would be changed at once"]);
    assert!(!both.choices.iter().any(|c| c.text.contains("would be changed")), "it has no way round");
    let running = Options { under_way: Arc::new(vec![plan("drain", &[1], &paired)]), ..paired };
    let beside = plan("drain", &[0], &running);
    assert_eq!(
        beside.refusals,
        ["shop: primary gke and standby eks would be changed at once, with what runs"]
    );
}

#[test]
fn a_failover_is_not_held_up_by_another_plan_for_its_pair() {
    let other = RecoveryFile { name: "shop-too".into(), ..RecoveryFile::clone(&pair()) };
    let wish = Some(RecoveryWish { file: pair(), way: Way::Run });
    let known = Arc::new(vec![pair(), Arc::new(other)]);
    let options = Options { recovery: wish, recovery_plans: known, ..Options::default() };
    let failover = plan("failover", &[], &options);
    assert!(failover.refusals.is_empty(), "{:?}", failover.refusals);
    let both = plan("cordon", &[0, 1], &options);
    assert_eq!(both.refusals.len(), 2, "everybody else is");
}

#[test]
fn a_recovery_holds_its_clusters() {
    let wish = |way| Options { recovery: Some(RecoveryWish { file: pair(), way }), ..Options::default() };
    for way in [Way::Run, Way::Drill] {
        let failover = plan("failover", &[], &wish(way));
        let title = failover.title.clone();
        let running = Options { under_way: Arc::new(vec![failover]), ..Options::default() };
        for (operation, id, name) in [("drain", 1, "eks"), ("cordon", 0, "gke")] {
            let plan = plan(operation, &[id], &running);
            let why = format!("{title} runs and needs {name}: wait until it ends, or stop it");
            assert_eq!(plan.refusals, [why.as_str()]);
        }
        assert!(plan("drain", &[2], &running).refusals.is_empty());
    }
    let running = Arc::new(vec![plan("drain", &[1], &Options::default())]);
    let failover = plan("failover", &[], &Options { under_way: running, ..wish(Way::Run) });
    assert_eq!(failover.refusals, ["drain 1 node runs on eks: wait until it ends, or stop it"]);
}

#[test]
fn two_runs_never_write_to_one_object() {
    let running = Arc::new(vec![plan("drain", &[0], &Options::default())]);
    let options = Options { under_way: running, ..Options::default() };
    assert_eq!(
        plan("cordon", &[0], &options).refusals,
        ["drain 1 node runs and writes to Node n0 too: wait until it ends, or stop it"]
    );
}
