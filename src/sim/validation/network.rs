//! Services, ways in from outside, and where services are found
//! (`pkg/apis/core/validation` `validateService`, `pkg/apis/networking/validation`,
//! `pkg/apis/discovery/validation`).

use super::syntax::{
    address, label, labels, one_of, port, port_name, port_or_name, say, subdomain, wildcard,
};
use crate::sim::fields::{at, int, list, text};
use crate::sim::json::{Value, json};
use crate::sim::refusal::Cause;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const POLICIES: [&str; 2] = ["Cluster", "Local"];

pub(super) fn service(new: &Value, causes: &mut Vec<Cause>) {
    let kind = text(new, "spec.type");
    let headless = text(new, "spec.clusterIP") == "None";
    if list(new, "spec.ports").is_empty() && !headless && kind != "ExternalName" {
        causes.push(Cause::required("spec.ports", ""));
    }
    match kind {
        "LoadBalancer" | "NodePort" if headless => {
            let why = format!("may not be set to 'None' for {kind} services");
            causes.push(Cause::invalid("spec.clusterIPs[0]", &json!("None"), &why));
        }
        "ExternalName" => elsewhere(new, causes),
        _ => {}
    }
    ports(new, causes);
    labels(at(new, "spec.selector"), "spec.selector", causes);
    one_of(new, "spec.sessionAffinity", &["ClientIP", "None"], causes);
    if text(new, "spec.sessionAffinity") == "None" && !at(new, "spec.sessionAffinityConfig").is_null() {
        let why = "must not be set when session affinity is None";
        causes.push(Cause::forbidden("spec.sessionAffinityConfig", why));
    }
    for (i, ip) in list(new, "spec.externalIPs").iter().enumerate() {
        say(causes, &format!("spec.externalIPs[{i}]"), ip, address(ip.as_str().unwrap_or_default()));
    }
    one_of(new, "spec.type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], causes);
    numbers(new, causes);
    let balanced = kind == "LoadBalancer";
    if !balanced && !at(new, "spec.allocateLoadBalancerNodePorts").is_null() {
        let why = "may only be used when `type` is 'LoadBalancer'";
        causes.push(Cause::forbidden("spec.allocateLoadBalancerNodePorts", why));
    }
    let outward = balanced || kind == "NodePort" || !list(new, "spec.externalIPs").is_empty();
    let policy = at(new, "spec.externalTrafficPolicy");
    if outward && !policy.is_null() {
        one_of(new, "spec.externalTrafficPolicy", &POLICIES, causes);
    } else if !policy.is_null() {
        let why = "may only be set for externally-accessible services";
        causes.push(Cause::invalid("spec.externalTrafficPolicy", policy, why));
    }
    if !at(new, "spec.internalTrafficPolicy").is_null() {
        one_of(new, "spec.internalTrafficPolicy", &POLICIES, causes);
    }
}

/// A service that is but another name.
fn elsewhere(new: &Value, causes: &mut Vec<Cause>) {
    for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let field = format!("spec.{field}");
        if !at(new, &field).is_null() {
            causes.push(Cause::forbidden(&field, "may not be set for ExternalName services"));
        }
    }
    match text(new, "spec.externalName") {
        "" => causes.push(Cause::required("spec.externalName", "")),
        own => say(causes, "spec.externalName", &json!(own), subdomain(own.trim_end_matches('.'))),
    }
}

fn ports(new: &Value, causes: &mut Vec<Cause>) {
    let all = list(new, "spec.ports");
    for (i, one) in all.iter().enumerate() {
        let here = |field: &str| format!("spec.ports[{i}].{field}");
        match text(one, "name") {
            "" if all.len() > 1 => causes.push(Cause::required(&here("name"), "")),
            "" => {}
            own => {
                say(causes, &here("name"), &json!(own), label(own));
                if all[..i].iter().any(|p| text(p, "name") == own) {
                    causes.push(Cause::duplicate(&here("name"), own));
                }
            }
        }
        say(causes, &here("port"), &one["port"], port(int(one, "port")));
        protocol(one, &here("protocol"), causes);
        say(causes, &here("targetPort"), &one["targetPort"], port_or_name(&one["targetPort"]));
    }
}

fn protocol(port: &Value, field: &str, causes: &mut Vec<Cause>) {
    match text(port, "protocol") {
        "" => causes.push(Cause::required(field, "")),
        own if PROTOCOLS.contains(&own) => {}
        odd => causes.push(Cause::unsupported(field, odd, &PROTOCOLS)),
    }
}

