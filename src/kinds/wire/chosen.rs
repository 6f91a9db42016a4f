//! A map of which only some keys are kept: annotations can be larger than the object they are on
//! (a whole manifest in `last-applied-configuration`), and a dozen of them matter.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::declare::others;
use super::reader::Wire;
use super::{Decode, Encode, Map, Reader, Slot, Str, Tag, WireError};

/// Which keys of a map are kept.
pub trait Keys {
    /// Whether this one is.
    fn keeps(key: &str) -> bool;
}

/// The entries of a text map that `K` keeps. The others are stepped over unread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chosen<'a, K> {
    entries: Map<'a, Str<'a>>,
    keys: PhantomData<K>,
}

impl<'a, K> Deref for Chosen<'a, K> {
    type Target = Map<'a, Str<'a>>;

    fn deref(&self) -> &Map<'a, Str<'a>> {
        &self.entries
    }
}

impl<'a, K: Keys + Default> Decode<'a> for Chosen<'a, K> {
    const WIRE: Wire = Wire::Bytes;

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        let mut entry = reader.message()?;
        let (mut key, mut value) = (Str::default(), &[][..]);
        while let Some(tag) = entry.tag()? {
            match tag {
                Tag { number: 1, wire: Wire::Bytes } => key.read(&mut entry)?,
                Tag { number: 2, wire: Wire::Bytes } => value = entry.bytes()?,
                other => entry.skip(other)?,
            }
        }
        if K::keeps(&key) {
            self.entries.push(key, Str::from_utf8(value));
        }
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(ChosenVisitor(self))
    }
}

struct ChosenVisitor<'v, 'a, K>(&'v mut Chosen<'a, K>);

impl<'de, K: Keys> Visitor<'de> for ChosenVisitor<'_, 'de, K> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(key) = map.next_key::<Str<'de>>()? {
            if K::keeps(&key) {
                let mut value = Str::default();
                map.next_value_seed(Slot(&mut value))?;
                self.0.entries.push(key, value);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(true)
    }

    others!('de: bool, number, text, unit, seq);
}

impl<K> Encode for Chosen<'_, K> {
    fn omitted(&self) -> bool {
        self.entries.omitted()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        self.entries.write(number, out);
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        self.entries.write_json(sink)
    }
}
