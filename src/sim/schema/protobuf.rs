//! Objects as protobuf, by the table of their fields: what Go clients send and ask for.

use crate::sim::json::{Map, Value, intern};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Field, Kind, Message, Shape, texts};
use crate::kinds::wire::{Reader, Tag, Wire, WireError, nested, put_bytes, put_integer};

/// A message as JSON. Fields that the table does not know are stepped over.
pub(crate) fn from_protobuf(message: &Message, bytes: &[u8]) -> Result<Value, WireError> {
    let mut out = Map::new();
    read(message, &mut Reader::new(bytes), &mut out)?;
    Ok(Value::Object(out))
}

fn read(message: &Message, reader: &mut Reader<'_>, out: &mut Map) -> Result<(), WireError> {
    while let Some(tag) = reader.tag()? {
        let Some(field) = message.numbered(tag.number) else {
            reader.skip(tag)?;
            continue;
        };
        match (field.shape, tag.wire) {
            (Shape::Map, Wire::Bytes) => {
                let (key, value) = entry(field, reader)?;
                if let Some(map) = held(out, field.name, Map::new().into()).as_object_mut() {
                    map.insert(intern(&key), value);
                }
            }
            // numbers may come packed
            (Shape::List, Wire::Bytes) if matches!(field.kind, Kind::Int32 | Kind::Int64) => {
                let mut packed = reader.message()?;
                let end = packed.length();
                while packed.position() < end {
                    let value = number(packed.varint()?);
                    push(out, field.name, value);
                }
            }
            (Shape::List, _) => {
                let item = value(field, tag, reader)?;
                push(out, field.name, item);
            }
            (_, Wire::Bytes) if field.name.is_empty() => {
                let mut inner = reader.message()?;
                if let Some(message) = field.message() {
                    read(message, &mut inner, out)?;
                }
            }
            _ => {
                let value = value(field, tag, reader)?;
                // Go writes what is unset as the zero value; JSON leaves it out
                if !unset(field, &value) {
                    out.insert(intern(field.name), value);
                }
            }
        }
    }
    Ok(())
}

fn unset(field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() && field.kind == Kind::Text && !field.required,
        Value::Object(map) => map.is_empty() && field.name == "status",
        _ => false,
    }
}

fn held<'a>(out: &'a mut Map, name: &str, empty: Value) -> &'a mut Value {
    out.entry(name).or_insert(empty)
}

fn push(out: &mut Map, name: &str, item: Value) {
    if let Some(items) = held(out, name, Value::from(Vec::<Value>::new())).as_array_mut() {
        items.push(item);
    }
}

fn number(varint: u64) -> Value {
    Value::Int(varint.cast_signed())
}

/// One entry of a map: its key and its value are the fields 1 and 2 of a message.
fn entry(field: &Field, reader: &mut Reader<'_>) -> Result<(String, Value), WireError> {
    let mut inner = reader.message()?;
    let (mut key, mut found) = (String::new(), Value::Null);
    while let Some(tag) = inner.tag()? {
        match tag {
            Tag { number: 1, wire: Wire::Bytes } => key = inner.text()?.to_string(),
            Tag { number: 2, .. } => found = value(field, tag, &mut inner)?,
            other => inner.skip(other)?,
        }
    }
    if found.is_null() && matches!(field.kind, Kind::Text | Kind::Bytes) {
        found = Value::from("");
    }
    Ok((key, found))
}

