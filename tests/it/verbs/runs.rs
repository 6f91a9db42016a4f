//! Plans beside what runs, ran and was cut off.

use super::*;

/// Tells of the run with this number.
fn tell(screen: &mut Screen, op: u32, progress: Progress) -> Vec<Effect> {
    let (op, at) = (OpId(op), screen.now);
    let effects = screen.ui.inbound(Inbound::Op(OpEvent { op, at, progress }), at);
    screen.draw();
    effects
}

/// The plan that these keys open, left again.
fn planned(screen: &mut Screen, keys: &str) -> Box<Plan> {
    let mut effects = screen.keys(keys);
    screen.keys("esc");
    let Some(Effect::Check(plan)) = effects.pop() else { panic!("{effects:?}") };
    plan
}

#[test]
fn what_began_since_a_plan_was_made_is_seen_when_it_is_confirmed() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    let drain = planned(&mut screen, "D");
    screen.plan("C");
    screen.keys("enter");
    // Nothing that the plan rests on changes by this.
    tell(&mut screen, 1, Progress::Accepted(drain));
    screen.text("yes");
    assert_eq!(screen.keys("enter"), []);
    let picture = screen.picture();
    assert!(picture.contains("drain 1 node runs and writes to Node dev-1-node-1 too"), "{picture}");
    assert!(picture.contains("READ-ONLY"), "nothing was armed: {picture}");
    // When that is over the plan is made again by itself.
    tell(&mut screen, 1, Progress::Ended(Outcome::Done, "done".into()));
    let effects = screen.fleet(fleet());
    screen.allow(&effects);
    screen.keys("enter");
    screen.text("yes");
    assert!(matches!(screen.keys("enter").as_slice(), [Effect::Run(..)]), "{}", screen.picture());
}

#[test]
fn a_plan_that_is_refused_when_it_is_to_begin_says_so() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    screen.plan("C");
    screen.keys("enter");
    screen.text("yes");
    screen.keys("enter");
    tell(&mut screen, 1, Progress::Ended(Outcome::Refused, "drain 1 node runs and needs dev-1".into()));
    assert!(
        screen.picture().contains("not begun: drain 1 node runs and needs dev-1"),
        "{}",
        screen.picture()
    );
}

#[test]
fn what_another_terminal_runs_stands_against_a_plan() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    let other = Elsewhere {
        title: "drain 1 node".into(),
        clusters: vec!["dev-1".into()],
        recovery: true,
        subjects: Vec::new(),
    };
    screen.plan("C");
    screen.keys("enter");
    screen.ui.inbound(Inbound::Elsewhere(vec![other]), screen.now);
    screen.text("yes");
    assert_eq!(screen.keys("enter"), []);
    assert!(
        screen.picture().contains("drain 1 node runs on dev-1, from another terminal"),
        "{}",
        screen.picture()
    );
}

#[test]
fn putting_back_an_ended_run_takes_an_armed_cluster() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    let drain = planned(&mut screen, "D");
    tell(&mut screen, 1, Progress::Accepted(drain));
    tell(&mut screen, 1, Progress::StepBegan(0));
    tell(&mut screen, 1, Progress::StepDone(0, "cordoned".into()));
    screen.keys("A");
    screen.text("yes");
    screen.keys("enter A");
    assert!(
        screen.picture().contains("dev-1 is read-only again; drain 1 node goes on: Q stops it"),
        "{}",
        screen.picture()
    );
    tell(&mut screen, 1, Progress::Ended(Outcome::Stopped, "stopped".into()));
    screen.keys("@");
    to(&mut screen, "drain 1 node");
    assert_eq!(screen.keys("Q"), []);
    assert!(screen.picture().contains("arm dev-1 first: A"), "{}", screen.picture());
    screen.keys("0");
    to(&mut screen, "dev-1-node-1");
    screen.keys("A");
    screen.text("yes");
    screen.keys("enter @");
    to(&mut screen, "drain 1 node");
    assert_eq!(screen.keys("Q 2"), [Effect::Control(OpId(1), Control::StopAndUndo)]);
}

