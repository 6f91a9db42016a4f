//! Why a request was refused, as the `Status` object that a real server answers.

use crate::sim::json::{Value, json};

use super::resources::{Spec, qualified};

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

/// One thing that is wrong with an object, and where
/// (`apimachinery/pkg/util/validation/field/errors.go`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Cause {
    fn new(reason: &'static str, field: &str, message: String) -> Cause {
        Cause { reason, field: field.to_owned(), message }
    }

    pub(crate) fn required(field: &str, why: &str) -> Cause {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Cause::new("FieldValueRequired", field, format!("Required value{why}"))
    }

    pub(crate) fn invalid(field: &str, value: &Value, why: &str) -> Cause {
        Cause::new("FieldValueInvalid", field, format!("Invalid value: {value}: {why}"))
    }

    pub(crate) fn type_invalid(field: &str, value: &Value, why: &str) -> Cause {
        Cause::new("FieldValueTypeInvalid", field, format!("Invalid value: {value}: {why}"))
    }

    pub(crate) fn unsupported(field: &str, value: &str, supported: &[&str]) -> Cause {
        let supported: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let why = format!("Unsupported value: {value:?}: supported values: {}", supported.join(", "));
        Cause::new("FieldValueNotSupported", field, why)
    }

    /// The same of a list of values.
    pub(crate) fn unsupported_list(field: &str, values: &[&str], supported: &[&str]) -> Cause {
        let supported: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let why = format!("Unsupported value: {values:?}: supported values: {}", supported.join(", "));
        Cause::new("FieldValueNotSupported", field, why)
    }

    pub(crate) fn duplicate(field: &str, value: &str) -> Cause {
        Cause::new("FieldValueDuplicate", field, format!("Duplicate value: {value:?}"))
    }

    /// The same of a value that is no text, with what is to be said of it.
    pub(crate) fn duplicate_of(field: &str, value: &Value, why: &str) -> Cause {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Cause::new("FieldValueDuplicate", field, format!("Duplicate value: {value}{why}"))
    }

    /// The same as [`Cause::unsupported`], of a value that is no text.
    pub(crate) fn not_supported(field: &str, value: &Value, supported: &str) -> Cause {
        let message = format!("Unsupported value: {value}: supported values: {supported:?}");
        Cause::new("FieldValueNotSupported", field, message)
    }

    pub(crate) fn too_long(field: &str, most: usize) -> Cause {
        Cause::new("FieldValueTooLong", field, format!("Too long: may not be more than {most} bytes"))
    }

    pub(crate) fn not_found(field: &str, value: &str) -> Cause {
        Cause::new("FieldValueNotFound", field, format!("Not found: {value:?}"))
    }

    pub(crate) fn forbidden(field: &str, why: &str) -> Cause {
        Cause::new("FieldValueForbidden", field, format!("Forbidden: {why}"))
    }
}

/// What a refusal is about; what is empty is left out.
pub(crate) fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut out = json!({});
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            super::fields::set(&mut out, key, value);
        }
    }
    out
}

