//! What is found wrong with one object of each kind.

use super::*;

fn found(records: Vec<Record>) -> Vec<String> {
    let snapshot = snapshot(vec![Scene::new(0, "c").with(&rules(), records, now())]);
    let findings = findings(&snapshot, &Scope::All, now());
    findings.iter().map(|f| format!("{:?} {} {}", f.tone, f.what, f.blast)).collect()
}

#[test]
fn what_is_wrong_with_pods() {
    let base = |name: &str| pod("web", name, "a", "web:1", "n1");
    let waiting = |name: &str, reason: &str, message: &str| {
        Record::Pod(waits(base(name), reason, message, clock("02:00:00")))
    };
    let mut looping = base("loop");
    looping.ready = false;
    looping.containers[0].ready = false;
    looping.containers[0].restarts = 9;
    looping.containers[0].last_exit = 1;
    looping.containers[0].last_reason = "Error".into();
    looping.containers[0].last_ended = Some(clock("02:13:30"));
    let mut oom = waits(base("oom"), "CrashLoopBackOff", "", clock("02:00:00"));
    oom.containers[0].last_reason = "OOMKilled".into();
    let mut evicted = base("evicted");
    evicted.phase = crate::model::Phase::Failed;
    evicted.reason = "Evicted".into();
    evicted.message = "The node was low on resource: memory. Threshold quantity: 100Mi".into();
    evicted.containers[0].since = Some(clock("02:00:00"));
    let mut pending = base("pending");
    pending.node = Text::EMPTY;
    pending.phase = crate::model::Phase::Pending;
    pending.ready = false;
    pending.message = "0/9 nodes are available: 9 Insufficient nvidia.com/gpu.".into();
    let mut fresh = pending.clone();
    fresh.meta.created = Some(clock("02:13:50"));
    fresh.meta.uid = Uid::parse("fresh");
    let mut gated = pending.clone();
    gated.reason = "SchedulingGated".into();
    gated.meta.uid = Uid::parse("gated");
    let mut stuck = base("stuck");
    stuck.meta.deleting = Some(clock("02:10:00"));
    let mut ending = base("ending");
    ending.meta.deleting = Some(clock("02:14:00"));
    let mut slow = base("slow");
    slow.ready = false;
    slow.ready_since = Some(clock("02:12:00"));
    let mut starting = base("starting");
    starting.ready = false;
    starting.ready_since = Some(clock("02:14:00"));
    assert_eq!(found(vec![Record::Pod(looping)]), ["Crit CrashLoopBackOff web:1 1 wl 1 pod"]);
    assert_eq!(found(vec![Record::Pod(oom)]), ["Crit OOMKilled web:1 1 wl 1 pod"]);
    assert_eq!(found(vec![waiting("a", "ErrImagePull", "no")]), ["Crit ImagePullBackOff web:1 1 wl 1 pod"]);
    assert_eq!(
        found(vec![waiting("a", "CreateContainerConfigError", "secret \"db\" not found")]),
        ["Crit CreateContainerConfigError secret \"db\" not found 1 wl 1 pod"]
    );
    assert_eq!(found(vec![Record::Pod(evicted.clone())]), ["Warn Evicted: node low on memory 1 wl 1 pod"]);
    evicted.containers[0].since = Some(clock("00:10:00"));
    assert!(found(vec![Record::Pod(evicted)]).is_empty(), "old news");
    assert_eq!(
        found(vec![Record::Pod(pending), Record::Pod(fresh), Record::Pod(gated)]),
        ["Warn Unschedulable: Insufficient gpu 1 wl 1 pod"]
    );
    assert_eq!(
        found(vec![Record::Pod(stuck), Record::Pod(ending)]),
        ["Warn pods of web/stuck do not end 1 wl 1 pod"]
    );
    assert_eq!(
        found(vec![Record::Pod(slow), Record::Pod(starting)]),
        ["Warn pods of web/slow not ready 1 wl 1 pod"]
    );
    assert!(found(vec![Record::Pod(base("fine"))]).is_empty());
}

fn condition(kind: &str, status: Truth, reason: &str, since: Time) -> Condition {
    Condition { kind: kind.into(), status, reason: reason.into(), message: "why".into(), since: Some(since) }
}

#[test]
fn what_is_wrong_with_the_rest() {
    let at_max = [
        Record::Autoscaler(checkout(40, 40)),
        Record::Workload(deployment("shop", "checkout", "c:7.3", 40, 40)),
    ];
    assert_eq!(found(at_max.to_vec()), ["Warn HPA checkout at max 40/40, cpu 96 %/70 % 1 wl"]);
    let mut blind = checkout(40, 40);
    blind.conditions =
        Box::new([condition("ScalingActive", Truth::False, "FailedGetResourceMetric", clock("02:00:00"))]);
    assert_eq!(found(vec![Record::Autoscaler(blind.clone())]), ["Warn HPA shop/checkout has no metric 1 wl"]);
    blind.conditions =
        Box::new([condition("ScalingActive", Truth::False, "ScalingDisabled", clock("02:00:00"))]);
    assert!(found(vec![Record::Autoscaler(blind)]).is_empty());

    let mut stuck = deployment("web", "front", "f:2", 4, 0);
    stuck.conditions =
        Box::new([condition("Progressing", Truth::False, "ProgressDeadlineExceeded", clock("02:00:00"))]);
    assert_eq!(
        found(vec![Record::Workload(stuck)]),
        ["Crit rollout of web/front past its deadline 1 wl 4 pods"]
    );
    let mut few = deployment("web", "front", "f:2", 4, 3);
    few.conditions = Box::new([condition("Available", Truth::False, "x", clock("02:12:00"))]);
    assert_eq!(
        found(vec![Record::Workload(few.clone())]),
        ["Warn web/front has too few ready 1 wl 1 pods"].map(|s| s.replace("1 pods", "1 pod"))
    );
    few.updated = 1;
    assert!(found(vec![Record::Workload(few)]).is_empty(), "a rollout gets its deadline");

    let budget = |healthy| {
        let mut budget =
            Budget { meta: meta("orders", "db"), needed: 2, healthy, expected: 3, ..Budget::default() };
        budget.generation = 1;
        budget.observed = 1;
        Record::Budget(budget)
    };
    let later = |records: Vec<Record>| {
        let snapshot = snapshot(vec![Scene::new(0, "c").with(&rules(), records, clock("02:00:00"))]);
        findings(&snapshot, &Scope::All, now()).iter().map(|f| f.what.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(later(vec![budget(1)]), ["budget orders/db lacks healthy pods"]);
    assert!(later(vec![budget(2)]).is_empty(), "it guards, nothing is wrong");

    let claim = |phase: &str| {
        Record::Claim(Claim {
            meta: meta("db", "data-0"),
            phase: phase.into(),
            class: "fast".into(),
            ..Claim::default()
        })
    };
    let class = |binding: &str| {
        Record::StorageClass(StorageClass {
            meta: meta("", "fast"),
            binding: binding.into(),
            ..StorageClass::default()
        })
    };
    assert_eq!(later(vec![claim("Pending"), class("Immediate")]), ["claims of class fast pending"]);
    assert!(later(vec![claim("Pending"), class("WaitForFirstConsumer")]).is_empty());
    assert_eq!(later(vec![claim("Lost")]), ["claim db/data-0 lost its volume"]);
    let mut namespace = Namespace { meta: meta("", "old"), terminating: true };
    namespace.meta.deleting = Some(clock("02:00:00"));
    assert_eq!(later(vec![Record::Namespace(namespace)]), ["namespace old does not end"]);
}
