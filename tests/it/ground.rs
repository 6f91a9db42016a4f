//! The common ground of cases that run on the embedded fleet and on real control planes: a
//! kubeconfig, and on it the real sessions, watches, store and runner.
//!
//! A case is a function of a [`Disturb`]; it opens the grounds that it needs, waits for conditions
//! on snapshots, and fails by a panic that says what was never so.

#[path = "ground/conversation.rs"]
pub(crate) mod conversation;
#[path = "ground/drain.rs"]
pub(crate) mod drain;
#[path = "ground/failover.rs"]
pub(crate) mod failover;
#[path = "ground/hand.rs"]
pub(crate) mod hand;
#[path = "ground/site.rs"]
pub(crate) mod site;
#[path = "ground/watch.rs"]
pub(crate) mod watch;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quarterdeck::cluster::{Names, Plugins, Request, Session, Sources, find_clusters};
use quarterdeck::kinds;
use quarterdeck::model::{Cluster, ClusterInfo, Extras, Kind, Pod, Span, Time};
use quarterdeck::runner::{SessionMap, system_clock};
use quarterdeck::store::{self, Derive, Store};
use quarterdeck::views::prices::Prices;
use quarterdeck::views::{PriceOf, Snapshot, health, scaling};
use quarterdeck::watch::{Clock, Handle, Options, Supervisor};
use serde_json::Value;
use tokio::sync::mpsc;

/// How long a condition may take before a case has failed: generous, for busy machines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum User {
    /// Whoever may do everything.
    Admin,
    /// Whoever may read everything, until [`Disturb::revoke_pods`].
    Viewer,
}

/// What can happen to the clusters of a ground. What cannot be done fails the test.
pub(crate) trait Disturb {
    /// A kubeconfig with a context for each cluster.
    fn kubeconfig(&self, user: User) -> String;
    /// Whether the servers speak protobuf.
    fn protobuf(&self) -> bool;
    /// Whether a server that was stopped still knows old versions when it is started again. A
    /// real one does not: its cache of changes begins anew.
    fn remembers(&self) -> bool;
    /// The server's port refuses.
    fn stop(&mut self, cluster: &str);
    /// It answers again, on the same port.
    fn start(&mut self, cluster: &str);
    /// The server takes connections and is silent.
    fn freeze(&mut self, cluster: &str);
    /// It speaks again.
    fn thaw(&mut self, cluster: &str);
    /// The viewer may not read pods.
    fn revoke_pods(&mut self, cluster: &str);
    /// The viewer may read pods again.
    fn grant_pods(&mut self, cluster: &str);
    /// Changes up to this version are forgotten: watches from there answer 410.
    fn forget(&mut self, cluster: &str, version: u64);
}

/// Does what blocks (processes are started and waited for) without holding up the runtime.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// The time, as everything here has it.
pub(crate) fn now() -> Time {
    system_clock()()
}

/// The clusters of a kubeconfig, watched.
pub(crate) struct Ground {
    pub(crate) handle: Handle,
    sessions: Vec<Session>,
    snapshots: tokio::sync::watch::Receiver<Arc<Snapshot>>,
}

impl Ground {
    /// Opens every cluster of a kubeconfig's text.
    pub(crate) fn open(kubeconfig: &str) -> Ground {
        Ground::open_with(kubeconfig, now)
    }

    /// The same with another clock than the system's.
    pub(crate) fn open_with(
        kubeconfig: &str,
        now: impl Fn() -> Time + Clone + Send + Sync + 'static,
    ) -> Ground {
        let options = Options { clock: Clock::new(now.clone(), || Span::ZERO), ..Options::default() };
        Ground::open_as(kubeconfig, now, options)
    }

