//! The Kubernetes API of one simulated cluster: who asks, for what, and who answers.

mod access;
mod body;
mod call;
mod components;
mod convert;
mod deletes;
mod discovery;
mod encode;
mod escalation;
mod faulty;
mod lists;
mod logs;
mod members;
mod metrics;
mod openapi;
mod passage;
mod prometheus;
mod rbac;
mod reply;
mod reviews;
mod scale;
mod spoil;
mod tables;
mod target;
mod terminal;
mod tokens;
mod watching;
mod writes;

pub use access::Role;

use std::sync::Arc;

use http::Method;
use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::Notify;

use self::call::Call;
use self::passage::Passage;
use self::reply::{Answer, Reply};
use self::target::Target;
use self::terminal::Upgrade;
use super::cluster::Shared;
use super::refusal::Refusal;

/// Answers one request. `line` is told when the connection that it came over is to end.
///
/// # Errors
/// The request is refused before it is looked at, or its answer is broken off before it begins.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    line: &Notify,
    mut request: Request<Incoming>,
) -> Result<Reply, h2::Error> {
    let mut passage = Passage::begin(shared, line, &request);
    passage.arrive().await?;
    let upgrade = Upgrade::read(&mut request);
    let gzip = call::accepts_gzip(request.headers());
    let bare = request.method() == Method::HEAD;
    let answer = match Call::read(shared, request).await {
        Ok(call) => match faulty::instead(shared, &call) {
            Some(answer) => answer,
            None => {
                let answer = route(shared, &call, upgrade);
                let answer = answer.unwrap_or_else(|r| Answer::refusal(&r, call.wants_protobuf()));
                faulty::spoiled(shared, &call, answer)
            }
        },
        Err(refusal) => Answer::refusal(&refusal, false),
    };
    let answer = if bare { answer.bare() } else { answer };
    passage.leave().await?;
    Ok(passage.carry(answer.reply(gzip)))
}

fn route(shared: &Arc<Shared>, call: &Call, upgrade: Option<Upgrade>) -> Result<Answer, Refusal> {
    let path: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["version" | "api" | "apis"] if changes(&call.method) => Err(Refusal::method()),
        ["version"] => Ok(discovery::version(shared)),
        ["metrics"] => {
            reviews::check_path(shared, &call.who, "get", "/metrics")?;
            Ok(prometheus::serve(shared))
        }
        [probe @ ("readyz" | "livez" | "healthz"), checks @ ..] => health(probe, checks, call),
        ["api"] => Ok(discovery::core(shared, call)),
        ["apis"] => Ok(discovery::groups(shared, call)),
        ["apis", group] => discovery::group(shared, group),
        ["api", version] => discovery::resources(shared, "", version),
        ["apis", group, version] => discovery::resources(shared, group, version),
        ["openapi", rest @ ..] => openapi::serve(shared, call, rest),
        ["apis", "authorization.k8s.io" | "authentication.k8s.io", "v1", rest @ ..] if !rest.is_empty() => {
            reviews::answer(shared, call, rest)
        }
        ["apis", "metrics.k8s.io", "v1beta1", rest @ ..] => metrics::serve(shared, call, rest),
        ["api", "v1", "componentstatuses", rest @ ..] => components::serve(shared, call, rest),
        ["api", "v1", "namespaces", space, "bindings"] => {
            if call.method != Method::POST {
                return Err(Refusal::method());
            }
            access::check_names(shared, &call.who, "create", "", "bindings", space, "")?;
            deletes::bind_named(shared, call, space)
        }
        _ => resource(shared, call, &shared.read(|world| Target::read(world, &path))?, upgrade),
    }
}

fn resource(
    shared: &Arc<Shared>,
    call: &Call,
    target: &Target,
    upgrade: Option<Upgrade>,
) -> Result<Answer, Refusal> {
    let watch = call.query.flag("watch");
    let verb = target.verb(&call.method, watch)?;
    access::check(shared, call, verb, target)?;
    if changes(&call.method) && shared.read(|world| world.full) {
        return Err(Refusal::etcd_full());
    }
    match (verb, target.sub.as_deref()) {
        ("list", _) => lists::list(shared, call, target),
        ("watch", _) => watching::watch(shared, call, target),
        ("get" | "create", Some("exec" | "attach")) => terminal::serve(shared, call, target, upgrade),
        (_, Some("portforward")) => Err(Refusal::not_forwarded()),
        (_, Some("proxy")) => Err(Refusal::unreachable()),
        ("get", Some("log")) => logs::serve(shared, call, target),
        (_, Some("log")) => Err(Refusal::method()),
        ("get", Some("scale")) => scale::get(shared, target),
        ("get", None | Some("status" | "approval" | "ephemeralcontainers" | "resize")) => {
            lists::get(shared, call, target)
        }
        ("create", Some("eviction")) => deletes::evict(shared, call, target),
        ("create", Some("token")) => tokens::create(shared, call, target),
        ("create", Some("binding")) => deletes::bind(shared, call, target),
        ("create", None) => writes::create(shared, call, target),
        ("update" | "patch", Some("scale")) => scale::write(shared, call, target),
        (
            "update" | "patch",
            None | Some("status" | "approval" | "finalize" | "ephemeralcontainers" | "resize"),
        ) => writes::modify(shared, call, target),
        ("delete", None) => deletes::delete(shared, call, target),
        ("deletecollection", None) => deletes::delete_collection(shared, call, target),
        _ => Err(Refusal::method()),
    }
}

/// What the server looks at to know whether it is well.
const CHECKS: [&str; 3] = ["ping", "log", "etcd"];

/// Whether the server is well, as a whole or in one point, and with `verbose` what it looked at.
fn health(probe: &str, checks: &[&str], call: &Call) -> Result<Answer, Refusal> {
    if !checks.is_empty() {
        let known = CHECKS.contains(&checks.join("/").as_str());
        return if known { Ok(Answer::text("ok")) } else { Err(Refusal::no_such_group()) };
    }
    if !call.query.has("verbose") {
        return Ok(Answer::text("ok"));
    }
    let looked: String = CHECKS.iter().map(|check| format!("[+]{check} ok\n")).collect();
    Ok(Answer::text(format!("{looked}{probe} check passed\n")))
}

/// Whether the method changes something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}
