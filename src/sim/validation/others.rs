//! Classes of priority and leases (`pkg/apis/scheduling/validation`, `pkg/apis/coordination/validation`).

use super::NOT_NEGATIVE;
use crate::sim::fields::{at, flag, int, maybe_int, name, text};
use crate::sim::json::{Value, json};
use crate::sim::refusal::Cause;

/// The greatest priority that people give.
const GREATEST: i64 = 1_000_000_000;

/// The classes that the server makes itself, and their priorities.
const SYSTEM: [(&str, i64); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

pub(super) fn priority(new: &Value, causes: &mut Vec<Cause>) {
    let (own, value) = (name(new), int(new, "value"));
    if own.starts_with("system-") {
        let why = match SYSTEM.iter().find(|(known, _)| *known == own) {
            None => Some(format!("{own} is not a known system priority class")),
            Some((_, fixed)) if *fixed != value => {
                Some(format!("value of {own} PriorityClass must be {fixed}"))
            }
            Some(_) => flag(new, "globalDefault")
                .then(|| format!("globalDefault of {own} PriorityClass must be false")),
        };
        if let Some(why) = why {
            let whole = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {why}"
            );
            causes.push(Cause::forbidden("metadata.name", &whole));
        }
    } else if value > GREATEST {
        let why = format!("maximum allowed value of a user defined priority is {GREATEST}");
        causes.push(Cause::forbidden("value", &why));
    }
    super::syntax::one_of(new, "preemptionPolicy", &["PreemptLowerPriority", "Never"], causes);
}

pub(super) fn lease(new: &Value, causes: &mut Vec<Cause>) {
    let strategy = text(new, "spec.strategy");
    for (field, least, why) in [
        ("spec.leaseDurationSeconds", 1, "must be greater than 0"),
        ("spec.leaseTransitions", 0, NOT_NEGATIVE),
    ] {
        if let Some(n) = maybe_int(new, field).filter(|n| *n < least) {
            causes.push(Cause::invalid(field, &json!(n), why));
        }
    }
    if strategy.is_empty() && !at(new, "spec.preferredHolder").is_null() {
        let why = "may only be specified if `strategy` is defined";
        causes.push(Cause::forbidden("spec.preferredHolder", why));
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::said;
    use super::*;

    #[test]
    fn the_highest_priorities_are_the_system_s() {
        let of = |own: &str, value: i64| {
            let class = json!({ "metadata": { "name": own }, "value": value, "preemptionPolicy": "Never" });
            said(priority, &class)
        };
        assert!(of("a", GREATEST).is_empty() && of("system-node-critical", 2_000_001_000).is_empty());
        assert_eq!(of("a", GREATEST + 1).len(), 1);
        assert!(of("system-mine", 1)[0].ends_with("error: system-mine is not a known system priority class"));
        assert!(of("system-node-critical", 1)[0].ends_with("must be 2000001000"));
    }

    #[test]
    fn a_lease_lasts() {
        assert!(
            said(lease, &json!({ "spec": { "leaseDurationSeconds": 15, "leaseTransitions": 0 } })).is_empty()
        );
        let odd =
            json!({ "spec": { "leaseDurationSeconds": -1, "leaseTransitions": -1, "preferredHolder": "a" } });
        assert_eq!(said(lease, &odd).len(), 3);
    }
}
