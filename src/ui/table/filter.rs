//! Filters: words that must be there, `!words` that must not, prefixes for one place,
//! comparisons by column, `-l` label selectors and `-f` fuzzy words.
//!
//! A term that cannot be understood filters nothing and is named; the others go on working.

mod bound;
mod complete;
mod figure;

pub(in crate::ui) use complete::completions;

use crate::model::{Selector, Text, Tone};
use crate::operations::parse_selector;
use figure::Operator;

/// A filter as typed, and its terms.
#[derive(Clone, PartialEq, Debug, Default)]
pub(in crate::ui) struct Filter {
    /// As typed.
    pub(in crate::ui) text: String,
    /// The labels that objects must have.
    pub(in crate::ui) labels: Option<Selector>,
    terms: Vec<Term>,
    /// What is wrong with what was typed.
    problem: Option<Text>,
}

#[derive(Clone, PartialEq, Debug)]
struct Term {
    not: bool,
    test: Test,
}

#[derive(Clone, PartialEq, Debug)]
enum Test {
    /// Anywhere in the row.
    Word(String),
    /// Its letters in this order, anywhere in the row.
    Fuzzy(String),
    /// The cluster's name begins so.
    Cluster(String),
    /// The namespace begins so.
    Namespace(String),
    /// How bad it is.
    Tone(Tone),
    /// A column compared.
    Column(String, Operator, String),
}

/// The words of `sev:`.
const TONES: [(&str, Tone); 8] = [
    ("crit", Tone::Crit),
    ("warn", Tone::Warn),
    ("unseen", Tone::Unseen),
    ("denied", Tone::Denied),
    ("moving", Tone::Moving),
    ("connecting", Tone::Connecting),
    ("paused", Tone::Paused),
    ("ok", Tone::Ok),
];

impl Filter {
    /// A filter from what was typed. All terms must hold.
    pub(in crate::ui) fn parse(text: &str) -> Filter {
        let mut filter = Filter { text: text.trim().to_owned(), ..Filter::default() };
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let taken = match word {
                "-l" => {
                    let mut selector = words.next().unwrap_or_default().to_owned();
                    while selector.matches('(').count() > selector.matches(')').count()
                        && let Some(more) = words.next()
                    {
                        selector.push_str(more);
                    }
                    // `tier in (a, b)` comes in three words.
                    if matches!(words.peek(), Some(&("in" | "notin")))
                        && let (Some(operator), Some(values)) = (words.next(), words.next())
                    {
                        selector = format!("{selector} {operator} {values}");
                        while !selector.contains(')')
                            && let Some(more) = words.next()
                        {
                            selector.push_str(more);
                        }
                    }
                    filter.select(&selector)
                }
                "-f" => words.next().map_or(Ok(()), |word| {
                    filter.terms.push(Term { not: false, test: Test::Fuzzy(word.to_lowercase()) });
                    Ok(())
                }),
                _ => Term::parse(word).map(|term| filter.terms.extend(term)),
            };
            if let Err(why) = taken {
                filter.problem.get_or_insert(why);
            }
        }
        filter
    }

    fn select(&mut self, selector: &str) -> Result<(), Text> {
        if selector.is_empty() {
            return Err("-l wants a label selector such as app=pay".into());
        }
        self.labels = Some(parse_selector(selector)?);
        Ok(())
    }

    /// Whether nothing was typed.
    pub(in crate::ui) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether every row that passes this passes `before` too: a word was written on.
    pub(in crate::ui) fn narrows(&self, before: &Filter) -> bool {
        let same = self.labels == before.labels && before.problem.is_none();
        let narrower = |(term, before): (&Term, &Term)| match (&term.test, &before.test) {
            (Test::Word(word), Test::Word(old)) => !term.not && !before.not && word.contains(old.as_str()),
            (Test::Fuzzy(word), Test::Fuzzy(old)) => word.starts_with(old.as_str()),
            _ => term == before,
        };
        same && self.terms.len() >= before.terms.len() && self.terms.iter().zip(&before.terms).all(narrower)
    }

    /// The words that rows were found by, for marking them.
    pub(in crate::ui) fn found_words(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter(|term| !term.not).filter_map(|term| match &term.test {
            Test::Word(word) | Test::Cluster(word) | Test::Namespace(word) => Some(word.as_str()),
            _ => None,
        })
    }
}

impl Term {
    fn parse(raw: &str) -> Result<Option<Term>, Text> {
        let (not, rest) = raw.strip_prefix('!').map_or((false, raw), |rest| (true, rest));
        let test = match rest.split_once(':') {
            Some(("cluster" | "ctx", text)) => Test::Cluster(text.to_lowercase()),
            Some(("ns" | "namespace", text)) => Test::Namespace(text.to_lowercase()),
            Some(("sev" | "state", "")) => return Ok(None),
            Some(("sev" | "state", text)) => Test::Tone(tone(text)?),
            _ => match figure::split(rest) {
                Some((column, operator, operand)) if !operand.is_empty() => {
                    Test::Column(column.to_lowercase(), operator, operand.to_owned())
                }
                Some(_) => return Ok(None),
                None => Test::Word(rest.to_lowercase()),
            },
        };
        let empty = match &test {
            Test::Word(text) | Test::Cluster(text) | Test::Namespace(text) => text.is_empty(),
            _ => false,
        };
        Ok((!empty).then_some(Term { not, test }))
    }
}

fn tone(text: &str) -> Result<Tone, Text> {
    let text = text.to_lowercase();
    let named = TONES.iter().find(|(name, _)| name.starts_with(&text)).map(|(_, tone)| *tone);
    named.ok_or_else(|| {
        let names: Vec<&str> = TONES.iter().map(|(name, _)| *name).collect();
        Text::from(format!("sev:{text} is none of {}", names.join(" ")))
    })
}

/// Whether a text contains a lower-case word, whatever its case.
pub(in crate::ui) fn contains(text: &str, word: &str) -> bool {
    find(text, word).is_some()
}

/// Where a lower-case word is in a text: its byte range.
pub(in crate::ui) fn find(text: &str, word: &str) -> Option<std::ops::Range<usize>> {
    if word.is_empty() {
        return None;
    }
    if word.is_ascii() {
        let (hay, needle) = (text.as_bytes(), word.as_bytes());
        let (first, last) = (*needle.first()?, hay.len().checked_sub(needle.len())?);
        // A filter asks this of every row of a fleet: most places differ in their first letter.
        let is = |at: &usize| {
            hay[*at].to_ascii_lowercase() == first
                && hay[*at..*at + needle.len()].eq_ignore_ascii_case(needle)
        };
        let at = (0..=last).find(is)?;
        return Some(at..at + needle.len());
    }
    // Beyond ASCII lower case can change lengths: only the exact letters are sought there.
    text.find(word).map(|at| at..at + word.len())
}

#[cfg(test)]
mod tests;
