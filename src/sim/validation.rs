//! What the server checks of built-in objects beyond their types: the rules that people run into
//! (`kubernetes/kubernetes:pkg/apis/*/validation`).
//!
//! A real server names some causes twice, once for each of its validators that meets them; here
//! each is named once.

mod amounts;
mod network;
mod nodes;
mod others;
mod pods;
mod rights;
mod storage;
mod syntax;
mod workloads;

use crate::sim::json::{Value, json};

use super::fields::{at, flag, maybe_int, name, text};
use super::refusal::Cause;
use super::resources::Res;

pub(crate) use syntax::{label_value, qualified};

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// What is wrong with an object that is about to be kept. `old` is what it was; `sub` is the
/// subresource by which it is written, empty for the object itself.
pub(crate) fn check(res: Res, sub: &str, old: Option<&Value>, new: &Value) -> Vec<Cause> {
    match (sub, old) {
        ("ephemeralcontainers", Some(old)) => return pods::ephemeral(old, new),
        ("resize", Some(old)) => return pods::resize(old, new),
        _ => {}
    }
    let mut causes = Vec::new();
    if old.is_none() {
        names(res, new, &mut causes);
    }
    syntax::metadata(old, new, &mut causes);
    // of what is written below `status` the rest was looked at when it was written
    if sub == "status" && ![Res::Nodes, Res::SigningRequests].contains(&res) {
        status(res, new, &mut causes);
        return causes;
    }
    for field in ["spec.replicas", "spec.parallelism", "spec.completions", "spec.minReadySeconds"] {
        if maybe_int(new, field).is_some_and(|n| n < 0) {
            causes.push(Cause::invalid(field, at(new, field), NOT_NEGATIVE));
        }
    }
    whole(res, sub, old, new, &mut causes);
    if let Some(old) = old {
        unchanged(res, old, new, &mut causes);
    }
    causes
}

/// What is wrong with an object as its kind has it.
fn whole(res: Res, sub: &str, old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    match res {
        Res::Pods => pods::pod(at(new, "spec"), "spec", causes),
        Res::Deployments | Res::ReplicaSets | Res::StatefulSets | Res::DaemonSets => {
            workloads::workload(new, causes);
        }
        Res::ReplicationControllers => workloads::controller(new, causes),
        Res::Jobs => workloads::job(at(new, "spec.template"), "spec.template", causes),
        Res::CronJobs => {
            workloads::schedule(new, causes);
            let path = "spec.jobTemplate.spec.template";
            workloads::job(at(new, path), path, causes);
        }
        Res::Autoscalers => workloads::autoscaler(new, causes),
        Res::Budgets
            if !at(new, "spec.minAvailable").is_null() && !at(new, "spec.maxUnavailable").is_null() =>
        {
            let why = "minAvailable and maxUnavailable cannot be both set";
            causes.push(Cause::invalid("spec", at(new, "spec"), why));
        }
        Res::Services => network::service(new, causes),
        Res::Ingresses => network::ingress(new, causes),
        Res::EndpointSlices => network::slice(new, causes),
        Res::Endpoints => network::endpoints(new, causes),
        Res::StorageClasses => storage::class(new, causes),
        Res::VolumeClasses if text(new, "driverName").is_empty() => {
            causes.push(Cause::required("driverName", ""));
        }
        Res::Volumes => storage::volume(new, causes),
        Res::Claims => storage::claim(old, new, causes),
        Res::Quotas => amounts::quota(new, "spec", causes),
        Res::LimitRanges => amounts::limits(new, causes),
        Res::Nodes => nodes::node(old, new, causes),
        Res::PriorityClasses => others::priority(new, causes),
        Res::Leases => others::lease(new, causes),
        Res::Roles | Res::ClusterRoles => rights::role(res, new, causes),
        Res::RoleBindings | Res::ClusterRoleBindings => rights::binding(res, new, causes),
        Res::SigningRequests => rights::signing(old, new, sub, causes),
        Res::Definitions => causes.extend(super::custom::check(new)),
        _ => {}
    }
}

/// What is wrong with a status that a client writes.
fn status(res: Res, new: &Value, causes: &mut Vec<Cause>) {
    match res {
        Res::Quotas => amounts::quota(new, "status", causes),
        _ => workloads::status(res, new, causes),
    }
}

