//! Discovery: what is served, aggregated (v2) and group by group.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::call::Call;
use super::reply::Answer;
use crate::sim::cluster::Shared;
use crate::sim::fields::text;
use crate::sim::refusal::Refusal;
use crate::sim::resources::{Res, Spec, api_version};
use crate::sim::world::World;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// Namespaces go one by one.
const ONE_BY_ONE: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
/// The same in the order in which custom resources have them.
const CUSTOM_VERBS: &[&str] =
    &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const CREATE: &[&str] = &["create"];
const READ: &[&str] = &["get", "list"];

/// A resource as discovery names it.
struct Served {
    version: String,
    plural: String,
    singular: String,
    kind: String,
    namespaced: bool,
    short: Vec<String>,
    categories: Vec<String>,
    verbs: &'static [&'static str],
    subresources: Vec<String>,
}

impl Served {
    fn of(spec: &Spec, version: &str, subresources: Vec<String>) -> Served {
        let owned = |names: &[crate::sim::resources::Name]| names.iter().map(|n| n.to_string()).collect();
        Served {
            version: version.to_owned(),
            plural: spec.plural.to_string(),
            singular: spec.singular.to_string(),
            kind: spec.kind.to_string(),
            namespaced: spec.namespaced,
            short: owned(&spec.short),
            categories: owned(&spec.categories),
            verbs: if spec.kind == "Namespace" { ONE_BY_ONE } else { VERBS },
            subresources,
        }
    }

    fn plain(
        version: &str,
        plural: &str,
        kind: &str,
        namespaced: bool,
        verbs: &'static [&'static str],
    ) -> Served {
        Served {
            version: version.to_owned(),
            plural: plural.to_owned(),
            singular: if verbs == CREATE { kind.to_lowercase() } else { String::new() },
            kind: kind.to_owned(),
            namespaced,
            short: Vec::new(),
            categories: Vec::new(),
            verbs,
            subresources: Vec::new(),
        }
    }
}

type Groups = BTreeMap<String, Vec<Served>>;

/// Everything served, by group; the core group is the empty one.
fn served(world: &World) -> Groups {
    let mut groups = Groups::new();
    let defined: Vec<_> = world.store.custom.live().collect();
    for res in Res::ALL {
        let spec = res.spec();
        if defined.iter().any(|d| d.slot == res) {
            continue;
        }
        for version in spec.versions.iter().filter(|v| !world.withdrawn(spec, v)) {
            let subresources = spec.subresources.iter().map(|s| s.to_string()).collect();
            groups.entry(spec.group.to_string()).or_default().push(Served::of(spec, version, subresources));
        }
        if res == Res::Events {
            groups.entry("events.k8s.io".to_owned()).or_default().push(Served::of(spec, "v1", Vec::new()));
        }
    }
    for defined in defined {
        for version in defined.served().filter(|v| !world.withdrawn(&defined.spec, &v.name)) {
            let subresources = ["status", "scale"].into_iter().filter(|s| version.has(s)).map(str::to_owned);
            let entry = Served::of(&defined.spec, &version.name, subresources.collect());
            let entry = Served { verbs: CUSTOM_VERBS, ..entry };
            groups.entry(defined.spec.group.to_string()).or_default().push(entry);
        }
    }
    for (group, version, plural, kind, namespaced, verbs) in [
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false, CREATE),
        ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false, CREATE),
        ("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false, CREATE),
        ("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true, CREATE),
        ("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", false, CREATE),
        ("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false, CREATE),
        ("", "v1", "bindings", "Binding", true, CREATE),
        ("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", false, READ),
        ("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", true, READ),
    ] {
        let entry = Served::plain(version, plural, kind, namespaced, verbs);
        groups.entry(group.to_owned()).or_default().push(entry);
    }
    let components = Served::plain("v1", "componentstatuses", "ComponentStatus", false, READ);
    let components =
        Served { singular: "componentstatus".to_owned(), short: vec!["cs".to_owned()], ..components };
    groups.entry(String::new()).or_default().push(components);
    groups
}

/// The versions of a group, the newest first.
fn versions(list: &[Served]) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    for served in list {
        if !out.contains(&served.version.as_str()) {
            out.push(&served.version);
        }
    }
    out.sort_by_key(|v| std::cmp::Reverse(rank(v)));
    out
}

