//! Nodes that come, go, stop being ready and are swapped.

use super::*;

#[test]
fn nodes_that_come_together_are_one_row_with_who_asked_and_how_long_it_took() {
    let mut stage = Stage::new(nodes(86));
    for pod in ["checkout-7d9f-a1", "cart-5d77-b2"] {
        stage.event("02:11:10", ("Pod", "shop", pod), "default-scheduler", "FailedScheduling", PENDING);
    }
    for name in ["m1", "m2"] {
        stage.say("02:12:00", None, Some(Record::from(booting(name, "02:12:00"))));
    }
    for name in ["m1", "m2"] {
        let node = booting(name, "02:12:00");
        stage.say("02:13:02", Some(Record::from(node.clone())), Some(Record::from(up(node, "02:13:02"))));
    }
    let snapshot = stage.end();
    assert_eq!(
        rows_of(&snapshot),
        [
            "02:12:00 | ↑ | eks-use1 | nodes general | 86→88 | cart, checkout pending 50s; 2 × n2-standard-8 | +0.78 | 1m52s"
        ]
    );
    let sheet = sheet(&snapshot, &Scope::All, ScalingLens::Time, now());
    assert_eq!(sheet.answer, "2 events in 60 min: 2 nodes added; +$0.78/h cash");
    assert_eq!(sheet.rows[0].objects.len(), 2);
    let story = story(&snapshot, &sheet.rows[0].id, now());
    assert_eq!(
        lines(&story),
        [
            "02:11:10 pending: 2 pods: Insufficient cpu",
            "02:12:00 nodes: +50s  2 joined, nodes general: 2 × n2-standard-8, +$0.78/h",
            "02:13:02 nodes: +1m02s  2 Ready, nodes general",
        ]
    );
    assert_eq!(
        recent(&snapshot, &Scope::All, now())[0].text,
        "eks-use1  +$0.78/h  nodes general 86→88: cart, checkout pending 50s; 2 × n2-standard-8"
    );
    assert!(rows_of(&self::snapshot(vec![Scene::new(0, "quiet")])).is_empty());
}

#[test]
fn a_price_that_is_not_known_is_not_zero() {
    let mut stage = Stage::new(nodes(1));
    let mut odd = booting("m1", "02:12:00");
    odd.identity.instance_type = Text::EMPTY;
    stage.say("02:12:00", None, Some(Record::from(odd)));
    let snapshot = stage.end();
    assert_eq!(rows_of(&snapshot), ["02:12:00 | ↑ | eks-use1 | nodes general | 1→2 | node | ? | -"]);
    assert_eq!(
        sheet(&snapshot, &Scope::All, ScalingLens::Time, now()).answer,
        "1 event in 60 min: 1 node added; $?/h cash"
    );
}

#[test]
fn nodes_that_stop_being_ready_cost_on() {
    let mut stage = Stage::new(nodes(8));
    for n in 0..3 {
        let before = node(&format!("n{n}"), "general", "us-east-1a");
        let mut after = before.clone();
        after.ready = Truth::Unknown;
        after.ready_since = Some(clock("02:12:20"));
        stage.say("02:12:21", Some(Record::from(before)), Some(Record::from(after)));
    }
    let snapshot = stage.end();
    assert_eq!(
        rows_of(&snapshot),
        ["02:12:20 | ✖ | eks-use1 | nodes general Ready | 8→5 | NotReady, zone us-east-1a | 0 (1.17) | -"]
    );
    assert_eq!(
        sheet(&snapshot, &Scope::All, ScalingLens::Time, now()).answer,
        "3 events in 60 min: 3 nodes NotReady"
    );
}

#[test]
fn a_node_that_is_taken_away_says_why() {
    let mut stage = Stage::new(nodes(59));
    stage.event(
        "02:10:00",
        ("Node", "", "n7"),
        "karpenter",
        "DisruptionTerminating",
        "Disrupting Node: Underutilized",
    );
    stage.say("02:10:05", Some(Record::from(node("n7", "general", "us-east-1a"))), None);
    let snapshot = stage.end();
    assert_eq!(
        rows_of(&snapshot),
        [
            "02:10:05 | ↓ | eks-use1 | nodes general | 59→58 | Karpenter: Underutilized; n2-standard-8 | -0.39 | -"
        ]
    );
    assert_eq!(
        sheet(&snapshot, &Scope::All, ScalingLens::Time, now()).answer,
        "1 event in 60 min: 1 node removed; -$0.39/h cash"
    );
}

#[test]
fn a_lost_spot_node_and_its_replacement_are_one_row() {
    let mut spot = node("s1", "general", "us-east-1a");
    spot.identity.capacity = Capacity::Spot;
    spot.identity.instance_type = "c6i.4xlarge".into();
    let mut stage = Stage::new(vec![Record::from(spot.clone())]);
    stage.event("02:04:00", ("Node", "", "s1"), "karpenter", "SpotInterrupted", "Spot interruption warning");
    stage.say("02:05:12", Some(Record::from(spot)), None);
    let new = booting("d1", "02:05:40");
    stage.say("02:05:40", None, Some(Record::from(new.clone())));
    stage.say("02:07:00", Some(Record::from(new.clone())), Some(Record::from(up(new, "02:07:00"))));
    let snapshot = stage.end();
    assert_eq!(
        rows_of(&snapshot),
        [
            "02:05:12 | ⇄ | eks-use1 | node c6i.4xlarge | 1→1 | spot interrupted, now on demand | ~+0.26 | 1m48s"
        ]
    );
}
