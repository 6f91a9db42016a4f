//! Drawing that cannot leave its place: every write is cut to an area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::model::text::{middle_cut, sanitised};
use crate::theme::{Role, Theme, ascii};

/// An area of the screen to draw on, with the theme.
pub(super) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    /// Where it is.
    pub(super) area: Rect,
    /// What things look like.
    pub(super) theme: &'a Theme,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, area: Rect, theme: &'a Theme) -> Canvas<'a> {
        let area = area.intersection(buffer.area);
        Canvas { buffer, area, theme }
    }

    pub(super) fn width(&self) -> u16 {
        self.area.width
    }

    pub(super) fn height(&self) -> u16 {
        self.area.height
    }

    /// A part of this canvas; coordinates are within it.
    pub(super) fn part(&mut self, x: u16, y: u16, width: u16, height: u16) -> Canvas<'_> {
        let area = Rect { x: self.area.x.saturating_add(x), y: self.area.y.saturating_add(y), width, height };
        let area = area.intersection(self.area);
        Canvas { buffer: self.buffer, area, theme: self.theme }
    }

    /// The part from this row on.
    pub(super) fn below(&mut self, y: u16) -> Canvas<'_> {
        let (width, height) = (self.width(), self.height().saturating_sub(y));
        self.part(0, y, width, height)
    }

    pub(super) fn role(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Writes a text and says where it ended. What does not fit is cut, and shows that it is.
    pub(super) fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        self.put_within(x, y, text, u16::MAX, style)
    }

    /// Writes a text of at most `width` cells and says where it ended.
    pub(super) fn put_within(&mut self, x: u16, y: u16, text: &str, width: u16, style: Style) -> u16 {
        if x >= self.width() || y >= self.height() {
            return x;
        }
        let room = (self.width() - x).min(width);
        let style = self.theme.style(Role::Text).patch(style);
        let text = sanitised(text);
        let cut = (text.trim_end().width() > room.into()).then(|| end_cut(&text, room.into()));
        let text = cut.as_deref().unwrap_or(&text);
        let (end, _) = self.buffer.set_stringn(self.area.x + x, self.area.y + y, text, room.into(), style);
        end - self.area.x
    }

    /// Writes pieces one after another.
    pub(super) fn pieces(&mut self, x: u16, y: u16, pieces: &[(&str, Role)]) -> u16 {
        pieces.iter().fold(x, |x, (text, role)| {
            let style = self.role(*role);
            self.put(x, y, text, style)
        })
    }

    /// Writes a text into exactly `width` cells, on the left or on the right. Names are cut in the
    /// middle, where they differ least; sentences at their end.
    pub(super) fn cell(&mut self, x: u16, y: u16, text: &str, width: u16, right: bool, style: Style) {
        let cut =
            if text.contains(' ') { end_cut(text, width.into()) } else { middle_cut(text, width.into()) };
        let used = u16::try_from(cut.width()).unwrap_or(width).min(width);
        let start = if right { x + (width - used) } else { x };
        self.put_within(start, y, &cut, width, style);
    }

    /// Gives a row, or a part of it, a look without changing what it says.
    pub(super) fn restyle(&mut self, x: u16, y: u16, width: u16, style: Style) {
        if y < self.height() && x < self.width() {
            let area = Rect {
                x: self.area.x + x,
                y: self.area.y + y,
                width: width.min(self.width() - x),
                height: 1,
            };
            self.buffer.set_style(area, style);
        }
    }

    /// Empties the whole canvas.
    pub(super) fn clear(&mut self) {
        let mut style = self.theme.style(Role::Text);
        style.bg = style.bg.or(self.theme.background);
        for position in self.area.intersection(self.buffer.area).positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
                cell.set_style(style);
            }
        }
    }

    /// The buffer itself, for widgets of others.
    pub(super) fn buffer(&mut self) -> &mut Buffer {
        self.buffer
    }

    /// Puts ASCII in place of everything that is not.
    pub(super) fn make_ascii(&mut self) {
        for position in self.area.positions() {
            if let Some(plain) = self.buffer.cell(position).and_then(|cell| ascii(cell.symbol())) {
                // The symbol is one of our own constants.
                self.buffer[position].set_symbol(plain);
            }
        }
    }
}

/// A sentence cut at its end to at most `width` cells.
fn end_cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let kept = text.graphemes(true).take_while(|g| {
        used += g.width();
        used < width
    });
    let kept: String = kept.collect();
    if width == 0 { kept } else { format!("{}…", kept.trim_end()) }
}

/// A count of cells or rows as far as a screen could ever show it, with room to add to it.
pub(super) fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX).min(10_000)
}
