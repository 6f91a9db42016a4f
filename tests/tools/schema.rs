//! Makes the embedded fleet's table of the built-in kinds' fields from the Go sources of the
//! Kubernetes API: JSON names, protobuf numbers, types, and how lists are merged.
//!
//! ```text
//! cargo run --example schema -- $(go list -m -f '{{.Dir}}' k8s.io/api k8s.io/apimachinery k8s.io/metrics) assets/kubernetes.schema
//! ```
//!
//! The layout that this writes is described, and read, in `src/sim/schema.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// The packages whose kinds are served, and those that they refer to.
const PACKAGES: &[&str] = &[
    "core/v1",
    "apps/v1",
    "batch/v1",
    "autoscaling/v1",
    "autoscaling/v2",
    "policy/v1",
    "rbac/v1",
    "networking/v1",
    "storage/v1",
    "scheduling/v1",
    "coordination/v1",
    "events/v1",
    "discovery/v1",
    "authorization/v1",
    "authentication/v1",
    "node/v1",
    "certificates/v1",
    "admissionregistration/v1",
];

/// The kinds to write; what they are made of comes with them.
const KINDS: &[&str] = &[
    "core/v1.ConfigMap",
    "core/v1.Endpoints",
    "core/v1.Event",
    "core/v1.LimitRange",
    "core/v1.Namespace",
    "core/v1.Node",
    "core/v1.PersistentVolume",
    "core/v1.PersistentVolumeClaim",
    "core/v1.Pod",
    "core/v1.PodTemplate",
    "core/v1.ReplicationController",
    "core/v1.ResourceQuota",
    "core/v1.Secret",
    "core/v1.Service",
    "core/v1.ServiceAccount",
    "core/v1.Binding",
    "apps/v1.ControllerRevision",
    "apps/v1.DaemonSet",
    "apps/v1.Deployment",
    "apps/v1.ReplicaSet",
    "apps/v1.StatefulSet",
    "batch/v1.CronJob",
    "batch/v1.Job",
    "autoscaling/v1.HorizontalPodAutoscaler",
    "autoscaling/v1.Scale",
    "autoscaling/v2.HorizontalPodAutoscaler",
    "policy/v1.Eviction",
    "policy/v1.PodDisruptionBudget",
    "rbac/v1.ClusterRole",
    "rbac/v1.ClusterRoleBinding",
    "rbac/v1.Role",
    "rbac/v1.RoleBinding",
    "networking/v1.Ingress",
    "networking/v1.IngressClass",
    "networking/v1.IPAddress",
    "networking/v1.NetworkPolicy",
    "networking/v1.ServiceCIDR",
    "storage/v1.CSIDriver",
    "storage/v1.CSINode",
    "storage/v1.CSIStorageCapacity",
    "storage/v1.StorageClass",
    "storage/v1.VolumeAttachment",
    "storage/v1.VolumeAttributesClass",
    "scheduling/v1.PriorityClass",
    "coordination/v1.Lease",
    "events/v1.Event",
    "discovery/v1.EndpointSlice",
    "authorization/v1.SelfSubjectAccessReview",
    "authorization/v1.SelfSubjectRulesReview",
    "authorization/v1.SubjectAccessReview",
    "authentication/v1.SelfSubjectReview",
    "authentication/v1.TokenRequest",
    "node/v1.RuntimeClass",
    "certificates/v1.CertificateSigningRequest",
    "admissionregistration/v1.MutatingWebhookConfiguration",
    "admissionregistration/v1.ValidatingWebhookConfiguration",
    "meta/v1.DeleteOptions",
    "meta/v1.Status",
    "metrics/v1beta1.NodeMetrics",
    "metrics/v1beta1.PodMetrics",
];

/// A type as its source declares it.
enum Declared {
    Struct(Vec<Field>),
    /// Another name of this Go type.
    Named(String),
}

/// Every declared type, and those that server-side apply owns as a whole.
#[derive(Default)]
struct Types {
    declared: BTreeMap<String, Declared>,
    atomic: BTreeSet<String>,
}

