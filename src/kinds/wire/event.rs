//! Watch events: one per frame (`WatchEvent` in `apimachinery/pkg/apis/meta/v1/generated.proto`).

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::declare::others;
use super::reader::Wire;
use super::{
    Envelope, Format, Map, Message, Reader, Slot, Status, Str, Tag, WireError, WireErrorKind, writer,
};

super::wire! {
    /// A `BOOKMARK`: nothing changed up to a version.
    pub struct Bookmark<'a> {
        1 "metadata" metadata: BookmarkMeta<'a>,
    }

    /// The metadata of a `BOOKMARK`.
    pub struct BookmarkMeta<'a> {
        6 "resourceVersion" resource_version: Str<'a>,
        12 "annotations" annotations: Map<'a, Str<'a>>,
    }

    /// An object of which only the identity is read: what can be read where the rest cannot.
    pub struct Identified<'a> {
        1 "metadata" metadata: Identity<'a>,
    }

    /// Which object it is, and at which version.
    pub struct Identity<'a> {
        1 "name" name: Str<'a>,
        3 "namespace" namespace: Str<'a>,
        5 "uid" uid: Str<'a>,
        6 "resourceVersion" resource_version: Str<'a>,
    }
}

impl Bookmark<'_> {
    /// The version up to which the watch is complete.
    pub fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Whether a streaming list ends here (`k8s.io/initial-events-end`, KEP-3157).
    pub fn ends_initial_events(&self) -> bool {
        self.metadata.annotations.get("k8s.io/initial-events-end").is_some_and(|v| *v == "true")
    }
}

/// One event of a watch.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchEvent<'a, T> {
    /// An object that is new, or new to this watch.
    Added(T),
    /// An object that changed.
    Modified(T),
    /// An object that is gone, in its last state.
    Deleted(T),
    /// Nothing changed up to this version.
    Bookmark(Bookmark<'a>),
    /// The watch is over, and why.
    Error(Box<Status<'a>>),
}

impl<'a, T> WatchEvent<'a, T> {
    /// The same event of something made from the object.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> WatchEvent<'a, U> {
        match self {
            Self::Added(object) => WatchEvent::Added(f(object)),
            Self::Modified(object) => WatchEvent::Modified(f(object)),
            Self::Deleted(object) => WatchEvent::Deleted(f(object)),
            Self::Bookmark(bookmark) => WatchEvent::Bookmark(bookmark),
            Self::Error(status) => WatchEvent::Error(status),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
}

impl Type {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"ADDED" => Some(Self::Added),
            b"MODIFIED" => Some(Self::Modified),
            b"DELETED" => Some(Self::Deleted),
            b"BOOKMARK" => Some(Self::Bookmark),
            b"ERROR" => Some(Self::Error),
            _ => None,
        }
    }
}

/// Reads one frame of a watch. An event of an unknown type is an error: it may have been a change.
pub fn read_event<'a, M: Message<'a>>(
    format: Format,
    frame: &'a [u8],
) -> Result<WatchEvent<'a, M>, WireError> {
    match format {
        Format::Protobuf => read_protobuf(frame),
        Format::Json => read_json(frame),
    }
}

