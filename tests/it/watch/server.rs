//! A small API server on loopback that does what a test tells it: JSON lists in pages, watches,
//! gzip, and faults on demand.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

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
    /// Answer a watch with 200 and one line, then end.
    Line(String),
    /// Answer a watch with half a line, then break the connection.
    Cut,
    /// Answer with this content type and text.
    Page(&'static str, &'static str),
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
}

/// The server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    world: Arc<Mutex<World>>,
    changed: watch::Sender<()>,
    /// Ends every open connection.
    cut: Arc<Mutex<CancellationToken>>,
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
        };
        let (world, changed, cut) = (server.world.clone(), server.changed.clone(), server.cut.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if world.lock().unwrap().dark {
                    continue;
                }
                let (world, changed) = (world.clone(), changed.clone());
                let token = cut.lock().unwrap().clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, world.clone(), changed.clone()));
                    let connection = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let serving = connection.serve_connection(TokioIo::new(stream), service);
                    tokio::select! {
                        _ = serving => {}
                        () = token.cancelled() => {}
                    }
                });
            }
        });
        server
    }

    /// A kubeconfig that names it.
    pub(crate) fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n\
             clusters: [{{name: test, cluster: {{server: 'http://{}'}}}}]\n\
             users: [{{name: test, user: {{token: test}}}}]\n",
            self.address
        )
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
        let mut world = self.world.lock().unwrap();
        world.version = 100;
        world.history.clear();
        world.kinds.values_mut().for_each(Objects::clear);
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
    let mut locked = world.lock().unwrap();
    locked.requests.push(query.clone());
    if let Some(at) = locked.misdeeds.iter().position(|(text, _)| query.contains(text)) {
        let misdeed = locked.misdeeds.remove(at).unwrap().1;
        return Ok(misdo(misdeed));
    }
    if let Some((_, status)) = locked.rules.iter().find(|(text, _)| query.contains(text)) {
        return Ok(status_answer(*status));
    }
    Ok(match path.as_str() {
        "/version" => json(r#"{"major":"1","minor":"36","gitVersion":"v1.36.3-test"}"#.to_owned(), gzip),
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

fn object(plural: &str, name: &str, version: u64) -> String {
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
    let mut from: u64 = parameter(query, "resourceVersion").unwrap().parse().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
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
                if sender.send(Ok(Frame::data(Bytes::from(line)))).is_err() {
                    return;
                }
            }
            tokio::select! {
                result = changed.changed() => if result.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    streaming(receiver)
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
        Misdeed::Page(kind, text) => return whole(kind, text.to_owned(), false),
        Misdeed::Line(line) => sender.send(Ok(Frame::data(Bytes::from(line + "\n")))).unwrap(),
        Misdeed::Cut => {
            sender.send(Ok(Frame::data(Bytes::from_static(b"{\"type\":\"MODIFIED\",\"obj")))).unwrap();
            sender.send(Err(std::io::Error::other("cut"))).unwrap();
        }
    }
    streaming(receiver)
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

fn zipped(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}
