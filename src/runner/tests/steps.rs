//! Steps other than evictions, and the check before a run.

use super::*;
use crate::model::Kind;
use crate::operations::{Probe, ReadyTarget, Recovery, StepState, Tolerance};

fn cart() -> ReadyTarget {
    let target = Target {
        api: "apps/v1".into(),
        plural: "deployments".into(),
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: "cart".into(),
        ..node()
    };
    ReadyTarget { target, kind: Kind::Deployment, replicas: 3, as_wanted: false }
}

fn cart_status(ready: u32, observed: u32) -> Value {
    json!({ "metadata": { "generation": 2 }, "status": { "observedGeneration": observed, "readyReplicas": ready } })
}

const CART: &str = "/apis/apps/v1/namespaces/shop/deployments/cart";

#[tokio::test(start_paused = true)]
async fn workloads_are_ready_when_their_newest_spec_is() {
    let fake = Fake::default();
    fake.state().objects.insert(CART.to_owned(), cart_status(3, 1));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![step("ready", Action::AwaitReady(vec![cart()]))]));
    rig.until(5).await;
    fake.state().objects.insert(CART.to_owned(), cart_status(1, 2));
    rig.until(9).await;
    fake.state().objects.insert(CART.to_owned(), cart_status(3, 2));
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert_eq!(rig.evidence(), ["not Ready yet: cart 2/3", "not Ready yet: cart 1/3"]);
}

#[tokio::test(start_paused = true)]
async fn a_drill_whose_probe_fails_is_put_back_by_itself() {
    let fake = Fake::default();
    fake.state().probes = vec![503];
    let probe =
        Probe::Http { url: "https://standby/healthz".into(), status: 200, every: Span::from_seconds(5) };
    let drill = Plan {
        drill: true,
        ..plan(vec![cordon(), step("probe", Action::Probe(probe)), step("put back", patch(json!({})))])
    };
    let mut rig = rig(&fake);
    rig.submit(&drill);
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::TimedOut);
    assert!(why.contains("answers 503, not 200, tried 12 times; 1 undone"), "{why}");
    assert_eq!(fake.writes().last().unwrap().1["spec"], json!({ "unschedulable": null }));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_may_fail_is_reported_and_the_run_goes_on() {
    let fake = Fake::default();
    fake.script("GET /readyz", 1, &answer(500, json!({ "message": "etcd failed" })));
    fake.state().probes = vec![503, 503, 200];
    let probe =
        Probe::Http { url: "https://standby/healthz".into(), status: 200, every: Span::from_seconds(5) };
    let assess = Step { tolerance: Tolerance::Anything, ..step("assess", Action::Assess(ClusterId(0))) };
    let failover = plan(vec![assess, step("probe", Action::Probe(probe))]);
    let mut rig = rig(&fake);
    rig.submit(&failover);
    assert_eq!(rig.end().await.0, Outcome::Done);
    let mut run = Run::new(OpId(1), failover, NOW);
    rig.seen.iter().for_each(|event| run.apply(event));
    assert_eq!(run.steps[0].state, StepState::Failed);
    assert!(
        run.steps[0].evidence.contains("answers and is not ready: 500: etcd failed"),
        "{}",
        run.steps[0].evidence
    );
    assert_eq!(run.steps[1].evidence, "GET https://standby/healthz: 200, try 3");
    assert_eq!(run.recovery_time().map(Span::seconds), Some(10));
}

#[tokio::test(start_paused = true)]
async fn a_patch_for_another_object_of_that_name_is_refused() {
    let fake = Fake::default();
    fake.script(
        "PATCH",
        1,
        &answer(
            409,
            json!({ "message": "Precondition failed: UID in precondition: a, UID in object meta: b" }),
        ),
    );
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![cordon()]));
    let (outcome, why) = rig.end().await;
    assert_eq!(
        (outcome, why.as_str()),
        (Outcome::Failed, "Node n0: another object of that name is there by now; make the plan again")
    );
    let err = rig.records().iter().find_map(|r| r["err"].as_str().map(str::to_owned));
    assert!(err.unwrap().contains("another object"));
}