/// Ports of services and of nodes that are said twice, or not to be said.
fn numbers(new: &Value, causes: &mut Vec<Cause>) {
    let all = list(new, "spec.ports");
    if text(new, "spec.type") == "ClusterIP" {
        for (i, _) in all.iter().enumerate().filter(|(_, p)| int(p, "nodePort") != 0) {
            let why = "may not be used when `type` is 'ClusterIP'";
            causes.push(Cause::forbidden(&format!("spec.ports[{i}].nodePort"), why));
        }
    }
    let same = |a: &Value, b: &Value, field: &str| a["protocol"] == b["protocol"] && a[field] == b[field];
    for (i, one) in all.iter().enumerate() {
        if int(one, "nodePort") != 0 && all[..i].iter().any(|other| same(one, other, "nodePort")) {
            causes.push(Cause::duplicate_of(&format!("spec.ports[{i}].nodePort"), &one["nodePort"], ""));
        }
    }
    for (i, one) in all.iter().enumerate() {
        if all[..i].iter().any(|other| same(one, other, "port")) {
            let value = json!({ "Name": "", "Protocol": one["protocol"].plain(), "AppProtocol": null,
                "Port": int(one, "port"), "TargetPort": 0, "NodePort": 0 });
            causes.push(Cause::duplicate_of(&format!("spec.ports[{i}]"), &value, ""));
        }
    }
}

pub(super) fn ingress(new: &Value, causes: &mut Vec<Cause>) {
    let (rules, backend) = (list(new, "spec.rules"), at(new, "spec.defaultBackend"));
    if rules.is_empty() && backend.is_null() {
        let why = "either `defaultBackend` or `rules` must be specified";
        causes.push(Cause::invalid("spec", at(new, "spec.rules"), why));
    }
    if !backend.is_null() {
        behind(backend, "spec.defaultBackend", causes);
    }
    for (i, rule) in rules.iter().enumerate() {
        host(text(rule, "host"), &format!("spec.rules[{i}].host"), causes);
        if at(rule, "http").is_null() {
            continue;
        }
        let here = format!("spec.rules[{i}].http.paths");
        if list(rule, "http.paths").is_empty() {
            causes.push(Cause::required(&here, ""));
        }
        for (n, path) in list(rule, "http.paths").iter().enumerate() {
            way(path, &format!("{here}[{n}]"), causes);
        }
    }
    for (i, tls) in list(new, "spec.tls").iter().enumerate() {
        for (n, name) in list(tls, "hosts").iter().filter_map(Value::as_str).enumerate() {
            host(name, &format!("spec.tls[{i}].hosts[{n}]"), causes);
        }
        let secret = text(tls, "secretName");
        if !secret.is_empty() {
            say(causes, &format!("spec.tls[{i}].secretName"), &json!(secret), subdomain(secret));
        }
    }
    let class = at(new, "spec.ingressClassName");
    if let Some(own) = class.as_str() {
        say(causes, "spec.ingressClassName", class, subdomain(own));
    }
}

fn host(name: &str, field: &str, causes: &mut Vec<Cause>) {
    if name.is_empty() {
        return;
    }
    if address(name).is_empty() {
        causes.push(Cause::invalid(field, &json!(name), "must be a DNS name, not an IP address"));
    }
    let wrong = if name.contains('*') { wildcard(name) } else { subdomain(name) };
    say(causes, field, &json!(name), wrong);
}

/// One path of an ingress.
fn way(path: &Value, here: &str, causes: &mut Vec<Cause>) {
    let (kind, own) = (text(path, "pathType"), text(path, "path"));
    let field = format!("{here}.path");
    let mut odd = |why: &str| causes.push(Cause::invalid(&field, &json!(own), why));
    match kind {
        "" => {
            let why = "pathType must be specified";
            return causes.push(Cause::required(&format!("{here}.pathType"), why));
        }
        "Exact" | "Prefix" => {
            if !own.starts_with('/') {
                odd("must be an absolute path");
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"].into_iter().filter(|part| own.contains(part)) {
                odd(&format!("must not contain '{part}'"));
            }
            for end in ["/..", "/."].into_iter().filter(|end| own.ends_with(end)) {
                odd(&format!("cannot end with '{end}'"));
            }
        }
        "ImplementationSpecific" if !own.is_empty() && !own.starts_with('/') => {
            odd("must be an absolute path")
        }
        "ImplementationSpecific" => {}
        other => {
            let known = ["Exact", "ImplementationSpecific", "Prefix"];
            causes.push(Cause::unsupported(&format!("{here}.pathType"), other, &known));
        }
    }
    behind(at(path, "backend"), &format!("{here}.backend"), causes);
}

