//! Computing a sheet away from the keys: the screen hands out a job, whoever has time runs it,
//! the screen takes the result.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Pass, widths};
use crate::model::{Cell, ClusterId, Face, Kind, Selector, Span, Text, Time, Uid, spared};
use crate::operations::{Recoveries, Run};
use crate::ui::alarm::{Critical, critical};
use crate::ui::pane::{PaneDecl, PaneInput};
use crate::ui::told::Told;
use crate::views::cost::Unit;
use crate::views::{RowId, RowView, Scope, Sheet, SheetRows, Snapshot};

/// What a sheet was computed from. Two equal keys give equal sheets, but for ages.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::ui) struct JobKey {
    pub(in crate::ui) pane: usize,
    pub(in crate::ui) sequence: u64,
    pub(in crate::ui) scope: Scope,
    pub(in crate::ui) lens: usize,
    pub(in crate::ui) kind: Kind,
    pub(in crate::ui) unit: Unit,
    pub(in crate::ui) sort: Option<(Text, bool)>,
    /// The labels that the filter asks for.
    pub(in crate::ui) labels: Option<Selector>,
    pub(in crate::ui) runs: u64,
    pub(in crate::ui) held: bool,
    /// The state that is held, if one is.
    pub(in crate::ui) frozen: Option<u64>,
    pub(in crate::ui) face: Face,
}

impl JobKey {
    /// Whether a sheet for `other` may be shown in place of one for this, only older.
    pub(in crate::ui) fn same_view(&self, other: &JobKey) -> bool {
        self.pane == other.pane
            && self.scope == other.scope
            && self.lens == other.lens
            && self.kind == other.kind
            && self.unit == other.unit
            && self.frozen == other.frozen
            && self.face == other.face
            && self.labels == other.labels
    }
}

/// A sheet to be computed. It holds all it needs, so that it can be run on another thread.
pub struct SheetJob {
    pub(in crate::ui) key: JobKey,
    pub(in crate::ui) pane: PaneDecl,
    pub(in crate::ui) snapshot: Arc<Snapshot>,
    pub(in crate::ui) runs: Arc<Vec<Run>>,
    pub(in crate::ui) recoveries: Arc<Recoveries>,
    pub(in crate::ui) told: Arc<Told>,
    /// The newest state, when it is to be looked through for what became critical.
    pub(in crate::ui) alarms: Option<Arc<Snapshot>>,
    /// The sheet that is shown now, if it is of the same view.
    pub(in crate::ui) before: Option<Arc<Computed>>,
    pub(in crate::ui) hold: Option<Arc<Computed>>,
    /// What rows must be like to be listed.
    pub(in crate::ui) pass: Pass,
    /// The time that the sheet is for: that of the state, when one is held.
    pub(in crate::ui) shown_at: Time,
    pub(in crate::ui) now: Time,
}

/// A computed sheet, to be handed back to the screen.
pub struct SheetDone {
    pub(in crate::ui) key: JobKey,
    pub(in crate::ui) computed: Computed,
    pub(in crate::ui) critical: Option<Critical>,
}

/// A sheet and the order in which its rows are shown.
pub(in crate::ui) struct Computed {
    pub(in crate::ui) key: JobKey,
    pub(in crate::ui) sheet: Sheet,
    /// The widest cell of each column, heading included, as far as it was looked for.
    pub(in crate::ui) widest: Vec<u16>,
    pub(in crate::ui) order: Vec<u32>,
    /// Those of them that pass what they must be like, and what is wrong with that here; nothing where all do.
    pub(in crate::ui) listed: Option<(Pass, Vec<u32>, Option<Text>)>,
    /// Rows that are left out of the order because it is held.
    pub(in crate::ui) withheld: usize,
    /// How many rows there are, filtered or not.
    pub(in crate::ui) total: usize,
    /// The names of clusters, by id.
    pub(in crate::ui) places: Vec<Text>,
    /// The time that the sheet is for.
    pub(in crate::ui) shown_at: Time,
    pub(in crate::ui) at: Time,
    /// How long it was from then until the screen had it.
    pub(in crate::ui) took: Span,
}

impl SheetJob {
    /// Computes the sheet; where that crashes, one that says so in place of rows that would look live.
    #[must_use]
    pub fn run(self) -> SheetDone {
        let (key, shown_at, at) = (self.key.clone(), self.shown_at, self.now);
        spared(|| self.computed()).unwrap_or_else(|| SheetDone::crashed(key, shown_at, at))
    }

