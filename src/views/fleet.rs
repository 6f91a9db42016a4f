//! Pane 1: is every cluster fine, how fresh is what I see? And row 1 of the screen, the totals.

mod evidence;

pub use evidence::evidence;

use std::collections::BTreeMap;
use std::fmt;

use super::cost::Unit;
use super::health::{self, Finding, Standing, age, counted, fault, old, standing, unhurt};
use super::{Hint, RowId, Scope, Sheet, SheetRow, Snapshot};
use crate::model::{
    Badge, Cause, Cell, Cluster, Column, CostTotals, Kind, LinkState, Login, Money, SameAs, Span, Table,
    Text, Time, Tone, grouped, many,
};

/// How many troubles of one cluster are named one by one.
const NAMED: usize = 12;

/// The totals that are always on screen.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Header {
    /// Clusters.
    pub clusters: usize,
    /// How many clusters of each tone there are, worst first; tones without any are left out.
    pub tones: Vec<(Tone, usize)>,
    /// Nodes.
    pub nodes: Count,
    /// Pods that have not ended.
    pub pods: Count,
    /// What nodes and all beside them cost.
    pub cost: CostTotals,
    /// Whether a part of the cost is as last seen or estimated: `~`.
    pub cost_approximate: bool,
    /// Whether a part of the cost is not known: `+?`.
    pub cost_unknown: bool,
    /// The cluster with the oldest data, and its age.
    pub oldest: Option<(Text, Span)>,
}

impl Header {
    /// The rate in words: `$412.80/h`, `~$412.80/h`, `$412.80+?/h`, `$?/h`; `$9,907.20/day`.
    #[must_use]
    pub fn rate(&self, unit: Unit) -> String {
        let about = if self.cost_approximate { "~" } else { "" };
        let per = unit.heading().trim_start_matches('$');
        match (self.cost_unknown, self.cost.rate == Money::ZERO) {
            (true, true) => format!("$?{per}"),
            (true, false) => format!("{about}${}+?{per}", unit.of(self.cost.rate)),
            (false, _) => format!("{about}${}{per}", unit.of(self.cost.rate)),
        }
    }
}

/// A count, and how sure it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// What is known of it.
    pub value: u64,
    /// A part is as last seen: `~27`.
    pub approximate: bool,
    /// A part was never seen: `27+?`, or `?` when nothing was.
    pub unknown: bool,
}

impl Count {
    fn add(&mut self, cluster: &Cluster, kind: Kind, value: u32, now: Time) {
        if counted(cluster, kind) {
            self.value += u64::from(value);
            self.approximate |= rests_on_old(cluster, &[kind], now);
        } else {
            self.unknown = true;
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.approximate { "~" } else { "" };
        let text = match (self.value, self.unknown) {
            (0, true) => "?".to_owned(),
            (n, true) => format!("{about}{}+?", grouped(n)),
            (n, false) => format!("{about}{}", grouped(n)),
        };
        f.pad(&text)
    }
}

/// The totals of the whole fleet.
#[must_use]
pub fn header(snapshot: &Snapshot, now: Time) -> Header {
    let clusters: Vec<_> = snapshot.fleet.clusters.iter().filter(|c| Scope::All.holds(c)).collect();
    let mut header =
        Header { clusters: clusters.len(), oldest: health::oldest(snapshot, now), ..Header::default() };
    let mut tones: BTreeMap<u8, (Tone, usize)> = BTreeMap::new();
    for cluster in clusters {
        let tone = health::tone(cluster, now);
        tones.entry(rank(tone)).or_insert((tone, 0)).1 += 1;
        let totals = &cluster.totals;
        header.nodes.add(cluster, Kind::Node, totals.nodes, now);
        header.pods.add(cluster, Kind::Pod, totals.pods, now);
        if counted(cluster, Kind::Node) {
            let cost = cluster.cost();
            header.cost.merge(&cost);
            header.cost_approximate |= cost.guessed > 0 || rests_on_old(cluster, &[Kind::Node], now);
            header.cost_unknown |= cost.unknown > 0;
        } else {
            header.cost_unknown = true;
        }
    }
    header.tones = tones.into_values().collect();
    header
}

/// What is shown first: down, degraded, unseen, denied, connecting, fine.
fn rank(tone: Tone) -> u8 {
    match tone {
        Tone::Crit => 0,
        Tone::Warn => 1,
        Tone::Unseen => 2,
        Tone::Denied => 3,
        Tone::Connecting => 4,
        Tone::Moving => 5,
        Tone::Paused => 6,
        Tone::Ok => 7,
    }
}

/// Whether figures of this cluster are as last seen.
fn out_of_date(cluster: &Cluster, now: Time) -> bool {
    match standing(cluster, now) {
        Standing::Unseen => true,
        Standing::Denied => age(cluster, now).is_some_and(|age| age > Span::ZERO),
        Standing::Live | Standing::Connecting => false,
    }
}

/// Whether a figure made of these kinds is as last seen.
fn rests_on_old(cluster: &Cluster, kinds: &[Kind], now: Time) -> bool {
    out_of_date(cluster, now) || kinds.iter().any(|kind| old(cluster, *kind, now))
}

/// `~` before a figure made of these kinds when it is as last seen.
fn about(cluster: &Cluster, kinds: &[Kind], now: Time) -> &'static str {
    if rests_on_old(cluster, kinds, now) { "~" } else { "" }
}

