//! Limit ranges of namespaces: what containers are given that say nothing, and what is refused
//! (`kubernetes/kubernetes:plugin/pkg/admission/limitranger`).

use super::fields::{annotate, list, list_mut, map, name, namespace, object_mut, place, text};
use super::json::{Map, Value};
use super::objects::Store;
use super::quota::{amount, quantity_of, sum};
use super::refusal::Refusal;
use super::resources::Res;
use super::world::World;

/// Defaults of a limit range: of containers, what is not said follows from what is
/// (`pkg/apis/core/v1/defaults.go` `SetDefaults_LimitRangeItem`).
pub(crate) fn complete(range: &mut Value) {
    if list(range, "spec.limits").is_empty() {
        return;
    }
    for item in list_mut(place(range, "spec.limits")).iter_mut().filter(|i| text(i, "type") == "Container") {
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            let said = map(item, from).clone();
            for (resource, amount) in said.iter() {
                object_mut(place(item, to)).entry(resource).or_insert(amount.clone());
            }
        }
    }
}

/// The limits of a namespace for containers, pods or claims.
fn limits(store: &Store, space: &str, kind: &str) -> Vec<Value> {
    let items = store.list(Res::LimitRanges, Some(space)).flat_map(|r| list(r, "spec.limits"));
    items.filter(|l| text(l, "type") == kind).cloned().collect()
}

const CONTAINERS: [(&str, &str); 2] = [("containers", "container"), ("initContainers", "init container")];

/// Fills in what a namespace gives to containers that say nothing.
pub(crate) fn fill_in(world: &World, pod: &mut Value) {
    let mut told: Vec<String> = Vec::new();
    for limit in limits(&world.store, namespace(pod), "Container") {
        for (key, word) in CONTAINERS {
            if list(pod, &format!("spec.{key}")).is_empty() {
                continue;
            }
            for container in list_mut(place(pod, &format!("spec.{key}"))) {
                for (kind, from) in [("request", "defaultRequest"), ("limit", "default")] {
                    let mut given = fill(container, &format!("resources.{kind}s"), map(&limit, from));
                    if !given.is_empty() {
                        given.sort_unstable();
                        let own = text(container, "name");
                        told.push(format!("{} {kind} for {word} {own}", given.join(", ")));
                    }
                }
            }
        }
    }
    if !told.is_empty() {
        annotate(pod, "kubernetes.io/limit-ranger", &format!("LimitRanger plugin set: {}", told.join("; ")));
    }
}

/// Gives a container the amounts that it does not say; says which.
fn fill(container: &mut Value, path: &str, from: &Map) -> Vec<String> {
    let mut given = Vec::new();
    for (resource, value) in from.iter() {
        if !map(container, path).contains_key(resource) {
            object_mut(place(container, path)).insert(resource.clone(), value.clone());
            given.push(resource.to_string());
        }
    }
    given
}

/// What something asks for and may use at most.
struct Said<'a> {
    of: &'a str,
    requests: Map,
    limits: Map,
}

/// Refuses what asks for too little or too much.
pub(crate) fn refuse(world: &World, res: Res, object: &Value) -> Result<(), Refusal> {
    let space = namespace(object);
    let mut wrong = Vec::new();
    if res == Res::Pods {
        for limit in limits(&world.store, space, "Container") {
            for container in CONTAINERS.iter().flat_map(|(key, _)| list(object, &format!("spec.{key}"))) {
                let of = |kind: &str| map(container, &format!("resources.{kind}")).clone();
                let said = Said { of: "Container", requests: of("requests"), limits: of("limits") };
                wrong.extend(said.outside(&limit));
            }
        }
        for limit in limits(&world.store, space, "Pod") {
            let of = |kind: &str| -> Map {
                let sum = sum(object, kind).into_iter();
                sum.map(|(k, n)| (super::json::intern(&k), quantity_of(&k, n).into())).collect()
            };
            wrong.extend(Said { of: "Pod", requests: of("requests"), limits: of("limits") }.outside(&limit));
        }
    }
    if res == Res::Claims {
        for limit in limits(&world.store, space, "PersistentVolumeClaim") {
            let requests = map(object, "spec.resources.requests").clone();
            // of a claim the most is of what it asks for
            let said = Said { of: "PersistentVolumeClaim", limits: requests.clone(), requests };
            wrong.extend(said.outside(&limit).into_iter().map(|why| why.replace(" limit ", " request ")));
        }
    }
    let why = match wrong.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(Refusal::forbids(res.spec(), name(object), &why))
}

