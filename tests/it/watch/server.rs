//! A small API server on loopback that does what a test tells it: JSON lists in pages, watches,
//! gzip, and faults on demand.

mod answer;
mod body;
mod gauge;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use answer::answer;
pub(crate) use answer::object;
pub(crate) use body::{Body, Misdeed, zipped};
pub(crate) use gauge::Gauge;

/// One object: its name, its version.
type Objects = BTreeMap<String, u64>;

#[derive(Debug, Default)]
struct World {
    version: u64,
    /// By plural; what is not in it is not served.
    kinds: BTreeMap<&'static str, Objects>,
    /// Version, plural, type of event, name.
    history: Vec<(u64, &'static str, &'static str, String)>,
    compacted: u64,
    /// Misdeeds for the next requests whose path and query contain the text.
    misdeeds: VecDeque<(&'static str, Misdeed)>,
    /// Misdeeds for every such request.
    rules: Vec<(&'static str, u16)>,
    requests: Vec<String>,
    page: usize,
    dark: bool,
    /// How many versions lists are behind.
    lag: u64,
    identity: u32,
    /// How often all open watches were ended in good order.
    ends: u32,
    /// Before every answer.
    latency: Duration,
    /// Lists of this server, and of the fleet that it belongs to.
    gauges: Vec<Arc<Gauge>>,
    upgraded: bool,
    /// How lists come as streams, if they do.
    streams: Option<Streams>,
}

/// How a server sends its lists as streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Streams {
    /// A gzip member for each event.
    Compressed,
    Plain,
    /// Compressed, and their end is never told.
    Endless,
}

/// The server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    world: Arc<Mutex<World>>,
    changed: watch::Sender<()>,
    /// Ends every open connection.
    cut: Arc<Mutex<CancellationToken>>,
    /// Whether ended connections are reset rather than closed.
    reset: Arc<AtomicBool>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kinds = [("nodes", Objects::new()), ("namespaces", Objects::new()), ("pods", Objects::new())];
        let world = World { version: 1000, kinds: kinds.into(), page: 500, ..World::default() };
        let server = Server {
            address: listener.local_addr().unwrap(),
            world: Arc::new(Mutex::new(world)),
            changed: watch::Sender::new(()),
            cut: Arc::default(),
            reset: Arc::default(),
        };
        let reset = server.reset.clone();
        let (world, changed, cut) = (server.world.clone(), server.changed.clone(), server.cut.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if world.lock().unwrap().dark {
                    continue;
                }
                let (world, changed) = (world.clone(), changed.clone());
                let token = cut.lock().unwrap().clone();
                let (reset, twin) = (reset.clone(), socket2::SockRef::from(&stream).try_clone().unwrap());
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, world.clone(), changed.clone()));
                    let connection = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let serving = connection.serve_connection(TokioIo::new(stream), service);
                    tokio::select! {
                        _ = serving => {}
                        () = token.cancelled() => {
                            let linger = reset.load(Ordering::Relaxed).then_some(Duration::ZERO);
                            twin.set_linger(linger).unwrap();
                        }
                    }
                });
            }
        });
        server
    }

    /// A kubeconfig that names it.
    pub(crate) fn kubeconfig(&self) -> String {
        Server::kubeconfig_of(std::slice::from_ref(self))
    }

    /// A kubeconfig that names them all.
    pub(crate) fn kubeconfig_of(servers: &[Server]) -> String {
        let mut text =
            "apiVersion: v1\nkind: Config\nusers: [{name: test, user: {token: test}}]\n".to_owned();
        let lines = |each: &dyn Fn(usize, &Server) -> String| -> String {
            servers.iter().enumerate().map(|(i, server)| each(i, server)).collect()
        };
        text += "contexts:\n";
        text += &lines(&|i, _| format!("- {{name: c{i:03}, context: {{cluster: c{i:03}, user: test}}}}\n"));
        text += "clusters:\n";
        text += &lines(&|i, s| format!("- {{name: c{i:03}, cluster: {{server: 'http://{}'}}}}\n", s.address));
        text
    }

    /// Every answer takes this long; lists are counted here while they do.
    pub(crate) fn slow(&self, latency: Duration, gauges: Vec<Arc<Gauge>>) {
        let mut world = self.world.lock().unwrap();
        (world.latency, world.gauges) = (latency, gauges);
    }

    /// An object changes, or is new, and no watch ever tells.
    pub(crate) fn put_unsaid(&self, plural: &'static str, name: &str) {
        self.change(|world| {
            let version = world.version;
            world.kinds.get_mut(plural).unwrap().insert(name.to_owned(), version);
        });
    }

    /// An object goes, and no watch ever tells.
    pub(crate) fn remove_unsaid(&self, plural: &'static str, name: &str) {
        self.change(|world| {
            world.kinds.get_mut(plural).unwrap().remove(name);
        });
    }

    /// The server is of another version from now on, and serves another kind.
    pub(crate) fn upgrade(&self) {
        let mut world = self.world.lock().unwrap();
        world.upgraded = true;
        world.kinds.insert("services", Objects::new());
    }

    /// The server is of a version that offers streaming lists, and sends them so.
    pub(crate) fn stream_lists(&self, how: Streams) {
        let mut world = self.world.lock().unwrap();
        (world.upgraded, world.streams) = (true, Some(how));
    }

    /// The server stops serving a kind.
    pub(crate) fn retire(&self, plural: &'static str) {
        self.world.lock().unwrap().kinds.remove(plural);
    }

    /// Lists are answered by a replica that is so many versions behind.
    pub(crate) fn lag(&self, versions: u64) {
        self.world.lock().unwrap().lag = versions;
    }

    /// The version that it is at.
    pub(crate) fn version(&self) -> u64 {
        self.world.lock().unwrap().version
    }

    /// Resets every connection.
    pub(crate) fn reset_connections(&self) {
        self.reset.store(true, Ordering::Relaxed);
        self.break_connections();
    }

    /// Counts requests from here on.
    pub(crate) fn forget_requests(&self) {
        self.world.lock().unwrap().requests.clear();
    }

    pub(crate) fn put(&self, plural: &'static str, name: &str) {
        self.change(|world| {
            let version = world.version;
            let new = world.kinds.get_mut(plural).unwrap().insert(name.to_owned(), version).is_none();
            let event = if new { "ADDED" } else { "MODIFIED" };
            world.history.push((version, plural, event, name.to_owned()));
        });
    }

    pub(crate) fn remove(&self, plural: &'static str, name: &str) {
        self.change(|world| {
            world.kinds.get_mut(plural).unwrap().remove(name);
            world.history.push((world.version, plural, "DELETED", name.to_owned()));
        });
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        let mut world = self.world.lock().unwrap();
        world.version += 3;
        change(&mut world);
        drop(world);
        self.changed.send_replace(());
    }

    /// The next request that contains the text is answered so.
    pub(crate) fn once(&self, containing: &'static str, misdeed: Misdeed) {
        self.world.lock().unwrap().misdeeds.push_back((containing, misdeed));
    }

    /// Every request that contains the text is answered with this status.
    pub(crate) fn always(&self, containing: &'static str, status: u16) {
        self.world.lock().unwrap().rules.push((containing, status));
    }

    pub(crate) fn forgive(&self) {
        self.world.lock().unwrap().rules.clear();
    }

    pub(crate) fn page_size(&self, size: usize) {
        self.world.lock().unwrap().page = size;
    }

    /// Versions before now are forgotten.
    pub(crate) fn compact(&self) {
        let mut world = self.world.lock().unwrap();
        world.compacted = world.version;
    }

    /// Breaks every connection.
    pub(crate) fn break_connections(&self) {
        let old = std::mem::take(&mut *self.cut.lock().unwrap());
        old.cancel();
    }

    /// Answers nobody from now on.
    pub(crate) fn go_dark(&self) {
        self.take_no_connections();
        self.break_connections();
    }

    /// Goes on with open connections, but takes no new ones.
    pub(crate) fn take_no_connections(&self) {
        self.world.lock().unwrap().dark = true;
    }

    pub(crate) fn come_back(&self) {
        self.world.lock().unwrap().dark = false;
    }

    /// Goes back to an empty state at an early version.
    pub(crate) fn restore(&self) {
        self.restore_quietly();
        self.break_connections();
    }

    /// The same, while connections and watches stay open.
    pub(crate) fn restore_quietly(&self) {
        let mut world = self.world.lock().unwrap();
        world.version = 100;
        world.history.clear();
        world.kinds.values_mut().for_each(Objects::clear);
    }

    /// Goes back to what it was before the last change, and much happens before anybody looks.
    pub(crate) fn restore_and_go_on(&self) {
        let mut world = self.world.lock().unwrap();
        if let Some((_, plural, _, name)) = world.history.pop() {
            let before = world
                .history
                .iter()
                .rfind(|(_, p, event, n)| *p == plural && *n == name && *event != "DELETED");
            let before = before.map(|(version, ..)| *version);
            let objects = world.kinds.get_mut(plural).unwrap();
            match before {
                Some(version) => objects.insert(name, version),
                None => objects.remove(&name),
            };
        }
        world.version += 1000;
        drop(world);
        self.break_connections();
    }

    /// Becomes another cluster at a later version.
    pub(crate) fn replace(&self) {
        let mut world = self.world.lock().unwrap();
        world.version += 100_000;
        world.identity += 1;
        world.kinds.values_mut().for_each(Objects::clear);
        drop(world);
        self.break_connections();
    }

    /// Another cluster at a later version takes its place, in good order: connections stay, and watches
    /// are ended as a server does that shuts down.
    pub(crate) fn switch(&self) {
        let mut world = self.world.lock().unwrap();
        world.version += 100_000;
        world.identity += 1;
        world.kinds.values_mut().for_each(Objects::clear);
        drop(world);
        self.end_watches();
    }

    /// Ends every open watch in good order.
    pub(crate) fn end_watches(&self) {
        self.world.lock().unwrap().ends += 1;
        self.changed.send_replace(());
    }

    /// How many requests came whose path and query contain the text.
    pub(crate) fn count(&self, containing: &str) -> usize {
        self.world.lock().unwrap().requests.iter().filter(|r| r.contains(containing)).count()
    }
}
