//! The evidence of a finding: what changed, what was first, how it spread, what still serves.

use std::collections::BTreeSet;

use super::words::image_base;
use super::{Finding, findings, reason};
use crate::model::{Cluster, Kind, Span, Symptom, Time, Tone, Workload, image_version, many};
use crate::views::{Evidence, EvidenceLine, RowId, Scope, Snapshot, scaling};

/// How long before the first symptom a change may be to be its suspect.
const SUSPECT: Span = Span::from_seconds(3600);

/// How much of what else changed is told.
const ALSO: usize = 5;

/// The operation that undoes a rollout.
const ROLL_BACK: &str = "roll-back";

/// The evidence of a row of the pane, in time order where lines have a time.
#[must_use]
pub fn evidence(snapshot: &Snapshot, scope: &Scope, row: &RowId, now: Time) -> Evidence {
    let findings = findings(snapshot, scope, now);
    match row {
        RowId::Finding(cause) => findings
            .iter()
            .find(|f| f.cause == *cause)
            .map(|f| of_finding(snapshot, scope, f, now))
            .unwrap_or_default(),
        RowId::Cluster(id) => {
            let name = snapshot.fleet.cluster(*id).map(|c| c.info.name.clone()).unwrap_or_default();
            let here = findings.iter().flat_map(|f| f.clusters.iter().filter(|h| h.cluster == *id));
            let lines = here.map(|h| line(Some(h.since), "finding", &h.what, h.tone)).collect();
            Evidence { title: format!("{name} · findings").into(), lines, ..Evidence::default() }
        }
        RowId::Part(kind) => {
            let of = |f: &&Finding| {
                f.objects.first().map_or("clusters", |o| o.kind.names().plural) == kind.as_str()
            };
            let lines = findings
                .iter()
                .filter(of)
                .map(|f| line(Some(f.since), "finding", &format!("{}: {}", f.place, f.what), f.tone));
            let title = format!("{kind} · findings").into();
            Evidence { title, lines: lines.collect(), ..Evidence::default() }
        }
        _ => Evidence::default(),
    }
}

fn line(at: Option<Time>, label: &str, text: &str, tone: Tone) -> EvidenceLine {
    EvidenceLine { at, label: label.into(), text: text.into(), tone, ..EvidenceLine::default() }
}

fn of_finding(snapshot: &Snapshot, scope: &Scope, finding: &Finding, now: Time) -> Evidence {
    let mut lines = Vec::new();
    // Of what was found when it was first looked for nobody knows what came before it.
    let change = if finding.since_sure { change(snapshot, finding) } else { None };
    if let Some(change) = &change {
        lines.push(line(Some(change.at), "change", &change.text, Tone::Ok));
    }
    lines.extend(first(snapshot, finding));
    lines.extend(spread(snapshot, finding));
    lines.sort_by_key(|l| l.at);
    lines.extend(serving(snapshot, finding));
    if let Some(change) = change.filter(|_| undone_by_going_back(finding)) {
        let offer = line(None, "offer", &hint(finding, &change.from), Tone::Ok);
        lines.push(EvidenceLine { offer: Some(ROLL_BACK), ..offer });
    }
    if lines.is_empty() {
        lines.push(line(Some(finding.since), first_word(finding.since_sure), &finding.what, finding.tone));
    }
    lines.extend(retry(snapshot, finding, now));
    lines.extend(also(snapshot, scope, now));
    Evidence { title: format!("{} · evidence", finding.what).into(), lines, ..Evidence::default() }
}

/// What else changed lately, newest first: what is wrong is often what somebody or something did.
fn also(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<EvidenceLine> {
    let recent = scaling::recent(snapshot, scope, now);
    if recent.is_empty() {
        return recent;
    }
    let more = recent.len().saturating_sub(ALSO);
    let more = if more == 0 { String::new() } else { format!(", the newest {ALSO} and {more} more") };
    let head = line(None, "also", &format!("changed in the last 15 min{more}"), Tone::Ok);
    std::iter::once(head).chain(recent.into_iter().take(ALSO)).collect()
}

/// What the oldest symptom is called: the first, or only the first that was seen.
const fn first_word(sure: bool) -> &'static str {
    if sure { "first" } else { "seen" }
}

fn first_symptom(finding: &Finding) -> Option<&Symptom> {
    finding.clusters.iter().filter_map(|h| h.first.as_ref()).min_by_key(|s| s.since)
}

/// The oldest symptom of all clusters, with the cluster's own sentence.
fn first(snapshot: &Snapshot, finding: &Finding) -> Option<EvidenceLine> {
    let symptom = first_symptom(finding)?;
    let cluster = snapshot.fleet.cluster(symptom.object.cluster)?;
    let path = symptom.object.path();
    let text = if symptom.evidence.is_empty() {
        format!("{} {path}", cluster.info.name)
    } else {
        format!("{} {path}: \"{}\"", cluster.info.name, symptom.evidence)
    };
    Some(line(Some(symptom.since), first_word(symptom.since_sure), &text, finding.tone))
}

/// Where it went after the first cluster, and when it reached the last one.
fn spread(snapshot: &Snapshot, finding: &Finding) -> Option<EvidenceLine> {
    let origin = first_symptom(finding).map(|symptom| symptom.object.cluster);
    let others = finding.clusters.iter().filter(|h| Some(h.cluster) != origin);
    let mut later: Vec<_> = others.map(|h| (h.since, h.cluster)).collect();
    later.sort_unstable();
    if later.is_empty() || origin.is_none() {
        return None;
    }
    let names: Vec<&str> = later
        .iter()
        .filter_map(|(_, id)| snapshot.fleet.cluster(*id).map(|c| c.info.name.as_str()))
        .take(8)
        .collect();
    let more = later.len() - names.len();
    let more = if more == 0 { String::new() } else { format!(" +{more}") };
    let text = format!("+{}: {}{more}", many(later.len(), "cluster"), names.join(" "));
    Some(line(later.last().map(|(at, _)| *at), "spread", &text, Tone::Ok))
}

