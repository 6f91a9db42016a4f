//! KEDA scales by what happens elsewhere, and the Scaling pane says that it was KEDA.

use quarterdeck::model::Cluster;
use quarterdeck::views::SheetRow;

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::{Disturb, Ground, User};
use super::pane::{self, SCALED, cell, check, row, told};
use super::planes::{Addon, Binaries, Error, Options, Plane};

const PLANE: &str = "eks-use1";
const PACKER: &str = "packer KEDA";

/// What KEDA calls the trigger of `manifests/keda.yaml`.
const TRIGGER: &str = "s0-workload-queue";

/// A trigger whose server does not listen.
const BROKEN: &str = r#"{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
  "metadata": {"name": "by-load", "namespace": "queue"},
  "spec": {"scaleTargetRef": {"name": "orders"}, "pollingInterval": 5, "triggers": [{"type": "prometheus",
    "metadata": {"serverAddress": "http://127.0.0.1:1", "query": "up", "threshold": "5"}}]}}"#;

/// Orders come and go; the packer wakes, grows, and sleeps again.
pub(crate) fn wakes(binaries: &Binaries) -> Outcome {
    let options = Options { with: vec![Addon::Keda], ..Options::default() };
    let real = Real::start(binaries, 1, &options)?;
    let plane = real.plane(PLANE);
    runtime()?.block_on(async {
        let mut ground = Ground::open(&real.kubeconfig(User::Viewer));
        ground.live(PLANE).await;
        grows(plane, &mut ground).await?;
        printed(&real)?;
        sleeps(plane, &mut ground).await?;
        fails(plane, &ground).await
    })
}

/// Eight orders: the operator wakes the packer for the first, and an autoscaler of KEDA's makes it four.
async fn grows(plane: &Plane, ground: &mut Ground) -> Result<(), Error> {
    orders(plane, 8)?;
    let woke = |row: &SheetRow| cell(row, "what") == PACKER && cell(row, "to") == "0→1";
    let snapshot = told(ground, woke).await?;
    let woken = row(&snapshot, woke)?;
    check(cell(&woken, "cause").contains(TRIGGER), "the trigger that woke it", &woken)?;
    let grew = |row: &SheetRow| cell(row, "what") == PACKER && cell(row, "to") == "1→4";
    let snapshot = told(ground, grew).await?;
    let grown = row(&snapshot, grew)?;
    check(cell(&grown, "cause").contains(TRIGGER), "the metric by which it grew", &grown)?;
    ground.wait_for(PLANE, "four pods pack", SCALED, |cluster| packing(cluster) == 4).await;
    Ok(())
}

/// The program itself, started afterwards, tells of both and of who did it.
fn printed(real: &Real) -> Result<(), Error> {
    let rows = pane::printed(&real.0.kubeconfig("viewer"), &["scaling"])?;
    let told = |to: &str| {
        rows.iter()
            .any(|row| row["what"] == PACKER && row["to"] == to && row["cause"].to_string().contains(TRIGGER))
    };
    if told("0→1") && told("1→4") {
        return Ok(());
    }
    Err(Error::new(format!("what KEDA did is not told: {rows:#?}")))
}

/// No order is left: the operator puts the packer to sleep.
async fn sleeps(plane: &Plane, ground: &mut Ground) -> Result<(), Error> {
    orders(plane, 0)?;
    let slept = |row: &SheetRow| cell(row, "what") == PACKER && cell(row, "to").ends_with("→0");
    let snapshot = told(ground, slept).await?;
    let row = row(&snapshot, slept)?;
    check(cell(&row, "") == "↓", "fewer", &row)?;
    ground.wait_for(PLANE, "nobody packs", SCALED, |cluster| packing(cluster) == 0).await;
    Ok(())
}

/// A trigger that cannot ask its server is told of the workload, by whatever name KEDA's object goes.
async fn fails(plane: &Plane, ground: &Ground) -> Outcome {
    plane.apply(BROKEN)?;
    let failed = |row: &SheetRow| cell(row, "what") == "orders KEDA" && cell(row, "") == "▲";
    let snapshot = told(ground, failed).await?;
    let row = row(&snapshot, failed)?;
    check(cell(&row, "cause").contains("connection refused"), "why the trigger fails", &row)?;
    Ok(())
}

fn orders(plane: &Plane, count: u32) -> Result<(), Error> {
    let replicas = format!("--replicas={count}");
    plane.kubectl(&["scale", "-n", "queue", "deployment/orders", &replicas]).map(drop)
}

/// How many pods of the packer are ready.
fn packing(cluster: &Cluster) -> u32 {
    cluster.workloads().find(|workload| workload.meta.name == "packer").map_or(0, |workload| workload.ready)
}
