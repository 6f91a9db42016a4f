//! Reading and writing fields of JSON objects by dotted paths, tolerant of any shape.
//!
//! A client may write anything into an object, so reading never fails: what is not there, or is
//! of another type, reads as empty.

use std::ops::Add;

use crate::sim::json::{List, Map, Value, intern, json};

use crate::model::{Resources, Time, quantity};

static NULL: Value = Value::Null;
static NO_MAP: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::new);

/// The value at a dotted path; null when there is none.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |v, key| v.get(key).unwrap_or(&NULL))
}

/// The text at a path, else empty.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().unwrap_or_default()
}

/// The whole number at a path, else zero.
pub(crate) fn int(value: &Value, path: &str) -> i64 {
    at(value, path).as_i64().unwrap_or_default()
}

/// The whole number at a path.
pub(crate) fn maybe_int(value: &Value, path: &str) -> Option<i64> {
    at(value, path).as_i64()
}

/// The flag at a path, else false.
pub(crate) fn flag(value: &Value, path: &str) -> bool {
    at(value, path).as_bool().unwrap_or_default()
}

/// The list at a path, else empty.
pub(crate) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// The map at a path, else empty.
pub(crate) fn map<'a>(value: &'a Value, path: &str) -> &'a Map {
    at(value, path).as_object().unwrap_or(&NO_MAP)
}

/// The time at a path.
pub(crate) fn time(value: &Value, path: &str) -> Option<Time> {
    Time::parse(text(value, path))
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "metadata.name")
}

/// `metadata.namespace`, else empty.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "metadata.namespace")
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "metadata.uid")
}

/// A label, else empty.
pub(crate) fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    map(object, "metadata.labels").get(key).and_then(Value::as_str).unwrap_or_default()
}

/// An annotation, else empty.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    map(object, "metadata.annotations").get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the object was asked to go.
pub(crate) fn deleting(object: &Value) -> bool {
    !text(object, "metadata.deletionTimestamp").is_empty()
}

/// The owner that controls this object: its reference.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    list(object, "metadata.ownerReferences").iter().find(|o| flag(o, "controller"))
}

/// The reference of an object that controls another.
pub(crate) fn owner_reference(api_version: &str, kind: &str, owner: &Value) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "name": name(owner), "uid": uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// A mutable place at a dotted path; objects are made on the way.
pub(crate) fn place<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    let mut here = value;
    for key in path.split('.') {
        here = object_mut(here).entry(key).or_insert(Value::Null);
    }
    here
}

/// The value as an object; anything else is replaced by an empty one.
pub(crate) fn object_mut(value: &mut Value) -> &mut Map {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// The value as a list; anything else is replaced by an empty one.
pub(crate) fn list_mut(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(List::default());
    }
    match value {
        Value::Array(items) => items,
        _ => unreachable!("made a list above"),
    }
}

/// Sets a path to a value.
pub(crate) fn set(value: &mut Value, path: &str, to: impl Into<Value>) {
    *place(value, path) = to.into();
}

/// Sets a counter; one that is zero is left out, as Go's `omitempty` does.
pub(crate) fn count(value: &mut Value, path: &str, to: impl TryInto<i64>) {
    match to.try_into().unwrap_or(i64::MAX) {
        0 => unset(value, path),
        n => set(value, path, n),
    }
}

/// Removes the last key of a path.
pub(crate) fn unset(value: &mut Value, path: &str) {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = if parent.is_empty() {
        Some(value)
    } else {
        value.pointer_mut(&format!("/{}", parent.replace('.', "/")))
    };
    if let Some(map) = parent.and_then(Value::as_object_mut) {
        map.shift_remove(key);
    }
}

/// Sets an annotation.
pub(crate) fn annotate(object: &mut Value, key: &str, to: &str) {
    object_mut(place(object, "metadata.annotations")).insert(intern(key), to.into());
}

/// The condition of a type in `status.conditions`.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "status.conditions").iter().find(|c| text(c, "type") == kind)
}

/// Whether a condition is `True`.
pub(crate) fn holds(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|c| text(c, "status") == "True")
}

/// Sets a condition; its transition time moves only when its status changes.
pub(crate) fn set_condition(
    object: &mut Value,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: Time,
) {
    let conditions = list_mut(place(object, "status.conditions"));
    let mut fresh = json!({ "type": kind, "status": status, "lastTransitionTime": now.rfc3339() });
    if !reason.is_empty() {
        set(&mut fresh, "reason", reason);
    }
    if !message.is_empty() {
        set(&mut fresh, "message", message);
    }
    match conditions.iter_mut().find(|c| text(c, "type") == kind) {
        Some(old) => {
            for keep in ["lastHeartbeatTime", "lastUpdateTime"] {
                if let Some(time) = old.get(keep).cloned() {
                    set(&mut fresh, keep, time);
                }
            }
            if text(old, "status") == status {
                let since = at(old, "lastTransitionTime").clone();
                set(&mut fresh, "lastTransitionTime", since);
            }
            *old = fresh;
        }
        None => conditions.push(fresh),
    }
}

