//! Tables: the columns that `kubectl get` shows
//! (`kubernetes/kubernetes:pkg/printers/internalversion/printers.go`).

mod autoscalers;
mod others;
mod pods;
mod storage;
mod workloads;

use crate::sim::json::{Value, json};

use crate::model::{Span, Time};
use crate::sim::custom::Version;
use crate::sim::fields::{at, flag, holds, int, label, list, map, name, text, time};
use crate::sim::resources::{Res, Slot};

/// Name, type, and 1 when it is shown only with `-o wide`.
type Column = (&'static str, &'static str, u8);

const AGE: Column = ("Age", "string", 0);

fn described(res: Res) -> &'static [Column] {
    match res {
        Res::Pods => pods::COLUMNS,
        Res::Nodes => &[
            ("Status", "string", 0),
            ("Roles", "string", 0),
            AGE,
            ("Version", "string", 0),
            ("Internal-IP", "string", 1),
            ("External-IP", "string", 1),
            ("OS-Image", "string", 1),
            ("Kernel-Version", "string", 1),
            ("Container-Runtime", "string", 1),
        ],
        Res::Namespaces => &[("Status", "string", 0), AGE],
        Res::Deployments
        | Res::StatefulSets
        | Res::DaemonSets
        | Res::ReplicaSets
        | Res::Jobs
        | Res::CronJobs => workloads::columns(res),
        Res::Autoscalers => &[
            ("Reference", "string", 0),
            ("Targets", "string", 0),
            ("MinPods", "string", 0),
            ("MaxPods", "string", 0),
            ("Replicas", "string", 0),
            AGE,
        ],
        Res::Budgets => &[
            ("Min Available", "string", 0),
            ("Max Unavailable", "string", 0),
            ("Allowed Disruptions", "integer", 0),
            AGE,
        ],
        Res::Services => &[
            ("Type", "string", 0),
            ("Cluster-IP", "string", 0),
            ("External-IP", "string", 0),
            ("Port(s)", "string", 0),
            AGE,
            ("Selector", "string", 1),
        ],
        Res::Claims | Res::Volumes | Res::StorageClasses => storage::columns(res),
        Res::ConfigMaps => &[("Data", "string", 0), AGE],
        Res::Leases => &[("Holder", "string", 0), AGE],
        Res::NodePools => &[("NodeClass", "string", 0), ("Nodes", "string", 0), ("Ready", "string", 0), AGE],
        Res::NodeClaims => &[
            ("Type", "string", 0),
            ("Capacity", "string", 0),
            ("Zone", "string", 0),
            ("Node", "string", 0),
            ("Ready", "string", 0),
            AGE,
        ],
        Res::Events => &[AGE],
        other => others::columns(other),
    }
}

/// What a table is of.
pub(super) struct Subject<'a> {
    pub(super) slot: Slot,
    /// Of a custom resource, its version.
    pub(super) custom: Option<&'a Version>,
}

impl Subject<'_> {
    /// Its columns.
    pub(super) fn columns(&self) -> Vec<Value> {
        match (self.custom, self.slot.built_in()) {
            (Some(version), _) => custom_columns(version),
            (None, Some(res)) => columns(res),
            (None, None) => Vec::new(),
        }
    }

    /// The cells of one object.
    pub(super) fn cells(&self, object: &Value, now: Time) -> Vec<Value> {
        match (self.custom, self.slot.built_in()) {
            (Some(version), _) => custom_cells(version, object, now),
            (None, Some(res)) => cells(res, object, now),
            (None, None) => Vec::new(),
        }
    }
}

fn custom_columns(version: &Version) -> Vec<Value> {
    let mut out = vec![
        json!({ "name": "Name", "type": "string", "format": "name", "description": "Name", "priority": 0 }),
    ];
    out.extend(version.columns.iter().map(|c| {
        json!({ "name": c.name, "type": c.kind, "format": c.format, "description": c.description, "priority": c.priority })
    }));
    out
}

/// Cells as their columns' types have them
/// (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`).
fn custom_cells(version: &Version, object: &Value, now: Time) -> Vec<Value> {
    let cell = |column: &crate::sim::custom::Column| {
        let found = column.path.find(object);
        let Some(first) = found.first() else { return Value::Null };
        match column.kind.as_str() {
            "date" => match first.as_str().and_then(Time::parse) {
                Some(at) => json!(human(at.age(now))),
                None => json!("<unknown>"),
            },
            "string" => {
                let words: Vec<String> =
                    found.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
                json!(words.join(","))
            }
            "integer" => first.as_i64().map_or(Value::Null, Value::from),
            "number" => first.as_f64().map_or(Value::Null, Value::from),
            "boolean" => first.as_bool().map_or(Value::Null, Value::from),
            _ => Value::Null,
        }
    };
    let mut out = vec![json!(name(object))];
    out.extend(version.columns.iter().map(cell));
    out
}

