//! What the runner needs of clusters: a request in, an answer out.

use std::future::Future;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::model::{ClusterId, Fault, Span, Text};
use crate::operations::{EvictPod, Patch, PatchKind, Target};

/// How our writes are told from others' (`metadata.managedFields`).
pub(super) const FIELD_MANAGER: &str = "quarterdeck";

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The clusters, as the runner sees them. Nothing behind it may retry: a budget answers an
/// eviction with 429, and a client that retries that by itself looks as if it hung.
pub trait Api: Send + Sync + 'static {
    /// Sends a request. Every HTTP status is an answer; a fault is that there was none.
    fn call(
        &self,
        cluster: ClusterId,
        request: ApiRequest,
    ) -> impl Future<Output = Result<ApiAnswer, Fault>> + Send;

    /// The status that a GET of this address answers with, for probes. It carries no credentials
    /// and follows no redirect.
    fn probe(&self, url: &str) -> impl Future<Output = Result<u16, Fault>> + Send;

    /// Whom a cluster holds us for, and by what it is known; what cannot be known is left out.
    fn identity(&self, cluster: ClusterId) -> impl Future<Output = Identity> + Send {
        let _ = cluster;
        std::future::ready(Identity::default())
    }
}

/// Whom a cluster holds us for, and by what it is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// The user, as the server calls us.
    pub user: Option<Text>,
    /// The SHA-256 of its certificate authority in PEM; `None` where the system's are trusted or
    /// none is.
    pub ca_sha256: Option<String>,
}

/// A request to one cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// What is sent, after its content type.
    pub body: Option<(&'static str, Value)>,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiAnswer {
    /// The HTTP status.
    pub status: u16,
    /// How long the server asks to wait.
    pub retry_after: Option<Span>,
    /// The document; null when it was none.
    pub body: Value,
    /// By what the server's audit log knows the request (`Audit-Id`).
    pub audit_id: Option<Text>,
}

impl ApiAnswer {
    /// Whether it is a success.
    pub(super) fn good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What the server says, in one line: `403: …`.
    pub(super) fn says(&self) -> Text {
        match self.body["message"].as_str() {
            Some(message) if !message.is_empty() => Text::from(format!("{}: {message}", self.status)),
            _ => Text::from(format!("{} without a reason", self.status)),
        }
    }

    /// The message of the cause of this reason (`details.causes` of a `meta/v1` Status).
    pub(super) fn cause(&self, reason: &str) -> Option<&str> {
        let causes = self.body["details"]["causes"].as_array()?;
        let cause = causes.iter().find(|cause| cause["reason"] == reason)?;
        Some(cause["message"].as_str().unwrap_or_default())
    }
}

impl ApiRequest {
    fn new(method: Method, path: String, body: Option<(&'static str, Value)>) -> ApiRequest {
        ApiRequest { method, path, body, timeout: ANSWER_LIMIT }
    }

    /// Reads an object.
    pub(super) fn get(target: &Target) -> ApiRequest {
        ApiRequest::new(Method::GET, path(target, ""), None)
    }

    /// Reads a path, and waits no longer than this.
    pub(super) fn read(path: &str, timeout: Duration) -> ApiRequest {
        ApiRequest { timeout, ..ApiRequest::new(Method::GET, path.to_owned(), None) }
    }

    /// Patches an object. When its uid is known it is part of the patch: the server refuses the
    /// patch for another object of the same name (409 or 422, for `metadata.uid` cannot change).
    pub(super) fn patch(patch: &Patch, dry_run: bool) -> ApiRequest {
        let content_type = match patch.kind {
            PatchKind::Merge => "application/merge-patch+json",
            PatchKind::Strategic => "application/strategic-merge-patch+json",
            PatchKind::Json => "application/json-patch+json",
        };
        let mut body = patch.body.clone();
        let uid = patch.target.uid.and_then(crate::model::Uid::wire);
        if let (Some(uid), true) = (uid, body.is_object()) {
            body["metadata"]["uid"] = uid.into();
        }
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        let path = path(&patch.target, patch.subresource);
        ApiRequest::new(
            Method::PATCH,
            format!("{path}?fieldManager={FIELD_MANAGER}{dry_run}"),
            Some((content_type, body)),
        )
    }

    /// Evicts a pod, or deletes it when the plan says so, with its uid as a precondition.
    pub(super) fn evict(pod: &EvictPod, grace: Option<u32>, dry_run: bool) -> ApiRequest {
        let mut options = json!({});
        if let Some(grace) = grace {
            options["gracePeriodSeconds"] = grace.into();
        }
        if let Some(uid) = pod.uid.wire() {
            options["preconditions"] = json!({ "uid": uid });
        }
        if dry_run {
            options["dryRun"] = json!(["All"]);
        }
        let pod_path = pod_path(pod);
        if pod.delete {
            options["apiVersion"] = "v1".into();
            options["kind"] = "DeleteOptions".into();
            return ApiRequest::new(Method::DELETE, pod_path, Some(("application/json", options)));
        }
        let body = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": { "name": pod.name, "namespace": pod.namespace },
            "deleteOptions": options,
        });
        ApiRequest::new(Method::POST, format!("{pod_path}/eviction"), Some(("application/json", body)))
    }

    /// Deletes an object, and what it owns after it, with its uid as a precondition.
    pub(super) fn delete(target: &Target, dry_run: bool) -> ApiRequest {
        let mut options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
        });
        if let Some(uid) = target.uid.and_then(crate::model::Uid::wire) {
            options["preconditions"] = json!({ "uid": uid });
        }
        let mut path = path(target, "");
        if dry_run {
            // Once in the body and once in the query, so that neither can be lost on the way.
            options["dryRun"] = json!(["All"]);
            path.push_str("?dryRun=All");
        }
        ApiRequest::new(Method::DELETE, path, Some(("application/json", options)))
    }

    /// Looks whether a pod is still there.
    pub(super) fn get_pod(pod: &EvictPod) -> ApiRequest {
        ApiRequest::new(Method::GET, pod_path(pod), None)
    }

    /// Asks who the server holds us for (`authentication.k8s.io/v1`, since Kubernetes 1.28).
    pub(super) fn self_review() -> ApiRequest {
        let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews".to_owned();
        let request = ApiRequest::new(Method::POST, path, Some(("application/json", body)));
        ApiRequest { timeout: Duration::from_secs(10), ..request }
    }

    /// Asks whether we may.
    pub(super) fn access_review(attributes: &Value) -> ApiRequest {
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": attributes },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned();
        ApiRequest::new(Method::POST, path, Some(("application/json", body)))
    }
}

