//! Rolling back, deleting, waiting for rollouts and for other runs, and how many pods at once.

use super::*;
use crate::operations::RollBack;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/cart";
const SET: &str = "/apis/apps/v1/namespaces/shop/replicasets/cart-6";

fn of_shop(plural: &str, kind: &str, name: &str, number: u64) -> Target {
    Target {
        api: "apps/v1".into(),
        plural: plural.into(),
        kind: kind.into(),
        namespace: "shop".into(),
        name: name.into(),
        uid: Some(uid(number)),
        ..node()
    }
}

fn deployment() -> Target {
    of_shop("deployments", "Deployment", "cart", 1)
}

fn back() -> RollBack {
    RollBack {
        target: deployment(),
        to: of_shop("replicasets", "ReplicaSet", "cart-6", 6),
        revision: "6".into(),
    }
}

fn wire(number: u64) -> Value {
    uid(number).wire().into()
}

fn set(number: u64) -> Value {
    json!({
        "metadata": { "uid": wire(number) },
        "spec": { "template": {
            "metadata": { "labels": { "app": "cart", "pod-template-hash": "6c9f" } },
            "spec": { "containers": [{ "name": "cart", "image": "cart:6" }] },
        } },
    })
}

#[tokio::test(start_paused = true)]
async fn a_way_back_sends_the_template_of_the_set_without_its_hash() {
    let fake = Fake::default();
    fake.state().objects.insert(SET.to_owned(), set(6));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![step("template of revision 6", Action::RollBack(back()))]));
    assert_eq!(rig.end().await.0, Outcome::Done);
    let writes = fake.writes();
    let [(what, body)] = &writes[..] else { panic!("{writes:?}") };
    assert!(what.starts_with(&format!("PATCH {DEPLOYMENT}?")), "{what}");
    assert_eq!(body[0], json!({ "op": "test", "path": "/metadata/uid", "value": wire(1) }));
    assert_eq!((&body[1]["op"], &body[1]["path"]), (&json!("replace"), &json!("/spec/template")));
    assert_eq!(body[1]["value"]["metadata"]["labels"], json!({ "app": "cart" }));
    assert_eq!(body[1]["value"]["spec"]["containers"][0]["image"], "cart:6");
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_another_one_by_now_changes_nothing() {
    let fake = Fake::default();
    fake.state().objects.insert(SET.to_owned(), set(7));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![step("template of revision 6", Action::RollBack(back()))]));
    let (outcome, why) = rig.end().await;
    assert!(outcome == Outcome::Failed && why.contains("another one of that name"), "{why}");
    assert_eq!(fake.writes(), []);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_is_waited_for() {
    let fake = Fake::default();
    let status = |updated: u32| {
        json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 3 }, "status": {
            "observedGeneration": 2, "replicas": 3, "updatedReplicas": updated, "availableReplicas": 3 } })
    };
    fake.state().objects.insert(DEPLOYMENT.to_owned(), status(1));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![step("rolled out", Action::AwaitRollout(deployment()))]));
    rig.until(5).await;
    fake.state().objects.insert(DEPLOYMENT.to_owned(), status(3));
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert_eq!(rig.evidence(), ["Deployment shop/cart: 1 of 3 new pods made"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_is_waited_for_and_finalizers_are_named() {
    let fake = Fake::default();
    let held = json!({ "metadata": { "uid": wire(1), "finalizers": ["acme.example/guard"] } });
    fake.state().objects.insert(DEPLOYMENT.to_owned(), held);
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![step("delete", Action::Delete(deployment()))]));
    rig.until(5).await;
    let gone = answer(404, json!({ "message": "not found" }));
    fake.script(&format!("GET {DEPLOYMENT}"), 1, &gone);
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert_eq!(rig.evidence(), ["Deployment shop/cart: waits for finalizers acme.example/guard"]);
    let writes = fake.writes();
    let [(what, body)] = &writes[..] else { panic!("{writes:?}") };
    assert_eq!(*what, format!("DELETE {DEPLOYMENT}"));
    assert_eq!(body["preconditions"]["uid"], wire(1));
    assert_eq!(body["propagationPolicy"], "Background");
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_for_a_run_ends_with_it() {
    let fake = Fake::default().pod("a", 1, Some("guard"));
    let mut rig = rig(&fake);
    let first = rig.submit(&plan(vec![evict(&[("a", 1, Some("guard"))])]));
    rig.until(3).await;
    let up = patch(json!({ "spec": { "unschedulable": true } }));
    let other = Target { name: "n1".into(), ..node() };
    let onto = |action: Action| match action {
        Action::Patch(it) => Action::Patch(Patch { target: other.clone(), ..it }),
        action => action,
    };
    let down = onto(patch(json!({ "spec": { "unschedulable": null } })));
    let wait = Step { deadline: None, ..step("wait", Action::AwaitRun(first)) };
    rig.submit(&plan(vec![step("up", onto(up)), wait, step("down", down)]));
    rig.until(20).await;
    let patches = |fake: &Fake| fake.writes().iter().filter(|(what, _)| what.starts_with("PATCH")).count();
    assert_eq!(patches(&fake), 1, "the first run goes on");
    fake.state().allowed.insert("guard".to_owned(), 1);
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert_eq!(rig.end().await.0, Outcome::Done);
    assert_eq!(patches(&fake), 2);
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_pods_are_on_their_way_out() {
    let fake = Fake::default().pod("a", 1, None).pod("b", 2, None).pod("c", 3, None);
    let mut rig = rig(&fake);
    let mut one_by_one = evict(&[("a", 1, None), ("b", 2, None), ("c", 3, None)]);
    let Action::Evict { at_once, .. } = &mut one_by_one.action else { panic!("no eviction") };
    *at_once = Some(1);
    rig.submit(&plan(vec![one_by_one]));
    assert_eq!(rig.end().await.0, Outcome::Done);
    let times = fake.times("POST /api/v1/namespaces/shop/pods", rig.began);
    assert_eq!(times.len(), 3);
    // Each pod takes three seconds to go.
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 3.0), "{times:?}");
}
