//! KEDA: its operator wakes a workload and puts it to sleep, and its adapter tells autoscalers what its triggers say.

use std::path::PathBuf;
use std::process::Command;

use super::binaries::Binaries;
use super::error::{Error, Result};
use super::pki::private_file;
use super::plane::Plane;
use super::toolset::CRDS;
use super::{aggregation, ports};

const ORDERS: &str = include_str!("../manifests/keda.yaml");

/// Installs its kinds, starts both halves of it, and gives it something to scale.
pub(crate) fn start(plane: &mut Plane, binaries: &Binaries) -> Result<()> {
    plane.install_crds(&binaries.path(CRDS))?;
    let keys = keys(plane)?;
    let keys = format!("--cert-dir={}", keys.display());
    let loopback = |port: u16| format!("127.0.0.1:{port}");

    let [metrics, health, triggers] = [ports::free()?, ports::free()?, ports::free()?];
    let flags = [
        keys.clone(),
        format!("--metrics-bind-address={}", loopback(metrics)),
        format!("--health-probe-bind-address={}", loopback(health)),
        format!("--metrics-service-bind-address={}", loopback(triggers)),
    ];
    let operator = command(plane, binaries, "keda-operator", &flags);
    plane.add_component("keda-operator", operator, triggers)?;

    let [metrics, secure] = [ports::free()?, ports::free()?];
    let kubeconfig = plane.kubeconfig("admin");
    let kubeconfig = kubeconfig.display();
    let flags = [
        keys,
        plane.pki().flag("tls-cert-file", "apiserver.crt"),
        plane.pki().flag("tls-private-key-file", "apiserver.key"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={secure}"),
        format!("--port={metrics}"),
        format!("--metrics-service-address={}", loopback(triggers)),
        format!("--lister-kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
    ];
    let adapter = command(plane, binaries, "keda-adapter", &flags);
    plane.add_component("keda-adapter", adapter, secure)?;
    aggregation::serve(plane, "keda-metrics-apiserver", "external.metrics.k8s.io", secure)?;
    plane.apply(ORDERS)
}

/// A command with what a pod of KEDA finds in its environment; no namespace to watch means all of them.
fn command(plane: &Plane, binaries: &Binaries, name: &str, flags: &[String]) -> Command {
    let mut command = plane.command(binaries, name, flags);
    command.env("KUBECONFIG", plane.kubeconfig("admin")).env("WATCH_NAMESPACE", "");
    command.env("POD_NAMESPACE", "kube-system").env("KEDA_CLUSTER_OBJECT_NAMESPACE", "kube-system");
    command
}

/// The directory with what both halves know each other by, under the names that they look for.
fn keys(plane: &Plane) -> Result<PathBuf> {
    let dir = plane.pki().path(&format!("keda-{}", plane.name()));
    let copy = || {
        std::fs::create_dir(&dir)?;
        [("ca.crt", "ca.crt"), ("apiserver.crt", "tls.crt"), ("apiserver.key", "tls.key")]
            .iter()
            .try_for_each(|(ours, theirs)| {
                let text = std::fs::read_to_string(plane.pki().path(ours))?;
                private_file(&dir.join(theirs), &text)
            })
    };
    copy().map_err(Error::on(format!("cannot write {}", dir.display())))?;
    Ok(dir)
}
