//! Label selectors as people type them: `app=pay,tier!=web,zone in (a,b),!canary`.
//!
//! The grammar is that of apimachinery `pkg/labels/selector.go`, without its `<` and `>`.

use crate::model::{Labels, Operator, Requirement, Selector, Text};

/// Reads a label selector as people type it: `app=pay,tier!=web`.
///
/// # Errors
/// What is wrong with it, for the person who typed it.
pub fn parse(text: &str) -> Result<Selector, Text> {
    let parts = split(text).ok_or_else(|| Text::from(format!("{text:?}: a bracket is not closed")))?;
    let requirements = parts.iter().map(|part| requirement(part)).collect::<Result<Vec<_>, Text>>()?;
    Ok(Selector { labels: Labels::default(), expressions: requirements.into(), absent: false })
}

/// Splits at commas outside brackets.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut inside) = (Vec::new(), 0, false);
    for (index, c) in text.char_indices() {
        match c {
            '(' if !inside => inside = true,
            ')' if inside => inside = false,
            '(' | ')' => return None,
            ',' if !inside => {
                parts.push(text[from..index].trim());
                from = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    (!inside).then_some(parts)
}

fn requirement(part: &str) -> Result<Requirement, Text> {
    let made = |key: &str, operator, values: &[&str]| {
        let key = key.trim();
        if key.is_empty() || key.contains(|c: char| !c.is_ascii_alphanumeric() && !"-_./".contains(c)) {
            return Err(Text::from(format!("{part:?} is no requirement; expected one such as app=pay")));
        }
        let values = values.iter().map(|v| Text::clean(v.trim())).collect();
        Ok(Requirement { key: Text::clean(key), operator, values })
    };
    if let Some((key, values)) = part.strip_suffix(')').and_then(|p| p.split_once('(')) {
        let values: Vec<&str> = values.split(',').collect();
        let mut words = key.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(key), Some("in"), None) => made(key, Operator::In, &values),
            (Some(key), Some("notin"), None) => made(key, Operator::NotIn, &values),
            _ => made("", Operator::Unknown, &[]),
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return made(key, Operator::NotIn, &[value]);
    }
    if let Some((key, value)) = part.split_once('=') {
        return made(key, Operator::In, &[value.strip_prefix('=').unwrap_or(value)]);
    }
    match part.strip_prefix('!') {
        Some(key) => made(key, Operator::DoesNotExist, &[]),
        None => made(part, Operator::Exists, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_as_kubectl_reads_them() {
        let pod = Labels::new(vec![("app".into(), "pay".into()), ("tier".into(), "web".into())]);
        for yes in ["app=pay", "app==pay, tier", "tier in (web, api)", "tier notin (db),!canary", "x!=y"] {
            assert!(parse(yes).unwrap().matches(&pod), "{yes}");
        }
        for no in ["app=cart", "!app", "tier notin (web)", "canary", "app!=pay"] {
            assert!(!parse(no).unwrap().matches(&pod), "{no}");
        }
        for bad in ["", "app=pay,", "(", "tier in (a", "tier of (a)", "=x", "a b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
