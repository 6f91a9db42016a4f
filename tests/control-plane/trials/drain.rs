//! Cordon and drain on a real server, beside what kubectl would do.

use std::collections::BTreeSet;

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::drain;
use super::planes::{Binaries, Options};

/// The runner does what it says, and would evict the pods that `kubectl drain` would.
pub(crate) fn nodes(binaries: &Binaries) -> Outcome {
    let mut real = Real::start(binaries, 1, &Options::default())?;
    // A handle of its own: the cases have the planes.
    let kubeconfig = real.plane("eks-use1").kubeconfig("admin");
    let kubectl = binaries.path("kubectl");
    let agree = |node: &str, planned: &BTreeSet<String>| {
        let output = std::process::Command::new(&kubectl)
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args([
                "drain",
                node,
                "--dry-run=client",
                "--ignore-daemonsets",
                "--delete-emptydir-data",
                "--force",
            ])
            .output();
        let output = output.unwrap_or_else(|error| panic!("kubectl: {error}"));
        let said = String::from_utf8_lossy(&output.stdout);
        let evicting = said.lines().filter_map(|line| line.strip_prefix("evicting pod "));
        let theirs: BTreeSet<String> =
            evicting.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
        assert_eq!(planned, &theirs, "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(!theirs.is_empty());
    };
    runtime()?.block_on(drain::nodes(&mut real, &agree));
    Ok(())
}
