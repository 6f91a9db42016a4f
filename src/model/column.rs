//! Tables as data: what the objects table, the panes' headless output and completion share.

use super::{Text, Time, Tone};

/// A column of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// The heading, with the unit in it: `cpu %`.
    pub title: Text,
    /// Cells wide; `0` takes the rest, and at most one column is that.
    pub width: u16,
    /// Numbers stand right.
    pub right: bool,
    /// Worth: columns with the lowest worth drop first when the screen is narrow.
    pub worth: u8,
}

impl Column {
    /// A column of text.
    #[must_use]
    pub fn left(title: &str, width: u16, worth: u8) -> Column {
        Column { title: Text::clean(title), width, right: false, worth }
    }

    /// The column of the row's glyph, where that does not stand before everything else: one cell
    /// wide, without a heading, in the colour of the row's tone.
    #[must_use]
    pub const fn state() -> Column {
        Column { title: Text::EMPTY, width: 1, right: false, worth: u8::MAX }
    }

    /// Whether it is the column of the row's glyph.
    #[must_use]
    pub fn is_state(&self) -> bool {
        self.width == 1 && self.title.is_empty()
    }

    /// A column of numbers.
    #[must_use]
    pub fn right(title: &str, width: u16, worth: u8) -> Column {
        Column { title: Text::clean(title), width, right: true, worth }
    }
}

/// A cell: what is shown, what it is sorted by, how worrying it is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Cell {
    /// What is shown.
    pub text: Text,
    /// What it is sorted by when the text would mislead.
    pub sort: Option<i64>,
    /// How worrying it is.
    pub tone: Option<Tone>,
    /// The moment that it shows, if it shows one: the screen can show it another way.
    pub at: Option<Time>,
}

impl Cell {
    /// A cell of text.
    #[must_use]
    pub fn text(text: impl Into<Text>) -> Cell {
        Cell { text: text.into(), ..Cell::default() }
    }

    /// A cell that sorts as a number.
    #[must_use]
    pub fn number(text: impl Into<Text>, sort: i64) -> Cell {
        Cell { text: text.into(), sort: Some(sort), ..Cell::default() }
    }

    /// A cell that shows when something was: `02:11` in UTC, or a date past a day.
    #[must_use]
    pub fn when(at: Time, now: Time) -> Cell {
        Cell { at: Some(at), ..Cell::number(at.when(now), at.millis()) }
    }

    /// The same cell with a tone.
    #[must_use]
    pub fn toned(self, tone: Tone) -> Cell {
        Cell { tone: Some(tone), ..self }
    }
}
