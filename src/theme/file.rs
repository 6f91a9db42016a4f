//! Theme files: TOML with a palette, `inherits`, and a look for each role.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use toml::de::{DeTable, DeValue};

use super::{Borders, Depth, Role, Theme, down, parse_color};
use crate::model::{Problem, Shipped, Source, nearest};

/// The themes that come with the program, by name.
pub const THEMES: [(&str, &str); 6] = [
    ("default", include_str!("../../themes/default.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
    ("harbour", include_str!("../../themes/harbour.toml")),
    ("parchment", include_str!("../../themes/parchment.toml")),
];

const SHIPPED: Shipped = Shipped { what: "theme", folder: "themes", files: &THEMES };

/// A look before it is fitted to a terminal.
#[derive(Clone, Copy, Default)]
struct Look {
    fg: Option<Color>,
    bg: Option<Color>,
    modifiers: Modifier,
}

#[derive(Default)]
struct Draft {
    about: String,
    background: Option<Color>,
    borders: Option<Borders>,
    palette: BTreeMap<String, Color>,
    looks: BTreeMap<Role, Look>,
}

/// The theme of this name, for a terminal of this depth. `files` finds a file of the user's by
/// name; a file called like a shipped theme stands in its place, and may inherit from it by that
/// same name. What is wrong in a file is told and left out; the rest counts.
#[must_use]
pub fn load(
    name: &str,
    files: &dyn Fn(&str) -> Option<Source>,
    depth: Depth,
    ascii: bool,
) -> (Theme, Vec<Problem>) {
    let mut problems = Vec::new();
    let chain = SHIPPED.chain(name, files, &mut problems);
    let mut draft = Draft::default();
    for source in chain.iter().rev() {
        apply(&mut draft, source, &mut problems);
    }
    (fit(name, &draft, depth, ascii), problems)
}

fn fit(name: &str, draft: &Draft, depth: Depth, ascii: bool) -> Theme {
    let look = |role: Role| {
        let own = std::iter::successors(Some(role), |r| r.parent()).find_map(|r| draft.looks.get(&r));
        own.copied().unwrap_or_default()
    };
    let style = |role: &Role| {
        let look = look(*role);
        let mut style = Style::new().add_modifier(look.modifiers);
        style.fg = look.fg.and_then(|c| down(c, depth));
        style.bg = look.bg.and_then(|c| down(c, depth));
        // A badge that is only a background must not vanish with the colours.
        if depth == Depth::None && look.bg.is_some() {
            style = style.add_modifier(Modifier::REVERSED);
        }
        if depth == Depth::None && *role == Role::Key {
            style = style.add_modifier(Modifier::BOLD);
        }
        style
    };
    Theme {
        name: name.to_owned(),
        about: draft.about.clone(),
        background: draft.background.and_then(|c| down(c, depth)),
        borders: if ascii { Borders::Ascii } else { draft.borders.unwrap_or_default() },
        ascii,
        depth,
        styles: Role::ALL.iter().map(style).collect(),
    }
}

fn apply(draft: &mut Draft, source: &Source, problems: &mut Vec<Problem>) {
    let table = match DeTable::parse(&source.text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            problems.push(Problem::at(source, error.span().map_or(0, |s| s.start), error.message()));
            return;
        }
    };
    // The palette first: roles name its colours wherever they stand in the file.
    if let Some(DeValue::Table(palette)) = table.get("palette").map(toml::Spanned::get_ref) {
        for (name, color) in palette {
            match string(color.get_ref()).and_then(parse_color) {
                Ok(color) => drop(draft.palette.insert(name.get_ref().to_string(), color)),
                Err(what) => problems.push(Problem::at(source, color.span().start, what)),
            }
        }
    }
    for (name, value) in &table {
        let result = match (name.get_ref().as_ref(), value.get_ref()) {
            ("inherits" | "palette", _) => Ok(()),
            ("about", DeValue::String(about)) => {
                draft.about = about.to_string();
                Ok(())
            }
            ("background", value) => {
                string(value).and_then(|text| color(draft, text)).map(|c| draft.background = Some(c))
            }
            ("borders", value) => string(value).and_then(|word| {
                let borders =
                    Borders::parse(word).ok_or("expected borders = \"none\", \"line\" or \"ascii\"")?;
                draft.borders = Some(borders);
                Ok(())
            }),
            ("roles", DeValue::Table(roles)) => {
                for (role, value) in roles {
                    if let Err(what) = self::role(draft, role.get_ref(), value.get_ref()) {
                        problems.push(Problem::at(source, role.span().start, what));
                    }
                }
                Ok(())
            }
            (other, _) => Err(format!(
                "{other:?} is not known here; expected inherits, about, background, borders, [palette] or [roles]"
            )),
        };
        if let Err(what) = result {
            problems.push(Problem::at(source, name.span().start, what));
        }
    }
}

fn role(draft: &mut Draft, name: &str, value: &DeValue<'_>) -> Result<(), String> {
    let Some(role) = Role::by_name(name) else {
        let near = nearest(name, Role::ALL.iter().map(|role| role.name()));
        return Err(format!("no role {name}{}", near.map_or_else(String::new, |near| format!("; {near}?"))));
    };
    let mut look = Look::default();
    match value {
        DeValue::String(text) => look.fg = Some(color(draft, text)?),
        DeValue::Table(parts) => {
            for (part, value) in parts {
                match (part.get_ref().as_ref(), value.get_ref()) {
                    ("fg", DeValue::String(text)) => look.fg = Some(color(draft, text)?),
                    ("bg", DeValue::String(text)) => look.bg = Some(color(draft, text)?),
                    ("mods", DeValue::Array(words)) => {
                        for word in words.iter() {
                            look.modifiers |= modifier(string(word.get_ref())?)?;
                        }
                    }
                    (other, _) => {
                        return Err(format!(
                            "{other:?} is no part of a look; expected fg, bg or mods = [\"bold\"]"
                        ));
                    }
                }
            }
        }
        other => return Err(format!("expected a colour or {{ fg, bg, mods }}, found {}", other.type_str())),
    }
    draft.looks.insert(role, look);
    Ok(())
}

fn modifier(word: &str) -> Result<Modifier, String> {
    match word {
        "bold" => Ok(Modifier::BOLD),
        "dim" => Ok(Modifier::DIM),
        "italic" => Ok(Modifier::ITALIC),
        "underline" => Ok(Modifier::UNDERLINED),
        "reverse" => Ok(Modifier::REVERSED),
        _ => Err(format!("{word:?} is not known; expected bold, dim, italic, underline or reverse")),
    }
}

fn color(draft: &Draft, text: &str) -> Result<Color, String> {
    draft.palette.get(text).copied().map_or_else(|| parse_color(text), Ok)
}

fn string<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    match value {
        DeValue::String(Cow::Borrowed(text)) => Ok(text),
        DeValue::String(Cow::Owned(text)) => Ok(text),
        other => Err(format!("expected a text, found {}", other.type_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, depth: Depth) -> (Theme, Vec<String>) {
        let files = |name: &str| {
            (name == "mine").then(|| Source { file: "mine.toml".to_owned(), text: text.to_owned() })
        };
        let (theme, problems) = load("mine", &files, depth, false);
        (theme, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn shipped_themes_are_without_fault_at_every_depth() {
        for (name, _) in THEMES {
            for depth in [Depth::None, Depth::Ansi, Depth::Indexed, Depth::True] {
                let (theme, problems) = load(name, &|_| None, depth, false);
                assert_eq!(problems, [], "{name}");
                assert!(!theme.about.is_empty(), "{name} says nothing about itself");
                for role in Role::ALL {
                    let style = theme.style(*role);
                    assert_ne!(style.fg, Some(Color::DarkGray), "{name} {}", role.name());
                    if let Some(contrast) = theme.contrast(*role) {
                        let least = if *role == Role::Rule { 3.0 } else { 4.5 };
                        assert!(
                            contrast >= least || depth == Depth::Ansi,
                            "{name} {}: {contrast:.1}",
                            role.name()
                        );
                    }
                }
                // The cursor must be seen whatever the depth.
                assert_ne!(theme.style(Role::Select), theme.style(Role::Text), "{name}");
            }
        }
    }

    #[test]
    fn themes_inherit_and_name_their_colours() {
        let text = "inherits = \"default\"\n[roles]\ncrit = \"rose\"\n\"text.dim\" = { fg = \"#808080\", mods = [\"italic\"] }\n[palette]\nrose = \"#ff0066\"\n";
        let (theme, problems) = with(text, Depth::True);
        assert_eq!(problems, [""; 0]);
        assert_eq!(theme.style(Role::Crit).fg, Some(Color::Rgb(255, 0, 0x66)));
        assert!(theme.style(Role::TextDim).add_modifier.contains(Modifier::ITALIC));
        assert_eq!(theme.style(Role::Ok).fg, Some(Color::Green));
        let (theme, _) = with(text, Depth::None);
        assert!(Role::ALL.iter().all(|r| theme.style(*r).fg.is_none() && theme.style(*r).bg.is_none()));
        assert!(theme.style(Role::Armed).add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn faults_name_the_line() {
        let text = "inherits = \"default\"\nbordres = 1\n[roles]\ncirt = \"red\"\nok = \"bright-black\"\nwarn = { fgg = \"red\" }\n[palette]\nx = \"#12\"\n";
        let (_, problems) = with(text, Depth::True);
        assert_eq!(problems.len(), 5, "{problems:#?}");
        for expected in [
            "mine.toml:2: \"bordres\"",
            "mine.toml:4: no role cirt; crit?",
            "mine.toml:5: bright black",
            "mine.toml:6: \"fgg\"",
            "mine.toml:8: \"#12\" is no colour",
        ] {
            assert!(problems.iter().any(|p| p.starts_with(expected)), "{expected} in {problems:#?}");
        }
    }
}
