//! How a cluster stands: whether what is shown of it is current, and why not.

use crate::model::{
    Cause, Cluster, Fault, Kind, LINK_LIMIT, LinkState, Login, METRICS_LIMIT, Span, Table, Time, Tone,
};

/// How a cluster stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It answers.
    Live,
    /// It has not answered yet, and nothing says that it will not.
    Connecting,
    /// It does not answer: what is shown is as last seen, if it ever was.
    Unseen,
    /// It refuses us, or wants a login.
    Denied,
}

/// Without these nothing much can be said of a cluster.
const ESSENTIAL: [Kind; 2] = [Kind::Node, Kind::Pod];

/// How this cluster stands, by its connection. A single kind that lags behind does not hide the
/// others: its age is in [`age`], and [`lagging`] names it.
#[must_use]
pub fn standing(cluster: &Cluster, now: Time) -> Standing {
    let silent = cluster.seen() && (cluster.link.stale(now) || nothing_current(cluster, now));
    if login_wanted(cluster)
        || cluster.link.state == LinkState::Denied
        || (!silent && cluster.tables.iter().all(|table| table.link.refused()))
    {
        return Standing::Denied;
    }
    let failed = cluster.link.fault.is_some() && !cluster.link.live();
    if !cluster.seen() {
        let broken = failed || cluster.info.broken.is_some();
        return if broken { Standing::Unseen } else { Standing::Connecting };
    }
    if cluster.link.heard.is_none() || silent {
        return Standing::Unseen;
    }
    let coming = |kind: &Kind| {
        let table = cluster.table(*kind);
        table.synced.is_none() && !table.link.refused()
    };
    if ESSENTIAL.iter().any(coming) { Standing::Connecting } else { Standing::Live }
}

/// Kinds that were listed, and are given still.
fn given(cluster: &Cluster) -> impl Iterator<Item = &Table> {
    cluster.tables.iter().filter(|table| table.synced.is_some() && !table.link.refused())
}

/// Whether every kind is as last seen, though the server, or something in its place, may answer: it may
/// be too busy for all that we ask.
fn nothing_current(cluster: &Cluster, now: Time) -> bool {
    given(cluster).next().is_some() && given(cluster).all(|table| table.link.stale(now))
}

/// Whether a person has to do something about our credentials.
#[must_use]
pub fn login_wanted(cluster: &Cluster) -> bool {
    matches!(cluster.login, Login::Wanted | Login::Prompted(_) | Login::Expired | Login::Plugin)
}

/// The age of the oldest part of what is shown of a cluster; `None` while nothing ever was. Kinds
/// that are refused or not served count nowhere, so they have no age unless there are no others.
#[must_use]
pub fn age(cluster: &Cluster, now: Time) -> Option<Span> {
    if !cluster.seen() {
        return None;
    }
    let listed = cluster.tables.iter().filter(|table| table.synced.is_some());
    let oldest = given(cluster).filter_map(|table| table.link.age(now)).max();
    oldest.or_else(|| listed.filter_map(|table| table.link.age(now)).max()).max(cluster.link.age(now))
}

/// For how long nothing is current of a cluster that is not seen; `None` when nothing ever was.
#[must_use]
pub fn silence(cluster: &Cluster, now: Time) -> Option<Span> {
    let kinds = given(cluster).filter_map(|table| table.link.age(now)).min();
    cluster.link.age(now).filter(|_| cluster.seen()).max(kinds)
}

/// Since when a cluster does not answer.
#[must_use]
pub fn silent_since(cluster: &Cluster, now: Time) -> Time {
    silence(cluster, now).map_or(cluster.link.since, |age| now - age)
}

/// What is said of a cluster that is not seen but was.
#[must_use]
pub fn silent(cluster: &Cluster) -> &'static str {
    if cluster.link.live() { "nothing current" } else { "no answer" }
}

/// When a cluster that is not seen is asked again, as far as that is known.
#[must_use]
pub fn asked_again(cluster: &Cluster) -> Option<Time> {
    let kinds = || given(cluster).filter_map(|table| table.link.retry_at).min();
    cluster.link.retry_at.or_else(|| if cluster.link.live() { kinds() } else { None })
}

