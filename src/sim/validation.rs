//! What the server checks of built-in objects beyond their types: the rules that people run into
//! (`kubernetes/kubernetes:pkg/apis/*/validation`).

use crate::sim::json::{Value, json};

use super::controllers::Schedule;
use super::fields::{at, flag, int, list, map, maybe_int, name, text};
use super::refusal::Cause;
use super::resources::Res;
use super::selector::Labels;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// What is wrong with an object that is about to be kept. `old` is what it was.
pub(crate) fn check(res: Res, old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if old.is_none() {
        names(res, new, &mut causes);
    }
    for field in ["spec.replicas", "spec.parallelism", "spec.completions", "spec.minReadySeconds"] {
        if maybe_int(new, field).is_some_and(|n| n < 0) {
            causes.push(Cause::invalid(field, at(new, field), NOT_NEGATIVE));
        }
    }
    match res {
        Res::Pods => pod(at(new, "spec"), "spec", &mut causes),
        Res::Deployments | Res::ReplicaSets | Res::StatefulSets | Res::DaemonSets => {
            workload(new, &mut causes);
        }
        Res::Jobs => job(at(new, "spec.template"), "spec.template", &mut causes),
        Res::CronJobs => {
            schedule(new, &mut causes);
            let path = "spec.jobTemplate.spec.template";
            job(at(new, path), path, &mut causes);
        }
        Res::Services => {
            let portless = text(new, "spec.clusterIP") == "None" || text(new, "spec.type") == "ExternalName";
            if list(new, "spec.ports").is_empty() && !portless {
                causes.push(Cause::required("spec.ports", ""));
            }
        }
        Res::Autoscalers => autoscaler(new, &mut causes),
        Res::Budgets
            if !at(new, "spec.minAvailable").is_null() && !at(new, "spec.maxUnavailable").is_null() =>
        {
            let why = "minAvailable and maxUnavailable cannot be both set";
            causes.push(Cause::invalid("spec", at(new, "spec"), why));
        }
        Res::Definitions => causes.extend(super::custom::check(new)),
        _ => {}
    }
    if let Some(old) = old {
        unchanged(res, old, new, &mut causes);
    }
    causes
}

/// Names that DNS could have.
fn names(res: Res, new: &Value, causes: &mut Vec<Cause>) {
    // roles are named by path segments: anything but a slash
    let free = matches!(res, Res::Roles | Res::RoleBindings | Res::ClusterRoles | Res::ClusterRoleBindings);
    if !free {
        named(new, matches!(res, Res::Namespaces | Res::Services), causes);
    }
}

/// What is wrong with an object of a custom resource that is about to be kept, beside its schema.
pub(crate) fn custom(old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if old.is_none() {
        named(new, false, &mut causes);
    }
    causes
}

/// A name that is a label, or several with dots between them.
fn named(new: &Value, label: bool, causes: &mut Vec<Cause>) {
    let own = name(new);
    let part = |p: &str| {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        p.starts_with(fine) && p.ends_with(fine) && p.chars().all(|c| fine(c) || c == '-')
    };
    let fine = if label { part(own) } else { own.split('.').all(part) };
    if !fine {
        let why = if label { LABEL } else { SUBDOMAIN };
        causes.push(Cause::invalid("metadata.name", &json!(own), why));
    }
}

fn schedule(new: &Value, causes: &mut Vec<Cause>) {
    let (schedule, zone) = (text(new, "spec.schedule"), text(new, "spec.timeZone"));
    if schedule.is_empty() {
        return causes.push(Cause::required("spec.schedule", ""));
    }
    if let Err(why) = Schedule::parse(schedule, "") {
        causes.push(Cause::invalid("spec.schedule", &json!(schedule), &why));
    } else if let Err(why) = Schedule::parse(schedule, zone) {
        causes.push(Cause::invalid("spec.timeZone", &json!(zone), &why));
    }
}

