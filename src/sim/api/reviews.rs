//! Reviews: what may I do, what may somebody do, who am I, whose token is this.

use std::sync::Arc;

use super::access::{self, Who, Wish};
use super::body;
use super::call::Call;
use super::rbac;
use super::reply::Answer;
use crate::sim::cluster::Shared;
use crate::sim::fields::{at, list, set, text};
use crate::sim::json::{Value, json};
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::resources::{Res, Spec};
use crate::sim::world::World;

/// Paths that are open to everybody who is known (`system:discovery`).
const DISCOVERY: [&str; 11] = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
];

/// Answers a review.
pub(super) fn answer(shared: &Arc<Shared>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    if call.method != http::Method::POST {
        return Err(Refusal::method());
    }
    let mut body = body::value(call)?;
    let group = call.segments.get(1).map_or("", String::as_str);
    // about oneself everybody may ask
    let (name, space) = match rest {
        ["namespaces", space, "localsubjectaccessreviews"] => ("localsubjectaccessreviews", *space),
        [name] if *name != "localsubjectaccessreviews" => (*name, ""),
        _ => return Err(Refusal::no_such_path()),
    };
    if !name.starts_with("self") {
        access::check_names(shared, &call.who, "create", group, name, space, "")?;
    }
    validate(name, space, &body)?;
    let (kind, status) = match (group, name) {
        ("authorization.k8s.io", "selfsubjectaccessreviews") => {
            ("SelfSubjectAccessReview", shared.read(|w| access_status(w, &call.who, &body["spec"], "")))
        }
        ("authorization.k8s.io", "subjectaccessreviews") => {
            let who = subject(&body["spec"]);
            ("SubjectAccessReview", shared.read(|w| access_status(w, &who, &body["spec"], "")))
        }
        ("authorization.k8s.io", "localsubjectaccessreviews") => {
            let who = subject(&body["spec"]);
            ("LocalSubjectAccessReview", shared.read(|w| access_status(w, &who, &body["spec"], space)))
        }
        ("authorization.k8s.io", "selfsubjectrulesreviews") => {
            let space = text(&body, "spec.namespace");
            ("SelfSubjectRulesReview", shared.read(|w| rules_status(w, &call.who, space)))
        }
        ("authentication.k8s.io", "selfsubjectreviews") => {
            ("SelfSubjectReview", json!({ "userInfo": user(&call.who) }))
        }
        ("authentication.k8s.io", "tokenreviews") => {
            let known = shared.role(text(&body, "spec.token")).map(Who::of);
            let status = match known {
                Some(who) => json!({ "authenticated": true, "user": user(&who) }),
                None => json!({ "user": {}, "error": "invalid bearer token" }),
            };
            ("TokenReview", status)
        }
        _ => return Err(Refusal::no_such_path()),
    };
    set(&mut body, "kind", kind);
    set(&mut body, "apiVersion", format!("{group}/v1"));
    if body["metadata"].is_null() {
        set(&mut body, "metadata", json!({}));
    }
    if name == "selfsubjectreviews" {
        set(&mut body, "metadata.creationTimestamp", shared.now().rfc3339());
    }
    set(&mut body, "status", status);
    Ok(Answer::json(201, &body))
}

fn user(who: &Who) -> Value {
    json!({ "username": who.name, "groups": who.groups() })
}

/// Whom a review is about.
fn subject(spec: &Value) -> Who {
    let groups = list(spec, "groups").iter().filter_map(Value::as_str).map(str::to_owned);
    Who::reviewed(text(spec, "user"), groups.collect())
}

