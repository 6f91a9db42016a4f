//! Whether a workload's newest template is rolled out: the rules of `kubectl rollout status`
//! (`kubernetes/kubectl:pkg/polymorphichelpers/rollout_status.go`).

use serde_json::Value;

/// How far a rollout is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Rollout {
    /// It is done, and how.
    Done(String),
    /// What it waits for.
    Waits(String),
    /// It will not get there by itself.
    Failed(String),
}

/// How far the rollout of a workload of this kind is, by what the server says of it.
pub(super) fn status(kind: &str, object: &Value) -> Rollout {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let by_hand = |path: &str| object.pointer(path).and_then(Value::as_str) == Some("OnDelete");
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Rollout::Waits("its controller has not seen the new template yet".to_owned());
    }
    if kind != "Deployment" && by_hand("/spec/updateStrategy/type") {
        let text = "its strategy is OnDelete: a pod gets the new template when somebody deletes it";
        return Rollout::Done(text.to_owned());
    }
    match kind {
        "Deployment" => deployment(object, &number),
        "DaemonSet" => daemon_set(&number),
        _ => stateful_set(object, &number),
    }
}

fn deployment(object: &Value, number: &dyn Fn(&str) -> i64) -> Rollout {
    let conditions = object["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    if conditions.iter().any(|c| c["type"] == "Progressing" && c["reason"] == "ProgressDeadlineExceeded") {
        return Rollout::Failed("its rollout is past its progress deadline".to_owned());
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let (updated, all) = (number("/status/updatedReplicas"), number("/status/replicas"));
    let available = number("/status/availableReplicas");
    if updated < wanted {
        Rollout::Waits(format!("{updated} of {wanted} new pods made"))
    } else if all > updated {
        Rollout::Waits(format!("{} old pods still end", all - updated))
    } else if available < updated {
        Rollout::Waits(format!("{available} of {updated} new pods available"))
    } else {
        Rollout::Done(format!("rolled out, {available} of {wanted} available"))
    }
}

fn daemon_set(number: &dyn Fn(&str) -> i64) -> Rollout {
    let wanted = number("/status/desiredNumberScheduled");
    let updated = number("/status/updatedNumberScheduled");
    let available = number("/status/numberAvailable");
    if updated < wanted {
        Rollout::Waits(format!("{updated} of {wanted} new pods made"))
    } else if available < wanted {
        Rollout::Waits(format!("{available} of {wanted} new pods available"))
    } else {
        Rollout::Done(format!("rolled out, {available} of {wanted} available"))
    }
}

fn stateful_set(object: &Value, number: &dyn Fn(&str) -> i64) -> Rollout {
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let (ready, updated) = (number("/status/readyReplicas"), number("/status/updatedReplicas"));
    if ready < wanted {
        return Rollout::Waits(format!("{ready} of {wanted} pods Ready"));
    }
    let partition = number("/spec/updateStrategy/rollingUpdate/partition");
    if partition > 0 {
        let due = (wanted - partition).max(0);
        return match updated < due {
            true => Rollout::Waits(format!("{updated} of {due} new pods made, above partition {partition}")),
            false => Rollout::Done(format!("rolled out above partition {partition}, {updated} new pods")),
        };
    }
    let revision = |which: &str| object["status"][which].as_str().unwrap_or_default();
    if revision("updateRevision") != revision("currentRevision") {
        return Rollout::Waits(format!("{updated} of {wanted} new pods made"));
    }
    Rollout::Done(format!("rolled out, {ready} of {wanted} Ready"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(spec: Value, status: Value) -> Value {
        json!({ "metadata": { "generation": 3 }, "spec": spec, "status": status })
    }

    fn waits(text: &str) -> Rollout {
        Rollout::Waits(text.to_owned())
    }

    #[test]
    fn a_deployment_is_rolled_out_when_only_new_pods_are_left_and_available() {
        let of = |observed: u32, updated: u32, all: u32, available: u32| {
            let seen = json!({ "observedGeneration": observed, "updatedReplicas": updated,
                                 "replicas": all, "availableReplicas": available });
            status("Deployment", &object(json!({ "replicas": 4 }), seen))
        };
        assert_eq!(of(2, 4, 4, 4), waits("its controller has not seen the new template yet"));
        assert_eq!(of(3, 2, 5, 4), waits("2 of 4 new pods made"));
        assert_eq!(of(3, 4, 6, 4), waits("2 old pods still end"));
        assert_eq!(of(3, 4, 4, 3), waits("3 of 4 new pods available"));
        assert_eq!(of(3, 4, 4, 4), Rollout::Done("rolled out, 4 of 4 available".to_owned()));
        let late = json!({ "observedGeneration": 3, "conditions":
            [{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded" }] });
        let late = status("Deployment", &object(json!({}), late));
        assert!(matches!(late, Rollout::Failed(_)), "{late:?}");
    }

    #[test]
    fn a_stateful_set_has_a_partition_and_revisions() {
        let of = |spec: Value, ready: u32, updated: u32, current: &str| {
            let seen = json!({ "observedGeneration": 3, "readyReplicas": ready, "updatedReplicas": updated,
                                 "updateRevision": "b", "currentRevision": current });
            status("StatefulSet", &object(spec, seen))
        };
        let plain = json!({ "replicas": 3 });
        assert_eq!(of(plain.clone(), 2, 3, "a"), waits("2 of 3 pods Ready"));
        assert_eq!(of(plain.clone(), 3, 2, "a"), waits("2 of 3 new pods made"));
        assert!(matches!(of(plain, 3, 3, "b"), Rollout::Done(_)));
        let part = json!({ "replicas": 3, "updateStrategy": { "rollingUpdate": { "partition": 2 } } });
        assert_eq!(of(part.clone(), 3, 0, "a"), waits("0 of 1 new pods made, above partition 2"));
        assert!(matches!(of(part, 3, 1, "a"), Rollout::Done(_)));
        let by_hand = json!({ "replicas": 3, "updateStrategy": { "type": "OnDelete" } });
        assert!(matches!(of(by_hand, 0, 0, "a"), Rollout::Done(how) if how.contains("OnDelete")));
    }

    #[test]
    fn a_daemon_set_counts_nodes() {
        let of = |updated: u32, available: u32| {
            let seen = json!({ "observedGeneration": 3, "desiredNumberScheduled": 5,
                                 "updatedNumberScheduled": updated, "numberAvailable": available });
            status("DaemonSet", &object(json!({}), seen))
        };
        assert_eq!(of(4, 5), waits("4 of 5 new pods made"));
        assert_eq!(of(5, 4), waits("4 of 5 new pods available"));
        assert!(matches!(of(5, 5), Rollout::Done(_)));
    }
}
