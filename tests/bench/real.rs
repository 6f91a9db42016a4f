//! G29 and G30, on a real control plane beside kubectl.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};
use quarterdeck::model::Kind;

use crate::floor;
use crate::planes::{Binaries, Options, Planes};
use crate::table::{Row, row};
use driver::Session;
use driver::process;

const NODES: u32 = 200;
const PODS: u32 = 10_000;
const SIZE: (u16, u16) = (160, 40);
const TURNS: usize = 3;

/// What the table is headed by.
pub(crate) fn title() -> String {
    format!("one kube-apiserver, {PODS} pods, terminal {}x{}", SIZE.0, SIZE.1)
}

pub(crate) fn measure(binary: &Path, k9s: Option<&Path>) -> Result<()> {
    let binaries = Binaries::ensure().map_err(|why| eyre!("{why}"))?;
    let planes = Planes::start(&binaries, 1, &Options::default())?;
    let plane = planes.iter().next().ok_or_else(|| eyre!("no plane"))?;
    plane.seed_pods(NODES, PODS)?;
    plane.wait_pods(PODS as usize, Duration::from_secs(600))?;
    let kubeconfig = plane.kubeconfig("admin");
    let home = tempfile::tempdir()?;
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    let mut k9s_runs = Vec::new();
    for _ in 0..TURNS {
        ours.push(quarterdeck(binary, &kubeconfig, home.path())?);
        theirs.push(kubectl(&kubeconfig)?);
        if let Some(k9s) = k9s {
            k9s_runs.push(self::k9s(k9s, &kubeconfig, home.path())?);
        }
    }
    let mut lists = Vec::new();
    for _ in 0..TURNS {
        lists.push((floor::asked(&kubeconfig, Kind::Pod)?.as_secs_f64(), 0.0));
    }
    let server = median(&mut lists).0;
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let k9s = (!k9s_runs.is_empty()).then(|| median(&mut k9s_runs));
    let beside = |unit: &str, of: fn((f64, f64)) -> String| {
        let k9s = k9s.map_or_else(String::new, |run| format!(", {}{unit} k9s", of(run)));
        format!("{}{unit} kubectl{k9s}", of(theirs))
    };
    row(&Row {
        figure: "G29",
        what: "start to the complete pod table, median of 3; floor: the server's own time for the list \
               (protobuf, gzip, thrown away), and others' for that table",
        target: "0.65 s",
        floor: format!("{server:.2} s; {}", beside(" s", |run| format!("{:.2}", run.0))),
        measured: format!("{:.2} s", ours.0),
    });
    row(&Row {
        figure: "G30",
        what: "resident memory then",
        target: "37 MiB",
        floor: beside(" MiB", |run| format!("{:.0}", run.1)),
        measured: format!("{:.0} MiB", ours.1),
    });
    Ok(())
}

/// The run whose time is the median.
fn median(runs: &mut [(f64, f64)]) -> (f64, f64) {
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    runs.get(runs.len() / 2).copied().unwrap_or((f64::NAN, f64::NAN))
}

/// Seconds to the complete table, and MiB resident then.
fn quarterdeck(binary: &Path, kubeconfig: &Path, home: &Path) -> Result<(f64, f64)> {
    let (kubeconfig, home) = (text(kubeconfig)?, text(home)?);
    let arguments = ["--kubeconfig", kubeconfig, "-c", "pods"];
    complete(binary, &arguments, ("QUARTERDECK_HOME", home), "10,000 pods in 1 cluster")
}

/// The same of k9s, whose title counts the rows.
fn k9s(binary: &Path, kubeconfig: &Path, home: &Path) -> Result<(f64, f64)> {
    let (kubeconfig, home) = (text(kubeconfig)?, text(home)?);
    let arguments = ["--kubeconfig", kubeconfig, "-A", "-c", "pods", "--splashless"];
    complete(binary, &arguments, ("K9S_CONFIG_DIR", home), "[10,000]")
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| eyre!("the path is not UTF-8"))
}

/// Seconds until a program says these words on screen, and MiB resident then.
fn complete(binary: &Path, arguments: &[&str], home: (&str, &str), words: &str) -> Result<(f64, f64)> {
    let began = Instant::now();
    let mut session = Session::start(binary, arguments, &[home], SIZE);
    session.wait_for_text(Duration::from_secs(120), words).map_err(|e| eyre!(e))?;
    let seconds = began.elapsed().as_secs_f64();
    let (now, _) = session.pid().and_then(process::memory).ok_or_else(|| eyre!("no /proc"))?;
    Ok((seconds, now))
}

/// Seconds to the end of its table, and MiB resident at most.
fn kubectl(kubeconfig: &Path) -> Result<(f64, f64)> {
    let began = Instant::now();
    let mut child = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(["get", "pods", "-A"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut table = child.stdout.take().ok_or_else(|| eyre!("kubectl has no output"))?;
    // It holds the whole list when it prints, and prints more than one read takes.
    let (mut most, mut part) = (0.0_f64, [0; 16 << 10]);
    while table.read(&mut part)? > 0 {
        most = process::memory(child.id()).map_or(most, |(_, peak)| most.max(peak));
    }
    child.wait()?;
    Ok((began.elapsed().as_secs_f64(), most))
}
