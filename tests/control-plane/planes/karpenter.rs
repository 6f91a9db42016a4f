//! Karpenter with its KWOK provider, which makes Node objects where others launch machines.

use serde_json::{Value, json};

use super::binaries::Binaries;
use super::error::Result;
use super::looks::Look;
use super::plane::Plane;
use super::ports;
use super::toolset::CRDS;

const POOL: &str = include_str!("../manifests/karpenter.yaml");

/// What Karpenter may choose from, with its on-demand price in `us-east-1` (USD an hour).
const MACHINES: &[(&str, u32, u32, f64)] = &[
    ("c6i.xlarge", 4, 8, 0.170),
    ("c6i.2xlarge", 8, 16, 0.340),
    ("m6i.xlarge", 4, 16, 0.192),
    ("m6i.2xlarge", 8, 32, 0.384),
    ("r6i.xlarge", 4, 32, 0.252),
];

/// What spot costs of on-demand.
const SPOT: f64 = 0.4;

/// Installs its kinds, starts it, and gives it a pool and a workload.
pub(crate) fn start(plane: &mut Plane, binaries: &Binaries) -> Result<()> {
    plane.install_crds(&binaries.path(CRDS))?;
    let machines = plane.write("instance-types.json", &instance_types(plane.look()).to_string())?;
    let [metrics, health] = [ports::free()?, ports::free()?];
    let flags = [
        "--disable-leader-election".to_owned(),
        format!("--metrics-port={metrics}"),
        format!("--health-probe-port={health}"),
        format!("--instance-types-file-path={}", machines.display()),
    ];
    let mut command = plane.command(binaries, "karpenter", &flags);
    command.env("KUBECONFIG", plane.kubeconfig("admin")).env("SYSTEM_NAMESPACE", "kube-system");
    plane.add_component("karpenter", command, health)?;
    plane.apply(POOL)
}

/// The machines in every zone of the look, on demand and spot, as the provider reads them.
fn instance_types(look: &Look) -> Value {
    let machine = |&(name, cpu, gib, price): &(&str, u32, u32, f64)| {
        let offer = |zone: &str, capacity: &str, price: f64| {
            json!({"Price": price, "Available": true, "Requirements": [
                {"key": "karpenter.sh/capacity-type", "operator": "In", "values": [capacity]},
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]},
            ]})
        };
        let offerings: Vec<Value> = look
            .zones
            .iter()
            .flat_map(|zone| [offer(zone, "on-demand", price), offer(zone, "spot", price * SPOT)])
            .collect();
        json!({
            "name": name,
            "offerings": offerings,
            "architecture": "amd64",
            "operatingSystems": ["linux"],
            "resources": {
                "cpu": cpu.to_string(), "memory": format!("{gib}Gi"), "ephemeral-storage": "80Gi", "pods": "58",
            },
        })
    };
    MACHINES.iter().map(machine).collect()
}