#[tokio::test(start_paused = true)]
async fn checking_asks_for_rights_and_runs_dry() {
    let fake = Fake::default().pod("a", 1, None).pod("o1", 2, Some("b"));
    let denied = answer(201, json!({ "status": { "allowed": false, "reason": "no RBAC policy matched" } }));
    let rig = rig(&fake);
    let plan = plan(vec![cordon(), evict(&[("a", 1, None), ("o1", 2, Some("b"))])]);
    let lines = rig.runner.check(plan.clone()).await;
    let said: Vec<&str> = lines.iter().map(|l| l.text.as_str()).collect();
    assert_eq!(
        said,
        ["nodes patch, pods get, pods/eviction create", "dry run: 2 accepted, 1 refused by a budget for now"]
    );
    assert!(
        fake.writes().iter().all(|(what, _)| what.contains("dryRun=All") || what.contains("selfsubject"))
    );
    assert_eq!(fake.state().pods["a"].gone_at, None);
    fake.script("POST /apis/authorization", 1, &denied);
    let lines = rig.runner.check(plan).await;
    assert_eq!(
        (lines[1].text.as_str(), lines[1].tone),
        ("no pods/eviction create in shop on gke: no RBAC policy matched", Tone::Crit)
    );
    assert_eq!(rig.records()[0]["dry_run_result"][0], "nodes patch, pods get, pods/eviction create");
}

const SCALE: &str = "PATCH /apis/apps/v1/namespaces/shop/deployments/cart/scale";

/// Scales cart on a cluster, and can go back.
fn scale(cluster: u16, to: u32, tolerance: Tolerance) -> Step {
    let scaled = |replicas: u32| {
        let target = Target { cluster: ClusterId(cluster), ..cart().target };
        let body = json!({ "spec": { "replicas": replicas } });
        Action::Patch(Patch { target, subresource: "scale", kind: PatchKind::Merge, body })
    };
    Step { tolerance, undo: vec![scaled(1)], ..step(&format!("scale cart to {to} on {cluster}"), scaled(to)) }
}

/// The primary is cluster 0, the standby cluster 1.
fn failover() -> Plan {
    let later = |what: &str| Tolerance::Silence(Text::clean(what));
    let probe = Probe::Http { url: "https://standby/".into(), status: 200, every: Span::from_seconds(1) };
    Plan {
        operation: "failover",
        touches: vec![ClusterId(0), ClusterId(1)],
        recovery: Some(Recovery {
            name: "shop".into(),
            from: ClusterId(0),
            to: ClusterId(1),
            target: None,
            both_serve: false,
        }),
        ..plan(vec![
            Step { tolerance: Tolerance::Anything, ..step("assess", Action::Assess(ClusterId(0))) },
            scale(1, 3, Tolerance::Nothing),
            step("probe", Action::Probe(probe)),
            scale(0, 0, later("first")),
            scale(0, 0, later("second")),
        ])
    }
}

