//! Discovery: what is served, aggregated (v2) and group by group.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::call::Call;
use super::reply::Answer;
use crate::sim::cluster::Shared;
use crate::sim::refusal::Refusal;
use crate::sim::resources::{Res, api_version};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A resource as discovery names it.
struct Served {
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
    all: bool,
    verbs: &'static [&'static str],
    subresources: &'static [&'static str],
}

/// Everything served, by group; the core group is the empty one.
fn served() -> BTreeMap<&'static str, Vec<Served>> {
    let mut groups: BTreeMap<&str, Vec<Served>> = BTreeMap::new();
    for res in Res::ALL {
        let spec = res.spec();
        let entry = || Served {
            version: spec.version,
            plural: spec.plural,
            singular: spec.singular,
            kind: spec.kind,
            namespaced: spec.namespaced,
            short: spec.short,
            all: spec.all,
            verbs: &VERBS,
            subresources: spec.subresources,
        };
        groups.entry(spec.group).or_default().push(entry());
        if res == Res::Events {
            groups.entry("events.k8s.io").or_default().push(entry());
        }
    }
    let virtual_ = |version, names: (&'static str, &'static str, &'static str), namespaced, verbs| Served {
        version,
        plural: names.0,
        singular: names.1,
        kind: names.2,
        namespaced,
        short: &[],
        all: false,
        verbs,
        subresources: &[],
    };
    let create: &[&str] = &["create"];
    let read: &[&str] = &["get", "list"];
    groups.insert(
        "authorization.k8s.io",
        vec![
            virtual_(
                "v1",
                ("selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview"),
                false,
                create,
            ),
            virtual_(
                "v1",
                ("selfsubjectrulesreviews", "selfsubjectrulesreview", "SelfSubjectRulesReview"),
                false,
                create,
            ),
        ],
    );
    groups.insert(
        "authentication.k8s.io",
        vec![virtual_("v1", ("selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview"), false, create)],
    );
    groups.insert(
        "metrics.k8s.io",
        vec![
            virtual_("v1beta1", ("nodes", "", "NodeMetrics"), false, read),
            virtual_("v1beta1", ("pods", "", "PodMetrics"), true, read),
        ],
    );
    groups
}

/// `/version`.
pub(super) fn version(shared: &Arc<Shared>) -> Answer {
    let version = shared.read(|world| world.version.clone());
    let numbers = version.trim_start_matches('v');
    let mut parts = numbers.split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    Answer::json(
        200,
        &json!({
            "major": major, "minor": minor, "gitVersion": version, "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2026-06-11T12:00:00Z", "goVersion": "go1.26.4", "compiler": "gc", "platform": "linux/amd64",
        }),
    )
}

fn wants_aggregated(call: &Call) -> bool {
    call.accept.split(',').any(|media| {
        let parts: Vec<&str> = media.split(';').map(str::trim).collect();
        parts.contains(&"g=apidiscovery.k8s.io") && parts.contains(&"v=v2")
    })
}

/// `/api`.
pub(super) fn core(call: &Call) -> Answer {
    if wants_aggregated(call) {
        return aggregated(|group| group.is_empty());
    }
    Answer::json(200, &json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] }))
}

/// `/apis`.
pub(super) fn groups(call: &Call) -> Answer {
    if wants_aggregated(call) {
        return aggregated(|group| !group.is_empty());
    }
    let groups: Vec<Value> =
        served().iter().filter(|(g, _)| !g.is_empty()).map(|(g, list)| group_entry(g, list)).collect();
    Answer::json(200, &json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
}

/// `/apis/GROUP`.
pub(super) fn group(group: &str) -> Result<Answer, Refusal> {
    let groups = served();
    let list = groups.get(group).filter(|_| !group.is_empty()).ok_or_else(Refusal::no_such_path)?;
    let mut entry = group_entry(group, list);
    entry["kind"] = json!("APIGroup");
    entry["apiVersion"] = json!("v1");
    Ok(Answer::json(200, &entry))
}

fn group_entry(group: &str, list: &[Served]) -> Value {
    let version = list.first().map_or("v1", |s| s.version);
    let gv = json!({ "groupVersion": api_version(group, version), "version": version });
    json!({ "name": group, "versions": [gv], "preferredVersion": gv })
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
pub(super) fn resources(group: &str, version: &str) -> Result<Answer, Refusal> {
    let groups = served();
    let list = groups.get(group).ok_or_else(Refusal::no_such_path)?;
    let mut out = Vec::new();
    for s in list.iter().filter(|s| s.version == version) {
        let mut entry = json!({
            "name": s.plural, "singularName": s.singular, "namespaced": s.namespaced, "kind": s.kind, "verbs": s.verbs,
        });
        if !s.short.is_empty() {
            entry["shortNames"] = json!(s.short);
        }
        if s.all {
            entry["categories"] = json!(["all"]);
        }
        out.push(entry);
        for sub in s.subresources {
            let (g, v, kind, verbs) = subresource(s, sub);
            out.push(json!({
                "name": format!("{}/{sub}", s.plural), "singularName": "", "namespaced": s.namespaced,
                "group": g, "version": v, "kind": kind, "verbs": verbs,
            }));
        }
    }
    if out.is_empty() {
        return Err(Refusal::no_such_path());
    }
    let gv = api_version(group, version);
    Ok(Answer::json(
        200,
        &json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": gv, "resources": out }),
    ))
}

/// The group, version, kind and verbs of a subresource.
fn subresource(s: &Served, sub: &str) -> (&'static str, &'static str, &'static str, &'static [&'static str]) {
    match sub {
        "scale" => ("autoscaling", "v1", "Scale", &["get", "patch", "update"]),
        "eviction" => ("policy", "v1", "Eviction", &["create"]),
        "log" => ("", "v1", "Pod", &["get"]),
        _ => ("", "", s.kind, &["get", "patch", "update"]),
    }
}

fn aggregated(wanted: impl Fn(&str) -> bool) -> Answer {
    let items: Vec<Value> = served()
        .iter()
        .filter(|(group, _)| wanted(group))
        .map(|(group, list)| {
            let version = list.first().map_or("v1", |s| s.version);
            let resources: Vec<Value> = list.iter().map(|s| aggregated_entry(group, s)).collect();
            json!({
                "metadata": { "name": group, "creationTimestamp": null },
                "versions": [{ "version": version, "resources": resources, "freshness": "Current" }],
            })
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    Answer::bytes(AGGREGATED, list.to_string().into_bytes())
}

fn aggregated_entry(group: &str, s: &Served) -> Value {
    let kind = |g: &str, v: &str, k: &str| json!({ "group": g, "version": v, "kind": k });
    let mut entry = json!({
        "resource": s.plural, "responseKind": kind(group, s.version, s.kind),
        "scope": if s.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": s.singular, "verbs": s.verbs,
    });
    if !s.short.is_empty() {
        entry["shortNames"] = json!(s.short);
    }
    if s.all {
        entry["categories"] = json!(["all"]);
    }
    if !s.subresources.is_empty() {
        let subs = s.subresources.iter().map(|sub| {
            let (g, v, k, verbs) = subresource(s, sub);
            let response = if v.is_empty() { kind(group, s.version, k) } else { kind(g, v, k) };
            json!({ "subresource": sub, "responseKind": response, "verbs": verbs })
        });
        entry["subresources"] = subs.collect();
    }
    entry
}
