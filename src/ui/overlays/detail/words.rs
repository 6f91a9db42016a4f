//! An object in words: what the store keeps of it, and its events.

use serde_json::Value;

use crate::model::{Kind, LinkState, ObjectKey, Record, Span, Text, Time};
use crate::theme::Role;
use crate::views::{Snapshot, health};

/// What the store keeps of the object, field by field.
pub(super) fn described(record: &Record, cluster: &Text, now: Time) -> Vec<(Text, Role)> {
    let mut lines = Vec::new();
    let meta = record.meta();
    let mut say = |label: &str, text: String| {
        if !text.is_empty() {
            lines.push((Text::from(format!("{label:<22} {text}")), Role::Text));
        }
    };
    say("cluster", cluster.to_string());
    say("uid", meta.uid.to_string());
    say(
        "age",
        meta.created.map_or_else(|| "?".to_owned(), |at| format!("{} ({})", at.age(now), at.rfc3339())),
    );
    // The API server writes when it is to be gone: the moment of deletion and its grace period.
    say(
        "deleting",
        meta.deleting.map_or_else(String::new, |by| match now.age(by).seconds() {
            left @ 0.. => {
                format!("to be gone by {}, {} left", by.rfc3339(), Span::from_seconds(left))
            }
            _ => format!("was to be gone by {}, {} ago", by.rfc3339(), by.age(now)),
        }),
    );
    say("owner", meta.owner.as_ref().map_or_else(String::new, |o| format!("{} {}", o.kind, o.name)));
    let manager = meta.manager.as_ref();
    say(
        "managed by",
        manager.map_or_else(String::new, |m| format!("{} {}, which reverts edits", m.system, m.name)),
    );
    lines.push((Text::EMPTY, Role::Text));
    if let Ok(Value::Object(mut fields)) = serde_json::to_value(record) {
        let labels = fields.get("meta").and_then(|meta| meta.get("labels")).cloned();
        fields.shift_remove("meta");
        flatten("", &Value::Object(fields), 0, &mut lines);
        if let Some(labels) = labels {
            flatten("labels", &labels, 0, &mut lines);
        }
    }
    lines
}

/// Events about the object, newest first.
pub(super) fn events(snapshot: &Snapshot, key: &ObjectKey) -> Vec<(Text, Role)> {
    let Some(cluster) = snapshot.fleet.cluster(key.cluster) else { return Vec::new() };
    let kind = key.kind.names().kind;
    let mut found: Vec<_> = cluster
        .records(Kind::Event)
        .filter_map(|record| record.event())
        .filter(|event| {
            let about = &event.regarding;
            // Of nodes the uid is often the node's name, so nodes go by name.
            about.uid == key.uid
                || (about.kind == kind && about.name == key.name && about.namespace == key.namespace)
        })
        .collect();
    found.sort_by_key(|event| std::cmp::Reverse(event.last.or(event.first)));
    let known = health::counted(cluster, Kind::Event);
    if found.is_empty() && !known {
        let why = match cluster.table(Kind::Event).link.state {
            LinkState::Denied => "events may not be read here (403)",
            LinkState::Missing => "events are not served here",
            _ => "the events of this cluster have not come yet",
        };
        return vec![(why.into(), Role::Warn)];
    }
    if found.is_empty() {
        return vec![("no events; clusters forget them after an hour".into(), Role::TextDim)];
    }
    found
        .into_iter()
        .map(|event| {
            let at = event
                .last
                .or(event.first)
                .map_or_else(|| "        ?".to_owned(), |at| format!("{}Z", at.clock()));
            let times = if event.count > 1 { format!(" ×{}", event.count) } else { String::new() };
            let text = format!("{at}  {:<24} {}{times}  {}", event.reason, event.message, event.component);
            (Text::from(text), if event.warning { Role::Warn } else { Role::Text })
        })
        .collect()
}

