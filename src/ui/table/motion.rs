//! Moving the cursor.

use super::{HOLD, Slot, TableState};
use crate::input::Command;
use crate::model::{Time, Tone};

impl TableState {
    /// Moves the cursor as a command says; says whether it is such a command.
    pub(in crate::ui) fn motion(&mut self, command: Command, now: Time) -> bool {
        let last = self.slots.len().saturating_sub(1);
        let page = self.page.max(1);
        if moves(command) {
            self.aim(now);
        }
        let to = match command {
            Command::Down => self.at + 1,
            Command::Up => self.at.saturating_sub(1),
            Command::HalfDown => self.at + (page / 2).max(1),
            Command::HalfUp => self.at.saturating_sub((page / 2).max(1)),
            Command::PageDown => self.at + page,
            Command::PageUp => self.at.saturating_sub(page),
            Command::Top => 0,
            Command::Bottom => last,
            Command::Next => self.next_in_trouble(self.at + 1..self.slots.len()).unwrap_or(self.at),
            Command::Previous => self.next_in_trouble((0..self.at).rev()).unwrap_or(self.at),
            Command::Left => {
                self.shift = self.shift.saturating_sub(1);
                return true;
            }
            Command::Right => {
                let columns = self.computed.as_ref().map_or(0, |c| c.sheet.columns.len());
                self.shift = (self.shift + 1).min(columns.saturating_sub(2));
                return true;
            }
            _ => return false,
        };
        self.go(to.min(last), now);
        true
    }

    /// Puts the cursor on a line and holds the order for a while.
    pub(in crate::ui) fn go(&mut self, to: usize, now: Time) {
        let mut to = to;
        if self.ghost.is_some() && to != self.at {
            // The ghost goes when the cursor leaves it.
            if to > self.at {
                to -= 1;
            }
            self.slots.retain(|slot| *slot != Slot::Ghost);
            self.ghost = None;
        }
        self.at = to.min(self.slots.len().saturating_sub(1));
        self.cursor = self.current().map(|row| row.id.clone());
        self.drawn.clone_from(&self.cursor);
        self.touched = true;
        self.held_until = Some(now + HOLD);
        self.scroll();
    }

    /// Brings the cursor onto the screen.
    pub(in crate::ui) fn scroll(&mut self) {
        let page = self.page.max(1);
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(page));
        // No empty lines at the end while rows above are hidden.
        self.top = self.top.min(self.slots.len().saturating_sub(page.min(self.slots.len())));
    }

    fn next_in_trouble(&self, mut among: impl Iterator<Item = usize>) -> Option<usize> {
        among.find(|at| match self.slots.get(*at) {
            Some(Slot::Row(index)) => {
                let rows = self.computed.as_ref().map(|computed| &computed.sheet.rows);
                rows.and_then(|rows| rows.look(*index as usize)).is_some_and(|row| row.tone() >= Tone::Unseen)
            }
            _ => false,
        })
    }
}

/// Whether a command moves the cursor from where it is.
const fn moves(command: Command) -> bool {
    use Command::{Down, HalfDown, HalfUp, Next, PageDown, PageUp, Previous, Up};
    matches!(command, Down | Up | HalfDown | HalfUp | PageDown | PageUp | Next | Previous)
}
