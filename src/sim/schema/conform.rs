//! Objects as their kind has them: unknown fields are taken out and named, nulls are dropped,
//! quantities are written as the server writes them, and wrong types are refused.

use crate::sim::json::Value;

use super::{Field, Kind, Message, Shape, times};

/// What was odd about an object.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Issues {
    /// Paths of fields that the kind does not have.
    pub(crate) unknown: Vec<String>,
    /// What could not be read at all, in Go's words.
    pub(crate) wrong: Option<String>,
}

/// Makes an object conform to its kind.
pub(crate) fn conform(message: &Message, object: &mut Value) -> Issues {
    let mut issues = Issues::default();
    walk(message, object, &mut Vec::new(), &mut issues);
    issues
}

fn walk(message: &Message, object: &mut Value, path: &mut Vec<String>, issues: &mut Issues) {
    let Some(map) = object.as_object_mut() else { return };
    map.retain(|key, value| {
        let typed = path.is_empty() && ["kind", "apiVersion"].contains(&key.as_str());
        if !typed && message.field(key).is_none() {
            let mut whole = path.clone();
            whole.push(key.to_string());
            issues.unknown.push(joined(&whole));
            return false;
        }
        !value.is_null()
    });
    for (key, value) in map {
        let Some(field) = message.field(key) else { continue };
        path.push(key.to_string());
        shaped(message, field, value, path, issues);
        path.pop();
    }
}

/// `spec.containers[0].image`.
fn joined(path: &[String]) -> String {
    let mut out = String::new();
    for part in path {
        if !out.is_empty() && !part.starts_with('[') {
            out.push('.');
        }
        out.push_str(part);
    }
    out
}

fn shaped(holder: &Message, field: &Field, value: &mut Value, path: &mut Vec<String>, issues: &mut Issues) {
    match (field.shape, value) {
        (Shape::One, value) => one(holder, field, value, path, issues),
        (Shape::List, Value::Array(items)) => {
            for (i, item) in items.iter_mut().enumerate() {
                path.push(format!("[{i}]"));
                one(holder, field, item, path, issues);
                path.pop();
            }
        }
        (Shape::Map, Value::Object(map)) => {
            for (key, item) in map.iter_mut() {
                path.push(format!("[{key}]"));
                one(holder, field, item, path, issues);
                path.pop();
            }
        }
        (_, value) => wrong(holder, field, value, path, field.shape, issues),
    }
}

fn one(holder: &Message, field: &Field, value: &mut Value, path: &mut Vec<String>, issues: &mut Issues) {
    let fine = match field.kind {
        Kind::Text | Kind::Bytes | Kind::Duration => value.is_string() || value.is_null(),
        Kind::Time | Kind::MicroTime => {
            let micro = field.kind == Kind::MicroTime;
            if let Some(why) = value.as_str().and_then(|text| times::wrong(text, micro)) {
                issues.wrong.get_or_insert(why);
            }
            value.is_string() || value.is_null()
        }
        Kind::Int32 => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        Kind::Int64 => value.is_i64(),
        Kind::Flag => value.is_boolean(),
        Kind::Double => value.is_number(),
        Kind::IntOrString => value.is_string() || value.is_i64(),
        Kind::Raw | Kind::Fields => true,
        Kind::Quantity => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match canonical(&text) {
                Some(written) => *value = written.into(),
                None => {
                    issues.wrong.get_or_insert_with(|| {
                        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                            .to_owned()
                    });
                }
            }
            return;
        }
        Kind::Message(_) => {
            if let (true, Some(message)) = (value.is_object(), field.message()) {
                return walk(message, value, path, issues);
            }
            value.is_null()
        }
    };
    if !fine {
        wrong(holder, field, value, path, Shape::One, issues);
    }
}

