//! Rights that objects give: roles, cluster roles and their bindings
//! (`kubernetes/kubernetes:plugin/pkg/auth/authorizer/rbac`).

use super::access::Wish;
use crate::sim::fields::{at, list, name, namespace, text};
use crate::sim::json::Value;
use crate::sim::resources::Res;
use crate::sim::selector::Labels;
use crate::sim::world::World;

/// Somebody, as bindings name them.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) groups: &'a [String],
}

/// A binding that gives somebody something, in the words of an access review.
struct Grant<'a> {
    binding: &'a Value,
    rules: Vec<&'a Value>,
}

/// The bindings of somebody that hold in a namespace: those of the cluster, and its own.
fn grants<'a>(world: &'a World, who: &Subject<'_>, space: &'a str) -> impl Iterator<Item = Grant<'a>> {
    let own = (!space.is_empty()).then(|| world.store.list(Res::RoleBindings, Some(space)));
    let all = world.store.list(Res::ClusterRoleBindings, None).chain(own.into_iter().flatten());
    let meant: Vec<&'a Value> =
        all.map(AsRef::as_ref).filter(|b: &&Value| list(b, "subjects").iter().any(|s| who.is(s))).collect();
    meant.into_iter().map(|binding| Grant { binding, rules: rules(world, binding) })
}

/// The role that a binding names.
pub(super) fn role<'a>(world: &'a World, binding: &Value) -> Option<&'a Value> {
    let role = text(binding, "roleRef.name");
    let found = match text(binding, "roleRef.kind") {
        "Role" => world.store.get(Res::Roles, namespace(binding), role),
        _ => world.store.get(Res::ClusterRoles, "", role),
    };
    found.map(AsRef::as_ref)
}

/// The rules of the role that a binding names.
pub(super) fn rules<'a>(world: &'a World, binding: &Value) -> Vec<&'a Value> {
    let Some(role) = role(world, binding) else { return Vec::new() };
    // an aggregated role has the rules of those that its selectors mean
    let selectors: Vec<Labels> =
        list(role, "aggregationRule.clusterRoleSelectors").iter().filter_map(Labels::of).collect();
    let others = world.store.list(Res::ClusterRoles, None);
    let parts = others.filter(|o| selectors.iter().any(|s| s.matches_object(o)));
    list(role, "rules").iter().chain(parts.flat_map(|o| list(o, "rules"))).collect()
}

impl Subject<'_> {
    /// Whether a binding's subject is them.
    fn is(&self, subject: &Value) -> bool {
        let wanted = text(subject, "name");
        match text(subject, "kind") {
            "User" => wanted == self.name,
            "Group" => self.groups.iter().any(|g| g == wanted),
            "ServiceAccount" => {
                self.name == format!("system:serviceaccount:{}:{wanted}", text(subject, "namespace"))
            }
            _ => false,
        }
    }
}

/// Whether a list of a rule has a word, or everything.
fn has(rule: &Value, key: &str, word: &str) -> bool {
    list(rule, key).iter().filter_map(Value::as_str).any(|w| w == word || w == "*")
}

/// Whether a rule allows something (`pkg/apis/rbac/v1/evaluation_helpers.go`).
fn allows(rule: &Value, wish: &Wish<'_>) -> bool {
    let resources = list(rule, "resources").iter().filter_map(Value::as_str);
    let sub = wish.resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
    let named = resources.into_iter().any(|r| r == "*" || r == wish.resource || Some(r) == sub.as_deref());
    let names = list(rule, "resourceNames");
    has(rule, "verbs", wish.verb)
        && has(rule, "apiGroups", wish.group)
        && named
        && (names.is_empty() || names.iter().any(|n| n == wish.name && !wish.name.is_empty()))
}

/// Why somebody may do something, if a binding says so.
pub(super) fn reason(world: &World, who: &Subject<'_>, wish: &Wish<'_>) -> Option<String> {
    let grant = grants(world, who, wish.namespace).find(|g| g.rules.iter().any(|r| allows(r, wish)))?;
    Some(said(grant.binding, who))
}

/// The words of a real server for a binding that allows something.
fn said(binding: &Value, who: &Subject<'_>) -> String {
    let subject = list(binding, "subjects").iter().find(|s| who.is(s)).unwrap_or(&Value::Null);
    let (kind, space) = match namespace(binding) {
        "" => ("ClusterRoleBinding", String::new()),
        space => ("RoleBinding", format!("/{space}")),
    };
    let own = name(binding);
    // a binding in a namespace is named with it
    let own = if space.is_empty() { format!("{own:?}") } else { format!("\"{own}{space}\"") };
    let (role, of) = (text(binding, "roleRef.kind"), text(binding, "roleRef.name"));
    let whom = match (text(subject, "kind"), text(subject, "namespace")) {
        ("ServiceAccount", space) => format!("ServiceAccount \"{}/{space}\"", text(subject, "name")),
        (kind, _) => format!("{kind} {:?}", text(subject, "name")),
    };
    format!("RBAC: allowed by {kind} {own} of {role} {of:?} to {whom}")
}

