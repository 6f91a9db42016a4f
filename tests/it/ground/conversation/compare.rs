//! Where two transcripts differ.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::script::Transcript;

/// One difference: `conversation / turn request / path`, and both sides.
pub(crate) struct Difference {
    pub(crate) place: String,
    pub(super) sides: String,
}

/// Where two transcripts of the same conversations differ.
pub(super) fn compare(ours: &Transcript, real: &Transcript) -> Vec<Difference> {
    let mut out = Vec::new();
    let names = |all: &Transcript| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(real), "record the conversations anew");
    for (name, theirs) in real {
        assert_eq!(ours[name].len(), theirs.len(), "record the conversation {name} anew");
        for (i, (our, their)) in ours[name].iter().zip(theirs).enumerate() {
            assert_eq!(our["ask"], their["ask"], "record the conversation {name} anew");
            let place = format!("{name} / {i} {}", their["ask"].as_str().unwrap());
            if our["never"] == true {
                out.push(difference(&place, ".never", &outcome(our), &outcome(their)));
                continue;
            }
            if our["status"] != their["status"] {
                out.push(difference(&place, ".status", &outcome(our), &outcome(their)));
                continue;
            }
            differ(&place, "", our, their, &mut out);
        }
    }
    out
}

fn differ(place: &str, path: &str, ours: &Value, real: &Value, out: &mut Vec<Difference>) {
    match (ours, real) {
        (Value::Object(a), Value::Object(b)) => fields(place, path, a, b, out),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() && !otherwise_named(a, b) => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differ(place, &format!("{path}[{i}]"), a, b, out);
            }
        }
        (Value::Array(a), Value::Array(b)) => match (by_name(a), by_name(b)) {
            (Some(a), Some(b)) => fields(place, path, &a, &b, out),
            _ => out.push(difference(place, path, ours, real)),
        },
        _ if ours == real => {}
        _ => out.push(difference(place, path, ours, real)),
    }
}

fn fields(
    place: &str,
    path: &str,
    ours: &Map<String, Value>,
    real: &Map<String, Value>,
    out: &mut Vec<Difference>,
) {
    let keys: BTreeSet<&String> = ours.keys().chain(real.keys()).collect();
    for key in keys {
        let side = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::from("(not there)"));
        differ(place, &format!("{path}.{key}"), &side(ours), &side(real), out);
    }
}

/// A status and what is said with it: where these differ, the rest does too.
fn outcome(said: &Value) -> Value {
    let answer = &said["answer"];
    let message = ["message", "/message", "kind", "/kind"].into_iter().find_map(|key| answer[key].as_str());
    Value::from(format!("{} {}", said["status"], message.unwrap_or_default()))
}

/// Whether the items of two lists have names, and not the same ones in the same order.
fn otherwise_named(a: &[Value], b: &[Value]) -> bool {
    let names = |items: &[Value]| by_name(items).map(|all| all.keys().cloned().collect::<Vec<_>>());
    matches!((names(a), names(b)), (Some(a), Some(b)) if a != b)
}

/// The items of a list by their names, if each has one of its own: so it is said which is missing.
fn by_name(items: &[Value]) -> Option<Map<String, Value>> {
    let named = items.iter().map(|item| {
        let name = item.get("name").or_else(|| item.pointer("/metadata/name"));
        Some((name?.as_str()?.to_owned(), item.clone()))
    });
    named.collect::<Option<Map<_, _>>>().filter(|all| all.len() == items.len())
}

fn difference(place: &str, path: &str, ours: &Value, real: &Value) -> Difference {
    Difference { place: format!("{place} / {path}"), sides: format!("ours {ours}, real {real}") }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.sides)
    }
}
