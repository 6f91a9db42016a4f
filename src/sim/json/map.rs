//! The fields of an object, in their order. Objects have few fields, so they are searched.

use std::ops::Index;
use std::sync::Arc;

use arcstr::ArcStr;
use serde::ser::{Serialize, Serializer};

use super::{Value, intern};

/// The fields of an object.
#[derive(Clone, Default, Debug)]
pub(crate) struct Map(Arc<Vec<(ArcStr, Value)>>);

impl Map {
    pub(crate) fn new() -> Map {
        Map::default()
    }

    fn place(&self, key: &str) -> Option<usize> {
        // names of fields are mostly one and the same allocation
        self.0
            .iter()
            .position(|(k, _)| std::ptr::eq(k.as_str(), key))
            .or_else(|| self.0.iter().position(|(k, _)| k == key))
    }

    /// Whether it is the same allocation.
    pub(crate) fn same(&self, other: &Map) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where it is.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Sets the field at a place.
    pub(super) fn put(&mut self, at: usize, value: Value) {
        if let Some((_, field)) = self.own().get_mut(at) {
            *field = value;
        }
    }

    fn own(&mut self) -> &mut Vec<(ArcStr, Value)> {
        Arc::make_mut(&mut self.0)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let at = self.place(key)?;
        self.own().get_mut(at).map(|(_, v)| v)
    }

    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets a field; gives what it was.
    pub(crate) fn insert(&mut self, key: ArcStr, value: Value) -> Option<Value> {
        match self.place(&key) {
            Some(at) => Some(std::mem::replace(&mut self.own()[at].1, value)),
            None => {
                let fields = self.own();
                // most objects are made once and kept for long: no room for more than they have
                fields.reserve_exact(1);
                fields.push((key, value));
                None
            }
        }
    }

    /// Takes a field out; the others keep their order.
    pub(crate) fn shift_remove(&mut self, key: &str) -> Option<Value> {
        let at = self.place(key)?;
        Some(self.own().remove(at).1)
    }

    pub(crate) fn entry(&mut self, key: impl AsRef<str>) -> Entry<'_> {
        let at = self.place(key.as_ref());
        // a field that is there has its name already
        let key = if at.is_some() { ArcStr::new() } else { intern(key.as_ref()) };
        Entry { map: self, at, key }
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&ArcStr, &mut Value) -> bool) {
        self.own().retain_mut(|(k, v)| keep(k, v));
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&ArcStr, &Value)> {
        self.0.iter().map(|(k, v)| (k, v))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&ArcStr, &mut Value)> {
        self.own().iter_mut().map(|(k, v)| (&*k, v))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &ArcStr> {
        self.0.iter().map(|(k, _)| k)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|(_, v)| v)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A field that is there or is to be made.
pub(crate) struct Entry<'a> {
    map: &'a mut Map,
    at: Option<usize>,
    /// Its name, where it is to be made.
    key: ArcStr,
}

impl<'a> Entry<'a> {
    pub(crate) fn or_insert(self, value: Value) -> &'a mut Value {
        self.or_insert_with(|| value)
    }

    pub(crate) fn or_insert_with(self, value: impl FnOnce() -> Value) -> &'a mut Value {
        let at = self.at.unwrap_or_else(|| {
            self.map.insert(self.key, value());
            self.map.len() - 1
        });
        &mut self.map.own()[at].1
    }
}

impl PartialEq for Map {
    /// Whatever the order.
    fn eq(&self, other: &Map) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self.0 == other.0
            || (self.len() == other.len() && self.iter().all(|(k, v)| other.get(k) == Some(v)))
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(k, v)| (k.as_str(), v)))
    }
}

impl Index<&str> for Map {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&super::NULL)
    }
}

impl Extend<(ArcStr, Value)> for Map {
    fn extend<I: IntoIterator<Item = (ArcStr, Value)>>(&mut self, fields: I) {
        for (key, value) in fields {
            self.insert(key, value);
        }
    }
}

impl FromIterator<(ArcStr, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (ArcStr, Value)>>(fields: I) -> Map {
        let mut map = Map::new();
        map.extend(fields);
        map
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a ArcStr, &'a Value);
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<'a> IntoIterator for &'a mut Map {
    type Item = (&'a ArcStr, &'a mut Value);
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter_mut())
    }
}

impl IntoIterator for Map {
    type Item = (ArcStr, Value);
    type IntoIter = std::vec::IntoIter<(ArcStr, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}
