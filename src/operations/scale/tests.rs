//! How many replicas, from numbers that people type to steps.

use super::*;
use crate::model::Tier;
use crate::operations::Options;
use crate::operations::fixture::{NOW, World, key, snapshot};

fn scale(world: World, options: &Options) -> Plan {
    let snapshot = snapshot(vec![world]);
    let subjects = [key(&snapshot, 0, Kind::Deployment, "shop", "cart")];
    plan(&PlanInput { snapshot: &snapshot, subjects: &subjects, options, now: NOW }).unwrap()
}

fn world() -> World {
    World::new(0, "dev", Tier::Dev).node("n0", "std", "b").deployment("cart", 3)
}

fn to(replicas: u32) -> Options {
    Options { replicas: Some(Replicas::To(replicas)), ..Options::default() }
}

#[test]
fn scaling_patches_the_subresource_and_can_go_back() {
    let plan = scale(world(), &to(5));
    let Action::Patch(patch) = &plan.steps[0].action else { panic!("not a patch") };
    assert_eq!(
        (patch.subresource, patch.body.to_string()),
        ("scale", r#"{"spec":{"replicas":5}}"#.to_owned())
    );
    assert_eq!((&*patch.target.api, &*patch.target.plural), ("apps/v1", "deployments"));
    let Action::Patch(undo) = &plan.steps[0].undo[0] else { panic!("not a patch") };
    assert_eq!(undo.body["spec"]["replicas"], 3);
    assert_eq!(plan.title, "scale shop/cart 3 → 5");
    assert_eq!(plan.preview[0].text, "Deployment shop/cart: they fit by requests");
    assert_eq!(plan.kubectl, ["kubectl --context dev scale -n shop deployments/cart --replicas=5"]);
    assert!(matches!(&plan.steps[1].action, Action::AwaitReady(targets) if targets[0].replicas == 5));
}

#[test]
fn what_does_not_fit_and_what_ends_is_said() {
    assert_eq!(
        scale(world(), &to(20)).preview[0].text,
        "Deployment shop/cart: 8 fit by requests, 9 wait for a new node"
    );
    let ends = scale(world(), &to(0));
    assert_eq!((ends.preview[0].tone, ends.preview[0].count), (Tone::Crit, Some(3)));
    assert_eq!(ends.steps.len(), 1);
}

#[test]
fn several_are_told_apart_by_their_clusters() {
    let other = World::new(1, "eks", Tier::Dev).node("n0", "std", "b").deployment("cart", 7);
    let snapshot = snapshot(vec![world(), other]);
    let subjects = [0, 1].map(|id| key(&snapshot, id, Kind::Deployment, "shop", "cart"));
    let options = to(12);
    let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now: NOW };
    let plan = plan(&input).unwrap();
    let titles: Vec<&str> = plan.steps.iter().map(|step| step.title.as_str()).collect();
    assert!(titles.contains(&"scale cart on dev 3 → 12"), "{titles:?}");
    assert!(titles.contains(&"scale cart on eks 7 → 12"), "{titles:?}");
    assert!(plan.preview.iter().any(|l| l.text.starts_with("Deployment shop/cart on eks 7 → 12: ")));
}

#[test]
fn numbers_are_read_as_people_type_them() {
    for (text, read) in [
        ("6", Some(Replicas::To(6))),
        (" +2 ", Some(Replicas::By(2))),
        ("-1", Some(Replicas::By(-1))),
        ("0", Some(Replicas::To(0))),
    ] {
        assert_eq!(Replicas::parse(text), read, "{text}");
    }
    for text in ["", "+", "-", "many", "1.5", "++1", "99999999999"] {
        assert_eq!(Replicas::parse(text), None, "{text}");
    }
    assert_eq!((Replicas::By(-3).of(1), Replicas::By(2).of(4)), (0, 6));
}

#[test]
fn by_a_number_is_by_it_for_each() {
    let other = World::new(1, "eks", Tier::Dev).node("n0", "std", "b").deployment("cart", 7);
    let snapshot = snapshot(vec![world(), other]);
    let subjects = [0, 1].map(|id| key(&snapshot, id, Kind::Deployment, "shop", "cart"));
    let options = Options { replicas: Some(Replicas::By(-1)), ..Options::default() };
    let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now: NOW };
    let plan = plan(&input).unwrap();
    assert_eq!(plan.title, "scale 2 workloads by -1");
    assert_eq!(plan.steps[0].title, "scale cart on dev 3 → 2");
    assert_eq!(plan.steps[2].title, "scale cart on eks 7 → 6");
}

#[test]
fn for_a_run_it_is_put_back_when_that_ends() {
    let run = WhileRun { op: OpId(4), title: "drain 1 node".into() };
    let options = Options { while_run: Some(run), ..to(4) };
    let plan = scale(world(), &options);
    assert_eq!(plan.title, "scale shop/cart 3 → 4 until drain 1 node ends");
    let titles: Vec<&str> = plan.steps.iter().map(|step| step.title.as_str()).collect();
    let back = "put back Deployment shop/cart: 4 → 3";
    assert_eq!(titles, ["scale cart 3 → 4", "wait until drain 1 node ends", back]);
    assert_eq!(plan.steps[1].action, Action::AwaitRun(OpId(4)));
    assert_eq!(plan.steps[2].action, plan.steps[0].undo[0]);
}

#[test]
fn a_number_beyond_reason_is_refused() {
    let plan = scale(world(), &to(99_999_999));
    assert_eq!(plan.refusals, ["99999999 replicas: more than 10000 are not set from here"]);
    assert!(plan.steps.is_empty() && plan.preview.iter().all(|l| l.label != "will start"));
}

#[test]
fn an_autoscaler_is_a_choice() {
    let world = || world().autoscaler("cart", 2, 4);
    let plan = scale(world(), &to(5));
    assert!(plan.preview.iter().any(|l| l.text == "autoscaler cart keeps 2–4 and may undo this in 15 s"));
    assert_eq!(plan.choices[0].chosen, 0);
    assert_eq!(plan.steps.len(), 2);
    let options = Options { answers: [(Text::clean(AUTOSCALER), 1)].into(), ..to(5) };
    let plan = scale(world(), &options);
    assert_eq!(plan.steps[0].title, "autoscaler cart: 2–4 → 5–5");
    let Action::Patch(patch) = &plan.steps[0].action else { panic!("not a patch") };
    assert_eq!(patch.target.api, "autoscaling/v2");
}

#[test]
fn without_a_number_or_a_change_it_cannot_run() {
    assert_eq!(scale(world(), &Options::default()).refusals[0], "say how many replicas it should have");
    assert_eq!(scale(world(), &to(3)).refusals[0], "3 replicas wanted already");
    let snapshot = snapshot(vec![world()]);
    let set = [key(&snapshot, 0, Kind::ReplicaSet, "shop", "cart")];
    let options = to(5);
    let input = PlanInput { snapshot: &snapshot, subjects: &set, options: &options, now: NOW };
    assert_eq!(plan(&input).unwrap_err(), "Deployment cart sets its replicas: scale that");
}
