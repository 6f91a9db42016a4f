//! Small clusters in, sentences and steps out.

use std::sync::Arc;

use super::*;
use crate::model::{Phase, Taint, Tier, Tone, Truth, UnhealthyPolicy};
use crate::operations::fixture::{NOW, World, key, owner, snapshot};
use crate::operations::{PatchKind, RecoveryFile, Tolerance, by_id};

/// Ten nodes of pool std in zone b, `n0` to be drained.
fn ten() -> World {
    (0..10).fold(World::new(0, "gke-euw1", Tier::Prod), |w, i| w.node(&format!("n{i}"), "std", "b"))
}

fn plan_of(snapshot: &Snapshot, nodes: &[&str], options: &Options) -> Result<Plan, Text> {
    let subjects: Vec<ObjectKey> = nodes.iter().map(|n| key(snapshot, 0, Kind::Node, "", n)).collect();
    let decl = by_id("drain").unwrap();
    (decl.draft)(&PlanInput { snapshot, subjects: &subjects, options, now: NOW })
}

fn drain(world: World) -> Plan {
    plan_of(&snapshot(vec![world]), &["n0"], &Options::default()).unwrap()
}

fn choose(choices: &[&str]) -> Options {
    Options { answers: choices.iter().map(|c| (Text::clean(c), 1)).collect(), ..Options::default() }
}

/// The lines of a label: count and sentence.
fn lines(plan: &Plan, label: &str) -> Vec<String> {
    let of = |line: &&crate::operations::Line| line.label == label;
    let said = |l: &crate::operations::Line| match l.count {
        Some(count) => format!("{count} {}", l.text),
        None => l.text.to_string(),
    };
    plan.preview.iter().filter(of).map(said).collect()
}

fn evicted(plan: &Plan) -> Vec<(String, Vec<String>, bool)> {
    let pods = plan.steps.iter().filter_map(|s| match &s.action {
        Action::Evict { pods, .. } => Some(pods),
        _ => None,
    });
    pods.flatten()
        .map(|p| (p.name.to_string(), p.budgets.iter().map(ToString::to_string).collect(), p.delete))
        .collect()
}

#[test]
fn daemon_and_mirror_pods_stay_finished_pods_go() {
    let world = ten()
        .daemon_set("agent")
        .pod_with("agent-x", "agent", "n0", |p| p.meta.owner = Some(owner("apps/v1", "DaemonSet", "agent")))
        .pod_with("proxy", "proxy", "n0", |p| {
            p.meta.owner = Some(owner("v1", "Node", "n0"));
            p.traits.mirror = true;
        })
        .pod_with("done", "job", "n0", |p| {
            p.phase = Phase::Succeeded;
            p.meta.owner = None;
            p.traits.empty_dir = true;
        })
        // kubectl knows the DaemonSets of apps/v1 only.
        .pod_with("kruise-x", "kruise", "n0", |p| {
            p.meta.owner = Some(owner("apps.kruise.io/v1alpha1", "DaemonSet", "kruise"));
        });
    let plan = drain(world);
    assert_eq!(lines(&plan, "stays"), ["1 DaemonSet pod", "1 static pod, ended by the kubelet only"]);
    assert_eq!(evicted(&plan).iter().map(|(n, ..)| n.as_str()).collect::<Vec<_>>(), ["done", "kruise-x"],);
    assert!(plan.choices.is_empty());
}