#[test]
fn a_failover_whose_standby_serves_is_stopped_and_not_put_back() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    let mut plan = planned(&mut screen, "D");
    let (from, to, both_serve) = (ClusterId(0), ClusterId(4), false);
    plan.recovery = Some(Recovery { name: "shop".into(), from, to, target: None, both_serve });
    let ready = quarterdeck::operations::Probe::Ready(Vec::new());
    plan.steps.push(quarterdeck::operations::Step { action: Action::Probe(ready), ..plan.steps[0].clone() });
    let later = Tolerance::Silence("kubectl scale".into());
    plan.steps.push(quarterdeck::operations::Step { tolerance: later, ..plan.steps[0].clone() });
    let probe = plan.steps.len() - 2;
    tell(&mut screen, 1, Progress::Accepted(plan));
    tell(&mut screen, 1, Progress::StepDone(0, "done".into()));
    tell(&mut screen, 1, Progress::StepDone(probe, "all Ready".into()));
    screen.keys("@");
    crate::screen::to(&mut screen, "drain 1 node");
    screen.keys("Q");
    let picture = screen.picture();
    assert!(
        picture.contains("stop; what takes over serves on") && !picture.contains("put back"),
        "{picture}"
    );
    screen.keys("esc");
    tell(&mut screen, 1, Progress::StepFailed(probe + 1, "no answer".into()));
    tell(&mut screen, 1, Progress::Ended(Outcome::Done, "done, but dev-1 does not answer".into()));
    screen.keys("enter");
    assert!(screen.picture().contains("▲ done, 1 left to do"), "{}", screen.picture());
}

fn cut_off() -> Unfinished {
    let object = Remembered {
        cluster: "dev-1".into(),
        kind: "Node".into(),
        namespace: Text::EMPTY,
        name: "dev-1-node-1".into(),
        uid: Uid::default(),
    };
    let node = fleet().clusters[4].find(Kind::Node, "", "dev-1-node-1").unwrap().meta().uid;
    let object = Remembered { uid: node, ..object };
    Unfinished {
        seq: 7,
        at: NOW,
        title: "drain 1 node".into(),
        operation: "drain".into(),
        subjects: vec![object.clone()],
        back: vec![Back {
            object,
            api: ("v1".into(), "nodes".into()),
            title: "uncordon".into(),
            subresource: Text::EMPTY,
            patch: serde_json::json!({ "spec": { "unschedulable": null } }),
            did: serde_json::Value::Null,
            template: None,
        }],
    }
}

#[test]
fn a_run_that_was_cut_off_stays_until_somebody_decided_and_that_was_done() {
    let mut screen = on_nodes();
    screen.ui.inbound(Inbound::CutOff(vec![cut_off()]), screen.now);
    screen.draw();
    assert!(screen.picture().contains("decide later: it stays listed under @"), "{}", screen.picture());
    screen.keys("enter");
    screen.fleet(fleet());
    screen.draw();
    assert!(!screen.picture().contains("decide later"), "it is not asked twice");
    screen.keys("@");
    to(&mut screen, "drain 1 node (dev-1 dev-1-node-1)");
    screen.keys("enter");
    screen.plan("2");
    screen.keys("enter");
    screen.text("yes");
    let effects = screen.keys("enter");
    let [Effect::Run(plan, _)] = effects.as_slice() else { panic!("{effects:?}") };
    // It was refused: nothing is decided.
    assert_eq!(tell(&mut screen, 1, Progress::Accepted(plan.clone())), []);
    assert_eq!(tell(&mut screen, 1, Progress::Ended(Outcome::Failed, "403".into())), []);
    screen.keys("esc");
    to(&mut screen, "drain 1 node (dev-1 dev-1-node-1)");
    screen.keys("enter");
    screen.plan("2");
    screen.keys("enter");
    screen.text("yes");
    screen.keys("enter");
    assert_eq!(tell(&mut screen, 2, Progress::Accepted(plan.clone())), []);
    let effects = tell(&mut screen, 2, Progress::Ended(Outcome::Done, "done".into()));
    assert_eq!(effects, [Effect::Close(7)]);
    screen.keys("esc");
    screen.draw();
    assert!(!screen.picture().contains("was cut off: enter decides"), "{}", screen.picture());
}
