//! What a drain says while it runs, from small clusters and what a runner told.

use super::*;
use crate::model::{Budget, Tier};
use crate::operations::fixture::{NOW, World, key, owner, snapshot};
use crate::operations::{OpEvent, OpId, Options, PlanInput, Progress, by_id};

const BEGAN: Time = NOW;

fn after(seconds: i64) -> Time {
    BEGAN + Span::from_seconds(seconds)
}

/// A node with three pods of a guarded application and one of another, and room elsewhere.
fn world() -> World {
    let world = World::new(0, "gke", Tier::Prod).node("n0", "std", "b").node("n1", "std", "c");
    let world = world.deployment("api", 4).deployment("cart", 1).daemon_set("agent");
    let world = world.pod("api-1", "api", "n0").pod("api-2", "api", "n0").pod("cart-1", "cart", "n0");
    let world = world
        .pod_with("agent-x", "agent", "n0", |p| p.meta.owner = Some(owner("apps/v1", "DaemonSet", "agent")))
        .pod_with("shell", "shell", "n0", |p| p.meta.owner = None);
    world.budget_with("api", "api", |b| {
        (b.allowed, b.healthy, b.needed, b.expected) = (0, 3, 3, 4);
        b.min_available = "3".into();
    })
}

/// A run that drains `n0` of a snapshot.
fn run(snapshot: &Snapshot) -> Run {
    let subjects = [key(snapshot, 0, Kind::Node, "", "n0")];
    let options = Options::default();
    let input = PlanInput { snapshot, subjects: &subjects, options: &options, now: BEGAN };
    Run::new(OpId(1), (by_id("drain").unwrap().draft)(&input).unwrap(), BEGAN)
}

/// Tells what a pod does.
fn tell(run: &mut Run, snapshot: &Snapshot, name: &str, state: PodState, at: i64) {
    let uid = key(snapshot, 0, Kind::Pod, "shop", name).uid;
    let progress = PodProgress {
        namespace: "shop".into(),
        name: name.into(),
        uid,
        state,
        why: "grace 30 s".into(),
        retry_at: Some(after(at + 5)),
    };
    run.apply(&OpEvent { op: OpId(1), at: after(at), progress: Progress::Pod(progress) });
}

fn said(drain: &DrainProgress) -> Vec<String> {
    drain.pods.iter().map(|pod| format!("{}: {}", pod.progress.name, pod.why)).collect()
}

#[test]
fn what_waits_comes_first_and_names_its_budget() {
    let at_first = snapshot(vec![world()]);
    let mut run = run(&at_first);
    tell(&mut run, &at_first, "cart-1", PodState::Leaving, 1);
    tell(&mut run, &at_first, "api-1", PodState::WaitsOnBudget("api".into()), 2);
    let drain = DrainProgress::of(&run, &at_first, after(4)).unwrap();
    assert_eq!(
        said(&drain),
        ["api-1: api needs 3 healthy, has 3 · next try in 3 s", "cart-1: grace 30 s, 27 s left"]
    );
    assert_eq!(drain.pods[0].short, "api 3/3, try in 3 s");
    assert_eq!(drain.stays, "shell, 1 DaemonSet pod");
}

#[test]
fn a_pod_that_went_says_where_its_new_one_is() {
    let at_first = snapshot(vec![world()]);
    let mut run = run(&at_first);
    let new = |name: &'static str, app: &'static str, change: fn(&mut Pod)| {
        move |world: World| {
            world.pod_with(name, app, "n1", |p| {
                p.meta.created = Some(after(2));
                p.ready = false;
                change(p);
            })
        }
    };
    for name in ["cart-1", "api-1", "api-2"] {
        tell(&mut run, &at_first, name, PodState::Gone, 3);
    }
    let nothing = DrainProgress::of(&run, &at_first, after(4)).unwrap();
    assert!(said(&nothing).contains(&"cart-1: no new one yet".to_owned()), "{:?}", said(&nothing));
    assert_eq!((nothing.ready, nothing.wanted), (0, 3));

    let later = new("cart-2", "cart", |p| {
        p.ready = true;
        p.ready_since = Some(after(20));
    })(world());
    let later = new("api-8", "api", |p| p.node = Text::EMPTY)(later);
    let later = new("api-9", "api", |p| p.meta.created = Some(after(3)))(later);
    // One that was there long before is nobody's successor.
    let later = snapshot(vec![later.pod("api-old", "api", "n1")]);
    let drain = DrainProgress::of(&run, &later, after(30)).unwrap();
    let mut words = said(&drain);
    words.sort();
    assert_eq!(words[2], "cart-1: new one on n1 Ready after 18s");
    assert!(words.iter().any(|w| w.ends_with("new one waits for a node, 28s")), "{words:?}");
    assert!(words.iter().any(|w| w.ends_with("new one on n1 is starting, 27s")), "{words:?}");
    assert_eq!((drain.ready, drain.wanted), (1, 3));
    let last = drain.pods.last().unwrap();
    assert!(last.settled && last.ready_elsewhere, "what is Ready elsewhere comes last");
    assert_eq!(last.object.as_ref().unwrap().name, "cart-2");
}

