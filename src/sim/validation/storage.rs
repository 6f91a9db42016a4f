//! Classes of storage, volumes and claims (`pkg/apis/storage/validation`,
//! `pkg/apis/core/validation` `ValidatePersistentVolumeSpec`, `ValidatePersistentVolumeClaimSpec`).

use super::amounts::{self, thousandths};
use super::syntax::{qualified, say, subdomain};
use crate::sim::fields::{at, list, map, text, unset};
use crate::sim::json::{Value, json};
use crate::sim::refusal::Cause;
use crate::sim::schema;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

pub(super) fn class(new: &Value, causes: &mut Vec<Cause>) {
    match text(new, "provisioner") {
        "" => causes.push(Cause::required("provisioner", "")),
        own => {
            let own = own.to_lowercase();
            say(causes, "provisioner", &json!(own.as_str()), qualified(&own));
        }
    }
    known(new, "reclaimPolicy", &["Delete", "Retain"], causes);
    known(new, "volumeBindingMode", &["Immediate", "WaitForFirstConsumer"], causes);
}

/// A text that is one of a few if it is there.
fn known(object: &Value, field: &str, all: &[&str], causes: &mut Vec<Cause>) {
    let own = text(object, field);
    if !own.is_empty() && !all.contains(&own) {
        causes.push(Cause::unsupported(field, own, all));
    }
}

/// How a volume may be mounted, or is to be.
fn modes(new: &Value, why: &str, causes: &mut Vec<Cause>) {
    const FIELD: &str = "spec.accessModes";
    let all: Vec<&str> = list(new, FIELD).iter().filter_map(Value::as_str).collect();
    if all.is_empty() {
        causes.push(Cause::required(FIELD, why));
    }
    for odd in all.iter().filter(|mode| !MODES.contains(mode)) {
        causes.push(Cause::unsupported(FIELD, odd, &MODES));
    }
    let alone = |mode: &&&str| **mode == "ReadWriteOncePod";
    if all.iter().any(|m| alone(&m)) && all.iter().any(|m| !alone(&m) && MODES.contains(m)) {
        causes.push(Cause::forbidden(FIELD, "may not use ReadWriteOncePod with other access modes"));
    }
}

pub(super) fn volume(new: &Value, causes: &mut Vec<Cause>) {
    modes(new, "", causes);
    let capacity = map(new, "spec.capacity");
    if capacity.is_empty() {
        causes.push(Cause::required("spec.capacity", ""));
    }
    if capacity.get("storage").is_none() || capacity.len() > 1 {
        causes.push(Cause::not_supported("spec.capacity", at(new, "spec.capacity"), "storage"));
    }
    for name in capacity.keys() {
        let field = format!("spec.capacity[{name}]");
        amounts::storage(at(new, "spec.capacity"), name, &field, causes);
    }
    known(new, "spec.persistentVolumeReclaimPolicy", &["Delete", "Recycle", "Retain"], causes);
    let sources =
        schema::named("core/v1.PersistentVolumeSource").map(schema::Message::flat).unwrap_or_default();
    let mut given = sources.iter().map(|f| f.name).filter(|name| at(new, "spec")[*name].is_object());
    if given.next().is_none() {
        causes.push(Cause::required("spec", "must specify a volume type"));
    }
    for more in given {
        causes.push(Cause::forbidden(&format!("spec.{more}"), "may not specify more than one volume type"));
    }
    known(new, "spec.volumeMode", &["Block", "Filesystem"], causes);
}

pub(super) fn claim(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    modes(new, "at least 1 access mode is required", causes);
    amounts::storage(new, "spec.resources.requests.storage", "spec.resources[storage]", causes);
    let name = text(new, "spec.storageClassName");
    if !name.is_empty() {
        say(causes, "spec.storageClassName", &json!(name), subdomain(name));
    }
    known(new, "spec.volumeMode", &["Block", "Filesystem"], causes);
    if let Some(old) = old {
        kept(old, new, causes);
    }
}

/// What of a claim does not change: only what is bound can grow, and the volume is said once
/// (`ValidatePersistentVolumeClaimUpdate`).
fn kept(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let mut free = Vec::new();
    if text(old, "spec.volumeName").is_empty() {
        free.push("volumeName");
    }
    if text(new, "status.phase") == "Bound" {
        free.extend(["resources.requests.storage", "volumeAttributesClassName"]);
    }
    let fixed = |claim: &Value| {
        let mut spec = at(claim, "spec").clone();
        free.iter().for_each(|field| unset(&mut spec, field));
        spec
    };
    if fixed(old) != fixed(new) {
        let why = "spec is immutable after creation except resources.requests and \
                   volumeAttributesClassName for bound claims";
        causes.push(Cause::forbidden("spec", why));
    }
    const SIZE: &str = "spec.resources.requests.storage";
    let has = thousandths(at(old, "status.capacity.storage"));
    let wanted = thousandths(at(new, SIZE));
    if wanted < thousandths(at(old, SIZE)) && wanted <= has {
        causes.push(Cause::forbidden(SIZE, "field can not be less than status.capacity"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::said;
    use super::*;

    #[test]
    fn volumes_are_of_one_kind_and_of_some_size() {
        let of = |more: &str| {
            let mut new =
                json!({ "spec": { "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1Gi" } } });
            for kind in more.split_whitespace() {
                crate::sim::fields::set(&mut new, &format!("spec.{kind}"), json!({ "path": "/x" }));
            }
            new
        };
        assert!(said(volume, &of("hostPath")).is_empty());
        assert_eq!(said(volume, &of("")), ["spec: Required value: must specify a volume type"]);
        let both = said(volume, &of("hostPath nfs"));
        assert!(
            both.len() == 1 && both[0].ends_with("may not specify more than one volume type"),
            "{both:?}"
        );
        let mut none = of("nfs");
        crate::sim::fields::set(&mut none, "spec.capacity", json!({ "storage": "0" }));
        assert_eq!(
            said(volume, &none),
            ["spec.capacity[storage]: Invalid value: \"0\": must be greater than zero"]
        );
    }

    #[test]
    fn only_a_bound_claim_grows_and_none_shrinks_below_what_it_has() {
        let claim = |size: &str, phase: &str| {
            json!({ "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } } },
                "status": { "phase": phase, "capacity": { "storage": "5Gi" } } })
        };
        let change = |old: Value, new: Value| said(|new, causes| super::claim(Some(&old), new, causes), &new);
        assert!(change(claim("5Gi", "Bound"), claim("8Gi", "Bound")).is_empty());
        assert!(
            change(claim("8Gi", "Bound"), claim("6Gi", "Bound")).is_empty(),
            "a growth that failed is taken back"
        );
        let less = change(claim("8Gi", "Bound"), claim("5Gi", "Bound"));
        assert!(
            less.len() == 1 && less[0].ends_with("field can not be less than status.capacity"),
            "{less:?}"
        );
        let early = change(claim("5Gi", "Pending"), claim("8Gi", "Pending"));
        assert!(early.len() == 1 && early[0].starts_with("spec: Forbidden: spec is immutable"), "{early:?}");
    }

    #[test]
    fn classes_say_who_makes_volumes() {
        let of = |field: &str, value: &str| {
            let mut class = json!({ "provisioner": "disk.example" });
            crate::sim::fields::set(&mut class, field, value);
            said(super::class, &class)
        };
        assert!(of("reclaimPolicy", "Retain").is_empty());
        assert_eq!(of("provisioner", ""), ["provisioner: Required value"]);
        assert_eq!(of("reclaimPolicy", "Burn").len(), 1);
        assert_eq!(of("volumeBindingMode", "Never").len(), 1);
    }
}
