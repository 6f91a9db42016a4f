//! Signals of what autoscalers and clouds say in events.

use super::{autoscalers, scaler_name};
use crate::model::{
    Autoscaler, Cluster, Direction, Event, Happening, Kind, ObjectKey, Record, Signal, Text, Time, Tone,
};
use crate::views::Observer;

/// The observer of events.
pub(super) struct Events;

/// How an event takes part in the pane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    /// As a row of its own.
    Row,
    /// As a row unless what it tells of was observed: after start, events replay an hour.
    Unless,
    /// In stories only.
    Story,
}

/// An event that is known: who says it, its reason, and what it means.
struct Known {
    component: &'static str,
    reason: &'static str,
    direction: Direction,
    tone: Tone,
    shown: Shown,
}

const fn known(
    component: &'static str,
    reason: &'static str,
    direction: Direction,
    tone: Tone,
    shown: Shown,
) -> Known {
    Known { component, reason, direction, tone, shown }
}

const HPA: &str = "horizontal-pod-autoscaler";
const CA: &str = "cluster-autoscaler";
const KARPENTER: &str = "karpenter";
const NTH: &str = "aws-node-termination-handler";
const KEDA: &str = "keda-operator";
const ANY: &str = "";

/// The kind by which KEDA is told what to scale.
const SCALED_OBJECT: &str = "ScaledObject";

/// Who says what, by the sources of each controller. `FailedComputeMetricsReplicas` is left out: it
/// says again, in more words, what the metric that failed said just before.
const KNOWN: [Known; 51] = {
    use Direction::{Held, Less, More, Swapped};
    use Shown::{Row, Story, Unless};
    use Tone::{Crit, Ok, Warn};
    [
        known(HPA, "SuccessfulRescale", More, Ok, Unless),
        known(HPA, "FailedRescale", Held, Crit, Row),
        known(HPA, "FailedGetScale", Held, Warn, Row),
        known(HPA, "FailedGetResourceMetric", Held, Warn, Row),
        known(HPA, "FailedGetContainerResourceMetric", Held, Warn, Row),
        known(HPA, "FailedGetPodsMetric", Held, Warn, Row),
        known(HPA, "FailedGetObjectMetric", Held, Warn, Row),
        known(HPA, "FailedGetExternalMetric", Held, Warn, Row),
        known(KEDA, "KEDAScaleTargetActivated", More, Ok, Unless),
        known(KEDA, "KEDAScaleTargetDeactivated", Less, Ok, Unless),
        known(KEDA, "KEDAScaleTargetActivationFailed", Held, Crit, Row),
        known(KEDA, "KEDAScaleTargetDeactivationFailed", Held, Warn, Row),
        known(KEDA, "KEDAScalerFailed", Held, Warn, Row),
        known(KEDA, "ScaledObjectFallbackActivated", Held, Warn, Row),
        known(CA, "TriggeredScaleUp", More, Ok, Story),
        known(CA, "NotTriggerScaleUp", Held, Warn, Story),
        known(CA, "ScaledUpGroup", More, Ok, Unless),
        known(CA, "FailedToScaleUpGroup", Held, Crit, Row),
        known(CA, "ScaleUpFailed", Held, Crit, Row),
        known(CA, "ScaleUpTimedOut", Held, Crit, Row),
        known(CA, "FailedToRevertScaleUp", Held, Crit, Row),
        known(CA, "MaxNodesTotalReached", Held, Warn, Row),
        known(CA, "ClusterUnhealthy", Held, Crit, Row),
        known(CA, "ScaleDown", Less, Ok, Unless),
        known(CA, "ScaleDownEmpty", Less, Ok, Unless),
        known(CA, "ScaleDownFailed", Held, Warn, Row),
        known(KARPENTER, "Nominated", More, Ok, Story),
        known(KARPENTER, "FailedScheduling", Held, Warn, Story),
        known(KARPENTER, "NoCompatibleInstanceTypes", Held, Crit, Row),
        known(KARPENTER, "InsufficientCapacityError", Held, Crit, Row),
        known(KARPENTER, "NodeClassNotReady", Held, Crit, Row),
        known(KARPENTER, "DisruptionTerminating", Less, Ok, Unless),
        known(KARPENTER, "DisruptionBlocked", Held, Ok, Story),
        known(KARPENTER, "FailedDraining", Held, Warn, Row),
        known(KARPENTER, "NodeRepairBlocked", Held, Warn, Row),
        known(KARPENTER, "SpotInterrupted", Swapped, Warn, Unless),
        known(KARPENTER, "SpotRebalanceRecommendation", Swapped, Ok, Story),
        known(KARPENTER, "InstanceStopping", Swapped, Warn, Unless),
        known(KARPENTER, "InstanceTerminating", Swapped, Warn, Unless),
        known(KARPENTER, "InstanceUnhealthy", Swapped, Warn, Unless),
        known(KARPENTER, "CapacityReservationInstanceInterrupted", Swapped, Warn, Unless),
        known(KARPENTER, "TerminatingOnInterruption", Swapped, Warn, Story),
        known(KARPENTER, "ZonalShiftActive", Held, Warn, Row),
        known(NTH, "SpotInterruption", Swapped, Warn, Unless),
        known(NTH, "RebalanceRecommendation", Swapped, Ok, Story),
        known(NTH, "ScheduledEvent", Swapped, Warn, Unless),
        known(ANY, "PreemptScheduled", Swapped, Warn, Unless),
        known(ANY, "TerminateScheduled", Swapped, Warn, Unless),
        known(ANY, "DeletingNode", Less, Ok, Unless),
        known(ANY, "ScalingReplicaSet", More, Ok, Story),
        known(ANY, "FailedScheduling", Held, Warn, Story),
    ]
};

