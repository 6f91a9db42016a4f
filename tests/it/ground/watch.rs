//! Watches: what is there is seen, and what is not to be had is said.

use std::time::{Duration, Instant};

use quarterdeck::cluster::Request;
use quarterdeck::model::{Badge, Cause, Cluster, Kind, LinkState, Time};
use serde_json::json;

use super::{
    Disturb, Ground, PATIENCE, SPACE, User, all_live, blocking, is_app, known, make_space, path, replicas,
    workload,
};

/// Within what time an outage must be on the screen.
const NOTICED: Duration = Duration::from_secs(15);

/// Every kind is what the server lists, and what is made, changed and deleted shows.
pub(crate) async fn everything_is_seen(disturb: &mut dyn Disturb) {
    let mut ground = Ground::open(&disturb.kubeconfig(User::Admin));
    for name in ground.names() {
        ground.live(&name).await;
        let json = !disturb.protobuf();
        let cluster =
            ground.until(&name, "its format", |c| c.badges.contains(&Badge::JsonOnly) == json).await;
        assert_eq!(cluster.served.versions.len(), Kind::COUNT, "{:?}", cluster.served);
        as_listed(&mut ground, &name).await;
        comes_and_goes(&mut ground, &name).await;
    }
    ground.handle.shutdown().await;
}

/// Every kind is what the server lists.
pub(crate) async fn as_listed(ground: &mut Ground, name: &str) {
    for kind in Kind::ALL {
        equal(ground, name, kind).await;
    }
}

/// The cluster goes on meanwhile, so what it lists is asked for until both are the same.
async fn equal(ground: &mut Ground, name: &str, kind: Kind) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = ground.listed(name, kind).await;
        // What was listed must be seen soon, or have changed meanwhile.
        let mut snapshots = ground.snapshots();
        let same = snapshots.wait_for(|s| s.fleet.by_name(name).is_some_and(|c| known(c, kind) == listed));
        if tokio::time::timeout(Duration::from_secs(5), same).await.is_ok() {
            return;
        }
        let seen = known(&ground.cluster(name), kind);
        assert!(Instant::now() < deadline, "{name}: {kind:?} listed {listed:?}\nseen {seen:?}");
    }
}

async fn comes_and_goes(ground: &mut Ground, name: &str) {
    make_space(ground, name).await;
    ground.until(name, "the namespace", |c| c.find(Kind::Namespace, "", SPACE).is_some()).await;
    let deployments = format!("/apis/apps/v1/namespaces/{SPACE}/deployments");
    ground.create(name, &deployments, &workload("Deployment", "seen", Some(1), false)).await;
    ground.until(name, "a new deployment and its pod", |c| replicas(c, "seen") == Some((1, 1))).await;
    let seen = path("/apis/apps/v1", "deployments", "seen");
    ground.patch(name, &seen, &json!({ "spec": { "replicas": 3 } })).await;
    ground.until(name, "it is scaled", |c| replicas(c, "seen") == Some((3, 3))).await;
    let pods = |c: &Cluster| c.pods().filter(|p| is_app(p, "seen")).count();
    ground.until(name, "its pods are there", |c| pods(c) == 3).await;
    ground.delete(name, &format!("{seen}?propagationPolicy=Background")).await;
    let gone = |c: &Cluster| replicas(c, "seen").is_none() && pods(c) == 0;
    ground.until(name, "it and its pods are gone", gone).await;
}

/// When each kind was last listed.
fn lists(cluster: &Cluster) -> Vec<Option<Time>> {
    cluster.tables.iter().map(|t| t.synced).collect()
}

/// A server that is stopped is marked, the other one goes on, and it comes back by itself.
pub(crate) async fn stopped(disturb: &mut dyn Disturb) {
    outage(disturb, |d, name| d.stop(name), |d, name| d.start(name), disturb_remembers).await;
}

/// The same for one that takes connections and is silent. It forgets nothing meanwhile.
pub(crate) async fn frozen(disturb: &mut dyn Disturb) {
    outage(disturb, |d, name| d.freeze(name), |d, name| d.thaw(name), |_| true).await;
}

fn disturb_remembers(disturb: &dyn Disturb) -> bool {
    disturb.remembers()
}

