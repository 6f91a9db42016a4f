//! The terminal: taken with a guard that always gives it back.

use std::io::{self, BufWriter, Stdout};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::crash;

/// Bytes buffered of a frame, so that it leaves in one write.
const FRAME: usize = 64 * 1024;

/// The terminal while the screen is ours. Dropping it gives the terminal back; a panic does too.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Standard output is no terminal, or it refuses raw mode.
    pub(super) fn take(mouse: bool) -> io::Result<Screen> {
        crash::watch(give_back);
        enter(mouse)?;
        let out = BufWriter::with_capacity(FRAME, io::stdout());
        let terminal = Terminal::new(CrosstermBackend::new(out)).inspect_err(|_| give_back())?;
        Ok(Screen { terminal, mouse })
    }

    /// Draws one frame inside a synchronised update, in one write.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(render).map(|_| ());
        // Sent also when drawing failed: a terminal must never be left waiting for the rest.
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        drawn
    }

    /// Draws everything anew at the next frame.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.forget_screen()
    }

    /// Puts text on the terminal's clipboard by OSC 52. Whether it arrived is unknowable.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(
            self.terminal.backend_mut(),
            crossterm::clipboard::CopyToClipboard::to_clipboard_from(text.as_bytes())
        )
    }

    /// Gives the terminal to somebody else, until [`Screen::resume`].
    pub(super) fn suspend(&mut self) {
        give_back();
    }

    /// Takes the terminal again.
    ///
    /// # Errors
    /// It refuses raw mode.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        enter(self.mouse)?;
        self.forget_screen()
    }
}

impl Screen {
    /// Clears the screen and draws every cell at the next frame. `Terminal::clear` would ask the
    /// terminal where its cursor is, and whoever reads the keys would get the answer.
    fn forget_screen(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(ratatui::layout::Rect::from((ratatui::layout::Position::ORIGIN, size)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    let entered = execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange);
    let entered =
        entered.and_then(|()| if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) });
    entered.inspect_err(|_| give_back())
}

/// Gives the terminal back. Nothing useful can be done when that fails.
fn give_back() {
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}
