//! The screen's state, what comes to it from outside, and when it must be drawn again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::alarm::Alarms;
use super::overlays::Overlay;
use super::pane::{PaneDecl, PaneInput};
use super::past::Past;
use super::sheets::REFRESH;
use super::summary::{ClusterLine, Summary};
use super::table::TableState;
use super::told::Told;
use super::tree::TreePart;
use super::{Detail, Effect, Inbound};
use crate::input::{Key, Keymap};
use crate::model::{
    Cluster, Face, Kind, LinkState, ObjectKey, Problem, Rules, Source, Span, Text, Time, Tone,
};
use crate::operations::{Arming, Elsewhere, OperationDecl, Recoveries, Run, RunState};
use crate::theme::Theme;
use crate::views::cost::Unit;
use crate::views::{Evidence, RowId, Scope, Snapshot};

/// How long a notice stays on its row.
const NOTICE: Span = Span::from_seconds(6);

/// How long after one `ctrl-c` another one leaves.
pub(super) const TWICE: Span = Span::from_seconds(2);

/// What the settings say to the screen.
#[derive(Clone, Default)]
pub struct Settings {
    /// Nothing can be armed: started with `--read-only`.
    pub read_only: bool,
    /// Every recovery plan that is known, and its last drill.
    pub recoveries: Arc<Recoveries>,
    /// The fleet's own rules, for every plan.
    pub rules: Arc<Rules>,
    /// What is wrong in files that were read at the start; shown as notices.
    pub problems: Vec<Problem>,
    /// Where clusters were looked for, a line each, for the screen without any.
    pub looked_at: Vec<Text>,
    /// The clock on the wall, for times that are shown by it.
    pub local: Face,
    /// The themes of the user's own, by name, for the picker.
    pub themes: BTreeMap<String, Source>,
}

/// Which part has the keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Focus {
    #[default]
    Table,
    Tree,
    Lower,
}

/// The screen: keys and news in, effects and pictures out. It does nothing itself.
pub struct Ui {
    pub(super) panes: Vec<PaneDecl>,
    pub(super) operations: Vec<OperationDecl>,
    pub(super) keymap: Keymap,
    pub(super) theme: Theme,
    pub(super) settings: Settings,
    pub(super) newest: Option<Arc<Snapshot>>,
    pub(super) frozen: Option<Arc<Snapshot>>,
    pub(super) past: Past,
    pub(super) alarms: Alarms,
    /// How times are shown.
    pub(super) face: Face,
    pub(super) summary: Summary,
    pub(super) summary_of: Option<(u64, Scope)>,
    pub(super) scope: Scope,
    pub(super) active: usize,
    pub(super) last_view: Option<(usize, Scope)>,
    pub(super) focus: Focus,
    pub(super) tables: Vec<TableState>,
    pub(super) kind: Kind,
    /// For how long rates of money are shown, in every pane.
    pub(super) unit: Unit,
    pub(super) marks: BTreeMap<RowId, Vec<ObjectKey>>,
    pub(super) tree: TreePart,
    pub(super) drawer: bool,
    pub(super) tree_hidden: bool,
    pub(super) lower_top: usize,
    pub(super) overlays: Vec<Overlay>,
    pub(super) pending: Vec<Key>,
    pub(super) told: Arc<Told>,
    pub(super) runs: Arc<Vec<Run>>,
    pub(super) runs_version: u64,
    pub(super) awaited: Option<String>,
    /// Runs that were cut off and were offered already: others wait for the person to ask.
    pub(super) offered: BTreeSet<u64>,
    /// Plans that take up a run that was cut off: their hash, and the number of that run.
    pub(super) taken_up: Vec<(String, u64)>,
    /// What other processes run.
    pub(super) elsewhere: Arc<Vec<Elsewhere>>,
    pub(super) arming: Arming,
    pub(super) interrupted: Option<Time>,
    pub(super) history: Vec<String>,
    pub(super) effects: Vec<Effect>,
    /// The log that is followed for a detail.
    pub(super) followed: Option<Detail>,
    pub(super) size: (u16, u16),
    /// What proves the row under the cursor, and of which sheet and row that was computed.
    pub(super) proof: Option<(usize, RowId, Time, Evidence)>,
    /// Where the rows of the table are on screen, for the mouse.
    pub(super) rows_at: ratatui::layout::Rect,
}

