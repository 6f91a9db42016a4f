//! From keys to effects.

use super::Effect;
use super::overlays::{Flow, Overlay};
use super::rows::REPLACED;
use super::screen::{Focus, TWICE, Ui};
use super::table::Pass;
use crate::input::{Command, Key, Mode, Resolved};
use crate::model::{Text, Time, many};
use crate::views::Scope;
use crate::views::cost::Unit;

impl Ui {
    /// Takes a key and says what is to be done.
    pub fn key(&mut self, key: Key, now: Time) -> Vec<Effect> {
        self.saw_alarms();
        if !self.overlays.last().is_some_and(Overlay::filters) {
            self.look_through();
        }
        let typing = self.overlays.last().is_some_and(Overlay::typing);
        // What was typed before such an overlay was on screen was not meant for it.
        if self.overlays.last().is_some_and(Overlay::too_early) && !self.interrupts(key) {
            return Vec::new();
        }
        if typing && key.typed().is_some() && self.pending.is_empty() {
            self.typed(key, now);
        } else {
            self.resolve(key, typing, now);
        }
        self.given()
    }

    /// Takes pasted text: only fields want any, and a confirmation takes none, for what is
    /// pasted was not read.
    pub fn paste(&mut self, text: &str, now: Time) -> Vec<Effect> {
        if let Some(mut overlay) = self.overlays.pop() {
            overlay.paste(self, text, now);
            self.overlays.push(overlay);
        }
        self.given()
    }

    /// Takes a click on a row: the cursor goes there.
    pub fn click(&mut self, column: u16, row: u16, now: Time) -> Vec<Effect> {
        self.look_through();
        let area = self.rows_at;
        if self.overlays.is_empty() && area.contains((column, row).into()) {
            let line = usize::from(row - area.y);
            self.focus = Focus::Table;
            if let Some(table) = self.table()
                && let Some(at) = table.lines.get(line).cloned().and_then(|id| table.find(&id))
            {
                table.go(at, now);
            }
        }
        Vec::new()
    }

    /// Takes a turn of the wheel: the cursor moves three rows. It types nothing into a field.
    pub fn wheel(&mut self, down: bool, now: Time) -> Vec<Effect> {
        if self.overlays.last().is_some_and(Overlay::typing) {
            return Vec::new();
        }
        self.look_through();
        let command = if down { Command::Down } else { Command::Up };
        for _ in 0..3 {
            self.run(command, now);
        }
        self.given()
    }

    fn interrupts(&self, key: Key) -> bool {
        self.keymap.resolve(&[Mode::All], &[key]) == Resolved::Run(Command::Interrupt)
    }

    fn resolve(&mut self, key: Key, typing: bool, now: Time) {
        self.pending.push(key);
        let modes = self.modes();
        match self.keymap.resolve(&modes, &self.pending) {
            Resolved::Run(command) => {
                self.pending.clear();
                self.run(command, now);
            }
            Resolved::Pending(_) => {}
            Resolved::Nothing if typing => {
                self.pending.clear();
                match self.keymap.resolve(&[Mode::All], &[key]) {
                    Resolved::Run(c @ (Command::Interrupt | Command::Suspend | Command::Redraw)) => {
                        self.run(c, now)
                    }
                    _ => self.typed(key, now),
                }
            }
            Resolved::Nothing => {
                let keys: Vec<String> = self.pending.drain(..).map(|key| key.to_string()).collect();
                self.notice(now, format!("{} does nothing here; ? lists the keys", keys.join(" ")));
            }
        }
    }

    /// The modes whose keys work now, nearest first.
    pub(super) fn modes(&self) -> Vec<Mode> {
        match (self.overlays.last(), self.focus) {
            (Some(overlay), _) if overlay.typing() => vec![Mode::Field],
            (Some(overlay), _) => vec![overlay.mode(), Mode::All],
            (None, Focus::Table | Focus::Lower) => vec![Mode::Table, Mode::All],
            (None, Focus::Tree) => vec![Mode::Tree, Mode::All],
        }
    }

    fn typed(&mut self, key: Key, now: Time) {
        if let Some(mut overlay) = self.overlays.pop() {
            let depth = self.overlays.len();
            let flow = overlay.typed(self, key, now);
            self.put_back(overlay, flow, depth);
        }
    }

    /// Puts an overlay back below what it opened, unless it is done.
    fn put_back(&mut self, overlay: Overlay, flow: Flow, depth: usize) {
        if flow != Flow::Close {
            self.overlays.insert(depth.min(self.overlays.len()), overlay);
        }
    }

