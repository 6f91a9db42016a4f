//! A line that is typed into.

use tui_input::{Input, InputRequest};

use super::canvas::{Canvas, cells};
use crate::input::{Code, Key};
use crate::model::text::sanitised;
use crate::theme::Role;

/// The longest line that can be typed; what is pasted beyond is left out.
const LONGEST: usize = 512;

/// A line with a cursor.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    input: Input,
}

impl Field {
    pub(super) fn with(text: &str) -> Field {
        Field { input: Input::new(text.to_owned()) }
    }

    pub(super) fn text(&self) -> &str {
        self.input.value()
    }

    pub(super) fn clear(&mut self) {
        self.input.reset();
    }

    /// Types a key; says whether the text changed.
    pub(super) fn key(&mut self, key: Key) -> bool {
        let request = match key.code {
            _ if key.typed().is_some() => {
                let typed = key.typed().filter(|c| !c.is_control() && self.text().len() < LONGEST);
                let Some(c) = typed else { return false };
                InputRequest::InsertChar(c)
            }
            Code::Backspace => InputRequest::DeletePrevChar,
            Code::Delete => InputRequest::DeleteNextChar,
            Code::Left => InputRequest::GoToPrevChar,
            Code::Right => InputRequest::GoToNextChar,
            Code::Home => InputRequest::GoToStart,
            Code::End => InputRequest::GoToEnd,
            _ => return false,
        };
        self.input.handle(request).is_some_and(|change| change.value)
    }

    pub(super) fn erase_word(&mut self) {
        self.input.handle(InputRequest::DeletePrevWord);
    }

    pub(super) fn erase_line(&mut self) {
        self.input.handle(InputRequest::DeleteLine);
    }

    /// Takes pasted text: the first line of it, without what could drive a terminal.
    pub(super) fn paste(&mut self, text: &str) {
        for c in sanitised(text.lines().next().unwrap_or_default()).chars() {
            self.key(Key::char(c));
        }
    }

    /// Draws the prompt, the text and the cursor, and says where the text ended.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, y: u16, prompt: &str) -> u16 {
        let style = canvas.role(Role::Key);
        let x = canvas.put(0, y, prompt, style);
        let room = usize::from(canvas.width().saturating_sub(x + 1));
        let skipped = self.input.visual_scroll(room);
        let shown: String = self.text().chars().skip(skipped).collect();
        let style = canvas.role(Role::TextStrong);
        let end = canvas.put(x, y, &shown, style);
        let at = x + cells(self.input.visual_cursor().saturating_sub(skipped));
        if at >= end {
            canvas.put(at, y, " ", style);
        }
        let select = canvas.role(Role::Select);
        canvas.restyle(at, y, 1, select);
        end
    }
}
