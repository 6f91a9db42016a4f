//! Short texts: quantities, times, versions, keys, and whatever is shown.

use quarterdeck::input::Key;
use quarterdeck::model::{Span, Text, Time, Uid, Version, quantity};

use super::{run, texts};

#[test]
fn quantities() {
    let examples =
        texts(&["100m", "1.5Gi", "12e6", "0.1", "-3", "128974848", "1E", "4Ki", "250u", "9n", "+1.e-3"]);
    run("quantities", 20_000, &examples, |bytes, _| {
        let text = String::from_utf8_lossy(bytes);
        // Whatever fits in thousandths fits in wholes.
        if quantity::parse_milli(&text).is_some() {
            assert!(quantity::parse_units(&text).is_some(), "{text:?}");
        }
    });
}

#[test]
fn times() {
    let examples = texts(&[
        "2026-11-21T11:49:23Z",
        "2026-11-21T11:49:23.123456Z",
        "2026-11-21T11:49:23+05:30",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1h30m",
        "90s",
        "15d",
    ]);
    run("times", 20_000, &examples, |bytes, _| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(time) = Time::parse(&text) {
            let written = time.rfc3339();
            let again = Time::parse(&written).map(|t| t.rfc3339());
            assert_eq!(again.as_deref(), Some(written.as_str()), "{text:?}");
        }
        let _ = Span::parse(&text).map(|span| span.to_string());
    });
}

#[test]
fn names_and_versions() {
    let examples =
        texts(&["7b6e2c1a-0000-4000-8000-0123456789ab", "18446744073709551615", "42", "not-a-uid"]);
    run("versions", 20_000, &examples, |bytes, _| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(version) = Version::parse(&text) {
            assert_eq!(Version::parse(&version.0.to_string()), Some(version));
        }
        let _ = Uid::parse(&text).to_string();
    });
}

#[test]
fn keys() {
    let examples = texts(&["ctrl+a", "alt+shift+f12", "space", "<c-x>", "g g", "shift+tab", "é", "F1"]);
    run("keys", 20_000, &examples, |bytes, _| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(key) = Key::parse(&text) {
            assert_eq!(Key::parse(&key.to_string()), Ok(key), "{text:?}");
        }
    });
}

#[test]
fn nothing_that_is_shown_can_command_a_terminal() {
    let examples = texts(&[
        "plain words",
        "\u{1b}[2J\u{1b}]52;c;AAAA\u{7}",
        "\u{9b}31m\u{90}",
        "a\u{202e}b\u{2066}c\u{200b}d\u{feff}",
        "\u{e0041}\u{e007f}tag",
        "zalgo e\u{301}\u{302}\u{303}\u{304}\u{305}",
        "two\nlines\r\n",
        "\u{2028}\u{2029}",
    ]);
    run("shown", 20_000, &examples, |bytes, _| {
        let text = Text::clean(&String::from_utf8_lossy(bytes));
        let odd = |c: char| {
            c.is_control()
                || matches!(u32::from(c), 0x202a..=0x202e | 0x2066..=0x2069 | 0x200b | 0x2028 | 0x2029 | 0xfeff | 0xe0000..=0xe007f)
        };
        assert!(!text.chars().any(odd), "{text:?}");
        assert_eq!(Text::clean(&text), text, "clean text stays as it is");
    });
}
