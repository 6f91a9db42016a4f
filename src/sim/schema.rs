//! The fields of the built-in kinds: their JSON names, protobuf numbers, types, and how lists are
//! merged. From this table bodies are read and written as protobuf, checked and pruned, merged and
//! described (`OpenAPI`).
//!
//! `assets/kubernetes.schema` is made by `cargo run --example schema` from the Go sources of the
//! API. A message is its name, `core/v1.Pod`, on a line of its own; its fields follow, each behind
//! a blank: number, JSON name (`~` when the fields within are the holder's own in JSON), type
//! (`[]` before it for lists, `{}` for maps, `!` behind it when it is required), and marks:
//!
//! | mark | meaning |
//! |---|---|
//! | `merge=KEY` | a strategic patch merges this list by this key; without a key as a set |
//! | `retain` | a strategic patch says which keys to retain |
//! | `map=KEY,…` | server-side apply tells items apart by these keys |
//! | `set` | server-side apply tells items apart by their value |
//! | `atomic` | server-side apply owns it as a whole |

mod conform;
mod protobuf;
mod texts;
mod times;

use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) use conform::conform;
pub(crate) use protobuf::{from_protobuf, to_protobuf};

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::parse(include_str!("../../assets/kubernetes.schema")));

/// A message: an object or a part of one.
#[derive(Debug)]
pub(crate) struct Message {
    /// `core/v1.Pod`.
    pub(crate) name: &'static str,
    pub(crate) fields: Vec<Field>,
    /// By JSON name, those of inlined messages among them.
    by_name: HashMap<&'static str, (usize, Option<usize>)>,
    by_number: HashMap<u32, usize>,
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// Its JSON name; empty when the fields within are the holder's own.
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// The key by which a strategic patch merges a list.
    pub(crate) merge: Option<&'static str>,
    /// The keys by which server-side apply tells items of a list apart.
    pub(crate) keys: Vec<&'static str>,
    pub(crate) set: bool,
    pub(crate) atomic: bool,
}

/// How often a field can be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    One,
    List,
    Map,
}

/// The type of a field's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Text,
    Int32,
    Int64,
    Flag,
    Double,
    /// Base64 in JSON.
    Bytes,
    Quantity,
    IntOrString,
    Time,
    MicroTime,
    Duration,
    /// Any JSON, as bytes in protobuf.
    Raw,
    /// The same, as `FieldsV1`.
    Fields,
    /// Another message, by its place in the table.
    Message(usize),
}

impl Field {
    /// The message of its values.
    pub(crate) fn message(&self) -> Option<&'static Message> {
        match self.kind {
            Kind::Message(at) => TABLE.messages.get(at),
            _ => None,
        }
    }
}

impl Message {
    /// The field of a JSON name, and the inlined message that holds it, if one does.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let (outer, inner) = *self.by_name.get(name)?;
        let field = self.fields.get(outer)?;
        match inner {
            None => Some(field),
            Some(_) => field.message()?.field(name),
        }
    }

    fn numbered(&self, number: u32) -> Option<&Field> {
        self.fields.get(*self.by_number.get(&number)?)
    }

    /// Every field by its JSON name, inlined ones as the holder's own.
    pub(crate) fn flat(&self) -> Vec<&Field> {
        let mut out = Vec::new();
        for field in &self.fields {
            match field.message().filter(|_| field.name.is_empty()) {
                Some(inner) => out.extend(inner.flat()),
                None => out.push(field),
            }
        }
        out
    }
}

/// The message of a kind: `apps/v1`, `Deployment`.
pub(crate) fn of(api_version: &str, kind: &str) -> Option<&'static Message> {
    let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
    // the packages are named by the first word of their group
    let package = group.split('.').next().unwrap_or_default();
    named(&format!("{package}/{version}.{kind}"))
}

/// The message of a name: `meta/v1.ObjectMeta`.
pub(crate) fn named(name: &str) -> Option<&'static Message> {
    TABLE.messages.get(*TABLE.by_name.get(name)?)
}

struct Table {
    messages: Vec<Message>,
    by_name: HashMap<&'static str, usize>,
}

