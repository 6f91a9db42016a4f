//! What pods and templates of pods are given: defaults (`kubernetes/kubernetes:pkg/apis/core/v1/defaults.go`),
//! and what the plugins `ServiceAccount`, `DefaultTolerationSeconds` and `Priority` add.

use std::sync::LazyLock;

use super::default;
use crate::sim::fields::{
    at, int, list, list_mut, map, name, namespace, object_mut, place, resources, set, text, uid,
};
use crate::sim::json::{Value, intern, json};
use crate::sim::random::Random;
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;
use crate::sim::world::World;

const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The mode of files of volumes that say none: 0644.
const FILE_MODE: i64 = 0o644;

/// Defaults of a pod's spec, in a pod or in a template.
pub(super) fn spec(spec: &mut Value) {
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", json!("default-scheduler"));
    // the old name of the same field is written as well
    let account = text(spec, "serviceAccountName").to_owned();
    match (account.as_str(), text(spec, "serviceAccount").to_owned()) {
        ("", old) if !old.is_empty() => set(spec, "serviceAccountName", old),
        ("", _) => {}
        _ => default(spec, "serviceAccount", json!(account)),
    }
    for kind in CONTAINERS {
        // what has its defaults stays shared with the template that it is of
        if !list(spec, kind).iter().any(|c| lacks(c, kind)) {
            continue;
        }
        let containers = spec.get_mut(kind).and_then(Value::as_array_mut);
        containers.into_iter().flatten().for_each(|c| container(c, kind));
    }
    if list(spec, "volumes").iter().any(lacks_mode) {
        list_mut(place(spec, "volumes")).iter_mut().for_each(volume);
    }
}

/// Defaults of a pod's spec that templates do not have: requests are what the limits are
/// (`SetDefaults_Pod`).
pub(super) fn complete(of: &mut Value) {
    spec(of);
    default(of, "enableServiceLinks", json!(true));
    if of["hostNetwork"].as_bool() == Some(true) {
        host_ports(of);
    }
    for kind in ["containers", "initContainers"] {
        let silent = |c: &Value| {
            let asked = map(c, "resources.requests");
            map(c, "resources.limits").keys().any(|k| !asked.contains_key(k))
        };
        if !list(of, kind).iter().any(silent) {
            continue;
        }
        for container in of.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
            let limits = map(container, "resources.limits").clone();
            for (resource, amount) in limits.iter() {
                let requests = object_mut(place(container, "resources.requests"));
                requests.entry(resource).or_insert(amount.clone());
            }
        }
    }
}

/// What uses the network of its node uses its ports.
fn host_ports(spec: &mut Value) {
    let containers = spec.get_mut("containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            let own = port["containerPort"].clone();
            default(port, "hostPort", own);
        }
    }
}

/// Defaults of a container.
fn container(container: &mut Value, kind: &str) {
    default(container, "resources", json!({}));
    default(container, "terminationMessagePath", json!("/dev/termination-log"));
    default(container, "terminationMessagePolicy", json!("File"));
    let image = text(container, "image");
    // the newest image is looked for each time
    let moving =
        image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains([':', '@']);
    let policy = if moving { "Always" } else { "IfNotPresent" };
    default(container, "imagePullPolicy", json!(policy));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        default(port, "protocol", json!("TCP"));
    }
    if kind == "ephemeralContainers" {
        return;
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if at(variable, "valueFrom.fieldRef").is_object() {
            default(variable, "valueFrom.fieldRef.apiVersion", json!("v1"));
        }
    }
    for key in PROBES {
        if let Some(one) = container.get_mut(key) {
            probe(one);
        }
    }
    for hook in ["lifecycle.postStart", "lifecycle.preStop"] {
        if at(container, hook).is_object() {
            request(place(container, hook));
        }
    }
}

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];

/// Defaults of a probe.
fn probe(probe: &mut Value) {
    for (key, usual) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        default(probe, key, json!(usual));
    }
    if at(probe, "grpc").is_object() {
        default(probe, "grpc.service", json!(""));
    }
    request(probe);
}

