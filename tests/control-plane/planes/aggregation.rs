//! Servers of more APIs, which an API server passes requests on to.

use serde_json::json;

use super::error::Result;
use super::plane::Plane;

/// The namespace of their Services.
const NAMESPACE: &str = "kube-system";

/// Has `v1beta1` of a group served by what listens on a port of this machine, and returns when the API server has seen
/// that it answers.
pub(crate) fn serve(plane: &Plane, server: &str, group: &str, port: u16) -> Result<()> {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": server, "namespace": NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"name": "https", "port": port}]},
    });
    let api = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": format!("v1beta1.{group}")},
        "spec": {
            "group": group,
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            // It would ask for the name of the Service, which no certificate of ours has.
            "insecureSkipTLSVerify": true,
            "service": {"name": server, "namespace": NAMESPACE, "port": port},
        },
    });
    plane.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [service, api]}).to_string())?;
    let name = format!("apiservice/v1beta1.{group}");
    plane.kubectl(&["wait", "--for=condition=Available", &name, "--timeout=120s"]).map(drop)
}
