//! The tables of what a fleet seldom has much of.

use crate::sim::json::{Value, json};

use super::{Column, age};
use crate::model::{Span, Time};
use crate::sim::fields::{at, condition, flag, int, list, map, maybe_int, text};
use crate::sim::resources::Res;

const AGE: Column = super::AGE;

pub(super) fn columns(res: Res) -> &'static [Column] {
    match res {
        Res::Secrets => &[("Type", "string", 0), ("Data", "string", 0), AGE],
        Res::Endpoints => &[("Endpoints", "string", 0), AGE],
        Res::Quotas => &[("Request", "string", 0), ("Limit", "string", 0), AGE],
        Res::LimitRanges | Res::Roles | Res::ClusterRoles => &[("Created At", "date", 0)],
        Res::Revisions => &[("Controller", "string", 0), ("Revision", "string", 0), AGE],
        Res::RoleBindings | Res::ClusterRoleBindings => &[
            ("Role", "string", 0),
            AGE,
            ("Users", "string", 1),
            ("Groups", "string", 1),
            ("ServiceAccounts", "string", 1),
        ],
        Res::Ingresses => &[
            ("Class", "string", 0),
            ("Hosts", "string", 0),
            ("Address", "string", 0),
            ("Ports", "string", 0),
            AGE,
        ],
        Res::IngressClasses => &[("Controller", "string", 0), ("Parameters", "string", 0), AGE],
        Res::NetworkPolicies => &[("Pod-Selector", "string", 0), AGE],
        Res::Drivers => &[
            ("AttachRequired", "boolean", 0),
            ("PodInfoOnMount", "boolean", 0),
            ("StorageCapacity", "boolean", 0),
            ("TokenRequests", "string", 0),
            ("RequiresRepublish", "boolean", 0),
            ("Modes", "string", 0),
            AGE,
        ],
        Res::NodeDrivers => &[("Drivers", "integer", 0), AGE],
        Res::Attachments => &[
            ("Attacher", "string", 0),
            ("PV", "string", 0),
            ("Node", "string", 0),
            ("Attached", "boolean", 0),
            AGE,
        ],
        Res::PriorityClasses => &[
            ("Value", "integer", 0),
            ("Global-Default", "boolean", 0),
            AGE,
            ("PreemptionPolicy", "string", 0),
        ],
        Res::EndpointSlices => {
            &[("AddressType", "string", 0), ("Ports", "string", 0), ("Endpoints", "string", 0), AGE]
        }
        Res::RuntimeClasses => &[("Handler", "string", 0), AGE],
        Res::SigningRequests => {
            const COLUMNS: &[Column] = &[
                AGE,
                ("SignerName", "string", 0),
                ("Requestor", "string", 0),
                ("RequestedDuration", "string", 0),
                ("Condition", "string", 0),
            ];
            COLUMNS
        }
        Res::MutatingWebhooks | Res::ValidatingWebhooks => &[("Webhooks", "integer", 0), AGE],
        Res::Definitions => &[("Created At", "date", 0)],
        Res::StorageCapacities => &[("StorageClassName", "string", 0), ("Capacity", "string", 0)],
        Res::VolumeClasses => &[("DriverName", "string", 0), AGE],
        Res::Addresses => &[("ParentRef", "string", 0), AGE],
        Res::ServiceRanges => &[("CIDRs", "string", 0), AGE],
        Res::ReplicationControllers => {
            &[("Desired", "integer", 0), ("Current", "integer", 0), ("Ready", "integer", 0), AGE]
        }
        _ => &[AGE],
    }
}

