//! A login: which page to open and which code to enter there, for every cluster that waits for
//! the same credential plugin; or why the plugin failed, and its last words.

use super::Flow;
use crate::input::Command;
use crate::model::{Cluster, ClusterId, Fault, Login, PluginId, Prompt, Text, Time, many};
use crate::theme::Role;
use crate::ui::Effect;
use crate::ui::canvas::{Canvas, cells};
use crate::ui::screen::Ui;
use crate::views::health;

/// The login of one cluster, and of all that share its plugin.
pub(in crate::ui) struct LoginView {
    cluster: ClusterId,
    plugin: Option<PluginId>,
    /// How often something was copied: the code first, then the page.
    copied: usize,
    top: usize,
}

/// What the clusters that wait have in common.
struct State<'a> {
    waiting: Vec<&'a Cluster>,
    prompt: Option<&'a Prompt>,
    fault: Option<&'a Fault>,
}

impl LoginView {
    pub(super) fn new(ui: &Ui, cluster: ClusterId) -> LoginView {
        let known = ui.newest.as_ref().and_then(|s| s.fleet.cluster(cluster));
        let plugin = known.and_then(|c| c.info.plugin.clone());
        LoginView { cluster, plugin, copied: 0, top: 0 }
    }

    fn state<'a>(&self, ui: &'a Ui) -> State<'a> {
        let all = ui.newest.as_ref().map_or(&[][..], |s| &s.fleet.clusters);
        let mine = |c: &&'a Cluster| match &self.plugin {
            Some(plugin) => c.info.plugin.as_ref() == Some(plugin),
            None => c.id == self.cluster,
        };
        let waiting: Vec<&Cluster> =
            all.iter().map(|c| &**c).filter(mine).filter(|c| health::login_wanted(c)).collect();
        let prompt = waiting.iter().find_map(|c| match &c.login {
            Login::Prompted(prompt) => Some(prompt),
            _ => None,
        });
        let fault = waiting.iter().find_map(|c| health::fault(c));
        State { prompt, fault, waiting }
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        match command {
            Command::Back => return Flow::Close,
            Command::Copy => self.copy(ui, now),
            Command::Retry => self.retry(ui, now),
            Command::Down => self.top += 1,
            Command::Up => self.top = self.top.saturating_sub(1),
            Command::HalfDown | Command::PageDown => self.top += 10,
            Command::HalfUp | Command::PageUp => self.top = self.top.saturating_sub(10),
            Command::Top => self.top = 0,
            Command::Bottom => self.top = usize::MAX,
            _ => return Flow::Ignored,
        }
        Flow::Keep
    }

    /// The code is what is hard to type, so it comes first.
    fn copy(&mut self, ui: &mut Ui, now: Time) {
        let Some(prompt) = self.state(ui).prompt.cloned() else {
            return ui.notice(now, "no code is asked for");
        };
        let code = !prompt.code.is_empty() && self.copied.is_multiple_of(2);
        self.copied += 1;
        let (text, said) = match (code, prompt.code.is_empty()) {
            (true, _) => {
                (&prompt.code, "the code was sent to the terminal's clipboard; c again sends the page")
            }
            (false, false) => {
                (&prompt.url, "the page was sent to the terminal's clipboard; c again sends the code")
            }
            (false, true) => (&prompt.url, "the page was sent to the terminal's clipboard"),
        };
        ui.effects.push(Effect::Copy(text.to_string()));
        ui.notice(now, said);
    }

    fn retry(&self, ui: &mut Ui, now: Time) {
        let state = self.state(ui);
        if let Some(prompt) = state.prompt {
            let left = minutes(now, prompt);
            return ui.notice(now, format!("it waits for this login already, for {left} more"));
        }
        let ids: Vec<ClusterId> = state.waiting.iter().map(|c| c.id).collect();
        if ids.is_empty() {
            return ui.notice(now, "nothing waits for this login");
        }
        let what = self.plugin.as_ref().map_or_else(
            || format!("asking {} again", many(ids.len(), "cluster")),
            |plugin| format!("running {} once for {}", plugin.name, many(ids.len(), "cluster")),
        );
        ui.notice(now, what);
        ui.effects.push(Effect::Retry(ids));
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>, ui: &Ui, now: Time) {
        let state = self.state(ui);
        let count = state.waiting.len();
        let whose = match (&self.plugin, state.waiting.first()) {
            (Some(plugin), _) => format!("{} · {} wait for it", plugin.name, many(count, "cluster")),
            (None, Some(cluster)) => cluster.info.name.to_string(),
            (None, None) => String::new(),
        };
        let whose = if count == 1 { whose.replace("cluster wait ", "cluster waits ") } else { whose };
        canvas.pieces(0, 0, &[(" LOGIN  ", Role::Title), (&whose, Role::TextStrong)]);
        let mut lines: Vec<(String, Role)> = Vec::new();
        match &state {
            State { waiting, .. } if waiting.is_empty() => {
                lines.push(("✓ logged in; nothing waits for it any more".to_owned(), Role::Ok));
            }
            State { prompt: Some(prompt), .. } => asked(prompt, count, now, &mut lines),
            State { fault: Some(fault), .. } => failed(fault, &mut lines),
            State { .. } => {
                lines.push(("the server refuses this login; no reason was given".into(), Role::Warn))
            }
        }
        if state.prompt.is_none() && count > 0 {
            lines.push((String::new(), Role::Text));
            let all = if count == 1 {
                "r tries it again".to_owned()
            } else {
                format!("r runs it once for all {count}")
            };
            let all = if self.plugin.is_some() { all } else { "r tries it again".to_owned() };
            lines.push((all, Role::Key));
        }
        let width = usize::from(canvas.width().saturating_sub(2)).max(8);
        let mut y = 2;
        for (text, role) in &lines {
            for part in wrapped(text, width) {
                canvas.pieces(1, y, &[(&part, *role)]);
                y += 1;
            }
        }
        self.list(&mut canvas.below(y + 1), &state.waiting, now);
    }

    fn list(&mut self, canvas: &mut Canvas<'_>, waiting: &[&Cluster], now: Time) {
        let room = usize::from(canvas.height());
        self.top = self.top.min(waiting.len().saturating_sub(room));
        for (row, cluster) in waiting.iter().skip(self.top).take(room).enumerate() {
            let seen = match cluster.link.heard {
                Some(heard) => format!("as last seen {} ago", heard.age(now)),
                None => "never seen".to_owned(),
            };
            let name = format!("{:<24} ", crate::model::text::middle_cut(&cluster.info.name, 24));
            canvas.pieces(
                1,
                cells(row),
                &[
                    ("⊘ ", Role::Denied),
                    (&name, Role::Text),
                    (word(&cluster.login), Role::Denied),
                    (&seen, Role::TextDim),
                ],
            );
        }
    }
}

