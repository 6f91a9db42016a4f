//! Why bytes could not be read, and where.

use std::fmt;

/// Broken bytes: what is wrong and at which offset of the input given.
///
/// It never carries a part of the input, so it is safe in logs and on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireError {
    /// What is wrong.
    pub kind: WireErrorKind,
    /// The byte at which it was seen, counted from the start of the input (of a stream: from its
    /// first byte).
    pub offset: usize,
}

/// What can be wrong with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireErrorKind {
    /// The bytes end inside a field, an object, a frame or a list.
    Truncated,
    /// A protobuf integer of more than ten bytes.
    Varint,
    /// A protobuf field with the number 0, an unknown wire type, or a group that does not match.
    Tag,
    /// Messages nested deeper than any Kubernetes object.
    Depth,
    /// A frame, or a line, above [`LARGEST`](super::LARGEST).
    TooLong,
    /// No `k8s\0` where a Kubernetes protobuf body has to begin.
    Envelope,
    /// Not JSON.
    Json,
    /// A well-formed object that is not a list, where a list was asked for.
    NotAList,
    /// A watch event that is none of those that Kubernetes has.
    EventType,
    /// An object without a name: nothing could refer to it.
    Nameless,
}

impl WireError {
    /// An error of `kind` at `offset`.
    pub fn new(kind: WireErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The same error for input that starts at `base` of something larger.
    pub fn shifted(self, base: usize) -> Self {
        Self { offset: self.offset.saturating_add(base), ..self }
    }

    /// What `serde_json` says about `bytes`, with its line and column turned into an offset.
    pub(crate) fn json(error: &serde_json::Error, bytes: &[u8]) -> Self {
        let kind = if error.is_eof() { WireErrorKind::Truncated } else { WireErrorKind::Json };
        let before: usize = match error.line() {
            0 | 1 => 0,
            line => bytes.split_inclusive(|b| *b == b'\n').take(line - 1).map(<[u8]>::len).sum(),
        };
        Self::new(kind, before.saturating_add(error.column()).min(bytes.len()))
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            WireErrorKind::Truncated => "the data ends too early",
            WireErrorKind::Varint => "garbled protobuf: an integer is too long",
            WireErrorKind::Tag => "garbled protobuf: no such field tag",
            WireErrorKind::Depth => "garbled protobuf: nested too deeply",
            WireErrorKind::TooLong => "an object is too large to be read",
            WireErrorKind::Envelope => "not a Kubernetes protobuf body",
            WireErrorKind::Json => "garbled JSON",
            WireErrorKind::NotAList => "the answer is not a list",
            WireErrorKind::EventType => "unknown type of watch event",
            WireErrorKind::Nameless => "an object without a name",
        };
        write!(f, "{what} (byte {})", self.offset)
    }
}

impl std::error::Error for WireError {}
