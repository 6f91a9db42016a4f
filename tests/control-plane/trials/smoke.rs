//! The planes themselves: they start, obey RBAC, survive pulled plugs, and leave nothing behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::Outcome;
use super::planes::process::{Process, Undertaker, exists};
use super::planes::{Binaries, Error, Options, Plane, Planes, wait_until, within};

const SOON: Duration = Duration::from_secs(60);

/// Two planes, nodes that look like their provider's and are ready, users who may do what their roles say.
pub(crate) fn nodes_and_roles(binaries: &Binaries) -> Outcome {
    let planes = Planes::start(binaries, 2, &Options::default())?;
    for plane in planes.iter() {
        let nodes: u32 = plane.look().pools.iter().map(|pool| pool.nodes).sum();
        plane.wait_nodes(nodes as usize, SOON)?;
    }
    let eks = planes.plane("eks-use1")?;
    let ids = eks.kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].spec.providerID}"])?;
    check(
        ids.split_whitespace().all(|id| id.starts_with("aws:///us-east-1")),
        "EKS nodes have EKS ids",
        &ids,
    )?;
    let kubelets =
        eks.kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.kubeletVersion}"])?;
    check(kubelets.contains("-eks-"), "the status arrives with the node", &kubelets)?;

    eks.seed_fleet(1)?;
    eks.wait_pods(20, SOON)?;
    eks.kubectl_as("viewer", &["get", "pods", "-A"])?;
    forbidden(eks.kubectl_as("nopods", &["get", "pods", "-A"]))?;
    eks.kubectl_as("nopods", &["get", "nodes"])?;
    forbidden(eks.kubectl_as("viewer", &["scale", "-n", "shop", "deployment/web", "--replicas=7"]))?;
    eks.kubectl_as("operator", &["scale", "-n", "shop", "deployment/web", "--replicas=7"])?;
    forbidden(eks.kubectl_as("operator", &["delete", "pod", "-n", "payments", "ledger-0"]))?;

    eks.revoke("viewer", "fleet-read-pods")?;
    wait_until(SOON, "the viewer may not read pods any more", || {
        Ok(eks.kubectl_as("viewer", &["get", "pods", "-A"]).is_err())
    })?;
    let fleet = planes.kubeconfig("viewer");
    let text = std::fs::read_to_string(fleet)?;
    check(text.contains("gke-euw1") && text.contains("viewer-token"), "one kubeconfig has every plane", &text)
}

/// Frozen servers do not answer and then do; stopped ones refuse and come back with their data; nothing is left.
pub(crate) fn plugs(binaries: &Binaries) -> Outcome {
    let options = Options { controllers: false, kwok: false, nodes: false, ..Options::default() };
    let mut planes = Planes::start(binaries, 1, &options)?;
    let pids = planes.pids();
    let plane = planes.plane_mut("eks-use1")?;
    plane.kubectl(&["create", "namespace", "kept"])?;

    plane.freeze_api()?;
    let answer = plane.kubectl(&["get", "namespace", "kept", "--request-timeout=1s"]);
    check(answer.is_err(), "a frozen server does not answer", &format!("{answer:?}"))?;
    plane.thaw_api()?;
    plane.kubectl(&["get", "namespace", "kept"])?;

    plane.stop_api();
    let answer = plane.kubectl(&["get", "namespace", "kept", "--request-timeout=1s"]);
    let refused = answer.as_ref().is_err_and(|error| error.to_string().contains("refused"));
    check(refused, "the port of a stopped server refuses", &format!("{answer:?}"))?;
    plane.start_api()?;
    plane.kubectl(&["get", "namespace", "kept"])?;

    let again = planes.pids();
    let dir = planes.dir().to_owned();
    drop(planes);
    let left: Vec<_> = pids.iter().chain(&again).filter(|(_, pid)| exists(*pid)).collect();
    check(left.is_empty() && !dir.exists(), "nothing is left", &format!("{left:?}, {}", dir.display()))
}

/// A panic unwinds through the planes, and a frozen server dies with the others.
pub(crate) fn panics(binaries: &Binaries) -> Outcome {
    let options = Options { nodes: false, ..Options::default() };
    let planes = Planes::start(binaries, 1, &options)?;
    let pids = planes.pids();
    check(pids.len() == 5, "etcd and four components run", &format!("{pids:?}"))?;
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let frozen = planes.plane("eks-use1").and_then(Plane::freeze_api);
        // Past the hook, which would print a backtrace into the test's output.
        std::panic::resume_unwind(Box::new(frozen.is_ok()));
    }));
    let frozen = outcome.is_err_and(|payload| payload.downcast_ref() == Some(&true));
    check(frozen, "the server could be frozen before the panic", "a failure")?;
    let left: Vec<_> = pids.iter().filter(|(_, pid)| exists(*pid)).collect();
    check(left.is_empty(), "nothing is left", &format!("{left:?}"))
}

/// What `Drop` cannot do for a process that is killed, the undertaker does.
pub(crate) fn undertaker(_: &Binaries) -> Outcome {
    let dir = tempfile::tempdir()?;
    let (data, log) = (dir.path().join("data"), dir.path().join("log"));
    std::fs::create_dir(&data)?;
    let undertaker = Arc::new(Undertaker::start(&data)?);
    let mut orphan = Command::new("sleep");
    orphan.arg("600");
    let mut orphan = Process::spawn("sleep", orphan, &log, &undertaker)?;
    orphan.must_run(Duration::ZERO)?;
    undertaker.abandon();
    check(orphan.ended(SOON)?.is_some(), "the orphan is killed", "it runs")?;
    drop(orphan);
    // It is waited for when nobody needs it any more.
    within(SOON, "the undertaker is done", move || drop(undertaker))?;
    check(!data.exists(), "its data is removed", "it is there")
}

fn check(holds: bool, what: &str, seen: &str) -> Outcome {
    if holds { Ok(()) } else { Err(Error::new(format!("expected that {what}, but saw: {seen}")).into()) }
}

fn forbidden(answer: Result<String, Error>) -> Outcome {
    match answer {
        Err(error) if error.to_string().contains("Forbidden") => Ok(()),
        other => check(false, "the request is forbidden", &format!("{other:?}")),
    }
}
