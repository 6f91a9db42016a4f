//! What is wrong with a pod.

use super::{Found, PATIENCE, path, reason};
use crate::model::{
    Cluster, Container, ContainerState, Kind, Phase, Pod, Record, Span, Symptom, Text, Time, Tone,
};
use crate::views::Rule;

/// The rule of pods.
pub(super) struct Pods;

/// For how long a container that came up again is still called looping: the longest back-off of
/// the kubelet is five minutes, and the count of restarts resets after ten.
const LOOPS_FOR: Span = Span::from_seconds(600);

impl Rule for Pods {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        let pod = record.pod()?;
        let found = found(pod, at)?;
        Some(found.of(workload(pod)).symptom(cluster, record))
    }
}

fn found(pod: &Pod, at: Time) -> Option<Found> {
    let born = pod.meta.created.unwrap_or(at);
    if let Some(deadline) = pod.meta.deleting {
        // metadata.deletionTimestamp is when it should be gone: its grace period is already in it
        // (apimachinery `rest.BeforeDelete`).
        let subject = subject(pod);
        let found = Found::new(reason::TERMINATING, subject, Tone::Warn, deadline).after(PATIENCE);
        return Some(found.evidence("still there after its grace period"));
    }
    match pod.phase {
        Phase::Succeeded => None,
        Phase::Failed => failed(pod, born),
        _ if pod.node.is_empty() => unscheduled(pod, born),
        _ => pod.containers.iter().find_map(|c| container(c, at, born)).or_else(|| not_ready(pod, born)),
    }
}

/// The workload behind a pod. A static pod's node is none.
pub(in crate::views) fn workload(pod: &Pod) -> Option<(Kind, Text)> {
    pod.workload().filter(|(kind, _)| *kind != Kind::Node)
}

/// What pods of no special cause fold by: their workload.
fn subject(pod: &Pod) -> String {
    let name = workload(pod).map_or_else(|| pod.meta.name.clone(), |(_, name)| name);
    path(&pod.meta.namespace, &name)
}

fn failed(pod: &Pod, born: Time) -> Option<Found> {
    // A job tries again and says itself when it gives up.
    if workload(pod).is_some_and(|(kind, _)| kind == Kind::Job) {
        return None;
    }
    let ended = pod.containers.iter().filter_map(|c| c.since.or(c.last_ended)).max();
    let since = ended.or(pod.ready_since).unwrap_or(born);
    let found = match pod.reason.as_str() {
        "Evicted" => Found::new(reason::EVICTED, pressure(&pod.message), Tone::Warn, since),
        _ => Found::new(reason::POD_FAILED, subject(pod), Tone::Warn, since),
    };
    Some(found.evidence(pod.message.clone()))
}

/// What an evicted pod's node was low on: `The node was low on resource: memory. …`.
fn pressure(message: &str) -> &str {
    let after = message.split_once("low on resource: ").map_or("", |(_, after)| after);
    after.split(['.', ',', ' ']).next().unwrap_or("")
}

fn unscheduled(pod: &Pod, born: Time) -> Option<Found> {
    // A gate is somebody's wish (core/v1 `PodReasonSchedulingGated`).
    if pod.reason == "SchedulingGated" {
        return None;
    }
    let subject = first_constraint(&pod.message).unwrap_or_else(|| "no node yet".to_owned());
    let found = Found::new(reason::UNSCHEDULABLE, subject, Tone::Warn, born).after(PATIENCE);
    Some(found.evidence(pod.message.clone()))
}

/// The constraint to look at first, out of the scheduler's sentence
/// `0/5 nodes are available: 1 node(s) had untolerated taint {…}, 4 Insufficient cpu. preemption: …`.
///
/// The scheduler sorts by alphabet. What comes first here is what is nearest to being solved:
/// nodes that a pod may use but that are full, then volumes, then rules of its own.
#[must_use]
pub fn first_constraint(message: &str) -> Option<String> {
    const ORDER: [&str; 8] = [
        "Insufficient nvidia.com/gpu",
        "Insufficient ",
        "Too many pods",
        "volume",
        "topology spread",
        "affinity",
        "taint",
        "",
    ];
    let list = message.split_once("available: ")?.1;
    // The list is a sentence; what plugins say of preemption and of claims to free comes after it
    // (`FitError.Error` in `pkg/scheduler/framework/types.go`).
    let list = list.split(". ").next().unwrap_or(list);
    let list = list.split(" preemption:").next().unwrap_or(list).trim_end_matches('.');
    let reasons: Vec<&str> = constraints(list);
    ORDER.iter().find_map(|word| reasons.iter().find(|r| r.contains(word))).map(|r| worded(r))
}

/// The single reasons of a list, without their counts. Commas inside braces belong to a taint.
fn constraints(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = list.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts
        .map(|part| part.trim().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start())
        .filter(|part| !part.is_empty())
        .collect()
}

