//! Who would put an object back when somebody edits it: read from the labels and annotations that
//! delivery systems leave, in the order of how sure they are.
//!
//! `app.kubernetes.io/instance` alone is no sign: Argo CD can track by it, but every Helm chart
//! sets it too.

use super::meta::ObjectMeta;
use crate::model::{Manager, Text};

/// The annotations that are read here.
pub(super) const ANNOTATIONS: [&str; 9] = [
    "argocd.argoproj.io/tracking-id",
    "objectset.rio.cattle.io/id",
    "objectset.rio.cattle.io/owner-gvk",
    "objectset.rio.cattle.io/owner-name",
    "meta.helm.sh/release-name",
    "propagationpolicy.karmada.io/name",
    "clusterpropagationpolicy.karmada.io/name",
    "resourcetemplate.karmada.io/name",
    "fleet.cattle.io/bundle-id",
];

/// Flux's name and namespace of what applied an object: of its two controllers that do.
const FLUX: [(&str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"),
    ("helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace"),
];

/// The delivery system behind an object, if it left its mark.
pub(super) fn of(meta: &ObjectMeta<'_>) -> Option<Manager> {
    let mark = |key: &str| {
        let value = meta.annotations.get(key).or_else(|| meta.labels.get(key));
        value.map(super::wire::Str::as_str).filter(|v| !v.is_empty())
    };
    let made = |system: &str, name: &str| Some(Manager { system: system.into(), name: name.into() });
    // argo-cd:util/argo/resource_tracking.go: `<application>:<group>/<kind>:<namespace>/<name>`
    if let Some(id) = mark("argocd.argoproj.io/tracking-id") {
        return made("Argo CD", id.split(':').next().unwrap_or(id));
    }
    if let Some(name) = mark("argocd.argoproj.io/instance") {
        return made("Argo CD", name);
    }
    for (name, namespace) in FLUX {
        if let Some(name) = mark(name) {
            let namespace = mark(namespace).unwrap_or("flux-system");
            return Some(Manager { system: "Flux".into(), name: Text::from(format!("{namespace}/{name}")) });
        }
    }
    if let Some(found) = owned(meta) {
        return Some(found);
    }
    if let Some(name) = mark("fleet.cattle.io/bundle-name") {
        return made("Fleet", name);
    }
    // the library behind Rancher Fleet and k3s' own add-ons marks what it applies
    let owner = mark("objectset.rio.cattle.io/owner-name");
    match mark("objectset.rio.cattle.io/owner-gvk") {
        Some(gvk) if gvk.starts_with("k3s.cattle.io/") => return made("k3s", owner.unwrap_or_default()),
        _ => {}
    }
    if let Some(name) = mark("fleet.cattle.io/bundle-id").or(mark("objectset.rio.cattle.io/id")) {
        return made("Fleet", owner.unwrap_or(name));
    }
    for key in ["propagationpolicy.karmada.io/name", "clusterpropagationpolicy.karmada.io/name"] {
        if let Some(name) = mark(key) {
            return made("Karmada", name);
        }
    }
    if let Some(name) = mark("resourcetemplate.karmada.io/name") {
        return made("Karmada", name);
    }
    let by_helm = meta.labels.get("app.kubernetes.io/managed-by").is_some_and(|v| *v == "Helm");
    match mark("meta.helm.sh/release-name") {
        Some(name) if by_helm => made("Helm", name),
        _ => None,
    }
}

/// Systems that show as an owner.
fn owned(meta: &ObjectMeta<'_>) -> Option<Manager> {
    meta.owners.iter().find_map(|owner| {
        let system = match owner.kind.as_str() {
            "ScaledObject" | "ScaledJob" if owner.api_version.starts_with("keda.sh/") => "KEDA",
            "AppliedManifestWork" => "OCM",
            _ => return None,
        };
        Some(Manager { system: system.into(), name: Text::clean(&owner.name) })
    })
}

#[cfg(test)]
mod tests {
    use super::super::wire::from_json;
    use super::*;

    fn managed(meta: &str) -> Option<(String, String)> {
        let meta: ObjectMeta<'_> = from_json(meta.as_bytes()).unwrap();
        of(&meta).map(|m| (m.system.to_string(), m.name.to_string()))
    }

    #[test]
    fn delivery_systems_are_known_by_their_marks() {
        for (meta, system, name) in [
            (
                r#"{"annotations":{"argocd.argoproj.io/tracking-id":"pay-prod:apps/Deployment:pay/api"}}"#,
                "Argo CD",
                "pay-prod",
            ),
            (
                r#"{"labels":{"kustomize.toolkit.fluxcd.io/name":"pay","kustomize.toolkit.fluxcd.io/namespace":"gitops"}}"#,
                "Flux",
                "gitops/pay",
            ),
            (r#"{"labels":{"helm.toolkit.fluxcd.io/name":"pay"}}"#, "Flux", "flux-system/pay"),
            (
                r#"{"annotations":{"objectset.rio.cattle.io/id":"default-pay"},
                    "labels":{"objectset.rio.cattle.io/hash":"x"}}"#,
                "Fleet",
                "default-pay",
            ),
            (
                r#"{"annotations":{"objectset.rio.cattle.io/owner-gvk":"k3s.cattle.io/v1, Kind=Addon",
                    "objectset.rio.cattle.io/owner-name":"coredns","objectset.rio.cattle.io/id":""}}"#,
                "k3s",
                "coredns",
            ),
            (r#"{"annotations":{"propagationpolicy.karmada.io/name":"spread"}}"#, "Karmada", "spread"),
            (
                r#"{"ownerReferences":[{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledObject","name":"q"}]}"#,
                "KEDA",
                "q",
            ),
            (
                r#"{"annotations":{"meta.helm.sh/release-name":"redis"},
                    "labels":{"app.kubernetes.io/managed-by":"Helm"}}"#,
                "Helm",
                "redis",
            ),
        ] {
            assert_eq!(managed(meta), Some((system.to_owned(), name.to_owned())), "{meta}");
        }
        assert_eq!(managed(r#"{"labels":{"app.kubernetes.io/instance":"pay"}}"#), None);
        assert_eq!(managed("{}"), None);
    }
}