/// What stands behind a way in.
fn behind(backend: &Value, here: &str, causes: &mut Vec<Cause>) {
    let none = json!("");
    match (at(backend, "service").is_object(), at(backend, "resource").is_object()) {
        (true, true) => {
            causes.push(Cause::invalid(here, &none, "cannot set both resource and service backends"));
        }
        (false, false) => causes.push(Cause::invalid(here, &none, "resource or service backend is required")),
        (false, true) => {
            for field in ["kind", "name"].into_iter().filter(|f| text(&backend["resource"], f).is_empty()) {
                causes.push(Cause::required(&format!("{here}.resource.{field}"), ""));
            }
        }
        (true, false) => {
            match text(backend, "service.name") {
                "" => causes.push(Cause::required(&format!("{here}.service.name"), "")),
                own => say(causes, &format!("{here}.service.name"), &json!(own), label(own)),
            }
            let (own, number) = (text(backend, "service.port.name"), at(backend, "service.port.number"));
            let field = |last: &str| format!("{here}.service.port.{last}");
            match (own, number.as_i64().unwrap_or(0)) {
                ("", 0) => causes.push(Cause::required(here, "port name or number is required")),
                ("", n) => say(causes, &field("number"), number, port(n)),
                (own, 0) => say(causes, &field("name"), &json!(own), port_name(own)),
                _ => causes.push(Cause::invalid(here, &none, "cannot set both port name & port number")),
            }
        }
    }
}

pub(super) fn slice(new: &Value, causes: &mut Vec<Cause>) {
    one_of(new, "addressType", &["FQDN", "IPv4", "IPv6"], causes);
    let all = list(new, "ports");
    for (i, one) in all.iter().enumerate() {
        let own = text(one, "name");
        let field = format!("ports[{i}].name");
        if !own.is_empty() {
            say(causes, &field, &json!(own), label(own));
        }
        if all[..i].iter().any(|other| text(other, "name") == own) {
            causes.push(Cause::duplicate(&field, own));
        }
        protocol(one, &format!("ports[{i}].protocol"), causes);
    }
    let kind = text(new, "addressType");
    for (i, endpoint) in list(new, "endpoints").iter().enumerate() {
        let here = format!("endpoints[{i}].addresses");
        if list(endpoint, "addresses").is_empty() {
            causes.push(Cause::required(&here, "must contain at least 1 address"));
        }
        let numbered = ["IPv4", "IPv6"].contains(&kind);
        for (n, one) in list(endpoint, "addresses").iter().enumerate().filter(|_| numbered) {
            let own = one.as_str().unwrap_or_default();
            let wrong = address(own);
            if wrong.is_empty() && own.contains(':') != (kind == "IPv6") {
                causes.push(Cause::invalid(&here, one, &format!("must be an {kind} address")));
            }
            say(causes, &format!("{here}[{n}]"), one, wrong);
        }
    }
}