#[test]
fn what_kubectl_refuses_is_a_choice_and_starts_on_the_safe_side() {
    let world = || {
        ten()
            .pod_with("idx", "search", "n0", |p| p.traits.empty_dir = true)
            .pod_with("debug-shell", "tools", "n0", |p| p.meta.owner = None)
            .pod_with("lost", "lost", "n0", |p| p.meta.owner = Some(owner("apps/v1", "DaemonSet", "lost")))
            .pod("cart", "cart", "n0")
    };
    let plan = drain(world());
    let questions: Vec<(&str, &str, usize)> =
        plan.choices.iter().map(|c| (c.text.as_str(), c.answers[0].as_str(), c.chosen)).collect();
    assert_eq!(
        questions,
        [
            ("shop/lost belongs to a DaemonSet that is gone", "leave", 0),
            ("shop/idx loses its emptyDir", "leave", 0),
            ("shop/debug-shell has no controller: kubectl would refuse here", "leave", 0),
        ]
    );
    assert_eq!(evicted(&plan).len(), 1);
    assert_eq!(lines(&plan, "stays"), ["3 left until you choose: shop/debug-shell, shop/idx, shop/lost"]);
    assert_eq!(plan.kubectl, ["kubectl --context gke-euw1 drain n0 --ignore-daemonsets --timeout=30m"]);

    let snapshot = snapshot(vec![world()]);
    let all = plan_of(&snapshot, &["n0"], &choose(&["orphan", "emptydir", "unreplicated"])).unwrap();
    assert_eq!(evicted(&all).len(), 4);
    assert_eq!(
        all.kubectl,
        [
            "kubectl --context gke-euw1 drain n0 --ignore-daemonsets --delete-emptydir-data --force --timeout=30m"
        ]
    );
    assert_ne!(plan.hash(), all.hash());
    assert_eq!(
        all.hash(),
        plan_of(&snapshot, &["n0"], &choose(&["orphan", "emptydir", "unreplicated"])).unwrap().hash()
    );
}

#[test]
fn a_spent_budget_says_what_opens_it() {
    let plan = drain(
        ten()
            .budget("orders-api", "orders", 0, 24, 24)
            .pod("orders-1", "orders", "n0")
            .pod("orders-2", "orders", "n0")
            .pod("cart-1", "cart", "n0"),
    );
    assert_eq!(
        lines(&plan, "will wait"),
        ["2 budget shop/orders-api needs 24 healthy and has 24: opens when 1 more is Ready"]
    );
    assert_eq!(
        lines(&plan, "will move"),
        ["1 fit in pool std, zone b by requests: yes, 72 cpu and 288 GiB free there"]
    );
    // A pod without a budget comes before those that wait.
    assert_eq!(evicted(&plan)[0].0, "cart-1");
    assert_eq!(evicted(&plan)[1].1, ["orders-api"]);
    let read: Vec<Kind> = plan.rests_on.iter().map(|(key, _)| key.kind).collect();
    assert!(read.contains(&Kind::Budget) && read.contains(&Kind::Pod) && read.contains(&Kind::Node));
}

