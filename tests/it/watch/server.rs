//! A small API server on loopback that does what a test tells it: JSON lists in pages, watches,
//! gzip, and faults on demand.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

type Chunks = mpsc::UnboundedReceiver<Result<Frame<Bytes>, std::io::Error>>;
type Answer = http::Response<StreamBody<tokio_stream_of::Stream>>;

/// A receiver as a stream, without another dependency.
mod tokio_stream_of {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub(super) struct Stream(pub(super) super::Chunks);

    impl futures::Stream for Stream {
        type Item = Result<super::Frame<super::Bytes>, std::io::Error>;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.poll_recv(cx)
        }
    }
}

/// What to do with one request instead of answering it.
#[derive(Clone, Debug)]
pub(crate) enum Misdeed {
    /// Answer with this status.
    Status(u16),
    /// Refuse with this status and `Retry-After`.
    Later(u16, &'static str),
    /// Answer a watch with 200 and one line, then end.
    Line(String),
    /// Answer a watch with half a line, then break the connection.
    Cut,
    /// Answer with this content type and text.
    Page(&'static str, &'static str),
    /// Answer with 200 and these bytes.
    Body(Body),
    /// Never answer.
    Silence,
}

/// The body of an answer that is written by hand.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) gzip: bool,
    pub(crate) chunks: Vec<Vec<u8>>,
    /// Before each chunk but the first.
    pub(crate) pause: Duration,
    /// Whether it stays open behind the last chunk.
    pub(crate) open: bool,
}

impl Body {
    /// A whole body at once.
    pub(crate) fn of(bytes: impl Into<Vec<u8>>) -> Body {
        Body { gzip: false, chunks: vec![bytes.into()], pause: Duration::ZERO, open: false }
    }

    /// Lines of a watch that stays open behind them.
    pub(crate) fn lines(lines: &[String]) -> Body {
        Body { open: true, ..Body::of(lines.join("\n") + "\n") }
    }
}

/// How many lists are being answered, and how many were at the same time at most.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn enter(self: &Arc<Gauge>) -> Under {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        Under(self.clone())
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

/// A list that is being answered, or whose asker left.
struct Under(Arc<Gauge>);

impl Drop for Under {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Discovery of the groups: metrics are served.
const METRICS: &str = r#"{"kind":"APIGroupDiscoveryList","metadata":{},"items":[{"metadata":
    {"name":"metrics.k8s.io"},"versions":[{"version":"v1beta1","resources":[
    {"resource":"nodes","verbs":["get","list"]},{"resource":"pods","verbs":["get","list"]}]}]}]}"#;

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
    identity: u32,
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

    /// Becomes another cluster at a later version.
    pub(crate) fn replace(&self) {
        let mut world = self.world.lock().unwrap();
        world.version += 100_000;
        world.identity += 1;
        world.kinds.values_mut().for_each(Objects::clear);
        drop(world);
        self.break_connections();
    }

    /// How many requests came whose path and query contain the text.
    pub(crate) fn count(&self, containing: &str) -> usize {
        self.world.lock().unwrap().requests.iter().filter(|r| r.contains(containing)).count()
    }
}