/// Stable versions before beta before alpha, higher numbers first
/// (`apimachinery/pkg/version/helpers.go` `CompareKubeAwareVersionStrings`).
fn rank(version: &str) -> (u8, u32, u32) {
    let rest = version.strip_prefix('v').unwrap_or_default();
    let (major, stage, minor) = match (rest.split_once("beta"), rest.split_once("alpha")) {
        (Some((major, minor)), _) => (major, 2, minor),
        (None, Some((major, minor))) => (major, 1, minor),
        (None, None) => (rest, 3, "0"),
    };
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => (stage, major, minor),
        _ => (0, 0, 0),
    }
}

/// Every group and version, for others that list them.
pub(super) fn group_versions(world: &World) -> Vec<(String, String)> {
    let groups = served(world);
    let each = groups.iter().flat_map(|(group, list)| {
        versions(list).into_iter().map(|v| (group.clone(), v.to_owned())).collect::<Vec<_>>()
    });
    each.collect()
}

/// Whether anything is served of a group's version.
pub(super) fn serves(world: &World, group: &str, version: &str) -> bool {
    group_versions(world).iter().any(|(g, v)| g == group && v == version)
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
            "major": major, "minor": minor, "emulationMajor": major, "emulationMinor": minor,
            "minCompatibilityMajor": major, "minCompatibilityMinor": minor, "gitVersion": version, "gitCommit": "", "gitTreeState": "clean",
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
pub(super) fn core(shared: &Shared, call: &Call) -> Answer {
    if wants_aggregated(call) {
        return aggregated(&shared.read(served), |group| group.is_empty());
    }
    let here = json!([{ "clientCIDR": "0.0.0.0/0", "serverAddress": call.host }]);
    let versions =
        json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": here.plain() });
    Answer::json(200, &versions)
}

/// `/apis`.
pub(super) fn groups(shared: &Shared, call: &Call) -> Answer {
    let served = shared.read(served);
    if wants_aggregated(call) {
        return aggregated(&served, |group| !group.is_empty());
    }
    let groups: Vec<Value> =
        served.iter().filter(|(g, _)| !g.is_empty()).map(|(g, list)| group_entry(g, list)).collect();
    Answer::json(200, &json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
}

/// `/apis/GROUP`.
pub(super) fn group(shared: &Shared, group: &str) -> Result<Answer, Refusal> {
    let groups = shared.read(served);
    let list = groups.get(group).filter(|_| !group.is_empty()).ok_or_else(Refusal::no_such_group)?;
    let mut entry = group_entry(group, list);
    entry["kind"] = json!("APIGroup");
    entry["apiVersion"] = json!("v1");
    Ok(Answer::json(200, &entry))
}

fn group_entry(group: &str, list: &[Served]) -> Value {
    let entry = |version: &&str| json!({ "groupVersion": api_version(group, version), "version": version });
    let versions: Vec<Value> = versions(list).iter().map(entry).collect();
    json!({ "name": group, "versions": versions, "preferredVersion": versions.first() })
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
pub(super) fn resources(shared: &Shared, group: &str, version: &str) -> Result<Answer, Refusal> {
    let groups = shared.read(served);
    let list = groups.get(group).ok_or_else(Refusal::no_such_group)?;
    let mut out = Vec::new();
    for s in list.iter().filter(|s| s.version == version) {
        let mut entry = json!({
            "name": s.plural, "singularName": s.singular, "namespaced": s.namespaced, "kind": s.kind, "verbs": s.verbs,
        });
        if !s.short.is_empty() {
            entry["shortNames"] = json!(s.short);
        }
        if !s.categories.is_empty() {
            entry["categories"] = json!(s.categories);
        }
        out.push(entry);
        for sub in &s.subresources {
            let (g, v, kind, verbs) = subresource(s, sub);
            let mut entry = json!({
                "name": format!("{}/{sub}", s.plural), "singularName": "", "namespaced": s.namespaced,
                "kind": kind, "verbs": verbs,
            });
            if !v.is_empty() {
                (entry["group"], entry["version"]) = (json!(g), json!(v));
            }
            out.push(entry);
        }
    }
    if out.is_empty() {
        return Err(Refusal::no_such_path());
    }
    out.sort_by(|a, b| text(a, "name").cmp(text(b, "name")));
    let gv = api_version(group, version);
    let mut list = json!({ "kind": "APIResourceList", "groupVersion": gv, "resources": out });
    if !group.is_empty() {
        // the core group's list is older than the field
        list["apiVersion"] = json!("v1");
    }
    Ok(Answer::json(200, &list))
}

/// The group, version, kind and verbs of a subresource.
fn subresource<'a>(
    s: &'a Served,
    sub: &str,
) -> (&'static str, &'static str, &'a str, &'static [&'static str]) {
    match sub {
        "scale" => ("autoscaling", "v1", "Scale", &["get", "patch", "update"]),
        "eviction" => ("policy", "v1", "Eviction", CREATE),
        "binding" => ("", "", "Binding", CREATE),
        "log" => ("", "", &s.kind, &["get"]),
        "exec" => ("", "", "PodExecOptions", &["create", "get"]),
        "attach" => ("", "", "PodAttachOptions", &["create", "get"]),
        "portforward" => ("", "", "PodPortForwardOptions", &["create", "get"]),
        "finalize" => ("", "", &s.kind, &["update"]),
        "proxy" => {
            let kind = match s.kind.as_str() {
                "Node" => "NodeProxyOptions",
                "Pod" => "PodProxyOptions",
                _ => "ServiceProxyOptions",
            };
            ("", "", kind, &["create", "delete", "get", "patch", "update"])
        }
        "token" => ("authentication.k8s.io", "v1", "TokenRequest", CREATE),
        _ => ("", "", &s.kind, &["get", "patch", "update"]),
    }
}

fn aggregated(served: &Groups, wanted: impl Fn(&str) -> bool) -> Answer {
    let items: Vec<Value> = served
        .iter()
        .filter(|(group, _)| wanted(group))
        .map(|(group, list)| {
            let versions: Vec<Value> = versions(list)
                .into_iter()
                .map(|version| {
                    let mut own: Vec<&Served> = list.iter().filter(|s| s.version == version).collect();
                    own.sort_unstable_by(|a, b| a.plural.cmp(&b.plural));
                    let resources: Vec<Value> = own.iter().map(|s| aggregated_entry(group, s)).collect();
                    json!({ "version": version, "resources": resources, "freshness": "Current" })
                })
                .collect();
            let metadata = if group.is_empty() { json!({}) } else { json!({ "name": group }) };
            json!({ "metadata": metadata, "versions": versions })
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    Answer::bytes(AGGREGATED, list.to_string().into_bytes())
}

fn aggregated_entry(group: &str, s: &Served) -> Value {
    let kind = |g: &str, v: &str, k: &str| json!({ "group": g, "version": v, "kind": k }).plain();
    // of what is built in the group and the version of the list are not said again
    let (group, version) = if s.verbs == CUSTOM_VERBS { (group, s.version.as_str()) } else { ("", "") };
    let mut entry = json!({
        "resource": s.plural, "responseKind": kind(group, version, &s.kind),
        "scope": if s.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": s.singular, "verbs": s.verbs,
    });
    if !s.short.is_empty() {
        entry["shortNames"] = json!(s.short);
    }
    if !s.categories.is_empty() {
        entry["categories"] = json!(s.categories);
    }
    if !s.subresources.is_empty() {
        let mut names: Vec<&String> = s.subresources.iter().collect();
        names.sort_unstable();
        let subs = names.into_iter().map(|sub| {
            let (g, v, k, verbs) = subresource(s, sub);
            let response = if v.is_empty() { kind(group, version, k) } else { kind(g, v, k) };
            json!({ "subresource": sub, "responseKind": response, "verbs": verbs })
        });
        entry["subresources"] = subs.collect();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_version_is_the_most_stable() {
        let mut all = ["v1alpha1", "v1", "v2beta1", "odd", "v2", "v1beta2"];
        all.sort_by_key(|v| std::cmp::Reverse(rank(v)));
        assert_eq!(all, ["v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "odd"]);
    }
}
