//! The last words of a plugin, without anything that may be a secret.

/// How much of them is shown.
const LONGEST: usize = 300;

/// The last lines of what a plugin said, in one line. Everything that looks like a token, that
/// names a secret, or that is one of `secrets` is taken out.
pub(super) fn last_words(said: &str, secrets: &[&str]) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let tail = &lines[lines.len().saturating_sub(3)..];
    let mut words = tail.join(" · ");
    let mut secrets: Vec<&str> = secrets.iter().copied().filter(|s| s.len() >= 4).collect();
    // A secret that holds another one goes first, so that nothing of it is left.
    secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
    for secret in secrets {
        words = words.replace(secret, "…");
    }
    let mut after_name = false;
    let words: Vec<String> = words
        .split(' ')
        .map(|word| {
            let hide = after_name || looks_secret(word);
            after_name = names_secret(word);
            if hide { "…".to_owned() } else { word.to_owned() }
        })
        .collect();
    let words = words.join(" ");
    match words.char_indices().rev().nth(LONGEST - 1) {
        Some((start @ 1.., _)) => format!("…{}", &words[start..]),
        _ => words,
    }
}

/// A word after which a secret follows: `token:`, `Bearer`, `--password`.
fn names_secret(word: &str) -> bool {
    let word = word.trim_matches(|c: char| matches!(c, '"' | '\'' | '(' | ','));
    let lower = word.to_ascii_lowercase();
    matches!(lower.as_str(), "bearer" | "basic")
        || (lower.ends_with([':', '=']) || lower.starts_with("--")) && mentions(&lower)
}

fn mentions(lower: &str) -> bool {
    ["token", "password", "passwd", "secret", "apikey", "api-key", "api_key", "credential"]
        .iter()
        .any(|name| lower.contains(name))
}

/// A word that is a secret: a JWT, a long run of letters and digits, `token=…`.
fn looks_secret(word: &str) -> bool {
    let assigned = word.split_once(['=', ':']).is_some_and(|(name, value)| {
        !value.is_empty() && !value.starts_with("//") && mentions(&name.to_ascii_lowercase())
    });
    let dense = |part: &str| part.len() >= 20 && part.bytes().any(|b| b.is_ascii_digit());
    assigned
        || word.contains("eyJ")
        || word.contains("-----")
        || word.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '='))).any(dense)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out() {
        for (said, shown) in [
            (
                "error: not logged in\nrun: aws sso login --profile dev\n",
                "error: not logged in · run: aws sso login --profile dev",
            ),
            ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.sig back", "got … back"),
            ("token=abc rejected", "… rejected"),
            ("token: abc rejected", "token: … rejected"),
            ("Authorization: Bearer abc", "Authorization: Bearer …"),
            ("curl --password hunter2 https://a.example/path", "curl --password … https://a.example/path"),
            ("key AKIA1234567890ABCDEF12", "key …"),
            (
                "open https://login.example/device and enter ABCD-1234",
                "open https://login.example/device and enter ABCD-1234",
            ),
            ("my own value s3cr-et here", "my own value … here"),
            ("", ""),
        ] {
            assert_eq!(last_words(said, &["s3cr-et", "a"]), shown);
        }
    }

    #[test]
    fn only_the_end_is_shown_and_not_much_of_it() {
        assert_eq!(last_words("1\n2\n\n3\n4\n", &[]), "2 · 3 · 4");
        assert_eq!(last_words(&"ä ".repeat(1000), &[]).chars().count(), LONGEST + 1);
    }
}
