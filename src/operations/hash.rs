//! The hash of a plan: what was confirmed is what is run.

use serde_json::{Value, json};

use super::Plan;

impl Plan {
    /// SHA-256, in hex, over the operation, the clusters, the steps and the chosen answers: two
    /// plans that would do the same have the same hash, whenever they were made. The permit
    /// names it, the journal keeps it, and the runner refuses a plan that it does not fit.
    #[must_use]
    pub fn hash(&self) -> String {
        let answers: Vec<Value> = self.choices.iter().map(|c| json!([c.id, c.chosen])).collect();
        let what = json!({
            "operation": self.operation,
            "touches": self.touches,
            "steps": self.steps,
            "answers": answers,
        });
        sha256(canonical(&what).as_bytes())
    }

    /// The first four digits of the hash, for the screen: `7c1e`.
    #[must_use]
    pub fn short_hash(&self) -> String {
        self.hash().chars().take(4).collect()
    }
}

/// SHA-256 in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON with its keys in order of their bytes and no space between: equal values give equal text.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_does_not_depend_on_the_order_of_keys() {
        let a: Value = serde_json::from_str(r#"{"b": [1, {"z": null, "a": "x\n"}], "a": true}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":true,"b":[1,{"a":"x\n","z":null}]}"#).unwrap();
        assert_eq!(canonical(&a), canonical(&b));
        assert_eq!(canonical(&a), r#"{"a":true,"b":[1,{"a":"x\n","z":null}]}"#);
    }

    #[test]
    fn the_digest_is_sha_256() {
        // FIPS 180-4, the example of "abc".
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