/// The pane.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time) -> Sheet {
    let named: Vec<&Cluster> =
        snapshot.fleet.clusters.iter().filter(|c| scope.names(c)).map(|c| &**c).collect();
    let peculiar = named.iter().any(|cluster| !cluster.badges.is_empty());
    let mut tones = Vec::new();
    let mut rows: Vec<(u8, u32, SheetRow)> = named
        .iter()
        .map(|cluster| {
            let (mut row, blast) = match cluster.same_as.as_ref().filter(|_| !scope.holds(cluster)) {
                None => {
                    let findings = health::of_cluster(cluster, now);
                    let row = row(cluster, &findings, now);
                    tones.push(row.tone);
                    (row, findings.iter().map(|f| f.blast.pods).sum())
                }
                Some(other) => (further_row(cluster, other, now), 0),
            };
            if peculiar {
                row.cells.push(Cell::text(badges(cluster)));
            }
            (rank(row.tone), blast, row)
        })
        .collect();
    rows.sort_unstable_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)).then_with(|| name(&a.2).cmp(name(&b.2))));
    let clusters: Vec<&Cluster> = named.into_iter().filter(|c| scope.holds(c)).collect();
    Sheet {
        answer: answer(&clusters, &tones, now),
        charts: Vec::new(),
        columns: columns(peculiar),
        rows: rows.into_iter().map(|(_, _, row)| row).collect(),
        empty: "No cluster in this scope.".into(),
        footer: notices(snapshot, scope, now).join(" · ").into(),
        hints: hints(snapshot, scope, now),
    }
}

fn name(row: &SheetRow) -> &str {
    row.cells.first().map_or("", |c| c.text.as_str())
}

fn columns(peculiar: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::left("cluster", 14, 100),
        Column::right("data", 6, 95),
        Column::left("worst finding", 0, 62),
        Column::right("nodes", 7, 85),
        Column::right("pods", 6, 80),
        Column::left("login", 9, 75),
        Column::left("version", 7, 70),
        Column::right("cpu req%", 8, 65),
        Column::right("mem req%", 8, 64),
        Column::right("$/h", 8, 55),
        Column::left("region", 14, 50),
        Column::right("api ms", 6, 45),
    ];
    if peculiar {
        columns.push(Column::left("badges", 22, 78));
    }
    columns
}

/// What is peculiar about the connection: `skip-verify as bob`.
fn badges(cluster: &Cluster) -> String {
    cluster.badges.iter().map(badge).collect::<Vec<_>>().join(" ")
}

