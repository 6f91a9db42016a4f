//! Images: they are pulled, are there already, or cannot be had.

use std::sync::Arc;

use super::containers::Part;
use super::{COMPONENT, jitter, status};
use crate::model::Span;
use crate::sim::controllers::events::{Said, record};
use crate::sim::fields::{list, list_mut, place, text, uid};
use crate::sim::json::{Value, json};
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// How long it takes to see that an image is there.
const THERE: Span = Span::from_millis(300);

fn there(world: &World, pod: &Value, image: &str) -> bool {
    world.pulled.contains(&(text(pod, "spec.nodeName").to_owned(), image.to_owned()))
}

/// How long the image of a container takes.
pub(super) fn pull_time(world: &World, pod: &Value, container: &Value) -> Span {
    let there = there(world, pod, text(container, "image"));
    jitter(if there { THERE } else { world.timing.pull }, pod)
}

/// The kubelet begins to pull, if the image is not there.
pub(super) fn pulling(world: &mut World, pod: &Value, container: &Value) {
    let image = text(container, "image");
    if !there(world, pod, image) {
        record(world, pod, &Said::normal(COMPONENT, "Pulling", format!("Pulling image {image:?}")));
    }
}

/// The image is on the node.
pub(super) fn pulled(world: &mut World, part: &Part<'_>, waited: Span) {
    let image = text(part.container, "image").to_owned();
    let key = (text(part.pod, "spec.nodeName").to_owned(), image.clone());
    let waited = waited.millis();
    let message = match world.pulled.insert(key) {
        true => format!(
            "Successfully pulled image {image:?} in {waited}ms ({waited}ms including waiting). Image size: 48211930 bytes."
        ),
        false => format!("Container image {image:?} already present on machine"),
    };
    record(world, part.pod, &Said::normal(COMPONENT, "Pulled", message));
}

fn said(image: &str, why: &str) -> String {
    format!("failed to pull and unpack image {image:?}: failed to resolve reference {image:?}: {why}")
}

/// An image cannot be had: the message of its container.
pub(super) fn fails(world: &mut World, part: &Part<'_>, why: &str) -> String {
    let image = text(part.container, "image");
    let why = said(image, why);
    let message = format!("Failed to pull image {image:?}: {why}");
    record(world, part.pod, &Said::warning(COMPONENT, "Failed", message));
    record(world, part.pod, &Said::warning(COMPONENT, "Failed", "Error: ErrImagePull"));
    why
}

/// The kubelet waits before it tries again: the message of the container.
pub(super) fn backs_off(world: &mut World, part: &Part<'_>, why: &str) -> String {
    let image = text(part.container, "image");
    record(world, part.pod, &Said::normal(COMPONENT, "BackOff", format!("Back-off pulling image {image:?}")));
    record(world, part.pod, &Said::warning(COMPONENT, "Failed", "Error: ImagePullBackOff"));
    format!("Back-off pulling image {image:?}: ErrImagePull: {}", said(image, why))
}

/// Starts containers that were added to a running pod for looking into it.
pub(super) fn start_ephemeral(world: &mut World, id: &Id, pod: &Arc<Value>) {
    let added = list(pod, "spec.ephemeralContainers");
    if added.is_empty() {
        return;
    }
    let now = world.now;
    let known = list(pod, "status.ephemeralContainerStatuses");
    let is_new = |c: &&Value| !known.iter().any(|s| text(s, "name") == text(c, "name"));
    let fresh: Vec<Value> = added.iter().filter(is_new).cloned().collect();
    for container in fresh {
        let (own, image) = (text(&container, "name"), text(&container, "image"));
        for (reason, message) in [
            ("Pulling", format!("Pulling image {image:?}")),
            (
                "Pulled",
                format!(
                    "Successfully pulled image {image:?} in 611ms (611ms including waiting). Image size: 2160406 bytes."
                ),
            ),
            ("Created", format!("Created container: {own}")),
            ("Started", format!("Started container {own}")),
        ] {
            record(world, pod, &Said::normal(COMPONENT, reason, message));
        }
        world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
            let mut status = json!({ "name": own, "lastState": {}, "ready": false, "restartCount": 0 });
            status::started(&container, &mut status, uid(pod), now);
            list_mut(place(p, "status.ephemeralContainerStatuses")).push(status);
        });
    }
}
