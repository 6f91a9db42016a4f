//! Pane 2: what is broken, since when, and what is common to it?
//!
//! The store keeps a [`Symptom`] for each object that is wrong, by the
//! [`rules`]. Here they fold into [`Finding`]s by cause, over all clusters.

mod evidence;
mod fold;
mod rules;
mod standing;
mod words;

pub(super) use words::connecting;

pub use evidence::evidence;
pub use rules::{first_constraint, reason, rules};
pub use standing::{
    Standing, age, asked_again, awaited, counted, denied, fault, lagging, login_wanted, old, silence, silent,
    silent_since, standing, unhurt, usage_age, usage_stale,
};

pub(super) use rules::{leaving, worst_metric};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::scaling;
use super::{RowId, Scope, Sheet, SheetRow, Snapshot};
use crate::model::{
    Cell, Cluster, ClusterId, Column, Kind, ObjectKey, Span, Symptom, SymptomCause, Text, Time, Tone,
    grouped, many,
};
use fold::{Part, WorkloadKey};

/// Something that is wrong, with everything that has the same cause.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// What is common; a finding is this for as long as it lasts.
    pub cause: SymptomCause,
    /// The worst that it is in any cluster.
    pub tone: Tone,
    /// Since when.
    pub since: Time,
    /// Whether it began then; else it was found then, when it was first looked for.
    pub since_sure: bool,
    /// What is wrong, in one line.
    pub what: Text,
    /// Where: a cluster's name, or how many.
    pub place: Text,
    /// How much it reaches.
    pub blast: Blast,
    /// Ready and wanted replicas of the workloads that it touches; `None` when none is known.
    pub serving: Option<(u32, u32)>,
    /// Whether some of those workloads are not known.
    pub serving_unknown: bool,
    /// The delivery systems of those workloads.
    pub owner: Text,
    /// The same by cluster, worst first.
    pub clusters: Vec<Hurt>,
    /// The objects behind it.
    pub objects: Vec<ObjectKey>,
    /// How many symptoms fold into it.
    pub symptoms: usize,
    /// Whether it is as last seen.
    pub stale: bool,
}

/// How much a finding reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Blast {
    /// Workloads.
    pub workloads: u32,
    /// Pods.
    pub pods: u32,
    /// Nodes, when the nodes cannot be seen at all.
    pub nodes: u32,
    /// Whether it cannot be known.
    pub unknown: bool,
}

/// What a finding is in one cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct Hurt {
    /// The cluster.
    pub cluster: ClusterId,
    /// How bad it is there.
    pub tone: Tone,
    /// Since when.
    pub since: Time,
    /// Whether it began then.
    pub since_sure: bool,
    /// How much it reaches there.
    pub blast: Blast,
    /// Ready and wanted replicas of the workloads that it touches there.
    pub serving: Option<(u32, u32)>,
    /// Whether some of those workloads are not known.
    pub serving_unknown: bool,
    /// What is wrong, as it is in that cluster.
    pub what: Text,
    /// The oldest symptom.
    pub first: Option<Symptom>,
    /// The workloads that it touches: kind, namespace, name.
    pub workloads: BTreeSet<WorkloadKey>,
}

/// What the rows of the pane are: key `b`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Lens {
    /// A row for each cause.
    #[default]
    Cause,
    /// A row for each cluster, by its worst.
    Cluster,
    /// A row for each kind of object.
    Kind,
}

/// Lenses in the order of `b`.
pub const LENSES: [Lens; 3] = [Lens::Cause, Lens::Cluster, Lens::Kind];

impl Lens {
    /// The word in the title.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Lens::Cause => "cause",
            Lens::Cluster => "cluster",
            Lens::Kind => "kind",
        }
    }
}

