//! Help: the keys of here, then of everywhere, from the keymap itself; and what glyphs mean.

use super::Flow;
use super::command_line::LINES;
use crate::input::{Command, Mode};
use crate::model::{Text, Tone};
use crate::theme::{Role, tone_glyph};
use crate::ui::canvas::Canvas;
use crate::ui::screen::Ui;
use crate::ui::text_view::TextView;
use unicode_width::UnicodeWidthStr;

/// Help, scrolled somewhere.
pub(in crate::ui) struct HelpView {
    lines: Vec<(Text, Role)>,
    text: TextView,
    /// What `text` was wrapped to.
    width: u16,
}

/// Where the words of a key begin, after the keys themselves.
const WORDS: usize = 26;

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
        typed(ui, &mut lines);
        glyphs(&mut lines);
        if !ui.keymap.notes.is_empty() {
            lines.push((" notes of this keymap".into(), Role::Title));
            lines.extend(ui.keymap.notes.iter().map(|note| (Text::from(format!("   {note}")), Role::Text)));
        }
        HelpView { lines, text: TextView::default(), width: 0 }
    }

    pub(super) fn command(&mut self, command: Command) -> Flow {
        match command {
            Command::Back | Command::Help => Flow::Close,
            Command::Next | Command::Previous => Flow::Ignored,
            _ if self.text.motion(command) => Flow::Keep,
            _ => Flow::Ignored,
        }
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>) {
        if self.width != canvas.width() {
            self.width = canvas.width();
            let room = usize::from(self.width);
            let mut lines = Vec::new();
            for (text, role) in &self.lines {
                lines.extend(wrapped(text, room).into_iter().map(|line| (line, *role)));
            }
            self.text.replace(lines);
        }
        self.text.draw(&mut canvas.below(1));
        let more = if self.text.more() { " · more ↓" } else { "" };
        let place = format!("   {}{more}", self.text.place());
        canvas.pieces(0, 0, &[(" HELP", Role::Title), (&place, Role::TextDim)]);
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
    // In the order of the command table, which is by topic; verbs come last.
    let mut bound = ui.keymap.bindings(mode);
    let name = |command: &Command| command.row().map(|row| row.name);
    bound.sort_by_key(|(_, command)| {
        Command::TABLE.iter().position(|row| Some(row.name) == name(command)).unwrap_or(usize::MAX)
    });
    for (_, command) in bound {
        if seen.contains(&command) {
            continue;
        }
        seen.push(command);
        if matches!(command, Command::Pane(digit) if pane(ui, digit).is_none()) {
            continue;
        }
        let keys = ui.keymap.keys_of(command, mode).join(" · ");
        let doc = doc(ui, command);
        lines.push((Text::from(format!("   {keys:<22} {doc}")), Role::Text));
    }
    lines.push((Text::EMPTY, Role::Text));
}

/// What is typed after `:`, but for the commands that have a key.
fn typed(ui: &Ui, lines: &mut Vec<(Text, Role)>) {
    lines.push((" typed after :".into(), Role::Title));
    let mut say =
        |words: &str, doc: &str| lines.push((Text::from(format!("   {words:<22} {doc}")), Role::Text));
    let panes: Vec<&str> = ui.panes.iter().map(|pane| pane.name).collect();
    say("a pane", &panes.join(", "));
    say("a kind and a filter", "its objects in every cluster: pods, deploy, no, pods pay !web");
    let acts: Vec<&str> = ui.operations.iter().map(|operation| operation.id).collect();
    say("a verb and a name", &format!("its plan, as drain NODE: {}", acts.join(", ")));
    for (line, meaning) in LINES {
        say(line, meaning);
    }
    let keyless = |command| Mode::ALL.into_iter().all(|mode| ui.keymap.keys_of(command, mode).is_empty());
    for row in Command::TABLE.iter().filter(|row| keyless(row.command)) {
        if !LINES.iter().any(|(line, _)| *line == row.name) {
            say(row.name, row.doc);
        }
    }
    lines.push((Text::EMPTY, Role::Text));
}

/// The pane on a digit.
fn pane(ui: &Ui, digit: u8) -> Option<&crate::ui::PaneDecl> {
    let digit = char::from(b'0' + digit.min(9));
    ui.panes.iter().find(|pane| pane.digit == digit)
}

/// A line in as many as it needs, broken between words; what goes on stands under the words.
fn wrapped(text: &str, room: usize) -> Vec<Text> {
    if text.width() <= room || room < WORDS * 2 {
        return vec![Text::clean(text)];
    }
    let mut lines: Vec<String> = vec![String::new()];
    // Blanks in a row are kept, they put the words under each other.
    for word in text.split_inclusive(' ') {
        let Some(line) = lines.last_mut() else { continue };
        if !line.trim().is_empty() && line.width() + word.trim_end().width() > room {
            lines.push(format!("{:WORDS$}{word}", ""));
        } else {
            line.push_str(word);
        }
    }
    lines.iter().map(|line| Text::clean(line.trim_end())).collect()
}

/// What a command does; panes and operations say it themselves.
pub(super) fn doc(ui: &Ui, command: Command) -> String {
    match command {
        Command::Pane(digit) => pane(ui, digit)
            .map_or_else(|| "no pane yet".to_owned(), |pane| format!("{}: {}", pane.title, pane.question)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_goes_on_under_its_words() {
        let line =
            format!("   {:<22} {}", "D", "cordons the node and evicts its pods as fast as budgets open");
        let lines: Vec<String> = wrapped(&line, 60).iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| line.width() <= 60));
        assert!(lines[1].starts_with(&" ".repeat(WORDS)));
        assert_eq!(wrapped("short", 60), [Text::from("short")]);
    }
}