/// The path of an object or of one of its subresources.
fn path(target: &Target, subresource: &str) -> String {
    let root = if target.api.contains('/') { "/apis" } else { "/api" };
    let mut path = format!("{root}/{}", target.api.split('/').map(segment).collect::<Vec<_>>().join("/"));
    if !target.namespace.is_empty() {
        path.push_str(&format!("/namespaces/{}", segment(&target.namespace)));
    }
    path.push_str(&format!("/{}/{}", segment(&target.plural), segment(&target.name)));
    if !subresource.is_empty() {
        path.push_str(&format!("/{subresource}"));
    }
    path
}

fn pod_path(pod: &EvictPod) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", segment(&pod.namespace), segment(&pod.name))
}

/// A segment of a path: what a recovery plan names must not reach beyond it.
pub(super) fn segment(text: &str) -> String {
    if matches!(text, "." | "..") {
        return text.replace('.', "%2E");
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::fixture::uid;

    fn pod(delete: bool) -> EvictPod {
        EvictPod {
            namespace: "shop".into(),
            name: "cart-1".into(),
            uid: uid(7),
            budgets: Vec::new(),
            grace: 30,
            owner: None,
            delete,
        }
    }

    #[test]
    fn evictions_are_what_policy_v1_reads() {
        let request = ApiRequest::evict(&pod(false), Some(7), false);
        assert_eq!(request.path, "/api/v1/namespaces/shop/pods/cart-1/eviction");
        assert_eq!(
            request.body.unwrap().1,
            json!({
                "apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": { "name": "cart-1", "namespace": "shop" },
                "deleteOptions": {
                    "gracePeriodSeconds": 7,
                    "preconditions": { "uid": "00000000-0000-4000-8000-000000000007" },
                },
            })
        );
        let dry = ApiRequest::evict(&pod(false), None, true).body.unwrap().1;
        assert_eq!(dry["deleteOptions"]["dryRun"], json!(["All"]));
        assert!(dry["deleteOptions"].get("gracePeriodSeconds").is_none());
        let delete = ApiRequest::evict(&pod(true), None, false);
        assert_eq!(
            (delete.method, delete.path.as_str()),
            (Method::DELETE, "/api/v1/namespaces/shop/pods/cart-1")
        );
        assert_eq!(delete.body.unwrap().1["kind"], "DeleteOptions");
    }

    #[test]
    fn patches_carry_the_uid_and_cannot_leave_their_path() {
        let target = Target {
            cluster: ClusterId(0),
            api: "apps/v1".into(),
            plural: "deployments".into(),
            kind: "Deployment".into(),
            namespace: "../kube-system".into(),
            name: "a b?c".into(),
            uid: Some(uid(9)),
        };
        let patch = Patch {
            target,
            subresource: "scale",
            kind: PatchKind::Merge,
            body: json!({ "spec": { "replicas": 2 } }),
        };
        let request = ApiRequest::patch(&patch, true);
        assert_eq!(
            request.path,
            "/apis/apps/v1/namespaces/..%2Fkube-system/deployments/a%20b%3Fc/scale?fieldManager=quarterdeck&dryRun=All"
        );
        let (content_type, body) = request.body.unwrap();
        assert_eq!(content_type, "application/merge-patch+json");
        assert_eq!(body["metadata"]["uid"], "00000000-0000-4000-8000-000000000009");
        assert_eq!(segment(".."), "%2E%2E");
    }
}
