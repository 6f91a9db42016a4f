//! Runs against a cluster in memory, under tokio's paused clock.

mod changes;
mod cut_off;
mod evictions;
mod steps;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::fake::{Fake, answer, busy};
use super::*;
use crate::model::{ClusterId, Span, Tier};
use crate::operations::fixture::{NOW, World, snapshot, uid};
use crate::operations::{
    Action, Approval, Confirmation, EvictPod, Outcome, Patch, PatchKind, PodState, Progress, Run, RunState,
    Step, Target, Tolerance,
};

struct Rig {
    runner: Runner<Fake>,
    events: mpsc::Receiver<OpEvent>,
    seen: Vec<OpEvent>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    began: Instant,
    journal: PathBuf,
    _directory: tempfile::TempDir,
}

fn world() -> World {
    World::new(0, "gke", Tier::Dev).node("n0", "std", "b")
}

fn rig(fake: &Fake) -> Rig {
    rig_with(fake, |_| ())
}

fn rig_with(fake: &Fake, change: impl FnOnce(&mut Journal)) -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    let mut journal = Journal::open(&path).unwrap();
    change(&mut journal);
    let began = Instant::now();
    let clock: Clock =
        Arc::new(move || NOW + Span::from_millis(i64::try_from(began.elapsed().as_millis()).unwrap()));
    let (snapshots, receiver) = watch::channel(Arc::new(snapshot(vec![world()])));
    let (sender, events) = mpsc::channel(64);
    let who = Who { host: "here".into(), os_user: "me(1)".into() };
    let runner = Runner::start(fake.clone(), journal, who, clock, receiver, sender);
    Rig { runner, events, seen: Vec::new(), snapshots, began, journal: path, _directory: directory }
}

fn node() -> Target {
    Target {
        cluster: ClusterId(0),
        api: "v1".into(),
        plural: "nodes".into(),
        kind: "Node".into(),
        namespace: Text::EMPTY,
        name: "n0".into(),
        uid: Some(uid(900)),
    }
}

fn patch(body: Value) -> Action {
    Action::Patch(Patch { target: node(), subresource: "", kind: PatchKind::Merge, body })
}

fn step(title: &str, action: Action) -> Step {
    Step {
        title: title.into(),
        way_back: Text::EMPTY,
        undo: Vec::new(),
        deadline: Some(Span::from_seconds(60)),
        tolerance: Tolerance::Nothing,
        action,
    }
}

fn cordon() -> Step {
    let undo = vec![patch(json!({ "spec": { "unschedulable": null } }))];
    Step { undo, ..step("cordon n0", patch(json!({ "spec": { "unschedulable": true } }))) }
}

/// The eviction of pods: name, uid, budget.
fn evict(pods: &[(&str, u64, Option<&str>)]) -> Step {
    let pods = pods.iter().map(|(name, number, budget)| EvictPod {
        namespace: "shop".into(),
        name: Text::clean(name),
        uid: uid(*number),
        budgets: budget.iter().map(|b| Text::clean(b)).collect(),
        grace: 3,
        owner: None,
        delete: false,
    });
    step(
        "evict",
        Action::Evict {
            node: node(),
            pods: pods.collect(),
            grace: None,
            at_once: None,
            kept: Vec::new(),
            selector: Text::EMPTY,
        },
    )
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        operation: "drain",
        title: "drain 1 node".into(),
        subjects: Vec::new(),
        touches: vec![ClusterId(0)],
        made: NOW,
        preview: Vec::new(),
        objects: Vec::new(),
        choices: Vec::new(),
        steps,
        refusals: Vec::new(),
        kubectl: Vec::new(),
        confirmation: Confirmation { word: "yes".into() },
        rests_on: Vec::new(),
        drill: false,
        recovery: None,
    }
}

fn permit(plan: &Plan) -> Permit {
    Permit { plan: plan.hash(), clusters: plan.touches.clone(), approval: Approval::Word("yes".into()) }
}

impl Rig {
    fn submit(&mut self, plan: &Plan) -> OpId {
        self.began = Instant::now();
        self.runner.submit(plan.clone(), permit(plan))
    }

    /// Listens until the run ends, and says how.
    async fn end(&mut self) -> (Outcome, String) {
        loop {
            let event = self.events.recv().await.unwrap();
            self.seen.push(event.clone());
            if let Progress::Ended(outcome, why) = event.progress {
                return (outcome, why.to_string());
            }
        }
    }

    /// Listens until so many seconds after the start.
    async fn until(&mut self, seconds: u64) {
        let at = self.began + Duration::from_secs(seconds);
        while let Ok(event) = tokio::time::timeout_at(at, self.events.recv()).await {
            self.seen.push(event.unwrap());
        }
    }

