//! Label selectors as queries have them: `app=web,tier in (a,b),!old`. What is wrong with one is said in the
//! server's words (`apimachinery/pkg/labels/selector.go`).

use std::iter::Peekable;
use std::vec::IntoIter;

use super::Term;
use crate::sim::validation::{label_value, qualified};

/// What may stand between a key and its values, as servers list it.
const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

/// The signs that words end at.
const SIGNS: &str = "()!=<>,";

/// Reads a selector.
///
/// # Errors
/// It is none: why, as the server says it.
pub(super) fn parse(text: &str) -> Result<Vec<Term>, String> {
    let mut tokens = Tokens(lex(text).into_iter().peekable());
    let mut terms = Vec::new();
    if tokens.look().is_empty() {
        return Ok(terms);
    }
    loop {
        if !is_word(tokens.look()) && tokens.look() != "!" {
            let expected = match terms.is_empty() {
                true => "!, identifier, or 'end of string'",
                false => "identifier after ','",
            };
            return Err(found(tokens.look(), expected));
        }
        terms.push(tokens.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
        match tokens.take().as_str() {
            "" => return Ok(terms),
            "," => {}
            other => return Err(found(other, "',' or 'end of string'")),
        }
    }
}

fn found(token: &str, expected: &str) -> String {
    format!("found '{token}', expected: {expected}")
}

/// Words and signs; `=`, `==`, `!=` are one each.
fn lex(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut open = false;
    for c in text.chars() {
        if c.is_whitespace() {
            open = false;
        } else if SIGNS.contains(c) {
            let joins = open && c == '=' && matches!(tokens.last().map(String::as_str), Some("=" | "!"));
            match tokens.last_mut().filter(|_| joins) {
                Some(last) => last.push(c),
                None => tokens.push(c.to_string()),
            }
            // A word after it is one of its own.
            open = matches!(c, '=' | '!');
        } else {
            let word = open && tokens.last().is_some_and(|last| !last.starts_with(is_sign));
            match tokens.last_mut().filter(|_| word) {
                Some(last) => last.push(c),
                None => tokens.push(c.to_string()),
            }
            open = true;
        }
    }
    tokens
}

fn is_sign(c: char) -> bool {
    SIGNS.contains(c)
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c| !is_sign(c))
}

/// What is left to be read. Nothing more is an empty token.
struct Tokens(Peekable<IntoIter<String>>);

impl Tokens {
    fn look(&mut self) -> &str {
        self.0.peek().map_or("", String::as_str)
    }

    fn take(&mut self) -> String {
        self.0.next().unwrap_or_default()
    }

    fn ends(&mut self) -> bool {
        matches!(self.look(), "" | ",")
    }

    fn requirement(&mut self) -> Result<Term, String> {
        let absent = self.look() == "!";
        if absent {
            self.take();
        }
        let key = self.take();
        if !is_word(&key) {
            return Err(found(&key, "identifier"));
        }
        if let Some(why) = qualified(&key).first() {
            return Err(format!("<nil>: Invalid value: {key:?}: {why}"));
        }
        if absent {
            return Ok(Term::Absent(key));
        }
        if self.ends() {
            return Ok(Term::Exists(key));
        }
        let operator = self.take();
        let term = match operator.as_str() {
            "in" => Term::In(key, self.values()?),
            "notin" => Term::NotIn(key, self.values()?),
            "=" | "==" => Term::In(key, vec![self.value()?]),
            "!=" => Term::NotIn(key, vec![self.value()?]),
            ">" => Term::Above(key, whole(&self.value()?)?),
            "<" => Term::Below(key, whole(&self.value()?)?),
            other => return Err(found(other, OPERATORS)),
        };
        term.checked()
    }

    fn value(&mut self) -> Result<String, String> {
        if self.ends() {
            return Ok(String::new());
        }
        let value = self.take();
        if is_word(&value) { Ok(value) } else { Err(found(&value, "identifier")) }
    }

