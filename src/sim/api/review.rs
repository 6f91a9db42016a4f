//! Reviews as they come in: JSON, or protobuf from Go clients.

#![allow(unreachable_pub, reason = "the macro makes public structs")]

use serde_json::Value;

use super::call::Call;
use crate::kinds::wire::{self, Envelope, Format, Str, wire};
use crate::sim::fields::set;
use crate::sim::refusal::Refusal;

wire! {
    /// `authorization.k8s.io/v1` `SelfSubjectAccessReview`, as far as it asks.
    pub struct AccessReview<'a> {
        2 "spec" spec: AccessSpec<'a>,
    }

    /// What is to be done.
    pub struct AccessSpec<'a> {
        1 "resourceAttributes" resource: Option<Attributes<'a>>,
        2 "nonResourceAttributes" path: Option<PathAttributes<'a>>,
    }

    /// To which resource.
    pub struct Attributes<'a> {
        1 "namespace" namespace: Str<'a>,
        2 "verb" verb: Str<'a>,
        3 "group" group: Str<'a>,
        4 "version" version: Str<'a>,
        5 "resource" resource: Str<'a>,
        6 "subresource" subresource: Str<'a>,
        7 "name" name: Str<'a>,
    }

    /// At which path.
    pub struct PathAttributes<'a> {
        1 "path" path: Str<'a>,
        2 "verb" verb: Str<'a>,
    }

    /// `authorization.k8s.io/v1` `SelfSubjectRulesReview`, as far as it asks.
    pub struct RulesReview<'a> {
        2 "spec" spec: RulesSpec<'a>,
    }

    /// In which namespace.
    pub struct RulesSpec<'a> {
        1 "namespace" namespace: Str<'a>,
    }
}

/// The review that is asked for. Go clients write it as protobuf.
pub(super) fn question(call: &Call, review: &str) -> Result<Value, Refusal> {
    if !call.content_type.starts_with(Format::Protobuf.media_type()) {
        return call.json();
    }
    let odd = |_| Refusal::bad_request("the body of the request is no protobuf object");
    let envelope = Envelope::open(&call.body).map_err(odd)?;
    let json = match review {
        "selfsubjectaccessreviews" => {
            wire::to_json(&wire::from_protobuf::<AccessReview<'_>>(envelope.raw).map_err(odd)?)
        }
        "selfsubjectrulesreviews" => {
            wire::to_json(&wire::from_protobuf::<RulesReview<'_>>(envelope.raw).map_err(odd)?)
        }
        _ => b"{}".to_vec(),
    };
    let mut body: Value = serde_json::from_slice(&json).unwrap_or_default();
    set(&mut body, "apiVersion", envelope.api_version.to_string());
    set(&mut body, "kind", envelope.kind.to_string());
    Ok(body)
}
