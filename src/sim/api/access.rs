//! Who may do what: roles by token, denials by incident, and the reviews that answer about both.

use std::sync::Arc;

use http::HeaderMap;

use crate::sim::json::{Value, json};

use super::body;
use super::call::Call;
use super::reply::Answer;
use super::target::Target;
use crate::sim::cluster::Shared;
use crate::sim::fields::{set, text};
use crate::sim::refusal::{Refusal, details};
use crate::sim::resources::Res;

/// What a token allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Role {
    /// Everything.
    Admin,
    /// Reading everything but secrets.
    Viewer,
    /// Reading everything but pods and secrets.
    NoPods,
    /// What people on call do: reading everything but secrets, and writing workloads, pods and what
    /// belongs to them, and nodes' schedulability; no rights, no namespaces, no definitions.
    Operator,
}

/// What an operator writes.
const OPERATED: [&str; 14] = [
    "pods",
    "deployments",
    "statefulsets",
    "daemonsets",
    "replicasets",
    "jobs",
    "cronjobs",
    "horizontalpodautoscalers",
    "poddisruptionbudgets",
    "configmaps",
    "services",
    "persistentvolumeclaims",
    "events",
    "leases",
];

const READING: [&str; 3] = ["get", "list", "watch"];

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Admin, Role::Viewer, Role::NoPods, Role::Operator];

    /// The user's name.
    #[must_use]
    pub const fn user(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Viewer => "viewer",
            Role::NoPods => "nopods",
            Role::Operator => "operator",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Role::Admin => "system:masters",
            Role::Viewer => "fleet-viewers",
            Role::NoPods => "fleet-partial",
            Role::Operator => "fleet-operators",
        }
    }

    fn allows(self, verb: &str, resource: &str) -> bool {
        let read = READING.contains(&verb) && resource != "secrets";
        match self {
            Role::Admin => true,
            Role::Viewer => read,
            Role::NoPods => read && resource != "pods" && !resource.starts_with("pods/"),
            Role::Operator => {
                let plural = resource.split('/').next().unwrap_or_default();
                let cordons = plural == "nodes" && ["patch", "update"].contains(&verb);
                read || cordons || OPERATED.contains(&plural)
            }
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) name: String,
    groups: Vec<String>,
    /// What they may do: nothing, if they have no role.
    role: Option<Role>,
}

impl Who {
    /// Who has a role's token.
    pub(super) fn of(role: Role) -> Who {
        Who { name: role.user().to_owned(), groups: vec![role.group().to_owned()], role: Some(role) }
    }

    /// Whom a request means to act as, with the headers of impersonation
    /// (`apiserver/pkg/endpoints/filters/impersonation.go`).
    pub(super) fn acting(self, headers: &HeaderMap) -> Result<Who, Refusal> {
        let all = |name: &str| -> Vec<String> {
            let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
            values.map(str::to_owned).collect()
        };
        let (user, groups) = (all("impersonate-user"), all("impersonate-group"));
        let more = headers.keys().any(|k| k.as_str().starts_with("impersonate-"));
        let Some(name) = user.into_iter().next().filter(|n| !n.is_empty()) else {
            return match more {
                true => {
                    Err(Refusal::internal("requested groups or extra fields without impersonating a user"))
                }
                false => Ok(self),
            };
        };
        if self.role != Some(Role::Admin) {
            return Err(Refusal::forbidden(format!(
                "users {name:?} is forbidden: User {:?} cannot impersonate resource \"users\" in API group \"\" at \
                 the cluster scope",
                self.name
            )));
        }
        let named = Role::ALL.into_iter().find(|r| r.user() == name);
        let grouped = || Role::ALL.into_iter().find(|r| groups.iter().any(|g| g == r.group()));
        Ok(Who { role: named.or_else(grouped), name, groups })
    }

    fn allows(&self, verb: &str, resource: &str) -> bool {
        self.role.is_some_and(|role| role.allows(verb, resource))
    }

    fn is_admin(&self) -> bool {
        self.role == Some(Role::Admin)
    }
}

/// One question of who may do what.
struct Wish<'a> {
    verb: &'a str,
    /// `pods` or `pods/eviction`.
    resource: &'a str,
    /// Empty for all namespaces and for what has none.
    namespace: &'a str,
}

/// A denial takes away reading. It holds for its namespace, and for the list of all namespaces: rights of a single
/// namespace do not add up to the cluster's.
fn allowed(shared: &Shared, who: &Who, wish: &Wish<'_>) -> bool {
    let plural = wish.resource.split('/').next().unwrap_or_default();
    let reads = READING.contains(&wish.verb);
    let denied = reads
        && shared.read(|world| {
            world.denied.iter().any(|(res, namespace)| {
                let space =
                    namespace.as_ref().is_none_or(|n| wish.namespace.is_empty() || n == wish.namespace);
                res.spec().plural == plural && space
            })
        });
    !denied && who.allows(wish.verb, wish.resource)
}