    /// Does what a command asks for, wherever it came from.
    pub(super) fn run(&mut self, command: Command, now: Time) {
        match command {
            Command::Interrupt => self.interrupt(now),
            Command::Quit => self.leave(),
            Command::Suspend => self.effects.push(Effect::Suspend),
            Command::Redraw => self.effects.push(Effect::Redraw),
            Command::Help if !self.overlays.last().is_some_and(Overlay::helps) => {
                self.overlays.push(Overlay::help(self));
            }
            _ => {
                if self.overlays.last().is_some_and(|overlay| overlay.reads() && leads_away(command)) {
                    self.overlays.clear();
                }
                if self.overlays.last().is_some_and(|overlay| overlay.decides() && leads_away(command)) {
                    self.notice(now, "esc first: this waits for an answer");
                    return;
                }
                if let Some(mut overlay) = self.overlays.pop() {
                    let depth = self.overlays.len();
                    let flow = overlay.command(self, command, now);
                    let reads = overlay.reads();
                    self.put_back(overlay, flow, depth);
                    if flow == Flow::Ignored {
                        self.run_past_overlay(command, reads, now);
                    }
                } else {
                    self.run_on_panes(command, now);
                }
            }
        }
    }

    /// Does what an overlay knows nothing of, where that changes nothing under it; `reads` says that
    /// it is only read. No key stays without an answer.
    fn run_past_overlay(&mut self, command: Command, reads: bool, now: Time) {
        use Command::{Arm, Earlier, Freeze, Later, Themes, Times, Unit};
        match command {
            Times | Unit => self.run_on_panes(command, now),
            Freeze | Earlier | Later | Arm | Themes if reads => self.run_on_panes(command, now),
            _ => self.notice(now, format!("{command} does nothing here; esc closes this first")),
        }
    }

    fn interrupt(&mut self, now: Time) {
        if self.interrupted.is_some_and(|at| at.age(now) < TWICE) {
            self.interrupted = None;
            self.leave();
        } else {
            self.interrupted = Some(now);
            self.notice(now, "once more leaves");
        }
    }

    /// Leaves, or asks when something runs.
    fn leave(&mut self) {
        let running = self.running();
        if running == 0 {
            self.effects.push(Effect::Quit);
        } else if !self.overlays.iter().any(Overlay::asks_to_leave) {
            self.overlays.push(Overlay::ask_to_leave(running));
        }
    }

    fn run_on_panes(&mut self, command: Command, now: Time) {
        if self.without_clusters() && self.run_first(command) {
            return;
        }
        match command {
            Command::Back => self.back(now),
            Command::Pane(digit) => self.show_digit(char::from(b'0' + digit.min(9)), now),
            Command::Operations => self.show_digit('@', now),
            Command::NextPane | Command::PreviousPane => self.step_pane(command == Command::NextPane, now),
            Command::LastView => self.show_last_view(now),
            Command::Tree => self.toggle_tree(),
            Command::FocusNext | Command::FocusPrevious => self.step_focus(command == Command::FocusNext),
            Command::CommandLine => {
                // A verb that is typed means the row that is on screen now.
                self.aim(now);
                self.overlays.push(Overlay::command_line());
            }
            Command::Themes => self.overlays.push(Overlay::themes(self)),
            Command::Freeze => self.freeze(now),
            Command::Earlier => self.earlier(now),
            Command::Later => self.later(now),
            Command::Times => self.turn_face(now),
            // In the tree it is the tree's cluster, whatever the rows show.
            Command::Arm if self.focus == Focus::Tree => self.arm(now),
            Command::Arm | Command::Operation(_) | Command::Actions if !self.aim(now) => {
                self.notice(now, REPLACED);
            }
            Command::Arm => self.arm(now),
            Command::Operation(id) => self.open_plan(id, now),
            Command::Actions => self.open_actions(now),
            Command::Retry => self.retry(now),
            Command::Previous if self.alarms.newest().is_some() => self.show_alarm(),
            Command::Unit => self.turn_unit(now),
            _ if self.focus == Focus::Tree && self.run_on_tree(command) => {}
            _ if self.focus == Focus::Lower && self.scroll_lower(command) => {}
            _ => self.run_on_table(command, now),
        }
    }