struct Field {
    number: Option<u32>,
    /// Empty for a struct whose fields are its holder's.
    name: String,
    go: String,
    required: bool,
    marks: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [api, machinery, metrics, out] = arguments.as_slice() else {
        return Err("usage: schema API-MODULE APIMACHINERY-MODULE METRICS-MODULE OUT".into());
    };
    let mut types = Types::default();
    for package in PACKAGES {
        read(&Path::new(api).join(package).join("types.go"), package, &mut types)?;
    }
    let meta = Path::new(machinery).join("pkg/apis/meta/v1/types.go");
    read(&meta, "meta/v1", &mut types)?;
    let metrics = Path::new(metrics).join("pkg/apis/metrics/v1beta1/types.go");
    read(&metrics, "metrics/v1beta1", &mut types)?;
    std::fs::write(out, write(&types)?)?;
    Ok(())
}

/// Reads the declarations of one source file.
fn read(file: &Path, package: &str, types: &mut Types) -> Result<(), Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let imports = imports(&text);
    let mut lines = text.lines();
    let mut atomic = false;
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix("type ") else {
            atomic = line.starts_with("//") && (atomic || line.contains("+structType=atomic"));
            continue;
        };
        let Some((name, what)) = rest.split_once(' ') else { continue };
        let declared = if what.starts_with("struct {") {
            if what.ends_with('}') {
                Declared::Struct(Vec::new())
            } else {
                fields(&mut lines, package, &imports)
            }
        } else {
            let what = what.trim_start_matches("= ").split(" //").next().unwrap_or_default().trim();
            Declared::Named(qualified(what, package, &imports))
        };
        // types within are already qualified
        types.declared.insert(format!("{package}.{name}"), declared);
        if std::mem::take(&mut atomic) {
            types.atomic.insert(format!("{package}.{name}"));
        }
    }
    Ok(())
}

/// Import names and the packages that they stand for.
fn imports(text: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let block = text.split("import (").nth(1).and_then(|b| b.split(')').next()).unwrap_or_default();
    for line in block.lines() {
        let Some((alias, path)) = line.trim().trim_end_matches('"').split_once('"') else { continue };
        let package =
            path.trim_start_matches("k8s.io/apimachinery/pkg/apis/").trim_start_matches("k8s.io/api/");
        let last = path.rsplit('/').next().unwrap_or_default();
        let alias = if alias.trim().is_empty() { last } else { alias.trim() };
        out.insert(alias.to_owned(), package.to_owned());
    }
    out
}

/// A Go type with every name in it qualified by its package.
fn qualified(go: &str, package: &str, imports: &BTreeMap<String, String>) -> String {
    if let Some(rest) = go.strip_prefix('*') {
        return qualified(rest, package, imports);
    }
    if let Some(rest) = go.strip_prefix("[]") {
        return format!("[]{}", qualified(rest, package, imports));
    }
    if let Some(rest) = go.strip_prefix("map[")
        && let Some((_, value)) = rest.split_once(']')
    {
        return format!("{{}}{}", qualified(value, package, imports));
    }
    if let Some((alias, name)) = go.split_once('.') {
        return format!("{}.{name}", imports.get(alias).map_or(alias, String::as_str));
    }
    let own = go.chars().next().is_some_and(char::is_uppercase);
    if own { format!("{package}.{go}") } else { go.to_owned() }
}

/// The fields of a struct, up to its closing brace.
fn fields<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    package: &str,
    imports: &BTreeMap<String, String>,
) -> Declared {
    let mut out = Vec::new();
    let mut comments: Vec<&str> = Vec::new();
    for line in lines {
        let line = line.trim();
        if line == "}" {
            break;
        }
        if let Some(comment) = line.strip_prefix("//") {
            comments.push(comment.trim());
            continue;
        }
        if let Some((head, tags)) = line.split_once('`') {
            let words: Vec<&str> = head.split_whitespace().collect();
            let go = words.last().copied().unwrap_or_default();
            out.extend(field(&qualified(go, package, imports), tags, &comments));
        }
        comments.clear();
    }
    Declared::Struct(out)
}