fn value(field: &Field, tag: Tag, reader: &mut Reader<'_>) -> Result<Value, WireError> {
    Ok(match (field.kind, tag.wire) {
        (Kind::Flag, Wire::Varint) => Value::Bool(reader.varint()? != 0),
        (_, Wire::Varint) => number(reader.varint()?),
        (Kind::Text, Wire::Bytes) => Value::from(&*reader.text()?),
        (Kind::Bytes, Wire::Bytes) => Value::from(STANDARD.encode(reader.bytes()?)),
        (Kind::Quantity, Wire::Bytes) => part(reader, 1)?.text,
        (Kind::IntOrString, Wire::Bytes) => {
            let parts = [part(&mut reader.clone(), 1)?, part(&mut reader.clone(), 2)?, part(reader, 3)?];
            let [kind, int, text] = parts;
            if kind.number == 0 { number(int.number) } else { text.text }
        }
        (Kind::Time | Kind::MicroTime, Wire::Bytes) => {
            let (seconds, nanos) = (part(&mut reader.clone(), 1)?.number, part(reader, 2)?.number);
            moment(field.kind, seconds.cast_signed(), nanos)
        }
        (Kind::Duration, Wire::Bytes) => {
            let nanos = part(reader, 1)?.number;
            Value::from(format!("{}ms", nanos / 1_000_000))
        }
        (Kind::Raw | Kind::Fields, Wire::Bytes) => {
            Value::parse(part(reader, 1)?.text.as_str().unwrap_or_default().as_bytes()).unwrap_or_default()
        }
        (Kind::Message(_), Wire::Bytes) => {
            let mut inner = reader.message()?;
            let mut map = Map::new();
            if let Some(message) = field.message() {
                read(message, &mut inner, &mut map)?;
            }
            Value::Object(map)
        }
        _ => {
            reader.skip(tag)?;
            Value::Null
        }
    })
}

/// One field of a small message, whatever its type.
struct Part {
    number: u64,
    text: Value,
}

fn part(reader: &mut Reader<'_>, wanted: u32) -> Result<Part, WireError> {
    let mut inner = reader.message()?;
    let mut part = Part { number: 0, text: Value::from("") };
    while let Some(tag) = inner.tag()? {
        match tag {
            Tag { number, wire: Wire::Varint } if number == wanted => part.number = inner.varint()?,
            Tag { number, wire: Wire::Bytes } if number == wanted => {
                part.text = Value::from(&*inner.text()?);
            }
            other => inner.skip(other)?,
        }
    }
    Ok(part)
}

