//! Roles, bindings, and requests for certificates (`pkg/apis/rbac/validation`,
//! `pkg/apis/certificates/validation`).

use base64::Engine;
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;

use super::syntax::{label, say, subdomain};
use crate::sim::fields::{at, list, maybe_int, text};
use crate::sim::json::{Value, json};
use crate::sim::refusal::Cause;
use crate::sim::resources::Res;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of a role: each says what may be done, and with what.
pub(super) fn role(res: Res, new: &Value, causes: &mut Vec<Cause>) {
    for (i, rule) in list(new, "rules").iter().enumerate() {
        let here = |field: &str| format!("rules[{i}].{field}");
        if list(rule, "verbs").is_empty() {
            causes.push(Cause::required(&here("verbs"), "verbs must contain at least one value"));
        }
        let urls = at(rule, "nonResourceURLs");
        if !list(rule, "nonResourceURLs").is_empty() {
            let mut odd = |why: &str| causes.push(Cause::invalid(&here("nonResourceURLs"), urls, why));
            if res == Res::Roles {
                odd("namespaced rules cannot apply to non-resource URLs");
            }
            if ["apiGroups", "resources", "resourceNames"].iter().any(|f| !list(rule, f).is_empty()) {
                odd("rules cannot apply to both regular resources and non-resource URLs");
            }
            continue;
        }
        for (field, why) in [
            ("apiGroups", "resource rules must supply at least one api group"),
            ("resources", "resource rules must supply at least one resource"),
        ] {
            if list(rule, field).is_empty() {
                causes.push(Cause::required(&here(field), why));
            }
        }
    }
}

