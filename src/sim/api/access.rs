//! Who may do what: the users of the fleet by their tokens, others by the roles and bindings that
//! clients make, and what incidents take away.

use http::HeaderMap;

use super::call::Call;
use super::rbac::{self, Subject};
use super::target::Target;
use crate::sim::cluster::Shared;
use crate::sim::refusal::{Refusal, details};
use crate::sim::resources::Res;
use crate::sim::world::World;

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

/// The group of everybody who is known.
const AUTHENTICATED: &str = "system:authenticated";

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
        Who::named(role.user().to_owned(), vec![role.group().to_owned()], Some(role))
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
        Ok(Who::reviewed(&name, groups))
    }

    /// Somebody of this name: everybody that is known is authenticated, and service accounts are
    /// in groups of their own (`apiserver/pkg/authentication/serviceaccount/util.go`).
    pub(super) fn named(name: String, mut groups: Vec<String>, role: Option<Role>) -> Who {
        let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
        if let (Some((space, _)), true) = (account, groups.is_empty()) {
            groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{space}")];
        }
        if !groups.iter().any(|g| g == AUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        Who { name, groups, role }
    }

    /// Whom a review is about: a user of the fleet, or anybody else by name and groups.
    pub(super) fn reviewed(name: &str, groups: Vec<String>) -> Who {
        let named = Role::ALL.into_iter().find(|r| r.user() == name);
        let grouped = Role::ALL.into_iter().find(|r| groups.iter().any(|g| g == r.group()));
        Who::named(name.to_owned(), groups, named.or(grouped))
    }

    pub(super) fn groups(&self) -> &[String] {
        &self.groups
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject { name: &self.name, groups: &self.groups }
    }

    pub(super) fn allows(&self, verb: &str, resource: &str) -> bool {
        self.role.is_some_and(|role| role.allows(verb, resource))
    }

    /// Whether they are a user of the fleet, or of the group of one.
    pub(super) fn has_role(&self) -> bool {
        self.role.is_some()
    }

    pub(super) fn is_admin(&self) -> bool {
        self.role == Some(Role::Admin)
    }
}

/// One question of who may do what.
pub(super) struct Wish<'a> {
    pub(super) verb: &'a str,
    pub(super) group: &'a str,
    /// `pods` or `pods/eviction`.
    pub(super) resource: &'a str,
    /// Empty for all namespaces and for what has none.
    pub(super) namespace: &'a str,
    /// Empty for lists.
    pub(super) name: &'a str,
}

/// Why somebody may do something; nothing when they may not.
///
/// A denial takes away reading. It holds for its namespace, and for the list of all namespaces: rights of a single
/// namespace do not add up to the cluster's.
pub(super) fn reason(world: &World, who: &Who, wish: &Wish<'_>) -> Option<String> {
    let plural = wish.resource.split('/').next().unwrap_or_default();
    let denies = |(res, namespace): &(Res, Option<String>)| {
        let spec = res.spec();
        // events are served by two groups
        let group = spec.group == wish.group || *res == Res::Events && wish.group == "events.k8s.io";
        let space = namespace.as_ref().is_none_or(|n| wish.namespace.is_empty() || n == wish.namespace);
        spec.plural == plural && group && space
    };
    // may somebody do everything? only if nothing is kept back
    let star = wish.verb == "*" || plural == "*";
    if (star && !world.denied.is_empty()) || READING.contains(&wish.verb) && world.denied.iter().any(denies) {
        return None;
    }
    let own = if star { who.is_admin() } else { who.allows(wish.verb, wish.resource) };
    match own {
        true if who.is_admin() => Some(String::new()),
        true => Some(format!("RBAC: allowed by ClusterRoleBinding {:?}", who.name)),
        false => rbac::reason(world, &who.subject(), wish),
    }
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
    let wish = Wish { verb, group, resource, namespace, name };
    if shared.read(|world| reason(world, who, &wish)).is_some() {
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
