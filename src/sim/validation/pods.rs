//! Pods, in themselves and in templates (`pkg/apis/core/validation` `ValidatePodSpec`,
//! `ValidatePodUpdate`, `ValidatePodEphemeralContainersUpdate`, `ValidatePodResize`).

use super::amounts::{amount, shown, thousandths};
use super::syntax::{label, labels, one_of, port, port_name, port_or_name, say};
use crate::sim::admission::quality;
use crate::sim::fields::{at, int, list, map, text, unset};
use crate::sim::json::{Value, json};
use crate::sim::refusal::Cause;

pub(super) fn pod(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let containers = list(spec, "containers");
    if containers.is_empty() {
        causes.push(Cause::required(&format!("{path}.containers"), ""));
    }
    for (i, container) in containers.iter().enumerate() {
        let here = format!("{path}.containers[{i}]");
        let own = text(container, "name");
        if own.is_empty() {
            causes.push(Cause::required(&format!("{here}.name"), ""));
        } else {
            say(causes, &format!("{here}.name"), &json!(own), label(own));
        }
        if containers[..i].iter().any(|c| text(c, "name") == own && !own.is_empty()) {
            causes.push(Cause::duplicate(&format!("{here}.name"), own));
        }
        if text(container, "image").is_empty() {
            causes.push(Cause::required(&format!("{here}.image"), ""));
        }
        ports(container, &here, causes);
        resources(container, &here, causes);
        for (n, mount) in list(container, "volumeMounts").iter().enumerate() {
            let wanted = text(mount, "name");
            if !list(spec, "volumes").iter().any(|v| text(v, "name") == wanted) {
                causes.push(Cause::not_found(&format!("{here}.volumeMounts[{n}].name"), wanted));
            }
        }
    }
    labels(at(spec, "nodeSelector"), &format!("{path}.nodeSelector"), causes);
}

/// What a container asks for and may have at most (`ValidateContainerResourceRequirements`): no amount is below zero,
/// and nobody asks for more than their limit.
fn resources(container: &Value, here: &str, causes: &mut Vec<Cause>) {
    let limits = at(container, "resources.limits");
    for part in ["limits", "requests"] {
        for (resource, asked) in map(container, &format!("resources.{part}")).iter() {
            amount(resource, asked, &format!("{here}.resources.{part}[{resource}]"), causes);
            let limit = &limits[resource];
            if part == "requests" && !limit.is_null() && thousandths(asked) > thousandths(limit) {
                let why = format!("must be less than or equal to {resource} limit of {}", shown(limit));
                causes.push(Cause::invalid(
                    &format!("{here}.resources.requests"),
                    &json!(shown(asked)),
                    &why,
                ));
            }
        }
    }
}

/// The ports of a container, and those that its probes and hooks ask at.
fn ports(container: &Value, here: &str, causes: &mut Vec<Cause>) {
    let all = list(container, "ports");
    for (i, one) in all.iter().enumerate() {
        let field = |last: &str| format!("{here}.ports[{i}].{last}");
        let own = text(one, "name");
        if !own.is_empty() {
            let wrong = port_name(own);
            if wrong.is_empty() && all[..i].iter().any(|other| text(other, "name") == own) {
                causes.push(Cause::duplicate(&field("name"), own));
            }
            say(causes, &field("name"), &json!(own), wrong);
        }
        match int(one, "containerPort") {
            0 => causes.push(Cause::required(&field("containerPort"), "")),
            n => say(causes, &field("containerPort"), &json!(n), port(n)),
        }
        match int(one, "hostPort") {
            0 => {}
            n => say(causes, &field("hostPort"), &json!(n), port(n)),
        }
        let mut wrong = Vec::new();
        one_of(one, "protocol", &["SCTP", "TCP", "UDP"], &mut wrong);
        causes.extend(wrong.into_iter().map(|cause| Cause { field: field("protocol"), ..cause }));
    }
    for asker in
        ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"]
    {
        for way in ["httpGet", "tcpSocket"] {
            let handler = at(container, &format!("{asker}.{way}"));
            if handler.is_object() {
                say(
                    causes,
                    &format!("{here}.{asker}.{way}.port"),
                    &handler["port"],
                    port_or_name(&handler["port"]),
                );
            }
        }
    }
}

/// What of a pod's spec does not change.
fn fixed(pod: &Value) -> Value {
    let mut spec = at(pod, "spec").clone();
    for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"]
    {
        unset(&mut spec, field);
    }
    each_container(&mut spec, |container| unset(container, "image"));
    spec
}

fn each_container(spec: &mut Value, change: impl Fn(&mut Value)) {
    for field in ["containers", "initContainers"] {
        if let Some(containers) = spec.get_mut(field).and_then(Value::as_array_mut) {
            containers.iter_mut().for_each(&change);
        }
    }
}

