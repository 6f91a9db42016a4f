//! Figures in cells and in comparisons: `500m`, `1.5 GiB`, `$2.40`, `96 %`, `3/5`, `2h`.

/// How a column is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

/// What a cell or an operand says as a number. Lengths of time are in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    /// A length of time: `m` is minutes.
    Time,
    /// Anything else: `m` is a thousandth, as in CPU.
    Amount,
}

/// `cpu>=500m` in its three parts; `None` when it is no comparison.
pub(super) fn split(term: &str) -> Option<(&str, Operator, &str)> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("!=", Operator::Unequal),
        (">=", Operator::AtLeast),
        ("<=", Operator::AtMost),
        (">", Operator::More),
        ("<", Operator::Less),
        ("=", Operator::Equal),
    ];
    let places = OPERATORS.iter().filter_map(|(sign, operator)| Some((term.find(sign)?, *sign, *operator)));
    // The first sign counts, and of signs that begin together the longer, which is listed first.
    let (at, sign, operator) = places.min_by_key(|(at, ..)| *at)?;
    let (column, operand) = (term.get(..at)?, term.get(at + sign.len()..)?);
    (!column.is_empty()).then_some((column, operator, operand))
}

impl Operator {
    pub(super) fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Operator::Less => ordering.is_lt(),
            Operator::AtMost => ordering.is_le(),
            Operator::More => ordering.is_gt(),
            Operator::AtLeast => ordering.is_ge(),
            Operator::Equal => ordering.is_eq(),
            Operator::Unequal => ordering.is_ne(),
        }
    }
}

/// Whether a text can only be a length of time.
pub(super) fn surely_time(text: &str) -> bool {
    seconds(text).is_some() && text.ends_with(['s', 'h', 'd', 'w'])
}

/// A text as a number; `None` when it is not one, or not known.
pub(super) fn read(text: &str, measure: Measure) -> Option<f64> {
    match measure {
        Measure::Time => seconds(text),
        Measure::Amount => amount(text),
    }
}

fn seconds(text: &str) -> Option<f64> {
    let span = crate::model::Span::parse(text.trim_start_matches('~'))?;
    // Lengths of time that a screen shows are far below what a float holds exactly.
    Some(span.millis() as f64 / 1000.0)
}

/// Numbers as cells show them. Of `3/5` the first counts, of `8→14` the last.
fn amount(text: &str) -> Option<f64> {
    let text = text.rsplit('→').next().unwrap_or(text);
    let text = text.split('/').next().unwrap_or(text);
    let text = text.trim_end_matches("+?").trim_start_matches(['~', '+']).replace([',', '$', ' '], "");
    let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
    let text = text.trim_start_matches(['<', '$']);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: f64 = number.parse().ok()?;
    let factor = match unit.trim_end_matches('B') {
        "" | "%" | "x" | "×" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        _ => return None,
    };
    Some(if negative { -number * factor } else { number * factor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_and_operands_are_read_alike() {
        for (text, value) in [
            ("500m", 0.5),
            ("1.5", 1.5),
            ("1.5 GiB", 1_610_612_736.0),
            ("512Mi", 536_870_912.0),
            ("$2.40", 2.4),
            ("~$1,204.50+?", 1204.5),
            ("-0.30", -0.3),
            ("+2.47", 2.47),
            ("96 %", 96.0),
            ("3/5", 3.0),
            ("8→14", 14.0),
        ] {
            assert_eq!(read(text, Measure::Amount), Some(value), "{text}");
        }
        for none in ["?", "·", "-", "", "absorbed", "12 pods", "ö"] {
            assert_eq!(read(none, Measure::Amount), None, "{none}");
        }
        assert_eq!(read("22m", Measure::Time), Some(1320.0));
        assert!(surely_time("12d") && surely_time("1m22s") && !surely_time("22m"));
    }

    #[test]
    fn the_first_and_longest_sign_splits() {
        assert_eq!(split("cpu>=500m"), Some(("cpu", Operator::AtLeast, "500m")));
        assert_eq!(split("$/h>1"), Some(("$/h", Operator::More, "1")));
        assert_eq!(split("name!=a=b"), Some(("name", Operator::Unequal, "a=b")));
        assert_eq!(split("age<"), Some(("age", Operator::Less, "")));
        assert_eq!(split(">5"), None);
        assert_eq!(split("web"), None);
    }
}