#[test]
fn budget_arithmetic() {
    let three = |change: fn(&mut crate::model::Budget), ready: bool| {
        let world = ten().budget_with("b", "orders", change);
        let world =
            (0..3).fold(world, |w, i| w.pod_with(&format!("o{i}"), "orders", "n0", |p| p.ready = ready));
        let plan = drain(world);
        (lines(&plan, "will move")[0].split(' ').next().unwrap().to_owned(), lines(&plan, "will wait"))
    };
    type Case = (fn(&mut crate::model::Budget), bool, &'static str, &'static [&'static str]);
    let cases: [Case; 8] = [
        (|b| (b.allowed, b.healthy, b.needed) = (5, 26, 21), true, "3", &[]),
        (
            |b| (b.allowed, b.healthy, b.needed) = (2, 26, 24),
            true,
            "2",
            &["1 budget shop/b lets 2 go at a time: needs 24 healthy and has 26"],
        ),
        (
            |b| (b.allowed, b.healthy, b.needed) = (0, 20, 24),
            true,
            "0",
            &["3 budget shop/b needs 24 healthy and has 20: opens when 5 more are Ready"],
        ),
        (
            |b| (b.allowed, b.healthy, b.needed, b.expected) = (0, 3, 3, 3),
            true,
            "0",
            &["3 budget shop/b needs all 3 healthy: it never opens by itself; scale up or change it"],
        ),
        (
            |b| (b.allowed, b.observed) = (3, 0),
            true,
            "0",
            &["3 budget shop/b is being worked out by the server: asked again until it is"],
        ),
        // Pods that are not ready: IfHealthyBudget lets them go while the budget has what it needs.
        (|b| (b.allowed, b.healthy, b.needed) = (0, 24, 24), false, "3", &[]),
        (
            |b| (b.allowed, b.healthy, b.needed) = (0, 23, 24),
            false,
            "0",
            &[
                "3 budget shop/b needs 24 healthy and has 23: opens when 2 more are Ready; 3 of them not Ready, and its policy holds those too",
            ],
        ),
        (
            |b| {
                (b.allowed, b.healthy, b.needed) = (0, 0, 24);
                b.unhealthy = UnhealthyPolicy::AlwaysAllow;
            },
            false,
            "3",
            &[],
        ),
    ];
    for (index, (change, ready, moves, waits)) in cases.into_iter().enumerate() {
        let (said, lines) = three(change, ready);
        assert_eq!(
            (said.as_str(), lines),
            (moves, waits.iter().map(|s| (*s).to_owned()).collect()),
            "case {index}"
        );
    }
}

#[test]
fn a_pod_under_two_budgets_may_be_deleted_only_by_choice() {
    let world = || {
        ten()
            .budget("a", "orders", 1, 3, 2)
            .budget("b", "orders", 1, 3, 2)
            .pod("orders-1", "orders", "n0")
            // A pending pod is looked at by no budget.
            .pod_with("orders-2", "orders", "n0", |p| p.phase = Phase::Pending)
    };
    let plan = drain(world());
    assert_eq!(evicted(&plan), [("orders-2".to_owned(), vec![], false)]);
    assert_eq!(
        plan.choices[0].text,
        "more than one budget guards shop/orders-1: the eviction API refuses that for ever"
    );
    let plan = plan_of(&snapshot(vec![world()]), &["n0"], &choose(&["double-budget"])).unwrap();
    assert_eq!(evicted(&plan)[0], ("orders-1".to_owned(), vec![], true));
    assert_eq!(plan.kubectl[0], "kubectl --context gke-euw1 delete pod -n shop orders-1");
}

#[test]
fn nodes_are_cordoned_first_and_emptied_one_after_another() {
    let world = (0..20)
        .fold(World::new(0, "gke-euw1", Tier::Prod), |w, i| w.node(&format!("n{i}"), "std", "b"))
        .deployment("cart", 2)
        .pod("cart-0", "cart", "n0")
        .pod("cart-1", "cart", "n1");
    let plan = plan_of(&snapshot(vec![world]), &["n0", "n1"], &Options::default()).unwrap();
    let titles: Vec<&str> = plan.steps.iter().map(|s| s.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "cordon n0",
            "cordon n1",
            "evict 1 pod from n0, as fast as the budgets open",
            "check: 1 workload Ready again",
            "evict 1 pod from n1, as fast as the budgets open",
            "check: 1 workload Ready again",
        ]
    );
    // The next node is not begun before the first one's pods are back.
    assert_eq!(
        plan.steps.iter().map(|s| s.tolerance == Tolerance::Anything).collect::<Vec<_>>(),
        [false, false, false, false, false, true]
    );
    let Action::Patch(patch) = &plan.steps[0].action else { panic!("not a patch") };
    assert_eq!(
        (patch.kind, patch.body.to_string()),
        (PatchKind::Merge, r#"{"spec":{"unschedulable":true}}"#.to_owned())
    );
    let Action::Patch(undo) = &plan.steps[0].undo[0] else { panic!("not a patch") };
    assert_eq!(undo.body.to_string(), r#"{"spec":{"unschedulable":null}}"#);
    assert_eq!(plan.confirmation.word, "gke-euw1");
    assert_eq!(lines(&plan, "touches"), ["1 cluster, 2 nodes, 2 pods, 1 workload"]);
    let Action::Evict { pods, .. } = &plan.steps[2].action else { panic!("not an eviction") };
    assert_eq!(pods[0].owner, Some(("Deployment".into(), "cart".into())));
}

#[test]
fn a_cordoned_node_is_not_cordoned_again_nor_uncordoned_by_an_undo() {
    let world = World::new(0, "dev", Tier::Dev)
        .node_with("n0", "std", "b", |n| n.unschedulable = true)
        .node("n1", "std", "b")
        .pod("cart", "cart", "n0");
    let plan = plan_of(&snapshot(vec![world]), &["n0"], &Options::default()).unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert!(plan.steps[0].undo.is_empty());
    assert_eq!(plan.confirmation.word, "yes");
}

#[test]
fn fleet_rules_refuse_until_somebody_goes_beyond_them() {
    let world = || ten().node("far", "std", "c").pod("cart", "cart", "n0");
    let snapshot = snapshot(vec![world()]);
    let plan = plan_of(&snapshot, &["n0", "far"], &Options::default()).unwrap();
    let refusals: Vec<&str> = plan.refusals.iter().map(Text::as_str).collect();
    assert_eq!(
        refusals,
        ["more than 10 % of pool std: 2 of 11 nodes", "one zone at a time: these nodes are in b, c"]
    );
    let beyond = plan_of(&snapshot, &["n0", "far"], &choose(&["pool-rule", "zone-rule"])).unwrap();
    assert!(beyond.refusals.is_empty());
    assert!(beyond.preview.iter().any(|l| l.label == "rules" && l.tone == Tone::Crit));
    // One node always may, unless another of the pool is out already.
    assert!(plan_of(&snapshot, &["n0"], &Options::default()).unwrap().refusals.is_empty());
    let out = world().node_with("bad", "std", "b", |n| n.ready = Truth::False);
    let plan = plan_of(&super::super::fixture::snapshot(vec![out]), &["n0"], &Options::default()).unwrap();
    assert_eq!(plan.refusals[0], "more than 10 % of pool std: 1 of 12 nodes, 1 out already");
}

#[test]
fn both_partners_of_a_recovery_pair_are_never_drained_at_once() {
    let file = RecoveryFile::read(
        "version=1\nname='orders-eu'\nprimary='gke-euw1'\nstandby='eks-euw1'\n[[workload]]\nkind='Deployment'\nnamespace='shop'\nname='cart'",
    );
    let options = Options { recovery_plans: Arc::new(vec![Arc::new(file.unwrap())]), ..Options::default() };
    let two = snapshot(vec![
        ten().pod("cart", "cart", "n0"),
        World::new(1, "eks-euw1", Tier::Prod).node("e0", "", ""),
    ]);
    let subjects = [key(&two, 0, Kind::Node, "", "n0"), key(&two, 1, Kind::Node, "", "e0")];
    let input = PlanInput { snapshot: &two, subjects: &subjects, options: &options, now: NOW };
    let plan = DRAIN.plan(&input).unwrap();
    let why = "orders-eu: primary gke-euw1 and standby eks-euw1 would be changed at once";
    assert!(plan.refusals.contains(&why.into()), "{:?}", plan.refusals);
    assert_eq!(plan.confirmation.word, "2 clusters");
    let one = DRAIN.plan(&PlanInput { subjects: &subjects[..1], ..input }).unwrap();
    assert!(lines(&one, "rules").iter().any(|l| l.contains("✓ orders-eu: standby eks-euw1 untouched")));
}

#[test]
fn room_is_looked_for_in_the_pool_first_and_told_in_numbers() {
    let full = |w: World| {
        w.node("n0", "std", "b").node("n1", "std", "c").node("x0", "batch", "b").node_with(
            "gpu",
            "gpu",
            "b",
            |n| {
                n.taints =
                    Box::new([Taint { key: "gpu".into(), value: "".into(), effect: "NoSchedule".into() }]);
            },
        )
    };
    let world = |pods: usize| {
        (0..pods).fold(full(World::new(0, "c", Tier::Dev)), |w, i| {
            w.pod_with(&format!("p{i}"), "app", "n0", |p| p.requests.cpu = 3000)
        })
    };
    assert_eq!(
        lines(&drain(world(4)), "will move"),
        ["4 fit by requests: 2 in pool std, zone c, 2 in other pools"]
    );
    assert_eq!(
        lines(&drain(world(6)), "will move"),
        ["6 4 of 6 fit by requests (2 in pool std, zone c); 2 wait for a new node"]
    );
}

#[test]
fn the_menu_says_why_there_is_no_plan() {
    let why = |world: World, node: &str| {
        plan_of(&snapshot(vec![world]), &[node], &Options::default()).unwrap_err().to_string()
    };
    let empty = World::new(0, "dev", Tier::Dev).node_with("n0", "", "", |n| n.unschedulable = true);
    assert_eq!(why(empty, "n0"), "n0: cordoned already, and no pod would move");
    let blind = ten().with(|c| c.tables[Kind::Pod.index()].synced = None);
    assert_eq!(why(blind, "n0"), "the pods of gke-euw1 are not known");
    let snapshot = snapshot(vec![ten()]);
    let mut other = key(&snapshot, 0, Kind::Node, "", "n0");
    other.uid = crate::operations::fixture::uid(999_999);
    let input = PlanInput { snapshot: &snapshot, subjects: &[other], options: &Options::default(), now: NOW };
    assert_eq!(plan(&input).unwrap_err(), "n0 is another node of that name by now");
    let none = PlanInput { subjects: &[], ..input };
    assert_eq!(plan(&none).unwrap_err(), "no node is chosen");
    let bad = Options { pod_selector: "a b".into(), ..Options::default() };
    assert!(plan_of(&snapshot, &["n0"], &bad).is_err());
}

#[test]
fn grace_selector_and_timeout_are_kept_in_plan_and_command() {
    let world = ten().pod("cart", "cart", "n0").pod("pay", "pay", "n0");
    let options = Options {
        grace: Some(0),
        pod_selector: "app=pay".into(),
        timeout: Some(Span::from_seconds(90)),
        ..Options::default()
    };
    let plan = plan_of(&snapshot(vec![world]), &["n0"], &options).unwrap();
    assert_eq!(evicted(&plan).len(), 1);
    assert_eq!(lines(&plan, "stays"), ["1 not of app=pay"]);
    assert!(lines(&plan, "note")[0].starts_with("grace 0 kills at once"));
    assert!(
        plan.kubectl[0]
            .ends_with("--ignore-daemonsets --grace-period=0 --pod-selector=app=pay --timeout=90s")
    );
    assert_eq!(plan.steps[1].deadline, Some(Span::from_seconds(90)));
}

#[test]
fn the_timeout_means_what_it_means_to_kubectl() {
    let snapshot = snapshot(vec![ten().pod("cart", "cart", "n0")]);
    let with = |timeout: Option<i64>| {
        let options = Options { timeout: timeout.map(crate::model::Span::from_millis), ..Options::default() };
        let plan = plan_of(&snapshot, &["n0"], &options).unwrap();
        let step = plan.steps.iter().find(|s| matches!(s.action, Action::Evict { .. })).unwrap();
        let flag = plan.kubectl[0].rsplit_once(' ').unwrap().1.to_owned();
        (step.deadline.map(crate::model::Span::millis), flag)
    };
    assert_eq!(with(None), (Some(30 * 60_000), "--timeout=30m".to_owned()));
    assert_eq!(with(Some(0)), (None, "--timeout=0s".to_owned()));
    assert_eq!(with(Some(500)), (Some(500), "--timeout=1s".to_owned()));
    assert_eq!(with(Some(90_000)).1, "--timeout=90s");
}

#[test]
fn what_stops_kubectl_is_said_and_deletes_come_first() {
    let world = ten()
        .pod_with("shell", "tools", "n0", |p| p.meta.owner = None)
        .budget("one", "cart", 1, 3, 2)
        .budget("two", "cart", 1, 3, 2)
        .pod("cart", "cart", "n0");
    let snapshot = snapshot(vec![world]);
    let plan = plan_of(&snapshot, &["n0"], &choose(&["double-budget"])).unwrap();
    assert!(
        lines(&plan, "note").contains(&"kubectl would evict nothing while shop/shell stays".to_owned()),
        "{:?}",
        lines(&plan, "note")
    );
    assert!(
        plan.kubectl[0].contains("delete pod") && plan.kubectl[1].contains(" drain "),
        "{:?}",
        plan.kubectl
    );
    let all = plan_of(&snapshot, &["n0"], &choose(&["double-budget", "unreplicated"])).unwrap();
    assert!(!lines(&all, "note").iter().any(|note| note.contains("kubectl")));
}
