//! metrics-server behind the aggregation layer, with KWOK as every kubelet that it asks.

use super::binaries::Binaries;
use super::error::Result;
use super::plane::Plane;
use super::{aggregation, ports};

/// Starts it, and returns when the API server passes requests on to it. Figures follow within a minute.
pub(crate) fn start(plane: &mut Plane, binaries: &Binaries) -> Result<()> {
    let port = ports::free()?;
    let kubeconfig = plane.kubeconfig("admin");
    let kubeconfig = kubeconfig.display();
    let pki = plane.pki();
    let flags = [
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        pki.flag("tls-cert-file", "apiserver.crt"),
        pki.flag("tls-private-key-file", "apiserver.key"),
        pki.flag("kubelet-certificate-authority", "ca.crt"),
        "--kubelet-use-node-status-port".to_owned(),
        // The internal address of a node belongs to its look; KWOK is where the internal name leads.
        "--kubelet-preferred-address-types=InternalDNS,InternalIP".to_owned(),
        "--metric-resolution=15s".to_owned(),
    ];
    let command = plane.command(binaries, "metrics-server", &flags);
    plane.add_component("metrics-server", command, port)?;
    aggregation::serve(plane, "metrics-server", "metrics.k8s.io", port)
}
