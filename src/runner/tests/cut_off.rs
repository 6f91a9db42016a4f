//! What is known of a run that was cut off, and runs that cross each other.

use super::*;
use crate::operations::Unfinished;

fn left(rig: &Rig) -> Vec<Unfinished> {
    journal::unfinished(&rig.journal, "here", &|_, _| false)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cut_off_is_found_with_its_way_back() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    let mut drain = plan(vec![
        Step { way_back: "uncordon".into(), ..cordon() },
        evict(&[("o1", 1, Some("b"))]),
        Step { way_back: "never begun".into(), ..cordon() },
    ]);
    drain.subjects =
        vec![crate::operations::fixture::key(&rig.snapshots.borrow(), 0, crate::model::Kind::Node, "", "n0")];
    let op = rig.submit(&drain);
    rig.until(2).await;
    // As the journal is now, a killed process would leave it.
    let [run] = &left(&rig)[..] else { panic!("{:?}", left(&rig)) };
    assert_eq!((run.title.as_str(), run.operation.as_str()), ("drain 1 node", "drain"));
    assert_eq!(run.found(&rig.snapshots.borrow().fleet), drain.subjects);
    let [back] = &run.back[..] else { panic!("{:?}", run.back) };
    assert_eq!((back.title.as_str(), back.object.cluster.as_str()), ("uncordon", "gke"));
    assert_eq!((back.object.uid, &back.patch["spec"]), (uid(900), &json!({ "unschedulable": null })));
    assert!(journal::unfinished(&rig.journal, "here", &|_, _| true).is_empty(), "its process lives");
    assert!(journal::unfinished(&rig.journal, "there", &|_, _| false).is_empty(), "it ran elsewhere");

    rig.runner.control(op, Control::StopAndUndo);
    rig.end().await;
    assert!(left(&rig).is_empty(), "it has an end");
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_is_not_offered_again() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![cordon(), evict(&[("o1", 1, Some("b"))])]));
    rig.until(2).await;
    let seq = left(&rig)[0].seq;
    rig.runner.close(seq + 1).await.unwrap();
    assert_eq!(left(&rig).len(), 1);
    rig.runner.close(seq).await.unwrap();
    assert!(left(&rig).is_empty());
    assert!(journal::verify(&rig.journal).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_crosses_another_is_refused_until_that_has_ended() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    let first = rig.submit(&plan(vec![cordon(), evict(&[("o1", 1, Some("b"))])]));
    rig.until(2).await;
    rig.submit(&plan(vec![cordon()]));
    let (outcome, why) = rig.end().await;
    assert_eq!(outcome, Outcome::Refused);
    assert_eq!(why, "drain 1 node runs and writes to Node n0 too: wait until it ends, or stop it");
    rig.runner.control(first, Control::Stop);
    assert_eq!(rig.end().await.0, Outcome::Stopped);
    // It has ended, though it still could be undone.
    rig.submit(&plan(vec![cordon()]));
    assert_eq!(rig.end().await.0, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn results_name_the_audit_id_and_the_version_after() {
    let fake = Fake::default();
    let mut changed = answer(200, json!({ "metadata": { "resourceVersion": "812" } }));
    changed.audit_id = Some("8c0f".into());
    fake.script("PATCH", 1, &changed);
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![cordon()]));
    assert_eq!(rig.end().await.0, Outcome::Done);
    let records = rig.records();
    let result = records.iter().find(|record| record["action"] == "result").unwrap();
    assert_eq!((&result["audit_id"], &result["resource_version_after"]), (&json!("8c0f"), &json!("812")));
    assert_eq!((&result["status"], result["pid"].is_u64()), (&json!(200), true));
}

#[tokio::test(start_paused = true)]
async fn a_run_is_not_lost_when_another_gets_its_process_and_number() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut first = rig(&fake);
    first.submit(&plan(vec![cordon(), evict(&[("o1", 1, Some("b"))])]));
    first.until(2).await;
    // A new process with the same number, as the first of a container has: it begins with op-1 too.
    let mut journal = Journal::open(&first.journal).unwrap();
    for action in ["accepted", "ended"] {
        let record = json!({ "action": action, "host": "here", "pid": std::process::id(), "request_id": "op-1",
            "ts": "2026-11-21T02:14:07Z", "title": "cordon 1 node", "operation": "cordon" });
        journal.append(record.as_object().unwrap().clone()).unwrap();
    }
    let [run] = &left(&first)[..] else { panic!("{:?}", left(&first)) };
    assert_eq!((run.title.as_str(), run.back.len()), ("drain 1 node", 1));
    // And it is not taken for the living one.
    assert_eq!(journal::unfinished(&first.journal, "here", &|_, _| true).len(), 1);
    drop(journal);
    first.runner.close(run.seq).await.unwrap();
    assert!(left(&first).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_other_processes_run_is_known_by_title_and_clusters() {
    let fake = Fake::default().pod("o1", 1, Some("b"));
    let mut rig = rig(&fake);
    let mut drain = plan(vec![cordon(), evict(&[("o1", 1, Some("b"))])]);
    drain.subjects =
        vec![crate::operations::fixture::key(&rig.snapshots.borrow(), 0, crate::model::Kind::Node, "", "n0")];
    rig.submit(&drain);
    rig.until(2).await;
    let [other] = &journal::going(&rig.journal, "here", 1, &|_, _| true)[..] else { panic!("nothing runs") };
    assert_eq!((other.title.as_str(), other.clusters.as_slice()), ("drain 1 node", &["gke".into()][..]));
    assert_eq!((other.recovery, other.subjects[0].name.as_str()), (false, "n0"));
    let own = u64::from(std::process::id());
    assert!(journal::going(&rig.journal, "here", own, &|_, _| true).is_empty(), "its own runs it knows");
    assert!(journal::going(&rig.journal, "here", 1, &|_, _| false).is_empty(), "it is cut off");
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_is_remembered_with_the_template_that_it_took() {
    let fake = Fake::default();
    let target =
        Target { plural: "deployments".into(), kind: "Deployment".into(), api: "apps/v1".into(), ..node() };
    let to = Target {
        plural: "replicasets".into(),
        kind: "ReplicaSet".into(),
        name: "cart-7".into(),
        ..target.clone()
    };
    let back = crate::operations::RollBack { target, to, revision: "7".into() };
    let roll = Step { undo: vec![Action::RollBack(back)], ..cordon() };
    let mut rig = rig(&fake);
    rig.submit(&plan(vec![
        roll,
        step("wait", Action::AwaitReady(Vec::new())),
        step(
            "probe",
            Action::Probe(crate::operations::Probe::Http {
                url: "https://x/".into(),
                status: 200,
                every: Span::from_seconds(1),
            }),
        ),
    ]));
    rig.until(2).await;
    let [run] = &left(&rig)[..] else { panic!("{:?}", left(&rig)) };
    let template = run.back[0].template.as_ref().unwrap();
    assert_eq!((template.set.as_str(), template.revision.as_str(), template.uid), ("cart-7", "7", uid(900)));
}
