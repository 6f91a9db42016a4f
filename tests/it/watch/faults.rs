//! Faults that a watch must survive, on a small server of the tests' own: plain HTTP, where a test says
//! what comes byte by byte and moves the clock on.
//!
//! Every test ends with what is shown being what the server has, or with the screen saying why it
//! is not; none allows a panic. All sixty classes, with these tests and the others, are listed in
//! `faults`, beside this room.

mod answers;
mod connections;
mod stream;
mod way;

use quarterdeck::model::{Fleet, Kind};

use super::server::{Misdeed, Server};
use super::view::{View, live, names};

/// Whether exactly these pods are shown, and live.
fn shows(wanted: &[&str]) -> impl Fn(&Fleet) -> bool {
    move |fleet| names(&fleet.clusters[0], Kind::Pod) == wanted && live(&fleet.clusters[0], Kind::Pod)
}

/// A server with three pods.
async fn three() -> Server {
    let server = Server::start().await;
    ["a", "b", "c"].iter().for_each(|name| server.put("pods", name));
    server
}

/// The same, and a view that shows them.
async fn shown() -> (Server, View) {
    let server = three().await;
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    (server, view)
}

/// A server that does this once to a request with this text, and a view of it.
async fn with(containing: &'static str, misdeed: Misdeed) -> (Server, View) {
    let server = three().await;
    server.once(containing, misdeed);
    let view = View::open(&server.kubeconfig());
    (server, view)
}

/// How often the pods were listed from the beginning.
fn lists(server: &Server) -> usize {
    server.count("/pods?limit=2500") - server.count("/pods?limit=2500&continue=")
}