/// Defaults of an HTTP request of a probe or a hook.
fn request(handler: &mut Value) {
    if at(handler, "httpGet").is_object() {
        default(handler, "httpGet.path", json!("/"));
        default(handler, "httpGet.scheme", json!("HTTP"));
    }
}

/// Whether a container lacks one of its defaults.
fn lacks(container: &Value, kind: &str) -> bool {
    let own = ["resources", "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy"];
    let hooks = || list(container, "env").iter().any(|v| at(v, "valueFrom.fieldRef").is_object());
    own.iter().any(|field| container[*field].is_null())
        || list(container, "ports").iter().any(|port| port["protocol"].is_null())
        || kind != "ephemeralContainers"
            && (hooks()
                || container["lifecycle"].is_object()
                || PROBES.iter().any(|p| container[*p].is_object() && lacks_defaults(&container[*p])))
}

fn lacks_defaults(probe: &Value) -> bool {
    let own = ["timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    own.iter().any(|field| probe[*field].is_null())
        || at(probe, "httpGet").is_object() && at(probe, "httpGet.scheme").is_null()
        || at(probe, "grpc").is_object() && at(probe, "grpc.service").is_null()
}

/// Kinds of volumes whose files have a mode.
const MODED: [&str; 4] = ["secret", "configMap", "downwardAPI", "projected"];

fn lacks_mode(volume: &Value) -> bool {
    let moded = MODED.iter().any(|kind| volume[*kind].is_object() && volume[*kind]["defaultMode"].is_null());
    let path = &volume["hostPath"];
    moded || path.is_object() && path["type"].is_null() || volume.as_object().is_some_and(|v| v.len() == 1)
}

/// Defaults of a volume; one that is of no kind is an empty directory.
fn volume(volume: &mut Value) {
    if volume.as_object().is_some_and(|v| v.len() == 1) {
        set(volume, "emptyDir", json!({}));
    }
    for kind in MODED.into_iter().filter(|kind| volume[*kind].is_object()).collect::<Vec<_>>() {
        default(volume, &format!("{kind}.defaultMode"), json!(FILE_MODE));
    }
    if volume["hostPath"].is_object() {
        default(volume, "hostPath.type", json!(""));
    }
    let items = |v: &mut Value| {
        for item in v.as_array_mut().into_iter().flatten() {
            if at(item, "fieldRef").is_object() {
                default(item, "fieldRef.apiVersion", json!("v1"));
            }
        }
    };
    if let Some(own) = volume.pointer_mut("/downwardAPI/items") {
        items(own);
    }
    for source in volume.pointer_mut("/projected/sources").and_then(Value::as_array_mut).into_iter().flatten()
    {
        if at(source, "serviceAccountToken").is_object() {
            default(source, "serviceAccountToken.expirationSeconds", json!(3600));
        }
        if let Some(own) = source.pointer_mut("/downwardAPI/items") {
            items(own);
        }
    }
}

/// What a new pod is given beyond its defaults: its account, its priority, its tolerations and the
/// beginning of its status.
pub(super) fn admit(world: &World, pod: &mut Value) {
    prioritise(world, pod);
    default(pod, "spec.serviceAccountName", json!("default"));
    let account = at(pod, "spec.serviceAccountName").clone();
    default(pod, "spec.serviceAccount", account);
    default(pod, "spec.preemptionPolicy", json!("PreemptLowerPriority"));
    default(pod, "spec.priority", json!(0));
    tolerate(world, pod);
    let account = world.store.get(Res::ServiceAccounts, namespace(pod), text(pod, "spec.serviceAccountName"));
    let refuses = account.is_some_and(|a| a["automountServiceAccountToken"].as_bool() == Some(false));
    let asked = at(pod, "spec.automountServiceAccountToken").as_bool();
    // the name of the volume follows from the uid, which a new pod does not have yet
    if asked.unwrap_or(!refuses) {
        list_mut(place(pod, "spec.volumes")).push(TOKEN.clone());
    }
    locate(pod, place_of(world, text(pod, "spec.nodeName")));
    let class = quality(pod);
    set(pod, "status", json!({ "phase": "Pending", "qosClass": class }));
}

/// The labels of a node that its pods have as well, and since which minor
/// (`plugin/pkg/admission/podtopologylabels`).
const PLACE: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];
const PLACED: u32 = 35;