/// What is wrong with a change of a pod itself.
pub(super) fn unchanged(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    if fixed(old) != fixed(new) {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,\
                   `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
                   existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                   previously negative)";
        causes.push(Cause::forbidden("spec", why));
    }
}

/// What is wrong with a change of ephemeral containers: they are only ever added.
pub(super) fn ephemeral(old: &Value, new: &Value) -> Vec<Cause> {
    const PATH: &str = "spec.ephemeralContainers";
    let mut causes = Vec::new();
    let (before, after) = (list(old, PATH), list(new, PATH));
    for container in before {
        match after.iter().find(|c| text(c, "name") == text(container, "name")) {
            None => {
                let why =
                    format!("existing ephemeral containers {:?} may not be removed", text(container, "name"));
                causes.push(Cause::forbidden(PATH, &why));
            }
            Some(same) if same != container => {
                let why =
                    format!("existing ephemeral containers {:?} may not be changed", text(container, "name"));
                causes.push(Cause::forbidden(PATH, &why));
            }
            Some(_) => {}
        }
    }
    let main: Vec<&str> = list(new, "spec.containers").iter().map(|c| text(c, "name")).collect();
    for (i, container) in after.iter().enumerate() {
        let own = text(container, "name");
        if main.contains(&own) {
            causes.push(Cause::duplicate(&format!("{PATH}[{i}].name"), own));
        }
        for required in ["name", "image"] {
            if text(container, required).is_empty() {
                causes.push(Cause::required(&format!("{PATH}[{i}].{required}"), ""));
            }
        }
    }
    causes
}

/// What is wrong with a change of what containers may use, while they run: CPU and memory alone
/// change, none is taken back, and the class of service stays.
pub(super) fn resize(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if quality(new) != text(old, "status.qosClass") {
        let why = "Pod QOS Class may not change as a result of resizing";
        causes.push(Cause::invalid("spec", &json!(text(old, "status.qosClass")), why));
    }
    for kind in ["containers", "initContainers"] {
        let path = format!("spec.{kind}");
        for (i, (before, after)) in list(old, &path).iter().zip(list(new, &path)).enumerate() {
            for (part, why) in [
                ("requests", "resource requests cannot be removed"),
                ("limits", "resource limits cannot be removed"),
            ] {
                let part = format!("resources.{part}");
                let left = map(after, &part);
                if map(before, &part).keys().any(|resource| !left.contains_key(resource)) {
                    causes.push(Cause::forbidden(&format!("{path}[{i}].{part}"), why));
                }
            }
        }
    }
    let fixed = |pod: &Value| {
        let mut spec = at(pod, "spec").clone();
        each_container(&mut spec, |container| {
            unset(container, "resizePolicy");
            for part in ["requests", "limits"] {
                for resource in ["cpu", "memory"] {
                    unset(container, &format!("resources.{part}.{resource}"));
                }
            }
        });
        spec
    };
    if fixed(old) != fixed(new) {
        causes.push(Cause::forbidden("spec", "only cpu and memory resources are mutable"));
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod_of(container: Value) -> Value {
        let mut one = json!({ "name": "c", "image": "i" });
        for (key, value) in container.as_object().unwrap().iter() {
            crate::sim::fields::set(&mut one, key, value.clone());
        }
        json!({ "spec": { "containers": [one.plain()] }, "status": { "qosClass": "Burstable" } })
    }

    #[test]
    fn nobody_asks_for_less_than_nothing_or_more_than_their_limit() {
        let of = |resources: Value| {
            let container = json!({ "name": "c", "image": "a:1", "resources": resources.plain() });
            let mut causes = Vec::new();
            pod(&json!({ "containers": [container.plain()] }), "spec", &mut causes);
            causes.into_iter().map(|c| format!("{}: {}", c.field, c.message)).collect::<Vec<_>>()
        };
        assert!(of(json!({ "requests": { "cpu": "1" }, "limits": { "cpu": "1000m" } })).is_empty());
        assert_eq!(
            of(json!({ "requests": { "cpu": "2", "memory": "-1" }, "limits": { "cpu": "1" } })),
            [
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
                "spec.containers[0].resources.requests[memory]: Invalid value: \"-1\": must be greater than or equal to 0",
            ]
        );
    }

    #[test]
    fn every_port_of_a_container_is_checked() {
        let said = |container: Value| -> Vec<String> {
            let mut causes = Vec::new();
            pod(at(&pod_of(container), "spec"), "spec", &mut causes);
            causes.into_iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
        };
        let fine = json!({ "ports": [{ "containerPort": 80, "protocol": "TCP", "name": "http" }],
            "readinessProbe": { "httpGet": { "port": "http" } } });
        assert!(said(fine).is_empty());
        let odd = json!({ "ports": [{ "containerPort": 0, "hostPort": 99999, "protocol": "IP", "name": "UP" }],
            "livenessProbe": { "tcpSocket": { "port": 0 } } });
        assert_eq!(
            said(odd),
            [
                "spec.containers[0].ports[0].name: Invalid value: \"UP\": must contain only alpha-numeric characters (a-z, \
                 0-9), and hyphens (-)",
                "spec.containers[0].ports[0].name: Invalid value: \"UP\": must contain at least one letter (a-z)",
                "spec.containers[0].ports[0].containerPort: Required value",
                "spec.containers[0].ports[0].hostPort: Invalid value: 99999: must be between 1 and 65535, inclusive",
                "spec.containers[0].ports[0].protocol: Unsupported value: \"IP\": supported values: \"SCTP\", \"TCP\", \
                 \"UDP\"",
                "spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            ]
        );
    }

    #[test]
    fn a_resize_changes_cpu_and_memory_alone() {
        let of = |resources: Value| pod_of(json!({ "resources": resources.plain() }));
        let said = |new: Value| -> Vec<String> {
            let old = of(json!({ "requests": { "cpu": "1", "memory": "1Gi" } }));
            resize(&old, &new).into_iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
        };
        assert!(said(of(json!({ "requests": { "cpu": "2", "memory": "1Gi" } }))).is_empty());
        assert_eq!(
            said(of(json!({ "requests": { "cpu": "1" } }))),
            ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"]
        );
        let more = json!({ "requests": { "cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1" } });
        assert_eq!(said(of(more)), ["spec: Forbidden: only cpu and memory resources are mutable"]);
        let both = json!({ "cpu": "1", "memory": "1Gi" });
        let sure = of(json!({ "requests": both.plain(), "limits": both.plain() }));
        assert!(said(sure)[0].ends_with("Pod QOS Class may not change as a result of resizing"));
    }
}
