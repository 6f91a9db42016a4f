//! `--until`: `findings==0`, `rows>=3`.

use std::cmp::Ordering;
use std::str::FromStr;

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counted {
    /// Findings in scope.
    Findings,
    /// Rows of the view.
    Rows,
}

/// A condition on a count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Condition {
    pub(super) counted: Counted,
    /// The orderings of count and number for which it holds.
    holds: &'static [Ordering],
    number: usize,
}

use Ordering::{Equal, Greater, Less};

/// The longer of two operators with the same beginning comes first.
const OPERATORS: [(&str, &[Ordering]); 6] = [
    ("==", &[Equal]),
    ("!=", &[Less, Greater]),
    ("<=", &[Less, Equal]),
    (">=", &[Greater, Equal]),
    ("<", &[Less]),
    (">", &[Greater]),
];

impl Condition {
    /// Whether it holds of this count.
    pub(super) fn holds(&self, count: usize) -> bool {
        self.holds.contains(&count.cmp(&self.number))
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let bad = |what: String| {
            Err(format!(
                "--until {text:?}: {what}; expected findings or rows, then ==, !=, <, <=, > or >=, then a \
                 number, as in findings==0"
            ))
        };
        let Some((word, (operator, holds), number)) = OPERATORS
            .into_iter()
            .find_map(|operator| text.split_once(operator.0).map(|(word, number)| (word, operator, number)))
        else {
            return bad("it compares nothing".to_owned());
        };
        let counted = match word.trim() {
            "findings" => Counted::Findings,
            "rows" => Counted::Rows,
            other => return bad(format!("{other:?} is not counted")),
        };
        match number.trim().parse() {
            Ok(number) => Ok(Condition { counted, holds, number }),
            Err(_) => bad(format!("{:?} after {operator} is no number", number.trim())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_compares() {
        let holding = |text: &str| -> Vec<usize> {
            let condition: Condition = text.parse().unwrap();
            (0..5).filter(|count| condition.holds(*count)).collect()
        };
        assert_eq!(holding("rows==2"), [2]);
        assert_eq!(holding("rows != 2"), [0, 1, 3, 4]);
        assert_eq!(holding("findings<2"), [0, 1]);
        assert_eq!(holding("findings <= 2"), [0, 1, 2]);
        assert_eq!(holding("rows>2"), [3, 4]);
        assert_eq!(holding(" rows>=2 "), [2, 3, 4]);
    }

    #[test]
    fn a_bad_condition_says_what_was_expected() {
        for (text, why) in [
            ("findings", "it compares nothing"),
            ("findings=0", "it compares nothing"),
            ("pods==0", "\"pods\" is not counted"),
            ("rows>=many", "\"many\" after >= is no number"),
            ("rows==-1", "\"-1\" after == is no number"),
            ("rows=>1", "\"rows=\" is not counted"),
        ] {
            let said = text.parse::<Condition>().unwrap_err();
            assert!(said.contains(why) && said.contains("as in findings==0"), "{said}");
        }
    }
}
