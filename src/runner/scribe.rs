//! The scribe: writes what is about to be done and what came of it, for every run.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::Clock;
use super::api::ApiAnswer;
use super::journal::Journal;
use crate::model::{Badge, Cause, ClusterId, Fault, Kind, Text};
use crate::operations::{OpId, Target};
use crate::views::Snapshot;

/// Who acts, for the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Who {
    /// The machine.
    pub host: Text,
    /// The user of the operating system.
    pub os_user: Text,
}

impl Who {
    /// Who runs this process.
    #[must_use]
    pub fn here() -> Who {
        let variable = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok());
        let file = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let host = file("/proc/sys/kernel/hostname").or_else(|| file("/etc/hostname"));
        let host = host.or_else(|| variable(&["HOSTNAME", "COMPUTERNAME"])).unwrap_or_default();
        let user = variable(&["USER", "LOGNAME", "USERNAME"]).filter(|user| !user.is_empty());
        #[cfg(unix)]
        let user = {
            let uid = rustix::process::getuid().as_raw();
            let known = || named(&std::fs::read_to_string("/etc/passwd").ok()?, uid);
            Some(user.or_else(known).map_or(format!("uid {uid}"), |user| format!("{user}({uid})")))
        };
        Who { host: host.into(), os_user: user.unwrap_or_default().into() }
    }
}

/// The name of a user in the text of `/etc/passwd` (`passwd(5)`): in a container no variable says it.
#[cfg(unix)]
fn named(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    })
}

/// A record that is to be made: what every record of a run has is added to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// `accepted`, `identity`, `intent`, `result`, `step`, `undone`, `ended`, `check`, `closed`.
    pub(super) action: &'static str,
    pub(super) cluster: Option<ClusterId>,
    pub(super) objects: Vec<Target>,
    pub(super) more: Map<String, Value>,
}

impl Entry {
    pub(super) fn new(action: &'static str) -> Entry {
        Entry { action, ..Entry::default() }
    }

    pub(super) fn on(self, target: &Target) -> Entry {
        Entry { cluster: Some(target.cluster), objects: vec![target.clone()], ..self }
    }

    /// What the server says of an answer: its audit id, and the version that the object has now.
    pub(super) fn answered(self, answer: &ApiAnswer) -> Entry {
        let version = answer.body["metadata"]["resourceVersion"].as_str();
        let entry = self.with("status", answer.status);
        let entry = match &answer.audit_id {
            Some(id) => entry.with("audit_id", id.as_str()),
            None => entry,
        };
        match version {
            Some(version) if answer.good() => entry.with("resource_version_after", version),
            _ => entry,
        }
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Entry {
        self.more.insert(key.to_owned(), value.into());
        self
    }
}

/// A record to be made, and where to say whether it was.
type Wanted = (Map<String, Value>, oneshot::Sender<Result<u64, Fault>>);

/// The way to the journal; one task owns it.
#[derive(Clone)]
pub(super) struct Scribe {
    records: mpsc::Sender<Wanted>,
    who: Who,
    clock: Clock,
    began: tokio::time::Instant,
}

impl Scribe {
    pub(super) fn start(journal: Journal, who: Who, clock: Clock) -> Scribe {
        let (records, mut wanted) = mpsc::channel::<Wanted>(64);
        tokio::spawn(async move {
            let mut journal = Some(journal);
            while let Some((record, answer)) = wanted.recv().await {
                let result = match journal.take() {
                    None => Err(gone()),
                    Some(mut open) => {
                        // Waiting for the disk must not hold up anything else.
                        let append = move || {
                            let result = open.append(record);
                            (open, result)
                        };
                        match tokio::task::spawn_blocking(append).await {
                            Ok((open, result)) => {
                                journal = Some(open);
                                result
                            }
                            Err(_) => Err(gone()),
                        }
                    }
                };
                let _ = answer.send(result);
            }
        });
        Scribe { records, who, clock, began: tokio::time::Instant::now() }
    }

    /// Writes a record and waits until it is on the disk.
    pub(super) async fn write(&self, head: &Head, snapshot: &Snapshot, entry: Entry) -> Result<u64, Fault> {
        let (answer, result) = oneshot::channel();
        let record = self.record(head, snapshot, entry);
        self.records.send((record, answer)).await.map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }

    fn record(&self, head: &Head, snapshot: &Snapshot, entry: Entry) -> Map<String, Value> {
        let mono = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let fixed = json!({
            "ts": (self.clock)(),
            "mono": mono,
            "host": self.who.host,
            "os_user": self.who.os_user,
            "pid": std::process::id(),
            "action": entry.action,
            "operation": head.operation,
            "request_id": head.op.map(|op| format!("op-{}", op.0)),
            "plan_sha256": head.plan,
            "approvals": head.typed.iter().collect::<Vec<_>>(),
            "objects": entry.objects.iter().map(object).collect::<Vec<_>>(),
        });
        let mut record = match fixed {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        record.extend(entry.cluster.map(|id| ("cluster".to_owned(), cluster(snapshot, id))));
        record.extend(entry.more);
        record
    }
}

/// What every record of one run has.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) op: Option<OpId>,
    pub(super) operation: &'static str,
    pub(super) plan: String,
    pub(super) typed: Option<Text>,
}

fn gone() -> Fault {
    Fault::new(Cause::Config, "the journal is closed", "nothing is sent without a record; start again")
}

fn object(target: &Target) -> Value {
    json!({
        "api": target.api,
        "kind": target.kind,
        "ns": target.namespace,
        "name": target.name,
        "uid": target.uid,
    })
}

/// Which cluster it was, by what outlasts a renamed context: the uid of its kube-system namespace.
fn cluster(snapshot: &Snapshot, id: ClusterId) -> Value {
    let Some(cluster) = snapshot.fleet.cluster(id) else { return json!({ "id": id }) };
    let system = cluster.find(Kind::Namespace, "", "kube-system").map(|r| r.meta().uid);
    let impersonated = cluster.badges.iter().find_map(|badge| match badge {
        Badge::Impersonating(name) => Some(name.clone()),
        _ => None,
    });
    json!({
        "name": cluster.info.name,
        "server": cluster.info.server,
        "kube_system_uid": system,
        "impersonated": impersonated,
    })
}

/// The clock of a runner.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        crate::model::Time::from_millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\n+::\napp:x:1001:1001::/home/app:/bin/false\n";
        assert_eq!((named(passwd, 1001).unwrap().as_str(), named(passwd, 7)), ("app", None));
    }
}
