//! Bodies of requests: JSON, YAML or protobuf in, and what their kind does not have taken out.

use crate::sim::json::Value;

use super::call::Call;
use super::target::Target;
use crate::kinds::wire::{Envelope, Format};
use crate::sim::custom;
use crate::sim::fields::{set, text};
use crate::sim::refusal::Refusal;
use crate::sim::schema;

/// The formats of objects.
const FORMATS: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The body as an object; what is empty reads as null.
pub(super) fn value(call: &Call) -> Result<Value, Refusal> {
    if call.body.is_empty() {
        return Ok(Value::Null);
    }
    match call.content_type.split(';').next().unwrap_or_default().trim() {
        "" | "application/json" => json(call),
        "application/yaml" | "application/apply-patch+yaml" => yaml(call),
        media if media == Format::Protobuf.media_type() => protobuf(call),
        _ => Err(Refusal::media_type(FORMATS)),
    }
}

/// The body as JSON, whatever it calls itself.
pub(super) fn json(call: &Call) -> Result<Value, Refusal> {
    Value::parse(&call.body).map_err(|e| Refusal::bad_request(format!("error decoding patch: {}", said(&e))))
}

/// What is wrong with JSON, in Go's words where they are known.
fn said(error: &serde_json::Error) -> String {
    if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() }
}

fn yaml(call: &Call) -> Result<Value, Refusal> {
    let odd =
        |e: &dyn std::fmt::Display| Refusal::bad_request(format!("error converting YAML to JSON: yaml: {e}"));
    let text = std::str::from_utf8(&call.body).map_err(|e| odd(&e))?;
    serde_saphyr::from_str(text).map_err(|e| odd(&e))
}

fn protobuf(call: &Call) -> Result<Value, Refusal> {
    let odd = || Refusal::bad_request("the body of the request is no protobuf object");
    let envelope = Envelope::open(&call.body).map_err(|_| odd())?;
    let (api_version, kind) = (envelope.api_version.to_string(), envelope.kind.to_string());
    // options are of every group
    let message = match kind.as_str() {
        "DeleteOptions" => schema::named("meta/v1.DeleteOptions"),
        _ => schema::of(&api_version, &kind),
    };
    let message = message.ok_or_else(|| Refusal::media_type("application/json, application/yaml"))?;
    let mut object = schema::from_protobuf(message, envelope.raw).map_err(|_| odd())?;
    set(&mut object, "apiVersion", api_version);
    set(&mut object, "kind", kind);
    Ok(object)
}

/// An object that is to be kept: of the kind of the path.
pub(super) fn object(call: &Call, target: &Target) -> Result<Value, Refusal> {
    let media = call.content_type.split(';').next().unwrap_or_default().trim();
    let mut object = match media {
        "" | "application/json" => Value::parse(&call.body).map_err(|e| unrecognized(call, target, &e))?,
        _ => value(call)?,
    };
    if !object.is_object() {
        return Err(Refusal::bad_request("the body of the request is not an object"));
    }
    let spec = &target.spec;
    let (kind, version) = (text(&object, "kind"), text(&object, "apiVersion"));
    let other =
        (!kind.is_empty() && *kind != *spec.kind) || (!version.is_empty() && version != target.api_version);
    if other {
        return Err(other_kind(target, version, kind));
    }
    set(&mut object, "apiVersion", target.api_version.clone());
    set(&mut object, "kind", &*spec.kind);
    Ok(object)
}

fn unrecognized(call: &Call, target: &Target, error: &serde_json::Error) -> Refusal {
    Refusal::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {} ({})",
        target.spec.kind,
        said(error),
        String::from_utf8_lossy(&call.body).chars().take(80).collect::<String>(),
    ))
}

/// An object of another kind than the path's: known to the server, or not.
fn other_kind(target: &Target, version: &str, kind: &str) -> Refusal {
    let short = version.rsplit('/').next().unwrap_or_default();
    let own = &target.spec.kind;
    let why = if schema::of(version, kind).is_some() {
        let package = target.group.split('.').next().filter(|g| !g.is_empty()).unwrap_or("core");
        format!("converting ({short}.{kind}) to ({package}.{own}): unknown conversion")
    } else {
        format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\""
        )
    };
    Refusal::bad_request(format!("{kind} in version {short:?} cannot be handled as a {own}: {why}"))
}

/// The same as [`conform`] of what a patch made of an object: what cannot be read is the patch's
/// fault (`apiserver/pkg/endpoints/handlers/patch.go`).
pub(super) fn conform_patched(
    call: &Call,
    target: &Target,
    object: &mut Value,
) -> Result<Vec<String>, Refusal> {
    settle(call, target, object, |_, object, wrong| Refusal::patch(object, wrong))
}

/// Takes out of an object what its kind does not have, and says so as the request wants: by
/// warnings, by a refusal, or not at all. Refuses what cannot be read or does not fit.
pub(super) fn conform(call: &Call, target: &Target, object: &mut Value) -> Result<Vec<String>, Refusal> {
    settle(call, target, object, |handled, _, wrong| Refusal::bad_request(format!("{handled}: {wrong}")))
}

fn settle(
    call: &Call,
    target: &Target,
    object: &mut Value,
    unreadable: impl Fn(&str, &Value, &str) -> Refusal,
) -> Result<Vec<String>, Refusal> {
    let (unknown, wrong, causes) = match (&target.version, target.message()) {
        (Some(version), _) => {
            let found = custom::conform(&version.schema, object);
            (found.unknown, None, found.causes)
        }
        (None, Some(message)) => {
            let issues = schema::conform(message, object);
            (issues.unknown, issues.wrong, Vec::new())
        }
        (None, None) => return Ok(Vec::new()),
    };
    let handled = format!(
        "{kind} in version {version:?} cannot be handled as a {kind}",
        kind = target.spec.kind,
        version = target.api_version.rsplit('/').next().unwrap_or_default(),
    );
    if let Some(wrong) = wrong {
        return Err(unreadable(&handled, object, &wrong));
    }
    let said: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    match call.query.get("fieldValidation") {
        "Strict" if !said.is_empty() => {
            return Err(Refusal::bad_request(format!(
                "{handled}: strict decoding error: {}",
                said.join(", ")
            )));
        }
        "Ignore" => {}
        _ if !causes.is_empty() => {}
        _ => return Ok(said),
    }
    if causes.is_empty() {
        return Ok(Vec::new());
    }
    Err(Refusal::invalid(&target.spec, text(object, "metadata.name"), &causes))
}
