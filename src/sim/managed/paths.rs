//! Paths of fields as `fieldsV1` writes them: `f:spec`, `k:{"name":"c"}` for items of keyed
//! lists, `v:"x"` for values of sets.

use std::collections::BTreeSet;

use crate::sim::json::{Map, Value, json};

use crate::sim::fields::{list_mut, object_mut};
use crate::sim::layout::{Layout, Listing};

/// A set of paths.
pub(super) type Paths = BTreeSet<Vec<String>>;

/// Fields of metadata that are the server's and nobody's.
const SERVER: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];

/// The paths of everything that an object says.
pub(super) fn collect(layout: Layout<'_>, object: &Value) -> Paths {
    let mut out = Paths::new();
    let Some(map) = object.as_object() else { return out };
    for (key, value) in map.iter().filter(|(k, _)| !["apiVersion", "kind"].contains(&k.as_str())) {
        let mut path = vec![format!("f:{key}")];
        let below = layout.child(key);
        match value.as_object().filter(|_| key == "metadata") {
            Some(metadata) => {
                for (key, value) in metadata.iter().filter(|(k, _)| !SERVER.contains(&k.as_str())) {
                    path.push(format!("f:{key}"));
                    walk(below.child(key), value, &mut path, &mut out);
                    path.pop();
                }
            }
            None => walk(below, value, &mut path, &mut out),
        }
    }
    out
}

fn walk(layout: Layout<'_>, value: &Value, path: &mut Vec<String>, out: &mut Paths) {
    match value {
        Value::Object(map) if !layout.atomic() && !map.is_empty() => {
            for (key, value) in map {
                path.push(format!("f:{key}"));
                walk(layout.child(key), value, path, out);
                path.pop();
            }
        }
        Value::Array(items) if layout.listing() != Listing::Atomic && !items.is_empty() => {
            let listing = layout.listing();
            for item in items {
                path.push(element(&listing, item));
                out.insert(path.clone());
                if let (Listing::Keyed(_), Value::Object(map)) = (&listing, item) {
                    for (key, value) in map {
                        path.push(format!("f:{key}"));
                        walk(layout.item().child(key), value, path, out);
                        path.pop();
                    }
                }
                path.pop();
            }
        }
        _ => {
            out.insert(path.clone());
        }
    }
}

/// How `fieldsV1` writes an item of a list.
fn element(listing: &Listing, item: &Value) -> String {
    let Listing::Keyed(keys) = listing else { return format!("v:{item}") };
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    let mut key = Map::new();
    for name in sorted {
        // the one key of a built-in kind that has a default
        let default = if name == "protocol" { json!("TCP") } else { Value::Null };
        let value = item.get(&name).cloned().unwrap_or(default);
        if !value.is_null() {
            key.insert(name.into(), value);
        }
    }
    format!("k:{}", Value::Object(key))
}

/// The value at a path.
pub(super) fn get<'a>(layout: Layout<'_>, value: &'a Value, path: &[String]) -> Option<&'a Value> {
    let Some((first, rest)) = path.split_first() else { return Some(value) };
    match first.strip_prefix("f:") {
        Some(key) => get(layout.child(key), value.get(key)?, rest),
        None => {
            let listing = layout.listing();
            let item = value.as_array()?.iter().find(|i| element(&listing, i) == *first)?;
            // the path of an item stands for its being there, not for what it says
            if rest.is_empty() { Some(&Value::Null) } else { get(layout.item(), item, rest) }
        }
    }
}

/// Takes out what is at a path, and parents that are empty then.
pub(super) fn remove(layout: Layout<'_>, value: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    if let Some(key) = first.strip_prefix("f:") {
        let Some(map) = value.as_object_mut() else { return };
        if rest.is_empty() {
            map.shift_remove(key);
        } else if let Some(inner) = map.get_mut(key) {
            remove(layout.child(key), inner, rest);
            if empty(inner) {
                map.shift_remove(key);
            }
        }
        return;
    }
    let listing = layout.listing();
    let Some(items) = value.as_array_mut() else { return };
    let Some(at) = items.iter().position(|i| element(&listing, i) == *first) else { return };
    if rest.is_empty() {
        items.remove(at);
    } else {
        remove(layout.item(), &mut items[at], rest);
    }
}

fn empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Lays a configuration over an object.
pub(super) fn merge(layout: Layout<'_>, into: &mut Value, config: &Value) {
    match config {
        Value::Object(config) if !layout.atomic() => {
            let into = object_mut(into);
            for (key, value) in config {
                merge(layout.child(key), into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        Value::Array(config) if layout.listing() != Listing::Atomic => {
            let listing = layout.listing();
            let items = list_mut(into);
            for item in config {
                let wanted = element(&listing, item);
                match items.iter_mut().find(|i| element(&listing, i) == wanted) {
                    Some(old) if listing != Listing::Set => merge(layout.item(), old, item),
                    Some(_) => {}
                    None => items.push(item.clone()),
                }
            }
        }
        _ => *into = config.clone(),
    }
}

/// Paths as a `fieldsV1` tree.
pub(super) fn write(paths: &Paths) -> Value {
    let mut root = json!({});
    for path in paths {
        let mut here = &mut root;
        for step in path {
            here = object_mut(here).entry(step.clone()).or_insert_with(|| json!({}));
        }
        // what comes later may lie below: then this one is its dot
        object_mut(here).insert(".".into(), json!({}));
    }
    undot(&mut root);
    root
}

/// A node that is nothing but itself is written empty.
fn undot(node: &mut Value) {
    let Some(map) = node.as_object_mut() else { return };
    if map.len() == 1 {
        map.shift_remove(".");
    }
    map.iter_mut().filter(|(k, _)| *k != ".").for_each(|(_, v)| undot(v));
}

/// A `fieldsV1` tree as paths.
pub(super) fn read(tree: &Value) -> Paths {
    let mut out = Paths::new();
    descend(tree, &mut Vec::new(), &mut out);
    out
}

fn descend(node: &Value, path: &mut Vec<String>, out: &mut Paths) {
    let Some(map) = node.as_object() else { return };
    if (map.is_empty() || map.contains_key(".")) && !path.is_empty() {
        out.insert(path.clone());
    }
    for (step, below) in map.iter().filter(|(k, _)| *k != ".") {
        path.push(step.to_string());
        descend(below, path, out);
        path.pop();
    }
}

/// `.spec.template.spec.containers[name="c"].image`
pub(super) fn said(path: &[String]) -> String {
    let mut out = String::new();
    for step in path {
        if let Some(key) = step.strip_prefix("f:") {
            out.push('.');
            out.push_str(key);
        } else if let Some(value) = step.strip_prefix("v:") {
            out.push_str(&format!("[={value}]"));
        } else {
            let keys = Value::parse(step.trim_start_matches("k:").as_bytes()).unwrap_or_default();
            let keys = keys.as_object().cloned().unwrap_or_default();
            let pairs: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
            out.push_str(&format!("[{}]", pairs.join(",")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_come_back() {
        let tree = json!({
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:c": {"k:{\"name\":\"x\"}": {".": {}, "f:image": {}}}, "f:s": {"v:\"q\"": {}}},
        });
        assert_eq!(write(&read(&tree)), tree);
        let path = ["f:spec", "f:c", "k:{\"name\":\"x\"}", "f:image"].map(str::to_owned);
        assert_eq!(said(&path), ".spec.c[name=\"x\"].image");
    }
}
