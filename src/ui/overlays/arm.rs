//! Arming: the cluster's name is typed, then changes are possible for a while.

use super::Flow;
use crate::input::{Command, Key, Mode};
use crate::model::{ClusterId, Text, Tier, Time};
use crate::theme::Role;
use crate::ui::canvas::Canvas;
use crate::ui::field::Field;
use crate::ui::screen::{Focus, Ui};
use crate::views::{RowId, Scope};

/// The question whether a cluster may be changed.
pub(in crate::ui) struct ArmView {
    cluster: ClusterId,
    word: Text,
    name: Text,
    field: Field,
    wrong: bool,
    pub(super) drawn: bool,
}

impl ArmView {
    /// The question for the cluster of the cursor or the scope; or why there is none. A cluster
    /// that is armed is disarmed at once: that needs no question.
    pub(super) fn open(ui: &mut Ui, now: Time) -> Result<ArmView, Text> {
        let Some(id) = cluster_here(ui) else {
            return Err("put the cursor on a row of one cluster, or narrow the scope to one".into());
        };
        let snapshot = ui.newest.clone();
        let cluster =
            snapshot.as_ref().and_then(|s| s.fleet.cluster(id)).ok_or("that cluster is not known")?;
        let name = cluster.info.name.clone();
        if ui.arming.left(id, now).is_some() {
            ui.arming.disarm(id);
            let goes_on = ui.runs().iter().find(|run| run.ended.is_none() && run.plan.touches.contains(&id));
            let goes_on = goes_on.map_or(String::new(), |run| {
                let key = ui.keymap.key_of(Command::StopRun, &[Mode::Table, Mode::All]);
                let stops = key.map_or(String::new(), |key| format!(": {key} stops it"));
                format!("; {} goes on{stops}", run.plan.title)
            });
            return Err(Text::from(format!("{name} is read-only again{goes_on}")));
        }
        let word = if cluster.info.tier == Tier::Prod { name.clone() } else { "yes".into() };
        Ok(ArmView { cluster: id, word, name, field: Field::default(), wrong: false, drawn: false })
    }

    pub(super) fn typed(&mut self, key: Key) -> Flow {
        self.wrong = false;
        self.field.key(key);
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        match command {
            Command::Back => Flow::Close,
            Command::Accept if self.field.text() == self.word.as_str() => {
                ui.arming.arm(self.cluster, now);
                ui.notice(now, format!("{} is armed for 15 min; A again disarms", self.name));
                Flow::Close
            }
            Command::Accept => {
                self.wrong = true;
                Flow::Keep
            }
            Command::EraseWord | Command::EraseLine => {
                self.field.clear();
                Flow::Keep
            }
            _ => Flow::Keep,
        }
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>) {
        self.drawn = true;
        let last = canvas.height().saturating_sub(1);
        let role = if self.wrong { Role::Warn } else { Role::Text };
        let style = canvas.role(role);
        let text =
            format!(" Type {} to allow changes to {} for 15 min. A again disarms.", self.word, self.name);
        canvas.put(0, last.saturating_sub(1), &text, style);
        self.field.draw(canvas, last, " > ");
    }
}

/// The one cluster that the cursor or the scope is about.
fn cluster_here(ui: &Ui) -> Option<ClusterId> {
    let one = |mut ids: Box<dyn Iterator<Item = ClusterId> + '_>| {
        let first = ids.next()?;
        ids.all(|id| id == first).then_some(first)
    };
    if !ui.marks.is_empty() {
        return one(Box::new(ui.marks.values().flatten().map(|key| key.cluster)));
    }
    if ui.focus == Focus::Tree {
        return ui.tree.cluster();
    }
    let row = ui.tables.get(ui.active).and_then(|table| table.current());
    let of_row = row.and_then(|row| match &row.id {
        RowId::Cluster(id) | RowId::Signal(_, id, _) => Some(*id),
        RowId::Object(key) => Some(key.cluster),
        _ => one(Box::new(row.objects.iter().map(|key| key.cluster))),
    });
    of_row.or(match &ui.scope {
        Scope::Clusters(ids) if ids.len() == 1 => ids.first().copied(),
        Scope::Namespace(id, _) | Scope::Pool(id, _) => Some(*id),
        _ => None,
    })
}
