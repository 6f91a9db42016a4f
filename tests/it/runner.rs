//! The real runner on the embedded fleet.

use super::embedded::Embedded;
use super::ground;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_cordoned_and_drained_as_far_as_budgets_let() {
    ground::drain::nodes(&mut Embedded::start().await, &|_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_fails_over_and_says_how_long_it_took() {
    ground::failover::all_ways(&mut Embedded::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_are_rolled_back_restarted_scaled_and_deleted() {
    super::changes::workloads(&mut Embedded::start().await).await;
}
