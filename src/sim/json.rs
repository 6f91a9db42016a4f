//! JSON as the embedded fleet keeps it: small, shared, and cheap to copy.
//!
//! A fleet holds hundreds of thousands of objects that say much the same. A value is 16 bytes;
//! lists, maps and strings are behind `Arc`, so a pod shares its template's containers and an
//! object's successor shares what did not change; names of fields, short strings and equal parts
//! of objects are kept once per thread. A change copies what is shared, along its path only.

mod list;
mod map;
mod share;
mod text;

use std::fmt;
use std::ops::{Index, IndexMut};

use arcstr::ArcStr;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

pub(crate) use list::List;
pub(crate) use map::Map;
pub(crate) use share::share;
pub(crate) use text::intern;

/// Writes a value as JSON text, with expressions in it.
macro_rules! json {
    ($($tokens:tt)*) => { $crate::sim::json::Value::from(::serde_json::json!($($tokens)*)) };
}
pub(crate) use json;

/// A JSON value.
#[derive(Clone, Default, Debug)]
pub(crate) enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(ArcStr),
    Array(List),
    Object(Map),
}

static NULL: Value = Value::Null;

impl Value {
    /// A field of an object or an item of a list.
    pub(crate) fn get<K: Key>(&self, key: K) -> Option<&Value> {
        key.of(self)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.as_object_mut()?.get_mut(key)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_i64(&self) -> Option<i64> {
        if let Value::Int(n) = self { Some(*n) } else { None }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Float(n) => Some(*n),
            _ => None,
        }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(flag) = self { Some(*flag) } else { None }
    }

    pub(crate) fn as_array(&self) -> Option<&Vec<Value>> {
        if let Value::Array(items) = self { Some(items) } else { None }
    }

    pub(crate) fn as_array_mut(&mut self) -> Option<&mut Vec<Value>> {
        if let Value::Array(items) = self { Some(items) } else { None }
    }

    pub(crate) fn as_object(&self) -> Option<&Map> {
        if let Value::Object(map) = self { Some(map) } else { None }
    }

    pub(crate) fn as_object_mut(&mut self) -> Option<&mut Map> {
        if let Value::Object(map) = self { Some(map) } else { None }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Value::Object(_))
    }

    pub(crate) fn is_array(&self) -> bool {
        matches!(self, Value::Array(_))
    }

    pub(crate) fn is_string(&self) -> bool {
        matches!(self, Value::String(_))
    }

    pub(crate) fn is_boolean(&self) -> bool {
        matches!(self, Value::Bool(_))
    }

    pub(crate) fn is_i64(&self) -> bool {
        matches!(self, Value::Int(_))
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Value::Int(_) | Value::Float(_))
    }

    /// The value at a JSON pointer (RFC 6901), to be changed.
    pub(crate) fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |value, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            match value {
                Value::Object(map) => map.get_mut(&token),
                Value::Array(items) => items.get_mut(token.parse::<usize>().ok()?),
                _ => None,
            }
        })
    }

    /// Reads JSON text.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The same for those who know no other JSON.
    pub(crate) fn plain(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Int(n) => (*n).into(),
            Value::Float(n) => (*n).into(),
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => items.iter().map(Value::plain).collect(),
            Value::Object(map) => {
                map.iter().map(|(k, v)| (k.to_string(), v.plain())).collect::<serde_json::Map<_, _>>().into()
            }
        }
    }
}

/// What a value is asked for: a field or an item.
pub(crate) trait Key {
    fn of(self, value: &Value) -> Option<&Value>;
}

impl Key for &str {
    fn of(self, value: &Value) -> Option<&Value> {
        value.as_object()?.get(self)
    }
}

impl Key for &String {
    fn of(self, value: &Value) -> Option<&Value> {
        value.as_object()?.get(self)
    }
}

impl Key for &ArcStr {
    fn of(self, value: &Value) -> Option<&Value> {
        value.as_object()?.get(self)
    }
}

impl Key for usize {
    fn of(self, value: &Value) -> Option<&Value> {
        value.as_array()?.get(self)
    }
}