    /// Holds on to the row that is under the cursor on screen; says whether it is still there.
    fn aim(&mut self, now: Time) -> bool {
        !self.marks.is_empty() || self.table().is_none_or(|table| table.slots.is_empty() || table.aim(now))
    }

    /// One step back: filter, marks, the order's hold, scope, home, now. It never leaves.
    fn back(&mut self, now: Time) {
        if self.drawer && self.focus == Focus::Tree {
            self.drawer = false;
            self.focus = Focus::Table;
            return;
        }
        if self.focus != Focus::Table {
            self.focus = Focus::Table;
            return;
        }
        if let Some(table) = self.table() {
            if !table.pass.all() {
                table.pass = Pass::default();
                table.relist();
                return;
            }
            if table.wide {
                table.wide = false;
                return;
            }
        }
        if !self.marks.is_empty() {
            self.marks.clear();
        } else if let Some(wider) = self.scope.wider() {
            self.set_scope(wider);
        } else if let Some(home) =
            self.panes.iter().position(|p| p.name == "health").filter(|home| *home != self.active)
        {
            self.show(home);
        } else if self.frozen.is_some() {
            self.freeze(now);
        } else {
            self.notice(now, ":q leaves");
        }
    }

    fn show_digit(&mut self, digit: char, now: Time) {
        let Some(index) = self.panes.iter().position(|pane| pane.digit == digit) else {
            self.notice(now, format!("no pane on {digit}"));
            return;
        };
        if index == self.active {
            if let Some(table) = self.table() {
                table.wide = !table.wide;
            }
        } else {
            self.show(index);
        }
        self.focus = Focus::Table;
    }

    /// Shows a pane.
    pub(super) fn show(&mut self, index: usize) {
        if index != self.active && index < self.panes.len() {
            self.last_view = Some((self.active, self.scope.clone()));
            self.active = index;
            self.lower_top = 0;
            self.want_journal();
        }
    }

    fn step_pane(&mut self, forward: bool, _now: Time) {
        let count = self.panes.len().max(1);
        let step = if forward { 1 } else { count - 1 };
        self.show((self.active + step) % count);
    }

    fn show_last_view(&mut self, now: Time) {
        let Some((pane, scope)) = self.last_view.take() else {
            return self.notice(now, "there is no view before this one");
        };
        let here = (self.active, self.scope.clone());
        self.active = pane.min(self.panes.len().saturating_sub(1));
        self.set_scope(scope);
        self.last_view = Some(here);
    }

    /// Changes the scope of all panes; watches of what is in it come first.
    pub(super) fn set_scope(&mut self, scope: Scope) {
        if scope != self.scope {
            self.effects.push(Effect::Focus(scope.clone()));
            self.last_view = Some((self.active, std::mem::replace(&mut self.scope, scope)));
            for table in &mut self.tables {
                table.follow_first();
                table.held_until = None;
            }
        }
    }

    fn toggle_tree(&mut self) {
        // A table that has the whole width hides the tree whatever was chosen.
        if let Some(table) = self.table()
            && std::mem::take(&mut table.wide)
        {
            self.tree_hidden = true;
        }
        if self.size.0 >= super::draw::WITH_TREE {
            self.tree_hidden = !self.tree_hidden;
            self.focus = if self.tree_hidden { Focus::Table } else { Focus::Tree };
        } else {
            self.drawer = !self.drawer;
            self.focus = if self.drawer { Focus::Tree } else { Focus::Table };
        }
        self.tree.focus();
    }

    fn step_focus(&mut self, forward: bool) {
        let mut parts = vec![Focus::Table, Focus::Lower];
        if self.tree_shown() {
            parts.insert(0, Focus::Tree);
        }
        let at = parts.iter().position(|part| *part == self.focus).unwrap_or(0);
        let step = if forward { 1 } else { parts.len() - 1 };
        self.focus = parts[(at + step) % parts.len()];
        self.tree.focus();
    }

    /// Does what the tree knows of; says whether it does.
    fn run_on_tree(&mut self, command: Command) -> bool {
        let page = usize::from(self.size.1);
        if self.tree.motion(command, page) {
            return true;
        }
        if command != Command::Open {
            return false;
        }
        if let Some(scope) = self.tree.scope() {
            self.set_scope(scope);
            self.drawer = false;
            self.focus = Focus::Table;
        }
        true
    }