/// Causes in one sentence.
fn said(causes: &[Cause]) -> String {
    let said: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
    match said.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
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

    /// A refusal that a fault makes.
    pub(crate) fn of(code: u16, reason: &'static str, message: &str) -> Refusal {
        Refusal::new(code, reason, message)
    }

    pub(crate) fn about(self, spec: &Spec, name: &str) -> Refusal {
        let details = details(name, &spec.group, &spec.plural);
        Refusal { details: Box::new(details), ..self }
    }

    pub(crate) fn not_found(spec: &Spec, name: &str) -> Refusal {
        Refusal::new(404, "NotFound", format!("{} {name:?} not found", spec.qualified())).about(spec, name)
    }

    /// Nothing is served at this path.
    pub(crate) fn no_such_path() -> Refusal {
        Refusal::new(404, "NotFound", "the server could not find the requested resource").bare()
    }

    /// There is no such group or version at all: what a server says then is no `Status`.
    pub(crate) fn no_such_group() -> Refusal {
        Refusal::new(404, "", "404 page not found\n")
    }

    /// Details that are there and say nothing.
    fn bare(self) -> Refusal {
        Refusal { details: Box::new(json!({})), ..self }
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

    /// A conflict about a subresource.
    pub(crate) fn conflict_of(resource: &str, name: &str, why: &str) -> Refusal {
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        let details = json!({ "name": name, "kind": resource });
        Refusal { details: Box::new(details), ..Refusal::new(409, "Conflict", message) }
    }

    /// This object is not admitted.
    pub(crate) fn forbids(spec: &Spec, name: &str, why: &str) -> Refusal {
        let message = format!("{} {name:?} is forbidden: {why}", spec.qualified());
        Refusal::forbidden(message).about(spec, name)
    }

    /// Nothing is made in a namespace that goes.
    pub(crate) fn closing(spec: &Spec, name: &str, namespace: &str) -> Refusal {
        let why = format!("namespace {namespace} is being terminated");
        let whole =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let refusal = Refusal::forbids(spec, name, &whole);
        let mut details = *refusal.details;
        let cause =
            json!({ "reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace" });
        super::fields::set(&mut details, "causes", json!([cause]));
        Refusal { details: Box::new(details), ..Refusal::forbidden(refusal.message) }
    }

    /// A patch that does not apply to the object that is there.
    pub(crate) fn unprocessable() -> Refusal {
        Refusal::new(422, "Invalid", "the server rejected our request due to an error in our request").bare()
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

    /// An error that a server has no class for: a status without a reason.
    pub(crate) fn plain(message: impl Into<String>) -> Refusal {
        Refusal::new(500, "", message)
    }

    /// An object that its kind does not allow, with every reason.
    pub(crate) fn invalid(spec: &Spec, name: &str, causes: &[Cause]) -> Refusal {
        let kind = qualified(&spec.group, &spec.kind);
        let why = said(causes);
        let causes: Vec<Value> = causes
            .iter()
            .map(|c| json!({ "reason": c.reason, "message": c.message, "field": c.field }))
            .collect();
        let mut details = details(name, &spec.group, &spec.kind);
        super::fields::set(&mut details, "causes", causes);
        let refusal = Refusal::new(422, "Invalid", format!("{kind} {name:?} is invalid: {why}"));
        Refusal { details: Box::new(details), ..refusal }
    }

    /// A patch that makes something that cannot be read of an object: it names no kind.
    pub(crate) fn patch(made: &Value, why: &str) -> Refusal {
        let cause = Cause::invalid("patch", &made.to_string().into(), why);
        let causes = json!([{ "reason": cause.reason, "message": cause.message, "field": cause.field }]);
        let refusal = Refusal::new(422, "Invalid", format!(" \"\" is invalid: {}", said(&[cause])));
        Refusal { details: Box::new(json!({ "causes": causes.plain() })), ..refusal }
    }

    /// Fields that other managers set to other values
    /// (`structured-merge-diff:merge/conflict.go`, `managedfields/internal/conflict.go`).
    pub(crate) fn apply_conflicts(conflicts: &[(String, String)]) -> Refusal {
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(who, field)| {
                json!({ "reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": field })
            })
            .collect();
        let mut whos: Vec<&String> = conflicts.iter().map(|(who, _)| who).collect();
        whos.dedup();
        let parts = whos.into_iter().map(|who| {
            let fields: Vec<&String> = conflicts.iter().filter(|(w, _)| w == who).map(|(_, f)| f).collect();
            match fields.as_slice() {
                [one] => format!("conflict with {who}: {one}"),
                many => {
                    many.iter().fold(format!("conflicts with {who}:"), |said, f| format!("{said}\n- {f}"))
                }
            }
        });
        let plural = if conflicts.len() == 1 { "conflict" } else { "conflicts" };
        let why = parts.collect::<Vec<_>>().join("\n");
        let message = format!("Apply failed with {} {plural}: {why}", conflicts.len());
        Refusal { details: Box::new(json!({ "causes": causes })), ..Refusal::new(409, "Conflict", message) }
    }

    /// Options of a request that do not go together.
    pub(crate) fn options(kind: &str, causes: &[Cause]) -> Refusal {
        let why = said(causes);
        let listed: Vec<Value> = causes
            .iter()
            .map(|c| json!({ "reason": c.reason, "message": c.message, "field": c.field }))
            .collect();
        let details = json!({ "group": "meta.k8s.io", "kind": kind, "causes": listed });
        let message = format!("{kind}.meta.k8s.io \"\" is invalid: {why}");
        Refusal { details: Box::new(details), ..Refusal::new(422, "Invalid", message) }
    }

    pub(crate) fn method() -> Refusal {
        Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .bare()
    }

    /// A body in a format that is not read here.
    pub(crate) fn media_type(wanted: &str) -> Refusal {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {wanted}"
        );
        Refusal::new(415, "UnsupportedMediaType", message)
    }

    /// A patch of no known kind.
    pub(crate) fn no_patch() -> Refusal {
        Refusal::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").bare()
    }

    /// Nothing that the client takes is written here.
    pub(crate) fn not_acceptable() -> Refusal {
        let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
                       application/vnd.kubernetes.protobuf, application/json;stream=watch, \
                       application/vnd.kubernetes.protobuf;stream=watch";
        Refusal::new(406, "NotAcceptable", message).bare()
    }

    /// Protobuf of what has no protobuf.
    pub(crate) fn json_only() -> Refusal {
        let message = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        Refusal::new(406, "NotAcceptable", message)
    }

    /// There is nothing behind the ports of simulated pods.
    pub(crate) fn not_forwarded() -> Refusal {
        Refusal::new(
            405,
            "MethodNotAllowed",
            "the embedded fleet's pods run nothing that listens: no port is forwarded",
        )
    }

    /// The same of what is asked through the server.
    pub(crate) fn unreachable() -> Refusal {
        let message = "error trying to reach service: the embedded fleet's pods run nothing that listens";
        Refusal::new(503, "ServiceUnavailable", message)
    }

    pub(crate) fn too_large(limit: usize) -> Refusal {
        Refusal::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    pub(crate) fn too_many_operations(most: usize, found: usize) -> Refusal {
        let why = format!("The allowed maximum operations in a JSON patch is {most}, got {found}");
        Refusal::new(413, "RequestEntityTooLarge", format!("Request entity too large: {why}"))
    }

    /// A namespace without which there is no cluster
    /// (`plugin/pkg/admission/namespace/lifecycle`).
    pub(crate) fn immortal(spec: &Spec, name: &str) -> Refusal {
        Refusal::forbids(spec, name, "this namespace may not be deleted")
    }

    pub(crate) fn internal(message: impl Into<String>) -> Refusal {
        Refusal::new(500, "InternalError", message)
    }

    /// An error that the server knows no reason for.
    pub(crate) fn unclassed(message: impl Into<String>) -> Refusal {
        Refusal::new(500, "", message)
    }

    /// A write into a store that is full: an error of etcd.
    pub(crate) fn etcd_full() -> Refusal {
        Refusal::unclassed("etcdserver: mvcc: database space exceeded")
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
        let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
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
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            super::fields::set(&mut status, "reason", self.reason);
        }
        if !self.details.is_null() {
            super::fields::set(&mut status, "details", (*self.details).clone());
        }
        status
    }
}
