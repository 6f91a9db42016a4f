//! Label and field selectors, from query strings and from objects.

mod query;

use crate::sim::json::{Map, Value};

use super::fields;

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Labels(Vec<Term>);

#[derive(Clone, Debug, PartialEq)]
enum Term {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    /// Whole numbers above, and below, this one.
    Above(String, i64),
    Below(String, i64),
}

impl Term {
    fn holds(&self, labels: &Map) -> bool {
        let get = |key: &str| labels.get(key).and_then(Value::as_str);
        let number = |key: &str| get(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Term::In(key, values) => get(key).is_some_and(|v| values.iter().any(|x| x == v)),
            Term::NotIn(key, values) => get(key).is_none_or(|v| values.iter().all(|x| x != v)),
            Term::Exists(key) => get(key).is_some(),
            Term::Absent(key) => get(key).is_none(),
            Term::Above(key, least) => number(key).is_some_and(|n| n > *least),
            Term::Below(key, most) => number(key).is_some_and(|n| n < *most),
        }
    }
}

impl Labels {
    /// A selector as a query has it: `app=web,tier in (a,b),!old`.
    pub(crate) fn parse(text: &str) -> Result<Labels, String> {
        query::parse(text).map(Labels)
    }

    /// A `LabelSelector` of an object. `None` when the object gives none: then it selects nothing.
    pub(crate) fn of(selector: &Value) -> Option<Labels> {
        let selector = selector.as_object()?;
        let mut terms = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            terms.push(Term::In(key.to_string(), vec![value.as_str().unwrap_or_default().to_owned()]));
        }
        for e in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let key = fields::text(e, "key").to_owned();
            let values =
                fields::list(e, "values").iter().filter_map(Value::as_str).map(str::to_owned).collect();
            terms.push(match fields::text(e, "operator") {
                "In" => Term::In(key, values),
                "NotIn" => Term::NotIn(key, values),
                "Exists" => Term::Exists(key),
                "DoesNotExist" => Term::Absent(key),
                _ => return None,
            });
        }
        Some(Labels(terms))
    }

    /// Whether it leaves nothing out.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these labels are selected.
    pub(crate) fn matches(&self, labels: &Map) -> bool {
        self.0.iter().all(|term| term.holds(labels))
    }

    /// Whether this object is selected.
    pub(crate) fn matches_object(&self, object: &Value) -> bool {
        self.matches(fields::map(object, "metadata.labels"))
    }
}

/// A field selector: dotted fields that must, or must not, be equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FieldTerms(Vec<(String, bool, String)>);

impl FieldTerms {
    /// Whether it leaves nothing out.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A selector as a query has it. `known` are the fields that the resource can be asked for
    /// beside its name and namespace.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<FieldTerms, String> {
        let mut terms = Vec::new();
        for term in text.split(',').filter(|t| !t.is_empty()) {
            let (field, equal, value) = match term.split_once("!=") {
                Some((f, v)) => (f, false, v),
                None => {
                    let split = term.split_once("==").or_else(|| term.split_once('='));
                    let (f, v) = split
                        .ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
                    (f, true, v)
                }
            };
            if value.contains('=') {
                return Err(format!(
                    "invalid field selector: unescaped character in value: {}",
                    u32::from('=')
                ));
            }
            let field = field.trim();
            if !["metadata.name", "metadata.namespace"].contains(&field) && !known.contains(&field) {
                return Err(match known {
                    [] => format!(
                        "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    ),
                    _ => format!("field label not supported: {field}"),
                });
            }
            terms.push((field.to_owned(), equal, value.trim().to_owned()));
        }
        Ok(FieldTerms(terms))
    }

    /// Whether this object is selected.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(field, equal, value)| {
            let is = match fields::at(object, field) {
                Value::String(text) => text == value,
                Value::Null => {
                    // what an object leaves out has Go's zero value
                    value.is_empty() || (value == "false" && field == "spec.unschedulable")
                }
                Value::Bool(flag) => value.parse().is_ok_and(|v: bool| v == *flag),
                Value::Int(number) => value.parse().is_ok_and(|v: i64| *number == v),
                Value::Float(_) => false,
                Value::Array(_) | Value::Object(_) => false,
            };
            is == *equal
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    #[test]
    fn label_selectors_select() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "a"}}});
        let matches = |s: &str| Labels::parse(s).unwrap().matches_object(&object);
        for yes in ["", "app=web", "app==web,tier in (a, b)", "!old", "tier", "tier notin (x)", "app!=db"] {
            assert!(matches(yes), "{yes}");
        }
        for no in ["app=db", "tier in (x,y)", "!app", "old", "app!=web"] {
            assert!(!matches(no), "{no}");
        }
    }

    #[test]
    fn field_selectors_know_their_fields() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n1"}});
        let known = ["spec.nodeName", "status.phase"];
        let matches = |s: &str| FieldTerms::parse(s, &known).unwrap().matches(&pod);
        assert!(matches("spec.nodeName=n1,metadata.name=p,status.phase!=Failed"));
        assert!(!matches("spec.nodeName="));
        assert!(FieldTerms::parse("spec.color=red", &known).unwrap_err().contains("spec.color"));
    }
}
