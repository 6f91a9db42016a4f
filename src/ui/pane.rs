//! Panes: one question each, declared as data. The registry lists them.

use super::told::Told;
use crate::model::{ClusterId, Kind, ObjectKey, SymptomCause, Time};
use crate::operations::{OpId, Recoveries, Run};
use crate::views::cost::Unit;
use crate::views::{Evidence, RowId, Scope, Sheet, SheetRow, Snapshot, health};

/// A pane, declared once: tab, help, command line and screens follow from it.
#[derive(Clone, Copy, Debug)]
pub struct PaneDecl {
    /// Its key: a digit, or `@`.
    pub digit: char,
    /// Its name on the command line: `health`.
    pub name: &'static str,
    /// Its tab: `Health`.
    pub title: &'static str,
    /// The question that it answers.
    pub question: &'static str,
    /// The ways to look at it; empty when there is one.
    pub lenses: &'static [&'static str],
    /// What it shows.
    pub sheet: fn(&PaneInput<'_>) -> Sheet,
    /// What proves the row under the cursor.
    pub evidence: fn(&PaneInput<'_>, &SheetRow) -> Evidence,
    /// What `enter` on a row does.
    pub on_enter: fn(&PaneInput<'_>, &SheetRow) -> Enter,
}

/// What a pane is computed from.
#[derive(Clone, Copy, Debug)]
pub struct PaneInput<'a> {
    /// The fleet.
    pub snapshot: &'a Snapshot,
    /// The part of it that is shown.
    pub scope: &'a Scope,
    /// Which of its lenses.
    pub lens: usize,
    /// The kind that was asked for, for the objects pane.
    pub kind: Kind,
    /// For how long rates of money are shown.
    pub unit: Unit,
    /// What ran and runs, oldest first.
    pub runs: &'a [Run],
    /// Recovery plans and their last drills.
    pub recoveries: &'a Recoveries,
    /// What was told: notices and the journal.
    pub told: &'a Told,
    /// The sheet of the same view that the new one follows, if there is one.
    pub before: Option<&'a Sheet>,
    /// The time.
    pub now: Time,
}

/// What `enter` on a row does.
#[derive(Clone, PartialEq, Debug)]
pub enum Enter {
    /// Opens the object, or lists the objects behind the row when there are several.
    Objects,
    /// Opens this object.
    Detail(ObjectKey),
    /// Narrows the scope and shows the pane on this key.
    Scope(Scope, char),
    /// Shows a run.
    Run(OpId),
    /// Asks what is to be done about a run that was cut off, by its number in the journal.
    CutOff(u64),
    /// Shows how to log in to this cluster.
    Login(ClusterId),
    /// Nothing.
    Nothing,
}

/// What `enter` does unless a pane knows better: the objects behind the row, or the login that a
/// cluster waits for.
#[must_use]
pub fn open_objects(input: &PaneInput<'_>, row: &SheetRow) -> Enter {
    let login = |id: &ClusterId| input.snapshot.fleet.cluster(*id).is_some_and(|c| health::login_wanted(c));
    match &row.id {
        RowId::Run(op) => Enter::Run(OpId(*op)),
        RowId::Cluster(id) if login(id) => Enter::Login(*id),
        RowId::Cluster(id) => Enter::Scope(Scope::Clusters(vec![*id]), '2'),
        RowId::Object(key) => Enter::Detail(key.clone()),
        RowId::Finding(cause) if row.objects.is_empty() => open_clusters(input, cause),
        _ if row.objects.is_empty() => Enter::Nothing,
        _ => Enter::Objects,
    }
}

/// The clusters of a finding that is about clusters and no object of theirs, on the fleet pane, which
/// says what is the matter with each.
fn open_clusters(input: &PaneInput<'_>, cause: &SymptomCause) -> Enter {
    let findings = health::findings(input.snapshot, input.scope, input.now);
    let found = findings.iter().find(|finding| finding.cause == *cause);
    let ids: Vec<ClusterId> = found.into_iter().flat_map(|f| &f.clusters).map(|hurt| hurt.cluster).collect();
    match ids.as_slice() {
        [] => Enter::Nothing,
        [one] if input.snapshot.fleet.cluster(*one).is_some_and(|c| health::login_wanted(c)) => {
            Enter::Login(*one)
        }
        _ => Enter::Scope(Scope::Clusters(ids), '1'),
    }
}

/// The evidence of a pane that has none.
#[must_use]
pub fn no_evidence(_: &PaneInput<'_>, _: &SheetRow) -> Evidence {
    Evidence::default()
}
