//! Themes: what a meaning looks like. Roles, colours and their down-conversion, glyphs, files.
//!
//! Rank 1: it imports `model` only. The screen asks for a [`Role`] and never for a colour. A
//! meaning is never shown by colour alone: every [`Tone`] has its own glyph,
//! and a theme without colours is complete.

mod color;
mod file;
mod glyph;
mod role;

pub use color::{Depth, contrast, down, parse_color};
pub use file::{THEMES, load};
pub use glyph::{ascii, bar, spark, tone_glyph};
pub use role::{Role, tone_role};

use ratatui::style::{Color, Style};

use crate::model::Tone;

/// How parts of the screen are set apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Borders {
    /// By room alone.
    None,
    /// By lines.
    #[default]
    Line,
    /// By `|` and `-`.
    Ascii,
}

impl Borders {
    /// From its word in a theme or in the settings.
    #[must_use]
    pub fn parse(word: &str) -> Option<Borders> {
        match word {
            "none" => Some(Borders::None),
            "line" => Some(Borders::Line),
            "ascii" => Some(Borders::Ascii),
            _ => None,
        }
    }
}

/// A theme, ready for a terminal of a certain colour depth.
#[derive(Clone, PartialEq, Debug)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// What it is painted on, when it paints that at all.
    pub background: Option<Color>,
    /// How parts are set apart.
    pub borders: Borders,
    /// Whether everything is drawn in ASCII.
    pub ascii: bool,
    /// How many colours it uses.
    pub depth: Depth,
    styles: Vec<Style>,
}

impl Theme {
    /// What a role looks like.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// What a tone looks like.
    #[must_use]
    pub fn tone(&self, tone: Tone) -> Style {
        self.style(tone_role(tone))
    }

    /// The contrast of a role's text to what it stands on, where both are known.
    #[must_use]
    pub fn contrast(&self, role: Role) -> Option<f64> {
        let style = self.style(role);
        let text = self.style(Role::Text);
        contrast(style.fg.or(text.fg)?, style.bg.or(self.background)?)
    }
}