impl Ui {
    /// A screen with these panes and operations.
    #[must_use]
    pub fn new(
        panes: Vec<PaneDecl>,
        operations: Vec<OperationDecl>,
        keymap: Keymap,
        theme: Theme,
        settings: Settings,
    ) -> Ui {
        let tables = panes.iter().map(|_| TableState::default()).collect();
        let active = panes.iter().position(|pane| pane.name == "health").unwrap_or(0);
        Ui {
            panes,
            operations,
            keymap,
            theme,
            settings,
            newest: None,
            frozen: None,
            past: Past::default(),
            alarms: Alarms::default(),
            face: Face::default(),
            summary: Summary::default(),
            summary_of: None,
            scope: Scope::All,
            active,
            last_view: None,
            focus: Focus::Table,
            tables,
            kind: Kind::Pod,
            unit: Unit::default(),
            marks: BTreeMap::new(),
            tree: TreePart::default(),
            drawer: false,
            tree_hidden: false,
            lower_top: 0,
            overlays: Vec::new(),
            pending: Vec::new(),
            told: Arc::default(),
            runs: Arc::default(),
            runs_version: 0,
            awaited: None,
            offered: BTreeSet::new(),
            taken_up: Vec::new(),
            elsewhere: Arc::default(),
            arming: Arming::default(),
            interrupted: None,
            history: Vec::new(),
            effects: Vec::new(),
            followed: None,
            size: (80, 24),
            proof: None,
            rows_at: ratatui::layout::Rect::ZERO,
        }
    }

    /// Tells what is wrong in the files that were read at the start.
    pub fn tell_problems(&mut self, now: Time) {
        for problem in self.settings.problems.clone() {
            self.notice(now, problem.to_string());
        }
    }

    /// Puts another theme on.
    pub fn set_theme(&mut self, theme: Theme) {
        self.theme = theme;
    }

