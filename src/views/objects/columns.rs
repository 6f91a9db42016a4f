//! The columns of each kind, after kubectl's own printers, and the tone of a row.

use rustc_hash::FxHashMap;

use crate::model::quantity::{Bytes, Cpu};
use crate::model::{
    Autoscaler, Budget, Cell, Claim, Cluster, Column, CronJob, Event, Job, Kind, Node, Phase, Pod, Record,
    Service, StorageClass, Text, Time, Tone, Truth, Volume, Workload, condition,
};
use crate::views::health::counted;

/// How many pods that have not ended each node has, by its name.
pub(super) type Guests<'a> = FxHashMap<&'a Text, i64>;

/// The pods of each node; `None` where pods are not known.
pub(super) fn guests(cluster: &Cluster) -> Option<Guests<'_>> {
    let mut guests = Guests::default();
    for pod in cluster.pods().filter(|pod| !pod.finished() && !pod.node.is_empty()) {
        *guests.entry(&pod.node).or_default() += 1;
    }
    counted(cluster, Kind::Pod).then_some(guests)
}

/// The columns of a kind, between its name and its age.
pub(super) fn of(kind: Kind) -> Vec<Column> {
    let (left, right) = (Column::left, Column::right);
    match kind {
        Kind::Node => vec![
            left("status", 12, 95),
            right("pods", 7, 85),
            right("cpu use%", 8, 80),
            right("mem use%", 8, 79),
            left("type", 16, 70),
            left("capacity", 11, 50),
            left("pool", 12, 65),
            left("zone", 16, 55),
            left("version", 20, 40),
        ],
        Kind::Namespace => vec![left("status", 12, 95)],
        Kind::Pod => vec![
            right("ready", 6, 94),
            left("status", 20, 95),
            right("restarts", 8, 80),
            right("cpu", 7, 60),
            right("mem", 8, 59),
            left("node", 24, 50),
        ],
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::ReplicaSet => vec![
            right("ready", 8, 95),
            right("updated", 8, 70),
            right("available", 9, 60),
            left("version", 14, 80),
            left("by", 18, 40),
        ],
        Kind::Job => vec![left("status", 10, 95), right("done", 7, 90), right("took", 7, 60)],
        Kind::CronJob => vec![
            left("schedule", 16, 95),
            left("suspended", 9, 80),
            right("active", 6, 70),
            right("last", 7, 90),
        ],
        Kind::Autoscaler => vec![
            left("scales", 28, 90),
            left("metrics", 26, 85),
            right("min", 4, 60),
            right("max", 4, 80),
            right("now", 4, 95),
            right("wants", 5, 70),
        ],
        Kind::Budget => {
            vec![left("min", 6, 80), left("max gone", 8, 79), right("allows", 6, 95), right("healthy", 8, 90)]
        }
        Kind::Event => vec![
            left("type", 8, 60),
            left("reason", 20, 95),
            left("object", 30, 90),
            right("count", 5, 50),
            right("last", 6, 85),
            left("message", 60, 80),
        ],
        Kind::Service => vec![
            left("type", 13, 95),
            left("cluster ip", 16, 60),
            left("external", 24, 80),
            left("ports", 24, 70),
        ],
        Kind::Claim => vec![
            left("status", 8, 95),
            right("size", 8, 90),
            left("class", 14, 70),
            left("modes", 14, 50),
            left("volume", 20, 40),
        ],
        Kind::Volume => vec![
            left("status", 10, 95),
            right("size", 8, 90),
            left("class", 14, 70),
            left("claim", 26, 80),
            left("reclaim", 8, 50),
            left("zones", 16, 40),
        ],
        Kind::StorageClass => vec![
            left("provisioner", 26, 95),
            left("default", 7, 80),
            left("disk", 12, 60),
            left("reclaim", 8, 50),
            left("binding", 22, 40),
        ],
    }
}

/// Appends the cells of a record, one for each of its kind's columns, and says how it is.
/// `guests` is how many pods each node has, where that is known.
pub(super) fn cells(
    cluster: &Cluster,
    record: &Record,
    guests: Option<&Guests<'_>>,
    now: Time,
    out: &mut Vec<Cell>,
) -> Tone {
    let symptom = cluster.symptoms.get(&record.meta().uid).filter(|s| s.counts_from <= now);
    let own = match record {
        Record::Node(node) => self::node(cluster, node, guests, out),
        Record::Namespace(namespace) => {
            out.push(Cell::text(if namespace.terminating { "Terminating" } else { "Active" }));
            if namespace.terminating { Tone::Moving } else { Tone::Ok }
        }
        Record::Pod(pod) => self::pod(cluster, pod, out),
        Record::Workload(workload) => self::workload(workload, out),
        Record::Job(job) => self::job(job, now, out),
        Record::CronJob(cron) => cron_job(cron, now, out),
        Record::Autoscaler(autoscaler) => self::autoscaler(autoscaler, out),
        Record::Budget(budget) => self::budget(budget, out),
        Record::Event(event) => self::event(event, now, out),
        Record::Service(service) => self::service(service, out),
        Record::Claim(claim) => self::claim(claim, out),
        Record::Volume(volume) => self::volume(volume, out),
        Record::StorageClass(class) => storage_class(class, out),
    };
    symptom.map_or(own, |s| s.tone.max(own))
}

