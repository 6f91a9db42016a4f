//! Conversations with a server, as data, and what is said in them: one list for both grounds.
//!
//! What a real server said is kept in `tests/fixtures/conformance/real.json`. The embedded fleet
//! is compared with it wherever tests run; real planes are compared with it where they can be
//! started, and write it anew with `QUARTERDECK_RECORD=1`. Where the embedded fleet differs on
//! purpose, `differences.toml` says so, with the reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quarterdeck::cluster::{Plugins, Request, Session, Sources, find_clusters};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Disturb, PATIENCE, User};

/// A conversation: its name and turns.
#[derive(Deserialize)]
struct Conversation {
    name: String,
    turn: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    ask: String,
    body: Option<String>,
    r#type: Option<String>,
    accept: Option<String>,
    user: Option<String>,
    until: Option<u16>,
}

#[derive(Deserialize)]
struct File {
    conversation: Vec<Conversation>,
}

/// A difference that is known: where it is, and why.
#[derive(Deserialize)]
struct Known {
    at: String,
    why: String,
}

#[derive(Deserialize)]
struct Differences {
    difference: Vec<Known>,
}

/// What was said: by conversation and request, in order.
type Transcript = BTreeMap<String, Vec<Value>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/conformance")
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Media types of requests, as the sessions want them.
const MEDIA: [&str; 12] = [
    "application/json",
    "application/yaml",
    "text/plain",
    "text/html",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
];

fn media(given: Option<&String>) -> &'static str {
    let Some(given) = given else { return MEDIA[0] };
    MEDIA.into_iter().find(|m| m == given).unwrap_or_else(|| panic!("{given}: add it to MEDIA"))
}

fn session(kubeconfig: &str) -> Session {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, kubeconfig).unwrap();
    let found = find_clusters(&Sources { file: Some(file), ..Sources::default() }, &[]);
    Session::new(&found.targets[0], &Plugins::default()).unwrap()
}

/// Has every conversation with the first cluster of a ground.
async fn converse(ground: &dyn Disturb) -> Transcript {
    let file: File = toml::from_str(&read("conversations.toml")).unwrap_or_else(|e| panic!("{e}"));
    let (admin, viewer) =
        (session(&ground.kubeconfig(User::Admin)), session(&ground.kubeconfig(User::Viewer)));
    let mut transcript = Transcript::new();
    let mut names = Names::default();
    for conversation in &file.conversation {
        let mut said = Vec::new();
        for turn in &conversation.turn {
            let who = if turn.user.as_deref() == Some("viewer") { &viewer } else { &admin };
            let (status, answer) = take(who, turn).await;
            names.learn(&answer);
            said.push(json!({ "ask": turn.ask, "status": status, "answer": names.plain(answer) }));
        }
        transcript.insert(conversation.name.clone(), said);
    }
    transcript
}

