//! Horizontal pod autoscalers (`k8s.io/api/autoscaling/v2/generated.proto`).

use super::meta::{ObjectMeta, ScaleCondition, count, text, time};
use super::read::Watched;
use super::wire::{Quantity, Str, Time, wire};
use crate::model::quantity::parse_milli;
use crate::model::{self, Amount, Metric, Record, Text};

wire! {
    /// A horizontal pod autoscaler.
    pub struct Autoscaler<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: AutoscalerSpec<'a>,
        3 "status" status: AutoscalerStatus<'a>,
    }

    /// What an autoscaler should do.
    pub struct AutoscalerSpec<'a> {
        1 "scaleTargetRef" target: Target<'a>,
        2 "minReplicas" min: Option<i32>,
        3 "maxReplicas" max: i32,
        4 "metrics" metrics: Vec<MetricSpec<'a>>,
    }

    /// What an autoscaler scales.
    pub struct Target<'a> {
        1 "kind" kind: Str<'a>,
        2 "name" name: Str<'a>,
    }

    /// A metric and its target: one of the five.
    pub struct MetricSpec<'a> {
        2 "object" object: Option<ObjectSpec<'a>>,
        3 "pods" pods: Option<IdentifiedSpec<'a>>,
        4 "resource" resource: Option<ResourceSpec<'a>>,
        5 "external" external: Option<IdentifiedSpec<'a>>,
        7 "containerResource" container: Option<ContainerSpec<'a>>,
    }

    /// A metric of another object, with its target.
    pub struct ObjectSpec<'a> {
        2 "target" target: TargetValue<'a>,
        3 "metric" metric: Identifier<'a>,
    }

    /// A metric by identifier, with its target.
    pub struct IdentifiedSpec<'a> {
        1 "metric" metric: Identifier<'a>,
        2 "target" target: TargetValue<'a>,
    }

    /// A resource of pods, with its target.
    pub struct ResourceSpec<'a> {
        1 "name" name: Str<'a>,
        2 "target" target: TargetValue<'a>,
    }

    /// A resource of one container of pods, with its target.
    pub struct ContainerSpec<'a> {
        1 "name" name: Str<'a>,
        2 "target" target: TargetValue<'a>,
        3 "container" container: Str<'a>,
    }

    /// The name of a metric.
    pub struct Identifier<'a> {
        1 "name" name: Str<'a>,
    }

    /// What a metric should be: one of the three.
    pub struct TargetValue<'a> {
        2 "value" value: Option<Quantity<'a>>,
        3 "averageValue" average: Option<Quantity<'a>>,
        4 "averageUtilization" utilization: Option<i32>,
    }

    /// What an autoscaler did.
    pub struct AutoscalerStatus<'a> {
        2 "lastScaleTime" last_scaled: Time,
        3 "currentReplicas" current: i32,
        4 "desiredReplicas" desired: i32,
        5 "currentMetrics" metrics: Vec<MetricStatus<'a>>,
        6 "conditions" conditions: Vec<ScaleCondition<'a>>,
    }

    /// A metric and what it is: one of the five.
    pub struct MetricStatus<'a> {
        2 "object" object: Option<IdentifiedStatus<'a>>,
        3 "pods" pods: Option<IdentifiedStatus<'a>>,
        4 "resource" resource: Option<ResourceStatus<'a>>,
        5 "external" external: Option<IdentifiedStatus<'a>>,
        7 "containerResource" container: Option<ContainerStatus<'a>>,
    }

    /// A metric by identifier, and what it is.
    pub struct IdentifiedStatus<'a> {
        1 "metric" metric: Identifier<'a>,
        2 "current" current: CurrentValue<'a>,
    }

    /// A resource of pods, and what it is.
    pub struct ResourceStatus<'a> {
        1 "name" name: Str<'a>,
        2 "current" current: CurrentValue<'a>,
    }

    /// A resource of one container of pods, and what it is.
    pub struct ContainerStatus<'a> {
        1 "name" name: Str<'a>,
        2 "current" current: CurrentValue<'a>,
        3 "container" container: Str<'a>,
    }

    /// What a metric is: any of the three.
    pub struct CurrentValue<'a> {
        1 "value" value: Option<Quantity<'a>>,
        2 "averageValue" average: Option<Quantity<'a>>,
        3 "averageUtilization" utilization: Option<i32>,
    }
}

