//! The macro `wire!` and the traits of what it makes.

use std::fmt;
use std::marker::PhantomData;

use serde::Serializer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;

use super::reader::Wire;
use super::{Reader, Str, WireError};

/// The methods of a visitor for values of a type it does not want: consumed, not an error.
macro_rules! others {
    ($de:lifetime: $($kind:ident),*) => { $( others!(@ $kind $de); )* };
    (@ bool $de:lifetime) => {
        fn visit_bool<E>(self, _: bool) -> Result<bool, E> { Ok(false) }
    };
    (@ number $de:lifetime) => {
        fn visit_i64<E>(self, _: i64) -> Result<bool, E> { Ok(false) }
        fn visit_u64<E>(self, _: u64) -> Result<bool, E> { Ok(false) }
        fn visit_f64<E>(self, _: f64) -> Result<bool, E> { Ok(false) }
    };
    (@ text $de:lifetime) => {
        fn visit_str<E>(self, _: &str) -> Result<bool, E> { Ok(false) }
    };
    (@ unit $de:lifetime) => {
        fn visit_unit<E>(self) -> Result<bool, E> { Ok(false) }
    };
    (@ seq $de:lifetime) => {
        fn visit_seq<A: serde::de::SeqAccess<$de>>(self, mut seq: A) -> Result<bool, A::Error> {
            while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok(false)
        }
    };
    (@ map $de:lifetime) => {
        fn visit_map<A: serde::de::MapAccess<$de>>(self, mut map: A) -> Result<bool, A::Error> {
            while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
            Ok(false)
        }
    };
}
pub(super) use others;

/// What a field can be read into, from either format.
pub trait Decode<'a>: Default {
    /// The protobuf wire type of the field; an occurrence with another one is stepped over.
    const WIRE: Wire;

    /// Reads one occurrence of the field from protobuf. A repeated field has one occurrence per
    /// element, and a message that occurs twice is merged.
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError>;

    /// Reads the field from JSON and says whether the value was of its type; if it was not (as
    /// `null` never is), the field is left as it was. An error means broken JSON.
    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error>;
}

/// What a field can be written from, into either format.
pub trait Encode {
    /// Whether the field is at its default and so left out, as by Go's `omitempty`.
    fn omitted(&self) -> bool;

    /// Appends the field to a protobuf message.
    fn write(&self, number: u32, out: &mut Vec<u8>);

    /// Writes the field's JSON value.
    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error>;
}

/// A message declared with `wire!`.
pub trait Message<'a>: Decode<'a> + Encode {
    /// Reads the fields of a protobuf message until its end.
    fn merge(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError>;

    /// Reads the value of `key` if the message has such a field, and says whether it has.
    fn read_entry<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>;

    /// Appends the message's protobuf fields, without length or tag.
    fn write_fields(&self, out: &mut Vec<u8>);

    /// Writes the message's fields into a JSON object.
    fn write_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

/// A place to read a JSON value into; answers whether the value fitted.
#[derive(Debug)]
pub struct Slot<'v, V>(pub &'v mut V);

impl<'a, V: Decode<'a>> DeserializeSeed<'a> for Slot<'_, V> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, source: D) -> Result<bool, D::Error> {
        self.0.read_json(source)
    }
}

/// A field as serde wants to have it.
pub(crate) struct AsJson<'v, V>(pub(crate) &'v V);

impl<V: Encode> serde::Serialize for AsJson<'_, V> {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        self.0.write_json(sink)
    }
}

/// Reads a JSON object into a message.
pub(crate) struct MessageVisitor<'v, 'a, M>(pub(crate) &'v mut M, pub(crate) PhantomData<&'a ()>);

impl<'de, M: Message<'de>> Visitor<'de> for MessageVisitor<'_, 'de, M> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(key) = map.next_key::<Str<'de>>()? {
            if !self.0.read_entry(&key, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(true)
    }

