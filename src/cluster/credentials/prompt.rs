//! What a plugin asks of a person: a page to open, and a code to enter there.
//!
//! Plugins print this on stderr in words of their own, so it is found by what it must hold: an
//! address, a word that asks to open it, and a code after the word `code` or in the address.
//! Nothing else of what is printed is ever shown.

/// The longest address that is taken for one.
const LONGEST: usize = 2000;

/// An address and the code to enter there; empty when none is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) url: String,
    pub(super) code: String,
}

/// Words of a line with an address, or of the two lines before it, that ask a person to open it.
const ASKING: [&str; 11] = [
    "open",
    "visit",
    "browser",
    "sign in",
    "log in",
    "login",
    "authenticate",
    "authorize",
    "authorise",
    "device",
    "go to",
];

/// What is asked for in the words printed so far. The last word may still be on its way, so it
/// counts only once white space follows.
pub(super) fn find(printed: &str) -> Option<Asked> {
    let plain = without_escapes(printed);
    let whole = plain.rfind(char::is_whitespace).map_or("", |end| &plain[..end]);
    let lines: Vec<&str> = whole.lines().filter(|line| !line.trim().is_empty()).collect();
    let url = lines.iter().enumerate().find_map(|(at, line)| {
        let url = line.split_whitespace().find_map(address)?;
        let around = lines[at.saturating_sub(2)..=at].join(" ").to_lowercase();
        ASKING.iter().any(|word| around.contains(word)).then_some(url)
    })?;
    let code = code(&lines.join(" ")).or_else(|| code_in(&url)).unwrap_or_default();
    Some(Asked { url, code })
}

/// An address that a browser of this person may open: HTTPS, or this machine itself.
fn address(word: &str) -> Option<String> {
    let word = word
        .trim_start_matches(['(', '<', '"', '\'', '[', '`'])
        .trim_end_matches([')', '>', '"', '\'', ']', '`', '.', ',', ';', ':']);
    if word.len() > LONGEST || !word.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let uri: http::Uri = word.parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    let named = uri.authority().is_some_and(|a| !a.as_str().contains('@'));
    let fit = match uri.scheme_str()? {
        "https" => true,
        "http" => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        _ => false,
    };
    (fit && named).then(|| word.to_owned())
}

/// The first word that looks like a code and follows the word `code` closely.
fn code(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphabetic()).to_ascii_lowercase();
        let before = at.checked_sub(1).and_then(|at| words.get(at)).map(|w| w.to_ascii_lowercase());
        let of_an_error = before.is_some_and(|b| matches!(b.as_str(), "error" | "exit" | "status"));
        if of_an_error || !(word == "code" || word.ends_with("-code")) {
            return None;
        }
        words.iter().skip(at + 1).take(8).find_map(|word| user_code(word))
    })
}

/// A code as people type it: capitals and digits, perhaps in groups (RFC 8628, section 6.1).
fn user_code(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let bare: Vec<u8> = word.bytes().filter(|b| *b != b'-').collect();
    let plain = bare.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let telling = word.contains('-') || bare.len() >= 8 || bare.iter().any(u8::is_ascii_digit);
    (plain && telling && (6..=16).contains(&bare.len())).then(|| word.to_owned())
}

/// The code in an address that brings it along.
fn code_in(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    query.split('&').find_map(|pair| user_code(pair.strip_prefix("user_code=")?))
}

/// A text without the sequences that colour and link it.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => while chars.next_if(|c| !('@'..='~').contains(c)).is_some() {},
            Some(']') => while chars.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}')).is_some() {},
            _ => continue,
        }
        // The final character of either; of `ESC \` its first half, whose second goes next.
        if chars.next() == Some('\u{1b}') {
            chars.next();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(printed: &str) -> Option<(String, String)> {
        find(printed).map(|asked| (asked.url, asked.code))
    }

    #[test]
    fn prompts_of_the_usual_plugins_are_recognised() {
        for (printed, url, code) in [
            (
                "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code H7K2-PQ9D to authenticate.\n",
                "https://microsoft.com/devicelogin",
                "H7K2-PQ9D",
            ),
            (
                "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code C5Z8WTB3E to authenticate.\n",
                "https://microsoft.com/devicelogin",
                "C5Z8WTB3E",
            ),
            (
                "Attempting to automatically open the SSO authorization page in your default browser.\nIf the browser does not open or you wish to use a different device to authorize this request, open the following URL:\n\nhttps://device.sso.eu-west-1.amazonaws.com/\n\nThen enter the code:\n\nQWER-TZUI\n",
                "https://device.sso.eu-west-1.amazonaws.com/",
                "QWER-TZUI",
            ),
            (
                "Please visit the following URL in your browser: https://id.example/device\nPlease enter the following code when asked in your browser: 123-456-789\n",
                "https://id.example/device",
                "123-456-789",
            ),
            (
                "error: could not open the browser: exec: \"xdg-open\" not found\n\nPlease visit the following URL in your browser manually: http://localhost:8000\n",
                "http://localhost:8000",
                "",
            ),
            (
                "Open the following URL to begin Okta device authorization\n\nhttps://acme.okta.com/activate?user_code=GHDZKVQB \n",
                "https://acme.okta.com/activate?user_code=GHDZKVQB",
                "GHDZKVQB",
            ),
            (
                "! First copy your one-time code: \u{1b}[1mWDJB-MJHT\u{1b}[0m\nOpen \u{1b}]8;;https://evil.example\u{7}https://github.com/login/device\u{1b}]8;;\u{1b}\\ in your browser.\n",
                "https://github.com/login/device",
                "WDJB-MJHT",
            ),
        ] {
            assert_eq!(found(printed), Some((url.to_owned(), code.to_owned())), "{printed}");
        }
    }

    #[test]
    fn what_asks_for_nothing_is_no_prompt() {
        for printed in [
            "",
            "error: AADSTS50076, see https://aka.ms/errors for more\n",
            "to sign in open ftp://files.example/x and enter the code ABCD-1234\n",
            "open http://evil.example/login in your browser\n",
            "open https://user:pass@evil.example/login in your browser\n",
            "open https://microsoft.com/devicelo",
        ] {
            assert_eq!(found(printed), None, "{printed}");
        }
    }

    #[test]
    fn half_printed_words_wait_for_their_end() {
        let whole = "open https://id.example/device and enter the code ABCD-1234\n";
        let mut seen = Vec::new();
        for end in 0..=whole.len() {
            if let Some(asked) = found(&whole[..end])
                && seen.last() != Some(&asked)
            {
                seen.push(asked);
            }
        }
        let url = "https://id.example/device".to_owned();
        assert_eq!(seen, [(url.clone(), String::new()), (url, "ABCD-1234".to_owned())]);
    }

    proptest::proptest! {
        #[test]
        fn no_output_breaks_it(printed in ".{0,300}") {
            if let Some(asked) = find(&printed) {
                assert!(asked.url.bytes().all(|b| b.is_ascii_graphic()));
            }
        }
    }
}
