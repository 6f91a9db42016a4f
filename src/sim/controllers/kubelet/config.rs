//! What containers are configured by: the config maps and secrets that a pod names must be there
//! (`pkg/kubelet/kubelet_pods.go` `makeEnvironmentVariables`, `pkg/volume/{configmap,secret}`).

use super::{COMPONENT, memory};
use crate::model::{Span, Time};
use crate::sim::controllers::events::{Said, record};
use crate::sim::fields::{at, flag, list, map, namespace, text};
use crate::sim::json::Value;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// After how long a volume is tried again that could not be mounted.
const MOUNT_AGAIN: Span = Span::from_seconds(8);

/// The certificate of the server, which every namespace has.
const ROOT_CA: &str = "kube-root-ca.crt";

/// How a kind is called in messages.
fn called(res: Res) -> (&'static str, &'static str) {
    if res == Res::Secrets { ("secret", "Secret") } else { ("configmap", "ConfigMap") }
}

/// Why an object that is named cannot be used: it is not there, or has not this key.
fn lacks(world: &World, pod: &Value, res: Res, named: &str, reference: &Value) -> Option<String> {
    if named.is_empty() || named == ROOT_CA || flag(reference, "optional") {
        return None;
    }
    let (low, kind) = called(res);
    let space = namespace(pod);
    let Some(object) = world.store.get(res, space, named) else {
        return Some(format!("{low} {named:?} not found"));
    };
    let key = text(reference, "key");
    let has = ["data", "binaryData"].iter().any(|part| map(object, part).contains_key(key));
    (!key.is_empty() && !has).then(|| format!("couldn't find key {key} in {kind} {space}/{named}"))
}

/// What the variables of a container need and is not there.
pub(super) fn missing(world: &World, pod: &Value, container: &Value) -> Option<String> {
    let sources = list(container, "envFrom").iter();
    let sources =
        sources.flat_map(|s| [(Res::ConfigMaps, at(s, "configMapRef")), (Res::Secrets, at(s, "secretRef"))]);
    let variables = list(container, "env").iter().map(|v| at(v, "valueFrom"));
    let variables = variables
        .flat_map(|v| [(Res::ConfigMaps, at(v, "configMapKeyRef")), (Res::Secrets, at(v, "secretKeyRef"))]);
    let mut all = sources.chain(variables);
    all.find_map(|(res, reference)| lacks(world, pod, res, text(reference, "name"), reference))
}

/// What the volumes of a pod need and is not there: the volume, and why.
fn unmounted(world: &World, pod: &Value) -> Option<(String, String)> {
    list(pod, "spec.volumes").iter().find_map(|volume| {
        let projected = list(volume, "projected.sources").iter();
        let projected = projected.flat_map(|s| {
            [(Res::ConfigMaps, at(s, "configMap"), "name"), (Res::Secrets, at(s, "secret"), "name")]
        });
        let own = [
            (Res::ConfigMaps, at(volume, "configMap"), "name"),
            (Res::Secrets, at(volume, "secret"), "secretName"),
        ];
        let mut all = own.into_iter().chain(projected);
        let why = all.find_map(|(res, source, field)| lacks(world, pod, res, text(source, field), source))?;
        Some((text(volume, "name").to_owned(), why))
    })
}

/// Mounts the volumes of a pod that has not started; says when to try again if one cannot be.
pub(super) fn mount(world: &mut World, pod: &Value) -> Option<Time> {
    let (volume, why) = unmounted(world, pod)?;
    let now = world.now;
    // the containers wait together: what is remembered of the pod itself has no name
    let tried = &mut memory(world, pod, "").since;
    if let Some(due) = tried.map(|t| t + MOUNT_AGAIN).filter(|due| now < *due) {
        return Some(due);
    }
    *tried = Some(now);
    let message = format!("MountVolume.SetUp failed for volume {volume:?} : {why}");
    record(world, pod, &Said::warning(COMPONENT, "FailedMount", message));
    Some(now + MOUNT_AGAIN)
}
