//! The theme picker: a list on the left, every role and glyph on the right, in that theme.

use super::Flow;
use crate::input::Command;
use crate::model::{Source, Time, Tone};
use crate::theme::{Depth, Role, THEMES, Theme, load, tone_glyph};
use crate::ui::Effect;
use crate::ui::canvas::{Canvas, cells};
use crate::ui::screen::Ui;

/// Themes to choose from, each already loaded.
pub(in crate::ui) struct ThemePicker {
    names: Vec<String>,
    at: usize,
    before: Theme,
    shown: Theme,
    own: std::collections::BTreeMap<String, Source>,
    depth: Depth,
}

impl ThemePicker {
    pub(super) fn new(ui: &Ui) -> ThemePicker {
        let mut names: Vec<String> = THEMES.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.extend(ui.settings.themes.keys().filter(|own| !THEMES.iter().any(|(n, _)| n == own)).cloned());
        let at = names.iter().position(|name| *name == ui.theme.name).unwrap_or(0);
        ThemePicker {
            names,
            at,
            before: ui.theme.clone(),
            shown: ui.theme.clone(),
            own: ui.settings.themes.clone(),
            depth: ui.theme.depth,
        }
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        let last = self.names.len().saturating_sub(1);
        self.at = match command {
            Command::Down => (self.at + 1).min(last),
            Command::Up => self.at.saturating_sub(1),
            Command::Top => 0,
            Command::Bottom => last,
            Command::Open => {
                ui.effects.push(Effect::KeepTheme(self.shown.name.clone()));
                ui.notice(now, format!("theme {} is kept", self.shown.name));
                return Flow::Close;
            }
            Command::Back => {
                ui.theme = self.before.clone();
                return Flow::Close;
            }
            _ => return Flow::Ignored,
        };
        if let Some(name) = self.names.get(self.at) {
            let files = |name: &str| self.own.get(name).cloned();
            let (theme, problems) = load(name, &files, self.depth, self.before.ascii);
            if let Some(problem) = problems.first() {
                ui.notice(now, problem.to_string());
            }
            self.shown = theme;
            ui.theme = self.shown.clone();
        }
        Flow::Keep
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        canvas.pieces(0, 0, &[(" THEMES  ", Role::Title), (&self.shown.about, Role::TextDim)]);
        let room = usize::from(canvas.height().saturating_sub(2)).max(1);
        let top = (self.at + 1).saturating_sub(room);
        for (row, name) in self.names.iter().enumerate().skip(top).take(room) {
            let y = cells(row - top) + 2;
            canvas.pieces(0, y, &[(if row == self.at { "▸" } else { " " }, Role::Text), (name, Role::Text)]);
            if row == self.at {
                let style = canvas.role(Role::Select);
                canvas.restyle(0, y, 20, style);
            }
        }
        let (width, height) = (canvas.width(), canvas.height());
        self.sample(&mut canvas.part(24, 2, width.saturating_sub(24), height.saturating_sub(2)));
    }

    /// Every tone, then every role with its contrast where that is known.
    fn sample(&self, canvas: &mut Canvas<'_>) {
        let tones =
            [Tone::Ok, Tone::Moving, Tone::Warn, Tone::Crit, Tone::Unseen, Tone::Denied, Tone::Paused];
        let mut x = 0;
        for tone in tones {
            let style = canvas.theme.tone(tone);
            x = canvas.put(x, 0, tone_glyph(tone), style) + 1;
        }
        let half = canvas.height().saturating_sub(2).max(1);
        for (at, role) in Role::ALL.iter().enumerate() {
            let (column, row) = (cells(at) / half, cells(at) % half);
            let x = column * 44;
            let contrast =
                self.shown.contrast(*role).map_or_else(String::new, |c| format!("contrast {c:.1}"));
            let style = canvas.role(*role);
            let end = canvas.put_within(x, row + 2, role.name(), 14, style);
            let dim = canvas.role(Role::TextDim);
            canvas.put_within(
                end.max(x + 14) + 1,
                row + 2,
                &format!("{contrast:<14}{}", role.doc()),
                28,
                dim,
            );
        }
    }
}