/// What is wrong in a scope, worst first.
#[must_use]
pub fn findings(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<Finding> {
    let mut causes: BTreeMap<SymptomCause, Vec<Part>> = BTreeMap::new();
    // Where nothing is wrong at all nothing is wrong in a part of it.
    let hurt = |cluster: &&Arc<Cluster>| scope.holds(cluster) && !of_cluster(cluster, now).is_empty();
    for cluster in snapshot.fleet.clusters.iter().filter(hurt) {
        for part in parts(cluster, scope, now) {
            causes.entry(part.cause.clone()).or_default().push(part);
        }
    }
    let mut findings: Vec<Finding> = causes.into_values().map(|parts| merged(parts, now)).collect();
    findings.sort_by_cached_key(|f| {
        (severity(f.tone), Reverse(not_serving(f)), Reverse(f.since), f.cause.clone())
    });
    findings
}

/// What is wrong in one cluster, worst first. It is looked for once for each generation, as long as
/// nothing became wrong by the passing of time alone.
#[must_use]
pub fn of_cluster(cluster: &Cluster, now: Time) -> Arc<Vec<Finding>> {
    let state = (standing(cluster, now), Kind::ALL.iter().filter(|kind| old(cluster, **kind, now)).count());
    let made = cluster.derived(|| Remembered {
        at: now,
        until: next_by_time(cluster, now),
        state,
        findings: Arc::new(look(cluster, now)),
    });
    if made.state == state && made.at <= now && now < made.until {
        return Arc::clone(&made.findings);
    }
    Arc::new(look(cluster, now))
}

/// What was wrong at a generation, and for how long that can be said.
struct Remembered {
    at: Time,
    until: Time,
    state: (Standing, usize),
    findings: Arc<Vec<Finding>>,
}

/// For how long at most what was found is said again without a look: what flaps stops by time.
const LOOK_AGAIN: Span = Span::from_seconds(90);

/// When something begins to count though nothing changes.
fn next_by_time(cluster: &Cluster, now: Time) -> Time {
    let later = cluster.symptoms.values().map(|symptom| symptom.counts_from).filter(|at| *at > now);
    later.chain([now + LOOK_AGAIN]).min().unwrap_or(now)
}

fn look(cluster: &Cluster, now: Time) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        parts(cluster, &Scope::All, now).into_iter().map(|part| merged(vec![part], now)).collect();
    findings.sort_by_cached_key(|f| {
        (severity(f.tone), Reverse(not_serving(f)), Reverse(f.since), f.cause.clone())
    });
    findings
}

fn parts<'a>(cluster: &'a Cluster, scope: &Scope, now: Time) -> Vec<Part<'a>> {
    let mut parts = fold::parts(cluster, scope, now);
    if standing(cluster, now) == Standing::Live && counted(cluster, Kind::Autoscaler) {
        parts.extend(scaling::flaps(cluster, scope, now).into_iter().map(|flap| flapping(cluster, &flap)));
    }
    parts
}

fn flapping<'a>(cluster: &'a Cluster, flap: &scaling::Flap) -> Part<'a> {
    let cause = SymptomCause { reason: reason::FLAPPING.into(), subject: flap.object.path().into() };
    let mut part = Part::new(cluster, cause, Tone::Warn, flap.since);
    part.words = flap.words();
    part.workloads =
        flap.workload.iter().map(|(k, n)| (*k, flap.object.namespace.clone(), n.clone())).collect();
    let ready = |w: &crate::model::Workload| {
        let key = (w.kind, w.meta.namespace.clone(), w.meta.name.clone());
        part.workloads.contains(&key).then_some((w.ready.min(w.desired), w.desired))
    };
    part.serving = cluster.workloads().find_map(ready).filter(|(_, wanted)| *wanted > 0);
    part
}

/// The order of findings: what is down, what cannot be seen, what is degraded, what may not be seen.
fn severity(tone: Tone) -> u8 {
    match tone {
        Tone::Crit => 0,
        Tone::Unseen => 1,
        Tone::Warn => 2,
        Tone::Denied => 3,
        _ => 4,
    }
}

fn not_serving(finding: &Finding) -> u32 {
    finding.serving.map_or(finding.blast.pods, |(ready, wanted)| wanted - ready)
}

fn merged(parts: Vec<Part>, now: Time) -> Finding {
    let mut hurt: Vec<Hurt> = parts.iter().map(hurt).collect();
    let share =
        |h: &Hurt| h.serving.map_or(1000, |(ready, of)| u64::from(ready) * 1000 / u64::from(of.max(1)));
    hurt.sort_by_key(|h| (severity(h.tone), share(h), h.since));
    let owners: BTreeSet<&Text> = parts.iter().flat_map(|p| &p.owners).collect();
    let served: Vec<(u32, u32)> = parts.iter().filter_map(|p| p.serving).collect();
    let worst = hurt.iter().map(|h| h.tone).min_by_key(|t| severity(*t)).unwrap_or_default();
    // Of equal moments the sure one.
    let first = parts.iter().map(|p| (p.since, !p.since_sure)).min();
    let (since, unsure) = first.unwrap_or((now, true));
    Finding {
        tone: worst,
        since,
        since_sure: !unsure,
        what: words::what(&parts),
        place: words::place(&parts),
        blast: hurt.iter().map(|h| h.blast).fold(Blast::default(), Blast::and),
        serving: (!served.is_empty()).then(|| served.iter().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))),
        serving_unknown: parts.iter().any(|p| p.serving_unknown),
        owner: words::owners(&owners),
        objects: parts.iter().flat_map(|p| p.symptoms.iter().map(|s| s.object.clone())).collect(),
        symptoms: parts.iter().map(|p| p.symptoms.len().max(1) + p.explained).sum(),
        stale: parts.iter().all(|part| part.old(now)),
        cause: parts
            .into_iter()
            .next()
            .map(|p| p.cause)
            .unwrap_or(SymptomCause { reason: Text::EMPTY, subject: Text::EMPTY }),
        clusters: hurt,
    }
}