/// A badge in a word or two.
fn badge(badge: &Badge) -> String {
    match badge {
        Badge::SkipVerify => "skip-verify".to_owned(),
        Badge::PlainHttp => "http".to_owned(),
        Badge::Impersonating(whom) => format!("as {whom}"),
        Badge::Proxy(proxy) => format!("via {proxy}"),
        Badge::JsonOnly => "json".to_owned(),
    }
}

fn row(cluster: &Cluster, findings: &[Finding], now: Time) -> SheetRow {
    let stands = standing(cluster, now);
    let tone = tone(stands).unwrap_or_else(|| findings.first().map_or_else(|| unhurt(cluster), |f| f.tone));
    let totals = &cluster.totals;
    let nodes = if totals.nodes_ready == totals.nodes {
        totals.nodes.to_string()
    } else {
        format!("{}/{}", totals.nodes_ready, totals.nodes)
    };
    let share = |asked: i64, of: i64| {
        let kinds = [Kind::Node, Kind::Pod];
        let known = kinds.iter().all(|kind| counted(cluster, *kind)) && of > 0;
        let percent = i64::try_from(i128::from(asked) * 100 / i128::from(of.max(1))).unwrap_or(i64::MAX);
        let about = about(cluster, &kinds, now);
        if known { Cell::number(format!("{about}{percent}"), percent) } else { Cell::text("?") }
    };
    let figure = |kind: Kind, text: String, value: u32| {
        let denied = cluster.table(kind).link.state == LinkState::Denied;
        match counted(cluster, kind) {
            true => Cell::number(format!("{}{text}", about(cluster, &[kind], now)), i64::from(value)),
            false if denied => Cell::text("⊘?").toned(Tone::Denied),
            false => Cell::text("?"),
        }
    };
    SheetRow {
        id: RowId::Cluster(cluster.id),
        tone,
        cells: vec![
            Cell::text(cluster.info.name.clone()),
            data(cluster, now),
            Cell::text(worst(cluster, stands, findings)),
            figure(Kind::Node, nodes, totals.nodes),
            figure(Kind::Pod, grouped(u64::from(totals.pods)), totals.pods),
            login(&cluster.login, now),
            Cell::text(version(&cluster.version)),
            share(totals.requests.cpu, totals.allocatable.cpu),
            share(totals.requests.memory, totals.allocatable.memory),
            rate(cluster, now),
            region(cluster),
            latency(cluster, now),
        ],
        objects: Vec::new(),
        stale: out_of_date(cluster, now),
    }
}

/// The row of a further context of a cluster: what is about this context, its connection and its login.
fn further_row(cluster: &Cluster, other: &SameAs, now: Time) -> SheetRow {
    let counted_there = || Cell::text("·");
    SheetRow {
        id: RowId::Cluster(cluster.id),
        tone: tone(standing(cluster, now)).unwrap_or(Tone::Ok),
        cells: vec![
            Cell::text(cluster.info.name.clone()),
            data(cluster, now),
            Cell::text(format!("the same cluster as {}, counted there", other.info.name)),
            counted_there(),
            counted_there(),
            login(&cluster.login, now),
            Cell::text(version(&cluster.version)),
            counted_there(),
            counted_there(),
            counted_there(),
            region(cluster),
            latency(cluster, now),
        ],
        objects: Vec::new(),
        stale: out_of_date(cluster, now),
    }
}

/// The tone of a cluster that is not live.
fn tone(stands: Standing) -> Option<Tone> {
    match stands {
        Standing::Unseen => Some(Tone::Unseen),
        Standing::Denied => Some(Tone::Denied),
        Standing::Connecting => Some(Tone::Connecting),
        Standing::Live => None,
    }
}

/// How old its data is.
fn data(cluster: &Cluster, now: Time) -> Cell {
    let connecting = standing(cluster, now) == Standing::Connecting;
    age(cluster, now).map_or_else(
        || Cell::text(if connecting { "·" } else { "never" }),
        |age| Cell::number(age.to_string(), age.millis()),
    )
}

fn region(cluster: &Cluster) -> Cell {
    Cell::text(if cluster.region.is_empty() { "?".into() } else { cluster.region.clone() })
}