    others!('de: bool, number, text, unit, seq);
}

/// Declares messages, one line per field: protobuf number, JSON name (or `inline` for a struct
/// that Go embeds: a message in protobuf, flat in JSON), then the field.
///
/// ```text
/// wire! {
///     /// A volume of a pod.
///     pub struct Volume<'a> {
///         1 "name" name: Str<'a>,
///         2 inline source: VolumeSource<'a>,
///     }
/// }
/// ```
///
/// gives the struct (`Default`, `Debug`, `Clone`, `PartialEq`) with [`Message`], serde's
/// `Deserialize` (borrowing) and `Serialize`. The numbers are those of the `generated.proto`
/// beside the Go type.
macro_rules! wire {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(<$life:lifetime>)? { $($fields:tt)* }
    )*) => {
        $( $crate::kinds::wire::wire!(@lifetime [$(#[$meta])*] $name [$($life)?] { $($fields)* }); )*
    };
    (@lifetime [$($meta:tt)*] $name:ident [$life:lifetime] { $($fields:tt)* }) => {
        $crate::kinds::wire::wire!(@message [$($meta)*] $name [<$life>] $life { $($fields)* });
    };
    (@lifetime [$($meta:tt)*] $name:ident [] { $($fields:tt)* }) => {
        $crate::kinds::wire::wire!(@message [$($meta)*] $name [] 'de { $($fields)* });
    };
    (@message [$($meta:tt)*] $name:ident [$($generics:tt)*] $life:lifetime {
        $( $(#[$field_meta:meta])* $number:literal $key:tt $field:ident: $type:ty ),* $(,)?
    }) => {
        $($meta)*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name $($generics)* {
            $(
                $(#[$field_meta])*
                #[doc = concat!("`", stringify!($field), "`: protobuf field ", $number, ", JSON `", stringify!($key), "`.")]
                pub $field: $type,
            )*
        }

        impl<$life> $crate::kinds::wire::Message<$life> for $name $($generics)* {
            fn merge(
                &mut self,
                reader: &mut $crate::kinds::wire::Reader<$life>,
            ) -> Result<(), $crate::kinds::wire::WireError> {
                while let Some(tag) = reader.tag()? {
                    match tag.number {
                        $(
                            $number if tag.wire == <$type as $crate::kinds::wire::Decode<$life>>::WIRE => {
                                $crate::kinds::wire::Decode::read(&mut self.$field, reader)?;
                            }
                        )*
                        _ => reader.skip(tag)?,
                    }
                }
                Ok(())
            }

            fn read_entry<A: serde::de::MapAccess<$life>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<bool, A::Error> {
                $( $crate::kinds::wire::wire!(@read $key, &mut self.$field, key, map); )*
                Ok(false)
            }

            fn write_fields(&self, out: &mut Vec<u8>) {
                $(
                    if !$crate::kinds::wire::Encode::omitted(&self.$field) {
                        $crate::kinds::wire::Encode::write(&self.$field, $number, out);
                    }
                )*
            }

            fn write_entries<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $(
                    if !$crate::kinds::wire::Encode::omitted(&self.$field) {
                        $crate::kinds::wire::wire!(@write $key, &self.$field, map);
                    }
                )*
                Ok(())
            }
        }

        impl<$life> $crate::kinds::wire::Decode<$life> for $name $($generics)* {
            const WIRE: $crate::kinds::wire::Wire = $crate::kinds::wire::Wire::Bytes;

            fn read(
                &mut self,
                reader: &mut $crate::kinds::wire::Reader<$life>,
            ) -> Result<(), $crate::kinds::wire::WireError> {
                $crate::kinds::wire::Message::merge(self, &mut reader.message()?)
            }

            fn read_json<D: serde::Deserializer<$life>>(&mut self, source: D) -> Result<bool, D::Error> {
                source.deserialize_any($crate::kinds::wire::MessageVisitor(self, std::marker::PhantomData))
            }
        }

        impl $($generics)* $crate::kinds::wire::Encode for $name $($generics)* {
            fn omitted(&self) -> bool {
                $( $crate::kinds::wire::Encode::omitted(&self.$field) )&&*
            }

            fn write(&self, number: u32, out: &mut Vec<u8>) {
                $crate::kinds::wire::nested(number, out, |out| {
                    $crate::kinds::wire::Message::write_fields(self, out);
                });
            }

            fn write_json<S: serde::Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
                let mut map = sink.serialize_map(None)?;
                $crate::kinds::wire::Message::write_entries(self, &mut map)?;
                serde::ser::SerializeMap::end(map)
            }
        }

        impl<$life> serde::Deserialize<$life> for $name $($generics)* {
            fn deserialize<D: serde::Deserializer<$life>>(source: D) -> Result<Self, D::Error> {
                let mut message = Self::default();
                $crate::kinds::wire::Decode::read_json(&mut message, source)?;
                Ok(message)
            }
        }

        impl $($generics)* serde::Serialize for $name $($generics)* {
            fn serialize<S: serde::Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
                $crate::kinds::wire::Encode::write_json(self, sink)
            }
        }
    };
    (@read inline, $slot:expr, $key:ident, $map:ident) => {
        if $crate::kinds::wire::Message::read_entry($slot, $key, $map)? {
            return Ok(true);
        }
    };
    (@read $name:literal, $slot:expr, $key:ident, $map:ident) => {
        if $key == $name {
            $map.next_value_seed($crate::kinds::wire::Slot($slot))?;
            return Ok(true);
        }
    };
    (@write inline, $field:expr, $map:ident) => {
        $crate::kinds::wire::Message::write_entries($field, $map)?;
    };
    (@write $name:literal, $field:expr, $map:ident) => {
        $map.serialize_entry($name, &$crate::kinds::wire::AsJson($field))?;
    };
}
pub(crate) use wire;
