//! Words of a shell: how a line falls into them, and what they stand for.

use super::Shell;

/// A part of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// A word as it was written, with its quotes.
    Word(String),
    Sign(&'static str),
}

/// Signs that end a word, the longer ones first.
const SIGNS: [&str; 9] = ["&&", "||", "&>", "2>", ">>", ";", "|", ">", "\n"];

/// Splits a line into words and signs.
pub(super) fn lex(line: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut rest = line;
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        if quote.is_none() {
            let fresh = word.is_empty();
            // 2> is a sign at the beginning of a word only: in "a2>b" the 2 is part of the word
            let sign = SIGNS.into_iter().find(|s| rest.starts_with(s) && (*s != "2>" || fresh));
            if let Some(sign) = sign {
                end(&mut out, &mut word);
                out.push(Token::Sign(match sign {
                    "\n" => ";",
                    ">>" => ">",
                    sign => sign,
                }));
                rest = &rest[sign.len()..];
                continue;
            }
            if let Some(inner) = rest.strip_prefix('$').filter(|r| r.starts_with('(')).and_then(inside) {
                let (own, after) = rest.split_at(inner.len() + 3);
                word.push_str(own);
                rest = after;
                continue;
            }
            match c {
                '#' if fresh => break,
                // commands in parentheses are run like any others
                '(' if fresh => {}
                ')' => end(&mut out, &mut word),
                ' ' | '\t' | '\r' => end(&mut out, &mut word),
                '\'' | '"' => {
                    quote = Some(c);
                    word.push(c);
                }
                _ => word.push(c),
            }
        } else {
            word.push(c);
            if Some(c) == quote {
                quote = None;
            }
        }
        rest = &rest[c.len_utf8()..];
        if c == '\\'
            && quote != Some('\'')
            && let Some(next) = rest.chars().next()
        {
            word.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    end(&mut out, &mut word);
    out
}

fn end(out: &mut Vec<Token>, word: &mut String) {
    if !word.is_empty() {
        out.push(Token::Word(std::mem::take(word)));
    }
}

/// What stands in the parentheses that a text begins with.
fn inside(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(1..i);
        }
    }
    None
}

/// Whether a text can be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    let letters = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    letters && text.chars().next().is_some_and(|c| !c.is_ascii_digit())
}

/// What a word stands for: without its quotes, its variables and commands replaced.
pub(super) fn expand(shell: &mut Shell, raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw;
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => {
                if let Some(next) = rest.chars().next() {
                    // between double quotes only some signs are escaped
                    if quote.is_some() && !['$', '"', '\\', '`'].contains(&next) {
                        out.push(c);
                    }
                    out.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
            ('$', None | Some('"')) => rest = variable(shell, rest, &mut out),
            (c, _) => out.push(c),
        }
    }
    out
}

/// What follows a `$`; what is left of the text after it.
fn variable<'a>(shell: &mut Shell, rest: &'a str, out: &mut String) -> &'a str {
    let value = |shell: &Shell, key: &str| shell.env.get(key).cloned().unwrap_or_default();
    if rest.starts_with('(')
        && let Some(inner) = inside(rest)
    {
        let said = shell.script(inner).out;
        out.push_str(said.trim_end_matches('\n'));
        return &rest[inner.len() + 2..];
    }
    if let Some((inner, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
        let (key, usual) = inner.split_once(":-").unwrap_or((inner, ""));
        let known = value(shell, key);
        out.push_str(if known.is_empty() { usual } else { &known });
        return after;
    }
    if let Some(after) = rest.strip_prefix('?') {
        out.push_str(&shell.code.to_string());
        return after;
    }
    if let Some(after) = rest.strip_prefix('$') {
        out.push('1');
        return after;
    }
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (key, after) = rest.split_at(length);
    match key {
        "" => out.push('$'),
        key => out.push_str(&value(shell, key)),
    }
    after
}