fn hurt(part: &Part) -> Hurt {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let whole = part.cause.reason == reason::NO_ANSWER;
    Hurt {
        cluster: part.cluster.id,
        tone: part.tone,
        since: part.since,
        since_sure: part.since_sure,
        blast: Blast {
            workloads: count(part.workloads.len()),
            pods: part.pods,
            nodes: if whole || part.workloads.is_empty() { part.nodes } else { 0 },
            unknown: part.blind,
        },
        serving: part.serving,
        serving_unknown: part.serving_unknown,
        what: words::what(std::slice::from_ref(part)),
        first: part.symptoms.first().map(|s| Symptom::clone(s)),
        workloads: part.workloads.clone(),
    }
}

impl Blast {
    fn and(self, other: Blast) -> Blast {
        Blast {
            workloads: self.workloads + other.workloads,
            pods: self.pods + other.pods,
            nodes: self.nodes + other.nodes,
            unknown: self.unknown || other.unknown,
        }
    }
}

/// How a cluster is: its worst finding, unless it cannot be seen. It is fine only once all that a
/// finding rests on was seen.
#[must_use]
pub fn tone(cluster: &Cluster, now: Time) -> Tone {
    match standing(cluster, now) {
        Standing::Unseen => Tone::Unseen,
        Standing::Denied => Tone::Denied,
        Standing::Connecting => Tone::Connecting,
        Standing::Live => {
            of_cluster(cluster, now).first().map_or_else(|| unhurt(cluster), |finding| finding.tone)
        }
    }
}

/// The pane.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time, lens: Lens) -> Sheet {
    let findings = findings(snapshot, scope, now);
    let clusters: Vec<&Cluster> =
        snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(|c| &**c).collect();
    let symptoms: usize = findings.iter().map(|f| f.symptoms).sum();
    let footer = match (symptoms, findings.len()) {
        (0, _) => String::new(),
        (1, _) => "1 symptom, 1 finding".to_owned(),
        (symptoms, 1) => format!("{} symptoms folded into 1 finding", grouped(symptoms as u64)),
        (symptoms, n) => format!("{} symptoms folded into {n} findings", grouped(symptoms as u64)),
    };
    let rows = match lens {
        Lens::Cause => findings.iter().map(|f| row(f, now)).collect(),
        Lens::Cluster => clusters.iter().filter_map(|c| cluster_row(c, &findings, now)).collect(),
        Lens::Kind => kind_rows(&findings, now),
    };
    let empty = words::all_fine(&clusters, now);
    let answer = words::answer(&clusters, &findings, now);
    Sheet {
        answer,
        charts: Vec::new(),
        columns: columns(),
        rows: rows.into(),
        empty,
        footer: footer.into(),
        hints: super::fleet::hints(snapshot, scope, now),
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::right("since", 6, 100),
        Column::left("what", 0, 90),
        Column::left("where", 11, 80),
        Column::right("blast", 13, 70),
        Column::right("serving", 7, 60),
        Column::left("owner", 12, 50),
    ]
}

fn row(finding: &Finding, now: Time) -> SheetRow {
    SheetRow {
        id: RowId::Finding(finding.cause.clone()),
        tone: finding.tone,
        cells: vec![
            since_cell(finding, now),
            Cell::text(finding.what.clone()),
            Cell::text(finding.place.clone()),
            Cell::number(finding.blast.to_string(), i64::from(finding.blast.pods)),
            serving_cell(finding),
            Cell::text(finding.owner.clone()),
        ],
        objects: finding.objects.clone(),
        stale: finding.stale,
    }
}