fn moment(kind: Kind, seconds: i64, nanos: u64) -> Value {
    let nanos = i32::try_from(nanos.min(999_999_999)).unwrap_or_default();
    match jiff::Timestamp::new(seconds, nanos) {
        // no moment: Go's zero time
        Ok(_) if seconds == 0 && nanos == 0 => Value::Null,
        Ok(_) if seconds <= -62_135_596_800 => Value::Null,
        Ok(at) if kind == Kind::MicroTime => Value::from(at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()),
        Ok(at) => Value::from(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        Err(_) => Value::Null,
    }
}

/// An object as the bytes of its message.
pub(crate) fn to_protobuf(message: &Message, object: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    if let Some(map) = object.as_object() {
        write(message, map, &mut out);
    }
    out
}

fn write(message: &Message, object: &Map, out: &mut Vec<u8>) {
    for field in &message.fields {
        if field.name.is_empty() {
            let inner = field.message().into_iter().flat_map(|m| &m.fields);
            if let Some(message) = field.message()
                && inner.into_iter().any(|f| object.contains_key(f.name))
            {
                nested(field.number, out, |out| write(message, object, out));
            }
            continue;
        }
        let Some(value) = object.get(field.name) else { continue };
        match (field.shape, value) {
            (_, Value::Null) => {}
            (Shape::List, Value::Array(items)) => {
                items.iter().for_each(|i| write_value(field, field.number, i, out))
            }
            (Shape::Map, Value::Object(map)) => {
                for (key, value) in map {
                    nested(field.number, out, |out| {
                        put_bytes(1, key.as_bytes(), out);
                        write_value(field, 2, value, out);
                    });
                }
            }
            (Shape::One, value) => write_value(field, field.number, value, out),
            // not what the table says: left out, as nothing could read it
            _ => {}
        }
    }
}

fn write_value(field: &Field, number: u32, value: &Value, out: &mut Vec<u8>) {
    let text = || value.as_str().unwrap_or_default();
    match field.kind {
        Kind::Text => put_bytes(number, text().as_bytes(), out),
        Kind::Int32 | Kind::Int64 => put_integer(number, value.as_i64().unwrap_or_default(), out),
        Kind::Flag => put_integer(number, i64::from(value.as_bool().unwrap_or_default()), out),
        // no kind that is served has one outside of custom resources
        Kind::Double => {}
        Kind::Bytes => put_bytes(number, &STANDARD.decode(text()).unwrap_or_default(), out),
        Kind::Quantity => {
            let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            nested(number, out, |out| put_bytes(1, written.as_bytes(), out));
        }
        Kind::IntOrString => nested(number, out, |out| match value.as_i64() {
            Some(int) => {
                put_integer(1, 0, out);
                put_integer(2, int, out);
                put_bytes(3, b"", out);
            }
            None => {
                put_integer(1, 1, out);
                put_integer(2, 0, out);
                put_bytes(3, text().as_bytes(), out);
            }
        }),
        Kind::Time | Kind::MicroTime => nested(number, out, |out| {
            if let Ok(at) = text().parse::<jiff::Timestamp>() {
                put_integer(1, at.as_second(), out);
                put_integer(2, i64::from(at.subsec_nanosecond()), out);
            }
        }),
        Kind::Duration => nested(number, out, |out| {
            let millis: i64 = text().trim_end_matches("ms").parse().unwrap_or_default();
            put_integer(1, millis * 1_000_000, out);
        }),
        Kind::Fields => nested(number, out, |out| texts::put(value, out)),
        Kind::Raw => nested(number, out, |out| put_bytes(1, value.to_string().as_bytes(), out)),
        Kind::Message(_) => {
            if let (Some(message), Some(map)) = (field.message(), value.as_object()) {
                nested(number, out, |out| write(message, map, out));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::of;
    use super::*;
    use crate::sim::json::json;

    #[test]
    fn objects_come_back_from_their_bytes() {
        let pod = json!({
            "metadata": {
                "name": "p", "labels": {"a": "b", "empty": ""}, "creationTimestamp": "2026-11-21T02:00:00Z",
                "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "u", "apiVersion": "apps/v1", "controller": true}],
                "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": {
                "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
                "containers": [{
                    "name": "c", "image": "i", "resources": {"requests": {"cpu": "50m"}},
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "livenessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 3},
                }],
                "terminationGracePeriodSeconds": 0,
            },
            "status": {"phase": "Running", "hostIP": "1.2.3.4"},
        });
        let message = of("v1", "Pod").unwrap();
        assert_eq!(from_protobuf(message, &to_protobuf(message, &pod)).unwrap(), pod);
        let secret = json!({"data": {"k": "AQID"}, "type": "Opaque"});
        let message = of("v1", "Secret").unwrap();
        assert_eq!(from_protobuf(message, &to_protobuf(message, &secret)).unwrap(), secret);
        assert!(from_protobuf(message, &[0xff, 0xff]).is_err());
    }

    #[test]
    fn both_readers_agree_on_a_real_server_s_bytes() {
        let pod = include_bytes!("../../../tests/fixtures/kubernetes/core.v1.Pod.pb");
        let json =
            Value::parse(include_bytes!("../../../tests/fixtures/kubernetes/core.v1.Pod.json")).unwrap();
        let envelope = crate::kinds::wire::Envelope::open(pod).unwrap();
        let read = from_protobuf(of("v1", "Pod").unwrap(), envelope.raw).unwrap();
        for part in ["metadata", "spec", "status"] {
            assert_eq!(sorted(&read[part]), sorted(&json[part]), "{part}");
        }
    }

    /// Without what is empty: the two formats say that differently.
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let kept = map.iter().map(|(k, v)| (k.clone(), sorted(v))).filter(|(_, v)| !empty(v));
                Value::Object(kept.collect())
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }

    fn empty(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Bool(flag) => !flag,
            Value::Int(n) => *n == 0,
            Value::Float(n) => *n == 0.0,
        }
    }
}