fn count(number: u32) -> Cell {
    Cell::number(number.to_string(), i64::from(number))
}

fn percent(part: i64, whole: i64) -> Cell {
    if whole <= 0 {
        return Cell::text("-");
    }
    let value = part.saturating_mul(100) / whole;
    Cell::number(value.to_string(), value)
}

fn join(texts: &[Text]) -> Cell {
    Cell::text(texts.iter().map(Text::as_str).collect::<Vec<_>>().join(","))
}

fn ago(time: Option<Time>, now: Time) -> Cell {
    time.map_or_else(
        || Cell::text("·"),
        |time| Cell::number(time.age(now).to_string(), time.age(now).seconds()),
    )
}

fn node(cluster: &Cluster, node: &Node, guests: Option<&Guests<'_>>, out: &mut Vec<Cell>) -> Tone {
    let used = cluster.usage.nodes.get(&node.meta.name);
    let (status, tone) = match (node.ready, node.unschedulable) {
        (Truth::True, false) if node.troubles.is_empty() => ("Ready", Tone::Ok),
        (Truth::True, false) => ("Ready,trouble", Tone::Warn),
        (Truth::True, true) => ("cordoned", Tone::Paused),
        (Truth::False, _) => ("NotReady", Tone::Crit),
        (Truth::Unknown, _) => ("no heartbeat", Tone::Crit),
    };
    let usage = |part: fn(&crate::model::Used) -> i64, whole| {
        used.map_or_else(|| Cell::text("?"), |u| percent(part(u), whole))
    };
    out.extend([
        Cell::text(status),
        pods_of(node, guests),
        usage(|u| u.cpu, node.allocatable.cpu),
        usage(|u| u.memory, node.allocatable.memory),
        Cell::text(node.identity.instance_type.clone()),
        Cell::text(node.identity.capacity.name()),
        Cell::text(node.identity.pool.clone()),
        Cell::text(node.identity.zone.clone()),
        Cell::text(node.kubelet_version.clone()),
    ]);
    tone
}

/// `24/110`: the pods of a node that have not ended, and how many it takes.
fn pods_of(node: &Node, guests: Option<&Guests<'_>>) -> Cell {
    let most = node.allocatable.pods;
    match guests {
        Some(guests) => {
            let count = guests.get(&node.meta.name).copied().unwrap_or(0);
            Cell::number(format!("{count}/{most}"), count)
        }
        None => Cell::text(format!("?/{most}")),
    }
}

fn pod(cluster: &Cluster, pod: &Pod, out: &mut Vec<Cell>) -> Tone {
    let used = cluster.usage.pods.get(&(pod.meta.namespace.clone(), pod.meta.name.clone()));
    let (ready, all) = pod.ready_counts();
    out.extend([
        Cell::number(format!("{ready}/{all}"), i64::try_from(ready).unwrap_or(i64::MAX)),
        Cell::text(pod.status()),
        count(pod.restarts()),
        used.map_or_else(|| Cell::text("?"), |u| Cell::number(Cpu(u.cpu).to_string(), u.cpu)),
        used.map_or_else(|| Cell::text("?"), |u| Cell::number(Bytes(u.memory).to_string(), u.memory)),
        Cell::text(pod.node.clone()),
    ]);
    match pod.phase {
        _ if pod.meta.deleting.is_some() => Tone::Moving,
        Phase::Failed => Tone::Crit,
        Phase::Succeeded => Tone::Ok,
        Phase::Running if pod.ready => Tone::Ok,
        _ => Tone::Moving,
    }
}

fn workload(workload: &Workload, out: &mut Vec<Cell>) -> Tone {
    let by = workload.meta.manager.as_ref().map(|m| Text::clean(&format!("{} {}", m.system, m.name)));
    out.extend([
        Cell::number(format!("{}/{}", workload.ready, workload.desired), i64::from(workload.ready)),
        count(workload.updated),
        count(workload.available),
        Cell::text(workload.version()),
        Cell::text(by.unwrap_or_default()),
    ]);
    if workload.stuck() {
        Tone::Crit
    } else if workload.paused {
        Tone::Paused
    } else if workload.ready < workload.desired {
        if workload.rolling() { Tone::Moving } else { Tone::Warn }
    } else {
        Tone::Ok
    }
}