fn word(login: &Login) -> &'static str {
    match login {
        Login::Expired => "refused    ",
        Login::Plugin => "plugin     ",
        _ => "login      ",
    }
}

fn asked(prompt: &Prompt, count: usize, now: Time, lines: &mut Vec<(String, Role)>) {
    lines.push((format!("open    {}", prompt.url), Role::TextStrong));
    if !prompt.code.is_empty() {
        lines.push((format!("enter   {}", prompt.code), Role::TextStrong));
    }
    lines.push((String::new(), Role::Text));
    let copy = if prompt.code.is_empty() { "c copies the page" } else { "c copies the code, again the page" };
    let then = if count == 1 { "it connects by itself" } else { "they connect by themselves" };
    lines.push((format!("{copy} · ends in {} · {then}", minutes(now, prompt)), Role::TextDim));
}

fn failed(fault: &Fault, lines: &mut Vec<(String, Role)>) {
    lines.push((fault.what.to_string(), Role::Crit));
    if !fault.next.is_empty() {
        lines.push((format!("→ {}", fault.next), Role::Text));
    }
}

/// `14:32` until the plugin is ended.
fn minutes(now: Time, prompt: &Prompt) -> Text {
    let left = now.age(prompt.until).seconds().max(0);
    format!("{}:{:02}", left / 60, left % 60).into()
}

/// A text in lines of at most this many characters, at its spaces where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width && length <= width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            if used >= width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += 1;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_wrapped_at_spaces_and_addresses_anywhere() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("open abcdefghij", 6), ["open a", "bcdefg", "hij"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
