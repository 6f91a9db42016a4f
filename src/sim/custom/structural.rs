//! Structural schemas: unknown fields are pruned, defaults are filled in, and what does not fit
//! is named. Patterns, formats and rules in CEL are not looked at.

use crate::sim::json::{Map, Value, json};

use crate::sim::fields::{list, text};
use crate::sim::refusal::Cause;

/// What was found about an object.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Paths of fields that were taken out.
    pub(crate) unknown: Vec<String>,
    /// What does not fit.
    pub(crate) causes: Vec<Cause>,
}

/// Makes an object conform to the schema of its version.
pub(crate) fn conform(schema: &Value, object: &mut Value) -> Found {
    let mut found = Found::default();
    if schema.is_object() {
        node(schema, object, "", true, &mut found);
    }
    found
}

fn is(schema: &Value, mark: &str) -> bool {
    schema.get(mark) == Some(&Value::Bool(true))
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// `root` is an object with metadata of its own: its type fields are the server's.
fn node(schema: &Value, value: &mut Value, path: &str, root: bool, found: &mut Found) {
    if value.is_null() && is(schema, "nullable") {
        return;
    }
    if !fits(schema, value) {
        let wanted = text(schema, "type");
        let why = format!("{path} in body must be of type {wanted}: {:?}", type_of(value));
        found.causes.push(Cause::type_invalid(path, &json!(type_of(value)), &why));
        return;
    }
    limits(schema, value, path, found);
    let root = root || is(schema, "x-kubernetes-embedded-resource");
    match value {
        Value::Object(map) => members(schema, map, path, root, found),
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                for (i, item) in items.iter_mut().enumerate() {
                    node(inner, item, &format!("{path}[{i}]"), false, found);
                }
            }
        }
        _ => {}
    }
}

fn members(schema: &Value, map: &mut Map, path: &str, root: bool, found: &mut Found) {
    let known = schema.get("properties").and_then(Value::as_object);
    let rest = schema.get("additionalProperties").filter(|r| **r != Value::Bool(false));
    let keeps = is(schema, "x-kubernetes-preserve-unknown-fields") || rest.is_some();
    map.retain(|key, value| {
        let own = root && ["apiVersion", "kind", "metadata"].contains(&key.as_str());
        let property = known.and_then(|k| k.get(key));
        if !own && property.is_none() && !keeps {
            found.unknown.push(below(path, key));
            return false;
        }
        // a null that may not be one is not there
        !(value.is_null() && property.is_some_and(|p| !is(p, "nullable")))
    });
    for (key, property) in known.into_iter().flatten() {
        if let Some(default) = property.get("default").filter(|_| !map.contains_key(key)) {
            map.insert(key.clone(), default.clone());
        }
    }
    for required in list(schema, "required").iter().filter_map(Value::as_str) {
        if !map.contains_key(required) {
            found.causes.push(Cause::required(&below(path, required), ""));
        }
    }
    for (key, value) in map {
        if root && ["apiVersion", "kind", "metadata"].contains(&key.as_str()) {
            continue;
        }
        if let Some(inner) = known.and_then(|k| k.get(key)).or(rest.filter(|r| r.is_object())) {
            node(inner, value, &below(path, key), false, found);
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Float(_) => "number",
        Value::Int(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn fits(schema: &Value, value: &Value) -> bool {
    if is(schema, "x-kubernetes-int-or-string") {
        return matches!(type_of(value), "integer" | "string");
    }
    match text(schema, "type") {
        "" => true,
        "number" => value.is_number(),
        wanted => type_of(value) == wanted,
    }
}

/// Values that a schema lists, and how much of something it allows.
fn limits(schema: &Value, value: &Value, path: &str, found: &mut Found) {
    let allowed = list(schema, "enum");
    if !allowed.is_empty() && !allowed.contains(value) {
        let said: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        let given = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        found.causes.push(Cause::unsupported(path, &given, &said));
    }
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let size = match value {
        Value::String(text) => Some((text.chars().count(), "Length", "chars long")),
        Value::Array(items) => Some((items.len(), "Items", "items")),
        Value::Object(map) => Some((map.len(), "Properties", "properties")),
        _ => None,
    };
    if let Some(number) = value.as_f64() {
        if let Some(least) = bound("minimum").filter(|m| number < *m) {
            let why = format!("{path} in body should be greater than or equal to {least}");
            found.causes.push(Cause::invalid(path, value, &why));
        }
        if let Some(most) = bound("maximum").filter(|m| number > *m) {
            let why = format!("{path} in body should be less than or equal to {most}");
            found.causes.push(Cause::invalid(path, value, &why));
        }
    }
    if let Some((size, what, unit)) = size {
        let size = size as f64;
        if let Some(least) = bound(&format!("min{what}")).filter(|m| size < *m) {
            let why = format!("{path} in body should be at least {least} {unit}");
            found.causes.push(Cause::invalid(path, value, &why));
        }
        if let Some(most) = bound(&format!("max{what}")).filter(|m| size > *m) {
            let why = format!("{path} in body should be at most {most} {unit}");
            found.causes.push(Cause::invalid(path, value, &why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "required": ["spec"], "properties": {
            "spec": {"type": "object", "required": ["size"], "properties": {
                "size": {"type": "integer", "minimum": 1},
                "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
                "port": {"x-kubernetes-int-or-string": true},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "items": {"type": "array", "maxItems": 1, "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
            }},
        }})
    }

    #[test]
    fn what_is_unknown_goes_and_defaults_come() {
        let mut object = json!({"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}, "extra": 1, "spec": {
            "size": 1, "port": "web", "free": {"any": {"thing": 1}}, "labels": {"a": "b"}, "items": [{"x": "1", "y": 2}],
        }});
        let found = conform(&schema(), &mut object);
        assert_eq!(found.unknown, ["extra", "spec.items[0].y"]);
        assert!(found.causes.is_empty(), "{:?}", found.causes);
        assert_eq!(object["spec"]["mode"], "a");
        assert_eq!(object["spec"]["free"]["any"]["thing"], 1);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let said = |object: Value| {
            let mut object = object;
            let found = conform(&schema(), &mut object);
            found.causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect::<Vec<_>>()
        };
        assert_eq!(said(json!({})), ["spec: Required value"]);
        assert_eq!(
            said(json!({"spec": {"size": 0, "mode": "c"}})),
            [
                "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
                "spec.mode: Unsupported value: \"c\": supported values: \"a\", \"b\"",
            ]
        );
        assert_eq!(
            said(json!({"spec": {"size": "big"}})),
            ["spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\""]
        );
        assert_eq!(
            said(json!({"spec": {"size": 2, "items": [{}, {}]}})),
            ["spec.items: Invalid value: [{},{}]: spec.items in body should be at most 1 items"]
        );
    }
}
