//! How worrying a record is: what its own state says, or what a rule found, whichever is worse.

use super::fields::{job_status, waits_for_address};
use crate::model::{Autoscaler, Cluster, Node, Phase, Pod, Record, Time, Tone, Truth, Workload};

/// The tone of a record's row.
pub(super) fn of(cluster: &Cluster, record: &Record, now: Time) -> Tone {
    let symptom = cluster.symptoms.get(&record.meta().uid).filter(|s| s.counts_from <= now);
    let own = own(record);
    symptom.map_or(own, |s| s.tone.max(own))
}

fn own(record: &Record) -> Tone {
    match record {
        Record::Node(node) => self::node(node),
        Record::Namespace(namespace) if namespace.terminating => Tone::Moving,
        Record::Pod(pod) => self::pod(pod),
        Record::Workload(workload) => self::workload(workload),
        Record::Job(job) => match job_status(job) {
            "Failed" => Tone::Crit,
            "Complete" => Tone::Ok,
            "Suspended" => Tone::Paused,
            _ => Tone::Moving,
        },
        Record::CronJob(cron) if cron.suspended => Tone::Paused,
        Record::Autoscaler(autoscaler) => self::autoscaler(autoscaler),
        Record::Budget(budget) if budget.healthy < budget.needed => Tone::Warn,
        Record::Service(service) if waits_for_address(service) => Tone::Moving,
        Record::Claim(claim) => match claim.phase.as_str() {
            "Bound" => Tone::Ok,
            "Lost" => Tone::Crit,
            _ => Tone::Moving,
        },
        Record::Volume(volume) if volume.phase == "Failed" => Tone::Crit,
        _ => Tone::Ok,
    }
}

fn node(node: &Node) -> Tone {
    match (node.ready, node.unschedulable) {
        (Truth::True, false) if node.troubles.is_empty() => Tone::Ok,
        (Truth::True, false) => Tone::Warn,
        (Truth::True, true) => Tone::Paused,
        (Truth::False | Truth::Unknown, _) => Tone::Crit,
    }
}

fn pod(pod: &Pod) -> Tone {
    match pod.phase {
        _ if pod.meta.deleting.is_some() => Tone::Moving,
        Phase::Failed => Tone::Crit,
        Phase::Succeeded => Tone::Ok,
        Phase::Running if pod.ready => Tone::Ok,
        // A container that waits says why only when it cannot go on by itself.
        _ if !matches!(
            pod.status(),
            "Pending" | "Running" | "ContainerCreating" | "PodInitializing" | "Completed"
        ) =>
        {
            Tone::Crit
        }
        _ => Tone::Moving,
    }
}

fn workload(workload: &Workload) -> Tone {
    if workload.stuck() {
        Tone::Crit
    } else if workload.paused {
        Tone::Paused
    } else if workload.ready < workload.desired {
        if workload.rolling() && !workload.unavailable() { Tone::Moving } else { Tone::Warn }
    } else {
        Tone::Ok
    }
}

fn autoscaler(autoscaler: &Autoscaler) -> Tone {
    if autoscaler.at_ceiling() {
        Tone::Warn
    } else if autoscaler.current != autoscaler.desired {
        Tone::Moving
    } else {
        Tone::Ok
    }
}
