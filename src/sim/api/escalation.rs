//! Nobody gives away rights that they do not have: who writes a role or a binding must hold what it gives
//! (`kubernetes/kubernetes:pkg/registry/rbac/escalation_check.go`, `pkg/registry/rbac/validation/rule.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::access::{self, Who, Wish};
use super::rbac::{self, path_fits};
use super::target::Target;
use crate::sim::fields::{list, name, text, unset};
use crate::sim::json::Value;
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// The API group of roles and bindings.
const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses a role or a binding that would give more than its writer has.
pub(super) fn check(
    world: &World,
    who: &Who,
    target: &Target,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), Refusal> {
    let Some(res) = target.slot.built_in() else { return Ok(()) };
    let (role, binding) = (
        [Res::Roles, Res::ClusterRoles].contains(&res),
        [Res::RoleBindings, Res::ClusterRoleBindings].contains(&res),
    );
    if !role && !binding || who.is_admin() || old.is_some_and(|old| only_collected(old, new)) {
        return Ok(());
    }
    let space = target.space();
    let may = |verb: &str, resource: &str, name: &str| {
        let wish = Wish { verb, group: GROUP, resource, namespace: space, name };
        access::reason(world, who, &wish).is_some()
    };
    let refused = |why: String| Err(Refusal::forbids(&target.spec, name(new), &why));
    let given: Vec<&Value> = if role {
        if may("escalate", &target.spec.plural, target.named()) {
            return Ok(());
        }
        list(new, "rules").iter().collect()
    } else {
        let (kind, of) = (text(new, "roleRef.kind"), text(new, "roleRef.name"));
        let of_role = if kind == "Role" { Res::Roles } else { Res::ClusterRoles };
        if may("bind", &of_role.spec().plural, of) {
            return Ok(());
        }
        if rbac::role(world, new).is_none() {
            return Err(Refusal::not_found(of_role.spec(), of));
        }
        rbac::rules(world, new)
    };
    let held = Held { world, who, rules: rbac::held(world, &who.subject(), space) };
    let missing: Vec<Right> =
        given.into_iter().flat_map(Right::all).filter(|right| !held.covers(right)).collect();
    if !missing.is_empty() {
        let groups: Vec<String> = who.groups().iter().map(|g| format!("{g:?}")).collect();
        return refused(format!(
            "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
            who.name,
            groups.join(" "),
            said(&missing)
        ));
    }
    // what gathers the rules of others can come to anything
    let gathers = |r: &Value| !list(r, "aggregationRule.clusterRoleSelectors").is_empty();
    if (gathers(new) || old.is_some_and(gathers)) && !Right::everything().iter().all(|r| held.covers(r)) {
        return refused("must have cluster-admin privileges to use the aggregationRule".to_owned());
    }
    Ok(())
}

/// Whether a write changes nothing but what the garbage collector needs (`IsOnlyMutatingGCFields`).
fn only_collected(old: &Value, new: &Value) -> bool {
    let plain = |object: &Value| {
        let mut object = object.clone();
        for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
            unset(&mut object, &format!("metadata.{field}"));
        }
        object
    };
    plain(old) == plain(new)
}

/// A rule in its smallest parts: one verb of one resource, or of one path (`BreakdownRule`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Right {
    Resource { group: String, resource: String, name: Option<String>, verb: String },
    Path { path: String, verb: String },
}

impl Right {
    fn all(rule: &Value) -> Vec<Right> {
        let words = |key: &str| -> Vec<String> {
            list(rule, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let names = words("resourceNames");
        let names: Vec<Option<String>> =
            if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        let mut rights = Vec::new();
        for verb in words("verbs") {
            for group in words("apiGroups") {
                for resource in words("resources") {
                    rights.extend(names.iter().map(|name| Right::Resource {
                        group: group.clone(),
                        resource: resource.clone(),
                        name: name.clone(),
                        verb: verb.clone(),
                    }));
                }
            }
            rights.extend(
                words("nonResourceURLs").into_iter().map(|path| Right::Path { path, verb: verb.clone() }),
            );
        }
        rights
    }

    /// Every right that there is.
    fn everything() -> [Right; 2] {
        let all = || "*".to_owned();
        [
            Right::Resource { group: all(), resource: all(), name: None, verb: all() },
            Right::Path { path: all(), verb: all() },
        ]
    }
}

/// What somebody has.
struct Held<'a> {
    world: &'a World,
    who: &'a Who,
    rules: Vec<&'a Value>,
}

impl Held<'_> {
    /// Whether one of their rules gives a right (`ruleCovers`), or what they are in the fleet does.
    fn covers(&self, right: &Right) -> bool {
        self.rules.iter().any(|rule| covers(rule, right)) || self.has_by_role(right)
    }

