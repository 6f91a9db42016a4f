//! How careful to be with a cluster, by its name.

use crate::model::Tier;

const PROD: &[&str] = &["prod", "prd", "production", "live"];
const STAGING: &[&str] = &["stg", "stage", "staging", "preprod", "preprd", "nonprod", "uat", "qa"];
const DEV: &[&str] = &[
    "dev",
    "develop",
    "development",
    "test",
    "testing",
    "demo",
    "sandbox",
    "sbx",
    "kind",
    "minikube",
    "k3d",
    "local",
    "playground",
    "docker-desktop",
    "rancher-desktop",
];

/// The tier that a name tells, by its words: `prod-eu-1`, `arn:aws:eks:…:cluster/stg`,
/// `kind-api2`. Where words disagree the more careful one counts. `None` is for the caller to
/// take as production.
#[must_use]
pub fn tier_by_name(name: &str) -> Option<Tier> {
    let name = name.to_ascii_lowercase();
    if DEV.contains(&name.as_str()) {
        return Some(Tier::Dev);
    }
    let mut best = None;
    let mut before = "";
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        // A number at its end counts clusters: `prod2`. But `k3d` stays itself.
        let plain = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let split = matches!(before, "pre" | "non");
        let tier = match plain {
            plain if PROD.contains(&plain) => Some(if split { Tier::Staging } else { Tier::Prod }),
            plain if STAGING.contains(&plain) => Some(Tier::Staging),
            plain if DEV.contains(&plain) => Some(Tier::Dev),
            _ => None,
        };
        best = match (best, tier) {
            (Some(a), Some(b)) => Some(Ord::min(a, b)),
            (a, b) => a.or(b),
        };
        before = word;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_tiers() {
        for (name, tier) in [
            ("prod-eu-1", Some(Tier::Prod)),
            ("arn:aws:eks:eu-west-1:123456789012:cluster/payments-prd2", Some(Tier::Prod)),
            ("gke_acme_europe-west1_staging", Some(Tier::Staging)),
            ("eu-preprod", Some(Tier::Staging)),
            ("eu-pre-prod", Some(Tier::Staging)),
            ("kind-api2", Some(Tier::Dev)),
            ("minikube", Some(Tier::Dev)),
            ("docker-desktop", Some(Tier::Dev)),
            ("k3d-a", Some(Tier::Dev)),
            ("test.prod.example", Some(Tier::Prod)),
            ("device-fleet", None),
            ("mankind", None),
            ("", None),
        ] {
            assert_eq!(tier_by_name(name), tier, "{name}");
        }
    }
}
