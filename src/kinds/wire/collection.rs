//! Lists, maps, and messages of which only the presence matters.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use super::declare::{AsJson, others};
use super::reader::Wire;
use super::{Decode, Encode, Reader, Slot, Str, Tag, WireError, writer};

/// A repeated field. Kubernetes' protobuf (proto2) never packs its integers.
impl<'a, T: Decode<'a>> Decode<'a> for Vec<T> {
    const WIRE: Wire = T::WIRE;

    #[inline]
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        let mut item = T::default();
        item.read(reader)?;
        begun(self).push(item);
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(VecVisitor(self, PhantomData))
    }
}

/// With room for as many as there mostly are, before the first: labels, amounts and conditions are some, and
/// growing would copy them; of containers, which are large, there are one or two.
fn begun<T>(items: &mut Vec<T>) -> &mut Vec<T> {
    const SMALL: usize = 128;
    if items.capacity() == 0 {
        items.reserve_exact(if size_of::<T>() <= SMALL { 8 } else { 2 });
    }
    items
}

struct VecVisitor<'v, 'a, T>(&'v mut Vec<T>, PhantomData<&'a ()>);

impl<'de, T: Decode<'de>> Visitor<'de> for VecVisitor<'_, 'de, T> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        loop {
            let mut item = T::default();
            match seq.next_element_seed(Slot(&mut item))? {
                Some(true) => self.0.push(item),
                Some(false) => {}
                None => return Ok(true),
            }
        }
    }

    others!('de: bool, number, text, unit, map);
}

impl<T: Encode> Encode for Vec<T> {
    fn omitted(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        for item in self {
            item.write(number, out);
        }
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        let mut seq = sink.serialize_seq(Some(self.len()))?;
        for item in self {
            seq.serialize_element(&AsJson(item))?;
        }
        seq.end()
    }
}

/// A map with text keys, in the order in which it came (the API server sorts by key).
///
/// In protobuf a list of entries `{1 key, 2 value}`, in JSON an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Map<'a, V>(Vec<(Str<'a>, V)>);

impl<V> Default for Map<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, V> Map<'a, V> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &V)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// Adds an entry at the end.
    pub fn push(&mut self, key: Str<'a>, value: V) {
        self.0.push((key, value));
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, V> FromIterator<(Str<'a>, V)> for Map<'a, V> {
    fn from_iter<I: IntoIterator<Item = (Str<'a>, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<'a, V: Decode<'a>> Decode<'a> for Map<'a, V> {
    const WIRE: Wire = Wire::Bytes;

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        let mut entry = reader.message()?;
        let (mut key, mut value) = (Str::default(), V::default());
        while let Some(tag) = entry.tag()? {
            match tag {
                Tag { number: 1, wire: Wire::Bytes } => key.read(&mut entry)?,
                Tag { number: 2, wire } if wire == V::WIRE => value.read(&mut entry)?,
                other => entry.skip(other)?,
            }
        }
        begun(&mut self.0).push((key, value));
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(MapVisitor(self))
    }
}

struct MapVisitor<'v, 'a, V>(&'v mut Map<'a, V>);

impl<'de, V: Decode<'de>> Visitor<'de> for MapVisitor<'_, 'de, V> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(key) = map.next_key::<Str<'de>>()? {
            // a value of another type (or null) keeps its key, with the empty value, as in Go
            let mut value = V::default();
            map.next_value_seed(Slot(&mut value))?;
            self.0.0.push((key, value));
        }
        Ok(true)
    }

    others!('de: bool, number, text, unit, seq);
}

impl<V: Encode> Encode for Map<'_, V> {
    fn omitted(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        for (key, value) in &self.0 {
            writer::nested(number, out, |out| {
                key.write(1, out);
                value.write(2, out);
            });
        }
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        let mut map = sink.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key.as_str(), &AsJson(value))?;
        }
        map.end()
    }
}

/// A message of which only the presence matters, such as `emptyDir`. What is in it is stepped
/// over, and is lost when written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present(pub bool);

impl<'a> Decode<'a> for Present {
    const WIRE: Wire = Wire::Bytes;

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        reader.bytes()?;
        self.0 = true;
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        self.0 = Option::<IgnoredAny>::deserialize(source)?.is_some();
        Ok(self.0)
    }
}

impl Encode for Present {
    fn omitted(&self) -> bool {
        !self.0
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        writer::bytes(number, &[], out);
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.serialize_map(Some(0))?.end()
    }
}

impl Serialize for Present {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        self.write_json(sink)
    }
}
