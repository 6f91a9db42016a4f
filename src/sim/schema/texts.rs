//! What somebody set of objects (`fieldsV1`) is JSON even in protobuf. The pods of an owner share it, so the texts of
//! those that were written lately are kept.

use std::cell::RefCell;

use crate::kinds::wire::put_bytes;
use crate::sim::json::{Map, Value};

/// How many texts a thread keeps.
const SLOTS: usize = 4_096;

/// Fields and their text. They are kept with it, so that no others can come to lie where they are.
type Text = (Map, Box<str>);

thread_local! {
    /// Each at a place that follows from where its fields are.
    static KNOWN: RefCell<Vec<Option<Text>>> = RefCell::new(vec![None; SLOTS]);
}

/// Writes fields as the first part of a message.
pub(super) fn put(fields: &Value, out: &mut Vec<u8>) {
    let Value::Object(map) = fields else { return put_bytes(1, fields.to_string().as_bytes(), out) };
    KNOWN.with_borrow_mut(|known| {
        let Some(slot) = known.get_mut((map.address() >> 4) % SLOTS) else { return };
        if slot.as_ref().is_none_or(|(kept, _)| !kept.same(map)) {
            *slot = Some((map.clone(), fields.to_string().into()));
        }
        if let Some((_, text)) = slot {
            put_bytes(1, text.as_bytes(), out);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    #[test]
    fn fields_that_change_are_written_anew() {
        let written = |fields: &Value| {
            let mut out = Vec::new();
            put(fields, &mut out);
            out
        };
        let first = json!({ "f:spec": {} });
        let before = written(&first);
        assert_eq!(written(&first), before);
        let mut second = first.clone();
        second["f:status"] = json!({});
        let mut plain = Vec::new();
        put_bytes(1, second.to_string().as_bytes(), &mut plain);
        assert_eq!(written(&second), plain);
        assert_eq!(written(&first), before);
        assert_eq!(written(&Value::Null), b"\x0a\x04null");
    }
}
