use std::sync::Arc;

use super::*;
use crate::model::{Basis, Capacity, Kind, Node, Price, Record, Sample, Truth, Workload};
use crate::views::Observer;
use crate::views::health::rules;
use crate::views::scenes::*;

mod karpenter;
mod keda;
mod nodes;

fn price() -> PriceOf {
    Arc::new(|_, node| {
        let known = !node.identity.instance_type.is_empty();
        let spot = node.identity.capacity == Capacity::Spot;
        let micros = if spot { 130_000 } else { 390_000 };
        Price {
            rate: known.then(|| Money::from_micros(micros)),
            basis: if spot { Basis::Estimated } else { Basis::List },
            capacity: node.identity.capacity,
        }
    })
}

struct Stage {
    scene: Scene,
    observers: Vec<Box<dyn Observer>>,
}

impl Stage {
    fn new(records: Vec<Record>) -> Stage {
        let scene = Scene::new(0, "eks-use1").with(&rules(), records, now());
        Stage { scene, observers: observers(&price()) }
    }

    fn say(&mut self, at: &str, before: Option<Record>, after: Option<Record>) {
        self.scene.then(&self.observers, before.as_ref(), after.as_ref(), clock(at));
    }

    fn event(
        &mut self,
        at: &str,
        regarding: (&str, &str, &str),
        component: &str,
        reason: &str,
        message: &str,
    ) {
        let event = event(regarding, component, reason, message, clock(at));
        self.say(at, None, Some(Record::Event(event)));
    }

    fn end(self) -> Snapshot {
        snapshot(vec![self.scene])
    }
}

fn nodes(count: usize) -> Vec<Record> {
    (0..count).map(|n| Record::from(node(&format!("n{n}"), "general", "us-east-1a"))).collect()
}

fn booting(name: &str, born: &str) -> Node {
    let mut node = node(name, "general", "us-east-1a");
    node.meta.created = Some(clock(born));
    node.ready = Truth::False;
    node.ready_since = Some(clock(born));
    node
}

fn up(mut node: Node, at: &str) -> Node {
    node.ready = Truth::True;
    node.ready_since = Some(clock(at));
    node
}

fn rows_of(snapshot: &Snapshot) -> Vec<String> {
    sheet(snapshot, &Scope::All, ScalingLens::Time, now()).rows.iter().map(cells).collect()
}

const PENDING: &str = "0/86 nodes are available: 86 Insufficient cpu. preemption: 0/86 nodes are available.";

fn scaler(desired: u32, current: u32) -> Option<Record> {
    Some(Record::Autoscaler(checkout(desired, current)))
}

fn target(desired: u32, ready: u32) -> Option<Record> {
    Some(Record::Workload(deployment("shop", "checkout", "checkout:7.3", desired, ready)))
}

/// checkout grows to its ceiling: a first step for which nodes come, a second that idle takes.
fn grows() -> Snapshot {
    let mut records = nodes(83);
    records.extend(scaler(28, 28));
    records.extend(target(28, 28));
    let mut stage = Stage::new(records);
    stage.say("01:49:17", scaler(28, 28), scaler(34, 28));
    // The deployment follows its autoscaler: not a second row.
    stage.say("01:49:17", target(28, 28), target(34, 28));
    for n in 0..6 {
        let pod = format!("checkout-7d9f-p{n}");
        stage.event("01:49:20", ("Pod", "shop", &pod), "default-scheduler", "FailedScheduling", PENDING);
    }
    stage.event(
        "01:49:18",
        ("HorizontalPodAutoscaler", "shop", "checkout"),
        "horizontal-pod-autoscaler",
        "SuccessfulRescale",
        "New size: 34; reason: cpu resource utilization (percentage of request) above target",
    );
    let new = booting("m1", "01:50:00");
    stage.say("01:50:00", None, Some(Record::from(new.clone())));
    stage.say("01:51:20", Some(Record::from(new.clone())), Some(Record::from(up(new, "01:51:20"))));
    stage.say("01:52:07", target(34, 28), target(34, 34));
    stage.say("01:58:10", scaler(34, 34), scaler(40, 40));
    stage.say("01:58:10", target(34, 34), target(40, 34));
    stage.say("01:58:19", target(40, 34), target(40, 40));
    stage.end()
}

