//! The words of findings.

use std::collections::BTreeSet;
use std::fmt;

use super::fold::Part;
use super::rules::reason;
use super::{Blast, Finding, Standing, age, login_wanted, standing, tone, unhurt};
use crate::model::{Cluster, Span, Text, Time, Tone, image_version, many};

/// `14 wl 96 pods`, `3 n 34 pods`, `1 wl`, `?`.
impl fmt::Display for Blast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |n: u32, word: &str| (n > 0).then(|| format!("{n} {word}"));
        let pods = if self.pods == 1 { "pod" } else { "pods" };
        let parts = [part(self.nodes, "n"), part(self.workloads, "wl"), part(self.pods, pods)];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        match (text.is_empty(), self.unknown) {
            (_, true) => f.pad("?"),
            (true, false) => f.pad("-"),
            (false, false) => f.pad(&text),
        }
    }
}

/// What is wrong, in one line.
pub(super) fn what(parts: &[Part]) -> Text {
    let Some(first) = parts.first() else { return Text::EMPTY };
    if !first.words.is_empty() && parts.len() == 1 {
        return first.words.clone();
    }
    let subject = first.cause.subject.as_str();
    let text = match first.cause.reason.as_str() {
        reason::NODE_NOT_READY => {
            let (down, of) = parts.iter().fold((0, 0), |a, p| (a.0 + p.nodes, a.1 + p.nodes_of));
            let nodes = if of == 1 { "node" } else { "nodes" };
            let text = format!("{down} of {of} {nodes} NotReady");
            if subject.is_empty() { text } else { format!("{text}, {}", short_place(subject)) }
        }
        reason::CEILING => match first.symptoms.first() {
            Some(symptom) if parts.len() == 1 => symptom.evidence.to_string(),
            _ => format!("HPA {subject} at max"),
        },
        reason::DENIED => format!("{subject} not readable (403)"),
        reason::NOT_UPDATED => format!("{subject} not updated"),
        reason::FLAPPING => format!("{subject} scales up and down"),
        reason::UNSCHEDULABLE => format!("Unschedulable: {subject}"),
        reason::NOT_READY => format!("pods of {subject} not ready"),
        reason::POD_FAILED => format!("pods of {subject} failed"),
        reason::TERMINATING => format!("pods of {subject} do not end"),
        reason::DEADLINE => format!("rollout of {subject} past its deadline"),
        reason::UNAVAILABLE => format!("{subject} has too few ready"),
        reason::JOB_FAILED => format!("job {subject} failed"),
        reason::SCALER_BLIND => format!("HPA {subject} has no metric"),
        reason::SCALER_UNABLE => format!("HPA {subject} cannot scale"),
        reason::BUDGET => format!("budget {subject} lacks healthy pods"),
        reason::CLAIM_PENDING if subject.is_empty() => "claims without class pending".to_owned(),
        reason::CLAIM_PENDING => format!("claims of class {subject} pending"),
        reason::CLAIM_LOST => format!("claim {subject} lost its volume"),
        reason::VOLUME_FAILED => format!("volumes of class {subject} failed"),
        reason::NAMESPACE => format!("namespace {subject} does not end"),
        reason::EVICTED if subject.is_empty() => "Evicted".to_owned(),
        reason::EVICTED => format!("Evicted: node low on {subject}"),
        other if subject.is_empty() => other.to_owned(),
        other if subject.starts_with("pool ") => format!("{other}, {}", short_place(subject)),
        other => format!("{other} {subject}"),
    };
    text.into()
}

/// `pool gpu-a, zone b` of `pool gpu-a, zone europe-west1-b`: the region is the cluster's.
fn short_place(place: &str) -> String {
    match place.split_once("zone ") {
        Some((before, zone)) => format!("{before}zone {}", zone.rsplit('-').next().unwrap_or(zone)),
        None => place.to_owned(),
    }
}

/// Where: a cluster's name, or how many.
pub(super) fn place(parts: &[Part]) -> Text {
    match parts {
        [one] => one.cluster.info.name.clone(),
        _ => many(parts.len(), "cluster").into(),
    }
}

/// `Argo CD`, `Argo CD +1`, `·` for nobody.
pub(super) fn owners(owners: &BTreeSet<&Text>) -> Text {
    match owners.iter().next() {
        None => "·".into(),
        Some(one) if owners.len() == 1 => Text::clone(one),
        Some(one) => format!("{one} +{}", owners.len() - 1).into(),
    }
}