    /// The scope that every pane shows.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The name of the pane that is shown.
    #[must_use]
    pub fn pane_name(&self) -> &'static str {
        self.panes.get(self.active).map_or("", |pane| pane.name)
    }

    /// What ran and runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub(super) fn table(&mut self) -> Option<&mut TableState> {
        self.tables.get_mut(self.active)
    }

    pub(super) fn notice(&mut self, now: Time, text: impl Into<Text>) {
        Arc::make_mut(&mut self.told).notice(now, text.into());
        // The operations pane lists them.
        self.runs_version += 1;
    }

    /// The notice that is on its row now.
    pub(super) fn shown_notice(&self, now: Time) -> Option<&Text> {
        self.told.notices.last().filter(|(at, _)| at.age(now) < NOTICE).map(|(_, text)| text)
    }

    /// Takes what comes from outside.
    pub fn inbound(&mut self, inbound: Inbound, now: Time) -> Vec<Effect> {
        match inbound {
            Inbound::Snapshot(snapshot) => {
                self.newer(snapshot);
                self.remake_plan(now);
                self.offer_unfinished();
            }
            Inbound::Op(event) => self.op(event, now),
            Inbound::Read(detail, result) => {
                for overlay in &mut self.overlays {
                    match overlay {
                        Overlay::Detail(view) => view.read(&detail, &result),
                        Overlay::Compare(view) => view.read(&detail, &result),
                        _ => {}
                    }
                }
            }
            Inbound::Log(detail, news) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Detail(view) = overlay {
                        view.log(&detail, &news, now);
                    }
                }
            }
            Inbound::Checked(hash, lines) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Plan(view) = overlay {
                        view.checked(&hash, lines.clone());
                    }
                }
            }
            Inbound::Journal(page) => {
                Arc::make_mut(&mut self.told).journal = Some(page);
                self.runs_version += 1;
            }
            Inbound::Recovery(file, path) => self.take_recovery(file, &path, now),
            Inbound::Notice(text) => self.notice(now, text),
            Inbound::CutOff(runs) => self.cut_off(runs, now),
            Inbound::Elsewhere(runs) => self.elsewhere = Arc::new(runs),
        }
        self.given()
    }

    /// Hands out what is to be done. A log that nobody looks at any more is not followed on.
    pub(super) fn given(&mut self) -> Vec<Effect> {
        let follows = |overlay: &Overlay| match overlay {
            Overlay::Detail(view) => view.follows(),
            _ => None,
        };
        let followed = self.overlays.iter().rev().find_map(follows);
        if self.followed.is_some() && followed.is_none() {
            self.effects.push(Effect::StopReading);
        }
        self.followed = followed;
        std::mem::take(&mut self.effects)
    }

    /// Computes the totals again if the fleet changed.
    pub(super) fn summarise(&mut self, now: Time) {
        let Some(snapshot) = self.snapshot().cloned() else { return };
        let of = (snapshot.sequence, self.scope.clone());
        let old = self.summary.at.is_none_or(|at| at.age(now) >= REFRESH);
        let moved = self.summary_of.as_ref().is_none_or(|(_, scope)| *scope != self.scope);
        let other = self.summary_of.as_ref() != Some(&of);
        // A cluster that came or went is told at once.
        let moved = moved || self.summary.clusters.len() != snapshot.fleet.clusters.len();
        if moved || (other && self.frozen.is_some()) || (old && (other || self.counting(now))) {
            self.summary = Summary::of(&snapshot, self.shown_at(now));
            self.summary.at = Some(now);
            self.summary_of = Some(of);
        }
    }

    /// Whether a newer state is seen before a sheet is computed from it: what runs and what is open
    /// show it as it is, and so does a fleet that is still connecting.
    #[must_use]
    pub fn shows_states(&self) -> bool {
        self.connecting() || self.running() > 0 || !self.overlays.is_empty()
    }

    /// Whether there are clusters of which nothing was seen yet.
    pub(super) fn connecting(&self) -> bool {
        self.summary.clusters.is_empty() || self.summary.clusters.iter().any(unseen)
    }

    /// Whether seconds matter on screen: something runs, ends or gets older by itself.
    pub(super) fn counting(&self, now: Time) -> bool {
        // A link that broke becomes stale while nothing comes in.
        let broken = |c: &Arc<Cluster>| c.link.state == LinkState::Broken;
        self.running() > 0
            || !self.arming.armed(now).is_empty()
            || self.frozen.is_some()
            || self.overlays.iter().any(Overlay::counts)
            || self.summary.clusters.iter().any(unseen)
            || self.snapshot().is_some_and(|snapshot| snapshot.fleet.clusters.iter().any(broken))
    }

    /// When the screen must be drawn again though nothing came in; `None` is never.
    #[must_use]
    pub fn next_change(&self, now: Time) -> Option<Time> {
        let second = Time::from_millis((now.millis().div_euclid(1000) + 1) * 1000);
        let minute = Time::from_millis((now.millis().div_euclid(60_000) + 1) * 60_000);
        let table = self.tables.get(self.active);
        let ends = [
            self.counting(now).then_some(second),
            self.snapshot().map(|_| minute),
            self.told.notices.last().map(|(at, _)| *at + NOTICE),
            table.and_then(|t| t.held_until).filter(|_| table.is_some_and(|t| t.withheld() > 0)),
            self.interrupted.map(|at| at + TWICE),
            self.job_due(now).map(|due| if due <= now { now + Span::from_millis(1) } else { due }),
        ];
        ends.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Whether the active pane shows runs, which no freeze holds.
    pub(super) fn shows_runs(&self) -> bool {
        self.pane_name() == "operations"
    }

    /// The time that the active pane is computed for.
    pub(super) fn pane_time(&self, now: Time) -> Time {
        if self.shows_runs() { now } else { self.shown_at(now) }
    }

    /// What the active pane is computed from, for evidence and `enter`.
    pub(super) fn with_input<T>(
        &self,
        now: Time,
        f: impl FnOnce(&PaneDecl, &PaneInput<'_>) -> T,
    ) -> Option<T> {
        let pane = self.panes.get(self.active)?;
        let snapshot = self.snapshot()?;
        let input = PaneInput {
            snapshot,
            scope: &self.scope,
            lens: self.tables.get(self.active)?.lens,
            kind: self.kind,
            unit: self.unit,
            runs: &self.runs,
            recoveries: &self.settings.recoveries,
            told: &self.told,
            before: None,
            now: self.pane_time(now),
        };
        Some(f(pane, &input))
    }

    /// Whether a run can be paused, and whether it is.
    pub(super) fn run_state(&self, op: crate::operations::OpId) -> Option<RunState> {
        self.runs.iter().find(|run| run.op == op).map(|run| run.state)
    }
}

/// Whether a cluster was not seen yet.
fn unseen(cluster: &ClusterLine) -> bool {
    matches!(cluster.tone, Tone::Unseen | Tone::Connecting)
}