fn job(job: &Job, now: Time, out: &mut Vec<Cell>) -> Tone {
    let failed = condition(&job.conditions, "Failed").is_some_and(|c| c.status == Truth::True);
    let (status, tone) = match () {
        () if failed => ("Failed", Tone::Crit),
        () if job.completed.is_some() => ("Complete", Tone::Ok),
        () if job.suspended => ("Suspended", Tone::Paused),
        () => ("Running", Tone::Moving),
    };
    let took = job.started.map(|s| s.age(job.completed.unwrap_or(now)));
    out.extend([
        Cell::text(status),
        Cell::text(format!("{}/{}", job.succeeded, job.completions)),
        took.map_or_else(|| Cell::text("·"), |t| Cell::number(t.to_string(), t.seconds())),
    ]);
    tone
}

fn cron_job(cron: &CronJob, now: Time, out: &mut Vec<Cell>) -> Tone {
    out.extend([
        Cell::text(cron.schedule.clone()),
        Cell::text(if cron.suspended { "yes" } else { "no" }),
        count(cron.active),
        ago(cron.last_scheduled, now),
    ]);
    if cron.suspended { Tone::Paused } else { Tone::Ok }
}

fn autoscaler(autoscaler: &Autoscaler, out: &mut Vec<Cell>) -> Tone {
    let metrics: Vec<String> = autoscaler
        .metrics
        .iter()
        .map(|metric| {
            let amount =
                |a: Option<crate::model::Amount>| a.map_or_else(|| "?".to_owned(), |a| a.to_string());
            format!("{} {}/{}", metric.name, amount(metric.current), amount(metric.target))
        })
        .collect();
    out.extend([
        Cell::text(format!("{}/{}", autoscaler.target_kind, autoscaler.target)),
        Cell::text(metrics.join(", ")),
        count(autoscaler.min),
        count(autoscaler.max),
        count(autoscaler.current),
        autoscaler.wants().map_or_else(|| Cell::text("?"), count),
    ]);
    if autoscaler.at_ceiling() {
        Tone::Warn
    } else if autoscaler.current != autoscaler.desired {
        Tone::Moving
    } else {
        Tone::Ok
    }
}

fn budget(budget: &Budget, out: &mut Vec<Cell>) -> Tone {
    let or_dash = |text: &Text| if text.is_empty() { Cell::text("-") } else { Cell::text(text.clone()) };
    out.extend([
        or_dash(&budget.min_available),
        or_dash(&budget.max_unavailable),
        count(budget.allowed),
        Cell::number(format!("{}/{}", budget.healthy, budget.needed), i64::from(budget.healthy)),
    ]);
    if budget.healthy < budget.needed { Tone::Warn } else { Tone::Ok }
}

fn event(event: &Event, now: Time, out: &mut Vec<Cell>) -> Tone {
    let regarding = &event.regarding;
    out.extend([
        Cell::text(if event.warning { "Warning" } else { "Normal" }),
        Cell::text(event.reason.clone()),
        Cell::text(format!("{}/{}", regarding.kind.to_lowercase(), regarding.name)),
        count(event.count),
        ago(event.last, now),
        Cell::text(event.message.clone()),
    ]);
    Tone::Ok
}

fn service(service: &Service, out: &mut Vec<Cell>) -> Tone {
    let waits = service.class == "LoadBalancer" && service.addresses.is_empty();
    out.extend([
        Cell::text(service.class.clone()),
        Cell::text(service.cluster_ip.clone()),
        if waits { Cell::text("<pending>") } else { join(&service.addresses) },
        join(&service.ports),
    ]);
    if waits { Tone::Moving } else { Tone::Ok }
}

fn claim(claim: &Claim, out: &mut Vec<Cell>) -> Tone {
    out.extend([
        Cell::text(claim.phase.clone()),
        Cell::number(Bytes(claim.size).to_string(), claim.size),
        Cell::text(claim.class.clone()),
        join(&claim.modes),
        Cell::text(claim.volume.clone()),
    ]);
    match claim.phase.as_str() {
        "Bound" => Tone::Ok,
        "Lost" => Tone::Crit,
        _ => Tone::Moving,
    }
}

fn volume(volume: &Volume, out: &mut Vec<Cell>) -> Tone {
    let claim = if volume.claim.is_empty() {
        Cell::text("-")
    } else {
        Cell::text(format!("{}/{}", volume.claim_namespace, volume.claim))
    };
    out.extend([
        Cell::text(volume.phase.clone()),
        Cell::number(Bytes(volume.size).to_string(), volume.size),
        Cell::text(volume.class.clone()),
        claim,
        Cell::text(volume.reclaim.clone()),
        join(&volume.zones),
    ]);
    if volume.phase == "Failed" { Tone::Crit } else { Tone::Ok }
}

fn storage_class(class: &StorageClass, out: &mut Vec<Cell>) -> Tone {
    out.extend([
        Cell::text(class.provisioner.clone()),
        Cell::text(if class.is_default { "yes" } else { "no" }),
        Cell::text(class.disk.clone()),
        Cell::text(class.reclaim.clone()),
        Cell::text(class.binding.clone()),
    ]);
    Tone::Ok
}