/// The columns of a resource's table.
fn columns(res: Res) -> Vec<Value> {
    let column = |(name, kind, priority): &Column, format: &str| json!({ "name": name, "type": kind, "format": format, "description": name, "priority": priority });
    if res == Res::Events {
        let events = [
            ("Last Seen", "string", 0),
            ("Type", "string", 0),
            ("Reason", "string", 0),
            ("Object", "string", 0),
            ("Source", "string", 1),
            ("Message", "string", 0),
            ("First Seen", "string", 1),
            ("Count", "string", 1),
            ("Name", "string", 1),
        ];
        return events.iter().map(|c| column(c, if c.0 == "Name" { "name" } else { "" })).collect();
    }
    let mut out = vec![column(&("Name", "string", 0), "name")];
    out.extend(described(res).iter().map(|c| column(c, "")));
    out
}

/// The cells of one object.
fn cells(res: Res, o: &Value, now: Time) -> Vec<Value> {
    if res == Res::Events {
        return event(o, now);
    }
    let mut out = vec![json!(named(res, o))];
    out.extend(match res {
        Res::Pods => pods::cells(o, now),
        Res::Nodes => node(o, now),
        Res::Namespaces => vec![json!(text(o, "status.phase")), age(o, now)],
        Res::Deployments
        | Res::StatefulSets
        | Res::DaemonSets
        | Res::ReplicaSets
        | Res::Jobs
        | Res::CronJobs => workloads::cells(res, o, now),
        Res::Autoscalers => autoscalers::cells(o, now),
        Res::Budgets => vec![
            or_na(at(o, "spec.minAvailable")),
            or_na(at(o, "spec.maxUnavailable")),
            json!(int(o, "status.disruptionsAllowed")),
            age(o, now),
        ],
        Res::Services => service(o, now),
        Res::Claims | Res::Volumes | Res::StorageClasses => storage::cells(res, o, now),
        Res::ConfigMaps => vec![json!(map(o, "data").len() + map(o, "binaryData").len()), age(o, now)],
        Res::Leases => vec![json!(text(o, "spec.holderIdentity")), age(o, now)],
        Res::NodePools => vec![
            json!(text(o, "spec.template.spec.nodeClassRef.name")),
            json!(text(o, "status.resources.nodes")),
            json!(if holds(o, "Ready") { "True" } else { "False" }),
            age(o, now),
        ],
        Res::NodeClaims => vec![
            json!(label(o, "node.kubernetes.io/instance-type")),
            json!(label(o, "karpenter.sh/capacity-type")),
            json!(label(o, "topology.kubernetes.io/zone")),
            json!(text(o, "status.nodeName")),
            json!(if holds(o, "Ready") { "True" } else { "Unknown" }),
            age(o, now),
        ],
        other => others::cells(other, o, now),
    });
    out
}

/// What stands under NAME.
fn named(res: Res, o: &Value) -> String {
    if res == Res::StorageClasses && storage::is_default(o) {
        return format!("{} (default)", name(o));
    }
    name(o).to_owned()
}

fn or_na(value: &Value) -> Value {
    match value {
        Value::Null => json!("N/A"),
        Value::String(text) => json!(text),
        other => json!(other.to_string()),
    }
}

