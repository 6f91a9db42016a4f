//! What every object has (`apimachinery/pkg/apis/meta/v1/generated.proto`), selectors and
//! conditions.

use std::sync::Arc;

use super::manager;
use super::recent;
use super::wire::{Chosen, Keys, Map, Str, Time, wire};
use crate::model::{self, Labels, Text, Truth, Uid, Version};

wire! {
    /// `ObjectMeta`.
    pub struct ObjectMeta<'a> {
        1 "name" name: Str<'a>,
        3 "namespace" namespace: Str<'a>,
        5 "uid" uid: Str<'a>,
        6 "resourceVersion" resource_version: Str<'a>,
        7 "generation" generation: i64,
        8 "creationTimestamp" created: Time,
        9 "deletionTimestamp" deleted: Time,
        11 "labels" labels: Map<'a, Str<'a>>,
        12 "annotations" annotations: Chosen<'a, Annotations>,
        13 "ownerReferences" owners: Vec<OwnerReference<'a>>,
    }

    /// An object that this one belongs to.
    pub struct OwnerReference<'a> {
        1 "kind" kind: Str<'a>,
        3 "name" name: Str<'a>,
        4 "uid" uid: Str<'a>,
        5 "apiVersion" api_version: Str<'a>,
        6 "controller" controller: Option<bool>,
    }

    /// Which objects belong to a workload or a budget.
    pub struct LabelSelector<'a> {
        1 "matchLabels" labels: Map<'a, Str<'a>>,
        2 "matchExpressions" expressions: Vec<Requirement<'a>>,
    }

    /// One requirement of a selector.
    pub struct Requirement<'a> {
        1 "key" key: Str<'a>,
        2 "operator" operator: Str<'a>,
        3 "values" values: Vec<Str<'a>>,
    }

    /// A condition of a core, batch or policy object.
    pub struct Condition<'a> {
        1 "type" kind: Str<'a>,
        2 "status" status: Str<'a>,
        4 "lastTransitionTime" since: Time,
        5 "reason" reason: Str<'a>,
        6 "message" message: Str<'a>,
    }

    /// A condition of a stateful set, daemon set, replica set or autoscaler: the same fields
    /// under other numbers.
    pub struct ScaleCondition<'a> {
        1 "type" kind: Str<'a>,
        2 "status" status: Str<'a>,
        3 "lastTransitionTime" since: Time,
        4 "reason" reason: Str<'a>,
        5 "message" message: Str<'a>,
    }
}

/// The annotations that are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Annotations;

impl Keys for Annotations {
    fn keeps(key: &str) -> bool {
        matches!(
            key,
            "kubernetes.io/config.mirror"
                | "karpenter.sh/do-not-disrupt"
                | "cluster-autoscaler.kubernetes.io/safe-to-evict"
                | "deployment.kubernetes.io/revision"
                | "storageclass.kubernetes.io/is-default-class"
                | "storageclass.beta.kubernetes.io/is-default-class"
        ) || manager::ANNOTATIONS.contains(&key)
    }
}

/// Text of an object that others say, too, made harmless. What only one says, its name first of all, is for
/// [`Text::clean`].
pub(super) fn text(raw: &str) -> Text {
    recent::text(raw)
}

/// A pointer to text in Go: absent and empty are the same to a record.
pub(super) fn optional(raw: Option<&Str<'_>>) -> Text {
    raw.map_or(Text::EMPTY, |raw| Text::clean(raw))
}

/// A moment of an object.
pub(super) fn time(raw: Time) -> Option<model::Time> {
    raw.seconds.map(model::Time::from_seconds)
}

/// A count of an object; Kubernetes has them as signed integers that are never negative.
pub(super) fn count(raw: i32) -> u32 {
    u32::try_from(raw).unwrap_or(0)
}

/// A label set of an object.
pub(super) fn labels(raw: &Map<'_, Str<'_>>) -> Labels {
    Labels::new(raw.iter().map(|(key, value)| (text(key), text(value))).collect())
}

impl ObjectMeta<'_> {
    /// As records keep it.
    pub fn record(&self) -> model::Meta {
        model::Meta {
            uid: uid(&self.uid),
            version: Version::parse(&self.resource_version).unwrap_or_default(),
            name: Text::clean(&self.name),
            namespace: text(&self.namespace),
            created: time(self.created),
            deleting: time(self.deleted),
            labels: labels(&self.labels),
            owner: self.controller().map(|owner| Arc::new(owner.record())),
            manager: manager::of(self).map(Arc::new),
        }
    }

    /// The controller that owns the object: the one reference of which Kubernetes allows one.
    pub fn controller(&self) -> Option<&OwnerReference<'_>> {
        self.owners.iter().find(|owner| owner.controller == Some(true))
    }

    /// Whether an annotation has this value.
    pub fn annotated(&self, key: &str, value: &str) -> bool {
        self.annotations.get(key).is_some_and(|v| *v == value)
    }
}

/// The uid of this text; none when there is none.
pub(super) fn uid(raw: &str) -> Uid {
    if raw.is_empty() { Uid::default() } else { Uid::parse(raw) }
}

impl OwnerReference<'_> {
    fn record(&self) -> model::Owner {
        model::Owner {
            api: text(&self.api_version),
            kind: text(&self.kind),
            name: text(&self.name),
            uid: uid(&self.uid),
        }
    }
}

/// A selector as records keep it; one that was not given is not an empty one.
pub(super) fn selector(raw: Option<&LabelSelector<'_>>) -> model::Selector {
    let Some(raw) = raw else { return model::Selector { absent: true, ..model::Selector::default() } };
    model::Selector {
        labels: labels(&raw.labels),
        expressions: raw.expressions.iter().map(Requirement::record).collect(),
        absent: false,
    }
}

impl Requirement<'_> {
    fn record(&self) -> model::Requirement {
        model::Requirement {
            key: text(&self.key),
            operator: match self.operator.as_str() {
                "In" => model::Operator::In,
                "NotIn" => model::Operator::NotIn,
                "Exists" => model::Operator::Exists,
                "DoesNotExist" => model::Operator::DoesNotExist,
                _ => model::Operator::Unknown,
            },
            values: self.values.iter().map(|value| text(value)).collect(),
        }
    }
}

impl Condition<'_> {
    /// As records keep it.
    pub fn record(&self) -> model::Condition {
        condition(&self.kind, &self.status, &self.reason, &self.message, self.since)
    }
}

impl ScaleCondition<'_> {
    /// As records keep it.
    pub fn record(&self) -> model::Condition {
        condition(&self.kind, &self.status, &self.reason, &self.message, self.since)
    }
}

/// A condition from its parts, whatever their numbers were.
pub(super) fn condition(
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    since: Time,
) -> model::Condition {
    model::Condition {
        kind: text(kind),
        status: Truth::parse(status),
        reason: text(reason),
        message: Text::clean(message),
        since: time(since),
    }
}
