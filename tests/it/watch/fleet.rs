//! Watches of a whole fleet over HTTPS: what is shown in the end is what the servers have.

use quarterdeck::model::{ClusterId, Fleet, Kind, LinkState, Span};
use quarterdeck::sim::{self, Control, Options, Pace, Role, Scenario};

use super::super::versions::{here, there};
use super::view::{View, link};

/// Every kind but events, of which only the newest are kept.
fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::Event)
}

pub(super) fn same(fleet: &sim::Fleet, seen: &Fleet) -> bool {
    // The first snapshot is empty: nothing is all there is only when nothing is there.
    seen.clusters.len() == fleet.clusters().count()
        && seen.clusters.iter().all(|cluster| {
            let control = fleet.cluster(&cluster.info.name).unwrap();
            let same = |kind| link(cluster, kind).live() && here(cluster, kind) == there(&control, kind);
            cluster.link.live() && kinds().all(same)
        })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_converges_through_outages_expired_versions_and_denials() {
    let scenario = Scenario::sized(12, 60, 1800);
    let fleet =
        sim::Fleet::start(scenario, Options { pace: Pace::Manual, ..Options::default() }).await.unwrap();
    let mut view = View::open(&fleet.kubeconfig(Role::Admin));
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
    view.handle().focus(vec![ClusterId(2)]);
    view.handle().retry(&[]);
    view.until_fleet("all clusters are shown as they are again", |seen| same(&fleet, seen)).await;
    view.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audits_of_a_fleet_that_goes_on_find_nothing_wrong() {
    let scenario = Scenario::sized(3, 12, 120);
    let options = Options {
        pace: Pace::Running(30.0),
        bookmarks: std::time::Duration::from_millis(300),
        ..Options::default()
    };
    let fleet = sim::Fleet::start(scenario, options).await.unwrap();
    let every = std::time::Duration::from_millis(1500);
    let mut view = View::with(&fleet.kubeconfig(Role::Admin), every);
    let audited =
        |seen: &Fleet| seen.clusters.iter().all(|c| kinds().all(|kind| c.table(kind).audited.is_some()));
    view.until_fleet("every kind of every cluster was audited", audited).await;
    let repaired: u64 = view.fleet().clusters.iter().flat_map(|c| &c.tables).map(|t| t.repaired).sum();
    assert_eq!(repaired, 0);
}
