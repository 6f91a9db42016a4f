//! What is different every time, and what it is called instead.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Fields that are different every time.
const VARYING: [(&str, &str); 38] = [
    ("uid", "UID"),
    ("resourceVersion", "VERSION"),
    ("creationTimestamp", "TIME"),
    ("deletionTimestamp", "TIME"),
    ("lastTransitionTime", "TIME"),
    ("lastUpdateTime", "TIME"),
    ("lastProbeTime", "TIME"),
    ("lastScheduleTime", "TIME"),
    ("lastSuccessfulTime", "TIME"),
    ("startTime", "TIME"),
    ("completionTime", "TIME"),
    ("firstTimestamp", "TIME"),
    ("lastTimestamp", "TIME"),
    ("expirationTimestamp", "TIME"),
    ("continue", "TOKEN"),
    ("token", "TOKEN"),
    ("clusterIP", "ADDRESS"),
    ("nodePort", "PORT"),
    ("nodeName", "NODE"),
    ("hash", "HASH"),
    ("storageVersionHash", "HASH"),
    ("pod-template-hash", "HASH"),
    ("controller-revision-hash", "HASH"),
    ("controller.kubernetes.io/hash", "HASH"),
    ("topology.kubernetes.io/region", "REGION"),
    ("topology.kubernetes.io/zone", "ZONE"),
    ("batch.kubernetes.io/controller-uid", "UID"),
    ("controller-uid", "UID"),
    // What a server is built from.
    ("gitVersion", "BUILD"),
    ("gitCommit", "BUILD"),
    ("buildDate", "BUILD"),
    ("goVersion", "BUILD"),
    ("minor", "MINOR"),
    ("emulationMinor", "MINOR"),
    ("minCompatibilityMinor", "MINOR"),
    ("platform", "PLATFORM"),
    ("gitTreeState", "BUILD"),
    ("serverAddress", "ADDRESS"),
];

/// Fields whose last part is a hash, which is said elsewhere too.
const HASHES: [&str; 4] =
    ["pod-template-hash", "controller-revision-hash", "currentRevision", "updateRevision"];

/// Fields that are left out: who wrote what is compared by tests of its own.
const LEFT_OUT: [&str; 2] = ["managedFields", "storageVersionHash"];

/// Names that were made up in answers, which are also said in texts.
#[derive(Default)]
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    /// Remembers what this answer makes up.
    pub(super) fn learn(&mut self, answer: &Value) {
        match answer {
            Value::Object(map) => {
                let text = |key: &str| map.get(key).and_then(Value::as_str);
                if let Some(uid) = text("uid").filter(|uid| uid.len() == 36) {
                    self.add(uid, "UID");
                }
                for hash in HASHES.into_iter().filter_map(text) {
                    // A revision's hash begins with the name of what it is of.
                    self.add(hash.rsplit('-').next().unwrap_or(hash), "HASH");
                }
                if let (Some(name), Some(prefix)) = (text("name"), text("generateName"))
                    && name.starts_with(prefix)
                {
                    self.add(name, &format!("{prefix}NAME"));
                }
                map.values().for_each(|v| self.learn(v));
            }
            Value::Array(items) => items.iter().for_each(|v| self.learn(v)),
            _ => {}
        }
    }

    /// Longer ones first: a pod's name has a hash in it.
    fn add(&mut self, made: &str, name: &str) {
        if made.len() < 5 || self.0.iter().any(|(known, _)| known == made) {
            return;
        }
        let place = self.0.partition_point(|(known, _)| known.len() >= made.len());
        self.0.insert(place, (made.to_owned(), name.to_owned()));
    }

    /// An answer with names in place of what is different every time, its fields in order.
    pub(super) fn plain(&self, answer: Value) -> Value {
        match answer {
            Value::Object(map) => {
                let kept = map.into_iter().filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()));
                let sorted: BTreeMap<String, Value> = kept.collect();
                let each = sorted.into_iter().map(|(key, value)| {
                    let varying = VARYING.iter().find(|(name, _)| *name == key);
                    let value = match (varying, value) {
                        (Some((_, name)), Value::String(text)) if !text.is_empty() => Value::from(*name),
                        (Some((_, name)), Value::Number(_)) => Value::from(*name),
                        (_, value) => self.plain(value),
                    };
                    (key, value)
                });
                Value::Object(each.collect::<Map<String, Value>>())
            }
            Value::Array(items) => items.into_iter().map(|v| self.plain(v)).collect(),
            Value::String(text) => {
                let named = self.0.iter().fold(text, |t, (made, name)| t.replace(made, name));
                Value::String(timeless(named))
            }
            other => other,
        }
    }
}

/// Times, ages and node ports in cells of tables, versions, addresses of services, lines of Go sources and
/// made-up names of volumes, by name.
fn timeless(text: String) -> String {
    let digits = |c: char| c.is_ascii_digit();
    if let Some((before, after)) = text.split_once(".go:").filter(|(_, after)| after.starts_with(digits)) {
        return format!("{before}.go:LINE{}", after.trim_start_matches(digits));
    }
    if let Some((before, after)) = text.split_once("ResourceVersion in record (") {
        return format!("{before}ResourceVersion in record (VERSION{}", after.trim_start_matches(digits));
    }
    if let Some((before, _)) = text.split_once(", current: ") {
        return format!("{before}, current: VERSION");
    }
    if let Some(made) = text.strip_prefix("kube-api-access-").filter(|made| made.len() == 5) {
        return text.replace(made, "NAME");
    }
    if let Some((ports, protocol)) = text.split_once("/TCP").filter(|(ports, _)| ports.contains(":3")) {
        let port = ports.split_once(':').map_or(ports, |(port, _)| port);
        return format!("{port}:PORT/TCP{protocol}");
    }
    let of_set = text.strip_prefix("ReplicaSet \"").and_then(|rest| rest.split_once('"'));
    if let Some((name, (before, _))) = of_set.and_then(|(name, _)| Some((name, name.rsplit_once('-')?))) {
        return text.replace(name, &format!("{before}-HASH"));
    }
    if text.starts_with("X509SHA256=") {
        return "CREDENTIAL".to_owned();
    }
    let time = matches!(text.len(), 20 | 27) && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    let age = text.strip_suffix('s').is_some_and(|n| !n.is_empty() && n.chars().all(digits));
    let address = text.parse::<std::net::IpAddr>().is_ok();
    if time {
        "TIME".to_owned()
    } else if age {
        "AGE".to_owned()
    } else if address {
        "ADDRESS".to_owned()
    } else {
        text
    }
}
