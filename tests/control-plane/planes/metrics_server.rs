//! metrics-server behind the aggregation layer, with KWOK as every kubelet that it asks.

use std::net::{Ipv4Addr, TcpStream};

use serde_json::json;

use super::binaries::Binaries;
use super::error::Result;
use super::plane::Plane;
use super::wait::wait_until;
use super::{START, ports};

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
    let what = format!("metrics-server of {} listens", plane.name());
    let server = plane.add_component("metrics-server", command)?;
    wait_until(START, &what, || {
        server.must_run()?;
        Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
    })?;
    plane.apply(&manifest(port))?;
    plane
        .kubectl(&[
            "wait",
            "--for=condition=Available",
            "apiservice/v1beta1.metrics.k8s.io",
            "--timeout=120s",
        ])
        .map(drop)
}

/// The way from the API server to a process on this machine.
fn manifest(port: u16) -> String {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics-server", "namespace": "kube-system"},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"name": "https", "port": port}]},
    });
    let api = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            // It would ask for the name of the Service, which no certificate of ours has.
            "insecureSkipTLSVerify": true,
            "service": {"name": "metrics-server", "namespace": "kube-system", "port": port},
        },
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [service, api]}).to_string()
}