pub(super) fn cells(res: Res, o: &Value, now: Time) -> Vec<Value> {
    let age = age(o, now);
    let created = at(o, "metadata.creationTimestamp").clone();
    match res {
        Res::Secrets => vec![json!(text(o, "type")), json!(map(o, "data").len()), age],
        Res::Endpoints => vec![json!(addresses(o)), age],
        Res::Quotas => vec![json!(quota(o, false)), json!(quota(o, true)), age],
        Res::LimitRanges | Res::Roles | Res::ClusterRoles | Res::Definitions => vec![created],
        Res::Revisions => {
            let owner = crate::sim::fields::controller(o);
            let owner = owner.map_or("<none>".to_owned(), |c| {
                let group =
                    text(c, "apiVersion").split_once('/').map_or(String::new(), |(g, _)| format!(".{g}"));
                format!("{}{group}/{}", text(c, "kind").to_lowercase(), text(c, "name"))
            });
            vec![json!(owner), json!(int(o, "revision")), age]
        }
        Res::RoleBindings | Res::ClusterRoleBindings => {
            let role = format!("{}/{}", text(o, "roleRef.kind"), text(o, "roleRef.name"));
            let [users, groups, accounts] = ["User", "Group", "ServiceAccount"].map(|k| subjects(o, k));
            vec![json!(role), age, users, groups, accounts]
        }
        Res::Ingresses => {
            let hosts: Vec<&str> =
                list(o, "spec.rules").iter().map(|r| text(r, "host")).filter(|h| !h.is_empty()).collect();
            let class = match text(o, "spec.ingressClassName") {
                "" => "<none>",
                class => class,
            };
            let ports = if list(o, "spec.tls").is_empty() { "80" } else { "80, 443" };
            let hosts = if hosts.is_empty() { "*".to_owned() } else { hosts.join(",") };
            let there = list(o, "status.loadBalancer.ingress").iter().map(|i| {
                let ip = text(i, "ip");
                if ip.is_empty() { text(i, "hostname") } else { ip }
            });
            let there: Vec<&str> = there.collect();
            vec![json!(class), json!(hosts), json!(there.join(",")), json!(ports), age]
        }
        Res::IngressClasses => vec![json!(text(o, "spec.controller")), json!("<none>"), age],
        Res::NetworkPolicies => vec![json!(super::pairs(at(o, "spec.podSelector.matchLabels"))), age],
        Res::Drivers => {
            vec![
                json!(!at(o, "spec.attachRequired").is_boolean() || flag(o, "spec.attachRequired")),
                json!(flag(o, "spec.podInfoOnMount")),
                json!(flag(o, "spec.storageCapacity")),
                match o["spec"]["tokenRequests"].as_array() {
                    Some(all) => words(all.iter().map(|t| text(t, "audience"))),
                    None => json!("<unset>"),
                },
                json!(flag(o, "spec.requiresRepublish")),
                match list(o, "spec.volumeLifecycleModes") {
                    [] => json!("<none>"),
                    modes => words(modes.iter().filter_map(Value::as_str)),
                },
                age,
            ]
        }
        Res::NodeDrivers => vec![json!(list(o, "spec.drivers").len()), age],
        Res::Attachments => vec![
            json!(text(o, "spec.attacher")),
            json!(text(o, "spec.source.persistentVolumeName")),
            json!(text(o, "spec.nodeName")),
            json!(flag(o, "status.attached")),
            age,
        ],
        Res::PriorityClasses => {
            let policy = json!(text(o, "preemptionPolicy"));
            vec![json!(int(o, "value")), json!(flag(o, "globalDefault")), age, policy]
        }
        Res::EndpointSlices => {
            let ports: Vec<String> = list(o, "ports").iter().map(|p| int(p, "port").to_string()).collect();
            let there: Vec<&str> = list(o, "endpoints")
                .iter()
                .flat_map(|e| list(e, "addresses"))
                .filter_map(Value::as_str)
                .collect();
            let unset = |t: String| if t.is_empty() { "<unset>".to_owned() } else { t };
            vec![
                json!(text(o, "addressType")),
                json!(unset(ports.join(","))),
                json!(unset(there.join(","))),
                age,
            ]
        }
        Res::RuntimeClasses => vec![json!(text(o, "handler")), age],
        Res::SigningRequests => {
            let has = |kind: &str| condition(o, kind).is_some();
            let mut word = match () {
                () if has("Denied") => "Denied",
                () if has("Approved") => "Approved",
                () => "Pending",
            }
            .to_owned();
            word.push_str(if has("Failed") { ",Failed" } else { "" });
            word.push_str(if text(o, "status.certificate").is_empty() { "" } else { ",Issued" });
            let lasts = maybe_int(o, "spec.expirationSeconds");
            let lasts = lasts.map_or("<none>".to_owned(), |s| super::human(Span::from_seconds(s)));
            let [signer, user] = ["spec.signerName", "spec.username"].map(|path| json!(text(o, path)));
            vec![age, signer, user, json!(lasts), json!(word)]
        }
        Res::MutatingWebhooks | Res::ValidatingWebhooks => vec![json!(list(o, "webhooks").len()), age],
        Res::ReplicationControllers => vec![
            json!(maybe_int(o, "spec.replicas").unwrap_or(1)),
            json!(int(o, "status.replicas")),
            json!(int(o, "status.readyReplicas")),
            age,
        ],
        Res::StorageCapacities => {
            let capacity = match text(o, "capacity") {
                "" => "<unset>",
                given => given,
            };
            vec![json!(text(o, "storageClassName")), json!(capacity)]
        }
        Res::VolumeClasses => vec![json!(text(o, "driverName")), age],
        Res::Addresses => vec![json!(holder(o)), age],
        Res::ServiceRanges => vec![words(list(o, "spec.cidrs").iter().filter_map(Value::as_str)), age],
        _ => vec![age],
    }
}

