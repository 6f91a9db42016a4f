//! Which contexts to show: `--context 'prod-*' --context '!*-test'`.

use crate::model::text::glob;

/// Whether a name is chosen. `*` is any number of characters, `?` is one, a pattern with `!`
/// before it takes names away. With none but those, every other name is chosen; with no pattern
/// at all, every name.
#[must_use]
pub fn chosen(name: &str, patterns: &[String]) -> bool {
    let (without, with): (Vec<&str>, Vec<&str>) =
        patterns.iter().map(String::as_str).partition(|p| p.starts_with('!'));
    (with.is_empty() || with.iter().any(|p| glob(p, name)))
        && !without.iter().any(|p| glob(p.trim_start_matches('!'), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit() {
        for (name, pattern, fits) in [
            ("prod-eu-1", "prod-*", true),
            ("prod-eu-1", "*eu*", true),
            ("prod-eu-1", "prod-eu-?", true),
            ("prod-eu-12", "prod-eu-?", false),
            ("prod-eu-1", "prod", false),
            ("prod", "prod*", true),
            ("", "*", true),
            ("", "?", false),
            ("aaab", "*ab", true),
            ("ä", "?", true),
        ] {
            assert_eq!(glob(pattern, name), fits, "{name} {pattern}");
        }
        assert!(!glob(&"*a".repeat(500).replace("a*", "a*b*"), &"a".repeat(2000)));
    }

    #[test]
    fn patterns_choose_and_exclude() {
        let chosen = |name, patterns: &[&str]| {
            chosen(name, &patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
        };
        assert!(chosen("a", &[]));
        assert!(chosen("prod-1", &["prod-*", "dev-*"]));
        assert!(!chosen("stg-1", &["prod-*", "dev-*"]));
        assert!(!chosen("prod-1", &["prod-*", "!*-1"]));
        assert!(chosen("stg-2", &["!*-1"]));
    }
}