/// The scheduler's words without `node(s)`, and `gpu` for every vendor's.
fn worded(constraint: &str) -> String {
    let text = constraint.trim_start_matches("node(s) ");
    match text.strip_prefix("Insufficient ") {
        Some(resource) if resource.contains("gpu") => "Insufficient gpu".to_owned(),
        _ => text.to_owned(),
    }
}

fn container(c: &Container, at: Time, born: Time) -> Option<Found> {
    let since = c.since.or(c.last_ended).unwrap_or(born);
    let word = c.reason.as_str();
    let over = |n: u32| if n == 1 { "1 restart".to_owned() } else { format!("{n} restarts") };
    match (c.state, word) {
        (
            ContainerState::Waiting,
            "ImagePullBackOff" | "ErrImagePull" | "ImageInspectError" | "RegistryUnavailable",
        ) => Some(
            Found::new(reason::IMAGE_PULL, c.image.clone(), Tone::Crit, since).evidence(c.message.clone()),
        ),
        (ContainerState::Waiting, "InvalidImageName" | "ErrImageNeverPull") => {
            Some(Found::new(word, c.image.clone(), Tone::Crit, since).evidence(c.message.clone()))
        }
        (
            ContainerState::Waiting,
            "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "PreCreateHookError"
            | "PreStartHookError"
            | "PostStartHookError",
        ) => {
            let subject: Text = if c.message.is_empty() { c.image.clone() } else { c.message.clone() };
            Some(Found::new(word, subject, Tone::Crit, since).evidence(c.message.clone()))
        }
        _ if loops(c, at) => {
            let (word, how) = if c.last_reason == "OOMKilled" {
                (reason::OOM, "out of memory".to_owned())
            } else {
                (reason::CRASH_LOOP, format!("exit code {}", c.last_exit))
            };
            let evidence = format!("{how}, {}", over(c.restarts));
            let since = c.last_ended.unwrap_or(since);
            Some(Found::new(word, c.image.clone(), Tone::Crit, since).evidence(evidence))
        }
        // It came up again, but memory is short: once is news, not an outage.
        (ContainerState::Running, _) if c.last_reason == "OOMKilled" && c.last_ended.is_some() => {
            let since = c.last_ended.unwrap_or(since);
            let found = Found::new(reason::OOM, c.image.clone(), Tone::Warn, since);
            Some(found.evidence(format!("out of memory, {}", over(c.restarts))))
        }
        _ => None,
    }
}

/// Whether a container starts again and again: it waits for its next start, or runs between two.
fn loops(c: &Container, at: Time) -> bool {
    match c.state {
        ContainerState::Waiting => c.reason == "CrashLoopBackOff",
        ContainerState::Running => {
            let lately = c.last_ended.is_some_and(|ended| ended.age(at) < LOOPS_FOR);
            !c.ready && !c.init && c.restarts >= 3 && lately && c.last_reason != "Completed"
        }
        ContainerState::Terminated => false,
    }
}

fn not_ready(pod: &Pod, born: Time) -> Option<Found> {
    if pod.ready {
        return None;
    }
    let since = pod.ready_since.or(pod.started).or(pod.scheduled).unwrap_or(born);
    let waits = pod.containers.iter().find(|c| !c.ready && !c.reason.is_empty());
    let evidence = match waits {
        Some(c) if c.message.is_empty() => format!("{}: {}", c.name, c.reason),
        Some(c) => format!("{}: {}: {}", c.name, c.reason, c.message),
        None => {
            let (ready, of) = pod.ready_counts();
            format!("{ready} of {of} containers ready")
        }
    };
    Some(Found::new(reason::NOT_READY, subject(pod), Tone::Warn, since).after(PATIENCE).evidence(evidence))
}

#[cfg(test)]
mod tests {
    use super::first_constraint;

    #[test]
    fn the_constraint_to_look_at_first() {
        let first = |m| first_constraint(m).unwrap();
        assert_eq!(
            first(
                "0/83 nodes are available: 1 node(s) had untolerated taint {a: b, c}, 82 Insufficient cpu. preemption: 0/83 nodes are available: 83 No preemption victims found for incoming pod."
            ),
            "Insufficient cpu"
        );
        assert_eq!(
            first("0/9 nodes are available: 3 Insufficient cpu, 6 Insufficient nvidia.com/gpu."),
            "Insufficient gpu"
        );
        assert_eq!(
            first("0/3 nodes are available: 3 node(s) had volume node affinity conflict."),
            "had volume node affinity conflict"
        );
        assert_eq!(
            first(
                "0/3 nodes are available: 1 node(s) had untolerated taint {x: y, z}, 2 node(s) didn't match Pod's node affinity/selector."
            ),
            "didn't match Pod's node affinity/selector"
        );
        assert_eq!(
            first(
                "0/6 nodes are available: 1 node(s) had untolerated taint(s), 5 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/6 nodes are available: 6 Preemption is not helpful for scheduling."
            ),
            "didn't match Pod's node affinity/selector"
        );
        assert_eq!(first_constraint("skip schedule deleting pod"), None);
        assert_eq!(first_constraint(""), None);
    }
}