/// Whose an address is: `services/shop/web`.
fn holder(address: &Value) -> String {
    let [group, resource, space, name] = ["group", "resource", "namespace", "name"]
        .map(|part| text(address, &format!("spec.parentRef.{part}")));
    if name.is_empty() {
        return "<none>".to_owned();
    }
    let kind = crate::sim::resources::qualified(group, resource).to_lowercase();
    if space.is_empty() { format!("{kind}/{name}") } else { format!("{kind}/{space}/{name}") }
}

fn words<'a>(all: impl Iterator<Item = &'a str>) -> Value {
    json!(all.collect::<Vec<_>>().join(","))
}

/// The subjects of a kind that a binding gives rights to.
fn subjects(binding: &Value, kind: &str) -> Value {
    let those = list(binding, "subjects").iter().filter(|s| text(s, "kind") == kind);
    let names: Vec<String> = those
        .map(|s| match kind {
            "ServiceAccount" => format!("{}/{}", text(s, "namespace"), text(s, "name")),
            _ => text(s, "name").to_owned(),
        })
        .collect();
    json!(names.join(", "))
}

fn addresses(endpoints: &Value) -> String {
    let one = |subset: &Value| -> Vec<String> {
        let ports: Vec<i64> = list(subset, "ports").iter().map(|p| int(p, "port")).collect();
        let each = list(subset, "addresses").iter().flat_map(|a| {
            let ip = text(a, "ip");
            ports.iter().map(move |p| format!("{ip}:{p}")).collect::<Vec<_>>()
        });
        each.collect()
    };
    let all: Vec<String> = list(endpoints, "subsets").iter().flat_map(one).collect();
    match all.len() {
        0 => "<none>".to_owned(),
        1..=3 => all.join(","),
        more => format!("{} + {} more...", all[..3].join(","), more - 3),
    }
}

/// What is used of what a quota grants: of limits, or of everything else.
fn quota(quota: &Value, limits: bool) -> String {
    let hard = map(quota, "status.hard");
    let used = map(quota, "status.used");
    let said = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or("0").to_owned();
    let parts = hard.iter().filter(|(k, _)| k.starts_with("limits.") == limits);
    let parts: Vec<String> =
        parts.map(|(k, v)| format!("{k}: {}/{}", said(used.get(k)), said(Some(v)))).collect();
    parts.join(", ")
}
