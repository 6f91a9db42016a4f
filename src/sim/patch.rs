//! Patches: JSON merge, JSON patch and strategic merge.

use crate::sim::json::{Map, Value};

use super::fields::object_mut;
use super::layout::Layout;

/// Applies a merge patch (RFC 7386).
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    let target = object_mut(target);
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Most operations of a JSON patch (`maxJSONPatchOperations`).
pub(crate) const OPERATIONS: usize = 10_000;

/// Most bytes that the copies of a JSON patch may come to (`JSONPatchMaxCopyBytes`): each copy may
/// be of one before, and so on.
const COPIED: usize = 3 << 20;

/// How deep a patch may make an object; deeper ones could not be written any more.
const DEEPEST: usize = 500;

/// Applies a JSON patch (RFC 6902). The error says which step failed and why; a real server keeps
/// that to itself.
pub(crate) fn json(target: &mut Value, patch: &Value) -> Result<(), String> {
    let steps = patch.as_array().ok_or("a JSON patch is a list of operations")?;
    let mut copied = 0;
    for step in steps {
        let word = |k: &str| step.get(k).and_then(Value::as_str);
        let op = word("op").ok_or("an operation has no \"op\"")?;
        let path = word("path").ok_or("an operation has no \"path\"")?;
        let value = || step.get("value").cloned().ok_or_else(|| format!("{op} {path}: no \"value\""));
        match op {
            "add" => add(target, path, value()?)?,
            "remove" => drop(remove(target, path)?),
            "replace" => *find(target, path)? = shallow(path, value()?)?,
            "test" => {
                let wanted = value()?;
                if *find(target, path)? != wanted {
                    return Err(format!("testing value {path} failed"));
                }
            }
            "move" | "copy" => {
                let from = word("from").ok_or_else(|| format!("{op} {path}: no \"from\""))?;
                let value = if op == "move" { remove(target, from)? } else { find(target, from)?.clone() };
                if op == "copy" {
                    copied += value.to_string().len();
                }
                if copied > COPIED {
                    return Err(format!("{op} {path}: copies of more than {COPIED} bytes in all"));
                }
                add(target, path, value)?;
            }
            other => return Err(format!("Unexpected kind: {other}")),
        }
    }
    Ok(())
}

fn find<'a>(target: &'a mut Value, path: &str) -> Result<&'a mut Value, String> {
    target.pointer_mut(path).ok_or_else(|| format!("there is nothing at {path}"))
}

/// A pointer's parent and its last, unescaped token.
fn split(path: &str) -> Result<(&str, String), String> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(|| format!("{path:?} is no JSON pointer"))?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

/// Levels of lists and objects.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A value that may stand at a path.
fn shallow(path: &str, value: Value) -> Result<Value, String> {
    match path.matches('/').count() + depth(&value) > DEEPEST {
        true => Err(format!("a patch that makes more than {DEEPEST} levels")),
        false => Ok(value),
    }
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let value = shallow(path, value)?;
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    let (parent, last) = split(path)?;
    match find(target, parent)? {
        Value::Object(map) => {
            map.insert(last.into(), value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at = last.parse::<usize>().ok().filter(|i| *i <= items.len());
            items.insert(at.ok_or_else(|| format!("{path}: no such place in the list"))?, value);
        }
        _ => return Err(format!("{path}: its parent holds nothing")),
    }
    Ok(())
}

fn remove(target: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, last) = split(path)?;
    let gone = match find(target, parent)? {
        Value::Object(map) => map.shift_remove(&last),
        Value::Array(items) => {
            last.parse::<usize>().ok().filter(|i| *i < items.len()).map(|i| items.remove(i))
        }
        _ => None,
    };
    gone.ok_or_else(|| format!("there is nothing at {path}"))
}