#[test]
fn a_budget_names_the_pods_that_would_open_it_and_what_would_help() {
    let other = |w: World| {
        w.pod("api-3", "api", "n1").pod_with("api-4", "api", "", |p| {
            p.ready = false;
            p.phase = crate::model::Phase::Pending;
            p.meta.created = Some(after(-190));
            p.message = "0/3 nodes are available: 3 Insufficient cpu.".into();
        })
    };
    let now = snapshot(vec![other(world())]);
    let mut run = run(&now);
    tell(&mut run, &now, "api-1", PodState::WaitsOnBudget("api".into()), 1);
    let drain = DrainProgress::of(&run, &now, after(2)).unwrap();
    let [held] = &drain.held[..] else { panic!("{:?}", drain.held) };
    assert_eq!((held.counts, held.missing), ((3, 3, 4), Some(1)));
    let [pod] = &held.not_ready[..] else { panic!("{:?}", held.not_ready) };
    assert_eq!(pod.name, "api-4");
    assert!(pod.why.starts_with("Pending 3m12s, "), "{}", pod.why);
    let offer = held.offer.clone().unwrap();
    assert_eq!(
        (&*offer.workload.name, offer.workload.kind, offer.from, offer.to),
        ("api", Kind::Deployment, 4, 5)
    );
    // Once it is over nothing is in its way any more.
    run.apply(&OpEvent {
        op: OpId(1),
        at: after(9),
        progress: Progress::Ended(crate::operations::Outcome::Stopped, "stopped".into()),
    });
    assert_eq!(DrainProgress::of(&run, &now, after(99)).unwrap().held, []);
}

#[test]
fn a_drain_that_is_over_waits_for_nothing() {
    let at_first = snapshot(vec![world()]);
    let mut run = run(&at_first);
    tell(&mut run, &at_first, "api-1", PodState::WaitsOnBudget("api".into()), 1);
    tell(&mut run, &at_first, "api-2", PodState::Queued, 1);
    tell(&mut run, &at_first, "cart-1", PodState::Leaving, 1);
    run.apply(&OpEvent {
        op: OpId(1),
        at: after(9),
        progress: Progress::Ended(crate::operations::Outcome::Stopped, "stopped".into()),
    });
    let drain = DrainProgress::of(&run, &at_first, after(99)).unwrap();
    assert_eq!(
        said(&drain),
        [
            "api-1: left: budget api held it",
            "api-2: left: not evicted",
            "cart-1: was asked to go; not looked at since"
        ]
    );
    assert_eq!(drain.pods.iter().map(|pod| pod.left).collect::<Vec<_>>(), [true, true, false]);
    // One that is not seen any more went by itself.
    let later = snapshot(vec![World::new(0, "gke", Tier::Prod).node("n0", "std", "b")]);
    let drain = DrainProgress::of(&run, &later, after(99)).unwrap();
    assert!(said(&drain).contains(&"cart-1: gone since".to_owned()), "{:?}", said(&drain));
    // The same of a cluster that is not in the fleet any more.
    let none = snapshot(Vec::new());
    let drain = DrainProgress::of(&run, &none, after(99)).unwrap();
    assert!(said(&drain).iter().all(|why| !why.contains("next try")), "{:?}", said(&drain));
}

#[test]
fn more_replicas_open_only_budgets_that_count_so() {
    let budget = |min: &str, max: &str, healthy, expected| Budget {
        min_available: min.into(),
        max_unavailable: max.into(),
        healthy,
        expected,
        ..Budget::default()
    };
    assert!(held::opens_with(&budget("3", "", 3, 3), 1));
    assert!(!held::opens_with(&budget("3", "", 2, 3), 1) && held::opens_with(&budget("3", "", 2, 3), 2));
    assert!(!held::opens_with(&budget("100%", "", 9, 9), 5), "it counts the new ones too");
    assert!(!held::opens_with(&budget("50%", "", 2, 4), 1) && held::opens_with(&budget("50%", "", 2, 4), 2));
    assert!(!held::opens_with(&budget("90%", "", 4, 4), 1));
    assert!(!held::opens_with(&budget("", "0", 9, 9), 5));
    assert!(held::opens_with(&budget("", "1", 9, 9), 1), "it is open already");
    assert!(!held::opens_with(&budget("", "", 9, 9), 1));
}