/// A number as kubectl writes it: CPU is kept in milli-cores, memory and sizes in bytes.
fn quantity(name: &str, number: &serde_json::Number) -> String {
    const UNITS: [(&str, i64); 4] = [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match (name, number.as_i64()) {
        ("cpu", Some(milli)) if milli % 1000 != 0 => format!("{milli}m"),
        ("cpu", Some(milli)) => (milli / 1000).to_string(),
        ("memory" | "size", Some(bytes)) if bytes != 0 => {
            let whole = UNITS.iter().find(|(_, unit)| bytes % unit == 0);
            whole.map_or_else(|| bytes.to_string(), |(suffix, unit)| format!("{}{suffix}", bytes / unit))
        }
        _ => number.to_string(),
    }
}

/// Fields as lines; what is empty is left out.
fn flatten(name: &str, value: &Value, depth: usize, lines: &mut Vec<(Text, Role)>) {
    let pad = "  ".repeat(depth.min(12));
    let label = name.replace('_', " ");
    let mut line = |text: &str, role| {
        lines.push((
            Text::from(format!("{pad}{label:<w$} {text}", w = 22_usize.saturating_sub(pad.len()))),
            role,
        ))
    };
    match value {
        Value::Null => {}
        Value::Bool(false) if name == "ready" => line("no", Role::Text),
        Value::Bool(false) => {}
        Value::Bool(true) => line("yes", Role::Text),
        Value::Number(number) => line(&quantity(name, number), Role::Text),
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => line(text, Role::Text),
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) if items.iter().all(|i| !i.is_object() && !i.is_array()) => {
            let words: Vec<String> =
                items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned)).collect();
            line(&words.join(", "), Role::Text);
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{name} {}", at + 1), item, depth, lines);
            }
        }
        Value::Object(fields) if fields.is_empty() => {}
        Value::Object(fields) => {
            let inner = if name.is_empty() { depth } else { depth + 1 };
            if !name.is_empty() {
                line("", Role::Title);
            }
            for (name, value) in fields.iter().filter(|(name, _)| tells(fields, name)) {
                flatten(said(fields, name), value, inner, lines);
            }
        }
    }
}

/// Whether a field says anything: a container that never ended has no exit code.
fn tells(fields: &serde_json::Map<String, Value>, name: &str) -> bool {
    name != "last_exit" || fields.get("last_ended").is_some_and(|ended| !ended.is_null())
}

/// What a field is called: the moment of a condition is that of its last change, whatever it is now.
fn said<'a>(fields: &serde_json::Map<String, Value>, name: &'a str) -> &'a str {
    let ready = match fields.get("ready") {
        Some(Value::Bool(ready)) => *ready,
        Some(Value::String(ready)) => ready == "True",
        _ => true,
    };
    if name == "ready_since" && !ready { "not_ready_since" } else { name }
}

pub(super) fn yaml_role(line: &str) -> Role {
    match line.trim_start() {
        rest if rest.starts_with('#') => Role::TextDim,
        rest if rest.ends_with(':') => Role::Title,
        _ => Role::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_in_the_words_of_kubectl() {
        let say = |name: &str, number: i64| quantity(name, &number.into());
        assert_eq!((say("cpu", 1500), say("cpu", 2000)), ("1500m".to_owned(), "2".to_owned()));
        assert_eq!(say("memory", 2_147_483_648), "2Gi");
        assert_eq!(say("memory", 1_610_612_736), "1536Mi");
        assert_eq!((say("size", 1000), say("pods", 110)), ("1000".to_owned(), "110".to_owned()));
    }

    #[test]
    fn what_never_was_ready_is_not_ready_since() {
        let lines = |fields: Value| {
            let mut lines = Vec::new();
            flatten("", &fields, 0, &mut lines);
            lines
                .iter()
                .map(|(text, _)| text.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        };
        let pod = |ready: bool| serde_json::json!({"ready": ready, "ready_since": "05:35", "last_exit": 0});
        assert_eq!(lines(pod(true)), ["ready yes", "ready since 05:35"]);
        assert_eq!(lines(pod(false)), ["ready no", "not ready since 05:35"]);
        let ended = serde_json::json!({"last_exit": 0, "last_ended": "05:30"});
        assert_eq!(lines(ended), ["last exit 0", "last ended 05:30"]);
    }
}