/// How long its server takes to begin an answer.
fn latency(cluster: &Cluster, now: Time) -> Cell {
    let said = |took: Span| format!("{}{}", about(cluster, &[], now), took.millis());
    cluster.api_p95.map_or_else(|| Cell::text("?"), |took| Cell::number(said(took), took.millis()))
}

fn worst(cluster: &Cluster, stands: Standing, findings: &[Finding]) -> Text {
    if stands == Standing::Connecting {
        return connecting(cluster).into();
    }
    match findings {
        [] if unhurt(cluster) == Tone::Connecting => connecting(cluster).into(),
        [] => "·".into(),
        [one] => one.what.clone(),
        [first, more @ ..] => format!("{}, {} more", first.what, more.len()).into(),
    }
}

/// How far a cluster that has not answered yet has come: `pods 4,200 of about 12,600`.
fn connecting(cluster: &Cluster) -> String {
    let longest = cluster.tables.iter().filter_map(|t| match t.link.state {
        LinkState::Listing { got, of } => Some((got, of, t.kind)),
        _ => None,
    });
    match longest.max_by_key(|(got, ..)| *got) {
        Some((got, Some(of), kind)) => {
            format!("{} {} of about {}", kind.names().plural, grouped(got.into()), grouped(of.into()))
        }
        Some((got, None, kind)) => format!("{} {}", kind.names().plural, grouped(got.into())),
        None => match health::awaited(cluster).filter(|_| cluster.seen()) {
            Some(table) => {
                let why =
                    table.link.fault.as_ref().map_or(String::new(), |f| format!(" ({})", f.cause.word()));
                format!("waits for {}{why}", table.kind.names().plural)
            }
            None => "connecting".to_owned(),
        },
    }
}

/// `ok`, `23m left`, `login`, `expired`, `plugin`.
fn login(login: &Login, now: Time) -> Cell {
    match login {
        Login::Unknown => Cell::text("?"),
        Login::Good(until) => match until.map(|until| now.age(until)) {
            Some(left) if left < Span::ZERO => Cell::text("expired").toned(Tone::Warn),
            Some(left) if left < Span::from_seconds(3600) => {
                let text =
                    if left.seconds() < 60 { left.to_string() } else { format!("{}m", left.seconds() / 60) };
                Cell::number(format!("{text} left"), left.millis())
            }
            _ => Cell::text("ok"),
        },
        Login::Wanted | Login::Prompted(_) => Cell::text("login").toned(Tone::Denied),
        Login::Expired => Cell::text("expired").toned(Tone::Denied),
        Login::Plugin => Cell::text("plugin").toned(Tone::Denied),
    }
}

/// `1.36.3` of `v1.36.3-eks-1a2b`.
fn version(version: &str) -> Text {
    let plain = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    if plain.is_empty() { "?".into() } else { plain.into() }
}

fn rate(cluster: &Cluster, now: Time) -> Cell {
    let cost = cluster.cost();
    if !counted(cluster, Kind::Node) || (cost.unknown > 0 && cost.priced + cost.guessed == 0) {
        return Cell::text("?");
    }
    let approximate = if cost.guessed > 0 { "~" } else { about(cluster, &[Kind::Node], now) };
    let more = if cost.unknown > 0 { "+?" } else { "" };
    Cell::number(format!("{approximate}{}{more}", cost.rate), cost.rate.nanos())
}

