//! Versions, the log of changes, deletion.

use super::*;
use crate::sim::json::json;

fn store() -> Store {
    Store::new(Random::new(1, "test"))
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "a"}, "spec": {"nodeName": "n"}})
}

const NOW: Time = Time::from_seconds(1_000_000);

#[test]
fn versions_grow_and_watches_see_what_changed() {
    let mut s = store();
    let start = s.version();
    let made = s.create(Res::Pods, pod("p"), NOW).unwrap();
    s.create(Res::Nodes, json!({"metadata": {"name": "n"}}), NOW).unwrap();
    let changed = s.update(Res::Pods, "a", "p", |p| set(p, "status.phase", "Running")).unwrap();
    assert_ne!(made["metadata"]["resourceVersion"], changed["metadata"]["resourceVersion"]);
    let same = s.update(Res::Pods, "a", "p", |_| {}).unwrap();
    assert!(Arc::ptr_eq(&changed, &same), "what changes nothing makes no version");
    let seen: Vec<_> = s.since(Res::Pods, start).unwrap().map(|c| c.before.is_some()).collect();
    assert_eq!(seen, [false, true]);
    assert_eq!(s.create(Res::Pods, pod("p"), NOW).unwrap_err().code, 409);
}

#[test]
fn old_versions_are_forgotten() {
    let mut s = store();
    let start = s.version();
    s.create(Res::Pods, pod("p"), NOW).unwrap();
    s.compact();
    assert_eq!(s.can_begin(Res::Pods, start).unwrap_err().code, 410);
    assert_eq!(s.since(Res::Pods, start).err().unwrap().code, 410);
    let now = s.version();
    assert!(s.can_begin(Res::Pods, now - 1).is_err() && s.since(Res::Pods, now - 1).is_ok());
    assert_eq!(s.since(Res::Pods, now).unwrap().count(), 0);
    for i in 0..=LEAST {
        s.update(Res::Pods, "a", "p", |p| set(p, "status.n", i));
    }
    assert!(s.since(Res::Pods, now).is_ok(), "changes of the last 75 s are kept");
    s.now = s.now + KEPT + KEPT;
    s.update(Res::Pods, "a", "p", |p| set(p, "status.n", "late"));
    assert_eq!(s.since(Res::Pods, now).err().unwrap().code, 410);
    assert!(s.since(Res::Nodes, now).is_ok(), "another resource's log is its own");
}

#[test]
fn pods_are_given_grace_and_finalizers_hold() {
    let mut s = store();
    let made = s.create(Res::Pods, pod("p"), NOW).unwrap();
    let gone = s.delete(Res::Pods, &made, Deletion { grace: Some(7) }, NOW);
    assert_eq!(fields::time(&gone, "metadata.deletionTimestamp"), Some(NOW + Span::from_seconds(7)));
    assert!(s.get(Res::Pods, "a", "p").is_some());
    s.delete(Res::Pods, &gone, Deletion { grace: Some(0) }, NOW);
    assert!(s.get(Res::Pods, "a", "p").is_none());

    let mut slow = pod("slow");
    set(&mut slow, "metadata.finalizers", json!(["x/y"]));
    let slow = s.create(Res::Pods, slow, NOW).unwrap();
    let forged = s.update(Res::Pods, "a", "slow", |p| set(p, "metadata.deletionTimestamp", NOW.rfc3339()));
    assert!(!deleting(&forged.unwrap()), "only a deletion deletes");
    s.delete(Res::Pods, &slow, Deletion { grace: Some(7) }, NOW);
    s.update(Res::Pods, "a", "slow", |p| {
        set(p, "metadata.finalizers", json!([]));
        set(p, "metadata.deletionTimestamp", (NOW + Span::from_seconds(900)).rfc3339());
    });
    let slow = s.get(Res::Pods, "a", "slow").expect("it has its grace, finalizers or not");
    assert_eq!(fields::time(slow, "metadata.deletionTimestamp"), Some(NOW + Span::from_seconds(7)));

    let held = json!({"metadata": {"name": "c", "namespace": "a", "finalizers": ["x/y"]}});
    let held = s.create(Res::ConfigMaps, held, NOW).unwrap();
    let held = s.delete(Res::ConfigMaps, &held, Deletion::default(), NOW);
    assert!(deleting(&held));
    s.update(Res::ConfigMaps, "a", "c", |o| set(o, "metadata.finalizers", json!([])));
    assert!(s.get(Res::ConfigMaps, "a", "c").is_none());
}

#[test]
fn generations_follow_the_spec_only() {
    let mut s = store();
    let d = json!({"metadata": {"name": "d", "namespace": "a"}, "spec": {"replicas": 1}});
    s.create(Res::Deployments, d, NOW).unwrap();
    let status = s.update(Res::Deployments, "a", "d", |d| set(d, "status.replicas", 1)).unwrap();
    assert_eq!(status["metadata"]["generation"], 1);
    let scaled = s.update(Res::Deployments, "a", "d", |d| set(d, "spec.replicas", 2)).unwrap();
    assert_eq!(scaled["metadata"]["generation"], 2);
}

#[test]
fn lists_are_in_order_and_within_their_namespace() {
    let mut s = store();
    for (ns, n) in [("b", "x"), ("a", "z"), ("a", "b"), ("a-b", "q")] {
        s.create(Res::ConfigMaps, json!({"metadata": {"name": n, "namespace": ns}}), NOW).unwrap();
    }
    let names = |ns| s.list(Res::ConfigMaps, ns).map(|o| name(o).to_owned()).collect::<Vec<_>>();
    assert_eq!(names(Some("a")), ["b", "z"]);
    assert_eq!(names(None).len(), 4);
}