    fn scroll_lower(&mut self, command: Command) -> bool {
        match command {
            Command::Down => self.lower_top += 1,
            Command::Up => self.lower_top = self.lower_top.saturating_sub(1),
            Command::HalfDown | Command::PageDown => self.lower_top += 5,
            Command::HalfUp | Command::PageUp => self.lower_top = self.lower_top.saturating_sub(5),
            Command::Top => self.lower_top = 0,
            // Drawing knows how much there is.
            Command::Bottom => self.lower_top = usize::MAX,
            _ => return false,
        }
        true
    }

    fn turn_unit(&mut self, now: Time) {
        let (unit, word) = match self.unit {
            Unit::Hour => (Unit::Day, "a day"),
            Unit::Day => (Unit::Month, "a month of 730 hours"),
            Unit::Month => (Unit::Hour, "an hour"),
        };
        self.unit = unit;
        self.notice(now, format!("money for {word}"));
    }

    fn retry(&mut self, now: Time) {
        if self.pane_name() == "operations" {
            if !self.want_journal() {
                self.notice(now, "nothing to ask again: what runs here tells by itself");
            }
            return;
        }
        let Some(snapshot) = self.newest.clone() else {
            return self.notice(now, "no cluster was asked yet");
        };
        let here = snapshot.fleet.clusters.iter().filter(|c| self.scope.holds(c));
        // Of an entry that is wrong there is nobody to be asked.
        let (wrong, sound): (Vec<_>, Vec<_>) = here.partition(|c| c.info.broken.is_some());
        if sound.is_empty() && !wrong.is_empty() {
            return self.notice(
                now,
                "the entry in the kubeconfig is wrong: mend it, and :kubeconfig reads it again",
            );
        }
        let waiting = sound.iter().filter(|c| !c.link.live());
        let mut ids: Vec<_> = waiting.map(|c| c.id).collect();
        let silent = ids.len();
        let refusing =
            sound.iter().filter(|c| c.link.live() && crate::views::health::denied(c).next().is_some());
        ids.extend(refusing.map(|c| c.id));
        if silent == 0 && !ids.is_empty() {
            let text = format!("asking {} again for what it refuses", many(ids.len(), "cluster"));
            let text = if ids.len() == 1 { text } else { text.replace("it refuses", "they refuse") };
            self.notice(now, text);
            self.effects.push(Effect::Retry(ids));
        } else if ids.is_empty() {
            // All of them are live as far as is known: a right that was taken away is seen only by asking.
            let ids: Vec<_> = sound.iter().map(|c| c.id).collect();
            let text = format!("asking {} again, live as they are", many(ids.len(), "cluster"));
            self.notice(now, text);
            self.effects.push(Effect::Retry(ids));
        } else {
            self.notice(now, format!("asking {} again", many(ids.len(), "cluster")));
            self.effects.push(Effect::Retry(ids));
        }
    }

    fn arm(&mut self, now: Time) {
        if self.settings.read_only {
            return self.notice(now, "started read-only: nothing can be armed");
        }
        if self.frozen.is_some() {
            return self.notice(now, "frozen: z first");
        }
        match Overlay::arm(self, now) {
            Ok(overlay) => self.overlays.push(overlay),
            Err(why) => self.notice(now, why),
        }
    }
}

/// Whether a command shows something else: what is only read makes way for it.
const fn leads_away(command: Command) -> bool {
    use Command::{CommandLine, LastView, NextPane, Operations, Pane, PreviousPane, Tree};
    matches!(command, Pane(_) | Operations | CommandLine | LastView | NextPane | PreviousPane | Tree)
}

/// What a scope is called: `prod/eks-use1/pay`.
pub(super) fn scope_name(ui: &Ui, scope: &Scope) -> Text {
    let name = |id: &crate::model::ClusterId| {
        let cluster = ui.snapshot().and_then(|s| s.fleet.cluster(*id));
        cluster.map_or_else(|| "?".to_owned(), |c| c.info.name.to_string())
    };
    Text::from(match scope {
        Scope::All => "all clusters".to_owned(),
        Scope::Group(path) => path.iter().map(|p| p.as_str()).collect::<Vec<_>>().join("/"),
        Scope::Clusters(ids) if ids.len() > 2 => many(ids.len(), "cluster"),
        Scope::Clusters(ids) => ids.iter().map(name).collect::<Vec<_>>().join("+"),
        Scope::Namespace(id, part) => format!("{}/{part}", name(id)),
        Scope::Pool(id, part) => format!("{}/pool {part}", name(id)),
        Scope::NamespaceEverywhere(part) => format!("*/{part}"),
    })
}