impl<'a> Watched<'a> for Autoscaler<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        Record::Autoscaler(model::Autoscaler {
            meta: self.metadata.record(),
            target_kind: text(&spec.target.kind),
            target: text(&spec.target.name),
            min: count(spec.min.unwrap_or(1)), // autoscaling/v2: the default
            max: count(spec.max),
            current: count(status.current),
            desired: count(status.desired),
            last_scaled: time(status.last_scaled),
            metrics: spec.metrics.iter().filter_map(|metric| self.metric(metric)).collect(),
            conditions: status.conditions.iter().map(ScaleCondition::record).collect(),
        })
    }
}

/// Which of the five a metric is, its name, and its container if it is of one: what ties a
/// metric's target to its current value.
type Source<'s> = (u8, &'s str, &'s str);

impl Autoscaler<'_> {
    fn metric(&self, spec: &MetricSpec<'_>) -> Option<Metric> {
        let (source, target) = spec.source()?;
        let mut now = self.status.metrics.iter().filter_map(MetricStatus::source);
        let current = now.find(|(other, _)| *other == source).map(|(_, current)| current);
        let (_, name, container) = source;
        let name = match container {
            "" => text(name),
            container => Text::from(format!("{container}/{name}")),
        };
        Some(Metric { name, target: target.amount(), current: current.and_then(|c| c.beside(target)) })
    }
}

impl MetricSpec<'_> {
    fn source(&self) -> Option<(Source<'_>, &TargetValue<'_>)> {
        match self {
            Self { resource: Some(m), .. } => Some(((0, m.name.as_str(), ""), &m.target)),
            Self { container: Some(m), .. } => Some(((1, m.name.as_str(), m.container.as_str()), &m.target)),
            Self { pods: Some(m), .. } => Some(((2, m.metric.name.as_str(), ""), &m.target)),
            Self { object: Some(m), .. } => Some(((3, m.metric.name.as_str(), ""), &m.target)),
            Self { external: Some(m), .. } => Some(((4, m.metric.name.as_str(), ""), &m.target)),
            Self { .. } => None,
        }
    }
}

impl MetricStatus<'_> {
    fn source(&self) -> Option<(Source<'_>, &CurrentValue<'_>)> {
        match self {
            Self { resource: Some(m), .. } => Some(((0, m.name.as_str(), ""), &m.current)),
            Self { container: Some(m), .. } => Some(((1, m.name.as_str(), m.container.as_str()), &m.current)),
            Self { pods: Some(m), .. } => Some(((2, m.metric.name.as_str(), ""), &m.current)),
            Self { object: Some(m), .. } => Some(((3, m.metric.name.as_str(), ""), &m.current)),
            Self { external: Some(m), .. } => Some(((4, m.metric.name.as_str(), ""), &m.current)),
            Self { .. } => None,
        }
    }
}

fn milli(quantity: &Quantity<'_>) -> Option<Amount> {
    parse_milli(quantity.as_str()).map(Amount::Milli)
}

fn percent(value: i32) -> Amount {
    Amount::Percent(count(value))
}

impl TargetValue<'_> {
    fn amount(&self) -> Option<Amount> {
        match self {
            Self { utilization: Some(value), .. } => Some(percent(*value)),
            Self { average: Some(value), .. } | Self { value: Some(value), .. } => milli(value),
            Self { .. } => None,
        }
    }
}

impl CurrentValue<'_> {
    /// The value in the unit of the target, so that the two can be compared.
    fn beside(&self, target: &TargetValue<'_>) -> Option<Amount> {
        match target {
            TargetValue { utilization: Some(_), .. } => self.utilization.map(percent),
            TargetValue { average: Some(_), .. } => self.average.as_ref().and_then(milli),
            TargetValue { .. } => self.value.as_ref().and_then(milli),
        }
    }
}
