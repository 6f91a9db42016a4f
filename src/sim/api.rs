//! The Kubernetes API of one simulated cluster: who asks, for what, and who answers.

mod access;
mod call;
mod discovery;
mod encode;
mod lists;
mod logs;
mod metrics;
mod reply;
mod review;
mod scale;
mod tables;
mod watching;
mod writes;

pub use access::Role;

use std::sync::Arc;

use http::Method;
use hyper::Request;
use hyper::body::Incoming;

use self::call::{Call, Target};
use self::reply::{Answer, Reply};
use super::cluster::Shared;
use super::refusal::Refusal;

/// Answers one request.
pub(crate) async fn serve(shared: &Arc<Shared>, request: Request<Incoming>) -> Reply {
    let gzip = call::accepts_gzip(request.headers());
    let answer = match Call::read(shared, request).await {
        Ok(call) => route(shared, &call).unwrap_or_else(|r| Answer::refusal(&r, call.wants_protobuf())),
        Err(refusal) => Answer::refusal(&refusal, false),
    };
    answer.reply(gzip)
}

fn route(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Refusal> {
    let path: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["version"] => Ok(discovery::version(shared)),
        ["readyz" | "livez" | "healthz", ..] => Ok(Answer::text("ok")),
        ["api"] => Ok(discovery::core(call)),
        ["apis"] => Ok(discovery::groups(call)),
        ["apis", group] => discovery::group(group),
        ["api", version] => discovery::resources("", version),
        ["apis", group, version] => discovery::resources(group, version),
        ["openapi", ..] => Err(Refusal::no_such_path()),
        ["apis", "authorization.k8s.io" | "authentication.k8s.io", "v1", review] => {
            access::answer(shared, call, review)
        }
        ["apis", "metrics.k8s.io", "v1beta1", rest @ ..] => metrics::serve(shared, call, rest),
        _ => resource(shared, call, &Target::read(&path)?),
    }
}

fn resource(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let watch = call.query.flag("watch");
    let verb = target.verb(&call.method, watch)?;
    access::check(shared, call, verb, target)?;
    if let Some(sub) = &target.sub
        && !target.res.spec().subresources.contains(&sub.as_str())
    {
        return Err(Refusal::no_such_path());
    }
    match (verb, target.sub.as_deref()) {
        ("list", _) => lists::list(shared, call, target),
        ("watch", _) => watching::watch(shared, call, target),
        ("get", Some("log")) => logs::serve(shared, call, target),
        (_, Some("log")) => Err(Refusal::method()),
        ("get", Some("scale")) => scale::get(shared, target),
        ("get", None | Some("status")) => lists::get(shared, call, target),
        ("create", Some("eviction")) => writes::evict(shared, call, target),
        ("create", None) => writes::create(shared, call, target),
        ("update" | "patch", Some("scale")) => scale::write(shared, call, target),
        ("update" | "patch", None | Some("status")) => writes::modify(shared, call, target),
        ("delete", None) => writes::delete(shared, call, target),
        ("deletecollection", None) => writes::delete_collection(shared, call, target),
        _ => Err(Refusal::method()),
    }
}

/// Whether the method changes something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}