fn node(o: &Value, now: Time) -> Vec<Value> {
    let mut status = match crate::sim::fields::condition(o, "Ready").map(|c| text(c, "status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if flag(o, "spec.unschedulable") {
        status.push_str(",SchedulingDisabled");
    }
    let prefix = "node-role.kubernetes.io/";
    let roles: Vec<&str> = map(o, "metadata.labels").keys().filter_map(|k| k.strip_prefix(prefix)).collect();
    let roles = if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") };
    let address = |kind: &str| {
        let found = list(o, "status.addresses").iter().find(|a| text(a, "type") == kind);
        json!(found.map_or("<none>", |a| text(a, "address")))
    };
    let info = |key: &str| text(o, &format!("status.nodeInfo.{key}"));
    let known = |key: &str| if info(key).is_empty() { "<unknown>" } else { info(key) };
    let kernel = match info("architecture") {
        "" => known("kernelVersion").to_owned(),
        architecture => format!("{} ({architecture})", known("kernelVersion")),
    };
    vec![
        json!(status),
        json!(roles),
        age(o, now),
        json!(info("kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        json!(known("osImage")),
        json!(kernel),
        json!(known("containerRuntimeVersion")),
    ]
}

fn service(o: &Value, now: Time) -> Vec<Value> {
    let ports: Vec<String> = list(o, "spec.ports")
        .iter()
        .map(|p| {
            let node = int(p, "nodePort");
            let node = if node > 0 { format!(":{node}") } else { String::new() };
            format!("{}{node}/{}", int(p, "port"), text(p, "protocol"))
        })
        .collect();
    let outside: Vec<&str> = list(o, "status.loadBalancer.ingress")
        .iter()
        .map(|i| {
            let ip = text(i, "ip");
            if ip.is_empty() { text(i, "hostname") } else { ip }
        })
        .collect();
    let own: Vec<&str> = list(o, "spec.externalIPs").iter().filter_map(Value::as_str).collect();
    let outside = match text(o, "spec.type") {
        "ExternalName" => text(o, "spec.externalName").to_owned(),
        "LoadBalancer" if outside.is_empty() && own.is_empty() => "<pending>".to_owned(),
        _ if outside.is_empty() && own.is_empty() => "<none>".to_owned(),
        _ => [outside, own].concat().join(","),
    };
    let ip = text(o, "spec.clusterIP");
    vec![
        json!(text(o, "spec.type")),
        json!(if ip.is_empty() { "<none>" } else { ip }),
        json!(outside),
        json!(if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }),
        age(o, now),
        json!(pairs(at(o, "spec.selector"))),
    ]
}

fn event(o: &Value, now: Time) -> Vec<Value> {
    let first = time(o, "firstTimestamp").or_else(|| time(o, "eventTime"));
    let last = time(o, "series.lastObservedTime").or_else(|| time(o, "lastTimestamp")).or(first);
    let ago = |t: Option<Time>| t.map_or("<unknown>".to_owned(), |t| human(t.age(now)));
    let source = match text(o, "source.component") {
        "" => text(o, "reportingComponent").to_owned(),
        component => match text(o, "source.host") {
            "" => component.to_owned(),
            host => format!("{component}, {host}"),
        },
    };
    let object =
        format!("{}/{}", text(o, "involvedObject.kind").to_lowercase(), text(o, "involvedObject.name"));
    let count = int(o, "series.count").max(int(o, "count")).max(1);
    vec![
        json!(ago(last)),
        json!(text(o, "type")),
        json!(text(o, "reason")),
        json!(object),
        json!(source),
        json!(text(o, "message")),
        json!(ago(first)),
        json!(count.to_string()),
        json!(name(o)),
    ]
}

/// Labels as `a=b,c=d`.
pub(super) fn pairs(labels: &Value) -> String {
    let Some(map) = labels.as_object().filter(|m| !m.is_empty()) else { return "<none>".to_owned() };
    map.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect::<Vec<_>>().join(",")
}

/// The age of an object.
pub(super) fn age(o: &Value, now: Time) -> Value {
    json!(time(o, "metadata.creationTimestamp").map_or("<unknown>".to_owned(), |t| human(t.age(now))))
}

/// How long, as kubectl says it (`apimachinery/pkg/util/duration` `HumanDuration`).
pub(super) fn human(span: Span) -> String {
    let s = span.seconds().max(0);
    let (m, h, d) = (s / 60, s / 3600, s / 86_400);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    match s {
        0..120 => format!("{s}s"),
        120..600 => two(m, "m", s % 60, "s"),
        600..10_800 => format!("{m}m"),
        10_800..28_800 => two(h, "h", m % 60, "m"),
        28_800..172_800 => format!("{h}h"),
        172_800..691_200 => two(d, "d", h % 24, "h"),
        691_200..63_072_000 => format!("{d}d"),
        63_072_000..252_288_000 => two(d / 365, "y", d % 365, "d"),
        _ => format!("{}y", d / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_has_as_many_cells_as_columns() {
        for res in Res::ALL {
            let now = Time::from_seconds(0);
            assert_eq!(columns(res).len(), cells(res, &json!({}), now).len(), "{res:?}");
        }
    }

    #[test]
    fn ages_are_said_as_kubectl_says_them() {
        for (seconds, said) in [
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (3000, "50m"),
            (11_000, "3h3m"),
            (90_000, "25h"),
            (180_000, "2d2h"),
            (864_000, "10d"),
        ] {
            assert_eq!(human(Span::from_seconds(seconds)), said);
        }
    }
}