/// `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
fn wrong(holder: &Message, field: &Field, value: &Value, path: &[String], shape: Shape, issues: &mut Issues) {
    let whole = matches!(field.kind, Kind::Int32 | Kind::Int64) && matches!(shape, Shape::One);
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        // one that does not fit is said
        Value::Int(_) | Value::Float(_) if whole => format!("number {value}"),
        Value::Int(_) | Value::Float(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    let one = match field.kind {
        Kind::Int32 => "int32".to_owned(),
        Kind::Int64 => "int64".to_owned(),
        Kind::Flag => "bool".to_owned(),
        Kind::Double => "float64".to_owned(),
        Kind::Message(_) => {
            let name = field.message().map_or("", |m| m.name);
            name.split_once('/').map_or(String::new(), |(_, n)| n.to_owned())
        }
        _ => "string".to_owned(),
    };
    let wanted = match shape {
        Shape::One => one,
        Shape::List => format!("[]{one}"),
        Shape::Map => format!("map[string]{one}"),
    };
    let go = holder.name.rsplit('.').next().unwrap_or_default();
    let at: Vec<String> = path.iter().filter(|p| !p.starts_with('[')).cloned().collect();
    let said =
        format!("json: cannot unmarshal {found} into Go struct field {go}.{} of type {wanted}", joined(&at));
    issues.wrong.get_or_insert(said);
}

/// A quantity as the server writes it (`apimachinery/pkg/api/resource` `CanonicalizeBytes`):
/// whole numbers as large a unit as fits, thousandths with `m`.
fn canonical(text: &str) -> Option<String> {
    let split = text.find(|c: char| !"+-.0123456789".contains(c)).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.trim_start_matches('+')), |d| ("-", d));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && part.is_empty() || part.contains('.') || part.len() > 9 {
        return None;
    }
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mantissa: i128 = format!("{whole}{part}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    if let Some(power) = binary.iter().position(|u| *u == unit) {
        let mut value = mantissa.checked_mul(1024_i128.checked_pow(u32::try_from(power).ok()? + 1)?)? / scale;
        let mut unit = 0;
        while unit < binary.len() && value != 0 && value % 1024 == 0 {
            value /= 1024;
            unit += 1;
        }
        let suffix = unit.checked_sub(1).map_or("", |u| binary[u]);
        return Some(format!("{sign}{value}{suffix}"));
    }
    let decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    let power = match decimal.iter().position(|u| *u == unit) {
        Some(at) => i32::try_from(at).ok()? * 3 - 9,
        None => unit.strip_prefix(['e', 'E'])?.parse().ok()?,
    };
    // in thousand-millionths
    let mut value = mantissa.checked_mul(10_i128.checked_pow(u32::try_from(power + 9).ok()?)?)? / scale;
    let mut at = 0;
    while at + 1 < decimal.len() && value != 0 && value % 1000 == 0 {
        value /= 1000;
        at += 1;
    }
    if value == 0 {
        return Some("0".to_owned());
    }
    Some(format!("{sign}{value}{}", decimal[at]))
}

#[cfg(test)]
mod tests {
    use super::super::of;
    use super::*;
    use crate::sim::json::json;

    #[test]
    fn quantities_are_written_as_the_server_writes_them() {
        for (from, to) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("2", "2"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0", "0"),
            ("1e3", "1k"),
            ("12000k", "12M"),
            ("-1", "-1"),
        ] {
            assert_eq!(canonical(from).as_deref(), Some(to), "{from}");
        }
        for odd in ["", "x", "1..2", "1Qi", "."] {
            assert_eq!(canonical(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_a_kind_does_not_have_is_taken_out_and_named() {
        let mut d = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {
            "replicas": 1, "colour": "red", "paused": null,
            "template": {"spec": {"containers": [{"name": "c", "imag": "x", "resources": {"limits": {"cpu": 0.5}}}]}},
        }});
        let issues = conform(of("apps/v1", "Deployment").unwrap(), &mut d);
        assert_eq!(issues.unknown, ["spec.colour", "spec.template.spec.containers[0].imag"]);
        assert_eq!(issues.wrong, None);
        assert_eq!(d["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"], "500m");
        assert!(d["spec"].get("paused").is_none());
    }

    #[test]
    fn wrong_types_are_said_in_go_s_words() {
        let mut d = json!({"spec": {"replicas": "many"}});
        let issues = conform(of("apps/v1", "Deployment").unwrap(), &mut d);
        let said =
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32";
        assert_eq!(issues.wrong.as_deref(), Some(said));
        for (field, value) in [("replicas", json!(3_000_000_000_i64)), ("minReadySeconds", json!(1.5))] {
            let mut d = json!({});
            crate::sim::fields::set(&mut d, &format!("spec.{field}"), value.clone());
            let said = format!(
                "json: cannot unmarshal number {value} into Go struct field DeploymentSpec.spec.{field} of type int32"
            );
            let issues = conform(of("apps/v1", "Deployment").unwrap(), &mut d);
            assert_eq!(issues.wrong, Some(said));
        }
    }
}
