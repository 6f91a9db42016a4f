//! What pods take of a node: resources, its disk, and ports of its own.

use crate::model::{Resources, quantity};
use crate::sim::fields::{at, list, pod_requests, requests, text};
use crate::sim::json::Value;

/// A port of the node itself (`hostPort`).
#[derive(Clone, PartialEq, Eq, Debug)]
struct Port {
    /// Empty for all addresses of the node.
    ip: String,
    protocol: String,
    number: i64,
}

impl Port {
    fn clashes(&self, other: &Port) -> bool {
        let meet = self.ip == other.ip || self.ip.is_empty() || other.ip.is_empty();
        meet && self.number == other.number && self.protocol == other.protocol
    }
}

/// What a pod takes of its node, or what all pods of a node do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Room {
    pub(crate) resources: Resources,
    /// Bytes of the disk (`ephemeral-storage`).
    pub(crate) storage: i64,
    ports: Vec<Port>,
}

impl Room {
    /// What a pod takes.
    pub(crate) fn of(pod: &Value) -> Room {
        let disk = |c: &Value| storage(at(c, "resources.requests"));
        let storage = requests(pod, 0, disk, i64::saturating_add, i64::max);
        Room { resources: pod_requests(pod), storage, ports: ports(pod) }
    }

    /// One more that takes something.
    pub(crate) fn add(&mut self, other: &Room) {
        self.resources += other.resources;
        self.storage += other.storage;
        self.ports.extend_from_slice(&other.ports);
    }

    /// One less.
    pub(crate) fn sub(&mut self, other: &Room) {
        self.resources -= other.resources;
        self.storage -= other.storage;
        for port in &other.ports {
            if let Some(own) = self.ports.iter().position(|p| p == port) {
                self.ports.swap_remove(own);
            }
        }
    }

    /// Whether one port cannot be had by both.
    pub(crate) fn clashes(&self, other: &Room) -> bool {
        self.ports.iter().any(|port| other.ports.iter().any(|p| p.clashes(port)))
    }
}

/// The amount of disk in a list of resources, in bytes.
pub(crate) fn storage(resources: &Value) -> i64 {
    match &resources["ephemeral-storage"] {
        Value::String(amount) => quantity::parse_units(amount).unwrap_or(0),
        Value::Int(bytes) => *bytes,
        _ => 0,
    }
}

/// The ports of the node that a pod uses, those of its sidecars included (`GetHostPorts`).
fn ports(pod: &Value) -> Vec<Port> {
    let sidecars = list(pod, "spec.initContainers").iter().filter(|c| text(c, "restartPolicy") == "Always");
    let all = list(pod, "spec.containers").iter().chain(sidecars).flat_map(|c| list(c, "ports"));
    let of_node = all.filter_map(|port| {
        let number = port["hostPort"].as_i64().filter(|number| *number > 0)?;
        let (ip, protocol) = (text(port, "hostIP"), text(port, "protocol"));
        let ip = if ip == "0.0.0.0" { "" } else { ip };
        let protocol = if protocol.is_empty() { "TCP" } else { protocol };
        Some(Port { ip: ip.to_owned(), protocol: protocol.to_owned(), number })
    });
    of_node.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    fn on_port(port: &Value) -> Room {
        Room::of(&json!({ "spec": { "containers": [{ "name": "c", "ports": [port] }] } }))
    }

    #[test]
    fn ports_clash_on_one_address_and_protocol() {
        let plain = on_port(&json!({ "containerPort": 80, "hostPort": 80 }));
        let on = |ip: &str| on_port(&json!({ "containerPort": 80, "hostPort": 80, "hostIP": ip }));
        assert!(plain.clashes(&on("0.0.0.0")) && plain.clashes(&on("127.0.0.1")));
        assert!(!on("127.0.0.1").clashes(&on("10.0.0.1")));
        assert!(!plain.clashes(&on_port(&json!({ "containerPort": 80, "hostPort": 80, "protocol": "UDP" }))));
        assert!(!plain.clashes(&on_port(&json!({ "containerPort": 80 }))), "that is a port of the pod's own");
    }

    #[test]
    fn what_is_added_can_be_taken_away() {
        let one = Room::of(&json!({ "spec": {
            "containers": [{ "resources": { "requests": { "ephemeral-storage": "2Gi" } }, "ports": [{ "hostPort": 9100 }] }],
            "initContainers": [{ "resources": { "requests": { "ephemeral-storage": "3Gi" } } }],
        } }));
        assert_eq!(one.storage, 3 << 30, "the larger of what begins and what runs");
        let mut all = one.clone();
        all.add(&one);
        assert_eq!(all.storage, 6 << 30);
        all.sub(&one);
        assert_eq!(all, one);
        all.sub(&one);
        assert!(!all.clashes(&one));
    }
}
