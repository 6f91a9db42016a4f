//! What a request is answered with.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use hyper::body::Frame;
use tokio::sync::{mpsc, watch};

use super::body::{Answer, Misdeed, json, misdo, status_answer, streaming, whole, zipped};
use super::gauge::{Gauge, Under};
use super::{Objects, Streams, World};

/// Discovery of the groups: metrics are served.
const METRICS: &str = r#"{"kind":"APIGroupDiscoveryList","metadata":{},"items":[{"metadata":
    {"name":"metrics.k8s.io"},"versions":[{"version":"v1beta1","resources":[
    {"resource":"nodes","verbs":["get","list"]},{"resource":"pods","verbs":["get","list"]}]}]}]}"#;

pub(super) async fn answer(
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
    let lists = query.contains("limit=2500");
    let under: Vec<Under> = gauges.iter().filter(|_| lists).map(Gauge::enter).collect();
    if latency > Duration::ZERO {
        // the fault: a server that is far away, by the clock that tests move
        let arrives = tokio::time::Instant::now() + latency;
        tokio::time::sleep_until(arrives).await;
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
        path => match collection(path).and_then(|plural| locked.kinds.get_key_value(plural)) {
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

/// The plural of the path of a collection; every object is in the same namespace.
fn collection(path: &str) -> Option<&str> {
    let path = path.strip_prefix("/api/v1/")?;
    Some(path.strip_prefix("namespaces/ns/").unwrap_or(path))
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
        None => (0, world.version - world.lag),
    };
    if version < world.compacted {
        return status_answer(410);
    }
    let limit: usize = parameter(query, "limit").unwrap().parse().unwrap();
    let size = limit.min(world.page);
    let name = parameter(query, "fieldSelector").map(|it| it.strip_prefix("metadata.name%3D").unwrap());
    let all: Vec<_> = objects.iter().filter(|(it, _)| name.is_none_or(|name| name == *it)).collect();
    let items: Vec<String> =
        all.iter().skip(from).take(size).map(|(name, version)| object(plural, name, **version)).collect();
    let left = all.len().saturating_sub(from + size);
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
    let ends = world.ends;
    tokio::spawn(async move {
        loop {
            let lines: Vec<String> = {
                let world = shared.lock().unwrap();
                if world.ends > ends {
                    return;
                }
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