/// Refuses what the role may not do.
pub(super) fn check(shared: &Shared, call: &Call, verb: &str, target: &Target) -> Result<(), Refusal> {
    let plural = &target.spec.plural;
    let resource = target.sub.as_ref().map_or_else(|| plural.to_string(), |sub| format!("{plural}/{sub}"));
    check_names(shared, &call.who, verb, &target.group, &resource, target.space(), target.named())
}

/// Refuses what the role may not do, by names.
pub(super) fn check_names(
    shared: &Shared,
    who: &Who,
    verb: &str,
    group: &str,
    resource: &str,
    namespace: &str,
    name: &str,
) -> Result<(), Refusal> {
    if allowed(shared, who, &Wish { verb, resource, namespace }) {
        return Ok(());
    }
    let plural = resource.split('/').next().unwrap_or_default();
    let object = if name.is_empty() { String::new() } else { format!(" {name:?}") };
    let place = match namespace {
        "" => "at the cluster scope".to_owned(),
        n => format!("in the namespace {n:?}"),
    };
    let qualified = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    let mut refusal = Refusal::forbidden(format!(
        "{qualified}{object} is forbidden: User {:?} cannot {verb} resource {resource:?} in API group {group:?} {place}",
        who.name,
    ));
    refusal.details = Box::new(details(name, group, plural));
    Err(refusal)
}

/// Answers a review: what may I do, who am I.
pub(super) fn answer(shared: &Arc<Shared>, call: &Call, review: &str) -> Result<Answer, Refusal> {
    if call.method != http::Method::POST {
        return Err(Refusal::method());
    }
    let mut body = body::value(call)?;
    let (kind, status) = match review {
        "selfsubjectaccessreviews" => {
            ("SelfSubjectAccessReview", access_status(shared, &call.who, &body["spec"]))
        }
        "selfsubjectrulesreviews" => {
            ("SelfSubjectRulesReview", rules_status(shared, &call.who, text(&body, "spec.namespace")))
        }
        "selfsubjectreviews" => (
            "SelfSubjectReview",
            json!({
                "userInfo": { "username": call.who.name, "groups": groups(&call.who) },
            }),
        ),
        _ => return Err(Refusal::no_such_path()),
    };
    set(&mut body, "kind", kind);
    set(&mut body, "apiVersion", format!("{}/v1", call.segments.get(1).map_or("", String::as_str)));
    if body["metadata"].is_null() {
        set(&mut body, "metadata", json!({}));
    }
    set(&mut body, "status", status);
    Ok(Answer::json(201, &body))
}

/// The groups of a user: everybody that is known is authenticated.
fn groups(who: &Who) -> Vec<String> {
    who.groups.iter().cloned().chain(["system:authenticated".to_owned()]).collect()
}

fn access_status(shared: &Shared, who: &Who, spec: &Value) -> Value {
    if !spec["nonResourceAttributes"].is_null() {
        return json!({ "allowed": true });
    }
    let wish = &spec["resourceAttributes"];
    let plural = text(wish, "resource");
    let resource = match text(wish, "subresource") {
        "" => plural.to_owned(),
        sub => format!("{plural}/{sub}"),
    };
    let verb = text(wish, "verb");
    // may somebody do everything? only if nothing is kept back
    let star = verb == "*" || plural == "*";
    let allowed = if star {
        who.is_admin() && shared.read(|world| world.denied.is_empty())
    } else {
        let wish = Wish { verb, resource: &resource, namespace: text(wish, "namespace") };
        allowed(shared, who, &wish)
    };
    match allowed {
        true => {
            json!({ "allowed": true, "reason": format!("RBAC: allowed by ClusterRoleBinding {:?}", who.name) })
        }
        false => json!({ "allowed": false }),
    }
}

fn rules_status(shared: &Shared, who: &Who, namespace: &str) -> Value {
    if who.is_admin() && shared.read(|world| world.denied.is_empty()) {
        return json!({
            "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
            "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }],
            "incomplete": false,
        });
    }
    let may = |verb: &str, res: Res| {
        let spec = res.spec();
        allowed(shared, who, &Wish { verb, resource: &spec.plural, namespace })
    };
    let every = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    let rules: Vec<Value> = Res::ALL
        .into_iter()
        .filter_map(|res| {
            let verbs: Vec<&str> = every.into_iter().filter(|v| may(v, res)).collect();
            let spec = res.spec();
            (!verbs.is_empty()).then(|| {
                let subs = spec
                    .subresources
                    .iter()
                    .filter(|sub| who.allows("create", &format!("{}/{sub}", spec.plural)));
                let names: Vec<String> = std::iter::once(spec.plural.to_string())
                    .chain(subs.map(|s| format!("{}/{s}", spec.plural)))
                    .collect();
                json!({ "verbs": verbs, "apiGroups": [spec.group], "resources": names })
            })
        })
        .collect();
    json!({
        "resourceRules": rules,
        "nonResourceRules": [{ "verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz", "/version"] }],
        "incomplete": false,
    })
}
