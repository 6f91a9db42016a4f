//! What stands under the table for the cluster under the cursor: how its connection, login and
//! version are, and what of it is not as it should be.

use std::collections::BTreeMap;

use super::{NAMED, badge};
use crate::model::{
    Badge, Cluster, Kind, Link, LinkState, Login, Span, Table, Text, Time, Tone, grouped, many,
};
use crate::views::health::{
    Standing, fault, lagging, silent, silent_since, standing, usage_age, usage_stale,
};
use crate::views::{Evidence, EvidenceLine, RowId, Snapshot};

/// How many minor versions a kubelet may be older than its API server; newer it must not be
/// (kubernetes.io, version skew policy).
const SKEW: u32 = 3;

/// The evidence of a cluster's row.
#[must_use]
pub fn evidence(snapshot: &Snapshot, row: &RowId, now: Time) -> Evidence {
    let RowId::Cluster(id) = row else { return Evidence::default() };
    let Some(cluster) = snapshot.fleet.cluster(*id) else { return Evidence::default() };
    let info = &cluster.info;
    let mut lines = vec![link(cluster, now), login(cluster, now)];
    lines.extend(server(cluster));
    lines.extend(cluster.badges.iter().map(peculiar));
    lines.extend(kinds(cluster, now));
    lines.extend(metrics(cluster, now));
    if !info.source.is_empty() {
        lines.push(line("from", format!("{}, {}", info.source, info.server), Tone::Ok));
    }
    // Where there is room for few lines, they are those of trouble.
    lines.sort_by_key(|line| line.label != "link" && line.tone == Tone::Ok);
    let title = Text::clean(&format!("{} · {} · its connection", info.name, info.tier.name()));
    Evidence { title, lines, ..Evidence::default() }
}

fn line(label: &str, text: impl Into<Text>, tone: Tone) -> EvidenceLine {
    EvidenceLine { label: label.into(), text: text.into(), tone, ..EvidenceLine::default() }
}

/// Whether it answers; if not, since when, the whole fault with what to do, and when it is tried again.
fn link(cluster: &Cluster, now: Time) -> EvidenceLine {
    let (mut text, tone) = match standing(cluster, now) {
        Standing::Live => (format!("live since {}Z", cluster.link.since.clock()), Tone::Ok),
        Standing::Connecting => {
            (format!("connecting since {}Z", cluster.link.since.clock()), Tone::Connecting)
        }
        Standing::Unseen if cluster.seen() => {
            (format!("{} since {}Z", silent(cluster), silent_since(cluster, now).clock()), Tone::Unseen)
        }
        Standing::Unseen => ("never answered".to_owned(), Tone::Unseen),
        Standing::Denied => ("refused".to_owned(), Tone::Denied),
    };
    if tone != Tone::Ok
        && let Some(fault) = fault(cluster)
    {
        text.push_str(&format!(": {fault}"));
    }
    text.push_str(&tried(&cluster.link, now));
    line("link", text, tone)
}

/// `; tried 4 times, again in 9s`.
fn tried(link: &Link, now: Time) -> String {
    let again = link.retry_at.filter(|at| *at > now).map(|at| format!("again in {}", now.age(at)));
    let tries = (link.tries > 0).then(|| format!("tried {}", many(link.tries as usize, "time")));
    let parts: Vec<String> = tries.into_iter().chain(again).collect();
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}

fn login(cluster: &Cluster, now: Time) -> EvidenceLine {
    let by = cluster.info.plugin.as_ref().map_or(String::new(), |plugin| format!(" by {}", plugin.name));
    let (text, tone) = match &cluster.login {
        Login::Unknown => (format!("not tried yet{by}"), Tone::Connecting),
        Login::Good(None) => (format!("accepted{by}; until when is not said"), Tone::Ok),
        Login::Good(Some(until)) if *until > now => {
            let left = now.age(*until);
            let soon = if left < Span::from_seconds(3600) { Tone::Warn } else { Tone::Ok };
            (format!("accepted{by}, until {}Z, {left} left", until.clock()), soon)
        }
        Login::Good(Some(until)) => (format!("accepted{by}, ended at {}Z", until.clock()), Tone::Warn),
        Login::Wanted => (format!("a person has to log in{by}"), Tone::Denied),
        Login::Prompted(prompt) => {
            (format!("waits until a person has logged in at {}{by}", prompt.url), Tone::Denied)
        }
        Login::Expired => (format!("refused, or past its end{by}"), Tone::Denied),
        Login::Plugin => (format!("could not be made{by}"), Tone::Denied),
    };
    line("login", text, tone)
}

