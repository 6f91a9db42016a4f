//! Karpenter makes and removes nodes, and the Scaling pane tells who, why and at what price.

use quarterdeck::model::{Capacity, Cluster};
use quarterdeck::views::SheetRow;
use quarterdeck::views::scaling::story;

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::{self, Disturb, Ground, User};
use super::pane::{self, SCALED, cell, check, row, told};
use super::planes::{Addon, Binaries, Error, Options, Plane};

const PLANE: &str = "eks-use1";
const POOL: &str = "nodes burst";

/// Pods ask for nodes and give them up.
pub(crate) fn story_of_nodes(binaries: &Binaries) -> Outcome {
    let options = Options { with: vec![Addon::Karpenter], ..Options::default() };
    let real = Real::start(binaries, 1, &options)?;
    let plane = real.plane(PLANE);
    runtime()?.block_on(async {
        let mut ground = Ground::open(&real.kubeconfig(User::Admin));
        ground.live(PLANE).await;
        let grown = grows(plane, &mut ground).await?;
        printed(&real, grown)?;
        shrinks(plane, &mut ground, grown).await
    })
}

/// Twelve pods of one core: the nodes of the pool come, and the row of them says whose and why.
async fn grows(plane: &Plane, ground: &mut Ground) -> Result<usize, Error> {
    scale(plane, 12)?;
    let what = "twelve pods of the Deployment are ready";
    let cluster = ground.wait_for(PLANE, what, SCALED, |c| serving(c) == 12).await;
    let nodes = burst(&cluster).count();
    let came = |row: &SheetRow| cell(row, "what") == POOL && cell(row, "") == "↑" && cell(row, "lead") != "-";
    let snapshot = told(ground, came).await?;
    let row = row(&snapshot, came)?;
    check(cell(&row, "to") == format!("0→{nodes}"), "the row counts the nodes that came", &row)?;
    let cause = cell(&row, "cause");
    let machine = burst(&cluster).next().map(|(machine, _, _)| machine).unwrap_or_default();
    for word in ["render pending", "Karpenter: ", machine.as_str(), "spot"] {
        check(cause.contains(word), word, &row)?;
    }
    check(burst(&cluster).all(|(_, capacity, _)| capacity == Capacity::Spot), "the nodes are spot", &row)?;

    // Karpenter writes on its nodes what it reckons with; our list of prices is another one.
    let theirs: f64 = burst(&cluster).map(|(_, _, price)| price).sum();
    let ours = dollars(&cell(&row, "$/h"))?;
    check(ours > theirs / 2.0 && ours < theirs * 2.0, "the bill grows by what the nodes cost", &row)?;

    let lines = story(&snapshot, &row.id, ground::now()).lines;
    let lines: Vec<_> = lines.iter().map(|line| format!("{} {}", line.label, line.text)).collect();
    for word in ["pending", "Karpenter", "nodes", "joined", "serving"] {
        let said = lines.iter().any(|line| line.contains(word));
        if !said {
            return Err(Error::new(format!("the story says nothing of {word}: {lines:#?}")));
        }
    }
    Ok(nodes)
}

/// The program itself, started afterwards, finds the same nodes and the same cause.
fn printed(real: &Real, grown: usize) -> Result<(), Error> {
    let rows = pane::printed(&real.0.kubeconfig("viewer"), &["scaling"])?;
    let found = rows.iter().find(|row| row["what"] == POOL && row["cause"].to_string().contains("Karpenter"));
    match found {
        Some(row) if row["to"] == format!("0→{grown}") => Ok(()),
        _ => Err(Error::new(format!("the nodes of Karpenter are not told: {rows:#?}"))),
    }
}

/// All but one pod go: what is left empty is disrupted, and the row says by whom.
async fn shrinks(plane: &Plane, ground: &mut Ground, grown: usize) -> Outcome {
    scale(plane, 1)?;
    ground.wait_for(PLANE, "nodes of the pool are gone", SCALED, |c| burst(c).count() < grown).await;
    let gone = |row: &SheetRow| cell(row, "what") == POOL && cell(row, "") == "↓";
    let snapshot = told(ground, |row| gone(row) && cell(row, "cause").contains("Karpenter")).await?;
    let row = row(&snapshot, gone)?;
    let cause = cell(&row, "cause");
    check(["Empty", "Underutilized"].iter().any(|why| cause.contains(why)), "why it was disrupted", &row)?;
    check(dollars(&cell(&row, "$/h"))? < 0.0, "the bill shrinks", &row)?;
    Ok(())
}

fn scale(plane: &Plane, replicas: u32) -> Result<(), Error> {
    let replicas = format!("--replicas={replicas}");
    plane.kubectl(&["scale", "-n", "burst", "deployment/render", &replicas]).map(drop)
}

/// Machine, capacity and Karpenter's own price of every node of the pool.
fn burst(cluster: &Cluster) -> impl Iterator<Item = (String, Capacity, f64)> {
    cluster.nodes().filter(|node| node.identity.pool == "burst").map(|node| {
        let price = node.meta.labels.get("eks-node-viewer/instance-price");
        let price = price.and_then(|price| price.parse().ok()).unwrap_or_default();
        (node.identity.instance_type.to_string(), node.identity.capacity, price)
    })
}

/// How many replicas of the workload its Deployment says are ready.
fn serving(cluster: &Cluster) -> u32 {
    cluster.workloads().find(|workload| workload.meta.name == "render").map_or(0, |workload| workload.ready)
}

/// `~+0.33`, `-0.17`.
fn dollars(cell: &str) -> Result<f64, Error> {
    cell.trim_start_matches('~').parse().map_err(|_| Error::new(format!("{cell} is no amount")))
}