fn find(component: &str, reason: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.reason == reason && (k.component.is_empty() || component.contains(k.component)))
}

/// Reasons by which autoscalers tell of a workload's new size.
pub(super) const RESCALES: [&str; 3] =
    ["SuccessfulRescale", "KEDAScaleTargetActivated", "KEDAScaleTargetDeactivated"];

/// How an event of this reason takes part in the pane.
pub(super) fn shown(reason: &str) -> Shown {
    KNOWN.iter().find(|k| k.reason == reason).map_or(Shown::Story, |k| k.shown)
}

/// Whether this reason says that a node was taken by the cloud.
pub(super) fn interrupts(reason: &str) -> bool {
    KNOWN.iter().any(|k| k.reason == reason && k.direction == Direction::Swapped)
}

impl Observer for Events {
    fn observe(
        &self,
        cluster: &Cluster,
        before: Option<&Record>,
        after: Option<&Record>,
        at: Time,
        signals: &mut Vec<Signal>,
    ) {
        let Some(event) = after.and_then(Record::event) else { return };
        // The same event again, counted no higher: a replay, or only its text was mended.
        let seen = before
            .and_then(Record::event)
            .is_some_and(|old| old.count >= event.count && old.last >= event.last);
        if seen {
            return;
        }
        if let Some(known) = find(&event.component, &event.reason) {
            signals.extend(signal(cluster, event, known, at));
        }
    }
}

fn signal(cluster: &Cluster, event: &Event, known: &Known, at: Time) -> Option<Signal> {
    let parsed = Parsed::of(event);
    // The first of twins: "setting group … size to 5 instead of 3", then "group … size set to 5".
    if event.reason == "ScaledUpGroup" && parsed.to.is_none() {
        return None;
    }
    // Of every claim that was just launched: nothing is blocked, its node is on its way.
    if event.reason == "DisruptionBlocked" && event.message.contains("does not have an associated node") {
        return None;
    }
    let regarding = &event.regarding;
    let scaler = scaler(cluster, event);
    let object = Kind::by_kind(&regarding.kind).map(|kind| ObjectKey {
        cluster: cluster.id,
        kind,
        namespace: if kind.names().namespaced { regarding.namespace.clone() } else { Text::EMPTY },
        name: regarding.name.clone(),
        uid: regarding.uid,
    });
    let object = object.or_else(|| {
        scaler.map(|s| ObjectKey {
            cluster: cluster.id,
            kind: Kind::Autoscaler,
            namespace: s.meta.namespace.clone(),
            name: s.meta.name.clone(),
            uid: s.meta.uid,
        })
    });
    let direction = match (parsed.from, parsed.to) {
        (Some(from), Some(to)) if to < from => Direction::Less,
        _ if parsed.less => Direction::Less,
        _ => known.direction,
    };
    Some(Signal {
        at: event.last.or(event.first).or(event.meta.created).unwrap_or(at),
        cluster: cluster.id,
        happening: Happening::Event(event.reason.clone()),
        direction,
        tone: known.tone,
        what: parsed.what.unwrap_or_else(|| scaler.map_or_else(|| what(event), scaler_name)),
        namespace: object.as_ref().map_or_else(|| regarding.namespace.clone(), |o| o.namespace.clone()),
        object,
        from: parsed.from,
        to: parsed.to,
        cause: parsed.cause.unwrap_or_else(|| event.message.clone()),
        cost: None,
        lead: None,
    })
}