fn read_protobuf<'a, M: Message<'a>>(frame: &'a [u8]) -> Result<WatchEvent<'a, M>, WireError> {
    let mut reader = Reader::new(frame);
    let (mut name, mut object, mut object_at) = (&[][..], &[][..], 0);
    while let Some(tag) = reader.tag()? {
        match tag {
            Tag { number: 1, wire: Wire::Bytes } => name = reader.bytes()?,
            Tag { number: 2, wire: Wire::Bytes } => {
                // runtime.RawExtension { 1 raw }
                let mut extension = reader.message()?;
                while let Some(tag) = extension.tag()? {
                    match tag {
                        Tag { number: 1, wire: Wire::Bytes } => object = extension.bytes()?,
                        other => extension.skip(other)?,
                    }
                }
                object_at = reader.position() - object.len();
            }
            other => reader.skip(other)?,
        }
    }
    let kind = Type::named(name).ok_or(WireError::new(WireErrorKind::EventType, 0))?;
    let envelope = Envelope::open(object).map_err(|e| e.shifted(object_at))?;
    let raw_at = object_at + envelope.raw_at;
    event(kind, Protobuf(envelope.raw)).map_err(|e| e.shifted(raw_at))
}

fn read_json<'a, M: Message<'a>>(line: &'a [u8]) -> Result<WatchEvent<'a, M>, WireError> {
    let garbled = |e: serde_json::Error| WireError::json(&e, line);
    let mut source = serde_json::Deserializer::from_slice(line);
    let mut read = Line { kind: None, event: None, waiting: None };
    source.deserialize_any(LineVisitor(&mut read)).and_then(|_| source.end()).map_err(garbled)?;
    let kind = read.kind.ok_or(WireError::new(WireErrorKind::EventType, 0))?;
    match (read.event, read.waiting) {
        (Some(event), _) => Ok(event),
        (None, Some(raw)) => event(kind, Raw(raw)).map_err(garbled),
        (None, None) => Err(WireError::new(WireErrorKind::Truncated, line.len())),
    }
}

/// Where an event's object is read from.
trait Object<'a> {
    type Error;
    fn read<M: Message<'a>>(self) -> Result<M, Self::Error>;
}

fn event<'a, M: Message<'a>, O: Object<'a>>(kind: Type, object: O) -> Result<WatchEvent<'a, M>, O::Error> {
    Ok(match kind {
        Type::Added => WatchEvent::Added(object.read()?),
        Type::Modified => WatchEvent::Modified(object.read()?),
        Type::Deleted => WatchEvent::Deleted(object.read()?),
        Type::Bookmark => WatchEvent::Bookmark(object.read()?),
        Type::Error => WatchEvent::Error(Box::new(object.read()?)),
    })
}

struct Protobuf<'a>(&'a [u8]);

impl<'a> Object<'a> for Protobuf<'a> {
    type Error = WireError;

    fn read<M: Message<'a>>(self) -> Result<M, WireError> {
        super::from_protobuf(self.0)
    }
}

struct Raw<'a>(&'a RawValue);

impl<'a> Object<'a> for Raw<'a> {
    type Error = serde_json::Error;

    fn read<M: Message<'a>>(self) -> Result<M, serde_json::Error> {
        let mut object = M::default();
        let fits = object.read_json(&mut serde_json::Deserializer::from_str(self.0.get()))?;
        if fits { Ok(object) } else { Err(Error::custom("not an object")) }
    }
}

struct Entry<'m, A>(&'m mut A);

impl<'de, A: MapAccess<'de>> Object<'de> for Entry<'_, A> {
    type Error = A::Error;

    fn read<M: Message<'de>>(self) -> Result<M, A::Error> {
        let mut object = M::default();
        let fits = self.0.next_value_seed(Slot(&mut object))?;
        if fits { Ok(object) } else { Err(Error::custom("not an object")) }
    }
}

/// A line as far as it was read. The server writes the type first, so the object can be read in
/// place; one that comes first waits.
struct Line<'a, M> {
    kind: Option<Type>,
    event: Option<WatchEvent<'a, M>>,
    waiting: Option<&'a RawValue>,
}

struct LineVisitor<'v, 'a, M>(&'v mut Line<'a, M>);

impl<'de, M: Message<'de>> Visitor<'de> for LineVisitor<'_, 'de, M> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a watch event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let line = self.0;
        while let Some(key) = map.next_key::<Str<'de>>()? {
            match (key.as_str(), line.kind) {
                ("type", _) => line.kind = Type::named(map.next_value::<Str<'de>>()?.as_bytes()),
                ("object", Some(kind)) => line.event = Some(event(kind, Entry(&mut map))?),
                ("object", None) => line.waiting = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(true)
    }

    others!('de: bool, number, text, unit, seq);
}

/// Writes one frame of a watch, length or newline included: an event of this type (`ADDED`, …)
/// around an object that is already in the format (in protobuf with its envelope).
pub fn write_event(format: Format, kind: &str, object: &[u8]) -> Vec<u8> {
    match format {
        Format::Protobuf => {
            let mut out = vec![0; 4];
            writer::bytes(1, kind.as_bytes(), &mut out);
            writer::nested(2, &mut out, |out| writer::bytes(1, object, out));
            let length = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
            out.splice(..4, length.to_be_bytes());
            out
        }
        Format::Json => {
            let mut out = Vec::with_capacity(object.len() + 32);
            out.extend_from_slice(b"{\"type\":\"");
            out.extend_from_slice(kind.as_bytes());
            out.extend_from_slice(b"\",\"object\":");
            out.extend_from_slice(object);
            out.extend_from_slice(b"}\n");
            out
        }
    }
}
