//! Pod disruption budgets (`k8s.io/api/policy/v1/generated.proto`).

use super::meta::{LabelSelector, ObjectMeta, count, selector, text};
use super::read::Watched;
use super::wire::{IntOrString, Str, wire};
use crate::model::{self, Record, Text, UnhealthyPolicy};

wire! {
    /// A pod disruption budget.
    pub struct Budget<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: BudgetSpec<'a>,
        3 "status" status: BudgetStatus,
    }

    /// What a budget guards, and how much of it.
    pub struct BudgetSpec<'a> {
        1 "minAvailable" min_available: Option<IntOrString<'a>>,
        2 "selector" selector: Option<LabelSelector<'a>>,
        3 "maxUnavailable" max_unavailable: Option<IntOrString<'a>>,
        4 "unhealthyPodEvictionPolicy" unhealthy: Option<Str<'a>>,
    }

    /// What a budget allows now.
    pub struct BudgetStatus {
        1 "observedGeneration" observed: i64,
        3 "disruptionsAllowed" allowed: i32,
        4 "currentHealthy" healthy: i32,
        5 "desiredHealthy" needed: i32,
        6 "expectedPods" expected: i32,
    }
}

impl<'a> Watched<'a> for Budget<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        Record::Budget(model::Budget {
            meta: self.metadata.record(),
            selector: selector(spec.selector.as_ref()),
            min_available: as_written(spec.min_available.as_ref()),
            max_unavailable: as_written(spec.max_unavailable.as_ref()),
            allowed: count(status.allowed),
            healthy: count(status.healthy),
            needed: count(status.needed),
            expected: count(status.expected),
            unhealthy: match &spec.unhealthy {
                Some(policy) if *policy == "AlwaysAllow" => UnhealthyPolicy::AlwaysAllow,
                _ => UnhealthyPolicy::IfHealthyBudget,
            },
            generation: self.metadata.generation,
            observed: status.observed,
        })
    }
}

fn as_written(amount: Option<&IntOrString<'_>>) -> Text {
    match amount {
        None => Text::EMPTY,
        Some(IntOrString::Int(value)) => Text::from(value.to_string()),
        Some(IntOrString::Text(value)) => text(value),
    }
}