/// Takes a finalizer out; without any there is no list of them.
pub(crate) fn drop_finalizer(object: &mut Value, finalizer: &str) {
    let left = list_mut(place(object, "metadata.finalizers"));
    left.retain(|f| f != finalizer);
    if left.is_empty() {
        unset(object, "metadata.finalizers");
    }
}

/// Takes an owner away from an object; without any there is no list of them.
pub(crate) fn drop_owner(object: &mut Value, owner_uid: &str) {
    let left = list_mut(place(object, "metadata.ownerReferences"));
    left.retain(|owner| text(owner, "uid") != owner_uid);
    if left.is_empty() {
        unset(object, "metadata.ownerReferences");
    }
}

/// Takes a condition out, if it is there.
pub(crate) fn drop_condition(object: &mut Value, kind: &str) {
    if condition(object, kind).is_some() {
        list_mut(place(object, "status.conditions")).retain(|c| text(c, "type") != kind);
    }
}

/// A microsecond time, as leases and new events have it.
pub(crate) fn micro(time: Time) -> String {
    let seconds = time.rfc3339();
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), time.millis().rem_euclid(1000) * 1000)
}

/// A resource list (`cpu`, `memory`, `pods`, `nvidia.com/gpu`) in whole numbers.
pub(crate) fn resources(list: &Value) -> Resources {
    let Some(map) = list.as_object() else { return Resources::ZERO };
    let mut sum = Resources::ZERO;
    for (key, amount) in map {
        let amount = match amount {
            Value::String(text) => text.to_string(),
            other => other.to_string(),
        };
        match key.as_str() {
            "cpu" => sum.cpu = quantity::parse_milli(&amount).unwrap_or(0),
            "memory" => sum.memory = quantity::parse_units(&amount).unwrap_or(0),
            "pods" => sum.pods = quantity::parse_units(&amount).unwrap_or(0),
            "nvidia.com/gpu" | "amd.com/gpu" => sum.gpus += quantity::parse_units(&amount).unwrap_or(0),
            _ => {}
        }
    }
    sum
}

/// What a pod (or a pod template) asks for, as the scheduler counts: the larger of the init
/// containers and the sum of the others, sidecars included.
pub(crate) fn pod_requests(pod: &Value) -> Resources {
    let request = |c: &Value| resources(at(c, "resources.requests"));
    Resources { pods: 1, ..requests(pod, Resources::ZERO, request, Add::add, Resources::max) }
}

/// The same of any amount that containers ask for.
pub(crate) fn requests<T: Clone>(
    pod: &Value,
    none: T,
    of: impl Fn(&Value) -> T,
    add: impl Fn(T, T) -> T,
    max: impl Fn(T, T) -> T,
) -> T {
    let mut main = list(pod, "spec.containers").iter().fold(none.clone(), |sum, c| add(sum, of(c)));
    let mut largest = none;
    for init in list(pod, "spec.initContainers") {
        if text(init, "restartPolicy") == "Always" {
            main = add(main, of(init));
        } else {
            largest = max(largest, of(init));
        }
    }
    max(main, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_and_write_any_shape() {
        let mut v = json!({"spec": "odd", "status": {"phase": "Running"}});
        assert_eq!(text(&v, "status.phase"), "Running");
        assert_eq!(text(&v, "spec.nodeName"), "");
        set(&mut v, "spec.nodeName", "n1");
        assert_eq!(text(&v, "spec.nodeName"), "n1");
        unset(&mut v, "spec.nodeName");
        unset(&mut v, "a.b.c");
        assert_eq!(v["spec"], json!({}));
    }

    #[test]
    fn requests_count_as_the_scheduler_does() {
        let pod = json!({"spec": {
            "containers": [{"resources": {"requests": {"cpu": "250m", "memory": "1Gi"}}}],
            "initContainers": [
                {"resources": {"requests": {"cpu": "1"}}},
                {"restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}},
            ],
        }});
        let sum = pod_requests(&pod);
        assert_eq!((sum.cpu, sum.memory, sum.pods), (1000, 1 << 30, 1));
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let mut v = json!({});
        let t = Time::from_seconds;
        set_condition(&mut v, "Ready", "True", "", "", t(10));
        set_condition(&mut v, "Ready", "True", "A", "", t(20));
        assert_eq!(time(&v["status"]["conditions"][0], "lastTransitionTime"), Some(t(10)));
        set_condition(&mut v, "Ready", "False", "B", "", t(30));
        assert_eq!(time(&v["status"]["conditions"][0], "lastTransitionTime"), Some(t(30)));
    }
}
