//! What is wrong with workloads, jobs, autoscalers and budgets.

use super::{Found, PATIENCE, path, reason};
use crate::model::{
    Autoscaler, Cluster, Kind, Meta, Record, Span, Symptom, Text, Time, Tone, Truth, Workload, condition,
};
use crate::views::Rule;

/// The rule of deployments, stateful sets and daemon sets.
pub(super) struct Workloads;
/// The rule of jobs.
pub(super) struct Jobs;
/// The rule of horizontal pod autoscalers.
pub(super) struct Autoscalers;
/// The rule of pod disruption budgets.
pub(super) struct Budgets;

/// A rollout may run with fewer replicas for as long as its deadline, which is this by default
/// (apps/v1 `progressDeadlineSeconds`).
const ROLLOUT: Span = Span::from_seconds(600);

fn full(meta: &Meta) -> String {
    path(&meta.namespace, &meta.name)
}

impl Rule for Workloads {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        let workload = record.workload().filter(|w| w.kind.is_workload())?;
        let found = workload_found(workload, at)?;
        Some(found.of(Some((workload.kind, workload.meta.name.clone()))).symptom(cluster, record))
    }
}

fn workload_found(workload: &Workload, at: Time) -> Option<Found> {
    let progressing = condition(&workload.conditions, "Progressing");
    if workload.stuck() {
        let since = progressing.and_then(|c| c.since);
        let why = progressing.map(|c| c.message.clone()).unwrap_or_default();
        let found = Found::since(reason::DEADLINE, full(&workload.meta), Tone::Crit, since, at);
        return Some(found.evidence(why));
    }
    // Only deployments say what is available; the others say what is ready.
    let serves = if workload.kind == Kind::Deployment { workload.available } else { workload.ready };
    if serves >= workload.desired {
        return None;
    }
    let available = condition(&workload.conditions, "Available").filter(|c| c.status != Truth::True);
    let since = available.and_then(|c| c.since);
    let tone = if serves == 0 { Tone::Crit } else { Tone::Warn };
    let patience = if workload.rolling() { ROLLOUT } else { PATIENCE };
    let found = Found::since(reason::UNAVAILABLE, full(&workload.meta), tone, since, at).after(patience);
    Some(found.evidence(format!("{serves} of {} available", workload.desired)))
}

impl Rule for Jobs {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        let job = record.job()?;
        let failed = condition(&job.conditions, "Failed").filter(|c| c.status == Truth::True)?;
        // Runs of one schedule are one cause.
        let name = job.meta.owner.as_ref().map_or(&job.meta.name, |owner| &owner.name);
        let subject = path(&job.meta.namespace, name);
        let found = Found::since(reason::JOB_FAILED, subject, Tone::Warn, failed.since, at);
        let why = if failed.message.is_empty() { &failed.reason } else { &failed.message };
        let workload = Some((Kind::Job, job.meta.name.clone()));
        Some(found.evidence(why.clone()).of(workload).symptom(cluster, record))
    }
}

impl Rule for Autoscalers {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        let scaler = record.autoscaler()?;
        let found = scaler_found(scaler, at)?;
        let workload = Kind::by_kind(&scaler.target_kind).map(|kind| (kind, scaler.target.clone()));
        Some(found.of(workload).symptom(cluster, record))
    }
}

fn scaler_found(scaler: &Autoscaler, at: Time) -> Option<Found> {
    let subject = full(&scaler.meta);
    let off = |kind: &str| condition(&scaler.conditions, kind).filter(|c| c.status == Truth::False);
    if let Some(unable) = off("AbleToScale") {
        let found = Found::since(reason::SCALER_UNABLE, subject, Tone::Warn, unable.since, at);
        return Some(found.after(PATIENCE).evidence(unable.message.clone()));
    }
    // Scaled to zero by hand: switched off, not blind.
    if let Some(blind) = off("ScalingActive").filter(|c| c.reason != "ScalingDisabled") {
        let found = Found::since(reason::SCALER_BLIND, subject, Tone::Warn, blind.since, at);
        return Some(found.after(PATIENCE).evidence(blind.message.clone()));
    }
    if scaler.at_ceiling() {
        let since = condition(&scaler.conditions, "ScalingLimited").and_then(|c| c.since);
        let found = Found::since(reason::CEILING, subject, Tone::Warn, since, at);
        return Some(found.evidence(ceiling(scaler)));
    }
    None
}

/// `HPA checkout at max 40/40, cpu 96 %/70 %`.
fn ceiling(scaler: &Autoscaler) -> String {
    let bound = format!("HPA {} at max {}/{}", scaler.target, scaler.current, scaler.max);
    match worst_metric(scaler) {
        Some(metric) => format!("{bound}, {metric}"),
        None => bound,
    }
}

/// The metric furthest over its target: `cpu 96 %/70 %`.
#[must_use]
pub(in crate::views) fn worst_metric(scaler: &Autoscaler) -> Option<Text> {
    let metric = scaler.metrics.iter().max_by_key(|m| m.ratio())?;
    let (current, target) = (metric.current?, metric.target?);
    Some(format!("{} {current}/{target}", metric.name).into())
}

impl Rule for Budgets {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        let budget = record.budget()?;
        // No pods to guard, or arithmetic that is not done yet, says nothing.
        let counted = budget.expected > 0 && budget.observed >= budget.generation;
        if !counted || budget.allowed > 0 || budget.healthy >= budget.needed {
            return None;
        }
        let evidence = format!("needs {} healthy, has {}", budget.needed, budget.healthy);
        let found = Found::since(reason::BUDGET, full(&budget.meta), Tone::Warn, None, at).after(PATIENCE);
        Some(found.evidence(evidence).symptom(cluster, record))
    }
}