/// The autoscaler that an event is about, or whose KEDA object it is about.
fn scaler<'a>(cluster: &'a Cluster, event: &Event) -> Option<&'a Autoscaler> {
    let regarding = &event.regarding;
    let is = |s: &&Autoscaler| match regarding.kind.as_str() {
        "HorizontalPodAutoscaler" => s.meta.name == regarding.name,
        SCALED_OBJECT => {
            s.meta.owner.as_ref().is_some_and(|o| o.kind == SCALED_OBJECT && o.name == regarding.name)
        }
        _ => false,
    };
    autoscalers(cluster).filter(|s| s.meta.namespace == regarding.namespace).find(is)
}

/// What an event is about, as other signals name it, where no autoscaler is known for it.
fn what(event: &Event) -> Text {
    let regarding = &event.regarding;
    match regarding.kind.as_str() {
        "HorizontalPodAutoscaler" => match regarding.name.strip_prefix("keda-hpa-") {
            Some(target) => format!("{target} KEDA").into(),
            None => format!("{} HPA", regarding.name).into(),
        },
        SCALED_OBJECT => format!("{} KEDA", regarding.name).into(),
        "Deployment" => regarding.name.clone(),
        "ConfigMap" => "nodes".into(),
        kind => format!("{} {}", kind.to_ascii_lowercase(), regarding.name).into(),
    }
}

/// What is read out of an event's sentence.
#[derive(Default, PartialEq, Debug)]
struct Parsed {
    what: Option<Text>,
    from: Option<u32>,
    to: Option<u32>,
    cause: Option<Text>,
    less: bool,
}

impl Parsed {
    fn of(event: &Event) -> Parsed {
        let message = event.message.as_str();
        match event.reason.as_str() {
            "SuccessfulRescale" => rescale(message),
            "ScaledUpGroup" => group(message),
            "TriggeredScaleUp" => triggered(message),
            "ScalingReplicaSet" => replica_set(message),
            "KEDAScaleTargetActivated" | "KEDAScaleTargetDeactivated" => keda(message),
            "DisruptionTerminating" => {
                let cause = message.rsplit_once(": ").map(|(_, why)| Text::clean(why));
                Parsed { cause, less: true, ..Parsed::default() }
            }
            "Nominated" => {
                Parsed { cause: after(message, "schedule on: ").map(Text::clean), ..Parsed::default() }
            }
            "FailedScheduling" => {
                let cause = crate::views::health::first_constraint(message).map(Text::from);
                Parsed { cause, ..Parsed::default() }
            }
            _ => Parsed::default(),
        }
    }
}

/// The number at the start of a text.
fn number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.split_once(word).map(|(_, rest)| rest)
}

/// `New size: 14; reason: cpu resource utilization above target`.
fn rescale(message: &str) -> Parsed {
    Parsed {
        to: after(message, "New size: ").and_then(number),
        cause: after(message, "reason: ").map(|why| metric(why).into()),
        less: message.contains("below target") || message.contains("above Spec.MaxReplicas"),
        ..Parsed::default()
    }
}

/// `cpu above target` of `cpu resource utilization (percentage of request) above target`: the words
/// around are the same for every resource, and for every metric from outside. Sentences of the autoscaler controller, `reason` in
/// `pkg/controller/podautoscaler/horizontal.go`.
fn metric(reason: &str) -> String {
    let reason = without_selector(reason);
    let words = [
        ("external metric ", ""),
        (" resource utilization (percentage of request)", ""),
        (" resource utilization", ""),
        ("Current number of replicas ", "was "),
        ("Spec.MinReplicas", "minReplicas"),
        ("Spec.MaxReplicas", "maxReplicas"),
    ];
    words.iter().fold(reason, |text, (long, short)| text.replace(long, short))
}

/// `metric queue above target` of `metric queue(&LabelSelector{…}) above target`:
/// the selector is how Go prints the object.
fn without_selector(reason: &str) -> String {
    let (start, end) = ("(&LabelSelector{", "})");
    let cut = reason.split_once(start).and_then(|(before, rest)| Some((before, rest.rsplit_once(end)?.1)));
    cut.map_or_else(|| reason.replace("(nil)", ""), |(before, after)| format!("{before}{after}"))
}

/// `Scale-up: group general size set to 86 instead of 83 (max: 90)`.
fn group(message: &str) -> Parsed {
    Parsed {
        what: after(message, "group ")
            .filter(|_| message.contains(" size set to "))
            .and_then(|rest| rest.split(' ').next())
            .map(|name| format!("nodes {name}").into()),
        to: after(message, " size set to ").and_then(number),
        from: after(message, " instead of ").and_then(number),
        cause: after(message, "(max: ")
            .and_then(number)
            .map(|max| format!("cluster autoscaler, max {max}").into()),
        ..Parsed::default()
    }
}

