//! Steps other than evictions, and the check before a run.

use super::*;
use crate::model::Kind;
use crate::operations::{Probe, ReadyTarget, StepState, Tolerance};

fn cart() -> ReadyTarget {
    let target = Target {
        api: "apps/v1".into(),
        plural: "deployments".into(),
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: "cart".into(),
        ..node()
    };
    ReadyTarget { target, kind: Kind::Deployment, replicas: 3 }
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
    fake.state().objects.insert(CART.to_owned(), cart_status(2, 2));
    rig.until(9).await;
    fake.state().objects.insert(CART.to_owned(), cart_status(3, 2));
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert_eq!(rig.evidence(), ["not Ready yet: cart 0/3", "not Ready yet: cart 2/3"]);
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
        ["nodes patch, pods/eviction create", "dry run: 2 accepted, 1 refused by a budget for now"]
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
    assert_eq!(rig.records()[0]["dry_run_result"][0], "nodes patch, pods/eviction create");
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
    fake.state().silent.insert(1);
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
    // The second is not waited for as long as the first.
    let took = |index: usize| run.steps[index].began.unwrap().age(run.steps[index].ended.unwrap()).seconds();
    assert_eq!((took(3), took(4)), (60, 5));
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
