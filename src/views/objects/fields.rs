//! What a record says in each column of its kind.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::field::Field;
use crate::model::{
    Autoscaler, Budget, Claim, Cluster, CronJob, Event, Job, Kind, Node, Pod, Record, Service, StorageClass,
    Text, Time, Truth, Used, Volume, Workload, condition,
};
use crate::views::health::counted;

/// How many pods that have not ended each node has, by its name.
pub(super) type Guests = FxHashMap<Text, i64>;

/// The fields of a row; as many as the widest kind has fit without an allocation.
pub(super) type Fields<'a> = SmallVec<[Field<'a>; 13]>;

/// The pods of each node; `None` where pods are not known.
pub(super) fn guests(cluster: &Cluster) -> Option<Guests> {
    if !counted(cluster, Kind::Pod) {
        return None;
    }
    let mut guests = Guests::default();
    for pod in cluster.pods().filter(|pod| !pod.finished() && !pod.node.is_empty()) {
        match guests.get_mut(&pod.node) {
            Some(count) => *count += 1,
            None => drop(guests.insert(pod.node.clone(), 1)),
        }
    }
    Some(guests)
}

/// Appends the fields of a record, one for each of its kind's columns. `guests` is how many pods
/// each node has, where that is known; `old` whether use was measured too long ago.
pub(super) fn append<'a>(
    cluster: &'a Cluster,
    record: &'a Record,
    guests: Option<&Guests>,
    old: bool,
    now: Time,
    out: &mut Fields<'a>,
) {
    match record {
        Record::Node(node) => self::node(cluster, node, guests, old, out),
        Record::Namespace(namespace) => {
            out.push(Field::Word(if namespace.terminating { "Terminating" } else { "Active" }));
        }
        Record::Pod(pod) => self::pod(cluster, pod, old, out),
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
    }
}

fn count<'a>(number: impl TryInto<i64>) -> Field<'a> {
    Field::Number(number.try_into().unwrap_or(i64::MAX))
}

fn of<'a>(part: impl TryInto<i64>, whole: impl TryInto<i64>) -> Field<'a> {
    Field::Of(part.try_into().unwrap_or(i64::MAX), whole.try_into().unwrap_or(i64::MAX))
}

fn percent<'a>(part: i64, whole: i64) -> Field<'a> {
    if whole <= 0 { Field::Word("-") } else { Field::Number(part.saturating_mul(100) / whole) }
}

fn join(texts: &[Text]) -> Field<'_> {
    match texts {
        [] => Field::Word(""),
        [one] => Field::Text(one),
        many => Field::Made(many.iter().map(Text::as_str).collect::<Vec<_>>().join(",")),
    }
}

fn ago<'a>(time: Option<Time>, now: Time) -> Field<'a> {
    time.map_or(Field::Word("·"), |time| Field::Span(time.age(now)))
}

fn node<'a>(cluster: &'a Cluster, node: &'a Node, guests: Option<&Guests>, old: bool, out: &mut Fields<'a>) {
    let used = cluster.usage.nodes.get(&node.meta.name);
    let status = match (node.ready, node.unschedulable) {
        (Truth::True, false) if node.troubles.is_empty() => "Ready",
        (Truth::True, false) => "Ready,trouble",
        (Truth::True, true) => "cordoned",
        (Truth::False, _) => "NotReady",
        (Truth::Unknown, _) => "no heartbeat",
    };
    let usage = |part: fn(&Used) -> i64, whole| match used.map(|used| percent(part(used), whole)) {
        None => Field::Word("?"),
        Some(Field::Number(number)) if old => Field::Past(number),
        Some(known) => known,
    };
    out.extend([
        Field::Word(status),
        pods_of(node, guests),
        usage(|u| u.cpu, node.allocatable.cpu),
        usage(|u| u.memory, node.allocatable.memory),
        Field::Text(&node.identity.instance_type),
        Field::Word(node.identity.capacity.name()),
        Field::Text(&node.identity.pool),
        Field::Text(&node.identity.zone),
        Field::Text(&node.kubelet_version),
    ]);
}

/// `24/110`: the pods of a node that have not ended, and how many it takes.
fn pods_of<'a>(node: &Node, guests: Option<&Guests>) -> Field<'a> {
    match guests {
        Some(guests) => of(guests.get(&node.meta.name).copied().unwrap_or(0), node.allocatable.pods),
        None => Field::Made(format!("?/{}", node.allocatable.pods)),
    }
}

fn pod<'a>(cluster: &'a Cluster, pod: &'a Pod, old: bool, out: &mut Fields<'a>) {
    let (ready, all) = pod.ready_counts();
    out.extend([
        of(ready, all),
        Field::Word(pod.status()),
        count(pod.restarts()),
        Field::PodCpu(cluster, pod, old),
        Field::PodMemory(cluster, pod, old),
        Field::Text(&pod.node),
    ]);
}