/// Whether a pattern of paths that are no resources means a path.
pub(super) fn path_fits(pattern: &str, path: &str) -> bool {
    pattern.strip_suffix('*').map_or(path == pattern, |head| path.starts_with(head))
}

/// Whether somebody may ask for a path that is no resource.
pub(super) fn allows_path(world: &World, who: &Subject<'_>, verb: &str, path: &str) -> bool {
    held(world, who, "").into_iter().any(|rule| {
        let paths = list(rule, "nonResourceURLs").iter().filter_map(Value::as_str);
        has(rule, "verbs", verb) && paths.into_iter().any(|pattern| path_fits(pattern, path))
    })
}

/// Every rule that holds for somebody in a namespace.
pub(super) fn held<'a>(world: &'a World, who: &Subject<'_>, space: &'a str) -> Vec<&'a Value> {
    grants(world, who, space).flat_map(|g| g.rules).collect()
}

/// Every rule that holds for somebody in a namespace: those of resources, and those of paths.
pub(super) fn rules_of(world: &World, who: &Subject<'_>, space: &str) -> (Vec<Value>, Vec<Value>) {
    let all = held(world, who, space).into_iter().cloned();
    all.partition(|rule| at(rule, "nonResourceURLs").is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;
    use crate::sim::json::json;

    fn world() -> World {
        let mut world = World::new("w", "v1.36.3", 1, Time::from_seconds(1_795_226_400));
        let now = world.now;
        let mut make = |res: Res, object: Value| drop(world.store.create(res, object, now).unwrap());
        let meta = |name: &str, space: &str| match space {
            "" => json!({ "name": name }),
            space => json!({ "name": name, "namespace": space }),
        };
        make(
            Res::Roles,
            json!({ "metadata": meta("reader", "a"), "rules": [
            { "apiGroups": [""], "resources": ["pods", "*/log"], "verbs": ["get", "list"] },
            { "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"], "verbs": ["*"] }] }),
        );
        make(
            Res::RoleBindings,
            json!({ "metadata": meta("readers", "a"),
            "roleRef": { "kind": "Role", "name": "reader" }, "subjects": [{ "kind": "User", "name": "jane" },
                { "kind": "ServiceAccount", "name": "bot", "namespace": "ci" }] }),
        );
        make(
            Res::ClusterRoles,
            json!({ "metadata": meta("all", ""), "aggregationRule": {
            "clusterRoleSelectors": [{ "matchLabels": { "part": "yes" } }] } }),
        );
        make(
            Res::ClusterRoles,
            json!({ "metadata": { "name": "part", "labels": { "part": "yes" } }, "rules": [
            { "apiGroups": [""], "resources": ["nodes"], "verbs": ["get"] },
            { "nonResourceURLs": ["/metrics*"], "verbs": ["get"] }] }),
        );
        make(
            Res::ClusterRoleBindings,
            json!({ "metadata": meta("ops", ""),
            "roleRef": { "kind": "ClusterRole", "name": "all" }, "subjects": [{ "kind": "Group", "name": "ops" }] }),
        );
        world.absorb();
        world
    }

    #[test]
    fn bindings_give_what_their_roles_say_and_no_more() {
        let world = world();
        let ops = ["ops".to_owned()];
        let (jane, bot, group) = (
            Subject { name: "jane", groups: &[] },
            Subject { name: "system:serviceaccount:ci:bot", groups: &[] },
            Subject { name: "joe", groups: &ops },
        );
        for (who, verb, group, resource, space, name, may) in [
            (&jane, "list", "", "pods", "a", "", true),
            (&jane, "list", "", "pods", "b", "", false),
            (&jane, "list", "", "pods", "", "", false),
            (&jane, "delete", "", "pods", "a", "p", false),
            (&jane, "get", "", "pods/log", "a", "p", true),
            (&jane, "get", "metrics.k8s.io", "pods", "a", "", false),
            (&jane, "patch", "apps", "deployments", "a", "web", true),
            (&jane, "patch", "apps", "deployments", "a", "other", false),
            (&jane, "list", "apps", "deployments", "a", "", false),
            (&bot, "get", "", "pods", "a", "p", true),
            (&group, "get", "", "nodes", "", "n", true),
            (&group, "list", "", "nodes", "", "", false),
        ] {
            let wish = Wish { verb, group, resource, namespace: space, name };
            assert_eq!(reason(&world, who, &wish).is_some(), may, "{} {verb} {resource} {space}", who.name);
        }
        assert!(
            allows_path(&world, &group, "get", "/metrics/x")
                && !allows_path(&world, &jane, "get", "/metrics")
        );
        let wish = Wish { verb: "get", group: "", resource: "pods", namespace: "a", name: "p" };
        assert_eq!(
            reason(&world, &jane, &wish).unwrap(),
            "RBAC: allowed by RoleBinding \"readers/a\" of Role \"reader\" to User \"jane\""
        );
    }
}