    /// Values in brackets. Between two commas, and where nothing else is, is an empty one.
    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.take();
        if open != "(" {
            return Err(format!("found '{open}' expected: '('"));
        }
        if !is_word(self.look()) && !matches!(self.look(), "," | ")") {
            return Err(found(self.look(), "',', ')' or identifier"));
        }
        let mut values = Vec::new();
        loop {
            values.push(if is_word(self.look()) { self.take() } else { String::new() });
            match self.take().as_str() {
                "," => {}
                ")" => return Ok(values),
                other => return Err(found(other, "',' or ')'")),
            }
        }
    }
}

fn whole(value: &str) -> Result<i64, String> {
    const WRONG: &str = "for 'Gt', 'Lt' operators, the value must be an integer";
    value.parse().map_err(|_| format!("values[0]: Invalid value: {value:?}: {WRONG}"))
}

impl Term {
    /// This term, when its values can be those of a label.
    fn checked(self) -> Result<Term, String> {
        if let Term::In(key, values) | Term::NotIn(key, values) = &self {
            for (at, value) in values.iter().enumerate() {
                if let Some(why) = label_value(value).first() {
                    return Err(format!("values[{at}][{key}]: Invalid value: {value:?}: {why}"));
                }
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_selector_is_refused_in_the_servers_words() {
        let end = "',' or 'end of string'";
        for (text, why) in [
            ("a=b=c", format!("found '=', expected: {end}")),
            ("a==b=", format!("found '=', expected: {end}")),
            ("a!=b!=c", format!("found '!=', expected: {end}")),
            ("!a=b", format!("found '=', expected: {end}")),
            ("a=b c", format!("found 'c', expected: {end}")),
            ("=b", "found '=', expected: !, identifier, or 'end of string'".to_owned()),
            ("a,,b", "found ',', expected: identifier after ','".to_owned()),
            ("a,", "found '', expected: identifier after ','".to_owned()),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
        for (text, why) in [
            ("a=!b", "found '!', expected: identifier".to_owned()),
            ("a=(b)", "found '(', expected: identifier".to_owned()),
            ("!", "found '', expected: identifier".to_owned()),
            ("!!a", "found '!', expected: identifier".to_owned()),
            ("a in b", "found 'b' expected: '('".to_owned()),
            ("a in (b", "found '', expected: ',' or ')'".to_owned()),
            ("a in (b c)", "found 'c', expected: ',' or ')'".to_owned()),
            ("a in (!)", "found '!', expected: ',', ')' or identifier".to_owned()),
            ("a b", format!("found 'b', expected: {OPERATORS}")),
            ("a !b", format!("found '!', expected: {OPERATORS}")),
            (
                "a>b",
                "values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer"
                    .to_owned(),
            ),
        ] {
            assert_eq!(parse(text), Err(format!("unable to parse requirement: {why}")), "{text}");
        }
        for (text, start) in [
            ("-a=b", "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist"),
            (
                "x/y/z=1",
                "unable to parse requirement: <nil>: Invalid value: \"x/y/z\": a valid label key must",
            ),
            (
                "a=-b",
                "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label must be",
            ),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.starts_with(start), "{text}: {why}");
        }
    }

    #[test]
    fn words_and_commas_may_stand_where_servers_take_them() {
        let list = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
        for (text, term) in [
            ("in", Term::Exists("in".to_owned())),
            ("in in (in)", Term::In("in".to_owned(), list(&["in"]))),
            ("a=in", Term::In("a".to_owned(), list(&["in"]))),
            ("a=", Term::In("a".to_owned(), list(&[""]))),
            ("a in ()", Term::In("a".to_owned(), list(&[""]))),
            ("a in (b,)", Term::In("a".to_owned(), list(&["b", ""]))),
            ("a notin (b,,c)", Term::NotIn("a".to_owned(), list(&["b", "", "c"]))),
            ("a<5", Term::Below("a".to_owned(), 5)),
        ] {
            assert_eq!(parse(text), Ok(vec![term]), "{text}");
        }
    }
}
