//! Why a request was refused, as the `Status` object that a real server answers.

use serde_json::{Value, json};

use super::resources::Spec;

/// A refused request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Box<Value>,
    /// Seconds for the header `Retry-After`.
    pub(crate) retry_after: Option<u32>,
    /// `metadata.continue`: where an expired list may go on, inconsistently.
    pub(crate) next: Option<String>,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal {
            code,
            reason,
            message: message.into(),
            details: Box::new(Value::Null),
            retry_after: None,
            next: None,
        }
    }

    fn about(self, spec: &Spec, name: &str) -> Refusal {
        Refusal {
            details: Box::new(json!({ "name": name, "group": spec.group, "kind": spec.plural })),
            ..self
        }
    }

    pub(crate) fn not_found(spec: &Spec, name: &str) -> Refusal {
        Refusal::new(404, "NotFound", format!("{} {name:?} not found", spec.qualified())).about(spec, name)
    }

    /// Nothing is served at this path.
    pub(crate) fn no_such_path() -> Refusal {
        Refusal::new(404, "NotFound", "the server could not find the requested resource")
    }

    pub(crate) fn exists(spec: &Spec, name: &str) -> Refusal {
        Refusal::new(409, "AlreadyExists", format!("{} {name:?} already exists", spec.qualified()))
            .about(spec, name)
    }

    pub(crate) fn conflict(spec: &Spec, name: &str, why: &str) -> Refusal {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", spec.qualified());
        Refusal::new(409, "Conflict", message).about(spec, name)
    }

    /// The version in the request is not the newest.
    pub(crate) fn outdated(spec: &Spec, name: &str) -> Refusal {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Refusal::conflict(spec, name, why)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Refusal {
        Refusal::new(403, "Forbidden", message)
    }

    pub(crate) fn unauthorized() -> Refusal {
        Refusal::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "BadRequest", message)
    }

    pub(crate) fn invalid(spec: &Spec, name: &str, why: &str) -> Refusal {
        let message = format!("{}.{} {name:?} is invalid: {why}", spec.kind, spec.group);
        Refusal::new(422, "Invalid", message.replace(". ", " ")).about(spec, name)
    }

    pub(crate) fn method() -> Refusal {
        Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    pub(crate) fn media_type(got: &str, wanted: &str) -> Refusal {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {wanted}; got {got:?}"
        );
        Refusal::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn not_acceptable() -> Refusal {
        let message = "only the following media types are accepted: application/json";
        Refusal::new(406, "NotAcceptable", message)
    }

    pub(crate) fn too_large(limit: usize) -> Refusal {
        Refusal::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    pub(crate) fn internal(message: impl Into<String>) -> Refusal {
        Refusal::new(500, "InternalError", message)
    }

    /// A watch from a version that the log does not hold any more.
    pub(crate) fn expired(wanted: u64, oldest: u64) -> Refusal {
        Refusal::new(410, "Expired", format!("too old resource version: {wanted} ({oldest})"))
    }

    /// A list whose pages are gone.
    pub(crate) fn expired_pages(next: String) -> Refusal {
        let message = "The provided continue parameter is too old to display a consistent list result. \
                       You can start a new list without the continue parameter, or use the continue token in \
                       this response to retrieve the remainder of the results. Continuing with the provided \
                       token results in an inconsistent list - objects that were created, modified, or deleted \
                       between the time the first chunk was returned and now may show up in the list.";
        Refusal { next: Some(next), ..Refusal::new(410, "Expired", message) }
    }

    /// A list at a version that is still ahead.
    pub(crate) fn ahead(wanted: u64, current: u64) -> Refusal {
        let message = format!("Too large resource version: {wanted}, current: {current}");
        let details = Box::new(json!({
            "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
            "retryAfterSeconds": 1,
        }));
        Refusal { details, retry_after: Some(1), ..Refusal::new(504, "Timeout", message) }
    }

    /// An eviction that a budget does not allow now.
    /// Source: `kubernetes/kubernetes:pkg/registry/core/pod/storage/eviction.go` `checkAndDecrement`.
    pub(crate) fn budget(name: &str, needs: i64, has: i64) -> Refusal {
        let why = format!("The disruption budget {name} needs {needs} healthy pods and has {has} currently");
        let details = Box::new(json!({ "causes": [{ "reason": "DisruptionBudget", "message": why }] }));
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        Refusal { details, ..Refusal::new(429, "TooManyRequests", message) }
    }

    /// An eviction while the budget's arithmetic is behind its spec.
    pub(crate) fn budget_behind(name: &str) -> Refusal {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        let details = Box::new(
            json!({ "causes": [{ "reason": "DisruptionBudget", "message": why }], "retryAfterSeconds": 10 }),
        );
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        Refusal { details, retry_after: Some(10), ..Refusal::new(429, "TooManyRequests", message) }
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Value {
        let mut metadata = json!({});
        if let Some(next) = &self.next {
            metadata = json!({ "continue": next });
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            super::fields::set(&mut status, "details", (*self.details).clone());
        }
        status
    }
}