async fn answer(
    request: http::Request<hyper::body::Incoming>,
    world: Arc<Mutex<World>>,
    changed: watch::Sender<()>,
) -> Result<Answer, Infallible> {
    let query = request.uri().path_and_query().map_or("", |p| p.as_str()).to_owned();
    let path = request.uri().path().to_owned();
    let gzip = request.headers().get(ACCEPT_ENCODING).is_some_and(|v| v == "gzip");
    let (latency, gauges) = {
        let world = world.lock().unwrap();
        (world.latency, world.gauges.clone())
    };
    let lists = query.contains("limit=500");
    let under: Vec<Under> = gauges.iter().filter(|_| lists).map(Gauge::enter).collect();
    if latency > Duration::ZERO {
        tokio::time::sleep(latency).await;
    }
    drop(under);
    let taken = {
        let mut world = world.lock().unwrap();
        world.requests.push(query.clone());
        let at = world.misdeeds.iter().position(|(text, _)| query.contains(text));
        at.and_then(|at| world.misdeeds.remove(at)).map(|(_, misdeed)| misdeed)
    };
    match taken {
        Some(Misdeed::Silence) => std::future::pending().await,
        Some(misdeed) => return Ok(misdo(misdeed)),
        None => {}
    }
    let locked = world.lock().unwrap();
    if let Some((_, status)) = locked.rules.iter().find(|(text, _)| query.contains(text)) {
        return Ok(status_answer(*status));
    }
    Ok(match path.as_str() {
        "/version" => {
            let minor = if locked.upgraded { 37 } else { 36 };
            json(format!(r#"{{"major":"1","minor":"{minor}","gitVersion":"v1.{minor}.3-test"}}"#), gzip)
        }
        "/api" => discovery(&locked),
        "/apis" => whole(
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            METRICS.to_owned(),
            false,
        ),
        "/apis/metrics.k8s.io/v1beta1/nodes" => {
            let node = r#"{"metadata":{"name":"n1"},"usage":{"cpu":"250m","memory":"1Ki"}}"#;
            json(format!(r#"{{"kind":"NodeMetricsList","metadata":{{}},"items":[{node}]}}"#), gzip)
        }
        "/apis/metrics.k8s.io/v1beta1/pods" => status_answer(403),
        "/api/v1/namespaces/kube-system" => {
            json(format!(r#"{{"metadata":{{"name":"kube-system","uid":"id-{}"}}}}"#, locked.identity), gzip)
        }
        path => match path.strip_prefix("/api/v1/").and_then(|p| locked.kinds.get_key_value(p)) {
            None => status_answer(404),
            Some(_) if query.contains("sendInitialEvents") && locked.streams.is_none() => status_answer(422),
            Some((plural, _)) if query.contains("watch=true") => {
                let plural = *plural;
                stream(&locked, world.clone(), &changed, plural, &query)
            }
            Some((plural, objects)) => list(&locked, plural, objects, &query, gzip),
        },
    })
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split(['?', '&']).find_map(|p| p.strip_prefix(name)?.strip_prefix('='))
}

pub(crate) fn object(plural: &str, name: &str, version: u64) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"ns","uid":"{plural}-{name}","resourceVersion":"{version}"}}}}"#
    )
}

