//! What a path names.

use std::borrow::Cow;
use std::sync::Arc;

use crate::sim::json::Value;
use http::Method;

use super::convert;
use super::discovery;
use crate::sim::custom::Version;
use crate::sim::layout::Layout;
use crate::sim::refusal::Refusal;
use crate::sim::resources::{Res, Slot, Spec, api_version};
use crate::sim::schema::{self, Message};
use crate::sim::world::World;

/// What a path of `/api/v1/…` or `/apis/GROUP/VERSION/…` names.
#[derive(Debug)]
pub(crate) struct Target {
    pub(super) slot: Slot,
    pub(super) spec: Arc<Spec>,
    /// Of a custom resource, the version of the path.
    pub(super) version: Option<Arc<Version>>,
    /// The version of the path, which may differ from the one in which objects are kept.
    pub(super) api_version: String,
    pub(super) group: String,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) sub: Option<String>,
}

impl Target {
    /// Reads a path.
    pub(super) fn read(world: &World, path: &[&str]) -> Result<Target, Refusal> {
        let (group, version, rest) = match path {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(Refusal::no_such_group()),
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
            // what follows is the path behind the proxy
            [plural, name, "proxy", ..] => (*plural, Some(*name), Some("proxy")),
            _ => return Err(Refusal::no_such_path()),
        };
        let (slot, spec, custom) = match world.store.custom.find(group, version, plural) {
            Some((defined, version)) => (defined.slot, defined.spec.clone(), Some(version.clone())),
            None => {
                let nothing = || match discovery::serves(world, group, version) {
                    true => Refusal::no_such_path(),
                    false => Refusal::no_such_group(),
                };
                let res = Res::find(group, version, plural).ok_or_else(nothing)?;
                (Slot::from(res), res.spec().clone(), None)
            }
        };
        if world.withdrawn(&spec, version) {
            return Err(match discovery::serves(world, group, version) {
                true => Refusal::no_such_path(),
                false => Refusal::no_such_group(),
            });
        }
        let wrong = match (spec.namespaced, namespace) {
            (false, Some(_)) => true,
            (true, None) => name.is_some(),
            _ => false,
        };
        let there = |sub: &str| custom.as_ref().map_or_else(|| spec.has(sub), |version| version.has(sub));
        if wrong || sub.is_some_and(|s| !there(s)) {
            return Err(Refusal::no_such_path());
        }
        Ok(Target {
            slot,
            spec,
            version: custom,
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
        // what is in namespaces is made and deleted in one of them, and namespaces one by one
        let placed = self.namespace.is_some() || !self.spec.namespaced;
        Ok(match *method {
            Method::GET if watch && !named => "watch",
            Method::GET if !named => "list",
            Method::GET => "get",
            Method::POST if placed && (!named || self.sub.is_some()) => "create",
            Method::PUT if named => "update",
            Method::PATCH if named => "patch",
            Method::DELETE if named => "delete",
            Method::DELETE if placed && self.slot != Res::Namespaces => "deletecollection",
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

    /// The subresource, empty for the object itself.
    pub(super) fn subresource(&self) -> &str {
        self.sub.as_deref().unwrap_or_default()
    }

    /// Whether objects have their status apart.
    pub(super) fn has_status(&self) -> bool {
        self.version.as_ref().map_or_else(|| self.spec.has("status"), |version| version.has("status"))
    }

    /// The table of its fields, in the version of the path.
    pub(super) fn message(&self) -> Option<&'static Message> {
        if self.version.is_some() {
            return None;
        }
        schema::of(&self.api_version, &self.spec.kind)
    }

    /// How objects of the path's version are laid out.
    pub(super) fn layout(&self) -> Layout<'_> {
        match (&self.version, self.message()) {
            (Some(version), _) if version.schema.is_object() => Layout::Schema(&version.schema),
            (None, Some(message)) => Layout::Message(message),
            _ => Layout::Free,
        }
    }

    /// A kept object in the version of the path.
    pub(super) fn shown<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        convert::shown(&self.api_version, object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    fn read(path: &str) -> Option<String> {
        let world = World::new("w", "v1.36.3", 1, Time::from_seconds(0));
        let path: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
        let t = Target::read(&world, &path).ok()?;
        Some(format!("{} {} {} {}", t.spec.kind, t.space(), t.named(), t.subresource()))
    }

    #[test]
    fn what_is_in_namespaces_is_written_in_one() {
        let world = World::new("w", "v1.36.3", 1, Time::from_seconds(0));
        let verb = |method: Method, path: &str| {
            let path: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
            Target::read(&world, &path).unwrap().verb(&method, false).map_err(|r| r.code)
        };
        for (method, path, found) in [
            (Method::GET, "/api/v1/pods", Ok("list")),
            (Method::POST, "/api/v1/pods", Err(405)),
            (Method::DELETE, "/api/v1/pods", Err(405)),
            (Method::DELETE, "/api/v1/namespaces/a/pods", Ok("deletecollection")),
            (Method::DELETE, "/api/v1/namespaces", Err(405)),
            (Method::POST, "/api/v1/namespaces", Ok("create")),
            (Method::DELETE, "/api/v1/nodes", Ok("deletecollection")),
        ] {
            assert_eq!(verb(method.clone(), path), found, "{method} {path}");
        }
    }

    #[test]
    fn paths_name_resources() {
        for (path, named) in [
            ("/api/v1/pods", "Pod   "),
            ("/api/v1/namespaces/a/pods/p/eviction", "Pod a p eviction"),
            ("/api/v1/namespaces/a", "Namespace  a "),
            ("/api/v1/namespaces/a/status", "Namespace  a status"),
            ("/apis/apps/v1/namespaces/a/deployments/d/scale", "Deployment a d scale"),
            ("/apis/events.k8s.io/v1/events", "Event   "),
            ("/apis/autoscaling/v1/horizontalpodautoscalers", "HorizontalPodAutoscaler   "),
        ] {
            assert_eq!(read(path).as_deref(), Some(named), "{path}");
        }
        for wrong in [
            "/api/v1/pods/p",
            "/api/v1/namespaces/a/nodes",
            "/apis/apps/v2/deployments",
            "/api/v1/x/y/z/w",
            "/api/v1/namespaces/a/configmaps/c/scale",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
