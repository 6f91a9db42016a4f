//! Answers that are wrong because a fault is on.

use std::sync::Arc;

use http::Method;

use super::call::Call;
use super::reply::Answer;
use crate::sim::cluster::Shared;
use crate::sim::faults::{About, FaultFile, FaultName};
use crate::sim::fields::set;
use crate::sim::json::{Value, json};
use crate::sim::refusal::Refusal;

/// Faults that answer in place of the server.
const INSTEAD: [FaultName; 11] = [
    FaultName::CaptivePortal,
    FaultName::TooMany,
    FaultName::Unauthorized,
    FaultName::Login,
    FaultName::Forbidden,
    FaultName::NotFound,
    FaultName::NotAcceptable,
    FaultName::Expired,
    FaultName::Error,
    FaultName::EmptyBody,
    FaultName::GzipBomb,
];

/// Faults that change an answer.
const AFTER: [FaultName; 3] = [FaultName::WrongType, FaultName::GzipMembers, FaultName::ResetStream];

/// What a request is about: the group and the plural of its kind, and the verb.
pub(super) fn about<'a>(path: &[&'a str], method: &Method, watch: bool) -> (About<'a>, &'static str) {
    let (group, rest) = match path {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return (("", ""), "get"),
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        rest => rest,
    };
    let plural = rest.first().copied().unwrap_or_default();
    let verb = match method.as_str() {
        "GET" | "HEAD" if watch => "watch",
        "GET" | "HEAD" if rest.len() == 1 => "list",
        "GET" | "HEAD" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        _ => "delete",
    };
    ((group, plural), verb)
}

/// What a request that was read is about.
fn about_call(call: &Call) -> (About<'_>, &'static str) {
    let path: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    about(&path, &call.method, call.query.flag("watch"))
}

/// The fault's own answer to a request, if one is on.
pub(super) fn instead(shared: &Arc<Shared>, call: &Call) -> Option<Answer> {
    let (about, verb) = about_call(call);
    let plural = about.1;
    let fault = shared.read(|world| {
        if world.trouble.none() {
            return None;
        }
        let further = !call.query.get("continue").is_empty();
        let pages = further.then(|| world.trouble.strike(&[FaultName::ExpiredPages], about, verb)).flatten();
        // nothing else can expire: a fault that happens so many times happens to those
        let expires = !plural.is_empty() && ["list", "watch"].contains(&verb);
        let refused = world.trouble.first(FaultName::NotAcceptable).and_then(|f| f.value.as_deref());
        let accepts = refused.is_none_or(|value| call.accept.contains(value));
        let meant = |name: &FaultName| match name {
            FaultName::Expired => expires,
            FaultName::NotAcceptable => accepts,
            _ => true,
        };
        let names: Vec<FaultName> = INSTEAD.into_iter().filter(meant).collect();
        pages.or_else(|| world.trouble.strike(&names, about, verb))
    })?;
    let refused = |refusal: &Refusal| Some(Answer::refusal(refusal, call.wants_protobuf()));
    match fault.fault {
        FaultName::CaptivePortal => {
            let page =
                "<html><head><title>Sign in to the network</title></head><body>Please sign in.</body></html>";
            Some(Answer::bytes("text/html; charset=utf-8", page.into()))
        }
        FaultName::TooMany => {
            let message = "the server has received too many requests and has asked us to try again later";
            let answer = refused(&Refusal::of(429, "TooManyRequests", message))?;
            Some(match &fault.retry_after {
                Some(value) => answer.wait(value),
                None => answer,
            })
        }
        FaultName::Unauthorized | FaultName::Login => refused(&Refusal::unauthorized()),
        FaultName::Forbidden => {
            let message = format!(
                "{plural} is forbidden: User {:?} cannot {verb} resource {plural:?} at the cluster scope",
                call.who.name
            );
            refused(&Refusal::forbidden(message))
        }
        FaultName::NotFound => Some(Answer::text("404 page not found\n").coded(404)),
        FaultName::NotAcceptable => refused(&Refusal::not_acceptable()),
        FaultName::Expired | FaultName::ExpiredPages if ["list", "watch"].contains(&verb) => {
            refused(&Refusal::expired(1, 2))
        }
        FaultName::Error => refused(&error(&fault)),
        FaultName::EmptyBody => Some(Answer::bytes("application/json", Vec::new())),
        FaultName::GzipBomb => Some(Answer::bomb("application/json", fault.bytes.unwrap_or(1 << 30))),
        _ => None,
    }
}

/// An error of the server, with the reason that goes with its code.
fn error(fault: &FaultFile) -> Refusal {
    let code = fault.code.unwrap_or(503);
    let (reason, message) = match code {
        500 => ("InternalError", "Internal error occurred: etcdserver: leader changed"),
        504 => ("Timeout", "Timeout: request did not complete within the allotted timeout"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        _ => ("InternalError", "the server has asked for the client to provide something else"),
    };
    Refusal::of(code, reason, message)
}

/// An answer as faults leave it.
pub(super) fn spoiled(shared: &Arc<Shared>, call: &Call, answer: Answer) -> Answer {
    let (about, verb) = about_call(call);
    let fault = shared
        .read(|world| if world.trouble.none() { None } else { world.trouble.strike(&AFTER, about, verb) });
    match fault {
        Some(f) if f.fault == FaultName::WrongType => {
            answer.typed(f.value.as_deref().unwrap_or("text/plain"))
        }
        Some(f) if f.fault == FaultName::GzipMembers => {
            answer.in_members(usize::try_from(f.bytes.unwrap_or(4096)).unwrap_or(4096), call.gzip)
        }
        Some(_) => answer.broken_off(),
        None => answer,
    }
}

/// The faults of a list's pages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pages {
    pub(super) no_limit: bool,
    /// Objects of a page, however many were asked for.
    pub(super) short: Option<usize>,
    pub(super) repeats: bool,
    pub(super) endless: bool,
    /// Versions that it is behind.
    pub(super) behind: Option<u64>,
    /// Bytes that its first object is too large by.
    pub(super) large: Option<u64>,
}

/// What is wrong with the pages of a list.
pub(super) fn pages(shared: &Arc<Shared>, about: About<'_>) -> Pages {
    shared.read(|world| {
        if world.trouble.none() {
            return Pages::default();
        }
        let strike = |name: FaultName| world.trouble.strike(&[name], about, "list");
        Pages {
            no_limit: strike(FaultName::NoLimit).is_some(),
            short: strike(FaultName::ShortPages)
                .map(|f| f.value.as_deref().and_then(|v| v.parse().ok()).unwrap_or(10).max(1)),
            repeats: strike(FaultName::RepeatedItem).is_some(),
            endless: strike(FaultName::EndlessPages).is_some(),
            behind: strike(FaultName::Lagging).map(|f| crate::sim::faults::state::behind(&f)),
            large: strike(FaultName::LargeObject).map(|f| f.bytes.unwrap_or(LARGE)),
        }
    })
}

const LARGE: u64 = 20_000_000;

/// An object with an annotation of so many bytes.
pub(super) fn large(object: &Value, bytes: u64) -> Value {
    let mut large = object.clone();
    let filler = "x".repeat(usize::try_from(bytes).unwrap_or(0).min(1 << 28));
    set(&mut large, "metadata.annotations", json!({ "filler": filler }));
    large
}
