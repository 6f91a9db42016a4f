//! Watches of a whole fleet over HTTPS: what is shown in the end is what the servers have.

use std::collections::BTreeMap;

use quarterdeck::model::{Cluster, Fleet, Kind, LinkState, Span, Uid};
use quarterdeck::sim::{self, Control, Options, Pace, Role, Scenario};

use super::view::{View, link};

/// Objects by uid, with their versions.
type State = BTreeMap<Uid, u64>;

fn shown(cluster: &Cluster, kind: Kind) -> State {
    cluster.records(kind).map(|r| (r.meta().uid, r.meta().version.0)).collect()
}

fn served(control: &Control, kind: Kind) -> State {
    let objects = control.objects(kind.names().plural);
    let text = |object: &serde_json::Value, name: &str| object["metadata"][name].as_str().unwrap().to_owned();
    objects
        .iter()
        .map(|o| (Uid::parse(&text(o, "uid")), text(o, "resourceVersion").parse().unwrap()))
        .collect()
}

/// Every kind but events, of which only the newest are kept.
fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::Event)
}

fn same(fleet: &sim::Fleet, seen: &Fleet) -> bool {
    // The first snapshot is empty: nothing is all there is only when nothing is there.
    seen.clusters.len() == fleet.clusters().count()
        && seen.clusters.iter().all(|cluster| {
            let control = fleet.cluster(&cluster.info.name).unwrap();
            cluster.link.live()
                && kinds()
                    .all(|kind| link(cluster, kind).live() && shown(cluster, kind) == served(&control, kind))
        })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_converges_through_outages_expired_versions_and_denials() {
    let scenario = Scenario::sized(12, 60, 1800);
    let fleet =
        sim::Fleet::start(scenario, Options { pace: Pace::Manual, ..Options::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, fleet.kubeconfig(Role::Admin)).unwrap();
    let mut view = View::of_kubeconfig(&file);
    view.until_fleet("all clusters are shown as they are", |seen| same(&fleet, seen)).await;

    let controls: Vec<Control> = fleet.clusters().map(|about| fleet.cluster(&about.name).unwrap()).collect();
    // Some go away, and of those some forget; some cut their watches; one denies.
    controls[..6].iter().for_each(|c| c.stop().unwrap());
    controls[8].cut("pods");
    controls[9].deny("pods", None);
    controls[9].cut("pods");
    view.until_fleet("the outages are marked", |seen| {
        seen.clusters[..6].iter().all(|c| {
            let marked = |kind| !link(c, kind).live() && link(c, kind).fault.is_some();
            c.link.state == LinkState::Broken && kinds().all(marked)
        }) && link(&seen.clusters[9], Kind::Pod).state == LinkState::Denied
    })
    .await;
    fleet.advance(Span::from_seconds(300));
    controls[..3].iter().for_each(Control::compact);
    controls[..6].iter().for_each(|c| c.start().unwrap());
    controls[9].allow("pods", None);
    view.handle.focus(vec![quarterdeck::model::ClusterId(2)]);
    view.handle.retry(&[]);
    view.until_fleet("all clusters are shown as they are again", |seen| same(&fleet, seen)).await;
    view.handle.shutdown().await;
}
