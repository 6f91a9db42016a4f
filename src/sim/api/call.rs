//! A request, read whole: who asks, what for, with which options.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value;

use super::access::Role;
use crate::sim::cluster::Shared;
use crate::sim::refusal::Refusal;
use crate::sim::resources::{Res, api_version};

/// The largest body, as a real server takes it (`MaxRequestBodyBytes`).
const LARGEST_BODY: usize = 3 << 20;

/// A request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) method: Method,
    pub(super) segments: Vec<String>,
    pub(super) query: Query,
    pub(super) accept: String,
    pub(super) agent: String,
    pub(super) content_type: String,
    pub(super) body: Bytes,
    pub(super) role: Role,
}

impl Call {
    /// Reads a request: its credentials first.
    pub(super) async fn read(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Call, Refusal> {
        let (head, body) = request.into_parts();
        let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let bearer = header(header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
        let role = shared.role(bearer).ok_or_else(Refusal::unauthorized)?;
        let body = if super::changes(&head.method) {
            let whole = Limited::new(body, LARGEST_BODY).collect().await;
            whole.map_err(|_| Refusal::too_large(LARGEST_BODY))?.to_bytes()
        } else {
            Bytes::new()
        };
        Ok(Call {
            segments: head.uri.path().split('/').filter(|s| !s.is_empty()).map(unescape).collect(),
            query: Query::parse(head.uri.query().unwrap_or_default()),
            accept: header(header::ACCEPT).to_owned(),
            agent: header(header::USER_AGENT).to_owned(),
            content_type: header(header::CONTENT_TYPE).to_owned(),
            body,
            role,
            method: head.method,
        })
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        if !self.content_type.is_empty() && !self.content_type.starts_with("application/json") {
            return Err(Refusal::media_type(&self.content_type, "application/json"));
        }
        self.any_json()
    }

    /// Whether the client must not be given objects of which only declared fields are written.
    /// Go clients take protobuf and print what they got, so they are answered in JSON. They are
    /// known by client-go's user agent: `kubectl/v1.36.3 (linux/amd64) kubernetes/59526cd`.
    pub(super) fn needs_whole_objects(&self) -> bool {
        self.agent.contains(") kubernetes/")
    }

    /// Whether a refusal is to be written as protobuf.
    pub(super) fn wants_protobuf(&self) -> bool {
        self.accept.trim_start().starts_with("application/vnd.kubernetes.protobuf")
            && !self.needs_whole_objects()
    }

    /// The body as JSON, whatever it calls itself.
    pub(super) fn any_json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|e| Refusal::bad_request(format!("the body of the request is not JSON: {e}")))
    }

    /// Whether nothing must change, by the query or by options in the body.
    pub(super) fn dry_run(&self, options: &Value) -> Result<bool, Refusal> {
        let listed = crate::sim::fields::list(options, "dryRun").iter().filter_map(Value::as_str);
        let asked: Vec<&str> = self.query.all("dryRun").chain(listed).collect();
        match asked.iter().find(|v| **v != "All") {
            Some(odd) => Err(Refusal::bad_request(format!("Invalid value: {odd:?}: dryRun supports All"))),
            None => Ok(!asked.is_empty()),
        }
    }
}

/// Whether the client takes gzip.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING);
    values.iter().filter_map(|v| v.to_str().ok()).any(|v| v.split(',').any(|e| e.trim().starts_with("gzip")))
}

/// The options of a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(raw: &str) -> Query {
        let pair = |p: &str| {
            let (k, v) = p.split_once('=').unwrap_or((p, ""));
            (unescape(&k.replace('+', " ")), unescape(&v.replace('+', " ")))
        };
        Query(raw.split('&').filter(|p| !p.is_empty()).map(pair).collect())
    }

    /// An option's text, else empty.
    pub(super) fn get(&self, key: &str) -> &str {
        self.all(key).next().unwrap_or_default()
    }

    fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// An option that is a flag.
    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), "true" | "1")
    }

    /// An option that is a number.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(None);
        }
        let odd = || Refusal::bad_request(format!("{key}: Invalid value: {text:?}: not a number"));
        text.parse().map(Some).map_err(|_| odd())
    }
}

/// Percent-decodes; what is not UTF-8 is replaced.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a path names.
#[derive(Debug)]
pub(crate) struct Target {
    pub(super) res: Res,
    /// The version of the path, which of events differs from the stored one.
    pub(super) api_version: String,
    pub(super) group: String,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) sub: Option<String>,
}

impl Target {
    /// Reads a path of `/api/v1/…` or `/apis/GROUP/VERSION/…`.
    pub(super) fn read(path: &[&str]) -> Result<Target, Refusal> {
        let (group, version, rest) = match path {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(Refusal::no_such_path()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            _ => (None, rest),
        };
        let (plural, name, sub) = match rest {
            [plural] => (*plural, None, None),
            [plural, name] => (*plural, Some(*name), None),
            [plural, name, sub] => (*plural, Some(*name), Some(*sub)),
            _ => return Err(Refusal::no_such_path()),
        };
        let res = Res::find(group, version, plural).ok_or_else(Refusal::no_such_path)?;
        let wrong = match (res.spec().namespaced, namespace) {
            (false, Some(_)) => true,
            (true, None) => name.is_some(),
            _ => false,
        };
        if wrong {
            return Err(Refusal::no_such_path());
        }
        Ok(Target {
            res,
            api_version: api_version(group, version),
            group: group.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            sub: sub.map(str::to_owned),
        })
    }

    /// The RBAC verb of a method here.
    pub(super) fn verb(&self, method: &Method, watch: bool) -> Result<&'static str, Refusal> {
        let named = self.name.is_some();
        Ok(match *method {
            Method::GET | Method::HEAD if watch && !named => "watch",
            Method::GET | Method::HEAD if !named => "list",
            Method::GET | Method::HEAD => "get",
            Method::POST if !named || self.sub.is_some() => "create",
            Method::PUT if named => "update",
            Method::PATCH if named => "patch",
            Method::DELETE if named => "delete",
            Method::DELETE => "deletecollection",
            _ => return Err(Refusal::method()),
        })
    }

    /// The namespace, empty for what has none.
    pub(super) fn space(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The name, empty for lists.
    pub(super) fn named(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<String> {
        let path: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
        let t = Target::read(&path).ok()?;
        Some(format!("{:?} {} {} {}", t.res, t.space(), t.named(), t.sub.as_deref().unwrap_or_default()))
    }

    #[test]
    fn paths_name_resources() {
        for (path, named) in [
            ("/api/v1/pods", "Pods   "),
            ("/api/v1/namespaces/a/pods/p/eviction", "Pods a p eviction"),
            ("/api/v1/namespaces/a", "Namespaces  a "),
            ("/api/v1/namespaces/a/status", "Namespaces  a status"),
            ("/apis/apps/v1/namespaces/a/deployments/d/scale", "Deployments a d scale"),
            ("/apis/events.k8s.io/v1/events", "Events   "),
        ] {
            assert_eq!(read(path).as_deref(), Some(named), "{path}");
        }
        for wrong in
            ["/api/v1/pods/p", "/api/v1/namespaces/a/nodes", "/apis/apps/v2/deployments", "/api/v1/x/y/z/w"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn queries_are_unescaped() {
        let q = Query::parse("labelSelector=app%3Dweb%2Ctier+in+%28a%29&watch=1&limit=x&bad=%zz");
        assert_eq!(q.get("labelSelector"), "app=web,tier in (a)");
        assert!(q.flag("watch") && q.number("limit").is_err());
        assert_eq!(q.get("bad"), "%zz");
    }
}