/// `pod triggered scale-up: [{general 83->86 (max: 90)}]`.
fn triggered(message: &str) -> Parsed {
    let Some(first) = after(message, "[{") else { return Parsed::default() };
    let sizes = first.split(' ').nth(1).and_then(|s| s.split_once("->"));
    Parsed {
        from: sizes.and_then(|(from, _)| number(from)),
        to: sizes.and_then(|(_, to)| number(to)),
        ..Parsed::default()
    }
}

/// `Scaled apps/v1.Deployment shop/packer from 0 to 1, triggered by s0-cron`, `Deactivated … from 1
/// to 0` (`pkg/scaling/executor/scale_scaledobjects.go` of KEDA).
fn keda(message: &str) -> Parsed {
    let sizes = after(message, " from ").and_then(|rest| rest.split_once(" to "));
    let by = after(message, "triggered by ").or_else(|| after(message, "caused by "));
    Parsed {
        from: sizes.and_then(|(from, _)| number(from)),
        to: sizes.and_then(|(_, to)| number(to)),
        cause: match by {
            Some(by) => Some(Text::clean(by)),
            None => message.starts_with("Deactivated ").then(|| "no trigger is active".into()),
        },
        ..Parsed::default()
    }
}

/// Its three historical wordings: `Scaled up replica set X to N`, `… to N from M`, `… from M to N`.
fn replica_set(message: &str) -> Parsed {
    Parsed {
        from: after(message, " from ").and_then(number),
        to: after(message, " to ").and_then(number),
        less: message.starts_with("Scaled down"),
        ..Parsed::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_events_are_read() {
        let sizes = |p: &Parsed| (p.from, p.to, p.less);
        let hpa = rescale("New size: 14; reason: external metric queue above target");
        assert_eq!(sizes(&hpa), (None, Some(14), false));
        assert_eq!(hpa.cause.unwrap(), "queue above target");
        assert!(rescale("New size: 8; reason: All metrics below target").less);
        let up = group("Scale-up: group general size set to 86 instead of 83 (max: 90)");
        assert_eq!((sizes(&up), up.what.unwrap().as_str()), ((Some(83), Some(86), false), "nodes general"));
        assert_eq!(group("Scale-up: setting group general size to 86 instead of 83 (max: 90)").to, None);
        assert_eq!(
            sizes(&triggered("pod triggered scale-up: [{general 83->86 (max: 90)}]")),
            (Some(83), Some(86), false)
        );
        assert_eq!(sizes(&replica_set("Scaled up replica set web-1 to 5")), (None, Some(5), false));
        assert_eq!(sizes(&replica_set("Scaled up replica set web-1 to 5 from 3")), (Some(3), Some(5), false));
        assert_eq!(
            sizes(&replica_set("Scaled down replica set web-1 from 5 to 3")),
            (Some(5), Some(3), true)
        );
        let woke = keda("Scaled apps/v1.Deployment shop/packer from 0 to 1, triggered by s0-cron;s1-kafka");
        assert_eq!(
            (sizes(&woke), woke.cause.unwrap().as_str()),
            ((Some(0), Some(1), false), "s0-cron;s1-kafka")
        );
        let slept = keda("Deactivated apps/v1.Deployment shop/packer from 1 to 0");
        assert_eq!(
            (slept.from, slept.to, slept.cause.unwrap().as_str()),
            (Some(1), Some(0), "no trigger is active")
        );
        assert_eq!(
            metric(
                "external metric s0-cron(&LabelSelector{MatchLabels:map[string]string{scaledobject.keda.sh/name: \
                 packer,},MatchExpressions:[]LabelSelectorRequirement{},}) above target"
            ),
            "s0-cron above target"
        );
        assert_eq!(metric("external metric queue(nil) above target"), "queue above target");
        assert_eq!(sizes(&triggered("garbage [{")), (None, None, false));
    }

    #[test]
    fn reasons_count_only_from_who_says_them() {
        assert!(find("karpenter", "InsufficientCapacityError").is_some());
        assert!(find("default-scheduler", "InsufficientCapacityError").is_none());
        assert_eq!(find("default-scheduler", "FailedScheduling").unwrap().component, ANY);
        assert_eq!(find("karpenter", "FailedScheduling").unwrap().component, KARPENTER);
        assert!(interrupts("SpotInterruption") && !interrupts("ScaleDown"));
    }
}
