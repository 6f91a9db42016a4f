//! Help: the keys of here, then of everywhere, from the keymap itself; and what glyphs mean.

use super::Flow;
use crate::input::{Command, Mode};
use crate::model::{Text, Tone};
use crate::theme::{Role, tone_glyph};
use crate::ui::canvas::Canvas;
use crate::ui::screen::Ui;
use crate::ui::text_view::TextView;

/// Help, scrolled somewhere.
pub(in crate::ui) struct HelpView {
    text: TextView,
}

impl HelpView {
    pub(super) fn new(ui: &Ui) -> HelpView {
        let mut lines: Vec<(Text, Role)> = Vec::new();
        let here = ui.modes();
        if let Some(pane) = ui.panes.get(ui.active) {
            lines.push((format!(" {} · {}", pane.title, pane.question).into(), Role::TextStrong));
            lines.push((Text::EMPTY, Role::Text));
        }
        let rest = Mode::ALL.into_iter().filter(|mode| !here.contains(mode));
        for mode in here.iter().copied().chain(rest) {
            section(ui, mode, &mut lines);
        }
        glyphs(&mut lines);
        if !ui.keymap.notes.is_empty() {
            lines.push((" notes of this keymap".into(), Role::Title));
            lines.extend(ui.keymap.notes.iter().map(|note| (Text::from(format!("   {note}")), Role::Text)));
        }
        HelpView { text: TextView::new(lines) }
    }

    pub(super) fn command(&mut self, command: Command) -> Flow {
        match command {
            Command::Back | Command::Help => Flow::Close,
            _ => {
                self.text.motion(command);
                Flow::Keep
            }
        }
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>) {
        canvas.pieces(0, 0, &[(" HELP", Role::Title)]);
        self.text.draw(&mut canvas.below(1));
    }
}

fn section(ui: &Ui, mode: Mode, lines: &mut Vec<(Text, Role)>) {
    let title = match mode {
        Mode::All => "everywhere",
        Mode::Table => "in tables",
        Mode::Tree => "in the tree",
        Mode::Text => "in texts",
        Mode::Menu => "in plans, runs and menus",
        Mode::Field => "while typing",
    };
    lines.push((Text::from(format!(" {title}")), Role::Title));
    let mut seen: Vec<Command> = Vec::new();
    for (_, command) in ui.keymap.bindings(mode) {
        if seen.contains(&command) {
            continue;
        }
        seen.push(command);
        let keys = ui.keymap.keys_of(command, mode).join(" · ");
        let doc = doc(ui, command);
        lines.push((Text::from(format!("   {keys:<22} {doc}")), Role::Text));
    }
    lines.push((Text::EMPTY, Role::Text));
}

/// What a command does; panes and operations say it themselves.
pub(super) fn doc(ui: &Ui, command: Command) -> String {
    match command {
        Command::Pane(digit) => {
            let digit = char::from(b'0' + digit.min(9));
            let pane = ui.panes.iter().find(|pane| pane.digit == digit);
            pane.map_or_else(|| "no pane yet".to_owned(), |pane| format!("{}: {}", pane.title, pane.question))
        }
        Command::Operation(id) => {
            ui.operation(id).map_or_else(|| id.to_owned(), |op| format!("{id}: {}", op.doc))
        }
        other => other.row().map_or("", |row| row.doc).to_owned(),
    }
}

fn glyphs(lines: &mut Vec<(Text, Role)>) {
    let meanings = [
        (Tone::Ok, "fine"),
        (Tone::Moving, "changing as wanted"),
        (Tone::Warn, "degraded"),
        (Tone::Crit, "down"),
        (Tone::Unseen, "no data, or past its limit"),
        (Tone::Denied, "not allowed to see"),
        (Tone::Paused, "paused by someone"),
        (Tone::Connecting, "connecting"),
    ];
    lines.push((" glyphs".into(), Role::Title));
    for (tone, meaning) in meanings {
        lines.push((Text::from(format!("   {}  {meaning}", tone_glyph(tone))), Role::Text));
    }
    lines.push((
        "   0 zero   · not there   - does not apply   ? unknown   ~ estimated or last seen".into(),
        Role::Text,
    ));
    lines.push((Text::EMPTY, Role::Text));
}
