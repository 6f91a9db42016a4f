//! The address of a service as an object of its own (`pkg/registry/core/service/ipallocator`): there
//! as long as the service has it.

use crate::sim::fields::{name, namespace, text};
use crate::sim::json::{Value, json};
use crate::sim::objects::Touched;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Makes and removes the object of an address as its service gets and loses it.
pub(super) fn follow(world: &mut World, touched: &Touched) {
    let address = |service: &Value| text(service, "spec.clusterIP").to_owned();
    let [before, after] = [&touched.before, &touched.after]
        .map(|side| side.as_deref().map(address).filter(|ip| !["", "None"].contains(&ip.as_str())));
    if before == after {
        return;
    }
    if let Some(object) = before.and_then(|ip| world.store.get(Res::Addresses, "", &ip).cloned()) {
        world.store.remove(Res::Addresses, &object);
    }
    let (Some(ip), Some(service)) = (after, &touched.after) else { return };
    let labels = json!({ "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io" });
    let object = json!({
        "metadata": { "name": ip, "labels": labels.plain() },
        "spec": { "parentRef": {
            "group": "", "resource": "services", "namespace": namespace(service), "name": name(service) } },
    });
    world.create_aside(Res::Addresses, object);
}
