//! `OpenAPI` v3 of what is served: enough for clients to see that the server checks fields itself,
//! to merge by, and for `kubectl explain`. Descriptions are left out but for those of custom
//! resources.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::sim::json::{Map, Value, json};

use super::call::Call;
use super::discovery;
use super::reply::Answer;
use crate::sim::cluster::Shared;
use crate::sim::fields::set;
use crate::sim::random;
use crate::sim::refusal::Refusal;
use crate::sim::resources::{Res, Spec, api_version};
use crate::sim::schema::{self, Field, Kind, Message, Shape};
use crate::sim::world::World;

/// Answers `/openapi/…`.
pub(super) fn serve(shared: &Arc<Shared>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    if super::changes(&call.method) {
        return Err(Refusal::method());
    }
    match rest {
        ["v3"] => Ok(Answer::json(200, &shared.read(index))),
        ["v3", "api", version] => document(shared, "", version),
        ["v3", "apis", group, version] => document(shared, group, version),
        _ => Err(Refusal::no_such_path()),
    }
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The documents there are. Their hashes change when they do.
fn index(world: &World) -> Value {
    let defined: String = world.store.custom.live().map(|d| format!("{:?}", d.spec)).collect();
    let hash = random::hash(&format!("{}{defined}", world.version));
    let mut paths = Map::new();
    for (group, version) in discovery::group_versions(world) {
        let path = path_of(&group, &version);
        let url = format!("/openapi/v3/{path}?hash={hash:016X}");
        paths.insert(path.into(), json!({ "serverRelativeURL": url }));
    }
    json!({ "paths": paths })
}

/// One kind of a document.
struct Described {
    spec: Arc<Spec>,
    /// Null for kinds of the table of fields.
    schema: Value,
}

fn document(shared: &Arc<Shared>, group: &str, version: &str) -> Result<Answer, Refusal> {
    let kinds: Vec<Described> = shared.read(|world| {
        let custom = world.store.custom.live().filter(|d| d.spec.group == group).filter_map(|d| {
            let version = d.served().find(|v| v.name == version)?;
            Some(Described { spec: d.spec.clone(), schema: version.schema.clone() })
        });
        let built_in =
            Res::ALL.into_iter().filter(|r| Res::find(group, version, &r.spec().plural) == Some(*r));
        let built_in = built_in.map(|r| Described { spec: r.spec().clone(), schema: Value::Null });
        let custom: Vec<_> = custom.collect();
        let free: Vec<_> =
            built_in.filter(|b| custom.iter().all(|c| c.spec.plural != b.spec.plural)).collect();
        custom.into_iter().chain(free).collect()
    });
    if kinds.is_empty() {
        return Err(Refusal::no_such_path());
    }
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for kind in &kinds {
        describe(kind, group, version, &mut schemas);
        operations(&kind.spec, group, version, &mut paths);
    }
    let document = json!({
        "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": paths, "components": { "schemas": schemas },
    });
    Ok(Answer::json(200, &document))
}

/// The paths of a kind: what its patches may say is what clients look for.
fn operations(spec: &Spec, group: &str, version: &str, paths: &mut Map) {
    let space = if spec.namespaced { "/namespaces/{namespace}" } else { "" };
    let all = format!("/{}{space}/{}", path_of(group, version), spec.plural);
    let gvk = json!({ "group": group, "version": version, "kind": spec.kind });
    let options = ["dryRun", "fieldManager", "fieldValidation"];
    let named = |name: &&str| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } });
    let parameters: Vec<Value> = options.iter().map(named).collect();
    let operation = |action: &str| json!({ "parameters": parameters, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk });
    paths.insert(all.as_str().into(), json!({ "post": operation("post") }));
    paths.insert(
        format!("{all}/{{name}}").into(),
        json!({ "put": operation("put"), "patch": operation("patch") }),
    );
}

fn describe(kind: &Described, group: &str, version: &str, schemas: &mut Map) {
    let gvk = json!([{ "group": group, "version": version, "kind": kind.spec.kind }]);
    let meta = schema::named("meta/v1.ObjectMeta").filter(|_| kind.schema.is_object());
    let message = schema::of(&api_version(group, version), &kind.spec.kind).filter(|_| kind.schema.is_null());
    let mut seen = BTreeSet::new();
    for message in message.into_iter().chain(meta) {
        reach(message, &mut seen, schemas);
    }
    let own = match message {
        Some(message) => component(message.name),
        None => {
            format!("{}.{version}.{}", group.split('.').rev().collect::<Vec<_>>().join("."), kind.spec.kind)
        }
    };
    let entry = schemas.entry(own).or_insert_with(|| match kind.schema.is_object() {
        true => kind.schema.clone(),
        false => json!({ "type": "object" }),
    });
    set(entry, "x-kubernetes-group-version-kind", gvk);
    for name in ["apiVersion", "kind"] {
        set(entry, &format!("properties.{name}"), json!({ "type": "string" }));
    }
    if meta.is_some() {
        set(entry, "properties.metadata", reference("meta/v1.ObjectMeta"));
    }
}

/// Describes a message and every one that it holds.
fn reach(message: &'static Message, seen: &mut BTreeSet<&'static str>, schemas: &mut Map) {
    if !seen.insert(message.name) {
        return;
    }
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in message.flat() {
        properties.insert(field.name.into(), property(field));
        if field.required {
            required.push(json!(field.name));
        }
        if let Some(inner) = field.message() {
            reach(inner, seen, schemas);
        }
    }
    let mut out = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        out["required"] = required.into();
    }
    schemas.insert(component(message.name).into(), out);
}

/// `io.k8s.api.core.v1.Pod`.
fn component(name: &str) -> String {
    let name = name.replace('/', ".");
    match name.strip_prefix("meta.") {
        Some(meta) => format!("io.k8s.apimachinery.pkg.apis.meta.{meta}"),
        None => format!("io.k8s.api.{name}"),
    }
}

fn reference(name: &str) -> Value {
    json!({ "allOf": [{ "$ref": format!("#/components/schemas/{}", component(name)) }], "default": {} })
}

fn property(field: &Field) -> Value {
    let one = match field.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Int32 => json!({ "type": "integer", "format": "int32" }),
        Kind::Int64 => json!({ "type": "integer", "format": "int64" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Double => json!({ "type": "number", "format": "double" }),
        Kind::Bytes => json!({ "type": "string", "format": "byte" }),
        Kind::Quantity => json!({ "type": "string" }),
        Kind::IntOrString => json!({ "type": "string", "format": "int-or-string" }),
        Kind::Time | Kind::MicroTime => json!({ "type": "string", "format": "date-time" }),
        Kind::Duration => json!({ "type": "string" }),
        Kind::Raw | Kind::Fields => json!({ "type": "object" }),
        Kind::Message(_) => field.message().map_or(Value::Null, |m| reference(m.name)),
    };
    let mut out = match field.shape {
        Shape::One => one,
        Shape::List => json!({ "type": "array", "items": one }),
        Shape::Map => json!({ "type": "object", "additionalProperties": one }),
    };
    if let Some(key) = field.merge {
        set(&mut out, "x-kubernetes-patch-strategy", "merge");
        if !key.is_empty() {
            set(&mut out, "x-kubernetes-patch-merge-key", key);
        }
    }
    if !field.keys.is_empty() {
        set(&mut out, "x-kubernetes-list-type", "map");
        set(&mut out, "x-kubernetes-list-map-keys", json!(field.keys));
    }
    out
}