/// The server's version, and the kubelets that are too far from it.
fn server(cluster: &Cluster) -> Option<EvidenceLine> {
    if cluster.version.is_empty() {
        return None;
    }
    let mut kubelets: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for version in cluster.nodes().filter_map(|node| minor(&node.kubelet_version)) {
        *kubelets.entry(version).or_default() += 1;
    }
    let mut text = cluster.version.to_string();
    let Some(own) = minor(&cluster.version) else { return Some(line("version", text, Tone::Ok)) };
    let apart = |version: &(u32, u32)| version.0 != own.0 || version.1 > own.1 || own.1 - version.1 > SKEW;
    let said: Vec<String> =
        kubelets.iter().rev().map(|((major, minor), n)| format!("{n} × {major}.{minor}")).collect();
    if !said.is_empty() {
        text.push_str(&format!("; kubelets {}", said.join(", ")));
    }
    let skewed = kubelets.keys().any(apart);
    if skewed {
        text.push_str(&format!(": kubelets may be {SKEW} minor versions older, and not newer"));
    }
    Some(line("version", text, if skewed { Tone::Warn } else { Tone::Ok }))
}

/// `(1, 36)` of `v1.36.3-eks-1a2b`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()?;
    Some((major, minor))
}

/// A badge in a sentence.
fn peculiar(of: &Badge) -> EvidenceLine {
    let (text, tone) = match of {
        Badge::SkipVerify => {
            ("its certificate is not checked: anybody could answer in its place".to_owned(), Tone::Warn)
        }
        Badge::PlainHttp => ("plain HTTP: what is sent can be read on the way".to_owned(), Tone::Warn),
        Badge::Impersonating(whom) => (format!("requests are made as {whom}"), Tone::Ok),
        Badge::Proxy(proxy) => (format!("through the proxy {proxy}"), Tone::Ok),
        Badge::JsonOnly => ("no protobuf: lists are larger and slower".to_owned(), Tone::Ok),
    };
    line(&badge(of), text, tone)
}

/// What of its kinds is not as it should be, a line for each way.
fn kinds(cluster: &Cluster, now: Time) -> Vec<EvidenceLine> {
    let plural = |table: &Table| table.kind.names().plural;
    let mut lines: Vec<EvidenceLine> = Vec::new();
    if standing(cluster, now) == Standing::Live {
        lines.extend(lagging(cluster, now).map(|(table, age)| {
            let why = table.link.fault.as_ref().map_or(String::new(), |fault| format!(": {fault}"));
            let text = format!("{} not updated for {age}{why}{}", plural(table), tried(&table.link, now));
            line("behind", text, Tone::Unseen)
        }));
    }
    let refused = |table: &&Table| table.link.state == LinkState::Denied;
    lines.extend(cluster.tables.iter().filter(refused).map(|table| {
        let why = table.link.fault.as_ref().map_or(String::new(), |fault| format!(": {fault}"));
        line(
            "denied",
            format!("{} not readable{why}{}", plural(table), tried(&table.link, now)),
            Tone::Denied,
        )
    }));
    let missing: Vec<&str> =
        cluster.tables.iter().filter(|t| t.link.state == LinkState::Missing).map(plural).collect();
    if !missing.is_empty() {
        lines.push(line("missing", format!("not served: {}", missing.join(", ")), Tone::Ok));
    }
    for table in &cluster.tables {
        if table.unreadable > 0 {
            let text = format!(
                "{}: {} could not be read, not counted here",
                plural(table),
                grouped(table.unreadable)
            );
            lines.push(line("garbled", text, Tone::Warn));
        }
        if table.repaired > 0 {
            let last = table.audited.map_or(String::new(), |at| format!(", last compared {}Z", at.clock()));
            let text = format!(
                "{}: {} not as the server has them, put right{last}; something on the way loses changes",
                plural(table),
                grouped(table.repaired)
            );
            lines.push(line("repaired", text, Tone::Warn));
        }
    }
    // What one cause does to many kinds is one trouble.
    if lines.len() > NAMED {
        let more = lines.len() - NAMED;
        lines.truncate(NAMED);
        lines.push(line("", format!("+{more} more; objects names them by kind"), Tone::Ok));
    }
    lines
}

/// How old what is known of use is.
fn metrics(cluster: &Cluster, now: Time) -> Option<EvidenceLine> {
    let known = cluster.table(Kind::Node).synced.is_some();
    Some(match usage_age(cluster, now) {
        Some(age) if usage_stale(cluster, now) => {
            line("metrics", format!("measured {age} ago: shown with ~"), Tone::Unseen)
        }
        Some(age) => line("metrics", format!("measured {age} ago"), Tone::Ok),
        None if known && !cluster.served.metrics => {
            line("metrics", "metrics.k8s.io is not served: what is used is not known", Tone::Ok)
        }
        None => return None,
    })
}