/// Endpoints of the older kind (`ValidateEndpoints`).
pub(super) fn endpoints(new: &Value, causes: &mut Vec<Cause>) {
    for (i, subset) in list(new, "subsets").iter().enumerate() {
        let here = format!("subsets[{i}]");
        if list(subset, "addresses").is_empty() && list(subset, "notReadyAddresses").is_empty() {
            causes.push(Cause::required(&here, "must specify `addresses` or `notReadyAddresses`"));
        }
        for field in ["addresses", "notReadyAddresses"] {
            for (n, one) in list(subset, field).iter().enumerate() {
                let ip = &one["ip"];
                say(causes, &format!("{here}.{field}[{n}].ip"), ip, address(ip.as_str().unwrap_or_default()));
            }
        }
        let all = list(subset, "ports");
        for (n, one) in all.iter().enumerate() {
            let field = |last: &str| format!("{here}.ports[{n}].{last}");
            match text(one, "name") {
                "" if all.len() > 1 => causes.push(Cause::required(&field("name"), "")),
                "" => {}
                own => say(causes, &field("name"), &json!(own), label(own)),
            }
            say(causes, &field("port"), &one["port"], port(int(one, "port")));
            protocol(one, &field("protocol"), causes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(check: fn(&Value, &mut Vec<Cause>), new: Value) -> Vec<String> {
        super::super::syntax::said(check, &new)
    }

    fn with(more: Value, ports: Value) -> Value {
        let mut service =
            json!({ "spec": { "type": "ClusterIP", "sessionAffinity": "None", "ports": ports.plain() } });
        for (key, value) in more.as_object().unwrap().iter() {
            crate::sim::fields::set(&mut service, &format!("spec.{key}"), value.clone());
        }
        service
    }

    #[test]
    fn every_port_of_a_service_is_checked() {
        let one = |port: i64, target: Value| json!([{ "port": port, "protocol": "TCP", "targetPort": target.plain() }]);
        assert!(said(service, with(json!({}), one(80, json!("http")))).is_empty());
        assert_eq!(
            said(service, with(json!({}), one(70_000, json!(0)))),
            [
                "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"
            ]
        );
        let twice = json!([{ "name": "a", "port": 80, "protocol": "TCP", "targetPort": 1 },
            { "name": "a", "port": 80, "protocol": "ICMP", "targetPort": 1, "nodePort": 30000 }]);
        assert_eq!(
            said(service, with(json!({}), twice)),
            [
                "spec.ports[1].name: Duplicate value: \"a\"",
                "spec.ports[1].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
                "spec.ports[1].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            ]
        );
        let named = with(json!({ "type": "ExternalName", "clusterIPs": ["10.0.0.1"] }), json!([]));
        assert_eq!(
            said(service, named),
            [
                "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
                "spec.externalName: Required value"
            ]
        );
        let odd =
            with(json!({ "selector": { "a b": "x" }, "externalTrafficPolicy": "Local" }), one(80, json!(80)));
        let odd = said(service, odd);
        assert!(odd[0].starts_with("spec.selector: Invalid value: \"a b\": name part must"), "{odd:?}");
        assert!(odd[1].ends_with("may only be set for externally-accessible services"), "{odd:?}");
    }

    #[test]
    fn ways_in_lead_somewhere() {
        let to = |backend: Value| {
            json!({ "spec": { "rules": [{ "host": "a.example", "http": { "paths": [
                { "path": "/", "pathType": "Prefix", "backend": backend.plain() }] } }] } })
        };
        assert!(
            said(ingress, to(json!({ "service": { "name": "a", "port": { "name": "http" } } }))).is_empty()
        );
        for (backend, why) in [
            (json!({}), "resource or service backend is required"),
            (
                json!({ "service": { "name": "a", "port": {} } }),
                "Required value: port name or number is required",
            ),
            (
                json!({ "service": { "name": "a", "port": { "number": 70000 } } }),
                "must be between 1 and 65535, inclusive",
            ),
            (json!({ "service": { "name": "", "port": { "number": 1 } } }), "service.name: Required value"),
        ] {
            let wrong = said(ingress, to(backend));
            assert!(wrong.len() == 1 && wrong[0].ends_with(why), "{wrong:?}");
        }
        let hosts = json!({ "spec": { "defaultBackend": { "resource": { "kind": "K", "name": "n" } },
            "tls": [{ "hosts": ["10.0.0.1", "*.a.example", "a_b"] }] } });
        let wrong = said(ingress, hosts);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(
            wrong[0].starts_with("spec.tls[0].hosts[0]: Invalid value: \"10.0.0.1\": must be a DNS name")
        );
    }

    #[test]
    fn slices_hold_addresses_of_one_kind() {
        let of = |addresses: Value| json!({ "addressType": "IPv4", "endpoints": [{ "addresses": addresses.plain() }] });
        assert!(said(slice, of(json!(["10.0.0.1"]))).is_empty());
        assert_eq!(
            said(slice, of(json!(["::1"]))),
            ["endpoints[0].addresses: Invalid value: \"::1\": must be an IPv4 address"]
        );
        assert_eq!(
            said(slice, of(json!([])))[0],
            "endpoints[0].addresses: Required value: must contain at least 1 address"
        );
        let none = json!({ "subsets": [{ "ports": [{ "port": 0, "protocol": "TCP" }] }] });
        assert_eq!(said(endpoints, none).len(), 2);
    }
}
