//! What the real Karpenter says, told.

use super::*;

/// The sentences of Karpenter 1.14, as it tells them of nodes for twelve pods.
#[test]
fn karpenter_is_named_with_what_it_made() {
    let mut stage = Stage::new(Vec::new());
    let waits = "0/6 nodes are available: 1 node(s) had untolerated taint(s), 5 node(s) didn't match Pod's node \
                 affinity/selector. no new claims to deallocate, preemption: 0/6 nodes are available: 6 Preemption \
                 is not helpful for scheduling.";
    for (pod, claim) in [("render-7f57-a1", "burst-x1"), ("render-7f57-b2", "burst-x2")] {
        stage.event("02:11:59", ("Pod", "burst", pod), "default-scheduler", "FailedScheduling", waits);
        let said = format!("Pod should schedule on: nodeclaim/{claim}");
        stage.event("02:12:00", ("Pod", "burst", pod), "karpenter", "Nominated", &said);
        let early = "Nodeclaim does not have an associated node";
        stage.event("02:12:01", ("NodeClaim", "", claim), "karpenter", "DisruptionBlocked", early);
    }
    let spot = |name: &str| {
        let mut node = booting(name, "02:12:03");
        node.identity.capacity = Capacity::Spot;
        node.identity.instance_type = "c6i.2xlarge".into();
        node
    };
    for name in ["k1", "k2"] {
        stage.say("02:12:03", None, Some(Record::from(up(spot(name), "02:12:04"))));
    }
    let snapshot = stage.end();
    assert_eq!(
        rows_of(&snapshot),
        [
            "02:12:03 | ↑ | eks-use1 | nodes general | 0→2 | render pending 4s; Karpenter: 2 × c6i.2xlarge spot | ~+0.26 | 5s"
        ]
    );
    let sheet = sheet(&snapshot, &Scope::All, ScalingLens::Time, now());
    assert_eq!(
        lines(&story(&snapshot, &sheet.rows[0].id, now())),
        [
            "02:11:59 pending: 2 pods: didn't match Pod's node affinity/selector",
            "02:12:00 Karpenter: +1s  2 pods to nodeclaim/burst-x1 +1",
            "02:12:03 nodes: +3s  2 joined, nodes general: 2 × c6i.2xlarge spot, ~+$0.26/h",
        ]
    );
}
