//! Conversations as they are written down (`tests/fixtures/conformance/*.toml`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// A list of conversations, and what a real server said in them.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    conversations: &'static str,
    record: &'static str,
}

/// Nothing but the conversation changes anything: no controllers on either side.
pub(crate) const STILL: Script = Script { conversations: "conversations.toml", record: "real.json" };

/// Controllers at work on both sides.
pub(crate) const MOVING: Script =
    Script { conversations: "conversations-moving.toml", record: "real-moving.json" };

impl Script {
    pub(super) fn conversations(&self) -> Vec<Conversation> {
        #[derive(Deserialize)]
        struct File {
            conversation: Vec<Conversation>,
        }
        toml::from_str::<File>(&read(&folder().join(self.conversations)))
            .unwrap_or_else(|e| panic!("{e}"))
            .conversation
    }

    pub(super) fn recorded(&self) -> Transcript {
        serde_json::from_str(&read(&self.record())).unwrap()
    }

    /// Where what a real server said is kept.
    pub(crate) fn record(&self) -> PathBuf {
        folder().join(self.record)
    }
}

/// What was said: by conversation and request, in order.
pub(crate) type Transcript = BTreeMap<String, Vec<Value>>;

/// A conversation: its name and turns.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversation {
    pub(super) name: String,
    /// What is answered differs from minor to minor, so older servers are not asked to say it.
    #[serde(default)]
    pub(super) of_this_minor: bool,
    pub(super) turn: Vec<Turn>,
}

/// A request, or events of a watch that an earlier turn opened. The fields are explained at the
/// top of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    pub(super) ask: Option<String>,
    pub(super) body: Option<String>,
    pub(super) r#type: Option<String>,
    pub(super) accept: Option<String>,
    pub(super) user: Option<String>,
    pub(super) r#as: Option<String>,
    pub(super) open: Option<String>,
    pub(super) hear: Option<String>,
    pub(super) events: Option<usize>,
    pub(super) until: Option<Until>,
    #[serde(default)]
    pub(super) keep: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) only: Vec<String>,
    #[serde(default)]
    pub(super) unsaid: bool,
}

/// What is waited for.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Until {
    /// This status.
    Status(u16),
    /// These values at these places of the answer.
    Values(BTreeMap<String, Value>),
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/conformance")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Until {
    /// Whether an answer is what is waited for.
    pub(super) fn holds(&self, status: u16, answer: &Value) -> bool {
        match self {
            Until::Status(wanted) => *wanted == status,
            Until::Values(wanted) => wanted.iter().all(|(path, value)| {
                let there = at(answer, path);
                // a counter that is zero may be left out
                if there.is_null() { *value == 0 } else { there == *value || *value == "*" }
            }),
        }
    }
}

/// The value at a path, null where nothing is. `#` at its end counts the items of a list; `*`
/// stands for every item and gives the values there, sorted, each once.
pub(super) fn at(value: &Value, path: &str) -> Value {
    if let Some(list) = path.strip_suffix("/#") {
        return value.pointer(list).and_then(Value::as_array).map_or(Value::Null, |items| items.len().into());
    }
    let Some((list, rest)) = path.split_once("/*") else {
        return value.pointer(path).cloned().unwrap_or_default();
    };
    let items = value.pointer(list).and_then(Value::as_array);
    let mut found: Vec<Value> = items.into_iter().flatten().map(|item| at(item, rest)).collect();
    found.sort_by_key(Value::to_string);
    found.dedup();
    Value::Array(found)
}
