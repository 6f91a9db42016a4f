//! Tokens of service accounts (`serviceaccounts/NAME/token`).

use std::sync::Arc;

use super::body;
use super::call::Call;
use super::reply::Answer;
use super::target::Target;
use crate::model::Span;
use crate::sim::cluster::Shared;
use crate::sim::fields::{list, maybe_int, set, uid};
use crate::sim::json::{Value, json};
use crate::sim::random::Random;
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::resources::{Res, Spec};
use crate::sim::tls;

/// Who signs: what a real cluster's tokens say.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// How long a token holds that does not say, and how short one may hold
/// (`pkg/registry/core/serviceaccount/storage/token.go`, `pkg/apis/authentication/validation`).
const USUAL: i64 = 3600;
const SHORTEST: i64 = 600;

/// Makes a token. It has the form of a real one and opens nothing: in the embedded fleet only the
/// roles of its kubeconfig do.
pub(super) fn create(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let mut request = body::value(call)?;
    let account =
        shared.read(|world| world.store.need(Res::ServiceAccounts, target.space(), target.named()))?;
    let seconds = maybe_int(&request, "spec.expirationSeconds").unwrap_or(USUAL);
    if seconds < SHORTEST {
        let spec = Spec {
            group: "authentication.k8s.io".into(),
            kind: "TokenRequest".into(),
            ..(**Res::ServiceAccounts.spec()).clone()
        };
        let field = "spec.expirationSeconds";
        let cause = Cause::invalid(field, &json!(seconds), "may not specify a duration less than 10 minutes");
        return Err(Refusal::invalid(&spec, "", &[cause]));
    }
    let now = shared.now();
    let ends = now + Span::from_seconds(seconds);
    let audiences = match list(&request, "spec.audiences") {
        [] => json!([ISSUER]),
        given => given.iter().cloned().collect(),
    };
    let (space, name) = (target.space(), target.named());
    let head = json!({ "alg": "RS256", "kid": "embedded" });
    let claims = json!({
        "aud": audiences, "exp": ends.millis() / 1000, "iat": now.millis() / 1000, "nbf": now.millis() / 1000,
        "iss": ISSUER, "sub": format!("system:serviceaccount:{space}:{name}"),
        "kubernetes.io": { "namespace": space, "serviceaccount": { "name": name, "uid": uid(&account) } },
    });
    let mut chance = Random::new(now.millis().unsigned_abs(), uid(&account));
    let signature: Vec<u8> = (0..32).flat_map(|_| chance.next().to_be_bytes()).collect();
    let part = |value: &Value| web_base64(value.to_string().as_bytes());
    let token = format!("{}.{}.{}", part(&head), part(&claims), web_base64(&signature));
    for (path, value) in [
        ("kind", json!("TokenRequest")),
        ("apiVersion", json!("authentication.k8s.io/v1")),
        ("metadata.name", json!(name)),
        ("metadata.namespace", json!(space)),
        ("metadata.creationTimestamp", json!(now.rfc3339())),
        ("spec.audiences", audiences.clone()),
        ("spec.expirationSeconds", json!(seconds)),
        ("status", json!({ "token": token, "expirationTimestamp": ends.rfc3339() })),
    ] {
        set(&mut request, path, value);
    }
    Ok(Answer::json(201, &request))
}

/// Base64 for URLs, without padding, as tokens have it.
fn web_base64(bytes: &[u8]) -> String {
    tls::base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}
