//! The tables of volumes, claims and classes of storage.

use crate::sim::json::{Value, json};

use super::{Column, age};
use crate::model::Time;
use crate::sim::fields::{annotation, at, deleting, flag, text};
use crate::sim::resources::Res;

pub(super) fn columns(res: Res) -> &'static [Column] {
    match res {
        Res::Claims => &[
            ("Status", "string", 0),
            ("Volume", "string", 0),
            ("Capacity", "string", 0),
            ("Access Modes", "string", 0),
            ("StorageClass", "string", 0),
            ("VolumeAttributesClass", "string", 0),
            super::AGE,
            ("VolumeMode", "string", 1),
        ],
        Res::Volumes => &[
            ("Capacity", "string", 0),
            ("Access Modes", "string", 0),
            ("Reclaim Policy", "string", 0),
            ("Status", "string", 0),
            ("Claim", "string", 0),
            ("StorageClass", "string", 0),
            ("VolumeAttributesClass", "string", 0),
            ("Reason", "string", 0),
            super::AGE,
            ("VolumeMode", "string", 1),
        ],
        _ => &[
            ("Provisioner", "string", 0),
            ("ReclaimPolicy", "string", 0),
            ("VolumeBindingMode", "string", 0),
            ("AllowVolumeExpansion", "string", 0),
            super::AGE,
        ],
    }
}

/// Whether a class of storage is the default one.
pub(super) fn is_default(class: &Value) -> bool {
    let marks =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    marks.iter().any(|mark| annotation(class, mark) == "true")
}

pub(super) fn cells(res: Res, o: &Value, now: Time) -> Vec<Value> {
    let or = |path: &str, none: &str| match text(o, path) {
        "" => json!(none),
        given => json!(given),
    };
    let phase = if deleting(o) { json!("Terminating") } else { json!(text(o, "status.phase")) };
    match res {
        Res::Claims => {
            // what it has it has of its volume
            let bound = !text(o, "spec.volumeName").is_empty();
            let capacity = if bound { text(o, "status.capacity.storage") } else { "" };
            let modes = if bound { modes(at(o, "status.accessModes")) } else { String::new() };
            vec![
                phase,
                json!(text(o, "spec.volumeName")),
                json!(capacity),
                json!(modes),
                json!(text(o, "spec.storageClassName")),
                or("spec.volumeAttributesClassName", "<unset>"),
                age(o, now),
                or("spec.volumeMode", "<unset>"),
            ]
        }
        Res::Volumes => vec![
            json!(text(o, "spec.capacity.storage")),
            json!(modes(at(o, "spec.accessModes"))),
            json!(text(o, "spec.persistentVolumeReclaimPolicy")),
            phase,
            json!(claim(o)),
            json!(text(o, "spec.storageClassName")),
            or("spec.volumeAttributesClassName", "<unset>"),
            json!(text(o, "status.reason")),
            age(o, now),
            or("spec.volumeMode", "<unset>"),
        ],
        _ => vec![
            json!(text(o, "provisioner")),
            or("reclaimPolicy", "Delete"),
            or("volumeBindingMode", "Immediate"),
            json!(flag(o, "allowVolumeExpansion")),
            age(o, now),
        ],
    }
}

fn claim(volume: &Value) -> String {
    match text(volume, "spec.claimRef.name") {
        "" => String::new(),
        name => format!("{}/{name}", text(volume, "spec.claimRef.namespace")),
    }
}

fn modes(of: &Value) -> String {
    let short = |m: &Value| match m.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        Some("ReadWriteOncePod") => "RWOP",
        _ => "?",
    };
    of.as_array().into_iter().flatten().map(short).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_shows_what_it_has_and_not_what_it_asks_for() {
        let mut claim =
            json!({ "spec": { "accessModes": ["ReadWriteOnce"] }, "status": { "phase": "Pending" } });
        let shown = |c: &Value| cells(Res::Claims, c, Time::from_seconds(0));
        assert_eq!(shown(&claim)[..4], [json!("Pending"), json!(""), json!(""), json!("")]);
        claim["spec"]["volumeName"] = json!("v");
        claim["status"] =
            json!({ "phase": "Bound", "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteMany"] });
        assert_eq!(shown(&claim)[..4], [json!("Bound"), json!("v"), json!("1Gi"), json!("RWX")]);
        assert_eq!(shown(&claim)[5], "<unset>");
    }
}