impl Rig {
    fn run(&self, plan: &Plan) -> Run {
        let mut run = Run::new(OpId(1), plan.clone(), NOW);
        self.seen.iter().for_each(|event| run.apply(event));
        run
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_primary_is_no_reason_against_a_failover_and_a_silent_standby_is() {
    let fake = Fake::default();
    let rig = rig(&fake);
    fake.state().silent.insert(0);
    let lines = rig.runner.check(failover()).await;
    assert!(lines.iter().all(|line| line.tone != Tone::Crit), "{lines:?}");
    let last = lines.last().unwrap();
    assert_eq!(
        (last.text.as_str(), last.tone),
        ("dry run: 1 accepted, 2 not answered: left to be done if the silence goes on", Tone::Warn)
    );
    // Nor is one whose load balancer has lost it.
    fake.state().silent.clear();
    let lost = answer(503, Value::Null);
    for start in ["POST /apis/authorization", "PATCH"] {
        fake.script(start, 9, &lost);
    }
    let mut alone = failover();
    alone.steps.retain(|step| step.tolerance != Tolerance::Nothing);
    let lines = rig.runner.check(alone).await;
    assert!(lines.iter().all(|line| line.tone != Tone::Crit), "{lines:?}");
    fake.state().scripted.clear();
    fake.script("POST /apis/authorization", 9, &lost);
    let lines = rig.runner.check(plan(vec![cordon()])).await;
    assert_eq!(lines[0].text, "nodes patch on gke could not be asked: 503 without a reason");
    fake.state().scripted.clear();
    fake.state().silent.extend([0, 1]);
    let lines = rig.runner.check(failover()).await;
    assert!(lines.iter().any(|line| line.tone == Tone::Crit), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_dies_on_the_way_is_left_to_people_and_the_run_ends_well() {
    let fake = Fake::default();
    fake.state().probes = vec![503, 200];
    let (mut rig, plan) = (rig(&fake), failover());
    rig.submit(&plan);
    // It answers when it is looked at, and dies while the standby is probed.
    rig.until(1).await;
    fake.state().silent.insert(0);
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(
        why,
        "drain 1 node: done, but gke does not answer: 2 of its steps are left to do when it does"
    );
    let run = rig.run(&plan);
    assert_eq!(run.left_to_do(), ["first", "second"]);
    assert_eq!(run.steps[3].state, StepState::Failed);
    assert!(run.steps[3].evidence.ends_with("when it answers again: first"), "{}", run.steps[3].evidence);
    // The second is not tried at all: what comes before it is still to be done.
    let took = |index: usize| run.steps[index].began.unwrap().age(run.steps[index].ended.unwrap()).seconds();
    assert_eq!((took(3), took(4)), (60, 0));
    let said = "not tried: what comes before it on gke is still to be done; when it answers again: second";
    assert_eq!(run.steps[4].evidence, said);
}

#[tokio::test(start_paused = true)]
async fn a_primary_whose_traffic_was_not_moved_is_not_scaled_down() {
    let fake = Fake::default();
    fake.state().probes = vec![503, 200];
    let mut plan = failover();
    // Its traffic is an object of its own cluster.
    plan.steps.insert(2, scale(0, 7, Tolerance::Silence("traffic".into())));
    let mut rig = rig(&fake);
    fake.state().silent.insert(0);
    rig.submit(&plan);
    rig.until(61).await;
    // It answers again while the standby is probed.
    fake.state().silent.clear();
    let (outcome, why) = rig.end().await;
    assert!(outcome == Outcome::Done && why.contains("3 of its steps are left to do"), "{why}");
    let down = |(what, body): &(String, Value)| what.contains("/scale") && body["spec"]["replicas"] == 0;
    assert!(!fake.writes().iter().any(down), "{:?}", fake.writes());
    assert_eq!(rig.run(&plan).left_to_do(), ["traffic", "first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn what_serves_is_not_put_back() {
    let fake = Fake::default();
    fake.state().probes = vec![503, 200];
    let plan = failover();
    let mut rig = rig(&fake);
    let op = rig.submit(&plan);
    rig.until(1).await;
    fake.state().silent.insert(0);
    rig.until(5).await;
    rig.runner.control(op, Control::StopAndUndo);
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Stopped);
    assert!(why.ends_with("nothing is put back: the way back is a plan of its own"), "{why}");
    let run = rig.run(&plan);
    assert!(run.serves() && !run.can_be_put_back());
    assert_eq!(rig.runner.running(), 0, "it waits for nobody");
}

#[tokio::test(start_paused = true)]
async fn what_did_not_go_back_can_be_put_back_again() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    let drain = plan(vec![cordon(), evict(&[("o1", 1, Some("b"))])]);
    let op = rig.submit(&drain);
    rig.until(2).await;
    rig.runner.control(op, Control::Stop);
    rig.end().await;
    fake.script("PATCH", 1, &answer(403, json!({ "message": "nodes is forbidden" })));
    rig.runner.control(op, Control::StopAndUndo);
    assert!(rig.end().await.1.ends_with("0 undone, not undone: cordon n0"));
    let run = rig.run(&drain);
    assert!(run.can_be_put_back() && run.steps[0].state == StepState::NotUndone);
    rig.runner.control(op, Control::StopAndUndo);
    assert!(rig.end().await.1.ends_with("; 1 undone"));
    let run = rig.run(&drain);
    assert!(!run.can_be_put_back() && run.steps[0].state == StepState::Undone);
    assert_eq!(fake.writes().last().unwrap().1["spec"], json!({ "unschedulable": null }));
    assert_eq!(rig.runner.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_undone_goes_on_until_that_is_over() {
    let plan = plan(vec![cordon()]);
    let mut run = Run::new(OpId(1), plan, NOW);
    let mut tell = |progress| run.apply(&OpEvent { op: OpId(1), at: NOW, progress });
    tell(Progress::StepBegan(0));
    tell(Progress::StepFailed(0, "it is not known whether it was done".into()));
    tell(Progress::Ended(Outcome::TimedOut, "late".into()));
    assert!(run.can_be_put_back(), "it may have been done");
    run.apply(&OpEvent { op: OpId(1), at: NOW, progress: Progress::Undoing });
    assert_eq!((run.ended, run.state), (None, RunState::Undoing));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_put_back_under_another_run() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    let drain = plan(vec![cordon(), evict(&[("o1", 1, Some("b"))])]);
    let first = rig.submit(&drain);
    rig.until(2).await;
    rig.runner.control(first, Control::Stop);
    rig.end().await;
    let second = rig.submit(&drain);
    rig.until(4).await;
    let before = fake.writes().len();
    rig.runner.control(first, Control::StopAndUndo);
    rig.until(5).await;
    assert!(
        rig.evidence().iter().any(|line| line.starts_with("not put back: drain 1 node runs")),
        "{:?}",
        rig.evidence()
    );
    let uncordons =
        |fake: &Fake| fake.writes()[before..].iter().filter(|(what, _)| what.starts_with("PATCH")).count();
    assert_eq!(uncordons(&fake), 0);
    rig.runner.control(second, Control::Stop);
    rig.end().await;
    rig.runner.control(first, Control::StopAndUndo);
    assert!(rig.end().await.1.ends_with("; 1 undone"));
}

#[tokio::test(start_paused = true)]
async fn a_read_does_not_hold_up_who_stops_it() {
    let fake = Fake::default();
    fake.state().hangs = Some(Duration::from_secs(30));
    let mut rig = rig(&fake);
    let op = rig.submit(&plan(vec![step("ready", Action::AwaitReady(vec![cart()]))]));
    rig.until(2).await;
    rig.runner.control(op, Control::Stop);
    let (outcome, why) = rig.end().await;
    assert_eq!((outcome, why.as_str()), (Outcome::Stopped, "stopped, it was not seen how many are Ready"));
    assert_eq!(rig.at(rig.seen.last().unwrap()), 2);
}

#[tokio::test(start_paused = true)]
async fn replicas_that_nobody_wants_any_more_are_not_waited_for() {
    let fake = Fake::default();
    let mut scaled = cart_status(2, 2);
    scaled["spec"] = json!({ "replicas": 2 });
    fake.state().objects.insert(CART.to_owned(), scaled);
    fake.script("GET /apis/apps/v1/namespaces/shop/deployments/pay", 1, &answer(404, json!({})));
    let of = |name: &str, as_wanted: bool| {
        let cart = cart();
        ReadyTarget { target: Target { name: name.into(), ..cart.target.clone() }, as_wanted, ..cart }
    };
    let mut rig = rig(&fake);
    let after_drain = plan(vec![step("ready", Action::AwaitReady(vec![of("cart", true), of("pay", true)]))]);
    rig.submit(&after_drain);
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert_eq!(rig.run(&after_drain).steps[0].evidence, "2 of 2 Ready");
    // Whoever scales to three waits for three.
    rig.submit(&plan(vec![step("ready", Action::AwaitReady(vec![of("cart", false)]))]));
    assert_eq!(rig.end().await.0, Outcome::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn what_went_otherwise_than_planned_is_in_the_last_word() {
    let fake = Fake::default();
    fake.state().objects.insert(CART.to_owned(), cart_status(2, 2));
    let mut rig = rig(&fake);
    let check = step("check", Action::AwaitReady(vec![cart()]));
    rig.submit(&plan(vec![cordon(), Step { tolerance: Tolerance::Anything, ..check }]));
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(why, "drain 1 node: done, but not Ready: cart 2/3");
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_refuses_ends_the_run_and_says_that_the_standby_serves() {
    let fake = Fake::default();
    fake.state().probes = vec![200];
    let (mut rig, plan) = (rig(&fake), failover());
    fake.script("PATCH", 1, &answer(200, json!({})));
    fake.script(SCALE, 1, &answer(403, json!({ "message": "deployments is forbidden" })));
    rig.submit(&plan);
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Failed);
    assert!(why.contains("forbidden; what takes over serves"), "{why}");
    assert_eq!(rig.run(&plan).left_to_do(), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_dies_on_the_way_ends_the_run_and_what_was_put_back_is_said() {
    let fake = Fake::default();
    fake.state().probes = vec![503];
    let mut plan = failover();
    plan.steps.insert(1, scale(0, 9, Tolerance::Nothing));
    let mut rig = rig(&fake);
    let op = rig.submit(&plan);
    rig.until(2).await;
    fake.state().silent.insert(1);
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::TimedOut);
    assert!(why.contains("answers 503, not 200") && !why.contains("serves"), "{why}");
    rig.runner.control(op, Control::StopAndUndo);
    let (_, why) = rig.end().await;
    assert!(why.ends_with("1 undone, not undone: scale cart to 3 on 1"), "{why}");
    let run = rig.run(&plan);
    assert_eq!((run.steps[1].state, run.steps[2].state), (StepState::Undone, StepState::NotUndone));
    assert!(run.steps[2].evidence.contains("; not put back: "), "{}", run.steps[2].evidence);
    assert!(run.left_to_do().is_empty(), "nothing took over");
}