    /// The same, watched in a way of the case's own.
    pub(crate) fn open_as(
        kubeconfig: &str,
        now: impl Fn() -> Time + Clone + Send + Sync + 'static,
        options: Options,
    ) -> Ground {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, kubeconfig).unwrap();
        Ground::open_file(&file, None, now, options)
    }

    /// The same of a file that stays, with names of servers that these look up.
    pub(crate) fn open_file(
        file: &Path,
        names: Option<Names>,
        now: impl Fn() -> Time + Clone + Send + Sync + 'static,
        options: Options,
    ) -> Ground {
        let sources = Sources { file: Some(file.to_owned()), ..Sources::default() };
        let mut found = find_clusters(&sources, &[]);
        found.targets.iter_mut().for_each(|target| target.names.clone_from(&names));
        let plugins = Plugins::default();
        let sessions: Vec<Session> =
            found.targets.iter().map(|target| Session::new(target, &plugins).unwrap()).collect();
        let infos: Vec<Arc<ClusterInfo>> = found.targets.iter().map(|t| Arc::new(t.info.clone())).collect();
        assert!(!infos.is_empty(), "no cluster in {}", file.display());
        let (deltas, inbox) = mpsc::channel(1024);
        // As the program does it: with every rule and every observer.
        let prices = Prices::new(quarterdeck::views::prices::Overrides::default());
        let price: PriceOf = Arc::new(move |info, node| prices.price(info, node));
        let derive = Derive {
            rules: health::rules(),
            observers: scaling::observers(&price),
            price,
            extras: Arc::new(|_| Extras::default()),
        };
        let mut store = Store::new(infos, now(), derive);
        let (publish, snapshots) = tokio::sync::watch::channel(Arc::new(store.snapshot(now())));
        tokio::spawn(store::run(store, inbox, publish, now.clone()));
        let handle = Supervisor::start(sessions.iter().cloned(), deltas, options);
        Ground { handle, sessions, snapshots }
    }

    /// What is known now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Snapshots as they come.
    pub(crate) fn snapshots(&self) -> tokio::sync::watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// What is known of a cluster now.
    pub(crate) fn cluster(&self, name: &str) -> Arc<Cluster> {
        Arc::clone(self.snapshot().fleet.by_name(name).unwrap())
    }

    /// The names of its clusters.
    pub(crate) fn names(&self) -> Vec<String> {
        self.snapshot().fleet.clusters.iter().map(|c| c.info.name.to_string()).collect()
    }

    /// The connection to a cluster.
    pub(crate) fn session(&self, name: &str) -> &Session {
        let id = self.cluster(name).id;
        self.sessions.iter().find(|s| s.id() == id).unwrap()
    }

    /// The connections as the runner wants them.
    pub(crate) fn session_map(&self) -> SessionMap {
        Arc::new(self.sessions.iter().map(|s| (s.id(), s.clone())).collect())
    }

    /// Waits until a cluster is so; when it never is, says what its links are like.
    pub(crate) async fn wait_for(
        &mut self,
        name: &str,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Cluster) -> bool,
    ) -> Arc<Cluster> {
        let reached = self.snapshots.wait_for(|s| s.fleet.by_name(name).is_some_and(|c| holds(c)));
        if let Ok(snapshot) = tokio::time::timeout(limit, reached).await {
            return Arc::clone(snapshot.unwrap().fleet.by_name(name).unwrap());
        }
        let cluster = self.cluster(name);
        let links: Vec<_> = cluster.tables.iter().map(|t| (t.kind, t.rows.len(), &t.link)).collect();
        panic!("{name} was never so within {limit:?}: {what}\n{:#?}\n{links:#?}", cluster.link);
    }

    /// Waits until a cluster is so.
    pub(crate) async fn until(
        &mut self,
        name: &str,
        what: &str,
        holds: impl Fn(&Cluster) -> bool,
    ) -> Arc<Cluster> {
        self.wait_for(name, what, PATIENCE, holds).await
    }

    /// Waits until a cluster and all of its kinds are live.
    pub(crate) async fn live(&mut self, name: &str) -> Arc<Cluster> {
        self.until(name, "everything is live", all_live).await
    }

    /// Creates an object; one that is there already is left as it is.
    pub(crate) async fn create(&self, cluster: &str, path: &str, object: &Value) {
        let (status, said) = self.ask(cluster, Request::post(path, object.to_string())).await;
        assert!(matches!(status, 200..300 | 409), "POST {path}: {status} {said}");
    }

    /// Patches an object.
    pub(crate) async fn patch(&self, cluster: &str, path: &str, patch: &Value) {
        let request = Request::patch(path, "application/merge-patch+json", patch.to_string());
        let (status, said) = self.ask(cluster, request).await;
        assert_eq!(status, 200, "PATCH {path}: {said}");
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, cluster: &str, path: &str) {
        let (status, said) = self.ask(cluster, Request::delete(path, "{}")).await;
        assert!(matches!(status, 200..300), "DELETE {path}: {status} {said}");
    }

    /// Reads an object.
    pub(crate) async fn get(&self, cluster: &str, path: &str) -> Value {
        let (status, said) = self.ask(cluster, Request::get(path)).await;
        assert_eq!(status, 200, "GET {path}: {said}");
        said
    }

    /// Any request: the status, and the document.
    pub(crate) async fn ask(&self, cluster: &str, request: Request) -> (u16, Value) {
        let path = request.path.clone();
        let response = self.session(cluster).send(request).await;
        let response = response.unwrap_or_else(|fault| panic!("{path}: {fault}"));
        let status = response.status;
        let body = response.bytes(64 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// The names of all objects of a kind, as the server lists them.
    pub(crate) async fn listed(&self, cluster: &str, kind: Kind) -> BTreeSet<String> {
        let list = self.get(cluster, &kinds::of(kind).preferred().path()).await;
        let name = |object: &Value| {
            let meta = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
            format!("{}/{}", meta("namespace"), meta("name"))
        };
        list["items"].as_array().unwrap().iter().map(name).collect()
    }
}

/// The names of all objects of a kind, as the store has them.
pub(crate) fn known(cluster: &Cluster, kind: Kind) -> BTreeSet<String> {
    cluster.records(kind).map(|r| format!("{}/{}", r.meta().namespace, r.meta().name)).collect()
}

/// Whether a cluster and all of its kinds are live.
pub(crate) fn all_live(cluster: &Cluster) -> bool {
    cluster.link.live() && cluster.tables.iter().all(|t| t.link.live())
}

/// The namespace in which cases make what they need.
pub(crate) const SPACE: &str = "proof";

/// The path of an object of the cases' own.
pub(crate) fn path(root: &str, plural: &str, name: &str) -> String {
    format!("{root}/namespaces/{SPACE}/{plural}/{name}")
}

/// Makes the cases' namespace.
pub(crate) async fn make_space(ground: &Ground, cluster: &str) {
    let space = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}});
    ground.create(cluster, "/api/v1/namespaces", &space).await;
}