#[test]
fn replicas_are_absorbed_unless_nodes_came_for_them() {
    let snapshot = grows();
    // A core and a GiB weigh 7.46 to 1; half a core and 1 GiB of 83 nodes with 8 and 32.
    assert_eq!(
        rows_of(&snapshot),
        [
            "01:58:10 | ▲ | eks-use1 | checkout HPA | 34→40 | cpu 96 %/70 %: max 40, wants 55 | absorbed | 9s",
            "01:50:00 | ↑ | eks-use1 | nodes general | 83→84 | checkout pending 40s; n2-standard-8 | +0.39 | 2m03s",
            "01:49:17 | ↑ | eks-use1 | checkout HPA | 28→34 | cpu 96 %/70 % | +0.12 | 2m50s",
        ]
    );
    assert_eq!(
        sheet(&snapshot, &Scope::All, ScalingLens::Time, now()).answer,
        "3 events in 60 min: 1 node added; +$0.39/h cash. At ceiling: checkout, 15 min"
    );
}

#[test]
fn the_story_goes_from_the_wish_to_what_serves() {
    let snapshot = grows();
    let sheet = sheet(&snapshot, &Scope::All, ScalingLens::Time, now());
    let story = story(&snapshot, &sheet.rows[0].id, now());
    assert_eq!(story.title, "checkout, eks-use1 · story · at ceiling 15 min · HPA 6..40, target cpu 70 %");
    assert_eq!(
        lines(&story),
        [
            "01:49:17 HPA: 28 → 34: cpu 96 %/70 %",
            "01:49:20 pending: +3s  6 pods: Insufficient cpu",
            "01:50:00 nodes: +40s  1 joined, nodes general: n2-standard-8, +$0.39/h",
            "01:51:20 nodes: +1m20s  1 Ready, nodes general",
            "01:52:07 serving: +47s  34 of 34 pods Ready; time to capacity 2m50s",
            "01:58:10 HPA: +6m03s  34 → 40: cpu 96 %/70 %: max 40, wants 55",
            "01:58:19 serving: +9s  40 of 40 pods Ready; time to capacity 9s",
            "hint: max 40 → 55: 15 pods more now for cpu 96 %/70 %, ~+$0.30/h",
        ]
    );
    let chart = &story.charts[0];
    assert_eq!(
        (chart.label.as_str(), chart.ends.0.as_str(), chart.ends.1.as_str()),
        ("replicas", "28", "40")
    );
    assert_eq!(chart.values.len(), 61);
}

#[test]
fn going_up_and_down_is_flapping() {
    let keda = |desired: u32| {
        let mut scaler = checkout(desired, desired);
        scaler.meta = meta("media", "keda-hpa-imgproc");
        scaler.target = "imgproc".into();
        Some(Record::Autoscaler(scaler))
    };
    let mut stage = Stage::new(keda(8).into_iter().collect());
    let sizes = [8, 14, 8, 14, 8, 14];
    for (n, pair) in sizes.windows(2).enumerate() {
        stage.say(&format!("01:{}:00", 50 + n), keda(pair[0]), keda(pair[1]));
    }
    let snapshot = stage.end();
    let rows = rows_of(&snapshot);
    assert_eq!(rows.len(), 5);
    assert_eq!(
        rows[0],
        "01:54:00 | ▲ | eks-use1 | imgproc KEDA | 8→14 | cpu 96 %/70 %; flaps, 5 in 30 min | ? | -"
    );
    assert_eq!(
        sheet(&snapshot, &Scope::All, ScalingLens::Time, now()).answer,
        "5 events in 60 min. Flaps: imgproc"
    );
    let findings = crate::views::health::findings(&snapshot, &Scope::All, now());
    assert_eq!(findings[0].what, "imgproc scales 8 ↔ 14, 5 times in 30 min");
    assert_eq!(findings[0].tone, Tone::Warn);
    // Half an hour later it is quiet again.
    assert!(flaps(&snapshot.fleet.clusters[0], &Scope::All, now() + Span::from_seconds(1800)).is_empty());
}

