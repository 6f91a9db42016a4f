//! The cloud's load balancers: a service that asks for one is given an address, as its provider
//! does it (`k8s.io/cloud-provider/controllers/service`). A private cluster has nobody who would.

use super::events::{Said, record};
use crate::model::Provider;
use crate::sim::fields::{holds, list, set, text, uid};
use crate::sim::json::{Value, json};
use crate::sim::queue::Id;
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "service-controller";

/// Whether there is something to do for a service.
pub(super) fn concerned(service: &Value) -> bool {
    wants(service) == list(service, INGRESS).is_empty()
}

const INGRESS: &str = "status.loadBalancer.ingress";

/// Whether it asks for the provider's own balancer.
fn wants(service: &Value) -> bool {
    text(service, "spec.type") == "LoadBalancer" && text(service, "spec.loadBalancerClass").is_empty()
}

/// Gives a service its balancer, or takes it away.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(service) = world.store.get(Res::Services, &id.namespace, &id.name).cloned() else { return };
    if !concerned(&service) {
        return;
    }
    if !wants(&service) {
        world.store.update(Res::Services, &id.namespace, &id.name, |s| {
            set(s, "status.loadBalancer", json!({}));
        });
        return record(
            world,
            &service,
            &Said::normal(COMPONENT, "DeletedLoadBalancer", "Deleted load balancer"),
        );
    }
    let Some(ingress) = ingress(world, &service) else { return };
    record(world, &service, &Said::normal(COMPONENT, "EnsuringLoadBalancer", "Ensuring load balancer"));
    world.store.update(Res::Services, &id.namespace, &id.name, |s| set(s, INGRESS, ingress));
    record(world, &service, &Said::normal(COMPONENT, "EnsuredLoadBalancer", "Ensured load balancer"));
}

/// The address that a provider gives.
fn ingress(world: &World, service: &Value) -> Option<Value> {
    let h = random::hash(uid(service));
    let ip = |first: u64| format!("{first}.{}.{}.{}", 64 + h % 64, h >> 8 & 255, 1 + (h >> 16) % 254);
    let of = |ip: String| json!([{ "ip": ip, "ipMode": "VIP" }]);
    match world.provider {
        Provider::Eks => {
            let own = format!("a{}", uid(service).replace('-', ""));
            let own = own.get(..32).unwrap_or(&own);
            let host = format!("{own}-{}.{}.elb.amazonaws.com", h % 1_000_000_000, world.region);
            Some(json!([{ "hostname": host }]))
        }
        Provider::Gke => Some(of(ip(34))),
        Provider::Aks => Some(of(ip(20))),
        // k3s listens on its nodes
        Provider::Edge => {
            let ready = world.store.list(Res::Nodes, None).filter(|n| holds(n, "Ready"));
            let address = |n: &Value| {
                let found = list(n, "status.addresses").iter().find(|a| text(a, "type") == "InternalIP")?;
                Some(json!({ "ip": text(found, "address"), "ipMode": "VIP" }))
            };
            let all: Vec<Value> = ready.filter_map(|n| address(n)).collect();
            (!all.is_empty()).then(|| all.into_iter().collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    #[test]
    fn a_cloud_gives_an_address_and_takes_it_back() {
        let mut world = World::new("w", "v1.36.3", 1, Time::from_seconds(1_795_226_400));
        let service =
            json!({ "metadata": { "name": "s", "namespace": "a" }, "spec": { "type": "LoadBalancer" } });
        let now = world.now;
        let made = world.store.create(Res::Services, service, now).unwrap();
        let id = Id::of(&made);
        let shown = |w: &World| list(w.store.get(Res::Services, "a", "s").unwrap(), INGRESS).to_vec();
        reconcile(&mut world, &id);
        assert!(shown(&world).is_empty(), "nobody gives one in a private cluster");
        (world.provider, world.region) = (Provider::Eks, "eu-west-1".to_owned());
        reconcile(&mut world, &id);
        assert!(text(&shown(&world)[0], "hostname").ends_with(".eu-west-1.elb.amazonaws.com"));
        assert!(!concerned(world.store.get(Res::Services, "a", "s").unwrap()));
        world.store.update(Res::Services, "a", "s", |s| set(s, "spec.type", "ClusterIP"));
        reconcile(&mut world, &id);
        assert!(shown(&world).is_empty());
    }
}
