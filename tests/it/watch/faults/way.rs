//! Faults of the way to a server, between the real client and an embedded fleet, over TLS and
//! HTTP/2: lines that are slow, far, or break answers off.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use quarterdeck::model::{Fleet, Kind, LinkState, Span};
use quarterdeck::sim::{Options, Pace, Role, Scenario};

use super::super::fleet::same;
use super::super::view::View;
use crate::embedded::Embedded;
use crate::ground::blocking;

fn fault(fleet: &Embedded, fault: &str) {
    blocking(|| fleet.hand.fault(fault)).unwrap();
}

fn heal(fleet: &Embedded) {
    blocking(|| fleet.hand.heal()).unwrap();
}

async fn sized(nodes: usize, pods: usize) -> Embedded {
    let options = Options { pace: Pace::Manual, ..Options::default() };
    Embedded::of(Scenario::sized(1, nodes, pods), options).await
}

fn live(fleet: &Fleet) -> bool {
    fleet.clusters.iter().all(|c| c.link.live() && c.tables.iter().all(|t| t.link.live()))
}

/// Watches over what the clusters of a fleet show: what was live must not break.
#[derive(Default)]
struct Steady(RefCell<BTreeSet<Kind>>);

impl Steady {
    fn look(&self, fleet: &Fleet) {
        for table in fleet.clusters.iter().flat_map(|cluster| &cluster.tables) {
            match table.link.state {
                LinkState::Live => drop(self.0.borrow_mut().insert(table.kind)),
                LinkState::Broken if self.0.borrow().contains(&table.kind) => {
                    panic!("{:?} was live and broke: {:?}", table.kind, table.link);
                }
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_07_a_slow_line_is_live_and_stays_so() {
    let fleet = sized(20, 2000).await;
    fault(&fleet, r#"{"fault": "slow", "bytes": 50000}"#);
    let mut view = View::open(&fleet.fleet.kubeconfig(Role::Admin));
    let steady = Steady::default();
    view.until_fleet("everything is live", |seen| {
        steady.look(seen);
        live(seen)
    })
    .await;
    // Much happens while it is slow.
    fleet.fleet.advance(Span::from_seconds(120));
    view.until_fleet("what happened is shown", |seen| {
        steady.look(seen);
        same(&fleet.fleet, seen)
    })
    .await;
    heal(&fleet);
    fleet.fleet.advance(Span::from_seconds(60));
    view.until_fleet("what happened since is shown", |seen| same(&fleet.fleet, seen)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_08_a_far_server_is_live_and_stays_so() {
    let fleet = Embedded::still().await;
    fault(&fleet, r#"{"fault": "latency", "delay": "2s"}"#);
    let mut view = View::open(&fleet.fleet.kubeconfig(Role::Admin));
    view.until_fleet("everything is live", live).await;
    let steady = Steady::default();
    // Two pings and their answers, each later than the one before was due.
    let quiet = view.until_fleet("it breaks", |seen| {
        steady.look(seen);
        false
    });
    assert!(tokio::time::timeout(Duration::from_secs(25), quiet).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_14_answers_that_are_broken_off_are_asked_for_again() {
    let fleet = sized(3, 30).await;
    fault(&fleet, r#"{"fault": "reset-stream", "times": 12}"#);
    let mut view = View::open(&fleet.fleet.kubeconfig(Role::Admin));
    view.until_fleet("all is shown", |seen| same(&fleet.fleet, seen)).await;
    // Now watches that are open for a while.
    fault(&fleet, r#"{"fault": "reset-stream", "verb": "watch", "times": 4}"#);
    fleet.fleet.advance(Span::from_seconds(60));
    view.until_fleet("what happened is shown", |seen| same(&fleet.fleet, seen)).await;
}
