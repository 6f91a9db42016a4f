//! The forms that names, labels and ports have, and what is said of what has another
//! (`apimachinery/pkg/util/validation/validation.go`, `pkg/api/validate/content`). Every function
//! gives what is wrong in the server's words, nothing where all is well.

use std::net::IpAddr;

use crate::sim::fields::{at, list, map};
use crate::sim::json::{Map, Value, json};
use crate::sim::refusal::Cause;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const KEY: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
    character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
    must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
    validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// The longest label, key of a label, and name with dots, in bytes.
const LABEL_BYTES: usize = 63;
const SUBDOMAIN_BYTES: usize = 253;

/// The most that all annotations of an object may take, in bytes.
const ANNOTATION_BYTES: usize = 256 << 10;

fn longer(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("must be no more than {most} bytes"))
}

/// Letters and digits, and in the middle the marks given.
fn word(text: &str, fine: fn(char) -> bool, marks: &[char]) -> bool {
    text.starts_with(fine) && text.ends_with(fine) && text.chars().all(|c| fine(c) || marks.contains(&c))
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    word(text, lower, &['-'])
}

/// A name without dots, as a part of a DNS name (`IsDNS1123Label`).
pub(super) fn label(text: &str) -> Vec<String> {
    let wrong = (!is_label(text)).then(|| LABEL.to_owned());
    longer(text, LABEL_BYTES).into_iter().chain(wrong).collect()
}

/// A name that may have dots (`IsDNS1123Subdomain`).
pub(super) fn subdomain(text: &str) -> Vec<String> {
    let wrong = (!text.split('.').all(is_label)).then(|| SUBDOMAIN.to_owned());
    longer(text, SUBDOMAIN_BYTES).into_iter().chain(wrong).collect()
}

/// The same with `*` for its first part (`IsWildcardDNS1123Subdomain`).
pub(super) fn wildcard(text: &str) -> Vec<String> {
    const WRONG: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must \
        consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. \
        '*.example.com', regex used for validation is \
        '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    let fine = text.strip_prefix("*.").is_some_and(|rest| rest.split('.').all(is_label));
    longer(text, SUBDOMAIN_BYTES).into_iter().chain((!fine).then(|| WRONG.to_owned())).collect()
}

/// A key of a label, and much that is named like one (`IsQualifiedName`).
pub(crate) fn qualified(text: &str) -> Vec<String> {
    let (prefix, own) = match text.split_once('/') {
        None => (None, text),
        Some((_, rest)) if rest.contains('/') => {
            let why = format!(
                "a valid label key {KEY} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            );
            return vec![why];
        }
        Some((prefix, own)) => (Some(prefix), own),
    };
    let mut wrong: Vec<String> = match prefix {
        None => Vec::new(),
        Some("") => vec!["prefix part must be non-empty".to_owned()],
        Some(prefix) => subdomain(prefix).iter().map(|why| format!("prefix part {why}")).collect(),
    };
    if own.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    }
    wrong.extend(longer(own, LABEL_BYTES).map(|why| format!("name part {why}")));
    if !word(own, |c| c.is_ascii_alphanumeric(), &['-', '_', '.']) {
        wrong.push(format!("name part {KEY}"));
    }
    wrong
}

/// A value of a label (`IsValidLabelValue`).
pub(crate) fn label_value(text: &str) -> Vec<String> {
    let fine = text.is_empty() || word(text, |c| c.is_ascii_alphanumeric(), &['-', '_', '.']);
    longer(text, LABEL_BYTES).into_iter().chain((!fine).then(|| VALUE.to_owned())).collect()
}

/// The name of a port (`IsValidPortName`).
pub(super) fn port_name(text: &str) -> Vec<String> {
    let rules = [
        (text.is_empty() || !text.chars().all(|c| lower(c) || c == '-'), CHARACTERS),
        (!text.contains(|c: char| c.is_ascii_lowercase()), "must contain at least one letter (a-z)"),
        (text.contains("--"), "must not contain consecutive hyphens"),
        (text.starts_with('-') || text.ends_with('-'), "must not begin or end with a hyphen"),
    ];
    let broken = rules.into_iter().filter(|(broken, _)| *broken).map(|(_, why)| why.to_owned());
    longer(text, 15).into_iter().chain(broken).collect()
}

const CHARACTERS: &str = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";

/// The number of a port (`IsValidPortNum`).
pub(super) fn port(number: i64) -> Vec<String> {
    let fine = (1..=65_535).contains(&number);
    if fine { Vec::new() } else { vec!["must be between 1 and 65535, inclusive".to_owned()] }
}

/// A port by its number or by its name (`ValidatePortNumOrName`).
pub(super) fn port_or_name(value: &Value) -> Vec<String> {
    match value.as_str() {
        Some(name) => port_name(name),
        None => port(value.as_i64().unwrap_or(0)),
    }
}