    fn computed(self) -> SheetDone {
        let input = PaneInput {
            snapshot: &self.snapshot,
            scope: &self.key.scope,
            lens: self.key.lens,
            kind: self.key.kind,
            unit: self.key.unit,
            runs: &self.runs,
            recoveries: &self.recoveries,
            told: &self.told,
            before: self.before.as_ref().map(|before| &before.sheet),
            now: self.shown_at,
        };
        let mut sheet = (self.pane.sheet)(&input);
        show_times(&mut sheet, &self.key.face, self.shown_at);
        let mut order = sorted(&sheet, self.key.sort.as_ref());
        if let Some(selector) = &self.key.labels {
            let fitting = labelled(&self.snapshot, &sheet, selector);
            order.retain(|index| match sheet.rows.look(*index as usize) {
                Some(RowView::Made(row)) => row.objects.iter().any(|key| fitting.contains(&key.uid)),
                Some(RowView::Listed(listed)) => listed.selected(selector),
                None => false,
            });
        }
        let withheld = self.hold.as_ref().map_or(0, |hold| keep_order(&sheet, &mut order, hold));
        let total = sheet.rows.len() - withheld;
        // Of a long table only some rows are measured. As long as none came or went they are the same.
        let same = |before: &Arc<Computed>| before.sheet.rows.len() == sheet.rows.len();
        let known = self.before.filter(|before| matches!(sheet.rows, SheetRows::Listed(_)) && same(before));
        let widest = known.map_or_else(|| widths::of(&sheet), |before| before.widest.clone());
        let places = self.snapshot.fleet.clusters.iter().map(|c| c.info.name.clone()).collect();
        let (shown_at, at) = (self.shown_at, self.now);
        let (key, took) = (self.key.clone(), Span::ZERO);
        let mut computed = Computed {
            key: self.key,
            sheet,
            widest,
            order,
            listed: None,
            withheld,
            total,
            places,
            shown_at,
            at,
            took,
        };
        if !self.pass.all() {
            let (rows, problem) = self.pass.among(&computed, &computed.order);
            computed.listed = Some((self.pass, rows, problem));
        }
        let critical = self.alarms.as_ref().map(|newest| critical(newest, self.now));
        SheetDone { key, computed, critical }
    }
}

impl SheetDone {
    /// In place of a sheet whose computing crashed. It is tried again with the next state.
    fn crashed(key: JobKey, shown_at: Time, at: Time) -> SheetDone {
        let sheet = Sheet {
            answer: "This table cannot be made: a bug in Quarterdeck, please report it.".into(),
            empty: "Another pane, scope or filter may do; it is tried again with every change.".into(),
            ..Sheet::default()
        };
        let computed = Computed {
            key: key.clone(),
            sheet,
            widest: Vec::new(),
            order: Vec::new(),
            listed: None,
            withheld: 0,
            total: 0,
            places: Vec::new(),
            shown_at,
            at,
            took: Span::ZERO,
        };
        SheetDone { key, computed, critical: None }
    }
}

/// Writes moments again as the face has them; a view writes them in UTC.
fn show_times(sheet: &mut Sheet, face: &Face, now: Time) {
    if *face == Face::Utc {
        return;
    }
    // Rows that are written when they are looked at show no moments.
    for cell in sheet.rows.made_mut().iter_mut().flat_map(|row| &mut row.cells) {
        if let Some(at) = cell.at {
            let about = if cell.text.starts_with('~') { "~" } else { "" };
            cell.text = format!("{about}{}", face.column(at, now)).into();
        }
    }
}

/// The objects behind a sheet that have these labels. Only tables that rows come from are read.
fn labelled(snapshot: &Snapshot, sheet: &Sheet, selector: &Selector) -> FxHashSet<Uid> {
    let SheetRows::Made(rows) = &sheet.rows else { return FxHashSet::default() };
    let keys = rows.iter().flat_map(|row| &row.objects);
    let tables: FxHashSet<(ClusterId, Kind)> = keys.map(|key| (key.cluster, key.kind)).collect();
    let clusters = tables.into_iter().filter_map(|(id, kind)| Some((snapshot.fleet.cluster(id)?, kind)));
    clusters
        .flat_map(|(cluster, kind)| cluster.records(kind))
        .filter(|record| selector.matches(&record.meta().labels))
        .map(|record| record.meta().uid)
        .collect()
}

/// The rows in the pane's order, or by a column.
fn sorted(sheet: &Sheet, sort: Option<&(Text, bool)>) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(sheet.rows.len()).unwrap_or(u32::MAX)).collect();
    let by = sort.and_then(|(title, back)| {
        Some((sheet.columns.iter().position(|column| column.title == *title)?, *back))
    });
    let Some((column, back)) = by else { return order };
    let rows = match &sheet.rows {
        SheetRows::Listed(listing) => return listing.sorted(column, back),
        SheetRows::Made(rows) => rows,
    };
    let cell = |index: u32| rows.get(index as usize).and_then(|row| row.cells.get(column));
    order.sort_by(|a, b| {
        let ordering = compare(cell(*a), cell(*b));
        if back { ordering.reverse() } else { ordering }
    });
    // The sum of all stays under them.
    let sums = |index: &u32| rows.get(*index as usize).is_some_and(|row| row.id == RowId::Total);
    if let Some(place) = order.iter().position(sums) {
        let sum = order.remove(place);
        order.push(sum);
    }
    order
}

/// Numbers by their value, texts by themselves; what has no value comes last.
fn compare(a: Option<&Cell>, b: Option<&Cell>) -> std::cmp::Ordering {
    match (a, b) {
        (Some(a), Some(b)) => match (a.sort, b.sort) {
            (Some(x), Some(y)) => x.cmp(&y),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => a.text.cmp(&b.text),
        },
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Puts rows where they stood before, leaves out those that are new, and says how many.
fn keep_order(sheet: &Sheet, order: &mut Vec<u32>, before: &Computed) -> usize {
    match (&sheet.rows, &before.sheet.rows) {
        (SheetRows::Made(rows), SheetRows::Made(old)) => {
            let mut places: FxHashMap<&RowId, u32> =
                order.iter().filter_map(|i| Some((&rows.get(*i as usize)?.id, *i))).collect();
            let ids = before.order.iter().filter_map(|i| old.get(*i as usize)).map(|row| &row.id);
            *order = ids.filter_map(|id| places.remove(id)).collect();
            places.len()
        }
        (SheetRows::Listed(listing), SheetRows::Listed(old)) => {
            let (kept, new) = listing.keep_order(order, old, &before.order);
            *order = kept;
            new
        }
        _ => 0,
    }
}