/// Who a binding gives which role.
pub(super) fn binding(res: Res, new: &Value, causes: &mut Vec<Cause>) {
    let group = text(new, "roleRef.apiGroup");
    if group != GROUP {
        causes.push(Cause::unsupported("roleRef.apiGroup", group, &[GROUP]));
    }
    let kinds: &[&str] = if res == Res::RoleBindings { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    let kind = text(new, "roleRef.kind");
    if !kinds.contains(&kind) {
        causes.push(Cause::unsupported("roleRef.kind", kind, kinds));
    }
    if text(new, "roleRef.name").is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (i, subject) in list(new, "subjects").iter().enumerate() {
        let here = |field: &str| format!("subjects[{i}].{field}");
        let [kind, name, group] = ["kind", "name", "apiGroup"].map(|field| text(subject, field));
        if name.is_empty() {
            causes.push(Cause::required(&here("name"), ""));
        }
        match kind {
            "ServiceAccount" => {
                if !name.is_empty() {
                    say(causes, &here("name"), &json!(name), subdomain(name));
                }
                if !group.is_empty() {
                    causes.push(Cause::unsupported(&here("apiGroup"), group, &[""]));
                }
                if res == Res::ClusterRoleBindings && text(subject, "namespace").is_empty() {
                    causes.push(Cause::required(&here("namespace"), ""));
                }
            }
            "User" | "Group" if group != GROUP => {
                causes.push(Cause::unsupported(&here("apiGroup"), group, &[GROUP]));
            }
            "User" | "Group" => {}
            odd => {
                let known = ["ServiceAccount", "User", "Group"];
                causes.push(Cause::unsupported(&here("kind"), odd, &known));
            }
        }
    }
}

/// What a certificate can be for, in the order in which they are said.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// The shortest time for which a certificate can be asked, in seconds.
const SHORTEST: i64 = 600;

/// A request for a certificate. What it holds is looked at as far as its frame; its signature is
/// not checked, as nothing here signs it.
pub(super) fn signing(old: Option<&Value>, new: &Value, sub: &str, causes: &mut Vec<Cause>) {
    let request = at(new, "spec.request");
    let pem = base64::engine::general_purpose::STANDARD.decode(request.as_str().unwrap_or_default());
    let framed = pem.is_ok_and(|pem| CertificateSigningRequestDer::from_pem_slice(&pem).is_ok());
    if !framed {
        let why = "PEM block type must be CERTIFICATE REQUEST";
        causes.push(Cause::invalid("spec.request", request, why));
    }
    let usages = list(new, "spec.usages");
    if usages.is_empty() {
        causes.push(Cause::required("spec.usages", ""));
    }
    for (i, usage) in usages.iter().enumerate() {
        let (field, own) = (format!("spec.usages[{i}]"), usage.as_str().unwrap_or_default());
        if !USAGES.contains(&own) {
            causes.push(Cause::unsupported(&field, own, &USAGES));
        }
        if usages[..i].contains(usage) {
            causes.push(Cause::duplicate(&field, own));
        }
    }
    signer(text(new, "spec.signerName"), causes);
    if let Some(short) = maybe_int(new, "spec.expirationSeconds").filter(|seconds| *seconds < SHORTEST) {
        let why = "may not specify a duration less than 600 seconds (10 minutes)";
        causes.push(Cause::invalid("spec.expirationSeconds", &json!(short), why));
    }
    conditions(new, causes);
    if let Some(old) = old {
        decided(old, new, sub, causes);
    }
}

/// `example.com/signer-name` (`ValidateSignerName`).
fn signer(name: &str, causes: &mut Vec<Cause>) {
    const FIELD: &str = "spec.signerName";
    if name.is_empty() {
        return causes.push(Cause::required(FIELD, ""));
    }
    let Some((domain, path)) = name.split_once('/').filter(|(_, path)| !path.contains('/')) else {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return causes.push(Cause::invalid(FIELD, &json!(name), why));
    };
    let mut odd = |part: &str, why: &str| causes.push(Cause::invalid(FIELD, &json!(part), why));
    let wrong = domain.split('.').find_map(|part| Some((part, label(part).into_iter().next()?)));
    if let Some((part, why)) = wrong {
        odd(domain, &format!("validating label {part:?}: {why}"));
    }
    if !domain.contains('.') {
        odd(domain, "should be a domain with at least two segments separated by dots");
    }
    let wrong = path.split('.').find_map(|part| Some((part, subdomain(part).into_iter().next()?)));
    if let Some((part, why)) = wrong {
        odd(path, &format!("validating label {part:?}: {why}"));
    }
}

const CONDITIONS: &str = "status.conditions";

/// What was decided about a request says so truly, once, and not both.
fn conditions(new: &Value, causes: &mut Vec<Cause>) {
    let all = list(new, CONDITIONS);
    for (i, one) in all.iter().enumerate() {
        let here = |field: &str| format!("{CONDITIONS}[{i}].{field}");
        let (kind, status) = (text(one, "type"), text(one, "status"));
        if kind.is_empty() {
            causes.push(Cause::required(&here("type"), ""));
        }
        let known: &[&str] = if ["Approved", "Denied", "Failed"].contains(&kind) {
            &["True"]
        } else {
            &["False", "True", "Unknown"]
        };
        match status {
            "" => causes.push(Cause::required(&here("status"), "")),
            own if known.contains(&own) => {}
            odd => causes.push(Cause::unsupported(&here("status"), odd, known)),
        }
        let before = |other: &str| all[..i].iter().any(|c| text(c, "type") == other);
        let other = if kind == "Approved" { "Denied" } else { "Approved" };
        if ["Approved", "Denied"].contains(&kind) && before(other) {
            let why = "Approved and Denied conditions are mutually exclusive";
            causes.push(Cause::invalid(CONDITIONS, &json!(kind), why));
        }
        if before(kind) {
            causes.push(Cause::duplicate(&here("type"), kind));
        }
    }
}

/// What was decided stays so, and is decided below `approval` alone; the certificate is given
/// once, below `status`.
fn decided(old: &Value, new: &Value, sub: &str, causes: &mut Vec<Cause>) {
    let of = |object: &Value, kind: &str| -> Vec<Value> {
        list(object, CONDITIONS).iter().filter(|c| text(c, "type") == kind).cloned().collect()
    };
    for kind in ["Approved", "Denied", "Failed"] {
        let (before, after) = (of(old, kind), of(new, kind));
        let why = if after.len() < before.len() {
            "remove"
        } else if sub == "approval" || kind == "Failed" {
            continue;
        } else if after.len() > before.len() {
            "add"
        } else if after != before {
            "modify"
        } else {
            continue;
        };
        causes.push(Cause::forbidden(
            CONDITIONS,
            &format!("updates may not {why} a condition of type {kind:?}"),
        ));
    }
    const CERTIFICATE: &str = "status.certificate";
    let (before, after) = (at(old, CERTIFICATE), at(new, CERTIFICATE));
    if before != after && sub != "status" {
        causes.push(Cause::forbidden(CERTIFICATE, "updates may not set certificate content"));
    } else if before != after && !before.is_null() {
        causes.push(Cause::forbidden(CERTIFICATE, "updates may not modify existing certificate content"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::said;
    use super::*;

    #[test]
    fn bindings_name_a_role_and_somebody() {
        let of = |kind: &str, subject: Value| json!({ "roleRef": { "apiGroup": GROUP, "kind": kind, "name": "view" }, "subjects": [subject.plain()] });
        let user = json!({ "kind": "User", "name": "jane", "apiGroup": GROUP });
        let cluster = |new: &Value, causes: &mut Vec<Cause>| binding(Res::ClusterRoleBindings, new, causes);
        assert!(said(cluster, &of("ClusterRole", user.clone())).is_empty());
        assert_eq!(
            said(cluster, &of("Role", user)),
            ["roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\""]
        );
        let account = json!({ "kind": "ServiceAccount", "name": "a" });
        assert_eq!(said(cluster, &of("ClusterRole", account)), ["subjects[0].namespace: Required value"]);
        let dog = json!({ "kind": "Dog", "name": "" });
        assert_eq!(said(cluster, &of("ClusterRole", dog)).len(), 2);
    }

    #[test]
    fn paths_and_resources_are_not_in_one_rule() {
        let both =
            json!({ "rules": [{ "verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["pods"] }] });
        let of = |res: Res| said(|new, causes| role(res, new, causes), &both);
        assert_eq!((of(Res::Roles).len(), of(Res::ClusterRoles).len()), (2, 1));
    }

    #[test]
    fn what_is_decided_about_a_certificate_stays() {
        let pem = "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n";
        let request = base64::engine::general_purpose::STANDARD.encode(pem);
        let with = |conditions: Value| {
            json!({ "spec": { "request": request, "signerName": "a.example/x", "usages": ["client auth"] },
                "status": { "conditions": conditions.plain() } })
        };
        let approved = json!([{ "type": "Approved", "status": "True" }]);
        let change = |old: &Value, new: &Value, sub: &str| {
            said(|new, causes| signing(Some(old), new, sub, causes), new)
        };
        let (old, new) = (with(json!([])), with(approved));
        assert!(change(&old, &new, "approval").is_empty());
        assert!(
            change(&old, &new, "status")[0].ends_with("updates may not add a condition of type \"Approved\"")
        );
        assert!(change(&new, &old, "approval")[0].contains("may not remove a condition"));
        let both =
            with(json!([{ "type": "Approved", "status": "True" }, { "type": "Denied", "status": "No" }]));
        let wrong = change(&new, &both, "approval");
        assert!(
            wrong[0].contains("Unsupported value: \"No\"") && wrong[1].contains("mutually exclusive"),
            "{wrong:?}"
        );
        let odd = json!({ "spec": { "request": "bm8=", "signerName": "x/y", "usages": ["fun"], "expirationSeconds": 5 } });
        assert_eq!(said(|new, causes| signing(None, new, "", causes), &odd).len(), 4);
    }
}