/// Applies a strategic merge patch to a built-in kind: lists are merged by the keys of its layout.
pub(crate) fn strategic(layout: Layout<'_>, target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = Value::Object(without_directives(patch));
            return;
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return;
        }
        _ => {}
    }
    let target = object_mut(target);
    if let Some(keep) = patch.get("$retainKeys").and_then(Value::as_array) {
        target.retain(|key, _| keep.iter().any(|k| k == key));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().map_or(&[][..], Vec::as_slice);
            if let Some(Value::Array(items)) = target.get_mut(field) {
                items.retain(|i| !gone.contains(i));
            }
        } else if key.starts_with('$') {
            // the other directives were read above, or are of lists and read below
        } else if value.is_null() {
            target.shift_remove(key);
        } else if let Value::Array(items) = value {
            strategic_list(layout.child(key), target.entry(key.clone()).or_insert(Value::Null), items);
        } else {
            strategic(layout.child(key), target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
    for (key, order) in patch {
        if let (Some(field), Some(order)) = (key.strip_prefix("$setElementOrder/"), order.as_array())
            && let Some(Value::Array(items)) = target.get_mut(field)
        {
            reorder(layout.child(field).merge_key().unwrap_or_default(), items, order);
        }
    }
}

/// Puts items in the order that a patch wants; those that it does not name come last.
fn reorder(key: &str, items: &mut [Value], order: &[Value]) {
    let place = |item: &Value| {
        let same = |o: &Value| if key.is_empty() { o == item } else { o.get(key) == item.get(key) };
        order.iter().position(same).unwrap_or(order.len())
    };
    items.sort_by_key(place);
}

fn without_directives(patch: &Map) -> Map {
    patch.iter().filter(|(k, _)| !k.starts_with('$')).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn strategic_list(layout: Layout<'_>, target: &mut Value, patch: &[Value]) {
    let whole = patch.iter().any(|p| p.get("$patch").is_some_and(|d| d == "replace"));
    let key = layout.merge_key().filter(|_| !whole);
    if key == Some("") {
        let items = super::fields::list_mut(target);
        for p in patch {
            if !items.contains(p) {
                items.push(p.clone());
            }
        }
        return;
    }
    let Some(key) = key else {
        let kept = patch.iter().filter(|p| p.get("$patch").is_none());
        *target = kept.cloned().collect::<Value>();
        return;
    };
    let items = super::fields::list_mut(target);
    for p in patch {
        let same = |i: &Value| i.get(key).is_some() && i.get(key) == p.get(key);
        if p.get("$patch").is_some_and(|d| d == "delete") {
            items.retain(|i| !same(i));
        } else if let Some(item) = items.iter_mut().find(|i| same(i)) {
            strategic(layout.item(), item, p);
        } else {
            let mut item = Value::Null;
            strategic(layout.item(), &mut item, p);
            items.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    #[test]
    fn a_merge_patch_sets_and_removes() {
        let mut v = json!({"spec": {"unschedulable": true, "taints": [1, 2]}, "a": 1});
        merge(&mut v, &json!({"spec": {"unschedulable": null, "taints": [3]}, "b": {"c": 1}}));
        assert_eq!(v, json!({"spec": {"taints": [3]}, "a": 1, "b": {"c": 1}}));
    }

    #[test]
    fn a_json_patch_runs_its_steps_or_says_which_failed() {
        let mut v = json!({"a": [1, 3], "b/c": 1});
        let patch = json!([
            {"op": "test", "path": "/a/0", "value": 1},
            {"op": "add", "path": "/a/1", "value": 2},
            {"op": "add", "path": "/a/-", "value": 4},
            {"op": "replace", "path": "/b~1c", "value": 2},
            {"op": "move", "from": "/b~1c", "path": "/d"},
            {"op": "remove", "path": "/a/0"},
        ]);
        super::json(&mut v, &patch).unwrap();
        assert_eq!(v, json!({"a": [2, 3, 4], "d": 2}));
        let failed = super::json(&mut v, &json!([{"op": "test", "path": "/d", "value": 3}]));
        assert!(failed.unwrap_err().contains("/d"));
        assert!(super::json(&mut v, &json!([{"op": "add", "path": "/a/9", "value": 3}])).is_err());
        assert!(super::json(&mut v, &json!({"not": "a list"})).is_err());
    }

    #[test]
    fn a_json_patch_grows_no_further_than_it_may() {
        let steps = |step: Value, n: usize| vec![step; n].into_iter().collect::<Value>();
        // each copy is twice as large as the one before, and twice as deep
        let mut v = json!({"a": {"b": "0123456789"}});
        let double = json!({"op": "copy", "from": "/a", "path": "/a/c"});
        let wide = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        assert!(super::json(&mut v, &steps(double, 600)).unwrap_err().contains("levels"));
        let mut v = json!({"a": ["0123456789"]});
        let mut both = Vec::new();
        for _ in 0..64 {
            both.extend([json!({"op": "copy", "from": "/a", "path": "/b"}), wide.clone()]);
            both.push(json!({"op": "copy", "from": "/b", "path": "/a/-"}));
        }
        assert!(
            super::json(&mut v, &both.into_iter().collect()).unwrap_err().contains("copies of more than")
        );
        let mut v = json!({"a": {}});
        let path = "/a".repeat(600);
        assert!(super::json(&mut v, &json!([{"op": "add", "path": path, "value": 1}])).is_err());
    }

    fn layout(api_version: &str, kind: &str) -> Layout<'static> {
        Layout::Message(crate::sim::schema::of(api_version, kind).unwrap())
    }

    #[test]
    fn a_strategic_patch_merges_lists_by_their_key() {
        let mut v = json!({"spec": {"unschedulable": true, "template": {"spec": {"containers": [
            {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]},
            {"name": "b", "image": "b:1"},
        ]}}}});
        let patch = json!({"spec": {"unschedulable": null, "template": {"spec": {"containers": [
            {"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}]},
            {"name": "b", "$patch": "delete"},
            {"name": "c", "image": "c:1"},
        ], "$setElementOrder/containers": [{"name": "a"}]}}}});
        strategic(layout("apps/v1", "Deployment"), &mut v, &patch);
        assert_eq!(
            v,
            json!({"spec": {"template": {"spec": {"containers": [
                {"name": "a", "image": "a:2",
                 "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
                {"name": "c", "image": "c:1"},
            ]}}}})
        );
        let mut taints = json!({"spec": {"taints": [{"key": "a"}]}});
        strategic(layout("v1", "Node"), &mut taints, &json!({"spec": {"taints": [{"key": "b"}]}}));
        assert_eq!(taints, json!({"spec": {"taints": [{"key": "b"}]}}));
    }
}
