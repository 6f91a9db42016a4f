//! How evictions end, and when they are late.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_node_with_a_pod_that_came_after_the_plan_is_not_drained() {
    let fake = Fake::default().pod("a", 1, None);
    let pod = |name: &str, number: u64, app: &str| json!({ "metadata": { "namespace": "shop", "name": name, "uid": uid(number).wire(), "labels": { "app": app } } });
    let items = json!({ "items": [pod("late", 7, "pay"), pod("kept", 8, "pay"), pod("other", 9, "web")] });
    fake.state().objects.insert("/api/v1/pods?fieldSelector=spec.nodeName%3Dn0".to_owned(), items);
    let mut drain = evict(&[("a", 1, None)]);
    let Action::Evict { kept, selector, .. } = &mut drain.action else { panic!("{drain:?}") };
    (*kept, *selector) = (vec![uid(8)], "app=pay".into());
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![cordon(), drain]));
    let why = "1 of 1 gone; n0 is not empty: came after the plan: shop/late; drain it again; \
               still on n0: shop/kept, shop/other";
    assert_eq!(rig.end().await, (Outcome::Failed, why.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_may_not_be_looked_at_is_told_and_not_waited_for() {
    let fake = Fake::default().pod("a", 1, None);
    fake.script("GET /api/v1/namespaces/shop/pods/a", 1, &answer(500, json!({ "message": "etcd failed" })));
    fake.script(
        "GET /api/v1/namespaces/shop/pods/a",
        1,
        &answer(403, json!({ "message": "pods is forbidden" })),
    );
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![evict(&[("a", 1, None)])]));
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Failed);
    assert!(why.contains("shop/a: asked to go; not allowed to look whether it went"), "{why}");
    let told = rig.states("a");
    assert!(told.iter().any(|(.., why)| why == "cannot be looked at: 500: etcd failed"), "{told:?}");
    let result = rig.records().into_iter().rev().find(|record| record["action"] == "result").unwrap();
    assert_eq!(result["status"], 403, "{result}");
}

#[tokio::test(start_paused = true)]
async fn only_errors_in_a_row_are_final() {
    let fake = Fake::default().pod("a", 1, None);
    let error = answer(500, json!({ "message": "etcd failed" }));
    fake.script("POST", 2, &error);
    fake.script("POST", 1, &answer(503, json!({ "message": "shutting down" })));
    fake.script("POST", 2, &error);
    fake.script("POST", 1, &busy(5));
    fake.script("POST", 2, &error);
    let mut passing = rig(&fake);
    passing.submit(&plan(vec![Step { deadline: None, ..evict(&[("a", 1, None)]) }]));
    assert_eq!(passing.end().await.0, Outcome::Done);
    let fake = Fake::default().pod("a", 1, None);
    fake.script("POST", 3, &error);
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![evict(&[("a", 1, None)])]));
    let (outcome, why) = rig.end().await;
    assert!(
        outcome == Outcome::Failed && why.contains("refused 3 times in a row, 500: etcd failed"),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_not_late() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    // A minute, of which half an hour goes by while it is held.
    let op = rig.submit(&plan(vec![evict(&[("o1", 1, Some("b"))])]));
    rig.until(30).await;
    rig.runner.control(op, Control::Pause);
    rig.until(1830).await;
    assert!(!rig.seen.iter().any(|e| matches!(e.progress, Progress::Ended(..))), "{:?}", rig.seen.last());
    rig.runner.control(op, Control::Resume);
    rig.until(1855).await;
    assert!(!rig.seen.iter().any(|e| matches!(e.progress, Progress::Ended(..))), "{:?}", rig.seen.last());
    assert_eq!(rig.end().await.0, Outcome::TimedOut);
    assert_eq!(rig.at(rig.seen.last().unwrap()), 1860);
}
