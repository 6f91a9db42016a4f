//! Quotas of namespaces: what objects are charged with, and what is refused
//! (`kubernetes/kubernetes:plugin/pkg/admission/resourcequota`).
//!
//! Quotas with scopes are kept and not enforced.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fields::{at, list, map, name, namespace, requests, set, text};
use super::json::{Map, Value};
use super::objects::Store;
use super::refusal::Refusal;
use super::resources::{Res, Spec};
use super::world::World;
use crate::model::quantity;

/// Amounts by the name of the resource: of CPU in thousandths of a core, else in units.
pub(crate) type Amounts = BTreeMap<String, i64>;

fn is_cpu(resource: &str) -> bool {
    resource == "cpu" || resource.ends_with(".cpu")
}

pub(crate) fn amount(resource: &str, value: &Value) -> i64 {
    let text = match value {
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    };
    let parsed = if is_cpu(resource) { quantity::parse_milli(&text) } else { quantity::parse_units(&text) };
    parsed.unwrap_or(0)
}

fn amounts(listed: &Map) -> Amounts {
    listed.iter().map(|(k, v)| (k.to_string(), amount(k, v))).collect()
}

/// An amount as a quantity in its canonical form.
pub(crate) fn quantity_of(resource: &str, amount: i64) -> String {
    if is_cpu(resource) {
        return if amount % 1000 == 0 { (amount / 1000).to_string() } else { format!("{amount}m") };
    }
    let binary = resource.ends_with("memory") || resource.ends_with("storage");
    let units = [("Ti", 1_i64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match units.into_iter().find(|(_, unit)| binary && amount != 0 && amount % unit == 0) {
        Some((suffix, unit)) => format!("{}{suffix}", amount / unit),
        None => amount.to_string(),
    }
}

/// What an object is charged with.
fn charge(spec: &Spec, object: &Value) -> Amounts {
    let group = if spec.group.is_empty() { String::new() } else { format!(".{}", spec.group) };
    let mut charge = Amounts::from([(format!("count/{}{group}", spec.plural), 1)]);
    match &*spec.plural {
        "pods" => {
            if ["Succeeded", "Failed"].contains(&text(object, "status.phase")) {
                return charge;
            }
            charge.insert("pods".into(), 1);
            for (kind, plain) in [("requests", true), ("limits", false)] {
                for (resource, value) in sum(object, kind) {
                    if plain {
                        charge.insert(resource.clone(), value);
                    }
                    charge.insert(format!("{kind}.{resource}"), value);
                }
            }
        }
        "persistentvolumeclaims" => {
            charge.insert("persistentvolumeclaims".into(), 1);
            let storage = at(object, "spec.resources.requests.storage");
            charge.insert("requests.storage".into(), amount("storage", storage));
        }
        "services" => {
            charge.insert("services".into(), 1);
            let ports = i64::try_from(list(object, "spec.ports").len()).unwrap_or(i64::MAX);
            let (kind, gives) = (text(object, "spec.type"), at(object, "spec.allocateLoadBalancerNodePorts"));
            let balanced = kind == "LoadBalancer";
            if kind == "NodePort" || balanced && gives.as_bool() != Some(false) {
                charge.insert("services.nodeports".into(), ports);
            }
            if balanced {
                charge.insert("services.loadbalancers".into(), 1);
            }
        }
        "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas" => {
            charge.insert(spec.plural.to_string(), 1);
        }
        _ => {}
    }
    charge
}

/// What the containers of a pod ask for, or may use at most, together, as the scheduler counts.
pub(crate) fn sum(pod: &Value, kind: &str) -> Amounts {
    let field = format!("resources.{kind}");
    let of = |container: &Value| amounts(map(container, &field));
    requests(pod, Amounts::new(), of, each(i64::saturating_add), each(i64::max))
}

/// Amounts put together resource by resource.
fn each(put: fn(i64, i64) -> i64) -> impl Fn(Amounts, Amounts) -> Amounts {
    move |mut all, more| {
        for (resource, value) in more {
            let entry = all.entry(resource).or_default();
            *entry = put(*entry, value);
        }
        all
    }
}

/// The quotas of a namespace that are enforced.
fn quotas(store: &Store, space: &str) -> Vec<Arc<Value>> {
    let scoped = |q: &&Arc<Value>| list(q, "spec.scopes").is_empty() && at(q, "spec.scopeSelector").is_null();
    store.list(Res::Quotas, Some(space)).filter(scoped).cloned().collect()
}

/// What is used of a quota now.
fn used(store: &Store, quota: &Value) -> Amounts {
    let mut used: Amounts = amounts(map(quota, "spec.hard")).into_keys().map(|k| (k, 0)).collect();
    let pods = used.keys().any(|k| !k.starts_with("count/") || k == "count/pods");
    for res in Res::ALL {
        let spec = res.spec();
        let own = |k: &str| k.split('.').next() == Some(&*spec.plural);
        let counted = used.keys().any(|k| k.starts_with("count/") || own(k));
        let claims = res == Res::Claims && used.contains_key("requests.storage");
        if !spec.namespaced || !(counted || claims || res == Res::Pods && pods) {
            continue;
        }
        for object in store.list(res, Some(namespace(quota))) {
            for (resource, value) in charge(spec, object) {
                if let Some(sum) = used.get_mut(&resource) {
                    *sum += value;
                }
            }
        }
    }
    used
}

/// Refuses an object that a quota has no room for; `status.used` grows with one that it has. `old`
/// is what it was, if it is there already and grows.
pub(crate) fn admit(
    world: &mut World,
    res: Res,
    old: Option<&Value>,
    object: &Value,
    dry: bool,
) -> Result<(), Refusal> {
    if !res.spec().namespaced {
        return Ok(());
    }
    for quota in quotas(&world.store, namespace(object)) {
        let hard = amounts(map(&quota, "spec.hard"));
        if res == Res::Pods {
            told(&quota, &hard, object)?;
        }
        let before = old.map(|old| charge(res.spec(), old)).unwrap_or_default();
        let more = |(k, n): (String, i64)| (n - before.get(&k).copied().unwrap_or(0), k);
        let wanted: Amounts = charge(res.spec(), object)
            .into_iter()
            .map(more)
            .filter(|(n, k)| hard.contains_key(k) && *n > 0)
            .map(|(n, k)| (k, n))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let used = used(&world.store, &quota);
        let now = |k: &String| used.get(k).copied().unwrap_or(0);
        let over: Vec<&String> =
            wanted.iter().filter(|(k, n)| now(k) + **n > hard[*k]).map(|(k, _)| k).collect();
        if !over.is_empty() {
            let said = |value: &dyn Fn(&String) -> i64| -> String {
                let parts = over.iter().map(|k| format!("{k}={}", quantity_of(k, value(k))));
                parts.collect::<Vec<_>>().join(",")
            };
            let why = format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                name(&quota),
                said(&|k| wanted[k]),
                said(&now),
                said(&|k| hard[k])
            );
            return Err(Refusal::forbids(res.spec(), name(object), &why));
        }
        if !dry {
            let sum =
                used.iter().map(|(k, n)| (k.clone(), n + wanted.get(k).copied().unwrap_or(0))).collect();
            write(world, &quota, &sum);
        }
    }
    Ok(())
}

/// A quota of requests or limits needs pods that say them.
fn told(quota: &Value, hard: &Amounts, pod: &Value) -> Result<(), Refusal> {
    let computed = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
    let mut missing = Vec::new();
    for resource in hard.keys().filter(|k| computed.contains(&k.as_str())) {
        let (kind, plain) = resource.split_once('.').unwrap_or(("requests", resource));
        let silent = list(pod, "spec.containers")
            .iter()
            .filter(|c| !map(c, &format!("resources.{kind}")).contains_key(plain));
        let names: Vec<&str> = silent.map(|c| text(c, "name")).collect();
        if !names.is_empty() {
            missing.push(format!("{resource} for: {}", names.join(",")));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!("failed quota: {}: must specify {}", name(quota), missing.join("; "));
    Err(Refusal::forbids(Res::Pods.spec(), name(pod), &why))
}

/// The quota controller: counts what is used.
pub(crate) fn count(world: &mut World, space: &str, quota: &str) {
    if let Some(quota) = world.store.get(Res::Quotas, space, quota).cloned() {
        let used = used(&world.store, &quota);
        write(world, &quota, &used);
    }
}

fn write(world: &mut World, quota: &Value, used: &Amounts) {
    let hard = at(quota, "spec.hard").clone();
    let used: Map = used.iter().map(|(k, n)| (super::json::intern(k), quantity_of(k, *n).into())).collect();
    world.store.update(Res::Quotas, namespace(quota), name(quota), |q| {
        set(q, "status.hard", hard);
        set(q, "status.used", used);
    });
}

/// Whether a namespace counts what is in it.
pub(crate) fn counts(world: &World, space: &str) -> bool {
    !space.is_empty() && world.store.list(Res::Quotas, Some(space)).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;
    use crate::sim::admission;
    use crate::sim::json::json;

    fn world(quota: Value) -> World {
        let mut world = World::new("w", "v1.36.3", 1, Time::from_seconds(1_795_226_400));
        let now = world.now;
        let of = |spec: Value| json!({ "metadata": { "name": "team", "namespace": "a" }, "spec": spec });
        world.store.create(Res::Quotas, of(json!({ "hard": quota })), now).unwrap();
        world
    }

    fn ask(world: &mut World, name: &str, resources: Value) -> Result<Arc<Value>, String> {
        let mut pod = json!({ "metadata": { "name": name, "namespace": "a" },
            "spec": { "containers": [{ "name": "app", "image": "x", "resources": resources }] } });
        admission::admit(world, Res::Pods, &mut pod);
        admission::refuse(world, Res::Pods, &pod, false).map_err(|r| {
            assert_eq!((r.code, r.reason), (403, "Forbidden"));
            r.message
        })?;
        Ok(world.store.create(Res::Pods, pod, world.now).unwrap())
    }

    #[test]
    fn services_are_charged_with_what_they_take() {
        let of = |kind: &str| {
            let service = json!({ "spec": { "type": kind, "ports": [{ "port": 1 }, { "port": 2 }] } });
            let all = charge(Res::Services.spec(), &service);
            ["services", "services.nodeports", "services.loadbalancers"]
                .map(|k| all.get(k).copied().unwrap_or(0))
        };
        assert_eq!(of("ClusterIP"), [1, 0, 0]);
        assert_eq!(of("NodePort"), [1, 2, 0]);
        assert_eq!(of("LoadBalancer"), [1, 2, 1]);
    }

    #[test]
    fn sidecars_are_charged_with_the_containers_beside_them() {
        let c = |cpu: &str| json!({ "resources": { "requests": { "cpu": cpu } } });
        let sidecar = json!({ "restartPolicy": "Always", "resources": { "requests": { "cpu": "200m" } } });
        let pod = json!({ "spec": { "containers": [c("100m"), c("50m")], "initContainers": [sidecar, c("300m")] } });
        assert_eq!(sum(&pod, "requests")["cpu"], 350);
    }

    #[test]
    fn what_is_there_is_charged_with_its_growth_alone() {
        let mut w = world(json!({ "requests.cpu": "1" }));
        let one = ask(&mut w, "one", json!({ "requests": { "cpu": "600m" } })).unwrap();
        let grown = |cpu: &str| {
            let mut new = (*one).clone();
            let own = json!([{ "name": "app", "image": "x", "resources": { "requests": { "cpu": cpu } } }]);
            set(&mut new, "spec.containers", own);
            new
        };
        assert!(admit(&mut w, Res::Pods, Some(&one), &grown("900m"), true).is_ok());
        let much = admit(&mut w, Res::Pods, Some(&one), &grown("1100m"), true).unwrap_err();
        assert!(
            much.message.contains("requested: requests.cpu=500m, used: requests.cpu=600m"),
            "{}",
            much.message
        );
    }

    #[test]
    fn a_quota_has_room_until_it_has_not() {
        let mut w = world(json!({ "pods": "5", "requests.cpu": "1", "count/pods": "9" }));
        let silent = ask(&mut w, "silent", json!({})).unwrap_err();
        assert_eq!(
            silent,
            "pods \"silent\" is forbidden: failed quota: team: must specify requests.cpu for: app"
        );
        ask(&mut w, "one", json!({ "requests": { "cpu": "600m" } })).unwrap();
        let used = |w: &World| at(w.store.get(Res::Quotas, "a", "team").unwrap(), "status.used").clone();
        assert_eq!(used(&w), json!({ "pods": "1", "requests.cpu": "600m", "count/pods": "1" }));
        assert_eq!(
            ask(&mut w, "two", json!({ "requests": { "cpu": "0.5" } })).unwrap_err(),
            "pods \"two\" is forbidden: exceeded quota: team, requested: requests.cpu=500m, used: \
             requests.cpu=600m, limited: requests.cpu=1"
        );
        let one = w.store.get(Res::Pods, "a", "one").unwrap().clone();
        w.store.remove(Res::Pods, &one);
        count(&mut w, "a", "team");
        assert_eq!(used(&w), json!({ "pods": "0", "requests.cpu": "0", "count/pods": "0" }));
    }
}