async fn outage(
    disturb: &mut dyn Disturb,
    begin: fn(&mut dyn Disturb, &str),
    end: fn(&mut dyn Disturb, &str),
    remembers: fn(&dyn Disturb) -> bool,
) {
    let mut ground = Ground::open(&disturb.kubeconfig(User::Admin));
    let [lost, other] = [0, 1].map(|i| ground.names()[i].clone());
    let before = ground.live(&lost).await;
    ground.live(&other).await;

    blocking(|| begin(disturb, &lost));
    let marked = |c: &Cluster| {
        c.link.state == LinkState::Broken && c.tables.iter().all(|t| t.link.state == LinkState::Broken)
    };
    let broken = ground.wait_for(&lost, "everything is marked", NOTICED, marked).await;
    assert!(broken.link.fault.is_some() && broken.link.heard.is_some(), "{:?}", broken.link);
    for table in &broken.tables {
        let link = &table.link;
        assert!(link.fault.is_some() && link.heard.is_some(), "{:?}: {link:?}", table.kind);
        assert_eq!(table.rows.len(), broken.table(table.kind).rows.len());
    }
    assert!(!known(&broken, Kind::Node).is_empty() || known(&before, Kind::Node).is_empty(), "rows stay");
    assert!(all_live(&ground.cluster(&other)), "the other cluster goes on");
    make_space(&ground, &other).await;
    ground.until(&other, "what is made in it", |c| c.find(Kind::Namespace, "", SPACE).is_some()).await;

    blocking(|| end(disturb, &lost));
    let after = ground.live(&lost).await;
    if remembers(disturb) {
        assert_eq!(lists(&after), lists(&before), "nothing was listed again");
    }
    assert_eq!((after.link.tries, &after.link.fault), (0, &None));
    make_space(&ground, &lost).await;
    ground.until(&lost, "what is made in it", |c| c.find(Kind::Namespace, "", SPACE).is_some()).await;
    ground.handle.shutdown().await;
}

/// A server that comes back without the versions that we know is listed anew, and all is right.
pub(crate) async fn forgotten(disturb: &mut dyn Disturb) {
    let mut ground = Ground::open(&disturb.kubeconfig(User::Admin));
    let name = ground.names()[0].clone();
    ground.live(&name).await;
    make_space(&ground, &name).await;
    let before = ground.until(&name, "the namespace", |c| c.find(Kind::Namespace, "", SPACE).is_some()).await;
    let version = before.tables.iter().map(|t| t.version.0).max().unwrap();

    blocking(|| disturb.stop(&name));
    ground.until(&name, "it is gone", |c| c.link.state == LinkState::Broken).await;
    blocking(|| disturb.forget(&name, version));
    blocking(|| disturb.start(&name));
    let listed_again = |c: &Cluster| {
        all_live(c) && c.tables.iter().zip(&before.tables).any(|(after, was)| after.synced != was.synced)
    };
    ground.until(&name, "it is listed again", listed_again).await;
    as_listed(&mut ground, &name).await;
    ground.handle.shutdown().await;
}

/// Who may not read pods sees everything else, and the pods as soon as that is mended.
pub(crate) async fn denied(disturb: &mut dyn Disturb) {
    let mut admin = Ground::open(&disturb.kubeconfig(User::Admin));
    let [name, other] = [0, 1].map(|i| admin.names()[i].clone());
    make_space(&admin, &name).await;
    let deployments = format!("/apis/apps/v1/namespaces/{SPACE}/deployments");
    admin.create(&name, &deployments, &workload("Deployment", "kept", Some(1), false)).await;
    admin.until(&name, "a pod to be seen", |c| replicas(c, "kept") == Some((1, 1))).await;
    admin.handle.shutdown().await;
    blocking(|| disturb.revoke_pods(&name));
    let mut ground = Ground::open(&disturb.kubeconfig(User::Viewer));
    let others_live = |c: &Cluster| c.tables.iter().all(|t| t.kind == Kind::Pod || t.link.live());
    let denied = |c: &Cluster| c.table(Kind::Pod).link.state == LinkState::Denied && others_live(c);
    let cluster = ground.until(&name, "pods are denied, the rest is live", denied).await;
    assert!(cluster.link.live());
    let link = &cluster.table(Kind::Pod).link;
    assert_eq!(link.fault.as_ref().unwrap().cause, Cause::Forbidden);
    assert!(link.fault.as_ref().unwrap().what.contains("pods"), "{:?}", link.fault);
    ground.live(&other).await;

    blocking(|| disturb.grant_pods(&name));
    may_read_pods(&ground, &name).await;
    ground.handle.retry(&[cluster.id]);
    ground.wait_for(&name, "pods, at once", NOTICED, all_live).await;

    // Taken away while they are watched: a real server notices when it is asked again.
    blocking(|| {
        disturb.revoke_pods(&name);
        disturb.stop(&name);
        disturb.start(&name);
    });
    let cluster = ground.until(&name, "pods are denied again, the rest is live", denied).await;
    assert!(!known(&cluster, Kind::Pod).is_empty() && cluster.link.live(), "what was last seen stays");
    assert!(cluster.table(Kind::Pod).link.heard.is_some());
    blocking(|| disturb.grant_pods(&name));
    ground.handle.shutdown().await;
}

/// Waits until the server itself has noticed that the viewer may read pods.
async fn may_read_pods(ground: &Ground, name: &str) {
    let deadline = Instant::now() + PATIENCE;
    while ground.ask(name, Request::get("/api/v1/pods?limit=1")).await.0 != 200 {
        assert!(Instant::now() < deadline, "{name} never allows reading pods");
        tokio::task::yield_now().await;
    }
}
