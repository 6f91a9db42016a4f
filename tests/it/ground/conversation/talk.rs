//! Having the conversations: requests one after the other, and watches that stay open meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use quarterdeck::cluster::{Body, Plugins, Request, Session, Sources, find_clusters};
use serde_json::{Value, json};

use super::super::{Disturb, PATIENCE, User};
use super::plain::Names;
use super::script::{Script, Transcript, Turn, at};

/// Media types of requests, as the sessions want them.
const MEDIA: [&str; 15] = [
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
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "application/json;g=apidiscovery.k8s.io;v=v2beta9;as=APIGroupDiscoveryList,application/json",
    "application/cbor",
];

fn media(given: Option<&String>) -> &'static str {
    let Some(given) = given else { return MEDIA[0] };
    MEDIA.into_iter().find(|m| m == given).unwrap_or_else(|| panic!("{given}: add it to MEDIA"))
}

/// How often it is asked whether something is so: any request may be the one that tells, so there
/// is nothing to watch.
const AGAIN: Duration = Duration::from_millis(100);

/// How long the embedded fleet may take until something is so: its time is faster.
const SHORT: Duration = Duration::from_secs(10);

/// Has every conversation with the first cluster of a ground. What never comes ends it with a real
/// server; with the embedded fleet it is a difference like others.
pub(crate) async fn converse(script: Script, ground: &dyn Disturb, embedded: bool) -> Transcript {
    let (sessions, streams) = (BTreeMap::new(), BTreeMap::new());
    let mut talk = Talk { ground, embedded, sessions, streams, kept: Vec::new() };
    let mut transcript = Transcript::new();
    let mut names = Names::default();
    for conversation in script.conversations() {
        let mut said = Vec::new();
        for turn in &conversation.turn {
            let (mut entry, answer) = talk.take(turn).await;
            names.learn(&answer);
            talk.keep(turn, &answer);
            let answer = names.plain(answer);
            entry["answer"] = match turn.only.as_slice() {
                [] => answer,
                // What is not there is left out.
                paths => {
                    let each = paths.iter().map(|path| (path.clone(), at(&answer, path)));
                    each.filter(|(_, value)| !value.is_null()).collect()
                }
            };
            if !turn.unsaid {
                said.push(entry);
            }
        }
        talk.streams.clear();
        transcript.insert(conversation.name, said);
    }
    transcript
}

struct Talk<'a> {
    ground: &'a dyn Disturb,
    embedded: bool,
    /// By who asks.
    sessions: BTreeMap<String, Session>,
    /// Watches that are open, by name.
    streams: BTreeMap<String, Stream>,
    /// What earlier answers had, by name.
    kept: Vec<(String, String)>,
}