impl Table {
    fn parse(text: &'static str) -> Table {
        let names = text.lines().filter(|l| !l.starts_with([' ', '#']) && !l.is_empty());
        let by_name: HashMap<&str, usize> = names.zip(0..).collect();
        let mut messages: Vec<Message> = Vec::with_capacity(by_name.len());
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            match (line.strip_prefix(' '), messages.last_mut()) {
                (Some(line), Some(message)) => message.fields.extend(field(line, &by_name)),
                _ if line.is_empty() => {}
                _ => messages.push(Message {
                    name: line,
                    fields: Vec::new(),
                    by_name: HashMap::new(),
                    by_number: HashMap::new(),
                }),
            }
        }
        for at in 0..messages.len() {
            index(&mut messages, at);
        }
        Table { messages, by_name }
    }
}

/// Makes the indexes of a message. Inlined messages hold none themselves but one level.
fn index(messages: &mut [Message], at: usize) {
    let mut by_name = HashMap::new();
    for (i, field) in messages[at].fields.iter().enumerate() {
        match field.kind {
            Kind::Message(inner) if field.name.is_empty() => {
                for (j, within) in messages[inner].fields.iter().enumerate() {
                    by_name.insert(within.name, (i, Some(j)));
                }
            }
            _ => {
                by_name.insert(field.name, (i, None));
            }
        }
    }
    let by_number = messages[at].fields.iter().zip(0..).map(|(f, i)| (f.number, i)).collect();
    (messages[at].by_name, messages[at].by_number) = (by_name, by_number);
}

/// One line of the table; a test reads every one.
fn field(line: &'static str, names: &HashMap<&'static str, usize>) -> Option<Field> {
    let mut words = line.split(' ');
    let number = words.next()?.parse().ok()?;
    let name = words.next().map(|n| if n == "~" { "" } else { n })?;
    let typed = words.next()?;
    let (typed, required) = typed.strip_suffix('!').map_or((typed, false), |t| (t, true));
    let (shape, typed) = match (typed.strip_prefix("[]"), typed.strip_prefix("{}")) {
        (Some(rest), _) => (Shape::List, rest),
        (_, Some(rest)) => (Shape::Map, rest),
        _ => (Shape::One, typed),
    };
    let kind = match typed {
        "string" => Kind::Text,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "bool" => Kind::Flag,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "quantity" => Kind::Quantity,
        "intOrString" => Kind::IntOrString,
        "time" => Kind::Time,
        "microTime" => Kind::MicroTime,
        "duration" => Kind::Duration,
        "raw" => Kind::Raw,
        "fields" => Kind::Fields,
        message => Kind::Message(*names.get(message)?),
    };
    let mut field = Field {
        number,
        name,
        shape,
        kind,
        required,
        merge: None,
        keys: Vec::new(),
        set: false,
        atomic: false,
    };
    for mark in words {
        match mark.split_once('=') {
            Some(("merge", key)) => field.merge = Some(key),
            Some(("map", keys)) => field.keys = keys.split(',').collect(),
            _ if mark == "set" => field.set = true,
            _ if mark == "atomic" => field.atomic = true,
            _ => {}
        }
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::resources::Res;

    #[test]
    fn every_line_of_the_table_is_read_and_every_typed_kind_is_in_it() {
        let text = include_str!("../../assets/kubernetes.schema");
        let lines = text.lines().filter(|l| l.starts_with(' ')).count();
        assert_eq!(TABLE.messages.iter().map(|m| m.fields.len()).sum::<usize>(), lines);
        for res in Res::ALL {
            let spec = res.spec();
            for version in &spec.versions {
                let api_version = crate::sim::resources::api_version(&spec.group, version);
                assert_eq!(of(&api_version, &spec.kind).is_some(), spec.typed, "{res:?}");
            }
        }
    }

    #[test]
    fn fields_are_found_within_what_is_inlined() {
        let volume = named("core/v1.Volume").unwrap();
        assert_eq!(volume.field("name").unwrap().number, 1);
        assert_eq!(volume.field("emptyDir").unwrap().message().unwrap().name, "core/v1.EmptyDirVolumeSource");
        assert!(volume.field("nothing").is_none());
        let ports = named("core/v1.Container").unwrap().field("ports").unwrap();
        assert_eq!(
            (ports.merge, ports.keys.as_slice()),
            (Some("containerPort"), &["containerPort", "protocol"][..])
        );
    }
}