/// An address (`IsValidIP`).
pub(super) fn address(text: &str) -> Vec<String> {
    match text.parse::<IpAddr>() {
        Ok(_) => Vec::new(),
        Err(_) => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()],
    }
}

/// Says everything that is wrong with the value of a field.
pub(super) fn say(causes: &mut Vec<Cause>, field: &str, value: &Value, wrong: Vec<String>) {
    causes.extend(wrong.iter().map(|why| Cause::invalid(field, value, why)));
}

/// Checks a map of labels, or a selector that is one (`ValidateLabels`).
pub(super) fn labels(of: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (key, value) in of.as_object().into_iter().flat_map(Map::iter) {
        say(causes, field, &json!(key.as_str()), qualified(key));
        if let Some(text) = value.as_str() {
            say(causes, field, value, label_value(text));
        }
    }
}

/// Checks what every object has (`ValidateObjectMeta`, `ValidateObjectMetaUpdate`).
pub(super) fn metadata(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    labels(at(new, "metadata.labels"), "metadata.labels", causes);
    let annotations = map(new, "metadata.annotations");
    for key in annotations.keys() {
        let wrong = qualified(&key.to_lowercase());
        say(causes, "metadata.annotations", &json!(key.as_str()), wrong);
    }
    let size: usize = annotations.iter().map(|(k, v)| k.len() + v.as_str().map_or(0, str::len)).sum();
    if size > ANNOTATION_BYTES {
        causes.push(Cause::too_long("metadata.annotations", ANNOTATION_BYTES));
    }
    let Some(old) = old.filter(|old| crate::sim::fields::deleting(old)) else { return };
    let before = list(old, "metadata.finalizers");
    let added = list(new, "metadata.finalizers").iter().filter(|f| !before.contains(f));
    let added: Vec<String> = added.map(Value::to_string).collect();
    if !added.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        );
        causes.push(Cause::forbidden("metadata.finalizers", &why));
    }
}

/// A text that must be there and one of a few.
pub(super) fn one_of(object: &Value, field: &str, known: &[&str], causes: &mut Vec<Cause>) {
    match at(object, field).as_str().unwrap_or_default() {
        "" => causes.push(Cause::required(field, "")),
        own if known.contains(&own) => {}
        odd => causes.push(Cause::unsupported(field, odd, known)),
    }
}

/// What a check says of an object, as `field: message`: for tests.
#[cfg(test)]
pub(super) fn said(check: impl Fn(&Value, &mut Vec<Cause>), new: &Value) -> Vec<String> {
    let mut causes = Vec::new();
    check(new, &mut causes);
    causes.into_iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_those_of_the_server() {
        for fine in ["a", "example.com/A_b.c", "9"] {
            assert_eq!(qualified(fine), Vec::<String>::new(), "{fine}");
        }
        for (odd, why) in [
            ("bad key", "name part must consist of"),
            ("", "name part must be non-empty"),
            ("/a", "prefix part must be non-empty"),
            ("UP/a", "prefix part a lowercase RFC 1123 subdomain"),
            ("a/b/c", "a valid label key must consist of"),
            ("-a", "name part must consist of"),
        ] {
            assert!(qualified(odd)[0].starts_with(why), "{odd}: {:?}", qualified(odd));
        }
        assert_eq!(qualified(&"a".repeat(64)), ["name part must be no more than 63 bytes"]);
        assert!(label_value("").is_empty() && !label_value("a b").is_empty());
        assert!(port_name("http").is_empty() && port(65_535).is_empty() && port(0).len() == 1);
        assert_eq!(
            port_name("a--"),
            ["must not contain consecutive hyphens", "must not begin or end with a hyphen"]
        );
        assert!(wildcard("*.a.example").is_empty() && !wildcard("a.*").is_empty());
        assert!(address("10.0.0.1").is_empty() && !address("10.0.0.256").is_empty());
    }

    #[test]
    fn annotations_are_bounded_and_finalizers_are_not_added_late() {
        let said = |old: Option<&Value>, new: &Value| -> Vec<String> {
            let mut causes = Vec::new();
            metadata(old, new, &mut causes);
            causes.into_iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
        };
        let large = json!({ "metadata": { "annotations": { "a": "x".repeat(ANNOTATION_BYTES) } } });
        assert_eq!(said(None, &large), ["metadata.annotations: Too long: may not be more than 262144 bytes"]);
        let old =
            json!({ "metadata": { "deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": ["a.b/c"] } });
        let mut new = old.clone();
        assert!(said(Some(&old), &new).is_empty());
        crate::sim::fields::set(&mut new, "metadata.finalizers", json!(["a.b/c", "d.e/f"]));
        assert!(said(Some(&old), &new)[0].ends_with("found new finalizers []string{\"d.e/f\"}"));
    }
}
