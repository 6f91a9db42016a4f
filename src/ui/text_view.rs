//! A long text: scrolling, searching, following its end.

use super::canvas::{Canvas, cells};
use crate::input::Command;
use crate::model::Text;
use crate::theme::Role;

/// A text of lines that were made harmless.
#[derive(Clone, Debug, Default)]
pub(super) struct TextView {
    pub(super) lines: Vec<(Text, Role)>,
    top: usize,
    left: usize,
    page: usize,
    /// Stays at the end while lines come.
    pub(super) follow: bool,
    search: String,
    /// The line that was found last: near the end it is not the first on screen.
    found: Option<usize>,
}

impl TextView {
    pub(super) fn new(lines: Vec<(Text, Role)>) -> TextView {
        TextView { lines, ..TextView::default() }
    }

    /// A text from elsewhere; every line is sanitised by itself.
    pub(super) fn of(text: &str, role: impl Fn(&str) -> Role) -> TextView {
        TextView::new(
            text.lines().map(|line| (Text::clean(&line.replace('\t', "    ")), role(line))).collect(),
        )
    }

    /// Scrolls as a command says; says whether it is such a command.
    pub(super) fn motion(&mut self, command: Command) -> bool {
        let page = self.page.max(1);
        let bottom = self.lines.len().saturating_sub(page);
        self.top = match command {
            Command::Down => self.top + 1,
            Command::Up => self.top.saturating_sub(1),
            Command::HalfDown => self.top + (page / 2).max(1),
            Command::HalfUp => self.top.saturating_sub((page / 2).max(1)),
            Command::PageDown => self.top + page,
            Command::PageUp => self.top.saturating_sub(page),
            Command::Top => 0,
            Command::Bottom => bottom,
            Command::Left => {
                self.left = self.left.saturating_sub(8);
                return true;
            }
            Command::Right => {
                self.left += 8;
                return true;
            }
            Command::Next => {
                let from = self.found.map_or(self.top, |found| found + 1);
                return self.show_found(self.matching(from..self.lines.len()));
            }
            Command::Previous => {
                let before = self.found.unwrap_or(self.top).min(self.lines.len());
                return self.show_found(self.matching((0..before).rev()));
            }
            _ => return false,
        }
        .min(bottom);
        // From where one reads on, one looks on.
        self.found = None;
        self.follow = command == Command::Bottom;
        true
    }

    /// Looks for a text and goes to its first place from here on.
    pub(super) fn search(&mut self, text: &str) {
        self.search = text.to_lowercase();
        let from = self.top;
        let found = self.matching(from..self.lines.len()).or_else(|| self.matching(0..from));
        self.show_found(found);
    }

    /// Brings a line that was found onto the screen, if there is one.
    fn show_found(&mut self, found: Option<usize>) -> bool {
        if let Some(at) = found {
            self.found = Some(at);
            self.top = at.min(self.lines.len().saturating_sub(self.page.max(1)));
            self.follow = false;
        }
        true
    }

    /// Whether something is looked for.
    pub(super) fn searching(&self) -> bool {
        !self.search.is_empty()
    }

    /// Goes to the next or the previous run of lines of this kind.
    pub(super) fn step(&mut self, forward: bool, is: impl Fn(Role) -> bool) {
        let starts = |at: &usize| {
            let line = |at: usize| self.lines.get(at).is_some_and(|(_, role)| is(*role));
            line(*at) && !at.checked_sub(1).is_some_and(line)
        };
        let found = if forward {
            (self.top + 1..self.lines.len()).find(starts)
        } else {
            (0..self.top).rev().find(starts)
        };
        self.top = found.unwrap_or(self.top).min(self.lines.len().saturating_sub(self.page.max(1)));
    }

    /// How many lines hold what was looked for.
    pub(super) fn matches(&self) -> usize {
        self.matching_lines().count()
    }

    fn matching_lines(&self) -> impl Iterator<Item = usize> {
        (0..self.lines.len()).filter(|at| self.hit(*at))
    }

    fn matching(&self, mut among: impl Iterator<Item = usize>) -> Option<usize> {
        among.find(|at| self.hit(*at))
    }

    fn hit(&self, at: usize) -> bool {
        self.lines.get(at).is_some_and(|(line, _)| super::table::contains(line, &self.search))
    }

    /// Replaces the lines; the place stays, or the end when it follows.
    pub(super) fn replace(&mut self, lines: Vec<(Text, Role)>) {
        self.lines = lines;
    }

    /// Adds lines at the end and drops the first where there are too many; what is on screen stays.
    pub(super) fn append(&mut self, lines: Vec<(Text, Role)>, most: usize) {
        self.lines.extend(lines);
        let dropped = self.lines.len().saturating_sub(most);
        self.lines.drain(..dropped);
        self.top = self.top.saturating_sub(dropped);
        self.found = self.found.and_then(|found| found.checked_sub(dropped));
    }

    /// The whole text, for copying.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>) {
        self.page = usize::from(canvas.height());
        let bottom = self.lines.len().saturating_sub(self.page);
        self.top = if self.follow { bottom } else { self.top.min(bottom) };
        for line in 0..self.page {
            let Some((text, role)) = self.lines.get(self.top + line) else { break };
            let shown: String = text.chars().skip(self.left).collect();
            let style = canvas.role(*role);
            canvas.put(0, cells(line), &shown, style);
            if let Some(range) = super::table::find(&shown, &self.search)
                && let (Some(before), Some(found)) = (shown.get(..range.start), shown.get(range))
            {
                use unicode_width::UnicodeWidthStr;
                let style = canvas.role(Role::Match);
                canvas.restyle(cells(before.width()), cells(line), cells(found.width()), style);
            }
        }
    }

    /// Whether there is more below what is shown.
    pub(super) fn more(&self) -> bool {
        self.top + self.page < self.lines.len()
    }

    /// `12-40 of 300`, for a title.
    pub(super) fn place(&self) -> String {
        let last = (self.top + self.page).min(self.lines.len());
        format!("{}-{last} of {}", (self.top + 1).min(last), self.lines.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_on_the_last_page_is_stepped_through() {
        let lines = |n: usize| (0..n).map(|at| (Text::from(format!("x {at}")), Role::Text)).collect();
        let mut text = TextView { page: 10, ..TextView::new(lines(12)) };
        text.search("x");
        let mut seen = vec![text.found];
        for _ in 0..12 {
            text.motion(Command::Next);
            seen.push(text.found);
        }
        let all: Vec<Option<usize>> = (0..12).map(Some).chain([Some(11)]).collect();
        assert_eq!(seen, all);
        text.motion(Command::Previous);
        assert_eq!(text.found, Some(10));
    }
}