/// `6 of 24 clusters hurt, 1 unseen.`, and what else keeps them from being fine.
pub(super) fn hurt(clusters: &[&Cluster], tones: &[Tone]) -> String {
    let count = |wanted: &[Tone]| tones.iter().filter(|t| wanted.contains(t)).count();
    let all = many(clusters.len(), "cluster");
    let hurt = count(&[Tone::Crit, Tone::Warn]);
    let blind = [(Tone::Unseen, "unseen"), (Tone::Connecting, "connecting"), (Tone::Denied, "denied")];
    let blind = blind.map(|(tone, word)| (count(&[tone]), word));
    let blind: Vec<(usize, &str)> = blind.into_iter().filter(|(n, _)| *n > 0).collect();
    let list = |of: &[(usize, &str)]| of.iter().map(|(n, word)| format!(", {n} {word}")).collect::<String>();
    match blind.as_slice() {
        // That none is hurt says little while some are not seen: that comes first then.
        [(n, word), more @ ..] if hurt == 0 => {
            let seen = clusters.len() - blind.iter().map(|(n, _)| n).sum::<usize>();
            let rest = if seen == 0 { "" } else { "; none of the others hurt" };
            format!("{n} of {all} {word}{}{rest}", list(more))
        }
        _ if hurt == 0 => format!("None of {all} hurt"),
        blind => format!("{hurt} of {all} hurt{}", list(blind)),
    }
}

/// The tone of each cluster out of the findings, without folding again.
pub(super) fn tones(clusters: &[&Cluster], findings: &[Finding], now: Time) -> Vec<Tone> {
    let of = |cluster: &&Cluster| match standing(cluster, now) {
        Standing::Connecting => Tone::Connecting,
        Standing::Unseen => Tone::Unseen,
        Standing::Denied => Tone::Denied,
        Standing::Live => {
            let here = findings.iter().flat_map(|f| &f.clusters).filter(|h| h.cluster == cluster.id);
            here.map(|h| h.tone).min_by_key(|t| super::severity(*t)).unwrap_or_else(|| unhurt(cluster))
        }
    };
    clusters.iter().map(of).collect()
}

/// The answer of the pane.
pub(super) fn answer(clusters: &[&Cluster], findings: &[Finding], now: Time) -> Text {
    let Some(worst) = findings.first() else { return all_fine(clusters, now) };
    let start = hurt(clusters, &tones(clusters, findings, now));
    if matches!(worst.tone, Tone::Unseen | Tone::Denied) {
        return format!("{start}. Worst: {}: {}", worst.place, worst.what).into();
    }
    let (headline, place, since) = (headline(worst), &worst.place, worst.since.when(now));
    let about = if worst.since_sure { "" } else { "~" };
    let more = if worst.serving_unknown { "+?" } else { "" };
    let serving = match worst.serving {
        Some((ready, of)) => {
            format!("; {} %{more} still serving", u64::from(ready) * 100 / u64::from(of.max(1)))
        }
        None => String::new(),
    };
    format!("{start}. Worst: {headline} in {place} since {about}{since}{serving}").into()
}

/// The cause in a sentence: `pay 1.42 cannot be pulled`.
fn headline(finding: &Finding) -> String {
    let image = image_name(&finding.cause.subject);
    match finding.cause.reason.as_str() {
        reason::IMAGE_PULL => format!("{image} cannot be pulled"),
        reason::CRASH_LOOP => format!("{image} crashes"),
        reason::OOM => format!("{image} runs out of memory"),
        _ => finding.what.to_string(),
    }
}

/// `pay 1.42` of `ghcr.io/acme/pay:1.42`.
pub(super) fn image_name(image: &str) -> String {
    format!("{} {}", image_base(image), image_version(image))
}

/// `pay` of `ghcr.io/acme/pay:1.42`.
pub(super) fn image_base(image: &str) -> &str {
    let last = image.split('@').next().unwrap_or(image).rsplit('/').next().unwrap_or(image);
    last.split(':').next().unwrap_or(last)
}

/// `9 of 24 clusters live, 14 connecting, 1 wants a login. Rows appear as they come.`;
/// `None` once no cluster connects.
pub(in crate::views) fn connecting(clusters: &[&Cluster], now: Time) -> Option<Text> {
    let connecting = clusters.iter().filter(|c| tone(c, now) == Tone::Connecting).count();
    if connecting == 0 {
        return None;
    }
    let stands = |c: &&&Cluster| standing(c, now) == Standing::Live && tone(c, now) != Tone::Connecting;
    let live = clusters.iter().filter(stands).count();
    let login = match clusters.iter().filter(|c| login_wanted(c)).count() {
        0 => String::new(),
        1 => ", 1 wants a login".to_owned(),
        n => format!(", {n} want a login"),
    };
    let all = many(clusters.len(), "cluster");
    Some(format!("{live} of {all} live, {connecting} connecting{login}. Rows appear as they come.").into())
}

/// `Nothing is wrong in 24 clusters, oldest data 3 s.`; not before all of them were seen.
pub(super) fn all_fine(clusters: &[&Cluster], now: Time) -> Text {
    if clusters.is_empty() {
        return "No cluster in this scope.".into();
    }
    if let Some(connecting) = connecting(clusters, now) {
        return connecting;
    }
    let live = clusters.iter().filter(|c| standing(c, now) == Standing::Live).count();
    if live < clusters.len() {
        return format!("Nothing wrong so far in {live} of {}.", many(clusters.len(), "cluster")).into();
    }
    let oldest = clusters.iter().filter_map(|c| age(c, now)).max().unwrap_or(Span::ZERO);
    format!("Nothing is wrong in {}, oldest data {oldest}.", many(clusters.len(), "cluster")).into()
}
