//! G1, G9, G11 and G13, on an embedded fleet in a process of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};

use crate::session::Session;
use crate::{percentile, process, row};

/// The fleet of the reference load divided by ten: 20 clusters, 1,000 nodes, 20,000 pods.
const FLEET: &str = "sized:20x1000x20000";
const SIZE: (u16, u16) = (200, 60);
const IDLE: Duration = Duration::from_secs(20);
const KEYS: usize = 200;

/// The serving process; stopped when dropped.
struct Fleet(Child);

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn measure(binary: &Path) -> Result<()> {
    let home = tempfile::tempdir()?;
    let kubeconfig = home.path().join("kubeconfig");
    let path = |p: &Path| p.to_str().map(str::to_owned).ok_or_else(|| eyre!("the path is not UTF-8"));
    let (kubeconfig, home) = (path(&kubeconfig)?, path(home.path())?);
    let _fleet = serve(binary, FLEET, "0", &kubeconfig)?;
    row("", &format!("{FLEET}, terminal {}x{}", SIZE.0, SIZE.1), "");

    let variables = [("QUARTERDECK_HOME", home.as_str())];
    let mut session = start_up(binary, &kubeconfig, &variables)?;
    idle(&mut session)?;
    keys(&mut session)
}

/// Starts a fleet and waits until its kubeconfig is there.
fn serve(binary: &Path, scenario: &str, speed: &str, kubeconfig: &str) -> Result<Fleet> {
    let child = Command::new(binary)
        .args(["demo", "--serve", "--scenario", scenario, "--speed", speed, "--kubeconfig-out", kubeconfig])
        .stdout(Stdio::null())
        .spawn()?;
    let fleet = Fleet(child);
    let end = Instant::now() + Duration::from_secs(120);
    while !Path::new(kubeconfig).exists() {
        if Instant::now() > end {
            return Err(eyre!("the embedded fleet did not start within two minutes"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(fleet)
}

/// G1: from the start of the process to the first frame, and to the first rows of a cluster.
fn start_up(binary: &Path, kubeconfig: &str, variables: &[(&str, &str)]) -> Result<Session> {
    let mut frames = Vec::new();
    let mut rows = Vec::new();
    let mut last = None;
    for _ in 0..5 {
        let began = Instant::now();
        let mut session =
            Session::start(binary, &["--kubeconfig", kubeconfig, "-c", "nodes"], variables, SIZE);
        let wait = Duration::from_secs(60);
        session.wait_for(wait, |s| s.contents().contains("Objects")).map_err(|e| eyre!(e))?;
        frames.push(began.elapsed().as_secs_f64() * 1000.0);
        session.wait_for(wait, |s| s.contents().contains(" Ready ")).map_err(|e| eyre!(e))?;
        rows.push(began.elapsed().as_secs_f64() * 1000.0);
        last = Some(session);
    }
    frames.sort_by(f64::total_cmp);
    rows.sort_by(f64::total_cmp);
    row("G1", "start to first frame, median of 5 (target 150 ms)", &format!("{:.0} ms", frames[2]));
    row("G1", "start to the first cluster's rows, median of 5 (target 1 s)", &format!("{:.0} ms", rows[2]));
    let mut session = last.ok_or_else(|| eyre!("no session"))?;
    session.keys(":pods\r");
    let complete = |s: &vt100::Screen| s.contents().contains("20,000 pods in 20 clusters");
    session.wait_for(Duration::from_secs(120), complete).map_err(|e| eyre!(e))?;
    session.settle(Duration::from_secs(3), Duration::from_secs(20));
    let (now, most) = session.pid().and_then(process::memory).ok_or_else(|| eyre!("no /proc"))?;
    row(
        "G6",
        "resident memory at 20,000 pods (target 60 MB at L/10)",
        &format!("{now:.0} MiB, at most {most:.0}"),
    );
    Ok(session)
}

/// G9: what it uses when nothing happens.
fn idle(session: &mut Session) -> Result<()> {
    let pid = session.pid().ok_or_else(|| eyre!("no process"))?;
    let before = process::cpu(pid).ok_or_else(|| eyre!("no /proc"))?;
    let began = Instant::now();
    let bytes = session.settle(IDLE, IDLE);
    let used = process::cpu(pid).ok_or_else(|| eyre!("no /proc"))? - before;
    let share = used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    row("G9", "idle for 20 s: of a core (target 0.5 %)", &format!("{share:.2} %"));
    row("G9", "idle for 20 s: bytes to the terminal (the clock's seconds)", &format!("{bytes}"));
    Ok(())
}

/// G11 and G13: from a key to the last byte of its frame, and how many bytes that is.
fn keys(session: &mut Session) -> Result<()> {
    let mut times = Vec::new();
    let mut sizes = Vec::new();
    for turn in 0..KEYS {
        let began = Instant::now();
        session.keys(if turn % 40 < 20 { "j" } else { "k" });
        let (bytes, last) = session.burst(Duration::from_millis(500), Duration::from_millis(4));
        let last = last.ok_or_else(|| eyre!("a key changed nothing on screen"))?;
        times.push((last - began).as_secs_f64() * 1000.0);
        sizes.push(bytes as f64);
    }
    times.sort_by(f64::total_cmp);
    sizes.sort_by(f64::total_cmp);
    let of = |values: &[f64]| (percentile(values, 0.5), percentile(values, 0.99));
    let ((t50, t99), (b50, b99)) = (of(&times), of(&sizes));
    row(
        "G11",
        "key to last byte, 20,000 rows (target p50 3 ms, p99 16 ms)",
        &format!("p50 {t50:.1} ms, p99 {t99:.1} ms"),
    );
    row("G13", "bytes of a frame (target p50 500, p99 9 KB)", &format!("p50 {b50:.0}, p99 {b99:.0}"));
    Ok(())
}
