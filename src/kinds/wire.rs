//! One declaration, two wire formats.
//!
//! Kubernetes serves its built-in kinds as protobuf and as JSON. Both carry the same fields under
//! different names (a number, a word), and a console needs a tenth of them. `wire!` takes one
//! line per wanted field, number and word side by side, and gives a struct that borrows from the
//! bytes it was read from, a protobuf reader that steps over everything else by its length, a
//! JSON visitor that ignores everything else, and the two writers (the embedded fleet serves what
//! it holds in both formats).
//!
//! Rules that make the two readings of one object equal:
//!
//! * Go writes every field that is not a pointer into protobuf, even when it is zero, and leaves
//!   it out of JSON: so a field is an `Option` here only where Go has a pointer.
//! * JSON has `null` for empty lists and zero times: `null` is the default of every field.
//! * A struct that Go embeds is a message of its own in protobuf and flat in JSON: `inline`.
//! * Numbers belong to one version of one kind; other versions are read as JSON.
//!
//! **Nothing in a well-formed object can fail.** A field of the wrong type is left at its
//! default in both formats and invalid UTF-8 in protobuf is replaced, as Go's JSON encoder does;
//! so an error always means broken bytes, and one odd object cannot break a list or a watch.
//!
//! | module | what |
//! |---|---|
//! | `reader`, `writer` | protobuf over borrowed bytes |
//! | `declare` | the macro and the traits behind it |
//! | `text`, `scalar`, `collection`, `chosen`, `quantity`, `time` | the types a field can have |
//! | `envelope`, `status` | what every protobuf body starts with; why a request failed |
//! | `list`, `page`, `step_over` | lists in protobuf and in JSON as they arrive, item by item |
//! | `frames`, `event` | watch streams: bytes to frames, frames to events |

mod chosen;
mod collection;
mod declare;
mod envelope;
mod error;
mod event;
mod frames;
mod list;
mod page;
mod quantity;
mod reader;
mod scalar;
mod status;
mod step_over;
mod text;
mod time;
mod writer;

pub use chosen::{Chosen, Keys};
pub use collection::{Map, Present};
pub(crate) use declare::{AsJson, MessageVisitor, wire};
pub use declare::{Decode, Encode, Message, Slot};
pub use envelope::{Envelope, TypeMeta, enveloped, write_body};
pub use error::{WireError, WireErrorKind};
pub use event::{Bookmark, BookmarkMeta, Identified, Identity, WatchEvent, read_event, write_event};
pub use frames::Frames;
pub use list::{ListDecoder, ListEnd, ListMeta, write_list};
pub use page::{First, PageDecoder, ReadFirst, first_item, read_page};
pub use quantity::{IntOrString, Quantity};
pub use reader::{Reader, Tag, Wire};
pub use status::{Status, StatusCause, StatusDetails};
pub use text::Str;
pub use time::{MicroTime, Time};
pub(crate) use writer::{bytes as put_bytes, integer as put_integer, nested};

/// The largest list item or watch frame that is held in memory. etcd refuses objects above
/// 1.5 MiB by default; this leaves room for aggregated servers and still bounds a hostile one.
pub const LARGEST: usize = 20 << 20;

/// An item or a frame that is longer than this is a rare one, and may become as long as any.
pub const LONG: usize = 256 << 10;

/// Appends to what is held of an item or a frame. A buffer that grows by copies is there twice; one that has room for
/// the largest at once takes only the memory that is written to.
fn append(buffer: &mut Vec<u8>, bytes: &[u8]) {
    if buffer.len() + bytes.len() > buffer.capacity().max(LONG) {
        buffer.reserve_exact(LARGEST + bytes.len());
    }
    buffer.extend_from_slice(bytes);
}

/// Lets go of what was read at the front, and of the memory that something long took.
fn let_go(buffer: &mut Vec<u8>, read: usize) {
    buffer.drain(..read);
    if buffer.len() <= LONG && buffer.capacity() > LONG {
        buffer.shrink_to(LONG);
    }
}

/// A wire format of the Kubernetes API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `application/vnd.kubernetes.protobuf`: built-in kinds only.
    Protobuf,
    /// `application/json`: every kind.
    Json,
}

impl Format {
    /// The media type of the format.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
            Self::Json => "application/json",
        }
    }

    /// The `Accept` header of a get or a list in this format, JSON being the second choice of a
    /// protobuf reader.
    pub fn accept(self) -> &'static str {
        match self {
            Self::Protobuf => "application/vnd.kubernetes.protobuf, application/json",
            Self::Json => "application/json",
        }
    }

    /// The `Accept` header of a watch in this format.
    pub fn accept_watch(self) -> &'static str {
        match self {
            Self::Protobuf => {
                "application/vnd.kubernetes.protobuf;stream=watch, application/json;stream=watch"
            }
            Self::Json => "application/json;stream=watch",
        }
    }

    /// The format of an answer, by its `Content-Type`; `None` for anything that is neither, such
    /// as the page of a captive portal.
    pub fn of_content_type(value: &str) -> Option<Self> {
        let media = value.split(';').next().unwrap_or_default().trim();
        match () {
            () if media.eq_ignore_ascii_case("application/vnd.kubernetes.protobuf") => Some(Self::Protobuf),
            () if media.eq_ignore_ascii_case("application/json") => Some(Self::Json),
            () => None,
        }
    }
}

/// Reads a bare protobuf message, such as a list's item.
pub fn from_protobuf<'a, M: Message<'a>>(bytes: &'a [u8]) -> Result<M, WireError> {
    let mut message = M::default();
    message.merge(&mut Reader::new(bytes))?;
    Ok(message)
}

/// Reads one JSON object.
pub fn from_json<'a, M: Message<'a>>(bytes: &'a [u8]) -> Result<M, WireError> {
    let mut message = M::default();
    let mut source = serde_json::Deserializer::from_slice(bytes);
    message.read_json(&mut source).and_then(|_| source.end()).map_err(|e| WireError::json(&e, bytes))?;
    Ok(message)
}

/// Writes a bare protobuf message.
pub fn to_protobuf<'a>(message: &impl Message<'a>) -> Vec<u8> {
    let mut out = Vec::new();
    message.write_fields(&mut out);
    out
}

/// Writes a JSON object.
pub fn to_json(message: &impl serde::Serialize) -> Vec<u8> {
    // only a failing sink or a map with odd keys could fail, and there is neither
    serde_json::to_vec(message).unwrap_or_default()
}

#[cfg(test)]
mod tests;
