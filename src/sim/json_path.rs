//! The part of JSONPath that columns and scale paths of custom resources use: `.spec.replicas`,
//! `.status.conditions[?(@.type=="Ready")].status`, `.spec.hosts[*]`, `.metadata.labels.a\.b`.

use crate::sim::json::Value;

/// A path, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Index(i64),
    Every,
    /// Items of which a field (by its keys) has this value, or has not.
    Where(Vec<String>, bool, String),
}

impl JsonPath {
    /// Reads a path; `None` for what is beyond this part of the language.
    pub(crate) fn parse(text: &str) -> Option<JsonPath> {
        let mut steps = Vec::new();
        let mut rest = text.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner)?;
                steps.push(bracket(inner.get(..end)?)?);
                rest = inner.get(end + 1..)?;
            } else {
                let (key, after) = key(rest.strip_prefix('.').unwrap_or(rest))?;
                rest = after;
                match key.as_str() {
                    "" => {}
                    "*" => steps.push(Step::Every),
                    _ => steps.push(Step::Key(key)),
                }
            }
        }
        Some(JsonPath(steps))
    }

    /// Everything at the path.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![value], |found, step| found.into_iter().flat_map(|v| step.of(v)).collect())
    }

    /// The keys of the path, if it is a plain one.
    pub(crate) fn keys(&self) -> Option<Vec<&str>> {
        let key = |s: &'_ Step| matches!(s, Step::Key(_));
        let plain = self.0.iter().all(key);
        plain.then(|| {
            self.0.iter().filter_map(|s| if let Step::Key(k) = s { Some(k.as_str()) } else { None }).collect()
        })
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let items = value.as_array().map_or(&[][..], Vec::as_slice);
        match self {
            Step::Key(key) => value.get(key).into_iter().collect(),
            Step::Index(at) => {
                let length = i64::try_from(items.len()).unwrap_or_default();
                let at = if *at < 0 { length + at } else { *at };
                usize::try_from(at).ok().and_then(|i| items.get(i)).into_iter().collect()
            }
            Step::Every => match value {
                Value::Object(map) => map.values().collect(),
                _ => items.iter().collect(),
            },
            Step::Where(keys, equal, wanted) => {
                let holds = |item: &&Value| {
                    let found = keys.iter().try_fold(*item, |v, k| v.get(k));
                    let is = match found {
                        Some(Value::String(text)) => text == wanted,
                        Some(other) => other.to_string() == *wanted,
                        None => false,
                    };
                    is == *equal
                };
                items.iter().filter(holds).collect()
            }
        }
    }
}

/// Where the bracket that is open ends, quotes heeded.
fn closing(text: &str) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0);
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(i),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A key up to the next dot or bracket; a backslash keeps what follows it.
fn key(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => out.push(chars.next()?.1),
            '.' | '[' => return Some((out, text.get(i..)?)),
            _ => out.push(c),
        }
    }
    Some((out, ""))
}

fn bracket(text: &str) -> Option<Step> {
    let text = text.trim();
    if text == "*" {
        return Some(Step::Every);
    }
    if let Some(quoted) = unquoted(text) {
        return Some(Step::Key(quoted.to_owned()));
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|t| t.strip_suffix(')')) {
        let (field, equal, value) = match (filter.split_once("=="), filter.split_once("!=")) {
            (Some((f, v)), _) => (f, true, v),
            (None, Some((f, v))) => (f, false, v),
            _ => return None,
        };
        let keys = JsonPath::parse(field.trim().strip_prefix('@')?)?;
        let keys = keys.keys()?.into_iter().map(str::to_owned).collect();
        let value = value.trim();
        return Some(Step::Where(keys, equal, unquoted(value).unwrap_or(value).to_owned()));
    }
    text.parse().ok().map(Step::Index)
}

fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|q| text.strip_prefix(q)?.strip_suffix(q))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    #[test]
    fn paths_find_what_they_name() {
        let object = json!({
            "metadata": {"labels": {"a.b/c": "x"}},
            "spec": {"hosts": ["h1", "h2"], "ports": [{"n": 1}, {"n": 2}]},
            "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        let found = |path: &str| {
            JsonPath::parse(path).unwrap().find(&object).into_iter().cloned().collect::<Vec<_>>()
        };
        assert_eq!(found(".status.conditions[?(@.type==\"Ready\")].status"), [json!("True")]);
        assert_eq!(found(".status.conditions[?(@.type=='A')].status"), [json!("False")]);
        assert_eq!(found(".spec.hosts[*]"), [json!("h1"), json!("h2")]);
        assert_eq!(found(".spec.ports[-1].n"), [json!(2)]);
        assert_eq!(found(r".metadata.labels.a\.b/c"), [json!("x")]);
        assert_eq!(found(".metadata.labels['a.b/c']"), [json!("x")]);
        assert!(found(".spec.nothing[0].x").is_empty());
        for odd in [".spec[", ".a[?(@.b)]", ".a[x]"] {
            assert_eq!(JsonPath::parse(odd), None, "{odd}");
        }
    }
}
