//! From the start to the complete fleet: G1, G2, G4 to G7, G28.

use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::Result;

use crate::relay::Relays;
use crate::size::Size;
use crate::table::{Row, percentile, row};
use crate::{floor, screen};
use driver::Fleet;
use driver::process;

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    row(&Row {
        figure: "G28",
        what: "size of the program",
        target: "20 MB",
        measured: format!("{:.1} MB", std::fs::metadata(binary)?.len() as f64 / 1e6),
        ..Row::default()
    });
    let fleet = Fleet::serve(binary, &size.scenario())?;
    start(binary, &fleet)?;
    let resident = whole(binary, &fleet, size)?;
    bytes(binary, &fleet, size)?;
    drop(fleet);
    per_pod(binary, size, resident)
}

/// G1: to the first frame, and to the first rows of a cluster.
fn start(binary: &Path, fleet: &Fleet) -> Result<()> {
    let (mut frames, mut rows) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let began = Instant::now();
        let mut session = screen::open(binary, fleet, &fleet.kubeconfig(), "nodes")?;
        screen::wait(&mut session, "Objects")?;
        frames.push(began.elapsed().as_secs_f64() * 1000.0);
        screen::wait(&mut session, " Ready ")?;
        rows.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    for (what, target, mut times) in [
        ("start to first frame, median of 5", "150 ms", frames),
        ("start to the first cluster's rows, median of 5", "1 s", rows),
    ] {
        times.sort_by(f64::total_cmp);
        let measured = format!("{:.0} ms", percentile(&times, 0.5));
        row(&Row { figure: "G1", what, target, measured, ..Row::default() });
    }
    Ok(())
}

/// G2, G6 and G7: the whole fleet. Gives what is resident at rest, in MiB.
fn whole(binary: &Path, fleet: &Fleet, size: Size) -> Result<f64> {
    let began = Instant::now();
    let mut session = screen::open(binary, fleet, &fleet.kubeconfig(), "pods")?;
    screen::complete(&mut session, size, size.pods())?;
    let wall = began.elapsed();
    let pid = process::of(&session)?;
    let used = process::cpu(pid)?;
    let alone = floor::measure(&fleet.kubeconfig())?;
    row(&Row {
        figure: "G2",
        what: "full sync: CPU of the client; floor: reading the same lists from memory",
        target: size.pick("6 s", "0.6 s"),
        floor: floor::seconds(alone.decode),
        measured: format!("{:.2} s", used.as_secs_f64()),
    });
    row(&Row {
        figure: "G2",
        what: "full sync: wall; floor: the same lists one after the other, not compressed, not read",
        target: size.pick("8 s", "0.8 s"),
        floor: floor::seconds(alone.server),
        measured: format!("{:.2} s", wall.as_secs_f64()),
    });
    session.settle(Duration::from_secs(3), Duration::from_secs(20));
    let (now, most) = process::memory_of(pid)?;
    row(&Row {
        figure: "G6",
        what: "resident memory",
        target: size.pick("350 MB", "60 MB"),
        measured: format!("{now:.0} MiB, at most {most:.0}"),
        ..Row::default()
    });
    let (served, most) = process::memory_of(fleet.pid())?;
    row(&Row {
        what: "resident memory of the servers themselves, in one process",
        target: size.pick("4 GB", "0.4 GB"),
        measured: format!("{served:.0} MiB, at most {most:.0}"),
        ..Row::default()
    });
    let (descriptors, connections) = process::descriptors(pid)?;
    row(&Row {
        figure: "G7",
        what: "connections at rest; floor: one for each cluster",
        target: size.pick("200, 256 descriptors", "20"),
        floor: size.clusters().to_string(),
        measured: format!("{connections}, {descriptors} descriptors"),
    });
    Ok(now)
}

/// G4: bytes on the wire.
fn bytes(binary: &Path, fleet: &Fleet, size: Size) -> Result<()> {
    let json = floor::measure(&fleet.kubeconfig())?.json;
    let relays = Relays::start(&fleet.kubeconfig())?;
    let mut session = screen::open(binary, fleet, relays.kubeconfig(), "pods")?;
    screen::complete(&mut session, size, size.pods())?;
    let received = relays.received() as f64;
    row(&Row {
        figure: "G4",
        what: "bytes received for the sync, TLS included, of the same lists in JSON",
        target: "12 %",
        floor: format!("{:.0} MB of JSON", json / 1e6),
        measured: format!("{:.1} %, {:.1} MB", received / json * 100.0, received / 1e6),
    });
    Ok(())
}

/// Beside G5, which is the store's alone: what a pod costs in all: the memory of this fleet less that of one with half of its pods. (Fewer would be fewer than the
/// pods that every node has.)
fn per_pod(binary: &Path, size: Size, resident: f64) -> Result<()> {
    let few = size.pods() / 2;
    let fleet = Fleet::serve(binary, &size.with(few))?;
    let mut session = screen::open(binary, &fleet, &fleet.kubeconfig(), "pods")?;
    screen::complete(&mut session, size, few)?;
    session.settle(Duration::from_secs(3), Duration::from_secs(20));
    let (less, _) = process::memory_of(process::of(&session)?)?;
    let each = (resident - less) * 1024.0 * 1024.0 / (size.pods() - few) as f64;
    row(&Row {
        figure: "G5",
        what: "the same, resident, with what its workloads, views and allocator add",
        measured: format!("{each:.0} B"),
        ..Row::default()
    });
    Ok(())
}
