//! Runs without an end in a journal: those that another process carries on, and those whose process
//! was killed or whose machine went away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::model::{Text, Time, Uid};
use crate::operations::{Back, Elsewhere, Remembered, Template, Unfinished};

/// Whether the process of this number lives and was there at that time already.
pub type Alive<'a> = &'a dyn Fn(u64, Time) -> bool;

/// A run while its records are read: its process, its first record, and its steps that were begun.
struct Open {
    pid: u64,
    at: Time,
    accepted: Value,
    begun: BTreeSet<u64>,
}

/// The runs of a host that have no end.
#[derive(Default)]
struct Runs {
    /// By process and number.
    open: BTreeMap<(u64, String), Open>,
    /// Those whose process and number were given to another run since: no later record is theirs.
    cut_off: Vec<Open>,
}

/// The runs of a host that have no end and that no living process carries on, oldest first. A
/// journal that cannot be read has none: opening it for writing says what is wrong with it.
/// Records from before processes were noted are passed over.
#[must_use]
pub fn unfinished(path: &Path, host: &str, alive: Alive<'_>) -> Vec<Unfinished> {
    let Runs { open, cut_off } = without_end(path, host);
    let dead = open.into_values().filter(|run| !alive(run.pid, run.at));
    let mut runs: Vec<Unfinished> = cut_off.into_iter().chain(dead).filter_map(|run| read(&run)).collect();
    runs.sort_unstable_by_key(|run| run.seq);
    runs
}

/// The runs that living processes of a host carry on, but not the process of this number.
#[must_use]
pub fn going(path: &Path, host: &str, own: u64, alive: Alive<'_>) -> Vec<Elsewhere> {
    let open = without_end(path, host).open.into_values();
    open.filter(|run| run.pid != own && alive(run.pid, run.at)).map(|run| elsewhere(&run.accepted)).collect()
}

fn without_end(path: &Path, host: &str) -> Runs {
    let mut runs = Runs::default();
    let Ok(file) = File::open(path) else { return runs };
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        let Ok(record) = serde_json::from_str::<Value>(&line) else { continue };
        if record["host"] == host {
            runs.take(record);
        }
    }
    runs
}

impl Runs {
    fn take(&mut self, record: Value) {
        let action = record["action"].as_str().unwrap_or_default().to_owned();
        if action == "closed" {
            let other = |run: &Open| run.accepted["seq"] != record["run"];
            self.open.retain(|_, run| other(run));
            self.cut_off.retain(other);
            return;
        }
        let (Some(pid), Some(id)) = (record["pid"].as_u64(), record["request_id"].as_str()) else { return };
        let key = (pid, id.to_owned());
        match action.as_str() {
            "accepted" => {
                let Some(at) = record["ts"].as_str().and_then(Time::parse) else { return };
                let run = Open { pid, at, accepted: record, begun: BTreeSet::new() };
                self.cut_off.extend(self.open.insert(key, run));
            }
            "ended" => drop(self.open.remove(&key)),
            "intent" | "undone" => {
                let index = record["at"].as_u64();
                if let Some((run, index)) = self.open.get_mut(&key).zip(index) {
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
}

fn elsewhere(accepted: &Value) -> Elsewhere {
    let list = |key: &str| accepted[key].as_array().map_or(&[][..], Vec::as_slice);
    let clusters = list("clusters").iter().filter_map(Value::as_str);
    Elsewhere {
        title: Text::clean(accepted["title"].as_str().unwrap_or_default()),
        clusters: clusters.map(Text::clean).collect(),
        recovery: accepted["operation"] == "failover",
        subjects: list("subjects").iter().map(remembered).collect(),
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
        did: record["did"].clone(),
        template: template(record),
    }
}

fn template(record: &Value) -> Option<Template> {
    let of = &record["template_of"];
    Some(Template {
        set: Text::clean(of["name"].as_str()?),
        uid: of["uid"].as_str().map(Uid::parse).unwrap_or_default(),
        revision: Text::clean(record["revision"].as_str().unwrap_or_default()),
    })
}