/// Refuses a review that asks nothing, or of nobody (`pkg/apis/authorization/validation`). What is
/// refused has no kind there.
fn validate(name: &str, space: &str, body: &Value) -> Result<(), Refusal> {
    if name == "selfsubjectrulesreviews" {
        let asked = !text(body, "spec.namespace").is_empty();
        return if asked { Ok(()) } else { Err(Refusal::bad_request("no namespace on request")) };
    }
    if !name.ends_with("accessreviews") {
        return Ok(());
    }
    let mut causes = Vec::new();
    let (of, path) = (at(body, "spec.resourceAttributes"), at(body, "spec.nonResourceAttributes"));
    match (of.is_null(), path.is_null()) {
        (false, false) => {
            let why = "cannot be specified in combination with resourceAttributes";
            causes.push(Cause::invalid("spec.nonResourceAttributes", path, why));
        }
        (true, true) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            causes.push(Cause::invalid("spec.resourceAttributes", path, why));
        }
        _ => {}
    }
    let nobody = text(body, "spec.user").is_empty() && list(body, "spec.groups").is_empty();
    if nobody && !name.starts_with("self") {
        let why = "at least one of user or group must be specified";
        causes.push(Cause::invalid("spec.user", &json!(""), why));
    }
    if name.starts_with("local") {
        let own = text(of, "namespace");
        if !of.is_null() && own != space {
            let field = "spec.resourceAttributes.namespace";
            causes.push(Cause::invalid(field, &json!(own), "must match metadata.namespace"));
        }
        if !path.is_null() {
            let why = "disallowed on this kind of request";
            causes.push(Cause::invalid("spec.nonResourceAttributes", path, why));
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    let spec = Spec { group: "authorization.k8s.io".into(), kind: "".into(), ..(**Res::Pods.spec()).clone() };
    Err(Refusal::invalid(&spec, "", &causes))
}

/// Whether somebody may do what a review asks. A local one asks of its own namespace.
fn access_status(world: &World, who: &Who, spec: &Value, space: &str) -> Value {
    let path = &spec["nonResourceAttributes"];
    let reason = if path.is_null() {
        let wish = &spec["resourceAttributes"];
        let plural = text(wish, "resource");
        let resource = match text(wish, "subresource") {
            "" => plural.to_owned(),
            sub => format!("{plural}/{sub}"),
        };
        let wish = Wish {
            verb: text(wish, "verb"),
            group: text(wish, "group"),
            resource: &resource,
            namespace: if space.is_empty() { text(wish, "namespace") } else { space },
            name: text(wish, "name"),
        };
        access::reason(world, who, &wish)
    } else {
        may_ask(world, who, text(path, "verb"), text(path, "path"))
            .then(|| "RBAC: allowed by ClusterRoleBinding \"system:discovery\"".to_owned())
    };
    match reason {
        // members of system:masters are let through without one
        Some(reason) if reason.is_empty() => json!({ "allowed": true }),
        Some(reason) => json!({ "allowed": true, "reason": reason }),
        None => json!({ "allowed": false }),
    }
}

/// Whether somebody may ask for a path that is no resource.
fn may_ask(world: &World, who: &Who, verb: &str, path: &str) -> bool {
    let open = DISCOVERY.iter().any(|open| match open.strip_suffix('*') {
        Some(head) => path.starts_with(head),
        None => path == *open,
    });
    who.is_admin() || verb == "get" && open || rbac::allows_path(world, &who.subject(), verb, path)
}

/// Refuses a path that somebody may not ask for.
pub(super) fn check_path(shared: &Shared, who: &Who, verb: &str, path: &str) -> Result<(), Refusal> {
    if shared.read(|world| may_ask(world, who, verb, path)) {
        return Ok(());
    }
    Err(Refusal::forbidden(format!("forbidden: User {:?} cannot {verb} path {path:?}", who.name)))
}

/// Every verb of objects.
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// All that somebody may do in a namespace.
fn rules_status(world: &World, who: &Who, namespace: &str) -> Value {
    let mut open = vec![json!({ "verbs": ["get"], "nonResourceURLs": DISCOVERY })];
    let (given, paths) = rbac::rules_of(world, &who.subject(), namespace);
    open.extend(paths);
    let rules = match (who.is_admin(), world.denied.is_empty()) {
        (true, true) => {
            open.push(json!({ "verbs": ["*"], "nonResourceURLs": ["*"] }));
            vec![json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] })]
        }
        (false, true) if !who.has_role() => given,
        // what is given and taken away again is seen one by one
        _ => own_rules(world, who, namespace),
    };
    json!({ "resourceRules": rules, "nonResourceRules": open, "incomplete": false })
}

/// What somebody may do with each resource that is served, asked one by one.
fn own_rules(world: &World, who: &Who, namespace: &str) -> Vec<Value> {
    let built_in = Res::ALL.into_iter().map(|res| res.spec().clone());
    let custom = world.store.custom.live().map(|d| d.spec.clone());
    let mut all: Vec<(String, String, Vec<String>)> = built_in
        .chain(custom)
        .map(|spec| {
            let subs = spec.subresources.iter().map(ToString::to_string).collect();
            (spec.group.to_string(), spec.plural.to_string(), subs)
        })
        .collect();
    all.extend(["nodes", "pods"].map(|p| ("metrics.k8s.io".to_owned(), p.to_owned(), Vec::new())));
    let may = |verb: &str, group: &str, resource: &str| {
        access::reason(world, who, &Wish { verb, group, resource, namespace, name: "" }).is_some()
    };
    let rule = |(group, plural, subs): (String, String, Vec<String>)| {
        let verbs: Vec<&str> = VERBS.into_iter().filter(|verb| may(verb, &group, &plural)).collect();
        let subs = subs.into_iter().map(|sub| format!("{plural}/{sub}"));
        let names: Vec<String> =
            std::iter::once(plural.clone()).chain(subs.filter(|sub| may("create", &group, sub))).collect();
        (!verbs.is_empty()).then(|| json!({ "verbs": verbs, "apiGroups": [group], "resources": names }))
    };
    all.into_iter().filter_map(rule).collect()
}
