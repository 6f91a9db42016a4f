//! G27: a credential plugin that hangs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};

use crate::size::Size;
use crate::table::{Row, row, spread};
use crate::{keys, screen};
use driver::Fleet;

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    // A tenth of the clusters log in with it.
    let hang = size.clusters() / 10;
    let kubeconfig = hanging(&fleet.kubeconfig(), hang)?;
    let began = Instant::now();
    let mut session = screen::open(binary, &fleet, &kubeconfig, "pods")?;
    let live = format!("●{} ", size.clusters() - hang);
    let says = |words: &str| {
        let words = words.to_owned();
        move |screen: &vt100::Screen| screen.contents().contains(&words)
    };
    let limit = Duration::from_secs(180);
    session.wait_for(limit, says(&live)).map_err(|why| eyre!(why))?;
    let others = began.elapsed();
    let (mut times, _) = keys::motions(&mut session)?;
    session.keys(":fleet\r");
    session.wait_for(limit, says("plugin")).map_err(|why| eyre!("the clusters that hang: {why}"))?;
    let marked = began.elapsed();
    let (t50, t99) = spread(&mut times);
    for (what, target, measured) in [
        ("a plugin of a tenth of the clusters hangs: until all others are live", "", seconds(others)),
        ("the same: until its clusters are marked with its name", "20 s", seconds(marked)),
        (
            "the same: key to the last byte meanwhile",
            "p50 3 ms, p99 16 ms",
            format!("p50 {t50:.1} ms, p99 {t99:.1} ms"),
        ),
    ] {
        row(&Row { figure: "G27", what, target, measured, ..Row::default() });
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A kubeconfig beside the given one in which the last so many contexts log in with a plugin that
/// never answers.
fn hanging(kubeconfig: &Path, many: usize) -> Result<PathBuf> {
    let text = std::fs::read_to_string(kubeconfig)?;
    let (before, contexts) =
        text.split_once("\ncontexts:\n").ok_or_else(|| eyre!("no contexts in {}", kubeconfig.display()))?;
    let lines: Vec<&str> = contexts.lines().collect();
    let users: Vec<usize> =
        (0..lines.len()).filter(|i| lines.get(*i).is_some_and(|l| l.starts_with("    user: "))).collect();
    let changed = users.get(users.len().saturating_sub(many)..).unwrap_or_default();
    let line =
        |(i, line): (usize, &&str)| if changed.contains(&i) { "    user: hangs" } else { *line }.to_owned();
    let contexts: Vec<String> = lines.iter().enumerate().map(line).collect();
    let user = "- name: hangs\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      \
                command: /bin/sh\n      args: [-c, sleep 600]\n      interactiveMode: Never";
    let through = kubeconfig.with_extension("hanging");
    std::fs::write(&through, format!("{before}\n{user}\ncontexts:\n{}\n", contexts.join("\n")))?;
    Ok(through)
}