fn workload<'a>(workload: &'a Workload, out: &mut Fields<'a>) {
    let by = workload.meta.manager.as_ref().map(|m| format!("{} {}", m.system, m.name));
    out.extend([
        of(workload.ready, workload.desired),
        count(workload.updated),
        count(workload.available),
        Field::Word(workload.version()),
        by.map_or(Field::Word(""), Field::Made),
    ]);
}

/// Where a job is in its life.
pub(super) fn job_status(job: &Job) -> &'static str {
    let failed = condition(&job.conditions, "Failed").is_some_and(|c| c.status == Truth::True);
    match () {
        () if failed => "Failed",
        () if job.completed.is_some() => "Complete",
        () if job.suspended => "Suspended",
        () => "Running",
    }
}

fn job<'a>(job: &'a Job, now: Time, out: &mut Fields<'a>) {
    let took = job.started.map(|s| s.age(job.completed.unwrap_or(now)));
    out.extend([
        Field::Word(job_status(job)),
        Field::Made(format!("{}/{}", job.succeeded, job.completions)),
        took.map_or(Field::Word("·"), Field::Span),
    ]);
}

fn cron_job<'a>(cron: &'a CronJob, now: Time, out: &mut Fields<'a>) {
    out.extend([
        Field::Text(&cron.schedule),
        Field::Word(if cron.suspended { "yes" } else { "no" }),
        count(cron.active),
        ago(cron.last_scheduled, now),
    ]);
}

fn autoscaler<'a>(autoscaler: &'a Autoscaler, out: &mut Fields<'a>) {
    let amount = |a: Option<crate::model::Amount>| a.map_or_else(|| "?".to_owned(), |a| a.to_string());
    let metric = |metric: &crate::model::Metric| {
        format!("{} {}/{}", metric.name, amount(metric.current), amount(metric.target))
    };
    let metrics: Vec<String> = autoscaler.metrics.iter().map(metric).collect();
    out.extend([
        Field::Made(format!("{}/{}", autoscaler.target_kind, autoscaler.target)),
        Field::Made(metrics.join(", ")),
        count(autoscaler.min),
        count(autoscaler.max),
        count(autoscaler.current),
        autoscaler.wants().map_or(Field::Word("?"), count),
    ]);
}

fn budget<'a>(budget: &'a Budget, out: &mut Fields<'a>) {
    let or_dash = |text: &'a Text| if text.is_empty() { Field::Word("-") } else { Field::Text(text) };
    out.extend([
        or_dash(&budget.min_available),
        or_dash(&budget.max_unavailable),
        count(budget.allowed),
        of(budget.healthy, budget.needed),
    ]);
}

fn event<'a>(event: &'a Event, now: Time, out: &mut Fields<'a>) {
    let regarding = &event.regarding;
    out.extend([
        Field::Word(if event.warning { "Warning" } else { "Normal" }),
        Field::Text(&event.reason),
        Field::Made(format!("{}/{}", regarding.kind.to_lowercase(), regarding.name)),
        count(event.count),
        ago(event.last, now),
        Field::Text(&event.message),
    ]);
}

/// Whether a service waits for its load balancer.
pub(super) fn waits_for_address(service: &Service) -> bool {
    service.class == "LoadBalancer" && service.addresses.is_empty()
}

fn service<'a>(service: &'a Service, out: &mut Fields<'a>) {
    let waits = waits_for_address(service);
    out.extend([
        Field::Text(&service.class),
        Field::Text(&service.cluster_ip),
        if waits { Field::Word("<pending>") } else { join(&service.addresses) },
        join(&service.ports),
    ]);
}

fn claim<'a>(claim: &'a Claim, out: &mut Fields<'a>) {
    out.extend([
        Field::Text(&claim.phase),
        Field::Bytes(claim.size),
        Field::Text(&claim.class),
        join(&claim.modes),
        Field::Text(&claim.volume),
    ]);
}

fn volume<'a>(volume: &'a Volume, out: &mut Fields<'a>) {
    let claim = if volume.claim.is_empty() {
        Field::Word("-")
    } else {
        Field::Made(format!("{}/{}", volume.claim_namespace, volume.claim))
    };
    out.extend([
        Field::Text(&volume.phase),
        Field::Bytes(volume.size),
        Field::Text(&volume.class),
        claim,
        Field::Text(&volume.reclaim),
        join(&volume.zones),
    ]);
}

fn storage_class<'a>(class: &'a StorageClass, out: &mut Fields<'a>) {
    out.extend([
        Field::Text(&class.provisioner),
        Field::Word(if class.is_default { "yes" } else { "no" }),
        Field::Text(&class.disk),
        Field::Text(&class.reclaim),
        Field::Text(&class.binding),
    ]);
}
