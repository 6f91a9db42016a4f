//! The watches against a real API server: changes, pulled plugs, roles.

use std::time::{Duration, Instant};

use quarterdeck::model::{Cluster, Kind, LinkState};

use super::Outcome;
use super::planes::{Binaries, Options, Plane, Planes, wait_until};
use super::view::{View, link, live, names};

const SOON: Duration = Duration::from_secs(60);

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn has(name: &'static str) -> impl Fn(&Cluster) -> bool {
    move |cluster| names(cluster, Kind::Namespace).iter().any(|n| n == name) && live(cluster, Kind::Namespace)
}

/// Every kind becomes live; a frozen and a stopped server are noticed, and what changed is seen afterwards.
pub(crate) fn outages(binaries: &Binaries) -> Outcome {
    let options = Options { controllers: false, ..Options::default() };
    let mut planes = Planes::start(binaries, 1, &options)?;
    let plane = planes.plane_mut("eks-use1")?;
    let runtime = runtime()?;
    runtime.block_on(follow(plane))
}

async fn follow(plane: &mut Plane) -> Outcome {
    let mut view = View::of_kubeconfig(&plane.kubeconfig("admin"));
    let all = |c: &Cluster| c.link.live() && Kind::ALL.into_iter().all(|kind| live(c, kind));
    let cluster = view.until("every kind is live", all).await;
    assert!(cluster.version.starts_with("v1."), "{}", cluster.version);
    assert!(cluster.badges.is_empty(), "protobuf over TLS needs no badge: {:?}", cluster.badges);
    assert!(cluster.nodes().count() > 0);

    plane.kubectl(&["create", "namespace", "made"])?;
    view.until("a new namespace", has("made")).await;

    let synced = view.until("all is live", all).await.table(Kind::Namespace).synced;
    let frozen = Instant::now();
    plane.freeze_api()?;
    let cluster = view
        .until("a frozen server is noticed", |c| !c.link.live() && c.tables.iter().all(|t| !t.link.live()))
        .await;
    eprintln!("a frozen server was noticed after {:.1} s", frozen.elapsed().as_secs_f32());
    assert!(cluster.link.fault.is_some() && link(&cluster, Kind::Node).fault.is_some());
    plane.thaw_api()?;
    plane.kubectl(&["create", "namespace", "thawed"])?;
    let thawed = Instant::now();
    let cluster = view.until("what happened since", has("thawed")).await;
    eprintln!("it was live again after {:.1} s", thawed.elapsed().as_secs_f32());
    assert_eq!(cluster.table(Kind::Namespace).synced, synced, "nothing was listed again");
    view.until("all is live", all).await;

    plane.stop_api();
    let cluster = view.until("a stopped server is noticed", |c| c.link.state == LinkState::Broken).await;
    assert!(!names(&cluster, Kind::Namespace).is_empty(), "what was seen stays");
    plane.start_api()?;
    plane.kubectl(&["create", "namespace", "restarted"])?;
    view.until("what happened since", has("restarted")).await;
    view.until("all is live", all).await;
    view.handle.shutdown().await;
    Ok(())
}

/// What a role does not allow is denied with its reason, and comes when the role is given.
pub(crate) fn roles(binaries: &Binaries) -> Outcome {
    let options = Options { controllers: false, kwok: false, ..Options::default() };
    let planes = Planes::start(binaries, 1, &options)?;
    let plane = planes.plane("eks-use1")?;
    runtime()?.block_on(async {
        let mut view = View::of_kubeconfig(&plane.kubeconfig("nopods"));
        let denied = |c: &Cluster| link(c, Kind::Pod).state == LinkState::Denied && live(c, Kind::Node);
        let cluster = view.until("pods are denied and nodes are not", denied).await;
        let fault = link(&cluster, Kind::Pod).fault.clone();
        assert!(
            fault.is_some_and(|f| f.what.contains("cannot list resource")),
            "the server's reason is shown"
        );
        plane.grant("nopods", "fleet-read-pods")?;
        // Roles reach the authorizer some moments later.
        wait_until(SOON, "the role has come", || {
            Ok(plane.kubectl_as("nopods", &["get", "pods", "-A"]).is_ok())
        })?;
        view.handle.retry(&[]);
        view.until("pods are live", |c| live(c, Kind::Pod)).await;
        Ok(())
    })
}