#[test]
fn events_from_before_the_watch_stand_with_their_own_time() {
    let mut stage = Stage::new(nodes(3));
    let hpa = ("HorizontalPodAutoscaler", "shop", "checkout");
    let who = "horizontal-pod-autoscaler";
    stage.event("01:30:00", hpa, who, "SuccessfulRescale", "New size: 8; reason: All metrics below target");
    stage.event("01:40:00", hpa, who, "SuccessfulRescale", "New size: 12; reason: cpu above target");
    stage.event(
        "01:41:00",
        ("ConfigMap", "kube-system", "cluster-autoscaler-status"),
        "cluster-autoscaler",
        "ScaledUpGroup",
        "Scale-up: group general size set to 5 instead of 3 (max: 9)",
    );
    stage.event(
        "01:42:00",
        ("NodeClaim", "", "general-x1"),
        "karpenter",
        "InsufficientCapacityError",
        "no instance of c6i.large in us-east-1b",
    );
    let snapshot = stage.end();
    assert_eq!(
        rows_of(&snapshot),
        [
            "01:42:00 | ✖ | eks-use1 | nodeclaim general-x1 | · | no instance of c6i.large in us-east-1b | - | -",
            "01:41:00 | ↑ | eks-use1 | nodes general | 3→5 | cluster autoscaler, max 9 | - | -",
            "01:40:00 | ↑ | eks-use1 | checkout HPA | 8→12 | cpu above target | - | -",
            "01:30:00 | ↓ | eks-use1 | checkout HPA | ?→8 | All metrics below target | - | -",
        ]
    );
}

#[test]
fn what_people_scale_is_told_and_rollouts_are_not() {
    let workload = |desired, ready| Some(Record::Workload(deployment("web", "front", "f:1", desired, ready)));
    let mut stage = Stage::new(nodes(4));
    stage.say("02:00:00", workload(3, 3), workload(5, 3));
    stage.say("02:00:40", workload(5, 3), workload(5, 5));
    stage.say("02:05:00", workload(5, 5), workload(5, 4));
    stage.say("02:05:30", workload(5, 4), workload(5, 5));
    let daemons = |desired| {
        let set = deployment("web", "agent", "a:1", desired, desired);
        Some(Record::Workload(Workload { kind: Kind::DaemonSet, ..set }))
    };
    stage.say("02:06:00", daemons(3), daemons(4));
    let snapshot = stage.end();
    assert_eq!(rows_of(&snapshot), ["02:00:00 | ↑ | eks-use1 | front | 3→5 | replicas set | absorbed | 40s"]);
    let elsewhere = Scope::Namespace(crate::model::ClusterId(0), "shop".into());
    let sheet = sheet(&snapshot, &elsewhere, ScalingLens::Time, now());
    assert_eq!(sheet.answer, "Nothing scaled in 60 min");
    assert_eq!(sheet.empty, "Nothing scaled in 60 min. History from 02:00.");
}

#[test]
fn a_storm_folds_by_object() {
    let mut stage = Stage::new(Vec::new());
    let mut workloads: Vec<(Option<Record>, Option<Record>)> = Vec::new();
    for n in 0..210_u32 {
        let of = |d| Some(Record::Workload(deployment("web", "front", "f:1", d, 0)));
        workloads.push((of(n + 1), of(n + 2)));
    }
    for (before, after) in workloads {
        stage.say("02:10:00", before, after);
    }
    let rows = rows_of(&stage.end());
    assert_eq!(rows.len(), 1);
    assert!(rows[0].contains("front ×210"), "{}", rows[0]);
}

#[test]
fn charts_say_nothing_of_minutes_that_they_do_not_know() {
    let sampled = |id: u16, nodes: u32, gap: bool| {
        Scene::new(id, "c").set(|c| {
            let minutes = (0..=60).filter(|m| !gap || !(20..30).contains(m));
            let samples = minutes.map(|m| Sample {
                at: now() - Span::from_seconds(3600 - m * 60),
                nodes,
                pods: 9,
                pending: u32::try_from(m).unwrap() / 30,
                rate: Money::ZERO,
            });
            c.series = Arc::new(crate::model::Series { samples: samples.collect() });
        })
    };
    let snapshot = snapshot(vec![sampled(0, 1000, false), sampled(1, 204, true), Scene::new(2, "new")]);
    let charts = sheet(&snapshot, &Scope::All, ScalingLens::Time, now()).charts;
    assert_eq!((charts[0].label.as_str(), charts[0].note.as_str()), ("nodes", "01:14 → 02:14"));
    assert_eq!((charts[0].ends.0.as_str(), charts[0].ends.1.as_str()), ("1,204", "1,204"));
    let unknown = charts[0].values.iter().filter(|v| v.is_none()).count();
    assert_eq!((charts[0].values.len(), unknown), (61, 8));
    assert_eq!((charts[2].ends.0.as_str(), charts[2].ends.1.as_str()), ("0", "4"));
}

