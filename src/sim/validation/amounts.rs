//! Quotas, limit ranges, and what nodes have: amounts that agree with each other
//! (`pkg/apis/core/validation` `ValidateResourceQuotaSpec`, `ValidateLimitRange`,
//! `ValidateNodeResources`).

use std::collections::BTreeSet;

use super::NOT_NEGATIVE;
use super::syntax::{qualified, say};
use crate::model::quantity;
use crate::sim::fields::{at, list, map, text};
use crate::sim::json::{Value, json};
use crate::sim::refusal::Cause;

/// What quotas count, beside `count/…` and `requests.…` of extended resources
/// (`pkg/apis/core/helper` `standardQuotaResources`).
const QUOTAS: [&str; 19] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

/// Those of them that are whole (`integerResources`).
const WHOLE: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// What containers ask for without a prefix.
const CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// An amount in thousandths.
pub(super) fn thousandths(amount: &Value) -> i64 {
    quantity::parse_milli(&shown(amount)).unwrap_or(0)
}

/// An amount as it is said.
pub(super) fn shown(amount: &Value) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}

/// An amount that may not be negative, and of some resources is whole
/// (`ValidateResourceQuantityValue`).
pub(super) fn amount(resource: &str, value: &Value, field: &str, causes: &mut Vec<Cause>) {
    let thousandths = thousandths(value);
    if thousandths < 0 {
        causes.push(Cause::invalid(field, &json!(shown(value)), NOT_NEGATIVE));
    }
    let extended =
        resource.contains('/') && !resource.contains("kubernetes.io/") && !resource.starts_with("count/");
    if (WHOLE.contains(&resource) || extended) && thousandths % 1000 != 0 {
        causes.push(Cause::invalid(field, value, "must be an integer"));
    }
}

/// The name of a resource: qualified, or one that is known.
fn resource(own: &str, known: &[&str], why: &str, field: &str, causes: &mut Vec<Cause>) {
    let wrong = qualified(own);
    let plain = wrong.is_empty() && !own.contains('/');
    say(causes, field, &json!(own), wrong);
    let huge = own.starts_with("hugepages-") || own.starts_with("requests.hugepages-");
    if plain && !huge && !QUOTAS.contains(&own) && own != "storage" {
        let why = "must be a standard resource type or fully qualified";
        causes.push(Cause::invalid(field, &json!(own), why));
    }
    if plain && !huge && !known.contains(&own) {
        causes.push(Cause::invalid(field, &json!(own), why));
    }
}

/// What a quota grants, or says of itself.
pub(super) fn quota(new: &Value, half: &str, causes: &mut Vec<Cause>) {
    let path = format!("{half}.hard");
    for (name, value) in map(new, &path).iter() {
        let field = format!("{path}[{name}]");
        resource(name, &QUOTAS, "must be a standard resource for quota", &field, causes);
        amount(name, value, &field, causes);
    }
}

/// The amounts that a node has.
pub(super) fn node(new: &Value, causes: &mut Vec<Cause>) {
    for half in ["status.capacity", "status.allocatable"] {
        for (name, value) in map(new, half).iter() {
            amount(name, value, &format!("{half}.{name}"), causes);
        }
    }
}

/// The kinds of things that have limits.
const TYPES: [&str; 3] = ["Pod", "Container", "PersistentVolumeClaim"];

pub(super) fn limits(new: &Value, causes: &mut Vec<Cause>) {
    let all = list(new, "spec.limits");
    for (i, one) in all.iter().enumerate() {
        let here = format!("spec.limits[{i}]");
        let kind = text(one, "type");
        let field = format!("{here}.type");
        let wrong = qualified(kind);
        if wrong.is_empty() && !kind.contains('/') && !TYPES.contains(&kind) {
            let why = "must be a standard limit type or fully qualified";
            causes.push(Cause::invalid(&field, &json!(kind), why));
        }
        say(causes, &field, &json!(kind), wrong);
        if all[..i].iter().any(|other| text(other, "type") == kind) {
            causes.push(Cause::duplicate(&field, kind));
        }
        if kind == "Pod" {
            for part in ["default", "defaultRequest"].into_iter().filter(|part| !map(one, part).is_empty()) {
                let why = "may not be specified when `type` is 'Pod'";
                causes.push(Cause::forbidden(&format!("{here}.{part}"), why));
            }
        }
        let unbounded = ["min", "max"].iter().all(|part| map(one, part).get("storage").is_none());
        if kind == "PersistentVolumeClaim" && unbounded {
            let why = "either minimum or maximum storage value is required, but neither was provided";
            causes.push(Cause::required(&format!("{here}.limits"), why));
        }
        limit(one, &here, causes);
    }
}

