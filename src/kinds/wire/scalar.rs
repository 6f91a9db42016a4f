//! Booleans, integers, and values that Go holds by pointer.

use std::fmt;
use std::marker::PhantomData;

use serde::Serializer;
use serde::de::{Deserializer, Visitor};

use super::declare::others;
use super::reader::Wire;
use super::{Decode, Encode, Reader, WireError, writer};

impl<'a> Decode<'a> for bool {
    const WIRE: Wire = Wire::Varint;

    #[inline]
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        *self = reader.varint()? != 0;
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(BoolVisitor(self))
    }
}

struct BoolVisitor<'v>(&'v mut bool);

impl<'de> Visitor<'de> for BoolVisitor<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean")
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        *self.0 = value;
        Ok(true)
    }

    others!('de: text, number, unit, seq, map);
}

impl Encode for bool {
    fn omitted(&self) -> bool {
        !*self
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        writer::integer(number, i64::from(*self), out);
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.serialize_bool(*self)
    }
}

impl<'a> Decode<'a> for i64 {
    const WIRE: Wire = Wire::Varint;

    #[inline]
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        *self = reader.varint()?.cast_signed();
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(IntegerVisitor(|value| *self = value))
    }
}

impl<'a> Decode<'a> for i32 {
    const WIRE: Wire = Wire::Varint;

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "protobuf's int32 is the low half of the integer")]
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        *self = reader.varint()? as i32;
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        let mut wide = 0i64;
        let fits = wide.read_json(source)?;
        match i32::try_from(wide) {
            Ok(value) if fits => {
                *self = value;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

struct IntegerVisitor<F>(F);

impl<'de, F: FnOnce(i64)> Visitor<'de> for IntegerVisitor<F> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        (self.0)(value);
        Ok(true)
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        let Ok(value) = i64::try_from(value) else { return Ok(false) };
        (self.0)(value);
        Ok(true)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    others!('de: bool, text, unit, seq, map);
}

macro_rules! integer_out {
    ($($int:ty)*) => { $(
        impl Encode for $int {
            fn omitted(&self) -> bool {
                *self == 0
            }

            fn write(&self, number: u32, out: &mut Vec<u8>) {
                writer::integer(number, i64::from(*self), out);
            }

            fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
                sink.serialize_i64(i64::from(*self))
            }
        }
    )* };
}
integer_out!(i32 i64);

/// A value that Go holds by pointer: absent is not the same as zero.
impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
    const WIRE: Wire = T::WIRE;

    #[inline]
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        self.get_or_insert_default().read(reader)
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_option(OptionVisitor(self, PhantomData))
    }
}

struct OptionVisitor<'v, 'a, T>(&'v mut Option<T>, PhantomData<&'a ()>);

impl<'de, T: Decode<'de>> Visitor<'de> for OptionVisitor<'_, 'de, T> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        *self.0 = None;
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        *self.0 = None;
        Ok(true)
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<bool, D::Error> {
        let mut value = T::default();
        let fits = value.read_json(source)?;
        if fits {
            *self.0 = Some(value);
        }
        Ok(fits)
    }
}

impl<T: Encode> Encode for Option<T> {
    fn omitted(&self) -> bool {
        self.is_none()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.write(number, out);
        }
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.write_json(sink),
            None => sink.serialize_none(),
        }
    }
}