/// What still serves, on which version, and where least.
fn serving(snapshot: &Snapshot, finding: &Finding) -> Option<EvidenceLine> {
    let (ready, of) = finding.serving?;
    let more = if finding.serving_unknown { "+?" } else { "" };
    let mut text = format!("{ready} of {of}{more} pods");
    if let Some(version) = serving_version(snapshot, finding) {
        text.push_str(&format!(", all on {version}"));
    }
    let shares = finding.clusters.iter().filter_map(|h| h.serving.map(|s| (s, h.cluster)));
    let lowest =
        shares.min_by_key(|((ready, of), _)| u64::from(*ready) * 1_000_000 / u64::from((*of).max(1)));
    if let Some(((ready, of), id)) = lowest.filter(|_| finding.clusters.len() > 1) {
        let name = snapshot.fleet.cluster(id).map(|c| c.info.name.clone()).unwrap_or_default();
        text.push_str(&format!("; lowest {name}, {ready} of {of}"));
    }
    Some(line(None, "serving", &text, Tone::Ok))
}

/// The one version that all ready pods of the touched workloads run; `None` when there are several.
fn serving_version(snapshot: &Snapshot, finding: &Finding) -> Option<String> {
    let mut versions: BTreeSet<String> = BTreeSet::new();
    for hurt in &finding.clusters {
        let cluster = snapshot.fleet.cluster(hurt.cluster)?;
        for pod in cluster.pods().filter(|p| p.ready) {
            let Some((kind, name)) = pod.workload() else { continue };
            if hurt.workloads.contains(&(kind, pod.meta.namespace.clone(), name))
                && let Some(main) = pod.containers.iter().find(|c| !c.init)
            {
                versions.insert(image_version(&main.image).to_owned());
            }
        }
    }
    let one = versions.pop_first()?;
    versions.is_empty().then_some(one)
}

/// A rollout that may be to blame.
struct Rollout {
    at: Time,
    from: String,
    text: String,
}

/// The rollout shortly before the first symptom.
fn change(snapshot: &Snapshot, finding: &Finding) -> Option<Rollout> {
    let hurt = finding.clusters.iter().min_by_key(|h| h.since)?;
    let cluster = snapshot.fleet.cluster(hurt.cluster)?;
    let touched = |w: &&Workload| {
        w.kind == Kind::Deployment
            && hurt.workloads.contains(&(w.kind, w.meta.namespace.clone(), w.meta.name.clone()))
    };
    let changes = cluster.workloads().filter(touched).filter_map(|w| rollout(cluster, w));
    let soon = finding.since + Span::from_seconds(60);
    changes.filter(|c| c.at <= soon && c.at.age(finding.since) <= SUSPECT).max_by_key(|c| c.at)
}

/// The last rollout of a deployment, from its two newest replica sets.
fn rollout(cluster: &Cluster, workload: &Workload) -> Option<Rollout> {
    let mut sets: Vec<&Workload> = cluster
        .records(Kind::ReplicaSet)
        .filter_map(|r| r.workload())
        .filter(|s| s.meta.owner.as_ref().is_some_and(|o| o.uid == workload.meta.uid))
        .collect();
    sets.sort_by_key(|s| s.meta.created);
    let [.., old, new] = sets.as_slice() else { return None };
    let (from, to) = (old.version().to_owned(), new.version().to_owned());
    if from == to {
        return None;
    }
    let name = workload.images.first().map_or("", |i| image_base(&i.image));
    let mut text = format!("{name} {from} → {to}");
    if let Some(manager) = &workload.meta.manager {
        text.push_str(&format!(", {} {}", manager.system, manager.name));
    }
    Some(Rollout { at: new.meta.created?, from, text })
}

fn undone_by_going_back(finding: &Finding) -> bool {
    matches!(
        finding.cause.reason.as_str(),
        reason::IMAGE_PULL | reason::CRASH_LOOP | reason::OOM | reason::DEADLINE | reason::UNAVAILABLE
    )
}

fn hint(finding: &Finding, version: &str) -> String {
    let workloads = many(finding.blast.workloads as usize, "workload");
    let reverts = match finding.owner.as_str() {
        "·" => String::new(),
        owner => format!("; {owner} would revert it"),
    };
    format!("roll back {workloads} to {version}{reverts}")
}

/// When a cluster that does not answer is asked again.
fn retry(snapshot: &Snapshot, finding: &Finding, now: Time) -> Option<EvidenceLine> {
    if finding.cause.reason != reason::NO_ANSWER && finding.cause.reason != reason::LOGIN {
        return None;
    }
    let cluster = snapshot.fleet.cluster(finding.clusters.first()?.cluster)?;
    let mut text = super::fault(cluster).map(ToString::to_string).unwrap_or_default();
    if let Some(at) = cluster.link.retry_at.filter(|at| *at > now) {
        let wait = now.age(at);
        text = if text.is_empty() { format!("retry in {wait}") } else { format!("{text}; retry in {wait}") };
    }
    (!text.is_empty()).then(|| line(None, "why", &text, finding.tone))
}
