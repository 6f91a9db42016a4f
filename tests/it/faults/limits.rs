//! Limits of the machine: descriptors, room on the disk, memory.

use std::time::Duration;

use quarterdeck::sim::{Fleet, Options, Pace, Role, Scenario};

use super::program::Program;
use crate::embedded::Embedded;
use crate::ground::blocking;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_58_few_descriptors_are_enough_for_many_clusters() {
    let options = || Options { pace: Pace::Manual, ..Options::default() };
    let fleet = Fleet::start(Scenario::sized(60, 60, 240), options()).await.unwrap();
    let kubeconfig = fleet.kubeconfig(Role::Admin);
    let arguments = ["get", "objects", "nodes", "-o", "csv", "--timeout", "300s"];
    let ran = Program::run(&kubeconfig, &arguments, "ulimit -n 96").await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.out.lines().count(), 1 + 60, "{}", ran.out);

    // Fewer than clusters: those that found none are named, the others are there.
    let arguments = ["get", "objects", "nodes", "-o", "csv", "--timeout", "20s"];
    let ran = Program::run(&kubeconfig, &arguments, "ulimit -n 48").await;
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.lines().count() > 1, "{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains("Too many open files"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_59_without_room_for_a_record_nothing_is_written() {
    let fleet = Fleet::start(Scenario::small().unwrap(), Options::default()).await.unwrap();
    let alpha = fleet.cluster("alpha").unwrap();
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("kubeconfig"), fleet.kubeconfig(Role::Admin)).unwrap();
    let node = alpha.objects("nodes")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let cordoned = || {
        let nodes = alpha.objects("nodes");
        nodes.iter().any(|n| n["metadata"]["name"] == *node && n["spec"]["unschedulable"] == true)
    };
    let cordon = ["cordon", &format!("alpha/{node}")];
    let plan = Program::run_in(home.path(), &cordon, "").await;
    let hash = plan.out.lines().find_map(|line| line.strip_prefix("plan ")).unwrap().to_owned();
    let confirmed = [&cordon[..], &["--yes", &hash]].concat();

    // Every write to a file fails (EFBIG), as on a full disk; the signal that comes with it is ignored.
    let full = "trap '' XFSZ; ulimit -f 0";
    let ran = Program::run_in(home.path(), &confirmed, full).await;
    assert_ne!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("journal") && said.contains("cannot be written"), "{said}");
    assert!(!cordoned(), "no record, no write");

    let ran = Program::run_in(home.path(), &confirmed, "").await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert!(cordoned(), "with room it is carried out");
    let journal = Program::run_in(home.path(), &["journal", "verify"], "").await;
    assert_eq!(journal.code, Some(0), "{}\n{}", journal.out, journal.err);
}

/// What the program may take more than when nothing is wrong (G22).
const EXTRA: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_27_32_47_what_is_too_large_is_not_held() {
    let fleet = Embedded::start().await;
    let kubeconfig = fleet.fleet.kubeconfig(Role::Admin);
    let whole = Program::run(&kubeconfig, &["get", "objects", "pods"], "").await;
    assert_eq!(whole.code, Some(0), "{}\n{}", whole.out, whole.err);
    // A while in which watches are open; no cluster has so many pods.
    let watching = ["get", "objects", "pods", "--until", "rows==9999", "--timeout", "12s"];
    for (fault, code) in [
        (r#"{"fault": "gzip-bomb", "kinds": ["pods"]}"#, 5),
        (r#"{"fault": "endless-line", "kinds": ["nodes", "pods", "events"]}"#, 5),
        (r#"{"fault": "large-object", "kinds": ["pods"], "times": 2}"#, 5),
    ] {
        blocking(|| fleet.hand.fault(fault)).unwrap();
        fleet.fleet.set_churn(20.0);
        let ran = Program::run(&kubeconfig, &watching, "").await;
        assert_eq!(ran.code, Some(code), "{fault}: {}\n{}", ran.out, ran.err);
        let happened = blocking(|| fleet.hand.happened()).unwrap();
        assert!(happened.iter().any(|(_, _, times)| *times > 0), "{fault} never happened");
        let more = ran.peak.saturating_sub(whole.peak);
        assert!(more <= EXTRA, "{fault}: {} MiB more", more >> 20);
        blocking(|| fleet.hand.heal()).unwrap();
    }
    tokio::time::timeout(Duration::from_secs(120), async {
        let ran = Program::run(&kubeconfig, &["get", "objects", "pods"], "").await;
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    })
    .await
    .unwrap();
}