/// A Deployment (or another workload) whose pods only have to be there.
pub(crate) fn workload(kind: &str, name: &str, replicas: Option<u32>, scratch: bool) -> Value {
    let labels = serde_json::json!({ "app": name });
    let volumes =
        if scratch { serde_json::json!([{"name": "scratch", "emptyDir": {}}]) } else { Value::Null };
    let mut spec = serde_json::json!({
        "selector": { "matchLabels": labels },
        "template": {
            "metadata": { "labels": labels },
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": name, "image": format!("registry.local/{name}:1"),
                    "resources": { "requests": { "cpu": "50m", "memory": "32Mi" } },
                }],
            },
        },
    });
    if let Some(replicas) = replicas {
        spec["replicas"] = replicas.into();
    }
    if !volumes.is_null() {
        spec["template"]["spec"]["volumes"] = volumes;
    }
    serde_json::json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": name, "namespace": SPACE }, "spec": spec,
    })
}

/// The Deployment of this name in the cases' namespace: its replicas and how many are ready.
pub(crate) fn replicas(cluster: &Cluster, name: &str) -> Option<(u32, u32)> {
    let record = cluster.find(Kind::Deployment, SPACE, name)?;
    record.workload().map(|w| (w.desired, w.ready))
}

/// Whether a pod is of this workload of the cases'.
pub(crate) fn is_app(pod: &Pod, app: &str) -> bool {
    pod.meta.namespace == SPACE && pod.meta.labels.get("app").is_some_and(|label| *label == *app)
}