/// The bounds of one kind of things.
fn limit(one: &Value, here: &str, causes: &mut Vec<Cause>) {
    let claims = text(one, "type") == "PersistentVolumeClaim";
    let mut names = BTreeSet::new();
    for part in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
        for name in map(one, part).keys() {
            let known: &[&str] = if claims { &["storage"] } else { &CONTAINERS };
            let field = format!("{here}.{part}[{name}]");
            resource(name, known, "must be a standard resource for containers", &field, causes);
            names.insert(name.to_string());
        }
    }
    for name in names {
        bounds(one, here, &name, causes);
    }
}

/// What of the bounds of one resource contradicts the rest.
fn bounds(one: &Value, here: &str, name: &str, causes: &mut Vec<Cause>) {
    let of = |part: &str| map(one, part).get(name);
    // the part at fault, the one whose value is said, the greater one, its bound, and both in words
    let orders = [
        ("min", "min", "min", "max", "min", "max"),
        ("defaultRequest", "defaultRequest", "min", "defaultRequest", "min", "default request"),
        ("defaultRequest", "defaultRequest", "defaultRequest", "max", "default request", "max"),
        ("defaultRequest", "defaultRequest", "defaultRequest", "default", "default request", "default limit"),
        ("default", "min", "min", "default", "min", "default"),
        ("default", "max", "default", "max", "default", "max"),
    ];
    for (part, said, more, less, first, second) in orders {
        let (Some(a), Some(b)) = (of(more), of(less)) else { continue };
        if thousandths(a) > thousandths(b) {
            let why = format!("{first} value {} is greater than {second} value {}", shown(a), shown(b));
            let value = of(said).unwrap_or(&Value::Null);
            causes.push(Cause::invalid(&format!("{here}.{part}[{name}]"), value, &why));
        }
    }
    let Some(ratio) = of("maxLimitRequestRatio") else { return };
    let field = format!("{here}.maxLimitRequestRatio[{name}]");
    let most = thousandths(ratio);
    if most < 1000 {
        causes.push(Cause::invalid(&field, ratio, &format!("ratio {} is less than 1", shown(ratio))));
    }
    if let (Some(least), Some(greatest)) = (of("min").map(thousandths), of("max").map(thousandths)) {
        let widest = greatest as f64 / least as f64;
        if most as f64 / 1000.0 > widest {
            let why = format!("ratio {} is greater than max/min = {widest:.6}", shown(ratio));
            causes.push(Cause::invalid(&field, ratio, &why));
        }
    }
}

/// An amount of storage that must be there and more than nothing (`ValidatePositiveQuantityValue`).
pub(super) fn storage(object: &Value, path: &str, field: &str, causes: &mut Vec<Cause>) {
    let value = at(object, path);
    if value.is_null() {
        causes.push(Cause::required(field, ""));
    } else if thousandths(value) <= 0 {
        causes.push(Cause::invalid(field, &json!(shown(value)), "must be greater than zero"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::said;
    use super::*;

    #[test]
    fn quotas_grant_what_there_is() {
        let of = |hard: Value| json!({ "spec": { "hard": hard.plain() } });
        let check = |new: &Value, causes: &mut Vec<Cause>| quota(new, "spec", causes);
        let fine = json!({ "pods": "5", "requests.cpu": "1500m", "count/deployments.apps": "3", "requests.nvidia.com/gpu": "2" });
        assert_eq!(said(check, &of(fine)), Vec::<String>::new());
        assert_eq!(
            said(check, &of(json!({ "pods": "1500m" }))),
            ["spec.hard[pods]: Invalid value: \"1500m\": must be an integer"]
        );
        assert_eq!(
            said(check, &of(json!({ "colour": "1" }))),
            [
                "spec.hard[colour]: Invalid value: \"colour\": must be a standard resource type or fully qualified",
                "spec.hard[colour]: Invalid value: \"colour\": must be a standard resource for quota"
            ]
        );
    }

    #[test]
    fn bounds_do_not_contradict_each_other() {
        let of = |limits: Value| json!({ "spec": { "limits": limits.plain() } });
        let fine = json!([{ "type": "Container", "min": { "cpu": "50m" }, "max": { "cpu": "1" }, "default": { "cpu": "1" },
            "defaultRequest": { "cpu": "100m" }, "maxLimitRequestRatio": { "cpu": "4" } }]);
        assert_eq!(said(limits, &of(fine)), Vec::<String>::new());
        let wide = json!([{ "type": "Pod", "min": { "cpu": "1" }, "max": { "cpu": "2" }, "maxLimitRequestRatio": { "cpu": "4" } },
            { "type": "Pod", "default": { "cpu": "1" } }, { "type": "PersistentVolumeClaim" }, { "type": "House" }]);
        assert_eq!(
            said(limits, &of(wide)),
            [
                "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"4\": ratio 4 is greater than max/min = 2.000000",
                "spec.limits[1].type: Duplicate value: \"Pod\"",
                "spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod'",
                "spec.limits[2].limits: Required value: either minimum or maximum storage value is required, but neither was \
                 provided",
                "spec.limits[3].type: Invalid value: \"House\": must be a standard limit type or fully qualified",
            ]
        );
    }
}