impl<K: Key> Index<K> for Value {
    type Output = Value;

    fn index(&self, key: K) -> &Value {
        key.of(self).unwrap_or(&NULL)
    }
}

impl IndexMut<&str> for Value {
    fn index_mut(&mut self, key: &str) -> &mut Value {
        super::fields::object_mut(self).entry(key).or_insert(Value::Null)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => a == b,
            (Value::Object(a), Value::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(*other)
    }
}

impl PartialEq<ArcStr> for Value {
    fn eq(&self, other: &ArcStr) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<i64> for Value {
    fn eq(&self, other: &i64) -> bool {
        self.as_i64() == Some(*other)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Value {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(flag) => Value::Bool(flag),
            serde_json::Value::Number(n) => match n.as_i64() {
                Some(n) => Value::Int(n),
                None => Value::Float(n.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Value::String(intern(&text)),
            serde_json::Value::Array(items) => items.into_iter().map(Value::from).collect(),
            serde_json::Value::Object(map) => {
                Value::Object(map.into_iter().map(|(k, v)| (intern(&k), Value::from(v))).collect())
            }
        }
    }
}

macro_rules! from_text {
    ($($from:ty),*) => {$(
        impl From<$from> for Value {
            fn from(text: $from) -> Value {
                Value::String(intern(&text))
            }
        }
    )*};
}
from_text!(&str, String, &String, std::borrow::Cow<'_, str>);

macro_rules! from_int {
    ($($from:ty),*) => {$(
        impl From<$from> for Value {
            fn from(n: $from) -> Value {
                i64::try_from(n).map_or(Value::Float(n as f64), Value::Int)
            }
        }
    )*};
}
from_int!(i64, i32, u32, u64, usize);

impl From<f64> for Value {
    fn from(n: f64) -> Value {
        Value::Float(n)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Bool(flag)
    }
}

impl From<ArcStr> for Value {
    fn from(text: ArcStr) -> Value {
        Value::String(text)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Value {
        Value::Object(map)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        items.into_iter().collect()
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Value {
        Value::Array(items.into_iter().map(Into::into).collect::<Vec<Value>>().into())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(n) => serializer.serialize_i64(*n),
            Value::Float(n) => serializer.serialize_f64(*n),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => serializer.collect_seq(items.iter()),
            Value::Object(map) => map.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        Value::deserialize(inner)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
        Ok(Value::Float(n))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(intern(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        items.shrink_to_fit();
        Ok(Value::Array(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((Name(key), value)) = entries.next_entry::<Name, Value>()? {
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// The name of a field, as it is read.
struct Name(ArcStr);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name(intern(text)))
            }
        }
        deserializer.deserialize_str(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_in_its_order() {
        let text = r#"{"b":[1,-2,1.5,"x",null,true],"a":{"deep":{"er":"ü\n"}}}"#;
        let value = Value::parse(text.as_bytes()).unwrap();
        assert_eq!(value.to_string(), text);
        assert_eq!(Value::from(value.plain()), value);
        assert_eq!(
            value,
            Value::parse(br#"{"a":{"deep":{"er":"\u00fc\n"}},"b":[1,-2,1.5,"x",null,true]}"#).unwrap()
        );
        assert!(Value::parse(b"{").is_err());
    }

    #[test]
    fn a_value_is_small_and_its_copy_is_shared_until_it_changes() {
        assert_eq!(size_of::<Value>(), 16);
        let first = json!({"spec": {"containers": [{"name": "a"}], "node": "n"}, "status": {"phase": "x"}});
        let mut second = first.clone();
        second["status"]["phase"] = "y".into();
        let place = |v: &Value| v["spec"]["containers"].as_array().unwrap().as_ptr();
        assert_eq!(place(&first), place(&second), "what did not change is shared");
        assert_eq!((&first["status"]["phase"], &second["status"]["phase"]), (&json!("x"), &json!("y")));
        *second.pointer_mut("/spec/containers/0/name").unwrap() = "b".into();
        assert_eq!(first["spec"]["containers"][0]["name"], "a");
    }
}
