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
            Command::Next => self.matching(self.top + 1..self.lines.len()).unwrap_or(self.top),
            Command::Previous => self.matching((0..self.top).rev()).unwrap_or(self.top),
            _ => return false,
        }
        .min(bottom);
        self.follow = command == Command::Bottom;
        true
    }

    /// Looks for a text and goes to its first place from here on.
    pub(super) fn search(&mut self, text: &str) {
        self.search = text.to_lowercase();
        let from = self.top;
        let found = self.matching(from..self.lines.len()).or_else(|| self.matching(0..from));
        if let Some(at) = found {
            self.top = at.min(self.lines.len().saturating_sub(self.page.max(1)));
            self.follow = false;
        }
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