    /// The states that a pod went through: seconds since the start, state, why.
    fn states(&self, name: &str) -> Vec<(i64, PodState, String)> {
        let of = |event: &OpEvent| match &event.progress {
            Progress::Pod(pod) if pod.name == name => {
                Some((self.at(event), pod.state.clone(), pod.why.to_string()))
            }
            _ => None,
        };
        self.seen.iter().filter_map(of).collect()
    }

    fn at(&self, event: &OpEvent) -> i64 {
        NOW.age(event.at).seconds()
    }

    fn evidence(&self) -> Vec<String> {
        let of = |event: &OpEvent| match &event.progress {
            Progress::Evidence(line) => Some(line.to_string()),
            _ => None,
        };
        self.seen.iter().filter_map(of).collect()
    }

    fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.journal).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_cordons_evicts_waits_until_gone_and_is_in_the_journal() {
    let fake = Fake::default().pod("a", 1, None).pod("b", 2, None);
    let left = |name: &str, owner: &str| json!({ "metadata": { "namespace": "shop", "name": name, "ownerReferences": [{ "apiVersion": "apps/v1", "kind": owner }] } });
    let mut bears = left("kruise", "ReplicaSet");
    bears["spec"] = json!({ "tolerations": [{ "operator": "Exists" }] });
    let items = json!({ "items": [left("agent", "DaemonSet"), bears] });
    fake.state().objects.insert("/api/v1/pods?fieldSelector=spec.nodeName%3Dn0".to_owned(), items);
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![cordon(), evict(&[("a", 1, None), ("b", 2, None)])]));
    assert_eq!(
        rig.end().await,
        (Outcome::Done, "drain 1 node: done, but still on n0: shop/kruise".to_owned())
    );
    let writes = fake.writes();
    assert_eq!(writes[0].0, "PATCH /api/v1/nodes/n0?fieldManager=quarterdeck");
    assert_eq!(writes[0].1["metadata"]["uid"], "00000000-0000-4000-8000-000000000384");
    assert_eq!(writes.len(), 3);
    let states: Vec<PodState> = rig.states("a").into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, [PodState::Queued, PodState::Evicting, PodState::Leaving, PodState::Gone]);

    let mut run = Run::new(OpId(1), plan(vec![cordon(), evict(&[])]), NOW);
    rig.seen.iter().for_each(|event| run.apply(event));
    assert_eq!(run.state, RunState::Ended(Outcome::Done));
    assert_eq!(run.steps[1].evidence, "2 of 2 gone; still on n0: shop/kruise");
    // Three writes, each with its intent before and its result after.
    assert_eq!(journal::verify(&rig.journal).unwrap().records as usize, rig.records().len());
    let actions: Vec<String> =
        rig.records().iter().map(|r| r["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(actions[..3], ["accepted", "intent", "result"]);
    assert_eq!(actions.iter().filter(|a| *a == "intent").count(), 3);
    assert_eq!(actions.last().unwrap(), "ended");
    let intent = &rig.records()[1];
    assert_eq!((&intent["cluster"]["name"], &intent["objects"][0]["name"]), (&json!("gke"), &json!("n0")));
    assert_eq!((&intent["host"], &intent["approvals"]), (&json!("here"), &json!(["yes"])));
    assert_eq!(intent["plan_sha256"].as_str().unwrap().len(), 64);
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_is_asked_every_five_seconds_and_one_pod_at_a_time() {
    let fake = Fake::default().pod("o1", 1, Some("b")).pod("o2", 2, Some("b"));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![evict(&[("o1", 1, Some("b")), ("o2", 2, Some("b"))])]));
    rig.until(7).await;
    fake.state().allowed.insert("b".to_owned(), 1);
    rig.until(12).await;
    fake.state().allowed.insert("b".to_owned(), 1);
    assert_eq!(rig.end().await.0, Outcome::Done);
    let times = |name: &str| -> Vec<i64> {
        let path = format!("POST /api/v1/namespaces/shop/pods/{name}/eviction");
        fake.times(&path, rig.began).iter().map(|s| s.round() as i64).collect()
    };
    assert_eq!(times("o1"), [0, 5, 10]);
    // Its turn comes the moment the first has gone through, and not before.
    assert_eq!(times("o2"), [10, 15]);
    let waits = rig.states("o1");
    assert_eq!(waits[2].1, PodState::WaitsOnBudget("b".into()));
    assert!(waits[2].2.contains("needs 2 healthy pods and has 2 currently; asked 1 times"), "{}", waits[2].2);
    assert!(rig.states("o2").iter().any(|(_, s, why)| *s == PodState::Queued && why == "same budget, b"));
    // The journal has one intent for each pod, however often it was asked.
    assert_eq!(rig.records().iter().filter(|r| r["action"] == "intent").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_the_snapshot_shows_open_is_tried_at_once() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![evict(&[("o1", 1, Some("b"))])]));
    rig.until(2).await;
    fake.state().allowed.insert("b".to_owned(), 1);
    rig.snapshots.send(Arc::new(snapshot(vec![world().budget("b", "orders", 1, 3, 2)]))).unwrap();
    assert_eq!(rig.end().await.0, Outcome::Done);
    let times = fake.times("POST", rig.began);
    assert_eq!(times.len(), 2);
    assert!(times[1] < 2.1, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_pods_hold_nobody_else_up() {
    let names: Vec<String> = (0..60).map(|i| format!("p{i:02}")).collect();
    let mut fake = Fake::default();
    let mut pods = Vec::new();
    for (index, name) in names.iter().enumerate() {
        // Forty that wait on one budget come first, then twenty that are free.
        let budget = (index < 40).then_some("b");
        fake = fake.pod(name, index as u64 + 1, budget);
        pods.push((name.as_str(), index as u64 + 1, budget));
    }
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![Step { deadline: Some(Span::from_seconds(20)), ..evict(&pods) }]));
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::TimedOut);
    assert!(
        why.starts_with(
            "not done in 20s: 20 of 60 gone; left: shop/p00 (budget b), shop/p01 (not asked for yet)"
        ),
        "{why}"
    );
    for name in &names[40..] {
        let path = format!("POST /api/v1/namespaces/shop/pods/{name}/eviction");
        assert!(fake.times(&path, rig.began)[0] < 1.0, "{name}");
    }
    assert!(fake.state().most <= 10, "{}", fake.state().most);
    assert_eq!(fake.times("POST /api/v1/namespaces/shop/pods/p01/", rig.began).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_pod_of_the_same_name_is_left_alone() {
    let fake = Fake::default().pod("db-0", 1, None).pod("db-1", 77, None);
    fake.state().pods.get_mut("db-0").unwrap().comes_back = true;
    let mut rig = rig(&fake);
    // db-1 is another pod already.
    rig.submit(&plan(vec![evict(&[("db-0", 1, None), ("db-1", 2, None)])]));
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert_eq!(fake.writes().len(), 2);
    assert_eq!(fake.state().pods["db-1"].gone_at, None);
    for name in ["db-0", "db-1"] {
        let (_, state, why) = rig.states(name).pop().unwrap();
        assert_eq!((state, why.as_str()), (PodState::Gone, "gone; another pod has its name by now"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_told_from_a_budget_and_its_wish_is_kept() {
    let fake = Fake::default().pod("a", 1, None);
    fake.script("POST", 1, &busy(7));
    fake.script("POST", 1, &answer(503, json!({ "message": "apiserver is shutting down" })));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![evict(&[("a", 1, None)])]));
    assert_eq!(rig.end().await.0, Outcome::Done);
    let times: Vec<i64> = fake.times("POST", rig.began).iter().map(|s| s.round() as i64).collect();
    assert_eq!(times, [0, 7, 12]);
    assert!(
        rig.states("a")
            .iter()
            .any(|(_, s, why)| *s == PodState::ServerBusy && why.starts_with("429: too many"))
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_and_undoing_uncordons_and_evicts_no_more() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    let op = rig.submit(&plan(vec![cordon(), evict(&[("o1", 1, Some("b"))])]));
    rig.until(2).await;
    rig.runner.control(op, Control::StopAndUndo);
    // A later wish cannot take it back.
    rig.runner.control(op, Control::Resume);
    let (outcome, why) = rig.end().await;
    assert_eq!(
        (outcome, why.as_str()),
        (Outcome::Stopped, "stopped, 0 of 1 gone; left: shop/o1 (budget b); 1 undone")
    );
    let writes = fake.writes();
    assert_eq!(writes.len(), 3);
    assert_eq!(writes[2].1["spec"], json!({ "unschedulable": null }));
    assert!(rig.seen.iter().any(|e| e.progress == Progress::Undoing));
}

#[tokio::test(start_paused = true)]
async fn what_failed_can_be_undone_afterwards() {
    let fake = Fake::default().pod("a", 1, None).pod("b", 2, None);
    let double = json!({ "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support." });
    fake.script("POST /api/v1/namespaces/shop/pods/a/", 1, &answer(500, double));
    let mut rig = rig(&fake);
    let op = rig.submit(&plan(vec![cordon(), evict(&[("a", 1, None), ("b", 2, None)])]));
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Failed);
    assert!(why.starts_with("1 of 2 gone; left: shop/a: more than one budget guards it"), "{why}");
    assert_eq!(fake.times("POST /api/v1/namespaces/shop/pods/a/", rig.began).len(), 1);
    rig.runner.control(op, Control::StopAndUndo);
    assert!(rig.end().await.1.ends_with("; 1 undone"));
    assert_eq!(fake.writes().last().unwrap().1["spec"], json!({ "unschedulable": null }));
}

#[tokio::test(start_paused = true)]
async fn while_the_cluster_does_not_answer_nothing_more_is_evicted() {
    let fake = Fake::default().pod("a", 1, None).pod("o1", 2, Some("b"));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![evict(&[("a", 1, None), ("o1", 2, Some("b"))])]));
    rig.until(1).await;
    fake.state().dead = true;
    rig.until(21).await;
    fake.state().dead = false;
    fake.state().allowed.insert("b".to_owned(), 1);
    assert_eq!(rig.end().await.0, Outcome::Done);
    let posts = fake.times("POST", rig.began);
    assert!(posts.iter().all(|at| *at < 1.0 || *at > 21.0), "{posts:?}");
    let pings = fake.times("GET /api/v1/nodes/n0", rig.began);
    assert!((3..=5).contains(&pings.len()), "{pings:?}");
    let evidence = rig.evidence();
    assert!(
        evidence[0].starts_with("gke does not answer: no answer in 10 s; no further pod"),
        "{evidence:?}"
    );
    assert!(evidence[1].starts_with("gke answers again after"), "{evidence:?}");
    assert!(
        rig.states("o1").iter().any(|(_, s, why)| *s == PodState::Queued && why == "gke does not answer")
    );
}

#[tokio::test(start_paused = true)]
async fn pausing_holds_before_the_next_eviction() {
    let fake = Fake::default().pod("a", 1, None).pod("o1", 2, Some("b"));
    let mut rig = rig(&fake);
    let op = rig.submit(&plan(vec![evict(&[("a", 1, None), ("o1", 2, Some("b"))])]));
    rig.until(1).await;
    rig.runner.control(op, Control::Pause);
    fake.state().allowed.insert("b".to_owned(), 1);
    rig.until(20).await;
    assert_eq!(fake.times("POST", rig.began).len(), 2);
    assert!(rig.seen.iter().any(|e| e.progress == Progress::Paused));
    rig.runner.control(op, Control::Resume);
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert!(rig.seen.iter().any(|e| e.progress == Progress::Resumed));
    assert_eq!(fake.times("POST", rig.began).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_the_right_permit_nothing_is_sent_or_recorded() {
    let fake = Fake::default();
    let mut rig = rig(&fake);
    let good = plan(vec![cordon()]);
    let right = permit(&good);
    let mut refused = Plan { refusals: vec!["one zone at a time".into()], ..good.clone() };
    refused.title = "refused".into();
    let cases = [
        (good.clone(), Permit { plan: "0".repeat(64), ..right.clone() }, "not the one that was confirmed"),
        (plan(vec![cordon(), evict(&[])]), right.clone(), "not the one that was confirmed"),
        (
            good.clone(),
            Permit { approval: Approval::Word("no".into()), ..right.clone() },
            "was not confirmed with \"yes\"",
        ),
        (good.clone(), Permit { clusters: vec![ClusterId(1)], ..right.clone() }, "are read-only"),
        (refused, right.clone(), "one zone at a time"),
    ];
    for (plan, permit, expected) in cases {
        rig.runner.submit(plan, permit);
        let (outcome, why) = rig.end().await;
        assert_eq!(outcome, Outcome::Refused);
        assert!(why.contains(expected), "{why}");
    }
    assert!(fake.state().log.is_empty());
    assert!(rig.records().is_empty());
    // A plan that hides where it writes to is stopped at the write itself.
    let hidden = Plan { touches: Vec::new(), ..good };
    let permit = Permit { plan: hidden.hash(), clusters: Vec::new(), approval: Approval::Word("yes".into()) };
    rig.runner.submit(hidden, permit);
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Failed);
    assert!(why.contains("not among the clusters"), "{why}");
    assert!(fake.state().log.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_a_record_nothing_is_written() {
    let fake = Fake::default().pod("a", 1, None);
    let mut rig = rig_with(&fake, Journal::break_it);
    rig.submit(&plan(vec![cordon(), evict(&[("a", 1, None)])]));
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Refused);
    assert!(why.contains("journal"), "{why}");
    assert!(fake.state().log.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_stops_when_nobody_can_stop_it_any_more() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![cordon(), evict(&[("o1", 1, Some("b"))])]));
    rig.until(2).await;
    let Rig { runner, mut events, journal: path, _directory: keep, .. } = rig;
    drop(runner);
    let mut ended = None;
    while let Some(event) = events.recv().await {
        if let Progress::Ended(outcome, _) = event.progress {
            ended = Some(outcome);
        }
    }
    assert_eq!(ended, Some(Outcome::Stopped));
    // Nobody decided that: the next start finds it and asks.
    assert_eq!(journal::unfinished(&path, "here", &|_, _| false).len(), 1);
    drop(keep);
}