fn workload(new: &Value, causes: &mut Vec<Cause>) {
    let selector = at(new, "spec.selector");
    let labels = map(new, "spec.template.metadata.labels");
    match Labels::of(selector) {
        None => {
            causes.push(Cause::required("spec.selector", ""));
            let value = if labels.is_empty() { Value::Null } else { Value::Object(labels.clone()) };
            causes.push(Cause::invalid(
                "spec.template.metadata.labels",
                &value,
                "`selector` does not match template `labels`",
            ));
        }
        Some(_)
            if map(new, "spec.selector.matchLabels").is_empty()
                && list(new, "spec.selector.matchExpressions").is_empty() =>
        {
            causes.push(Cause::invalid(
                "spec.selector",
                selector,
                "empty selector is invalid for deployment",
            ));
        }
        Some(wanted) if !wanted.matches(labels) => {
            let value = Value::Object(labels.clone());
            let why = "`selector` does not match template `labels`";
            causes.push(Cause::invalid("spec.template.metadata.labels", &value, why));
        }
        Some(_) => {}
    }
    pod(at(new, "spec.template.spec"), "spec.template.spec", causes);
    let policy = text(new, "spec.template.spec.restartPolicy");
    if !["", "Always"].contains(&policy) {
        causes.push(Cause::unsupported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
}

fn job(template: &Value, path: &str, causes: &mut Vec<Cause>) {
    let field = format!("{path}.spec.restartPolicy");
    match text(template, "spec.restartPolicy") {
        "OnFailure" | "Never" => {}
        // what pods do when they are not told
        "" | "Always" => causes.push(Cause::required(&field, "valid values: \"OnFailure\", \"Never\"")),
        other => causes.push(Cause::unsupported(&field, other, &["OnFailure", "Never"])),
    }
    pod(at(template, "spec"), &format!("{path}.spec"), causes);
}

fn pod(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let containers = list(spec, "containers");
    if containers.is_empty() {
        causes.push(Cause::required(&format!("{path}.containers"), ""));
    }
    for (i, container) in containers.iter().enumerate() {
        let here = format!("{path}.containers[{i}]");
        let own = text(container, "name");
        if own.is_empty() {
            causes.push(Cause::required(&format!("{here}.name"), ""));
        }
        if containers[..i].iter().any(|c| text(c, "name") == own && !own.is_empty()) {
            causes.push(Cause::duplicate(&format!("{here}.name"), own));
        }
        if text(container, "image").is_empty() {
            causes.push(Cause::required(&format!("{here}.image"), ""));
        }
        for (n, mount) in list(container, "volumeMounts").iter().enumerate() {
            let wanted = text(mount, "name");
            if !list(spec, "volumes").iter().any(|v| text(v, "name") == wanted) {
                causes.push(Cause::not_found(&format!("{here}.volumeMounts[{n}].name"), wanted));
            }
        }
    }
}

fn autoscaler(new: &Value, causes: &mut Vec<Cause>) {
    let (least, most) = (maybe_int(new, "spec.minReplicas").unwrap_or(1), int(new, "spec.maxReplicas"));
    if most < 1 {
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), "must be greater than 0"));
    } else if most < least {
        let why = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), why));
    }
}

/// What no change may touch.
fn unchanged(res: Res, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let fixed: &[&str] = match res {
        Res::Deployments | Res::ReplicaSets | Res::DaemonSets => &["spec.selector"],
        Res::Jobs => &["spec.completions", "spec.selector", "spec.template", "spec.completionMode"],
        Res::StorageClasses => &["volumeBindingMode"],
        Res::Revisions => &["data"],
        Res::Secrets => &["type"],
        Res::Definitions => &["spec.group", "spec.scope", "spec.names.kind", "spec.names.plural"],
        _ => &[],
    };
    for field in fixed.iter().filter(|f| at(old, f) != at(new, f)) {
        causes.push(Cause::invalid(field, at(new, field), "field is immutable"));
    }
    let mut forbidden = |field: &str, why: &str| causes.push(Cause::forbidden(field, why));
    match res {
        Res::StorageClasses => {
            for field in ["parameters", "provisioner", "reclaimPolicy"] {
                if at(old, field) != at(new, field) {
                    forbidden(field, &format!("updates to {field} are forbidden."));
                }
            }
        }
        Res::StatefulSets if fixed_parts(old) != fixed_parts(new) => {
            let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                       'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                       'minReadySeconds' are forbidden";
            forbidden("spec", why);
        }
        Res::Pods if fixed_pod(old) != fixed_pod(new) => {
            let why = "pod updates may not change fields other than `spec.containers[*].image`,\
                       `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
                       existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                       previously negative)";
            forbidden("spec", why);
        }
        Res::Claims if fixed_claim(old, old) != fixed_claim(old, new) => {
            let why = "spec is immutable after creation except resources.requests and \
                       volumeAttributesClassName for bound claims";
            forbidden("spec", why);
        }
        Res::PriorityClasses if at(old, "value") != at(new, "value") => {
            forbidden("value", "may not be changed in an update.");
        }
        Res::ConfigMaps | Res::Secrets if flag(old, "immutable") => {
            for field in ["immutable", "data", "binaryData"] {
                if at(old, field) != at(new, field) {
                    forbidden(field, "field is immutable when `immutable` is set");
                }
            }
        }
        Res::RoleBindings | Res::ClusterRoleBindings if at(old, "roleRef") != at(new, "roleRef") => {
            causes.push(Cause::invalid("roleRef", at(new, "roleRef"), "cannot change roleRef"));
        }
        Res::Services => cluster_address(old, new, causes),
        _ => {}
    }
}

/// A service keeps its address for as long as it has one.
fn cluster_address(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let has = |service: &Value| text(service, "spec.type") != "ExternalName";
    let (before, after) = (at(old, "spec.clusterIP"), at(new, "spec.clusterIP"));
    if has(old) && has(new) && !before.is_null() && before != after {
        causes.push(Cause::invalid("spec.clusterIPs[0]", after, "may not change once set"));
    }
}

/// What of a claim does not change; the volume may be said once.
fn fixed_claim(old: &Value, claim: &Value) -> Value {
    let mut spec = at(claim, "spec").clone();
    let mut free = vec!["resources", "volumeAttributesClassName"];
    if text(old, "spec.volumeName").is_empty() {
        free.push("volumeName");
    }
    for field in free {
        super::fields::unset(&mut spec, field);
    }
    spec
}