    fn has_by_role(&self, right: &Right) -> bool {
        match right {
            // a role of the fleet says what it has thing by thing, so it never has everything
            Right::Resource { group, resource, verb, .. }
                if ![group, resource, verb].iter().any(|w| *w == "*") =>
            {
                self.who.allows(verb, resource)
            }
            Right::Resource { .. } => false,
            Right::Path { path, verb } => rbac::allows_path(self.world, &self.who.subject(), verb, path),
        }
    }
}

fn covers(rule: &Value, right: &Right) -> bool {
    let has = |key: &str, word: &str| list(rule, key).iter().any(|w| w == word || w == "*");
    match right {
        Right::Resource { group, resource, name, verb } => {
            let names = list(rule, "resourceNames");
            let sub = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
            let resources = list(rule, "resources");
            let named =
                has("resources", resource) || sub.is_some_and(|sub| resources.iter().any(|r| *r == *sub));
            let own = name.as_ref().is_some_and(|name| names.iter().any(|n| n == name.as_str()));
            has("verbs", verb) && has("apiGroups", group) && named && (names.is_empty() || own)
        }
        Right::Path { path, verb } => {
            let paths = list(rule, "nonResourceURLs").iter().filter_map(Value::as_str);
            has("verbs", verb) && paths.into_iter().any(|pattern| path_fits(pattern, path))
        }
    }
}

/// Rights as a refusal tells them: the verbs of one thing together, one thing a line, sorted (`CompactRules`,
/// `CompactString`).
fn said(rights: &[Right]) -> String {
    let mut things: BTreeMap<(&str, &str, Option<&str>), Vec<&str>> = BTreeMap::new();
    let mut lines = BTreeSet::new();
    for right in rights {
        match right {
            Right::Resource { group, resource, name, verb } => {
                things.entry((group, resource, name.as_deref())).or_default().push(verb);
            }
            Right::Path { path, verb } => {
                lines.insert(format!("{{NonResourceURLs:[{path:?}], Verbs:[{verb:?}]}}"));
            }
        }
    }
    for ((group, resource, name), verbs) in things {
        let names = name.map_or(String::new(), |name| format!(", ResourceNames:[{name:?}]"));
        let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
        let verbs = verbs.join(" ");
        lines.insert(format!("{{APIGroups:[{group:?}], Resources:[{resource:?}]{names}, Verbs:[{verbs}]}}"));
    }
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fields::set;
    use crate::sim::json::json;

    fn rights(rule: &Value) -> Vec<Right> {
        Right::all(rule)
    }

    #[test]
    fn a_rule_covers_what_it_names_and_no_more() {
        let rule =
            json!({ "apiGroups": ["", "apps"], "resources": ["pods", "*/scale"], "verbs": ["get", "list"] });
        let has = |other: Value| rights(&other).iter().all(|r| covers(&rule, r));
        assert!(has(json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] })));
        assert!(has(json!({ "apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["list"] })));
        assert!(has(
            json!({ "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["get"] })
        ));
        assert!(!has(json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["*"] })));
        assert!(!has(json!({ "apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"] })));
        let named =
            json!({ "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["get"] });
        assert!(!covers(
            &named,
            &rights(&json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }))[0]
        ));
        let paths = json!({ "nonResourceURLs": ["/healthz*"], "verbs": ["get"] });
        let path = |path: &str| rights(&json!({ "nonResourceURLs": [path], "verbs": ["get"] }));
        assert!(covers(&paths, &path("/healthz/etcd")[0]) && !covers(&paths, &path("/metrics")[0]));
    }

    #[test]
    fn missing_rights_are_told_thing_by_thing() {
        let missing = rights(&json!({
            "apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "delete"] }));
        assert_eq!(
            said(&missing),
            "{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"delete\"]}\n\
             {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\" \"delete\"]}"
        );
    }

    #[test]
    fn what_the_collector_writes_gives_nothing_away() {
        let old = json!({ "metadata": { "name": "r", "finalizers": ["a"] }, "rules": [] });
        let mut new = old.clone();
        unset(&mut new, "metadata.finalizers");
        assert!(only_collected(&old, &new));
        set(&mut new, "rules", json!([{}]));
        assert!(!only_collected(&old, &new));
    }
}
