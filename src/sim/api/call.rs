//! A request, read whole: who asks, what for, with which options.

use std::num::{IntErrorKind, ParseIntError};
use std::sync::Arc;

use crate::sim::json::Value;
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;

use super::access::Who;
use crate::sim::cluster::Shared;
use crate::sim::refusal::{Cause, Refusal};

/// The largest body, as a real server takes it (`MaxRequestBodyBytes`).
const LARGEST_BODY: usize = 3 << 20;

/// A request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) method: Method,
    /// The server as the client calls it.
    pub(super) host: String,
    pub(super) segments: Vec<String>,
    pub(super) query: Query,
    pub(super) accept: String,
    pub(super) agent: String,
    pub(super) content_type: String,
    pub(super) body: Bytes,
    /// Whether the client takes gzip.
    pub(super) gzip: bool,
    pub(super) who: Who,
}

impl Call {
    /// Reads a request: its credentials first.
    pub(super) async fn read(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Call, Refusal> {
        let (head, body) = request.into_parts();
        let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let bearer = header(header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
        let role = shared.role(bearer).ok_or_else(Refusal::unauthorized)?;
        let who = Who::of(role).acting(&head.headers)?;
        let body = if super::changes(&head.method) {
            let whole = Limited::new(body, LARGEST_BODY).collect().await;
            whole.map_err(|_| Refusal::too_large(LARGEST_BODY))?.to_bytes()
        } else {
            Bytes::new()
        };
        let segments = head.uri.path().split('/').filter(|s| !s.is_empty()).map(unescape).collect();
        let (segments, query) = watched(segments, Query::parse(head.uri.query().unwrap_or_default()));
        let host = head.uri.authority().map_or_else(|| header(header::HOST), http::uri::Authority::as_str);
        Ok(Call {
            host: host.to_owned(),
            segments,
            query,
            accept: header(header::ACCEPT).to_owned(),
            agent: header(header::USER_AGENT).to_owned(),
            content_type: header(header::CONTENT_TYPE).to_owned(),
            body,
            gzip: accepts_gzip(&head.headers),
            who,
            method: head.method,
        })
    }

    /// Whether a refusal is to be written as protobuf.
    pub(super) fn wants_protobuf(&self) -> bool {
        self.accept.trim_start().starts_with("application/vnd.kubernetes.protobuf")
    }

    /// Who writes: as the query says, else the program by its own name.
    pub(super) fn manager(&self) -> &str {
        match self.query.get("fieldManager") {
            "" => self.agent.split('/').next().filter(|a| !a.is_empty()).unwrap_or("unknown"),
            given => given,
        }
    }

    /// Whether nothing must change, by the query or by options in the body.
    pub(super) fn dry_run(&self, options: &Value) -> Result<bool, Refusal> {
        let listed = crate::sim::fields::list(options, "dryRun").iter().filter_map(Value::as_str);
        let asked: Vec<&str> = self.query.all("dryRun").chain(listed).collect();
        match asked.iter().find(|v| **v != "All") {
            Some(odd) => {
                let kind = match self.method {
                    Method::POST => "CreateOptions",
                    Method::PATCH => "PatchOptions",
                    Method::DELETE => "DeleteOptions",
                    _ => "UpdateOptions",
                };
                Err(Refusal::options(kind, &[Cause::unsupported_list("dryRun", &[odd], &["All"])]))
            }
            None => Ok(!asked.is_empty()),
        }
    }
}

/// The old paths of watches, `/api/v1/watch/…`, as the newer ones say the same: a list that is
/// watched, of one object if it is named.
fn watched(mut segments: Vec<String>, mut query: Query) -> (Vec<String>, Query) {
    let at = match segments.first().map(String::as_str) {
        Some("api") => 2,
        Some("apis") => 3,
        _ => return (segments, query),
    };
    if segments.get(at).is_none_or(|word| word != "watch") || segments.len() == at + 1 {
        return (segments, query);
    }
    segments.remove(at);
    let spaced = segments[at] == "namespaces" && segments.len() > at + 2;
    if segments.len() == at + if spaced { 4 } else { 2 }
        && let Some(name) = segments.pop()
    {
        query.0.push(("fieldSelector".to_owned(), format!("metadata.name={name}")));
    }
    query.0.push(("watch".to_owned(), "true".to_owned()));
    (segments, query)
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

    pub(super) fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Whether an option is there, with or without a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.all(key).next().is_some()
    }

    /// An option that is a flag: whatever is not said to be false is true
    /// (`apimachinery/pkg/runtime/conversion.go` `Convert_Slice_string_To_bool`).
    pub(super) fn flag(&self, key: &str) -> bool {
        self.all(key).next().is_some_and(|text| text != "0" && !text.eq_ignore_ascii_case("false"))
    }

    /// An option that is a number, where those below zero are none.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        Ok(self.integer(key)?.map(|number| u64::try_from(number).unwrap_or(0)))
    }

    /// An option that is a number.
    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, Refusal> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(None);
        }
        let odd = |error: ParseIntError| {
            let why = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            Refusal::bad_request(format!("strconv.ParseInt: parsing {text:?}: {why}"))
        };
        text.parse().map(Some).map_err(odd)
    }

    /// The option `resourceVersion`, zero when it is not there; else why it is none
    /// (`apiserver/pkg/storage/api_object_versioner.go` `ParseResourceVersion`).
    pub(super) fn version(&self) -> Result<u64, String> {
        let text = self.get("resourceVersion");
        if text.is_empty() {
            return Ok(0);
        }
        let why = "strconv.ParseUint: parsing";
        text.parse()
            .map_err(|_| format!("resourceVersion: Invalid value: {text:?}: {why} {text:?}: invalid syntax"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_paths_of_watches_are_the_newer_ones() {
        let read = |path: &str| {
            let segments = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
            let (segments, query) = watched(segments, Query::default());
            (segments.join("/"), query.flag("watch"), query.get("fieldSelector").to_owned())
        };
        let is = |path: &str, watch: bool, name: &str| (path.to_owned(), watch, name.to_owned());
        for (path, wanted) in [
            ("/api/v1/pods", is("api/v1/pods", false, "")),
            ("/api/v1/watch", is("api/v1/watch", false, "")),
            ("/api/v1/watch/pods", is("api/v1/pods", true, "")),
            ("/api/v1/watch/nodes/n", is("api/v1/nodes", true, "metadata.name=n")),
            ("/api/v1/watch/namespaces", is("api/v1/namespaces", true, "")),
            ("/api/v1/watch/namespaces/a", is("api/v1/namespaces", true, "metadata.name=a")),
            (
                "/apis/apps/v1/watch/namespaces/a/deployments",
                is("apis/apps/v1/namespaces/a/deployments", true, ""),
            ),
            (
                "/apis/apps/v1/watch/namespaces/a/deployments/d",
                is("apis/apps/v1/namespaces/a/deployments", true, "metadata.name=d"),
            ),
        ] {
            assert_eq!(read(path), wanted, "{path}");
        }
    }
}
