//! Text that is borrowed when it can be.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::declare::others;
use super::reader::Wire;
use super::{Decode, Encode, Reader, WireError, writer};

/// Text of an object: a slice of the bytes it was read from, or its own when a JSON escape or
/// invalid UTF-8 had to be replaced.
///
/// Not a plain `Cow`: serde's own reading of `Cow<str>` inside `Option` and `Vec` never borrows.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Str<'a>(Cow<'a, str>);

impl<'a> Str<'a> {
    /// Text from bytes that ought to be UTF-8; what is not is replaced by U+FFFD.
    #[inline]
    pub fn from_utf8(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self(Cow::Borrowed(text)),
            Err(_) => Self(String::from_utf8_lossy(bytes)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text is a slice of the input.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.0, Cow::Borrowed(_))
    }

    /// The text, or `None` when it is empty: the absent of Kubernetes' plain strings.
    pub fn non_empty(&self) -> Option<&str> {
        Some(self.as_str()).filter(|s| !s.is_empty())
    }
}

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq<str> for Str<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Str<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl<'a> Decode<'a> for Str<'a> {
    const WIRE: Wire = Wire::Bytes;

    #[inline]
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        *self = reader.text()?;
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(TextVisitor(self))
    }
}

struct TextVisitor<'v, 'a>(&'v mut Str<'a>);

impl<'de> Visitor<'de> for TextVisitor<'_, 'de> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<bool, E> {
        *self.0 = Str(Cow::Borrowed(text));
        Ok(true)
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        *self.0 = Str(Cow::Owned(text.to_owned()));
        Ok(true)
    }

    others!('de: bool, number, unit, seq, map);
}

impl<'de> Deserialize<'de> for Str<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let mut text = Self::default();
        text.read_json(source)?;
        Ok(text)
    }
}

impl Encode for Str<'_> {
    fn omitted(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        writer::bytes(number, self.as_bytes(), out);
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.serialize_str(self)
    }
}

impl Serialize for Str<'_> {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        self.write_json(sink)
    }
}
