//! G29 and G30, on a real control plane beside kubectl and others.

use std::io::Read;
use std::path::{Path, PathBuf};
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

/// Other programs that show that table.
#[derive(clap::Args)]
pub(crate) struct Others {
    /// With --real: beside this k9s, too
    #[arg(long, requires = "real")]
    k9s: Option<PathBuf>,
    /// With --real: beside this sofka, too
    #[arg(long, requires = "real")]
    sofka: Option<PathBuf>,
}

pub(crate) fn measure(binary: &Path, others: &Others) -> Result<()> {
    let binaries = Binaries::ensure().map_err(|why| eyre!("{why}"))?;
    let planes = Planes::start(&binaries, 1, &Options::default())?;
    let plane = planes.iter().next().ok_or_else(|| eyre!("no plane"))?;
    plane.seed_pods(NODES, PODS)?;
    plane.wait_pods(PODS as usize, Duration::from_secs(600))?;
    let kubeconfig = plane.kubeconfig("admin");
    let home = tempfile::tempdir()?;
    let others = others.programs(text(&kubeconfig)?);
    let mut ours = Vec::new();
    let mut theirs = vec![Vec::new(); others.len() + 1];
    for _ in 0..TURNS {
        ours.push(quarterdeck(binary, &kubeconfig, home.path())?);
        theirs[0].push(kubectl(&kubeconfig)?);
        for (other, runs) in others.iter().zip(&mut theirs[1..]) {
            runs.push(complete(
                other.binary,
                &other.arguments,
                (other.home, text(home.path())?),
                other.words,
            )?);
        }
    }
    let mut lists = Vec::new();
    for _ in 0..TURNS {
        lists.push((floor::asked(&kubeconfig, Kind::Pod)?.as_secs_f64(), 0.0));
    }
    let server = median(&mut lists).0;
    let ours = median(&mut ours);
    let names = ["kubectl"].into_iter().chain(others.iter().map(|other| other.name));
    let theirs: Vec<_> = names.zip(theirs.iter_mut().map(|runs| median(runs))).collect();
    let beside = |said: fn((f64, f64)) -> String| {
        let each: Vec<String> = theirs.iter().map(|(name, run)| format!("{} {name}", said(*run))).collect();
        each.join(", ")
    };
    row(&Row {
        figure: "G29",
        what: "start to the complete pod table, median of 3; floor: the server's own time for the list \
               (protobuf, gzip, thrown away), and others' for that table",
        target: "0.65 s",
        floor: format!("{server:.2} s; {}", beside(|run| format!("{:.2} s", run.0))),
        measured: format!("{:.2} s", ours.0),
    });
    row(&Row {
        figure: "G30",
        what: "resident memory then",
        target: "37 MiB",
        floor: beside(|run| format!("{:.0} MiB", run.1)),
        measured: format!("{:.0} MiB", ours.1),
    });
    Ok(())
}

/// How another program shows the table, and how it says that it is complete.
struct Program<'a> {
    name: &'static str,
    binary: &'a Path,
    arguments: Vec<&'a str>,
    /// The variable that names the folder of its settings.
    home: &'static str,
    /// Its title counts the rows.
    words: &'static str,
}

impl Others {
    fn programs<'a>(&'a self, kubeconfig: &'a str) -> Vec<Program<'a>> {
        let k9s = self.k9s.as_deref().map(|binary| Program {
            name: "k9s",
            binary,
            arguments: vec!["--kubeconfig", kubeconfig, "-A", "-c", "pods", "--splashless"],
            home: "K9S_CONFIG_DIR",
            words: "[10,000]",
        });
        let sofka = self.sofka.as_deref().map(|binary| Program {
            name: "sofka",
            binary,
            arguments: vec!["--kubeconfig", kubeconfig, "-A", "pods"],
            home: "XDG_CONFIG_HOME",
            words: "[10000]",
        });
        k9s.into_iter().chain(sofka).collect()
    }
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
