//! Amounts of a resource, and the integer that may be a percentage.

use std::fmt;

use serde::Serializer;
use serde::de::{Deserializer, Visitor};

use super::declare::others;
use super::reader::Wire;
use super::{Decode, Encode, Reader, Str, Tag, WireError, writer};

/// An amount as written: `100m`, `2Gi`. A message `{1 string}` in protobuf, text or a number in
/// JSON (`apimachinery/pkg/api/resource/generated.proto`). Not interpreted here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantity<'a>(pub Str<'a>);

impl Quantity<'_> {
    /// The amount as written; empty for a quantity that was not given.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<'a> Decode<'a> for Quantity<'a> {
    const WIRE: Wire = Wire::Bytes;

    #[inline]
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        let mut message = reader.message()?;
        while let Some(tag) = message.tag()? {
            match tag {
                Tag { number: 1, wire: Wire::Bytes } => self.0 = message.text()?,
                other => message.skip(other)?,
            }
        }
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(QuantityVisitor(self))
    }
}

struct QuantityVisitor<'v, 'a>(&'v mut Quantity<'a>);

impl<'de> Visitor<'de> for QuantityVisitor<'_, 'de> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<bool, E> {
        self.0.0 = Str::from(text);
        Ok(true)
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        self.0.0 = Str::from(text.to_owned());
        Ok(true)
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        self.0.0 = Str::from(value.to_string());
        Ok(true)
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        self.0.0 = Str::from(value.to_string());
        Ok(true)
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        self.0.0 = Str::from(value.to_string());
        Ok(true)
    }

    others!('de: bool, unit, seq, map);
}

impl Encode for Quantity<'_> {
    fn omitted(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        writer::nested(number, out, |out| self.0.write(1, out));
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.serialize_str(self.as_str())
    }
}

/// A number or a text, such as `25%`. A message `{1 type, 2 int, 3 text}` in protobuf
/// (`apimachinery/pkg/util/intstr/generated.proto`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntOrString<'a> {
    /// A number.
    Int(i32),
    /// A percentage or a name.
    Text(Str<'a>),
}

impl Default for IntOrString<'_> {
    fn default() -> Self {
        Self::Int(0)
    }
}

impl<'a> Decode<'a> for IntOrString<'a> {
    const WIRE: Wire = Wire::Bytes;

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        let mut message = reader.message()?;
        let (mut is_text, mut int, mut text) = (0i64, 0i32, Str::default());
        while let Some(tag) = message.tag()? {
            match tag {
                Tag { number: 1, wire: Wire::Varint } => is_text.read(&mut message)?,
                Tag { number: 2, wire: Wire::Varint } => int.read(&mut message)?,
                Tag { number: 3, wire: Wire::Bytes } => text.read(&mut message)?,
                other => message.skip(other)?,
            }
        }
        *self = if is_text == 1 { Self::Text(text) } else { Self::Int(int) };
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(IntOrStringVisitor(self))
    }
}

struct IntOrStringVisitor<'v, 'a>(&'v mut IntOrString<'a>);

impl IntOrStringVisitor<'_, '_> {
    fn set(self, value: Option<i32>) -> bool {
        if let Some(value) = value {
            *self.0 = IntOrString::Int(value);
        }
        value.is_some()
    }
}

impl<'de> Visitor<'de> for IntOrStringVisitor<'_, 'de> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a percentage")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<bool, E> {
        *self.0 = IntOrString::Text(Str::from(text));
        Ok(true)
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        *self.0 = IntOrString::Text(Str::from(text.to_owned()));
        Ok(true)
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(self.set(i32::try_from(value).ok()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(self.set(i32::try_from(value).ok()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    others!('de: bool, unit, seq, map);
}

impl Encode for IntOrString<'_> {
    fn omitted(&self) -> bool {
        *self == Self::Int(0)
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        writer::nested(number, out, |out| match self {
            Self::Int(value) => value.write(2, out),
            Self::Text(text) => {
                writer::integer(1, 1, out);
                text.write(3, out);
            }
        });
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(value) => sink.serialize_i32(*value),
            Self::Text(text) => sink.serialize_str(text),
        }
    }
}