/// Names that DNS could have.
fn names(res: Res, new: &Value, causes: &mut Vec<Cause>) {
    let own = name(new);
    let wrong = match res {
        // roles are named by path segments, requests for certificates by anything
        Res::Roles
        | Res::RoleBindings
        | Res::ClusterRoles
        | Res::ClusterRoleBindings
        | Res::SigningRequests => return,
        Res::Namespaces | Res::Services => syntax::label(own),
        _ => syntax::subdomain(own),
    };
    syntax::say(causes, "metadata.name", &json!(own), wrong);
}

/// What is wrong with an object of a custom resource that is about to be kept, beside its schema.
pub(crate) fn custom(old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if old.is_none() {
        let own = name(new);
        syntax::say(&mut causes, "metadata.name", &json!(own), syntax::subdomain(own));
    }
    syntax::metadata(old, new, &mut causes);
    causes
}

/// What no change may touch.
fn unchanged(res: Res, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let fixed: &[&str] = match res {
        Res::Deployments | Res::ReplicaSets | Res::DaemonSets => &["spec.selector"],
        Res::Jobs => &["spec.completions", "spec.selector", "spec.template", "spec.completionMode"],
        Res::StorageClasses => &["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"],
        Res::EndpointSlices => &["addressType"],
        Res::StorageCapacities => &["nodeTopology", "storageClassName"],
        Res::VolumeClasses => &["driverName", "parameters"],
        Res::Addresses => &["spec.parentRef"],
        Res::Quotas => &["spec.scopes"],
        Res::PriorityClasses => &["preemptionPolicy"],
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
        Res::StatefulSets if fixed_parts(old) != fixed_parts(new) => {
            let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                       'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                       'minReadySeconds' are forbidden";
            forbidden("spec", why);
        }
        Res::Pods => pods::unchanged(old, new, causes),
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

fn fixed_parts(object: &Value) -> Vec<Value> {
    ["selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"]
        .map(|f| at(object, &format!("spec.{f}")).clone())
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::{self, Scenario};

    fn said(res: Res, old: Option<&Value>, new: &Value) -> Vec<String> {
        check(res, "", old, new).iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
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
        let service = |ip: &str| {
            json!({"spec": {"type": "ClusterIP", "sessionAffinity": "None", "clusterIP": ip,
                "ports": [{"port": 1, "targetPort": 1, "protocol": "TCP"}]}})
        };
        let binding = |role: &str| json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}});
        for (res, old, new, why) in [
            (
                Res::Jobs,
                json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "b"}], "restartPolicy": "Never"}}}}),
                json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "c"}], "restartPolicy": "Never"}}}}),
                "field is immutable",
            ),
            (Res::Services, service("10.0.0.1"), service("10.0.0.2"), "may not change once set"),
            (
                Res::ConfigMaps,
                json!({"immutable": true, "data": {"a": "1"}}),
                json!({"immutable": true, "data": {"a": "2"}}),
                "field is immutable when `immutable` is set",
            ),
            (Res::RoleBindings, binding("a"), binding("b"), "cannot change roleRef"),
            (
                Res::PriorityClasses,
                json!({"value": 1, "preemptionPolicy": "Never"}),
                json!({"value": 2, "preemptionPolicy": "Never"}),
                "may not be changed in an update.",
            ),
        ] {
            let causes = said(res, Some(&old), &new);
            assert!(causes.len() == 1 && causes[0].contains(why), "{res:?}: {causes:?}");
            assert_eq!(said(res, Some(&old), &old), Vec::<String>::new(), "{res:?}");
        }
    }

    #[test]
    fn what_scenarios_bring_a_server_would_have_taken() {
        let now = crate::model::Time::from_seconds(1_795_226_400);
        let of = |text: &str| Scenario::parse("scenario", text).unwrap();
        let trouble = of(include_str!("../../assets/scenarios/trouble.toml"));
        let drill = of(include_str!("../../assets/scenarios/drill.toml"));
        let night = Scenario::night_shift().unwrap();
        for scenario in [night, trouble, drill, Scenario::small().unwrap(), Scenario::sized(1, 3, 20)] {
            for cluster in &scenario.file.clusters {
                let world = scenario::build(&scenario.file, cluster, now);
                for res in Res::ALL {
                    for object in world.store.list(res, None) {
                        let own = name(object);
                        assert_eq!(said(res, None, object), Vec::<String>::new(), "{res:?} {own}");
                        assert_eq!(said(res, Some(object), object), Vec::<String>::new(), "{res:?} {own}");
                    }
                }
            }
        }
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