/// `6 of 24 clusters hurt, 1 unseen, 17 fine.`, what there is none of left out; while clusters
/// connect and nothing is the matter yet, how far that is.
fn answer(clusters: &[&Cluster], tones: &[Tone], now: Time) -> Text {
    let count = |wanted: Tone| tones.iter().filter(|t| **t == wanted).count();
    let all = many(clusters.len(), "cluster");
    let hurt = count(Tone::Crit) + count(Tone::Warn);
    let (unseen, denied) = (count(Tone::Unseen), count(Tone::Denied));
    // Who wants a login is told by that sentence, too.
    let logins = clusters.iter().filter(|cluster| health::login_wanted(cluster)).count();
    if hurt + unseen + denied == logins
        && let Some(connecting) = health::connecting(clusters, now)
    {
        return connecting;
    }
    let (fine, connecting) = (count(Tone::Ok), count(Tone::Connecting));
    let parts =
        [(hurt, "hurt"), (unseen, "unseen"), (denied, "denied"), (fine, "fine"), (connecting, "connecting")];
    let mut parts = parts.into_iter().filter(|(n, _)| *n > 0);
    let Some((n, word)) = parts.next() else { return format!("0 of {all} hurt.").into() };
    let more: String = parts.map(|(n, word)| format!(", {n} {word}")).collect();
    format!("{n} of {all} {word}{more}.").into()
}

/// What must be said of clusters that do not answer and of kinds that may not be read, in the
/// words of every pane.
#[must_use]
pub fn notices(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<String> {
    let clusters = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
    clusters.flat_map(|c| silent(c, now).into_iter().chain(behind(c, now)).chain(refused(c))).collect()
}

/// What can be done about clusters that do not answer, that refuse, and that want a login.
pub(super) fn hints(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<Hint> {
    let any = |is: &dyn Fn(&Cluster) -> bool| {
        snapshot.fleet.clusters.iter().any(|cluster| scope.holds(cluster) && is(cluster))
    };
    let hints = [
        (Hint::Widen, !any(&|_| true)),
        (Hint::AskAgain, any(&|c| standing(c, now) == Standing::Unseen)),
        (Hint::LogIn, any(&health::login_wanted)),
        (Hint::MissingRule, any(&|c| health::denied(c).next().is_some())),
    ];
    hints.into_iter().filter_map(|(hint, holds)| holds.then_some(hint)).collect()
}

/// `◌ eks-use1: autoscalers not updated for 1m22s (timeout).` of a cluster that answers otherwise.
fn behind(cluster: &Cluster, now: Time) -> Vec<String> {
    if standing(cluster, now) != Standing::Live {
        return Vec::new();
    }
    let said = |(table, age): (&Table, Span)| {
        let why = table.link.fault.as_ref().map_or(String::new(), |f| format!(" ({})", f.cause.word()));
        format!("◌ {}: {} not updated for {age}{why}.", cluster.info.name, table.kind.names().plural)
    };
    health::lagging(cluster, now).map(said).collect()
}

/// `◌ edge-17: no answer for 4m12s (timeout). Shown as last seen. Retry in 9s.`
fn silent(cluster: &Cluster, now: Time) -> Option<String> {
    if standing(cluster, now) != Standing::Unseen {
        return None;
    }
    let fault = fault(cluster);
    let name = &cluster.info.name;
    if let Some(fault) = fault.filter(|f| f.cause == Cause::Config && !cluster.seen()) {
        return Some(format!("◌ {name}: {fault}"));
    }
    let why = fault.map_or(String::new(), |f| format!(" ({})", f.cause.word()));
    let said = match health::silence(cluster, now) {
        Some(age) => format!("◌ {name}: {} for {age}{why}. Shown as last seen.", health::silent(cluster)),
        None => format!("◌ {name}: never answered{why}."),
    };
    let wait =
        health::asked_again(cluster).filter(|at| *at > now).map(|at| format!(" Retry in {}.", now.age(at)));
    Some(said + &wait.unwrap_or_default())
}

/// `⊘ eks-use1: pods not readable (403 at 02:12, asked again at 02:17). Not counted here.`
fn refused(cluster: &Cluster) -> Vec<String> {
    let said = |table: &Table| {
        let at = table.link.since.clock();
        let again =
            table.link.retry_at.map_or(String::new(), |at| format!(", asked again at {}", &at.clock()[..5]));
        let name = &cluster.info.name;
        let kind = table.kind.names().plural;
        format!("⊘ {name}: {kind} not readable (403 at {}{again}). Not counted here.", &at[..5])
    };
    health::denied(cluster).map(said).collect()
}

#[cfg(test)]
mod tests;
