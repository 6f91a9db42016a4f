//! The built program under limits of the system's, and how much memory it took.

use std::process::{Output, Stdio};
use std::time::Duration;

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    /// The most memory that was resident, in bytes, as far as it was seen.
    pub(crate) peak: u64,
}

impl Program {
    /// Runs it in a home of its own on the clusters of a kubeconfig, after the shell has done this.
    pub(crate) async fn run(kubeconfig: &str, arguments: &[&str], before: &str) -> Program {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kubeconfig"), kubeconfig).unwrap();
        Program::run_in(home.path(), arguments, before).await
    }

    /// The same in a folder that holds a kubeconfig.
    pub(crate) async fn run_in(home: &std::path::Path, arguments: &[&str], before: &str) -> Program {
        let mut command = tokio::process::Command::new("/bin/sh");
        command.arg("-c").arg(format!("{before}\nexec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_quarterdeck"));
        command.args(arguments).arg("--kubeconfig").arg(home.join("kubeconfig"));
        command.env("QUARTERDECK_HOME", home).kill_on_drop(true);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id().unwrap();
        let mut ends = Box::pin(child.wait_with_output());
        let (mut peak, mut looks) = (0, tokio::time::interval(Duration::from_millis(10)));
        let Output { status, stdout, stderr } = loop {
            tokio::select! {
                ended = &mut ends => break ended.unwrap(),
                _ = looks.tick() => peak = peak.max(high_water(pid)),
            }
        };
        Program {
            code: status.code(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
            peak,
        }
    }
}

/// The most that was resident of a process so far; nothing once it has ended.
fn high_water(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}
