//! What a fleet asks of its servers when all of it goes away and comes back, and of servers that
//! refuse: requests are counted, time is the test's own.

use std::sync::Arc;
use std::time::Duration;

use quarterdeck::model::{Cluster, Fleet, Kind, LinkState};

use super::server::{Gauge, Server};
use super::view::{View, link, live, names, pass};

const CLUSTERS: usize = 20;
const KINDS: [Kind; 3] = [Kind::Node, Kind::Namespace, Kind::Pod];

struct World {
    servers: Vec<Server>,
    /// Lists under way in each cluster, and in the fleet.
    gauges: Vec<Arc<Gauge>>,
    fleet: Arc<Gauge>,
    view: View,
}

impl World {
    /// A fleet that is live.
    async fn live() -> World {
        let (mut servers, mut gauges, fleet) = (Vec::new(), Vec::new(), Arc::<Gauge>::default());
        for _ in 0..CLUSTERS {
            let server = Server::start().await;
            ["a", "b"].iter().for_each(|name| server.put("pods", name));
            let gauge = Arc::<Gauge>::default();
            server.slow(Duration::from_millis(100), vec![gauge.clone(), fleet.clone()]);
            servers.push(server);
            gauges.push(gauge);
        }
        let mut view = View::open(&Server::kubeconfig_of(&servers));
        view.within(120, "the fleet is live", |f| all(f, |c| settled(c) && names(c, Kind::Pod).len() == 2))
            .await;
        World { servers, gauges, fleet, view }
    }

    /// Everything goes away for so long, and something happens meanwhile; everything that is asked
    /// from then on is counted.
    async fn outage(&mut self, seconds: u32) {
        self.servers.iter().for_each(Server::go_dark);
        self.view
            .within(60, "the outage shows", |f| all(f, |c| !c.link.live() && c.tables.iter().all(unwell)))
            .await;
        pass(seconds).await;
        self.servers.iter().for_each(|server| {
            server.put("pods", "c");
            server.forget_requests();
            server.come_back();
        });
    }

    async fn back(&mut self) -> u32 {
        self.view
            .within(120, "all is back", |f| all(f, |c| settled(c) && names(c, Kind::Pod) == ["a", "b", "c"]))
            .await
    }

    fn lists(&self) -> usize {
        self.servers.iter().map(|server| server.count("limit=2500")).sum()
    }
}

fn all(fleet: &Fleet, holds: impl Fn(&Cluster) -> bool) -> bool {
    fleet.clusters.iter().all(|cluster| holds(cluster))
}

fn settled(cluster: &Cluster) -> bool {
    cluster.link.live() && KINDS.iter().all(|kind| live(cluster, *kind))
}

fn unwell(table: &quarterdeck::model::Table) -> bool {
    !table.link.live()
}

#[tokio::test]
async fn after_thirty_seconds_everything_is_back_at_once_and_nothing_is_listed() {
    let mut world = World::live().await;
    world.outage(30).await;
    let took = world.back().await;
    // Connections are tried every 3.5 to 4.5 s; the rest is a comparison and a watch for each kind.
    assert!(took <= 10, "{took} s");
    let missing = CLUSTERS * (Kind::COUNT - KINDS.len());
    assert!(world.lists() <= missing, "only kinds that are not served are asked for: {}", world.lists());
    for plural in ["nodes", "namespaces", "pods"] {
        let path = format!("/api/v1/{plural}?limit=2500");
        assert_eq!(world.servers.iter().map(|s| s.count(&path)).sum::<usize>(), 0, "{plural}");
    }
}

#[tokio::test]
async fn after_ten_minutes_everything_is_listed_anew_in_turns() {
    let mut world = World::live().await;
    world.outage(600).await;
    world.servers.iter().for_each(Server::compact);
    let took = world.back().await;
    assert!(took <= 60, "a try every 24 s at most, and the lists: {took} s");
    for plural in ["nodes", "namespaces", "pods"] {
        let path = format!("/api/v1/{plural}?limit=2500");
        let lists: Vec<usize> = world.servers.iter().map(|s| s.count(&path)).collect();
        assert!(lists.iter().all(|n| *n == 1), "{plural}: each once: {lists:?}");
    }
    assert!(world.gauges.iter().all(|g| g.most() <= 2), "at most two lists in one cluster");
    assert!((2..=16).contains(&world.fleet.most()), "at most 16 in the fleet: {}", world.fleet.most());
}

#[tokio::test]
async fn who_refuses_is_asked_ever_more_seldom() {
    // The status; how many requests of a kind there may be in half an hour after two minutes.
    let rows = [(403, 6), (500, 60), (429, 60), (401, 6)];
    let mut servers = Vec::new();
    for (status, _) in rows {
        let server = Server::start().await;
        server.put("pods", "a");
        server.always("/api/v1/pods", status);
        servers.push(server);
    }
    let view = View::open(&Server::kubeconfig_of(&servers));
    pass(120).await;
    servers.iter().for_each(Server::forget_requests);
    pass(1800).await;
    for (index, (status, most)) in rows.into_iter().enumerate() {
        let asked = servers[index].count("/api/v1/pods");
        assert!((2..=most).contains(&asked), "{status}: {asked} requests in half an hour");
        let state = link(&view.fleet().clusters[index], Kind::Pod).state;
        assert!(matches!(state, LinkState::Denied | LinkState::Broken), "{status}: {state:?}");
    }
}
