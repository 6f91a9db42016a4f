//! Equal parts of objects are kept once: pods say the same of their owners, their conditions and
//! their containers' states, and hundreds of thousands of them are kept.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use super::Value;

/// How many parts a thread remembers. When there are more, it begins anew: what is in use stays,
/// and is only not found again.
const MOST: usize = 32_768;

thread_local! {
    static KNOWN: RefCell<FxHashMap<u64, Value>> = RefCell::default();
}

/// Shares the parts of an object with others like them. What it has from the object before it is
/// shared already. The object itself, its metadata and its status are like no other's: only what
/// is in them is.
pub(crate) fn share(object: &mut Value, before: Option<&Value>) {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MOST {
            known.clear();
        }
        parts(known, object, before, 2);
    });
}

type Known = FxHashMap<u64, Value>;

/// Shares what is in a value, from the inside out; the outermost `own` levels stay its own.
fn parts(known: &mut Known, value: &mut Value, before: Option<&Value>, own: u8) {
    match (&*value, before) {
        (Value::Object(new), Some(Value::Object(old))) if new.same(old) => return,
        (Value::Array(new), Some(Value::Array(old))) if new.same(old) => return,
        (Value::Object(_) | Value::Array(_), _) => {}
        _ => return,
    }
    let inner = own.saturating_sub(1);
    match value {
        Value::Object(map) => {
            let old = |key: &str| before.and_then(|b| b.get(key));
            let changed: Vec<(usize, Value)> = map
                .values()
                .enumerate()
                .zip(map.keys())
                .filter_map(|((i, v), key)| Some((i, shared(known, v, old(key), inner)?)))
                .collect();
            changed.into_iter().for_each(|(i, v)| map.put(i, v));
        }
        Value::Array(items) => {
            let changed: Vec<(usize, Value)> = items
                .iter()
                .enumerate()
                .filter_map(|(i, v)| Some((i, shared(known, v, before.and_then(|b| b.get(i)), inner)?)))
                .collect();
            for (i, v) in changed {
                items[i] = v;
            }
        }
        _ => {}
    }
    if own == 0 {
        let key = hash(value);
        match known.get(&key) {
            Some(found) if alike(found, value) => *value = found.clone(),
            _ => drop(known.insert(key, value.clone())),
        }
    }
}

/// What takes the place of a value, if something does.
fn shared(known: &mut Known, value: &Value, before: Option<&Value>, own: u8) -> Option<Value> {
    let mut new = match value {
        Value::Object(_) | Value::Array(_) => value.clone(),
        _ => return None,
    };
    parts(known, &mut new, before, own);
    (!same(&new, value)).then_some(new)
}

/// Whether two values are one: of lists and objects the same allocation.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => a.same(b),
        (Value::Array(a), Value::Array(b)) => a.same(b),
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => false,
        (a, b) => a == b,
    }
}

/// Whether two values say the same in the same order, of parts that are shared already.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|((k, v), (l, w))| k == l && same(v, w))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(v, w)| same(v, w))
        }
        _ => false,
    }
}

fn hash(value: &Value) -> u64 {
    let mut hasher = FxHasher::default();
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter() {
                key.as_str().hash(&mut hasher);
                part(value, &mut hasher);
            }
        }
        Value::Array(items) => {
            1_u8.hash(&mut hasher);
            items.iter().for_each(|item| part(item, &mut hasher));
        }
        _ => {}
    }
    hasher.finish()
}

fn part(value: &Value, hasher: &mut FxHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(flag) => flag.hash(hasher),
        Value::Int(n) => n.hash(hasher),
        Value::Float(n) => n.to_bits().hash(hasher),
        Value::String(text) => text.as_str().hash(hasher),
        Value::Array(items) => items.address().hash(hasher),
        Value::Object(map) => map.address().hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    fn pod(name: &str, phase: &str) -> Value {
        json!({
            "metadata": { "name": name, "ownerReferences": [{ "kind": "ReplicaSet", "name": "web", "uid": "u" }] },
            "status": { "phase": phase, "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    }

    fn conditions(pod: &Value) -> *const Value {
        pod["status"]["conditions"].as_array().map_or(std::ptr::null(), |c| c.as_ptr())
    }

    #[test]
    fn what_two_objects_say_alike_is_kept_once() {
        let (mut one, mut two) = (pod("a", "Running"), pod("b", "Pending"));
        let (was, then) = (one.clone(), two.clone());
        share(&mut one, None);
        share(&mut two, None);
        assert_eq!((&one, &two), (&was, &then), "nothing else changes");
        assert_eq!(conditions(&one), conditions(&two));
        assert_ne!(conditions(&was), conditions(&then));
        *two.pointer_mut("/status/conditions/0/status").unwrap() = "False".into();
        assert_eq!(one["status"]["conditions"][0]["status"], "True", "a change is its own");
    }

    #[test]
    fn fields_in_another_order_are_another_text() {
        let (mut one, mut two) =
            (json!({"s": {"x": {"a": 1, "b": 2}}}), json!({"s": {"x": {"b": 2, "a": 1}}}));
        let text = two.to_string();
        share(&mut one, None);
        share(&mut two, None);
        assert_eq!(two.to_string(), text);
    }
}