/// Since when: `02:11`, `~02:14` where it was found then and may be older.
fn since_cell(finding: &Finding, now: Time) -> Cell {
    let cell = Cell::when(finding.since, now);
    if finding.since_sure { cell } else { Cell { text: format!("~{}", cell.text).into(), ..cell } }
}

/// `71 %`, `71 %+?` where it is not known of all; `-` where nothing serves by it.
fn serving_cell(finding: &Finding) -> Cell {
    match (finding.serving, finding.serving_unknown) {
        (Some((ready, of)), unknown) => {
            let percent = u64::from(ready) * 100 / u64::from(of.max(1));
            let more = if unknown { "+?" } else { "" };
            Cell::number(format!("{percent} %{more}"), i64::try_from(percent).unwrap_or(0))
        }
        (None, true) => Cell::text("?"),
        (None, false) => Cell::text("-"),
    }
}

/// A row of the lens by cluster: its worst finding, as it is there, and how many more.
fn cluster_row(cluster: &Cluster, findings: &[Finding], now: Time) -> Option<SheetRow> {
    let mut here: Vec<(&Finding, &Hurt)> = findings
        .iter()
        .filter_map(|f| Some((f, f.clusters.iter().find(|h| h.cluster == cluster.id)?)))
        .collect();
    here.sort_by_key(|(_, h)| severity(h.tone));
    let (finding, hurt) = here.first()?;
    let more = here.len() - 1;
    let what = if more == 0 { hurt.what.to_string() } else { format!("{}, {more} more", hurt.what) };
    let objects =
        here.iter().flat_map(|(f, _)| f.objects.iter().filter(|o| o.cluster == cluster.id).cloned());
    let first = here.iter().map(|(_, h)| (h.since, !h.since_sure)).min();
    let (since, unsure) = first.unwrap_or((hurt.since, true));
    let single = Finding {
        tone: hurt.tone,
        since,
        since_sure: !unsure,
        what: what.into(),
        place: cluster.info.name.clone(),
        blast: here.iter().map(|(_, h)| h.blast).fold(Blast::default(), Blast::and),
        serving: hurt.serving,
        serving_unknown: hurt.serving_unknown,
        objects: objects.collect(),
        ..Finding::clone(finding)
    };
    Some(SheetRow { id: RowId::Cluster(cluster.id), ..row(&single, now) })
}

/// Rows of the lens by kind: what is wrong with pods, with nodes, …
fn kind_rows(findings: &[Finding], now: Time) -> Vec<SheetRow> {
    let mut kinds: BTreeMap<Option<Kind>, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        kinds.entry(finding.objects.first().map(|o| o.kind)).or_default().push(finding);
    }
    let mut rows: Vec<SheetRow> = kinds
        .into_iter()
        .filter_map(|(kind, of_kind)| {
            let name = kind.map_or("clusters", |k| k.names().plural);
            let first = *of_kind.first()?;
            let more = of_kind.len() - 1;
            let what =
                if more == 0 { first.what.to_string() } else { format!("{}, {more} more", first.what) };
            let places: BTreeSet<ClusterId> =
                of_kind.iter().flat_map(|f| f.clusters.iter().map(|h| h.cluster)).collect();
            let place =
                if places.len() == 1 { first.place.clone() } else { many(places.len(), "cluster").into() };
            let (since, unsure) = of_kind.iter().map(|f| (f.since, !f.since_sure)).min()?;
            let whole = Finding {
                since,
                since_sure: !unsure,
                what: format!("{name}: {what}").into(),
                place,
                blast: of_kind.iter().map(|f| f.blast).fold(Blast::default(), Blast::and),
                objects: of_kind.iter().flat_map(|f| f.objects.clone()).collect(),
                ..first.clone()
            };
            Some(SheetRow { id: RowId::Part(name.into()), ..row(&whole, now) })
        })
        .collect();
    rows.sort_by_key(|row| severity(row.tone));
    rows
}

/// The age of the oldest data on screen and whose it is.
#[must_use]
pub fn oldest(snapshot: &Snapshot, now: Time) -> Option<(Text, Span)> {
    let counted = snapshot.fleet.clusters.iter().filter(|c| Scope::All.holds(c));
    let ages = counted.filter_map(|c| Some((c.info.name.clone(), age(c, now)?)));
    ages.reduce(|a, b| if b.1 > a.1 { b } else { a })
}

#[cfg(test)]
mod tests;