/// Kinds that are older than their limit though the cluster answers.
pub fn lagging(cluster: &Cluster, now: Time) -> impl Iterator<Item = (&Table, Span)> {
    given(cluster).filter_map(move |t| Some((t, t.link.age(now)?))).filter(|(_, age)| *age > LINK_LIMIT)
}

/// Why a cluster does not answer, if that is known.
#[must_use]
pub fn fault(cluster: &Cluster) -> Option<&Fault> {
    let link = cluster.link.fault.as_ref().or(cluster.info.broken.as_ref());
    // What is refused anyway says nothing of what is not.
    let mut tables = given(cluster).chain(&cluster.tables);
    link.or_else(|| tables.find_map(|t| t.link.fault.as_ref().filter(|_| !t.link.live())))
}

/// Kinds that we may not read there.
pub fn denied(cluster: &Cluster) -> impl Iterator<Item = &Table> {
    cluster.tables.iter().filter(|table| forbidden(table))
}

fn forbidden(table: &Table) -> bool {
    let link = &table.link;
    link.state == LinkState::Denied && link.fault.as_ref().is_none_or(|f| f.cause == Cause::Forbidden)
}

/// Whether the objects of this kind were ever listed and may still be read, so that counting them
/// means something.
#[must_use]
pub fn counted(cluster: &Cluster, kind: Kind) -> bool {
    let table = cluster.table(kind);
    table.synced.is_some() && !withdrawn(cluster, kind)
}

/// Whether this kind may not be read, or is not served: what was seen of it before says nothing of
/// how it is now, and nothing will until it may be read again.
#[must_use]
pub(super) fn withdrawn(cluster: &Cluster, kind: Kind) -> bool {
    let table = cluster.table(kind);
    forbidden(table) || table.link.state == LinkState::Missing
}

/// Since when all kinds are refused though the server answers; `None` while any is given.
pub(super) fn refused_since(cluster: &Cluster) -> Option<Time> {
    let denied = cluster.tables.iter().filter(|table| table.link.state == LinkState::Denied);
    denied.map(|table| table.link.since).max().filter(|_| cluster.tables.iter().all(|t| t.link.refused()))
}

/// Whether what is shown of a kind is as last seen: the cluster does not answer, or this kind lags.
#[must_use]
pub fn old(cluster: &Cluster, kind: Kind, now: Time) -> bool {
    cluster.link.stale(now) || cluster.table(kind).link.stale(now)
}

/// How old the measurement of use is: by the server's own stamp, or by when it came if that is
/// longer ago. `None` while none ever came.
#[must_use]
pub fn usage_age(cluster: &Cluster, now: Time) -> Option<Span> {
    let came = cluster.usage_at?;
    Some(cluster.usage.measured.unwrap_or(came).min(came).age(now))
}

/// Whether what pods and nodes use must be shown as old.
#[must_use]
pub fn usage_stale(cluster: &Cluster, now: Time) -> bool {
    usage_age(cluster, now).is_some_and(|age| age > METRICS_LIMIT)
}

/// Kinds by which a cluster is said to be fine: those that a rule looks at.
const JUDGED: [Kind; 11] = [
    Kind::Node,
    Kind::Namespace,
    Kind::Pod,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
    Kind::Autoscaler,
    Kind::Budget,
    Kind::Claim,
    Kind::Volume,
];

/// Whether a cluster is said to be fine by what is known of this kind.
pub(super) fn judged(kind: Kind) -> bool {
    JUDGED.contains(&kind)
}

/// The first kind that is not listed yet and without which nobody can say that nothing is wrong.
#[must_use]
pub fn awaited(cluster: &Cluster) -> Option<&Table> {
    JUDGED.iter().map(|kind| cluster.table(*kind)).find(|t| t.synced.is_none() && !t.link.refused())
}

/// How a cluster is of which nothing is known to be wrong: fine once all was seen.
#[must_use]
pub fn unhurt(cluster: &Cluster) -> Tone {
    if awaited(cluster).is_some() { Tone::Connecting } else { Tone::Ok }
}
