//! Nodes (`pkg/apis/core/validation` `ValidateNode`, `ValidateNodeUpdate`).

use super::amounts;
use super::syntax::{label_value, qualified, say};
use crate::sim::fields::{at, list, text};
use crate::sim::json::{Value, json};
use crate::sim::refusal::Cause;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(super) fn node(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    taints(new, causes);
    amounts::node(new, causes);
    let Some(old) = old else { return };
    for (field, word) in [("spec.podCIDRs", "podCIDR"), ("spec.providerID", "providerID")] {
        let before = at(old, field);
        if !before.is_null() && before != at(new, field) {
            let why = format!("node updates may not change {word} except from \"\" to valid");
            causes.push(Cause::forbidden(field, &why));
        }
    }
}

/// The taints of a node, which the server names as if they were metadata.
fn taints(new: &Value, causes: &mut Vec<Cause>) {
    let all = list(new, "spec.taints");
    for (i, taint) in all.iter().enumerate() {
        let here = format!("metadata.taints[{i}]");
        let [key, value, effect] = ["key", "value", "effect"].map(|field| text(taint, field));
        say(causes, &format!("{here}.key"), &json!(key), qualified(key));
        let wrong = label_value(value);
        if !wrong.is_empty() {
            causes.push(Cause::invalid(&format!("{here}.value"), &json!(value), &wrong.join(";")));
        }
        match effect {
            "" => causes.push(Cause::required(&format!("{here}.effect"), "")),
            known if EFFECTS.contains(&known) => {}
            odd => causes.push(Cause::unsupported(&format!("{here}.effect"), odd, &EFFECTS)),
        }
        if all[..i].iter().any(|other| text(other, "key") == key && text(other, "effect") == effect) {
            let whole = json!({ "Key": key, "Value": value, "Effect": effect, "TimeAdded": taint["timeAdded"].plain() });
            causes.push(Cause::duplicate_of(&here, &whole, "taints must be unique by key and effect pair"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(old: Option<&Value>, new: &Value) -> Vec<String> {
        super::super::syntax::said(|new, causes| node(old, new, causes), new)
    }

    #[test]
    fn what_a_node_is_given_once_it_keeps() {
        let old = json!({ "spec": { "providerID": "x://a" } });
        let new = json!({ "spec": { "providerID": "x://a", "podCIDRs": ["10.0.0.0/24"], "taints": [
            { "key": "a", "effect": "NoSchedule" }, { "key": "a", "effect": "NoExecute" }] } });
        assert!(said(Some(&old), &new).is_empty());
        let none = json!({ "status": { "capacity": { "cpu": "-1", "nvidia.com/gpu": "1500m" } } });
        assert_eq!(
            said(Some(&new), &none),
            [
                "status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0",
                "status.capacity.nvidia.com/gpu: Invalid value: \"1500m\": must be an integer",
                "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
                "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid",
            ]
        );
    }
}