/// What the labels of pods on a node say of their place.
pub(crate) fn place_of(world: &World, node: &str) -> Vec<(&'static str, Value)> {
    let Some(node) = world.cache.nodes.get(node).filter(|_| world.since_minor(PLACED)) else {
        return Vec::new();
    };
    PLACE.into_iter().filter_map(|key| Some((key, node.labels.get(key)?.clone()))).collect()
}

/// Labels a pod with its place.
pub(crate) fn locate(pod: &mut Value, place: Vec<(&'static str, Value)>) {
    for (key, value) in place {
        object_mut(self::place(pod, "metadata.labels")).insert(intern(key), value);
    }
}

/// The beginning of the name of the volume of a pod's token, which every pod has its own of.
const ACCESS: &str = "kube-api-access-";

/// Where a container finds its token.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The volume of a pod's token, the cluster's authority and its namespace
/// (`plugin/pkg/admission/serviceaccount` `TokenVolumeSource`).
static TOKEN: LazyLock<Value> = LazyLock::new(|| {
    json!({ "name": ACCESS, "projected": { "defaultMode": FILE_MODE, "sources": [
        { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
        { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
        { "downwardAPI": { "items": [
            { "path": "namespace", "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } } ] } },
    ] } })
});

/// Names the volume of a pod's token and mounts it where nothing else is.
pub(super) fn mount_token(pod: &mut Value) {
    let Some(own) = list(pod, "spec.volumes").iter().position(|v| text(v, "name") == ACCESS) else { return };
    let volume = format!("{ACCESS}{}", Random::new(0, uid(pod)).suffix(5));
    set(&mut list_mut(place(pod, "spec.volumes"))[own], "name", volume.clone());
    let mount = json!({ "name": volume, "readOnly": true, "mountPath": TOKEN_PATH });
    for kind in ["containers", "initContainers"] {
        if at(pod, &format!("spec.{kind}")).is_null() {
            continue;
        }
        for container in list_mut(place(pod, &format!("spec.{kind}"))) {
            let mounted = list(container, "volumeMounts").iter().any(|m| text(m, "mountPath") == TOKEN_PATH);
            if !mounted {
                list_mut(place(container, "volumeMounts")).push(mount.clone());
            }
        }
    }
}

/// What the plugin `DefaultTolerationSeconds` adds to a new pod.
fn tolerate(world: &World, pod: &mut Value) {
    let seconds = world.timing.toleration.seconds();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerates = |t: &Value| {
            let covers = ["", key].contains(&text(t, "key"));
            covers && ["", "NoExecute"].contains(&text(t, "effect"))
        };
        if !list(pod, "spec.tolerations").iter().any(tolerates) {
            list_mut(place(pod, "spec.tolerations")).push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds,
            }));
        }
    }
}

/// The priority of a pod, by its class (`plugin/pkg/admission/priority`).
fn prioritise(world: &World, pod: &mut Value) {
    let class = match text(pod, "spec.priorityClassName") {
        "" => world
            .store
            .list(Res::PriorityClasses, None)
            .find(|c| at(c, "globalDefault").as_bool() == Some(true))
            .cloned(),
        class => world.store.get(Res::PriorityClasses, "", class).cloned(),
    };
    let Some(class) = class else { return };
    set(pod, "spec.priorityClassName", name(&class));
    default(pod, "spec.priority", at(&class, "value").clone());
    if !text(&class, "preemptionPolicy").is_empty() {
        default(pod, "spec.preemptionPolicy", at(&class, "preemptionPolicy").clone());
    }
}

/// Why a pod's priority is not that of its class, which is not a pod's to say.
fn presumes(world: &World, pod: &Value) -> Option<String> {
    const WHOSE: &str = "must not be provided in pod spec; priority admission controller computed";
    const GIVEN: &str = "from the given PriorityClass name";
    let class = world.store.get(Res::PriorityClasses, "", text(pod, "spec.priorityClassName"));
    let (own, given) = (int(pod, "spec.priority"), class.map_or(0, |class| int(class, "value")));
    if own != given {
        return Some(format!("the integer value of priority ({own}) {WHOSE} {given} {GIVEN}"));
    }
    let own = text(pod, "spec.preemptionPolicy");
    let given = class.map_or("", |class| text(class, "preemptionPolicy"));
    (!given.is_empty() && own != given)
        .then(|| format!("the string value of PreemptionPolicy ({own}) {WHOSE} {given} {GIVEN}"))
}

/// Refuses a pod of a class or of a service account that is not there, or of a priority of its own. The account `default` is
/// made with its namespace, by a controller that nothing waits for here.
pub(super) fn known(world: &World, pod: &Value) -> Result<(), Refusal> {
    let missing = |res: Res, space: &str, wanted: &str| {
        !wanted.is_empty() && world.store.get(res, space, wanted).is_none()
    };
    let (class, account) = (text(pod, "spec.priorityClassName"), text(pod, "spec.serviceAccountName"));
    let why = if missing(Res::PriorityClasses, "", class) {
        format!("no PriorityClass with name {class} was found")
    } else if account != "default" && missing(Res::ServiceAccounts, namespace(pod), account) {
        let space = namespace(pod);
        format!("error looking up service account {space}/{account}: serviceaccount {account:?} not found")
    } else {
        match presumes(world, pod) {
            Some(why) => why,
            None => return Ok(()),
        }
    };
    Err(Refusal::forbids(Res::Pods.spec(), name(pod), &why))
}

/// The class of service of a pod (`pkg/apis/core/v1/helper/qos` `ComputePodQOS`).
pub(crate) fn quality(pod: &Value) -> &'static str {
    let all: Vec<&Value> =
        ["containers", "initContainers"].iter().flat_map(|k| list(pod, &format!("spec.{k}"))).collect();
    let of = |c: &Value, what: &str| resources(at(c, &format!("resources.{what}")));
    let (mut asked, mut limited) = ([0_i64; 2], [0_i64; 2]);
    let mut bounded = true;
    for container in &all {
        let (requests, limits) = (of(container, "requests"), of(container, "limits"));
        asked = [asked[0] + requests.cpu, asked[1] + requests.memory];
        limited = [limited[0] + limits.cpu, limited[1] + limits.memory];
        bounded &= limits.cpu > 0 && limits.memory > 0;
    }
    match (asked, limited) {
        ([0, 0], [0, 0]) => "BestEffort",
        _ if bounded && asked == limited => "Guaranteed",
        _ => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Time;

    fn world() -> World {
        World::new("w", "v1.36.3", 1, Time::from_seconds(1_795_226_400))
    }

    fn made(world: &mut World, spec: Value) -> Arc<Value> {
        let mut pod = json!({ "metadata": { "name": "p", "namespace": "a" }, "spec": spec });
        crate::sim::admission::admit(world, Res::Pods, &mut pod);
        let now = world.now;
        world.store.create(Res::Pods, pod, now).unwrap()
    }

    #[test]
    fn requests_follow_from_limits_in_pods_and_not_in_templates() {
        let limits = json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m" } });
        let containers = json!({ "containers": [{ "name": "c", "image": "x:1", "resources": limits }] });
        let pod = made(&mut world(), containers.clone());
        let asked = at(&list(&pod, "spec.containers")[0], "resources.requests").clone();
        assert_eq!(asked, json!({ "cpu": "500m", "memory": "1Gi" }));
        let mut template = containers;
        spec(&mut template);
        let asked = at(&list(&template, "containers")[0], "resources.requests").clone();
        assert_eq!(asked, json!({ "cpu": "500m" }));
    }

    #[test]
    fn the_class_of_service_asks_for_both_resources_of_every_container() {
        let both = json!({ "limits": { "cpu": "1", "memory": "1Gi" } });
        let half = json!({ "limits": { "cpu": "1" } });
        for (containers, init, class) in [
            (json!([both]), json!([]), "Guaranteed"),
            (json!([half]), json!([]), "Burstable"),
            (json!([both, half]), json!([]), "Burstable"),
            (json!([both]), json!([half]), "Burstable"),
            (json!([{}]), json!([]), "BestEffort"),
            (json!([{ "requests": { "cpu": "0" } }]), json!([]), "BestEffort"),
        ] {
            let of = |v: &Value| -> Value {
                let one = |r: &Value| json!({ "name": "c", "image": "x:1", "resources": r });
                v.as_array().unwrap().iter().map(one).collect()
            };
            let pod =
                made(&mut world(), json!({ "containers": of(&containers), "initContainers": of(&init) }));
            assert_eq!(text(&pod, "status.qosClass"), class, "{containers} {init}");
        }
    }

    #[test]
    fn probes_and_volumes_have_the_defaults_that_describe_shows() {
        let pod = made(
            &mut world(),
            json!({
                "containers": [{ "name": "c", "image": "x:1", "livenessProbe": { "httpGet": { "port": 80 } },
                    "env": [{ "name": "N", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }] }],
                "volumes": [{ "name": "v", "configMap": { "name": "m" } }, { "name": "e" }],
            }),
        );
        let container = &list(&pod, "spec.containers")[0];
        assert_eq!(
            container["livenessProbe"],
            json!({ "httpGet": { "port": 80, "path": "/", "scheme": "HTTP" }, "timeoutSeconds": 1,
                    "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3 })
        );
        assert_eq!(at(&list(container, "env")[0], "valueFrom.fieldRef.apiVersion"), "v1");
        let volumes = list(&pod, "spec.volumes");
        assert_eq!(volumes[0]["configMap"]["defaultMode"], 420);
        assert_eq!(volumes[1]["emptyDir"], json!({}));
    }

    #[test]
    fn a_pod_mounts_its_token_unless_it_or_its_account_will_not() {
        let mut w = world();
        let pod = made(&mut w, json!({ "containers": [{ "name": "c", "image": "x:1" }] }));
        let volume = text(&list(&pod, "spec.volumes")[0], "name");
        assert!(volume.len() == ACCESS.len() + 5 && volume.starts_with(ACCESS), "{volume}");
        let mount = &list(&list(&pod, "spec.containers")[0], "volumeMounts")[0];
        assert_eq!((text(mount, "name"), text(mount, "mountPath")), (volume, TOKEN_PATH));
        let silent =
            json!({ "automountServiceAccountToken": false, "containers": [{ "name": "c", "image": "x:1" }] });
        assert!(list(&made(&mut world(), silent), "spec.volumes").is_empty());
        let mut w = world();
        let account = json!({ "metadata": { "name": "default", "namespace": "a" }, "automountServiceAccountToken": false });
        let now = w.now;
        w.store.create(Res::ServiceAccounts, account, now).unwrap();
        let pod = made(&mut w, json!({ "containers": [{ "name": "c", "image": "x:1" }] }));
        assert!(list(&pod, "spec.volumes").is_empty());
    }

    #[test]
    fn a_pod_of_an_account_that_is_not_there_is_refused() {
        let pod = json!({ "metadata": { "name": "p", "namespace": "a" }, "spec": { "serviceAccountName": "robot" } });
        assert_eq!(
            known(&world(), &pod).unwrap_err().message,
            "pods \"p\" is forbidden: error looking up service account a/robot: serviceaccount \"robot\" not found"
        );
    }
}