fn list(world: &World, plural: &str, objects: &Objects, query: &str, gzip: bool) -> Answer {
    let (from, version) = match parameter(query, "continue").and_then(|t| t.split_once('.')) {
        Some((from, version)) => (from.parse().unwrap(), version.parse().unwrap()),
        None => (0, world.version),
    };
    if version < world.compacted {
        return status_answer(410);
    }
    let limit: usize = parameter(query, "limit").unwrap().parse().unwrap();
    let size = limit.min(world.page);
    let items: Vec<String> =
        objects.iter().skip(from).take(size).map(|(name, version)| object(plural, name, *version)).collect();
    let left = objects.len().saturating_sub(from + size);
    let next = match left {
        0 => String::new(),
        left => format!(r#","continue":"{}.{version}","remainingItemCount":{left}"#, from + size),
    };
    let items = items.join(",");
    json(
        format!(r#"{{"kind":"List","metadata":{{"resourceVersion":"{version}"{next}}},"items":[{items}]}}"#),
        gzip,
    )
}

fn stream(
    world: &World,
    shared: Arc<Mutex<World>>,
    changed: &watch::Sender<()>,
    plural: &'static str,
    query: &str,
) -> Answer {
    let how = world.streams.filter(|_| query.contains("sendInitialEvents"));
    let mut from: u64 = match how {
        Some(_) => world.version,
        None => parameter(query, "resourceVersion").unwrap().parse().unwrap(),
    };
    let (sender, receiver) = mpsc::unbounded_channel();
    let zips = how.is_some_and(|how| how != Streams::Plain);
    let bytes =
        move |line: String| Bytes::from(if zips { zipped(line.as_bytes()) } else { line.into_bytes() });
    if let Some(how) = how {
        let mut lines: Vec<String> = world.kinds[plural]
            .iter()
            .map(|(name, v)| format!("{{\"type\":\"ADDED\",\"object\":{}}}\n", object(plural, name, *v)))
            .collect();
        let end = r#""annotations":{"k8s.io/initial-events-end":"true"}"#;
        let end =
            format!(r#"{{"type":"BOOKMARK","object":{{"metadata":{{"resourceVersion":"{from}",{end}}}}}}}"#);
        lines.extend((how != Streams::Endless).then_some(end + "\n"));
        lines.into_iter().for_each(|line| sender.send(Ok(Frame::data(bytes(line)))).unwrap());
    }
    if from < world.compacted {
        let gone = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"#;
        sender.send(Ok(Frame::data(Bytes::from(format!("{gone}\n"))))).unwrap();
        return streaming(receiver);
    }
    let mut changed = changed.subscribe();
    tokio::spawn(async move {
        loop {
            let lines: Vec<String> = {
                let world = shared.lock().unwrap();
                let news = world.history.iter().filter(|(v, kind, ..)| *v > from && *kind == plural);
                let lines = news
                    .map(|(version, plural, event, name)| {
                        format!(r#"{{"type":"{event}","object":{}}}"#, object(plural, name, *version)) + "\n"
                    })
                    .collect();
                from = from.max(world.history.last().map_or(0, |h| h.0));
                lines
            };
            for line in lines {
                if sender.send(Ok(Frame::data(bytes(line)))).is_err() {
                    return;
                }
            }
            tokio::select! {
                result = changed.changed() => if result.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    let mut answer = streaming(receiver);
    if zips {
        answer.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    }
    answer
}

fn discovery(world: &World) -> Answer {
    let resources: Vec<String> = world
        .kinds
        .keys()
        .map(|plural| format!(r#"{{"resource":"{plural}","verbs":["list","watch"]}}"#))
        .collect();
    let body = format!(
        r#"{{"kind":"APIGroupDiscoveryList","metadata":{{}},"items":[{{"metadata":{{}},"versions":[{{"version":"v1","resources":[{}]}}]}}]}}"#,
        resources.join(",")
    );
    whole("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", body, false)
}

fn misdo(misdeed: Misdeed) -> Answer {
    let (sender, receiver) = mpsc::unbounded_channel();
    match misdeed {
        Misdeed::Status(status) => return status_answer(status),
        Misdeed::Later(status, after) => {
            let mut answer = status_answer(status);
            answer.headers_mut().insert("retry-after", after.parse().unwrap());
            return answer;
        }
        Misdeed::Page(kind, text) => return whole(kind, text.to_owned(), false),
        Misdeed::Body(body) => return by_hand(body),
        Misdeed::Silence => {}
        Misdeed::Line(line) => sender.send(Ok(Frame::data(Bytes::from(line + "\n")))).unwrap(),
        Misdeed::Cut => {
            sender.send(Ok(Frame::data(Bytes::from_static(b"{\"type\":\"MODIFIED\",\"obj")))).unwrap();
            sender.send(Err(std::io::Error::other("cut"))).unwrap();
        }
    }
    streaming(receiver)
}

fn by_hand(body: Body) -> Answer {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut answer = streaming(receiver);
    if body.gzip {
        answer.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    }
    tokio::spawn(async move {
        for (index, chunk) in body.chunks.into_iter().enumerate() {
            if index > 0 && body.pause > Duration::ZERO {
                tokio::time::sleep(body.pause).await;
            }
            if sender.send(Ok(Frame::data(Bytes::from(chunk)))).is_err() {
                return;
            }
        }
        if body.open {
            sender.closed().await;
        }
    });
    answer
}

fn status_answer(status: u16) -> Answer {
    let body = format!(r#"{{"kind":"Status","code":{status},"message":"status {status} by order"}}"#);
    let mut answer = whole("application/json", body, false);
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
    answer
}

fn json(body: String, gzip: bool) -> Answer {
    whole("application/json", body, gzip)
}

fn whole(kind: &str, body: String, gzip: bool) -> Answer {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut answer = streaming(receiver);
    answer.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
    let bytes = if gzip {
        answer.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        // In two members, as a proxy or a newer server may do.
        let (first, second) = body.as_bytes().split_at(body.len() / 2);
        [zipped(first), zipped(second)].concat()
    } else {
        body.into_bytes()
    };
    sender.send(Ok(Frame::data(Bytes::from(bytes)))).unwrap();
    answer
}

fn streaming(receiver: Chunks) -> Answer {
    let mut answer = http::Response::new(StreamBody::new(tokio_stream_of::Stream(receiver)));
    answer.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
    answer
}

pub(crate) fn zipped(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}