#[test]
fn a_rescale_takes_its_old_size_from_what_the_deployment_says() {
    let mut stage = Stage::new(nodes(1));
    let hpa = ("HorizontalPodAutoscaler", "shop", "checkout");
    let reason = "New size: 9; reason: cpu resource utilization (percentage of request) above target";
    stage.event("02:00:00", hpa, "horizontal-pod-autoscaler", "SuccessfulRescale", reason);
    let scaled = "Scaled up replica set checkout-7d9f from 6 to 9";
    let deployment = ("Deployment", "shop", "checkout");
    stage.event("02:00:01", deployment, "deployment-controller", "ScalingReplicaSet", scaled);
    assert_eq!(
        rows_of(&stage.end()),
        ["02:00:00 | ↑ | eks-use1 | checkout HPA | 6→9 | cpu above target | - | -"]
    );
}

#[test]
fn a_change_seen_on_the_workload_is_told_in_the_words_of_its_autoscaler() {
    let before = deployment("shop", "checkout", "c:1", 2, 2);
    let mut stage = Stage::new(vec![Record::Workload(before.clone())]);
    let hpa = ("HorizontalPodAutoscaler", "shop", "checkout");
    let reason = "New size: 6; reason: Current number of replicas below Spec.MinReplicas";
    stage.event("02:00:00", hpa, "horizontal-pod-autoscaler", "SuccessfulRescale", reason);
    let after = deployment("shop", "checkout", "c:1", 6, 2);
    stage.say("02:00:01", Some(Record::Workload(before)), Some(Record::Workload(after)));
    let rows = rows_of(&stage.end());
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].contains("checkout HPA | 2→6 | was below minReplicas"), "{rows:?}");
}

#[test]
fn lenses_fold_what_belongs_together() {
    let mut stage = Stage::new(nodes(83));
    let scale = |stage: &mut Stage, at: &str, from, to| {
        let (old, new) = (checkout(from, from), checkout(to, from));
        stage.say(at, Some(Record::Autoscaler(old)), Some(Record::Autoscaler(new)));
    };
    scale(&mut stage, "02:00:00", 10, 14);
    stage.event(
        "02:00:20",
        ("Pod", "shop", "checkout-7d9f-a1"),
        "default-scheduler",
        "FailedScheduling",
        PENDING,
    );
    let node = booting("m1", "02:01:00");
    stage.say("02:01:00", None, Some(Record::from(node)));
    scale(&mut stage, "02:03:00", 14, 20);
    let snapshot = stage.end();
    let by =
        |lens| -> Vec<String> { sheet(&snapshot, &Scope::All, lens, now()).rows.iter().map(cells).collect() };
    assert_eq!(by(ScalingLens::Time).len(), 3);
    let story = by(ScalingLens::Story);
    assert_eq!(story.len(), 1, "{story:?}");
    assert!(
        story[0].contains("checkout HPA | 10→20 |") && story[0].contains("nodes general 83→84"),
        "{story:?}"
    );
    assert!(story[0].contains("+0.39"), "only nodes are cash: {story:?}");
    let object = by(ScalingLens::Object);
    assert_eq!(object.len(), 2, "{object:?}");
    assert!(object[0].contains("checkout HPA | 10→20 | 2×, last: "), "{object:?}");
    let cause = sheet(&snapshot, &Scope::All, ScalingLens::Cause, now());
    assert_eq!(cause.rows.len(), 2);
    let proof = evidence(&snapshot, &Scope::All, ScalingLens::Cause, &cause.rows[0].id, now());
    assert_eq!(proof.lines.len(), 2, "{proof:?}");
}

#[test]
fn every_name_is_said_once() {
    let names = |list: &[&str]| each_once(list.iter().map(|name| Text::from(*name)));
    assert_eq!(names(&["imgproc", "imgproc"]), "imgproc in 2 clusters");
    assert_eq!(names(&["a", "b", "a", "c", "d"]), "a in 2 clusters, b, c +1");
}
