//! Times as a server reads them: RFC 3339, for some fields with six digits of a second, and what it
//! says of others (Go's `time.Parse`, `apimachinery/pkg/apis/meta/v1/micro_time.go`).

const WHOLE: &str = "2006-01-02T15:04:05Z07:00";
const MICRO: &str = "2006-01-02T15:04:05.000000Z07:00";

/// The numbers of a time in the order in which they come: how the layout writes each, what stands
/// before it, its name, and the range that it has.
const NUMBERS: [(&str, &str, &str, u32, u32); 6] = [
    ("", "2006", "year", 0, 9999),
    ("-", "01", "month", 1, 12),
    ("-", "02", "day", 1, 31),
    ("T", "15", "hour", 0, 23),
    (":", "04", "minute", 0, 59),
    (":", "05", "second", 0, 59),
];

/// Why a text is no time; nothing where it is one.
pub(super) fn wrong(text: &str, micro: bool) -> Option<String> {
    let layout = if micro { MICRO } else { WHOLE };
    let odd = |rest: &str, as_what: &str| {
        Some(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {as_what:?}"))
    };
    let beyond = |what: &str| Some(format!("parsing time {text:?}: {what} out of range"));
    let mut rest = text;
    let mut date = [0; 6];
    for (place, (before, written, name, least, most)) in NUMBERS.into_iter().enumerate() {
        let Some(after) = rest.strip_prefix(before) else { return odd(rest, before) };
        rest = after;
        let Some((digits, after)) = digits(rest, written.len()) else { return odd(rest, written) };
        rest = after;
        if digits < least || digits > most {
            return beyond(name);
        }
        date[place] = digits;
    }
    if micro {
        let part = rest.strip_prefix(['.', ',']).and_then(|part| digits(part, 6));
        let Some((_, after)) = part else { return odd(rest, ".000000") };
        rest = after;
    } else if let Some(part) =
        rest.strip_prefix(['.', ',']).filter(|p| p.starts_with(|c: char| c.is_ascii_digit()))
    {
        rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let Some(left) = zone(rest) else { return odd(rest, "Z07:00") };
    if !left.is_empty() {
        return Some(format!("parsing time {text:?}: extra text: {left:?}"));
    }
    let [year, month, day, ..] = date;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    if day > days { beyond("day") } else { None }
}

/// So many digits at the beginning of a text, and what follows.
fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (head, rest) = text.split_at_checked(count)?;
    let plain = head.bytes().all(|b| b.is_ascii_digit());
    Some((head.parse().ok().filter(|_| plain)?, rest))
}

/// What follows a zone: `Z`, or hours and minutes from it.
fn zone(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some(rest);
    }
    let (_, rest) = digits(text.strip_prefix(['+', '-'])?, 2)?;
    Some(digits(rest.strip_prefix(':')?, 2)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_reads_them() {
        for (text, micro) in [
            ("2026-01-02T03:04:05Z", false),
            ("2026-01-02T03:04:05.123456789Z", false),
            ("2024-02-29T23:59:59+01:00", false),
            ("2026-01-02T03:04:05.000000Z", true),
        ] {
            assert_eq!(wrong(text, micro), None, "{text}");
        }
        for (text, micro, why) in [
            ("yesterday", false, "cannot parse \"yesterday\" as \"2006\""),
            ("2026-01-02 03:04:05Z", false, "cannot parse \" 03:04:05Z\" as \"T\""),
            ("2026-13-02T03:04:05Z", false, "month out of range"),
            ("2026-02-29T03:04:05Z", false, "day out of range"),
            ("2026-01-02T03:04:05", false, "cannot parse \"\" as \"Z07:00\""),
            ("2026-01-02T03:04:05ZZ", false, "extra text: \"Z\""),
            ("2026-01-02T03:04:05Z", true, "cannot parse \"Z\" as \".000000\""),
            ("2026-01-02T03:04:05.12Z", true, "cannot parse \".12Z\" as \".000000\""),
            ("\u{e9}", false, "as \"2006\""),
        ] {
            let said = wrong(text, micro).unwrap();
            assert!(said.ends_with(why), "{said}");
        }
    }
}
