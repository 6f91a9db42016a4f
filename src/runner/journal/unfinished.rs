//! Runs without an end in a journal: their process was killed, or its machine went away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::model::{Text, Time, Uid};
use crate::operations::{Back, Remembered, Unfinished};

/// A run while its records are read: its first one, and its steps that were begun.
struct Open {
    accepted: Value,
    begun: BTreeSet<u64>,
}

/// The runs of a host that have no end and that no living process carries on, oldest first. A
/// journal that cannot be read has none: opening it for writing says what is wrong with it.
/// Records from before processes were noted are passed over.
#[must_use]
pub fn unfinished(path: &Path, host: &str, alive: &dyn Fn(u64) -> bool) -> Vec<Unfinished> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let mut open: BTreeMap<(u64, String), Open> = BTreeMap::new();
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        let Ok(record) = serde_json::from_str::<Value>(&line) else { continue };
        if record["host"] == host {
            take(&mut open, record);
        }
    }
    open.retain(|(pid, _), _| !alive(*pid));
    let mut runs: Vec<Unfinished> = open.into_values().filter_map(|run| read(&run)).collect();
    runs.sort_by_key(|run| run.seq);
    runs
}

fn take(open: &mut BTreeMap<(u64, String), Open>, record: Value) {
    let action = record["action"].as_str().unwrap_or_default().to_owned();
    if action == "closed" {
        open.retain(|_, run| run.accepted["seq"] != record["run"]);
        return;
    }
    let (Some(pid), Some(id)) = (record["pid"].as_u64(), record["request_id"].as_str()) else { return };
    let key = (pid, id.to_owned());
    match action.as_str() {
        "accepted" => drop(open.insert(key, Open { accepted: record, begun: BTreeSet::new() })),
        "ended" => drop(open.remove(&key)),
        "intent" | "undone" => {
            let index = record["at"].as_u64();
            if let Some((run, index)) = open.get_mut(&key).zip(index) {
                if action == "intent" {
                    run.begun.insert(index)
                } else {
                    run.begun.remove(&index)
                };
            }
        }
        _ => {}
    }
}

fn read(run: &Open) -> Option<Unfinished> {
    let accepted = &run.accepted;
    let text = |key: &str| Text::clean(accepted[key].as_str().unwrap_or_default());
    let list = |key: &str| accepted[key].as_array().map_or(&[][..], Vec::as_slice);
    let backs = list("way_back").iter().rev();
    let begun = backs.filter(|back| back["at"].as_u64().is_some_and(|at| run.begun.contains(&at)));
    Some(Unfinished {
        seq: accepted["seq"].as_u64()?,
        at: Time::parse(accepted["ts"].as_str()?)?,
        title: text("title"),
        operation: text("operation"),
        subjects: list("subjects").iter().map(remembered).collect(),
        back: begun.map(back).collect(),
    })
}

fn remembered(object: &Value) -> Remembered {
    let text = |key: &str| Text::clean(object[key].as_str().unwrap_or_default());
    let uid = object["uid"].as_str().map(Uid::parse).unwrap_or_default();
    let (cluster, kind, namespace, name) = (text("cluster"), text("kind"), text("ns"), text("name"));
    Remembered { cluster, kind, namespace, name, uid }
}

fn back(record: &Value) -> Back {
    let text = |key: &str| Text::clean(record[key].as_str().unwrap_or_default());
    Back {
        object: remembered(record),
        api: (text("api"), text("plural")),
        title: text("title"),
        subresource: text("subresource"),
        patch: record["patch"].clone(),
    }
}