/// What is wrong with a change of ephemeral containers: they are only ever added.
pub(crate) fn ephemeral(old: &Value, new: &Value) -> Vec<Cause> {
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

fn fixed_parts(object: &Value) -> Vec<Value> {
    ["selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"]
        .map(|f| at(object, &format!("spec.{f}")).clone())
        .to_vec()
}

fn fixed_pod(pod: &Value) -> Value {
    let mut spec = at(pod, "spec").clone();
    for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"]
    {
        super::fields::unset(&mut spec, field);
    }
    for field in ["containers", "initContainers"] {
        if let Some(containers) = spec.get_mut(field).and_then(Value::as_array_mut) {
            containers.iter_mut().for_each(|c| super::fields::unset(c, "image"));
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(res: Res, old: Option<&Value>, new: &Value) -> Vec<String> {
        check(res, old, new).iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
    }

    fn deployment(app: &str) -> Value {
        json!({"metadata": {"name": "d"}, "spec": {
            "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }})
    }

    #[test]
    fn what_people_get_wrong_is_named() {
        assert!(said(Res::Deployments, None, &deployment("a")).is_empty());
        let wrong = said(Res::Deployments, None, &deployment("b"));
        assert_eq!(
            wrong,
            [
                "spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`"
            ]
        );
        assert_eq!(
            said(Res::Pods, None, &json!({"metadata": {"name": "p"}, "spec": {}})),
            ["spec.containers: Required value"]
        );
        assert!(
            said(Res::Namespaces, None, &json!({"metadata": {"name": "a.b"}}))[0].contains("RFC 1123 label")
        );
        assert!(
            said(Res::ConfigMaps, None, &json!({"metadata": {"name": "A"}}))[0]
                .contains("RFC 1123 subdomain")
        );
    }

    #[test]
    fn what_may_not_change_does_not() {
        let (old, mut new) = (deployment("a"), deployment("a"));
        crate::sim::fields::set(&mut new, "spec.selector.matchLabels.more", "x");
        crate::sim::fields::set(&mut new, "spec.template.metadata.labels.more", "x");
        assert_eq!(said(Res::Deployments, Some(&old), &new).len(), 1);
        let pod = |node: &str, image: &str| json!({"metadata": {"name": "p"}, "spec": {"nodeName": node, "containers": [{"name": "c", "image": image}]}});
        assert!(said(Res::Pods, Some(&pod("n", "a")), &pod("n", "b")).is_empty());
        assert_eq!(said(Res::Pods, Some(&pod("n", "a")), &pod("m", "a")).len(), 1);
        for (res, old, new, why) in [
            (
                Res::Jobs,
                json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "b"}], "restartPolicy": "Never"}}}}),
                json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "c"}], "restartPolicy": "Never"}}}}),
                "field is immutable",
            ),
            (
                Res::Claims,
                json!({"spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "v", "resources": {"requests": {"storage": "1Gi"}}}}),
                json!({"spec": {"accessModes": ["ReadWriteMany"], "volumeName": "v", "resources": {"requests": {"storage": "2Gi"}}}}),
                "spec: Forbidden: spec is immutable after creation",
            ),
            (
                Res::Services,
                json!({"spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 1}]}}),
                json!({"spec": {"clusterIP": "10.0.0.2", "ports": [{"port": 1}]}}),
                "may not change once set",
            ),
            (
                Res::ConfigMaps,
                json!({"immutable": true, "data": {"a": "1"}}),
                json!({"immutable": true, "data": {"a": "2"}}),
                "field is immutable when `immutable` is set",
            ),
            (
                Res::RoleBindings,
                json!({"roleRef": {"name": "a"}}),
                json!({"roleRef": {"name": "b"}}),
                "cannot change roleRef",
            ),
            (
                Res::PriorityClasses,
                json!({"value": 1}),
                json!({"value": 2}),
                "may not be changed in an update.",
            ),
        ] {
            let causes = said(res, Some(&old), &new);
            assert!(causes.len() == 1 && causes[0].contains(why), "{res:?}: {causes:?}");
            assert_eq!(said(res, Some(&old), &old), Vec::<String>::new(), "{res:?}");
        }
        let grown = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
        let claim = json!({"spec": {"resources": {"requests": {"storage": "1Gi"}}}});
        assert!(said(Res::Claims, Some(&claim), &grown).is_empty(), "a claim may grow");
    }

    #[test]
    fn a_schedule_is_read_before_it_is_kept() {
        let cron = |schedule: &str| {
            json!({"metadata": {"name": "c"}, "spec": {"schedule": schedule, "jobTemplate": {"spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}}})
        };
        assert!(said(Res::CronJobs, None, &cron("*/5 * * * *")).is_empty());
        let wrong = said(Res::CronJobs, None, &cron("99 * * * *"));
        assert_eq!(wrong.len(), 1);
        assert!(
            wrong[0].starts_with("spec.schedule: Invalid value: \"99 * * * *\": end of range (99)"),
            "{wrong:?}"
        );
    }
}
