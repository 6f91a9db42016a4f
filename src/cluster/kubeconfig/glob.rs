//! Which contexts to show: `--context 'prod-*' --context '!*-test'`.

/// Whether a name is chosen. `*` is any number of characters, `?` is one, a pattern with `!`
/// before it takes names away. With none but those, every other name is chosen; with no pattern
/// at all, every name.
#[must_use]
pub fn chosen(name: &str, patterns: &[String]) -> bool {
    let (without, with): (Vec<&str>, Vec<&str>) =
        patterns.iter().map(String::as_str).partition(|p| p.starts_with('!'));
    (with.is_empty() || with.iter().any(|p| matches(name, p)))
        && !without.iter().any(|p| matches(name, p.trim_start_matches('!')))
}

/// Whether the whole of a name fits a pattern. It goes back to the last `*` only, so it takes
/// time in proportion to the product of both lengths at worst.
fn matches(name: &str, pattern: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut n, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((n, p));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                n += 1;
                p += 1;
            }
            _ => match star {
                Some((from, at)) => {
                    star = Some((from + 1, at));
                    n = from + 1;
                    p = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
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
            assert_eq!(matches(name, pattern), fits, "{name} {pattern}");
        }
        assert!(!matches(&"a".repeat(2000), &"*a".repeat(500).replace("a*", "a*b*")));
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