async fn take(session: &Session, turn: &Turn) -> (u16, Value) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, answer) = once(session, turn).await;
        if turn.until.is_none_or(|wanted| wanted == status) {
            return (status, answer);
        }
        assert!(Instant::now() < deadline, "{}: still {status}: {answer}", turn.ask);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn once(session: &Session, turn: &Turn) -> (u16, Value) {
    let (method, path) = turn.ask.split_once(' ').unwrap();
    let mut request = Request::get(path).accept(media(turn.accept.as_ref()));
    request.method = method.parse().unwrap();
    if let Some(body) = &turn.body {
        request.body = Some((media(turn.r#type.as_ref()), body.clone().into()));
    }
    let response = session.send(request).await.unwrap_or_else(|fault| panic!("{}: {fault}", turn.ask));
    let status = response.status;
    let body = response.bytes(16 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// What is different every time, and what it is called instead.
#[derive(Default)]
struct Names(Vec<(String, &'static str)>);

/// Fields that are different every time.
const VARYING: [(&str, &str); 9] = [
    ("uid", "UID"),
    ("resourceVersion", "VERSION"),
    ("creationTimestamp", "TIME"),
    ("deletionTimestamp", "TIME"),
    ("lastTransitionTime", "TIME"),
    ("continue", "TOKEN"),
    ("clusterIP", "ADDRESS"),
    ("hash", "HASH"),
    ("storageVersionHash", "HASH"),
];

impl Names {
    /// Remembers uids, which are also said in texts.
    fn learn(&mut self, answer: &Value) {
        match answer {
            Value::Object(map) => {
                if let Some(uid) = map.get("uid").and_then(Value::as_str).filter(|u| u.len() == 36) {
                    self.0.push((uid.to_owned(), "UID"));
                }
                map.values().for_each(|v| self.learn(v));
            }
            Value::Array(items) => items.iter().for_each(|v| self.learn(v)),
            _ => {}
        }
    }

    /// An answer with names in place of what is different every time, its fields in order.
    fn plain(&self, answer: Value) -> Value {
        match answer {
            Value::Object(map) => {
                let kept =
                    map.into_iter().filter(|(key, _)| key != "managedFields" && key != "storageVersionHash");
                let sorted: BTreeMap<String, Value> = kept.collect();
                let each = sorted.into_iter().map(|(key, value)| {
                    let varying = VARYING.iter().find(|(name, _)| *name == key);
                    let value = match (varying, value) {
                        (Some((_, name)), Value::String(text)) if !text.is_empty() => Value::from(*name),
                        (_, value) => self.plain(value),
                    };
                    (key, value)
                });
                Value::Object(each.collect::<Map<String, Value>>())
            }
            Value::Array(items) => items.into_iter().map(|v| self.plain(v)).collect(),
            Value::String(text) => {
                let named = self.0.iter().fold(text, |t, (uid, name)| t.replace(uid, name));
                Value::String(timeless(named))
            }
            other => other,
        }
    }
}

/// Times and ages in cells of tables, by name; addresses of services and lines of Go sources too.
fn timeless(text: String) -> String {
    let source = text.split_once(".go:");
    if let Some((before, after)) = source.filter(|(_, after)| after.starts_with(|c: char| c.is_ascii_digit()))
    {
        let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        return format!("{before}.go:LINE{rest}");
    }
    let time = text.len() == 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    let age = text.strip_suffix('s').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let address = text.parse::<std::net::Ipv4Addr>().is_ok();
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

/// Where two transcripts differ: `conversation / turn request / path`, and both sides.
fn compare(ours: &Transcript, real: &Transcript) -> Vec<(String, String)> {
    let mut out = Vec::new();
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        real.keys().collect::<Vec<_>>(),
        "record the conversations anew"
    );
    for (name, theirs) in real {
        for (i, (our, their)) in ours[name].iter().zip(theirs).enumerate() {
            assert_eq!(our["ask"], their["ask"], "record the conversations anew");
            let place = format!("{name} / {i} {}", their["ask"].as_str().unwrap());
            differ(&place, "", our, their, &mut out);
        }
        assert_eq!(ours[name].len(), theirs.len(), "record the conversations anew");
    }
    out
}

fn differ(place: &str, path: &str, ours: &Value, real: &Value, out: &mut Vec<(String, String)>) {
    match (ours, real) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let side =
                    |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::from("(not there)"));
                differ(place, &format!("{path}.{key}"), &side(a), &side(b), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differ(place, &format!("{path}[{i}]"), a, b, out);
            }
        }
        _ if ours == real => {}
        _ => out.push((format!("{place} / {path}"), format!("ours {ours}, real {real}"))),
    }
}

fn recorded() -> Transcript {
    serde_json::from_str(&read("real.json")).unwrap()
}

/// The embedded fleet says what a real server said, but for the differences that are known, and
/// every one of those is still there.
pub async fn ours(ground: &dyn Disturb) {
    let found = compare(&converse(ground).await, &recorded());
    let known: Differences = toml::from_str(&read("differences.toml")).unwrap_or_else(|e| panic!("{e}"));
    let covers = |known: &Known, place: &str| {
        let mut parts = known.at.split('*');
        let mut rest = place;
        let first = parts.next().unwrap_or_default();
        let begins = rest.strip_prefix(first);
        begins.is_some_and(|r| {
            rest = r;
            parts.all(|part| match rest.find(part) {
                Some(at) => {
                    rest = &rest[at + part.len()..];
                    true
                }
                None => false,
            })
        })
    };
    assert!(known.difference.iter().all(|d| !d.why.is_empty()));
    let new = found.iter().filter(|(place, _)| !known.difference.iter().any(|k| covers(k, place)));
    let new: Vec<String> = new.map(|(place, what)| format!("{place}: {what}")).collect();
    let gone = known.difference.iter().filter(|k| !found.iter().any(|(place, _)| covers(k, place)));
    let gone: Vec<&str> = gone.map(|k| k.at.as_str()).collect();
    assert!(
        new.is_empty(),
        "{} differences that differences.toml does not list:\n{}",
        new.len(),
        new.join("\n")
    );
    assert!(gone.is_empty(), "differences.toml lists what is no difference any more: {gone:#?}");
}

/// A real server still says what was recorded; or records it.
pub async fn real(ground: &dyn Disturb) {
    let said = converse(ground).await;
    if std::env::var_os("QUARTERDECK_RECORD").is_some() {
        let text = serde_json::to_string_pretty(&said).unwrap();
        std::fs::write(folder().join("real.json"), text + "\n").unwrap();
        return;
    }
    agrees(&said, |_| true);
}

/// A server of an older minor says what was recorded too, but for the words in which it describes
/// the columns of tables: they are for people, and improve from minor to minor.
pub async fn older(ground: &dyn Disturb) {
    let words = |place: &str| place.contains(".columnDefinitions[") && place.ends_with(".description");
    agrees(&converse(ground).await, |place| !words(place));
}

/// Fails where what was said differs from the record in a place that counts.
fn agrees(said: &Transcript, counts: impl Fn(&str) -> bool) {
    let found = compare(said, &recorded()).into_iter().filter(|(place, _)| counts(place));
    let found: Vec<String> = found.map(|(place, what)| format!("{place}: {what}")).collect();
    assert!(found.is_empty(), "the record is not what a real server says:\n{}", found.join("\n"));
}