fn field(go: &str, tags: &str, comments: &[&str]) -> Option<Field> {
    let tag = |key: &str| {
        let start = tags.find(&format!("{key}:\""))? + key.len() + 2;
        tags[start..].split('"').next()
    };
    let json = tag("json").unwrap_or_default();
    let mut words = json.split(',');
    let name = words.next().unwrap_or_default().to_owned();
    let inline = words.clone().any(|w| w == "inline");
    if name == "-" || (name.is_empty() && !inline) {
        return None;
    }
    let number = tag("protobuf").and_then(|p| p.split(',').nth(1)?.parse().ok());
    let mark = |key: &str| -> Vec<&str> {
        comments.iter().filter_map(|c| c.strip_prefix(&format!("+{key}=")[..])).collect()
    };
    let mut marks = Vec::new();
    if tag("patchStrategy").is_some_and(|s| s.contains("merge")) {
        marks.push(format!("merge={}", tag("patchMergeKey").unwrap_or_default()));
    }
    if tag("patchStrategy").is_some_and(|s| s.contains("retainKeys")) {
        marks.push("retain".to_owned());
    }
    match mark("listType").first().copied() {
        Some("map") => marks.push(format!("map={}", mark("listMapKey").join(","))),
        Some("set") => marks.push("set".to_owned()),
        _ => {}
    }
    if mark("structType").contains(&"atomic") || mark("mapType").contains(&"atomic") {
        marks.push("atomic".to_owned());
    }
    let optional = json.contains("omitempty") || comments.contains(&"+optional");
    Some(Field { number, name, go: go.to_owned(), required: !optional && !inline, marks })
}

/// How the table writes a Go type; `None` for what it leaves out.
fn typed(go: &str, types: &Types) -> Option<String> {
    for (prefix, written) in [("[]", "[]"), ("{}", "{}")] {
        if go == "[]byte" {
            return Some("bytes".to_owned());
        }
        if let Some(inner) = go.strip_prefix(prefix) {
            let inner = typed(inner, types)?;
            // a list within a map is a message of its own in protobuf; only reviews have them
            return (!inner.starts_with("[]")).then(|| format!("{written}{inner}"));
        }
    }
    let known = match go {
        "string" | "bool" | "int32" | "int64" => go,
        "float64" => "double",
        "uint8" | "int" => "int32",
        _ if go.ends_with("/types.UID") || go.ends_with("types.NodeName") => "string",
        _ if go.ends_with("resource.Quantity") => "quantity",
        _ if go.ends_with("intstr.IntOrString") => "intOrString",
        _ if go.ends_with("runtime.RawExtension") => "raw",
        "meta/v1.Time" => "time",
        "meta/v1.MicroTime" => "microTime",
        "meta/v1.Duration" => "duration",
        "meta/v1.FieldsV1" => "fields",
        _ => "",
    };
    if !known.is_empty() {
        return Some(known.to_owned());
    }
    match types.declared.get(go) {
        Some(Declared::Struct(_)) => Some(go.to_owned()),
        Some(Declared::Named(other)) => typed(other, types),
        None => go
            .ends_with("types.NamespacedName")
            .then(|| "string".to_owned())
            .or_else(|| (go.contains("types.")).then(|| "string".to_owned())),
    }
}

fn write(types: &Types) -> Result<String, std::fmt::Error> {
    let mut out =
        String::from("# Fields of the built-in kinds; made by `cargo run --example schema`, not by hand.\n");
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut todo: Vec<String> = KINDS.iter().rev().map(|k| (*k).to_owned()).collect();
    let mut messages: BTreeMap<String, String> = BTreeMap::new();
    while let Some(name) = todo.pop() {
        let Some(Declared::Struct(fields)) = types.declared.get(&name) else { continue };
        if !seen.insert(name.clone()) {
            continue;
        }
        let mut text = String::new();
        for field in fields {
            let (Some(number), Some(kind)) = (field.number, typed(&field.go, types)) else { continue };
            let required = if field.required { "!" } else { "" };
            let json = if field.name.is_empty() { "~" } else { &field.name };
            write!(text, " {number} {json} {kind}{required}")?;
            if types.atomic.contains(&kind) && !field.marks.iter().any(|m| m == "atomic") {
                text.push_str(" atomic");
            }
            for mark in &field.marks {
                write!(text, " {mark}")?;
            }
            text.push('\n');
            let inner = kind.trim_start_matches("[]").trim_start_matches("{}");
            if inner.contains('/') {
                todo.push(inner.to_owned());
            }
        }
        messages.insert(name, text);
    }
    for (name, text) in messages {
        writeln!(out, "{name}")?;
        out.push_str(&text);
    }
    Ok(out)
}