impl Said<'_> {
    /// What is wrong with it.
    fn outside(&self, limit: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        for (resource, bound) in map(limit, "min").iter() {
            wrong.extend(self.against(resource, amount(resource, bound), "minimum", ("request", "limit")));
        }
        for (resource, bound) in map(limit, "max").iter() {
            wrong.extend(self.against(resource, amount(resource, bound), "maximum", ("limit", "request")));
        }
        for (resource, ratio) in map(limit, "maxLimitRequestRatio").iter() {
            wrong.extend(self.ratio(resource, ratio));
        }
        wrong
    }

    fn amount(&self, kind: &str, resource: &str) -> Option<i64> {
        let all = if kind == "limit" { &self.limits } else { &self.requests };
        all.get(resource).map(|v| amount(resource, v))
    }

    /// One bound: what must be said, and what must keep to it as well if it is said
    /// (`minConstraint`, `maxConstraint`).
    fn against(&self, resource: &str, bound: i64, word: &str, kinds: (&str, &str)) -> Option<String> {
        let rule = format!("{word} {resource} usage per {} is {}", self.of, quantity_of(resource, bound));
        let breaks = |n: &i64| if word == "minimum" { *n < bound } else { *n > bound };
        let said = |kind: &str, n: i64| format!("{rule}, but {kind} is {}", quantity_of(resource, n));
        let Some(first) = self.amount(kinds.0, resource) else {
            return Some(format!("{rule}.  No {} is specified", kinds.0));
        };
        if breaks(&first) {
            return Some(said(kinds.0, first));
        }
        self.amount(kinds.1, resource).filter(breaks).map(|n| said(kinds.1, n))
    }

    /// How much larger a limit may be than its request (`limitRequestRatioConstraint`).
    fn ratio(&self, resource: &str, most: &Value) -> Option<String> {
        let shown = most.as_str().map_or_else(|| most.to_string(), str::to_owned);
        let rule = format!("{resource} max limit to request ratio per {} is {shown}", self.of);
        for kind in ["request", "limit"] {
            if self.amount(kind, resource).unwrap_or(0) == 0 {
                return Some(format!("{rule}, but no {kind} is specified or {kind} is 0"));
            }
        }
        let of = |kind: &str| self.amount(kind, resource).unwrap_or(0) as f64;
        let own = of("limit") / of("request");
        // a ratio is a quantity: thousandths are exact
        let most = amount("cpu", most) as f64 / 1000.0;
        (own > most).then(|| format!("{rule}, but provided ratio is {own:.6}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;
    use crate::sim::admission;
    use crate::sim::fields::at;
    use crate::sim::json::json;

    fn world(limits: Value) -> World {
        let mut world = World::new("w", "v1.36.3", 1, Time::from_seconds(1_795_226_400));
        let mut range =
            json!({ "metadata": { "name": "team", "namespace": "a" }, "spec": { "limits": [limits] } });
        complete(&mut range);
        let now = world.now;
        world.store.create(Res::LimitRanges, range, now).unwrap();
        world
    }

    fn ask(world: &mut World, resources: Value) -> Result<Value, String> {
        let mut pod = json!({ "metadata": { "name": "p", "namespace": "a" },
            "spec": { "containers": [{ "name": "app", "image": "x", "resources": resources }] } });
        admission::admit(world, Res::Pods, &mut pod);
        admission::refuse(world, Res::Pods, &pod, true).map_err(|r| {
            assert_eq!((r.code, r.reason), (403, "Forbidden"));
            r.message
        })?;
        Ok(pod)
    }

    #[test]
    fn limits_are_filled_in_and_kept() {
        let mut w = world(json!({ "type": "Container", "default": { "memory": "1Gi" },
            "defaultRequest": { "cpu": "100m" }, "min": { "cpu": "50m" }, "max": { "memory": "2Gi" } }));
        let plain = ask(&mut w, json!({})).unwrap();
        assert_eq!(
            at(&plain, "spec.containers")[0]["resources"],
            json!({ "requests": { "cpu": "100m", "memory": "1Gi" }, "limits": { "memory": "1Gi" } })
        );
        let note =
            "LimitRanger plugin set: cpu, memory request for container app; memory limit for container app";
        assert_eq!(map(&plain, "metadata.annotations")["kubernetes.io/limit-ranger"], note);
        assert_eq!(
            ask(&mut w, json!({ "requests": { "cpu": "10m" }, "limits": { "memory": "4Gi" } })).unwrap_err(),
            "pods \"p\" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m, maximum memory \
             usage per Container is 2Gi, but limit is 4Gi]"
        );
    }

    #[test]
    fn the_most_alone_is_what_those_get_that_say_nothing() {
        let mut w = world(json!({ "type": "Container", "max": { "cpu": "2" } }));
        let plain = ask(&mut w, json!({})).unwrap();
        let both = json!({ "requests": { "cpu": "2" }, "limits": { "cpu": "2" } });
        assert_eq!(at(&plain, "spec.containers")[0]["resources"], both);
        let much = ask(&mut w, json!({ "requests": { "cpu": "3" }, "limits": { "cpu": "3" } })).unwrap_err();
        assert!(much.ends_with("maximum cpu usage per Container is 2, but limit is 3"), "{much}");
    }

    #[test]
    fn pods_ratios_and_claims_have_limits_too() {
        let mut w = world(
            json!({ "type": "Pod", "max": { "memory": "1Gi" }, "maxLimitRequestRatio": { "memory": "2" } }),
        );
        let limited = |request: &str, limit: &str| json!({ "requests": { "memory": request }, "limits": { "memory": limit } });
        assert!(ask(&mut w, limited("512Mi", "1Gi")).is_ok());
        let why = ask(&mut w, limited("512Mi", "2Gi")).unwrap_err();
        assert!(why.contains("maximum memory usage per Pod is 1Gi, but limit is 2Gi"), "{why}");
        assert!(
            why.contains("memory max limit to request ratio per Pod is 2, but provided ratio is 4.000000"),
            "{why}"
        );
        let w = world(json!({ "type": "PersistentVolumeClaim", "max": { "storage": "10Gi" } }));
        let claim = |size: &str| {
            json!({ "metadata": { "name": "c", "namespace": "a" },
            "spec": { "resources": { "requests": { "storage": size } } } })
        };
        assert!(refuse(&w, Res::Claims, &claim("10Gi")).is_ok());
        assert_eq!(
            refuse(&w, Res::Claims, &claim("20Gi")).unwrap_err().message,
            "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 10Gi, but \
             request is 20Gi"
        );
    }
}
