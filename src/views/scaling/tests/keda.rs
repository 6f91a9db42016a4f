//! What the real KEDA says, told.

use super::*;

const ORDERS: (&str, &str, &str) = ("ScaledObject", "queue", "packer");
const TRIGGER: &str = "s0-workload-queue";

fn packer(desired: u32) -> Option<Record> {
    let mut scaler = checkout(desired, desired);
    scaler.meta = meta("queue", "keda-hpa-packer");
    scaler.meta.owner = Some(Arc::new(crate::model::Owner {
        api: "keda.sh/v1alpha1".into(),
        kind: "ScaledObject".into(),
        name: "packer".into(),
        uid: Default::default(),
    }));
    (scaler.target, scaler.min, scaler.max) = ("packer".into(), 1, 10);
    Some(Record::Autoscaler(scaler))
}

fn replicas(desired: u32) -> Option<Record> {
    Some(Record::Workload(deployment("queue", "packer", "p:1", desired, desired)))
}

/// The sentences of KEDA 2.20, as it wakes a Deployment and puts it to sleep.
#[test]
fn keda_is_named_with_the_trigger_that_woke_a_workload() {
    let mut stage = Stage::new(nodes(3).into_iter().chain(packer(1)).chain(replicas(0)).collect());
    let woke = format!("Scaled apps/v1.Deployment queue/packer from 0 to 1, triggered by {TRIGGER}");
    stage.say("02:00:00", replicas(0), replicas(1));
    stage.event("02:00:00", ORDERS, "keda-operator", "KEDAScaleTargetActivated", &woke);
    let slept = "Deactivated apps/v1.Deployment queue/packer from 1 to 0";
    stage.say("02:05:00", replicas(1), replicas(0));
    stage.say("02:05:01", packer(1), packer(0));
    stage.event("02:05:00", ORDERS, "keda-operator", "KEDAScaleTargetDeactivated", slept);
    let snapshot = stage.end();
    assert_eq!(
        rows_of(&snapshot),
        [
            "02:05:00 | ↓ | eks-use1 | packer KEDA | 1→0 | no trigger is active | absorbed | -",
            "02:00:00 | ↑ | eks-use1 | packer KEDA | 0→1 | s0-workload-queue | - | -",
        ]
    );
    let sheet = sheet(&snapshot, &Scope::All, ScalingLens::Time, now());
    let story = story(&snapshot, &sheet.rows[1].id, now()).lines;
    assert_eq!(story[0].label, "KEDA");
    assert_eq!(story[0].text, "0 → 1: s0-workload-queue");
    // Of its namespace, and of no other.
    let rows = |space: &str| {
        let scope = Scope::Namespace(crate::model::ClusterId(0), space.into());
        super::sheet(&snapshot, &scope, ScalingLens::Time, now()).rows.len()
    };
    assert_eq!((rows("queue"), rows("shop")), (2, 0));
}

/// What was told before the watch began is a row of its own, though nodes came for it meanwhile.
#[test]
fn nodes_that_came_for_replicas_hide_no_rescale() {
    let mut stage = Stage::new(packer(1).into_iter().collect());
    let woke = format!("Scaled apps/v1.Deployment queue/packer from 0 to 1, triggered by {TRIGGER}");
    stage.event("02:00:00", ORDERS, "keda-operator", "KEDAScaleTargetActivated", &woke);
    let hpa = ("HorizontalPodAutoscaler", "queue", "keda-hpa-packer");
    let grew = format!(
        "New size: 4; reason: external metric {TRIGGER}(&LabelSelector{{MatchLabels:map[string]string{{\
         scaledobject.keda.sh/name: packer,}},MatchExpressions:[]LabelSelectorRequirement{{}},}}) above target"
    );
    stage.event("02:00:15", hpa, "horizontal-pod-autoscaler", "SuccessfulRescale", &grew);
    let node = booting("n1", "02:01:00");
    stage.say("02:01:00", None, Some(Record::from(node)));
    let rows = rows_of(&stage.end());
    assert!(rows[0].contains("nodes general"), "{rows:#?}");
    assert_eq!(
        rows[1..],
        [
            "02:00:15 | ↑ | eks-use1 | packer KEDA | 1→4 | s0-workload-queue above target | - | -",
            "02:00:00 | ↑ | eks-use1 | packer KEDA | 0→1 | s0-workload-queue | - | -",
        ]
    );
}

/// Without its autoscaler (not read yet, or gone) an event names the object that says it.
#[test]
fn keda_is_named_without_an_autoscaler_too() {
    let mut stage = Stage::new(Vec::new());
    stage.event("02:00:00", ORDERS, "keda-operator", "KEDAScalerFailed", "error getting metric for trigger");
    assert_eq!(
        rows_of(&stage.end()),
        ["02:00:00 | ▲ | eks-use1 | packer KEDA | · | error getting metric for trigger | - | -"]
    );
}