impl Talk<'_> {
    /// One turn: what goes into the record but for the answer, and the answer.
    async fn take(&mut self, turn: &Turn) -> (Value, Value) {
        if let Some(name) = &turn.hear {
            let stream = self.streams.get_mut(name).unwrap_or_else(|| panic!("{name} is not open"));
            let count = turn.events.unwrap_or(1);
            let heard = stream.events(count).await;
            return (json!({ "ask": format!("hear {name}") }), heard);
        }
        let ask = turn.ask.as_ref().expect("a turn asks or hears");
        let deadline = Instant::now() + if self.embedded { SHORT } else { PATIENCE };
        let mut tries = tokio::time::interval(AGAIN);
        loop {
            tries.tick().await;
            let (status, kind, answer) = self.once(turn, ask).await;
            if self.embedded && Instant::now() > deadline {
                return (json!({ "ask": ask, "status": status, "type": kind, "never": true }), answer);
            }
            if turn.until.as_ref().is_none_or(|until| until.holds(status, &answer)) {
                return (json!({ "ask": ask, "status": status, "type": kind }), answer);
            }
            assert!(Instant::now() < deadline, "{ask}: still {status}: {answer:#}");
        }
    }

    async fn once(&mut self, turn: &Turn, ask: &str) -> (u16, String, Value) {
        let filled = self.fill(ask);
        let (method, path) = filled.split_once(' ').unwrap();
        let mut request = Request::get(path).accept(media(turn.accept.as_ref()));
        request.method = method.parse().unwrap();
        if let Some(body) = &turn.body {
            request.body = Some((media(turn.r#type.as_ref()), self.fill(body).into()));
        }
        let session = self.session(turn);
        let response = session.send(request).await.unwrap_or_else(|fault| panic!("{ask}: {fault}"));
        let (status, kind) = (response.status, response.content_type.clone());
        if let Some(name) = &turn.open {
            let stream = Stream { body: response.body, rest: Vec::new(), ask: ask.to_owned() };
            self.streams.insert(name.clone(), stream);
            return (status, kind, Value::Null);
        }
        let body = response.bytes(16 << 20).await.unwrap_or_else(|fault| panic!("{ask}: {fault}"));
        let documents: Result<Vec<Value>, _> =
            serde_json::Deserializer::from_slice(&body).into_iter().collect();
        let answer = match documents {
            // What a watch said until its end.
            Ok(events) if status == 200 && path.contains("watch") => Value::Array(events),
            Ok(mut one) if one.len() == 1 => one.remove(0),
            _ => Value::String(String::from_utf8_lossy(&body).into_owned()),
        };
        (status, kind, answer)
    }

    /// A text with what was kept in place of `{NAME}`.
    fn fill(&self, text: &str) -> String {
        self.kept
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    fn keep(&mut self, turn: &Turn, answer: &Value) {
        for (name, path) in &turn.keep {
            let value =
                answer.pointer(path).unwrap_or_else(|| panic!("nothing at {path} to keep: {answer:#}"));
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.kept.retain(|(known, _)| known != name);
            self.kept.push((name.clone(), value));
        }
    }

    /// The connection of who asks.
    fn session(&mut self, turn: &Turn) -> Session {
        let user = match turn.user.as_deref() {
            None | Some("admin") => User::Admin,
            Some("viewer") => User::Viewer,
            Some(other) => panic!("{other}: there are admin and viewer"),
        };
        let key = format!("{user:?} {:?}", turn.r#as);
        let open = || session(&self.ground.kubeconfig(user), turn.r#as.as_deref());
        self.sessions.entry(key).or_insert_with(open).clone()
    }
}

/// A connection to the first cluster of a kubeconfig; as somebody else, if so asked.
fn session(kubeconfig: &str, impersonated: Option<&str>) -> Session {
    let mut config: Value = serde_saphyr::from_str(kubeconfig).unwrap();
    if let Some(name) = impersonated {
        config["users"].as_array_mut().unwrap().iter_mut().for_each(|user| user["user"]["as"] = name.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, config.to_string()).unwrap();
    let found = find_clusters(&Sources { file: Some(file), ..Sources::default() }, &[]);
    Session::new(&found.targets[0], &Plugins::default()).unwrap()
}

/// A watch that is open.
struct Stream {
    body: Body,
    /// What came after the last event that was heard.
    rest: Vec<u8>,
    ask: String,
}

impl Stream {
    /// The next events; fewer where the server ends it.
    async fn events(&mut self, count: usize) -> Value {
        let mut out = Vec::new();
        while out.len() < count {
            let line = tokio::time::timeout(PATIENCE, self.line()).await;
            match line.unwrap_or_else(|_| panic!("{}: no more than {out:#?}", self.ask)) {
                Some(line) => out.push(serde_json::from_slice(&line).unwrap()),
                None => break,
            }
        }
        Value::Array(out)
    }

    /// The next line; `None` at the end.
    async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let after = self.rest.split_off(end + 1);
                return Some(std::mem::replace(&mut self.rest, after));
            }
            let chunk = self.body.chunk().await?.unwrap_or_else(|fault| panic!("{}: {fault}", self.ask));
            self.rest.extend_from_slice(&chunk);
        }
    }
}
