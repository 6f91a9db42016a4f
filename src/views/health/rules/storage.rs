//! What is wrong with claims, volumes and namespaces.

use super::{Found, PATIENCE, path, reason};
use crate::model::{Claim, Cluster, Record, Span, Symptom, Time, Tone, Volume};
use crate::views::Rule;

/// The rule of claims and volumes.
pub(super) struct Storage;
/// The rule of namespaces.
pub(super) struct Namespaces;

/// Removing everything in a namespace takes a while; after this something holds it.
const REMOVAL: Span = Span::from_seconds(300);

impl Rule for Storage {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        let found = match record {
            Record::Claim(claim) => claim_found(claim, at)?,
            Record::Volume(volume) => volume_found(volume, at)?,
            _ => return None,
        };
        Some(found.symptom(cluster, record))
    }
}

/// Pending claims fold by class. Whether the class waits for a pod on purpose is looked up when
/// findings are made: claims may be listed before classes.
fn claim_found(claim: &Claim, at: Time) -> Option<Found> {
    let name = path(&claim.meta.namespace, &claim.meta.name);
    match claim.phase.as_str() {
        "Lost" => {
            let evidence = format!("its volume {} is gone", claim.volume);
            Some(Found::since(reason::CLAIM_LOST, name, Tone::Crit, None, at).evidence(evidence))
        }
        "Pending" => {
            let (class, born) = (claim.class.clone(), claim.meta.created);
            let found = Found::since(reason::CLAIM_PENDING, class, Tone::Warn, born, at);
            Some(found.after(PATIENCE).evidence("no volume yet"))
        }
        _ => None,
    }
}

fn volume_found(volume: &Volume, at: Time) -> Option<Found> {
    (volume.phase == "Failed").then(|| {
        let found = Found::since(reason::VOLUME_FAILED, volume.class.clone(), Tone::Warn, None, at);
        found.evidence("could not be reclaimed")
    })
}

impl Rule for Namespaces {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        let namespace = record.namespace().filter(|n| n.terminating)?;
        let (name, since) = (namespace.meta.name.clone(), namespace.meta.deleting);
        let found = Found::since(reason::NAMESPACE, name, Tone::Warn, since, at).after(REMOVAL);
        Some(found.evidence("something in it does not end").symptom(cluster, record))
    }
}
