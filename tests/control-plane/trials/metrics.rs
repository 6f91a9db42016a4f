//! What metrics-server measures is shown, and what an autoscaler makes of it.

use quarterdeck::model::{Cluster, Meta, Used};
use quarterdeck::views::SheetRow;

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::{Disturb, Ground, User};
use super::pane::{self, SCALED, cell, check, row, told};
use super::planes::{Addon, Binaries, Error, Options};

const PLANE: &str = "eks-use1";

/// What each pod of the seed uses by its annotation, in millicores; measured between two moments, so a little off.
const IDLE: std::ops::RangeInclusive<i64> = 15..=25;
const MEMORY: i64 = 24 << 20;

/// Usage of nodes and pods, from KWOK's kubelets to the screen; then load, for which the autoscaler makes pods.
pub(crate) fn usage(binaries: &Binaries) -> Outcome {
    let options = Options { with: vec![Addon::MetricsServer], ..Options::default() };
    let real = Real::start(binaries, 1, &options)?;
    let plane = real.plane(PLANE);
    plane.seed_fleet(1)?;
    runtime()?.block_on(async {
        let mut ground = Ground::open(&real.kubeconfig(User::Viewer));
        ground.live(PLANE).await;
        let idle = |used: &Used| IDLE.contains(&used.cpu) && used.memory == MEMORY;
        let measured = |cluster: &Cluster| {
            let web: Vec<Used> = web(cluster).collect();
            web.len() == 6 && web.iter().all(idle) && cluster.usage.nodes.len() == cluster.nodes().count()
        };
        ground.wait_for(PLANE, "the idle pods and every node are measured", SCALED, measured).await;
        printed(&real)?;

        // Twice what they ask for, where the autoscaler wants 70 %. Pods that come are idle, as annotated.
        plane.load("shop", "web", "400m")?;
        let grew = |row: &SheetRow| cell(row, "what") == "web HPA" && cell(row, "") == "↑";
        let snapshot = told(&ground, |row| grew(row) && cell(row, "to").starts_with("6→")).await?;
        let row = row(&snapshot, |row| grew(row) && cell(row, "to").starts_with("6→"))?;
        check(cell(&row, "cause").contains("cpu"), "the resource that the autoscaler saw", &row)?;
        Ok(())
    })
}

/// The program shows what pods and nodes use.
fn printed(real: &Real) -> Result<(), Error> {
    let kubeconfig = real.0.kubeconfig("viewer");
    let pods = pane::printed(&kubeconfig, &["objects", "pods", "-n", "shop"])?;
    let nodes = pane::printed(&kubeconfig, &["objects", "nodes"])?;
    let shown = pods
        .iter()
        .all(|row| row["cpu"].as_str().is_some_and(|cpu| cpu.ends_with('m')) && row["mem"] == "24 MiB")
        && nodes.iter().all(|row| row["cpu use%"].is_number() && row["mem use%"].is_number());
    if shown && !pods.is_empty() && !nodes.is_empty() {
        return Ok(());
    }
    Err(Error::new(format!("usage is not shown: {pods:#?}\n{nodes:#?}")))
}

fn web(cluster: &Cluster) -> impl Iterator<Item = Used> {
    let of_web = |meta: &Meta| meta.namespace == "shop" && meta.name.starts_with("web-");
    let pods = cluster.pods().map(|pod| &pod.meta).filter(move |meta| of_web(meta));
    pods.filter_map(|meta| cluster.usage.pods.get(&meta.namespace, &meta.name))
}
