//! Defaults of services, and the addresses and ports that they are given
//! (`kubernetes/kubernetes:pkg/apis/core/v1/defaults.go`, `pkg/registry/core/service/storage/alloc.go`).

use std::net::Ipv4Addr;

use super::default;
use crate::sim::fields::{at, int, list, list_mut, name, namespace, place, set, text, unset};
use crate::sim::json::{Value, json};
use crate::sim::random;
use crate::sim::refusal::Cause;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// The range of node ports (`--service-node-port-range`).
const NODE_PORTS: std::ops::Range<i64> = 30_000..32_768;

/// The range of addresses (`--service-cluster-ip-range`), as kubeadm has it.
pub(crate) const ADDRESSES: &str = "10.96.0.0/12";

/// Whether an address is of that range.
fn in_range(ip: &str) -> bool {
    let first = ip.parse::<Ipv4Addr>().map(|ip| ip.octets());
    first.is_ok_and(|[first, second, ..]| first == 10 && (96..112).contains(&second))
}

/// Fills in a service.
pub(super) fn complete(world: &World, service: &mut Value) {
    default(service, "spec.type", json!("ClusterIP"));
    default(service, "spec.sessionAffinity", json!("None"));
    if text(service, "spec.sessionAffinity") == "ClientIP" {
        default(service, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", json!(10_800));
    }
    if text(service, "spec.type") != "ExternalName" {
        cluster_ip(world, service);
        let own = at(service, "spec.clusterIP").clone();
        default(service, "spec.clusterIPs", json!([own]));
        default(service, "spec.ipFamilies", json!(["IPv4"]));
        default(service, "spec.ipFamilyPolicy", json!("SingleStack"));
        default(service, "spec.internalTrafficPolicy", json!("Cluster"));
    }
    super::each(place(service, "spec"), "ports", |port| {
        default(port, "protocol", json!("TCP"));
        let own = port["port"].clone();
        default(port, "targetPort", own);
    });
    if outward(service) {
        default(service, "spec.externalTrafficPolicy", json!("Cluster"));
        if text(service, "spec.type") == "LoadBalancer" {
            default(service, "spec.allocateLoadBalancerNodePorts", json!(true));
        }
    }
    if opens_nodes(service) {
        node_ports(world, service);
    }
}

/// Whether it is reached from outside.
fn outward(service: &Value) -> bool {
    ["NodePort", "LoadBalancer"].contains(&text(service, "spec.type"))
}

/// Whether it has a port on every node.
fn opens_nodes(service: &Value) -> bool {
    let wanted = at(service, "spec.allocateLoadBalancerNodePorts");
    outward(service)
        && (text(service, "spec.type") == "NodePort" || wanted.is_null() || wanted.as_bool() == Some(true))
}

/// One of the first 65,024 addresses of the range (256 times 254), by its name; a taken one is passed over.
fn cluster_ip(world: &World, service: &mut Value) {
    if !at(service, "spec.clusterIP").is_null() {
        return;
    }
    let taken = |ip: &str| world.store.list(Res::Services, None).any(|s| text(s, "spec.clusterIP") == ip);
    let start = random::hash(&format!("{}/{}", namespace(service), name(service)));
    let ip = |n: u64| format!("10.96.{}.{}", (start + n) / 254 % 256, 1 + (start + n) % 254);
    let free = (0..65_024).map(ip).find(|ip| !taken(ip)).unwrap_or_default();
    set(service, "spec.clusterIP", free);
}

/// A port on the nodes for each port that names none, by its name.
fn node_ports(world: &World, service: &mut Value) {
    let others = world
        .store
        .list(Res::Services, None)
        .filter(|s| (namespace(s), name(s)) != (namespace(service), name(service)));
    let ports =
        |s: &Value| -> Vec<i64> { list(s, "spec.ports").iter().map(|p| int(p, "nodePort")).collect() };
    let mut taken: Vec<i64> = others.flat_map(|s| ports(s)).chain(ports(service)).collect();
    let start = random::hash(&format!("{}/{}", namespace(service), name(service))) as i64;
    let size = NODE_PORTS.end - NODE_PORTS.start;
    for port in list_mut(place(service, "spec.ports")) {
        if int(port, "nodePort") != 0 {
            continue;
        }
        let candidates = (0..size).map(|n| NODE_PORTS.start + start.wrapping_add(n).rem_euclid(size));
        if let Some(free) = candidates.into_iter().find(|n| !taken.contains(n)) {
            taken.push(free);
            set(port, "nodePort", free);
        }
    }
}

/// The addresses and ports that a service asks for and cannot have: out of the range, or another's
/// (`pkg/registry/core/service/storage/alloc.go`).
pub(super) fn taken(world: &World, old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let others = || {
        let same = |s: &Value| (namespace(s), name(s)) == (namespace(new), name(new));
        world.store.list(Res::Services, None).filter(move |s| !same(s))
    };
    let ip = text(new, "spec.clusterIP");
    let kept = old.is_some_and(|old| text(old, "spec.clusterIP") == ip);
    if !kept && !["", "None"].contains(&ip) {
        let why = match in_range(ip) {
            false => Some("the provided network does not match the current range"),
            true => others()
                .any(|s| text(s, "spec.clusterIP") == ip)
                .then_some("provided IP is already allocated"),
        };
        if let Some(why) = why {
            let why = format!("failed to allocate IP {ip}: {why}");
            causes.push(Cause::invalid("spec.clusterIPs", &json!([ip]), &why));
        }
    }
    let had: Vec<i64> =
        old.iter().flat_map(|old| list(old, "spec.ports")).map(|p| int(p, "nodePort")).collect();
    for (i, port) in list(new, "spec.ports").iter().enumerate() {
        let number = int(port, "nodePort");
        if number == 0 || had.contains(&number) {
            continue;
        }
        let has = |s: &Value| list(s, "spec.ports").iter().any(|p| int(p, "nodePort") == number);
        let why = if !NODE_PORTS.contains(&number) {
            let (first, last) = (NODE_PORTS.start, NODE_PORTS.end - 1);
            format!("provided port is not in the valid range. The range of valid ports is {first}-{last}")
        } else if others().any(|s| has(s)) {
            "provided port is already allocated".to_owned()
        } else {
            continue;
        };
        causes.push(Cause::invalid(&format!("spec.ports[{i}].nodePort"), &json!(number), &why));
    }
    causes
}

/// A write that does not name the addresses and ports that were given keeps them
/// (`patchAllocatedValues`); one to a type that has none lets them go, if it did not name others
/// (`dropTypeDependentFields`).
pub(super) fn carry(old: &Value, new: &mut Value) {
    let let_go = |new: &mut Value, fields: &[&str]| {
        for field in fields {
            if at(new, field) == at(old, field) {
                unset(new, field);
            }
        }
    };
    if text(new, "spec.type") != "LoadBalancer" {
        let_go(new, &["spec.allocateLoadBalancerNodePorts", "spec.loadBalancerClass"]);
    }
    if text(new, "spec.type") == "ExternalName" {
        let_go(new, &["spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"]);
    } else {
        keep_addresses(old, new);
    }
    keep_ports(old, new);
    if !outward(new) {
        let_go(new, &["spec.externalTrafficPolicy"]);
    }
}

fn keep_addresses(old: &Value, new: &mut Value) {
    for field in ["spec.clusterIP", "spec.clusterIPs"] {
        if at(new, field).is_null() && !at(old, field).is_null() {
            set(new, field, at(old, field).clone());
        }
    }
}

fn keep_ports(old: &Value, new: &mut Value) {
    if !outward(old) || at(new, "spec.ports").is_null() {
        return;
    }
    let known = list(old, "spec.ports").to_vec();
    let same = |a: &Value, b: &Value| a["port"] == b["port"] && a["protocol"] == b["protocol"];
    let keeps = outward(new);
    for port in list_mut(place(new, "spec.ports")) {
        default(port, "protocol", json!("TCP"));
        let before = known.iter().find(|p| same(p, port)).map(|p| int(p, "nodePort"));
        match before {
            Some(number) if keeps && int(port, "nodePort") == 0 && number != 0 => {
                set(port, "nodePort", number)
            }
            Some(number) if !keeps && int(port, "nodePort") == number => unset(port, "nodePort"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    fn world() -> World {
        World::new("w", "v1.36.3", 1, Time::from_seconds(1_795_226_400))
    }

    fn made(world: &mut World, own: &str, kind: &str) -> Value {
        let mut service = json!({ "metadata": { "name": own, "namespace": "a" },
            "spec": { "type": kind, "ports": [{ "port": 80 }] } });
        complete(world, &mut service);
        let now = world.now;
        (*world.store.create(Res::Services, service, now).unwrap()).clone()
    }

    #[test]
    fn a_service_for_others_has_a_port_of_its_own_on_the_nodes() {
        let mut world = world();
        let ports: Vec<i64> = (0..40)
            .map(|i| int(&list(&made(&mut world, &format!("s{i}"), "NodePort"), "spec.ports")[0], "nodePort"))
            .collect();
        let mut distinct = ports.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 40, "{ports:?}");
        assert!(ports.iter().all(|p| NODE_PORTS.contains(p)));
        let balanced = made(&mut world, "lb", "LoadBalancer");
        assert_eq!(text(&balanced, "spec.externalTrafficPolicy"), "Cluster");
        assert!(int(&list(&balanced, "spec.ports")[0], "nodePort") > 0);
        assert_eq!(int(&list(&made(&mut world, "in", "ClusterIP"), "spec.ports")[0], "nodePort"), 0);
    }

    #[test]
    fn what_is_not_to_be_had_is_refused() {
        let mut world = world();
        let other = made(&mut world, "other", "NodePort");
        let [ip, port] = [at(&other, "spec.clusterIP"), &list(&other, "spec.ports")[0]["nodePort"]];
        let of = |ip: &Value, port: &Value| {
            let new = json!({ "metadata": { "name": "s", "namespace": "a" },
                "spec": { "clusterIP": ip.plain(), "ports": [{ "port": 80, "nodePort": port.plain() }] } });
            (taken(&world, None, &new), taken(&world, Some(&new), &new))
        };
        let said = |causes: Vec<Cause>| -> Vec<String> { causes.into_iter().map(|c| c.message).collect() };
        assert_eq!(said(of(&json!("10.111.0.1"), &json!(30_001)).0), Vec::<String>::new());
        let (new, kept) = of(ip, port);
        assert!(kept.is_empty(), "what it has it keeps");
        let new = said(new);
        assert!(new[0].ends_with("provided IP is already allocated"), "{new:?}");
        assert!(new[1].ends_with("provided port is already allocated"), "{new:?}");
        let far = said(of(&json!("10.112.0.1"), &json!(80)).0);
        assert!(far[0].ends_with("the provided network does not match the current range"), "{far:?}");
        assert!(far[1].ends_with("The range of valid ports is 30000-32767"), "{far:?}");
    }

    #[test]
    fn what_was_given_stays_until_the_type_has_no_use_for_it() {
        let mut world = world();
        let old = made(&mut world, "s", "NodePort");
        let given = int(&list(&old, "spec.ports")[0], "nodePort");
        let mut new = json!({ "metadata": { "name": "s", "namespace": "a" },
            "spec": { "type": "NodePort", "ports": [{ "port": 80 }, { "port": 81 }] } });
        carry(&old, &mut new);
        complete(&world, &mut new);
        let ports: Vec<i64> = list(&new, "spec.ports").iter().map(|p| int(p, "nodePort")).collect();
        assert_eq!(ports[0], given);
        assert!(ports[1] > 0 && ports[1] != given);
        assert_eq!(at(&new, "spec.clusterIP"), at(&old, "spec.clusterIP"));
        let mut inward = old.clone();
        set(&mut inward, "spec.type", "ClusterIP");
        carry(&old, &mut inward);
        assert_eq!(int(&list(&inward, "spec.ports")[0], "nodePort"), 0);
        assert!(at(&inward, "spec.externalTrafficPolicy").is_null());
    }
}
