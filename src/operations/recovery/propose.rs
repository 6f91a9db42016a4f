//! Proposing a recovery plan from what runs now.

use std::fmt::Write;

use crate::model::{Cluster, Kind, Text, Workload};

/// Namespaces whose workloads belong to the cluster itself.
const OWN: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// A recovery plan's file for two clusters: every workload that both have. What only the primary
/// has is named in comments, for it has to be deployed on the standby first. `namespace` narrows
/// it down.
///
/// # Errors
/// Both have no workload in common: there is nothing to fail over.
pub fn recovery_proposal(
    primary: &Cluster,
    standby: &Cluster,
    namespace: Option<&str>,
) -> Result<String, Text> {
    let kinds = [Kind::Deployment, Kind::StatefulSet];
    let wanted = |w: &&Workload| {
        let space = w.meta.namespace.as_str();
        w.desired > 0 && namespace.map_or(!OWN.contains(&space), |wanted| wanted == space)
    };
    let mut here: Vec<&Workload> = kinds
        .iter()
        .flat_map(|kind| primary.records(*kind).filter_map(|r| r.workload()))
        .filter(wanted)
        .collect();
    here.sort_by_key(|w| (&w.meta.namespace, &w.meta.name));
    let there = |w: &Workload| {
        standby.find(w.kind, &w.meta.namespace, &w.meta.name).and_then(|record| record.workload())
    };
    let (both, alone): (Vec<&Workload>, Vec<&Workload>) = here.into_iter().partition(|w| there(w).is_some());
    let (from, to) = (&primary.info.name, &standby.info.name);
    if both.is_empty() {
        let text = format!("{from} and {to} have no workload in common: deploy on {to} what must run there");
        return Err(text.into());
    }
    let name = namespace.map_or_else(|| format!("{from}-to-{to}"), |space| format!("{space}-to-{to}"));
    let mut out = String::from("# Proposed from what runs now: read every line before you rely on it.\n");
    let _ = write!(out, "version = 1\nname = {}\nprimary = {}\n", quoted(&name), quoted(from));
    let _ = write!(out, "standby = {}\ntarget = \"10m\"\n", quoted(to));
    for w in &both {
        let kept = there(w).map_or(0, |there| there.desired);
        let _ = write!(
            out,
            "\n[[workload]]\nkind = {}\nnamespace = {}\nname = {}\nreplicas = {}\nstandby_replicas = {kept}\n",
            quoted(w.kind.names().kind),
            quoted(&w.meta.namespace),
            quoted(&w.meta.name),
            w.desired
        );
    }
    for w in alone {
        let _ =
            writeln!(out, "\n# Not on {to}: {} {}/{}", w.kind.names().kind, w.meta.namespace, w.meta.name);
    }
    out.push_str(
        "\n# An address that leads to the standby itself proves more than Ready pods do:\n\
         # http = \"https://standby.example/healthz\"\n[probe]\nready = true\n\n\
         # What moves traffic: without a [[traffic]] you move it yourself. One patch of one object:\n\
         # [[traffic]]\n# api = \"v1\"\n# kind = \"ConfigMap\"\n# namespace = \"dns\"\n# name = \"active\"\n\
         # patch = { data = { site = \"standby\" } }\n# back = { data = { site = \"primary\" } }\n",
    );
    Ok(out)
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusterId, Tier};
    use crate::operations::RecoveryFile;
    use crate::operations::fixture::{World, snapshot};

    #[test]
    fn a_proposal_can_be_read_and_names_what_is_missing() {
        let fleet = snapshot(vec![
            World::new(0, "gke", Tier::Prod).deployment("cart", 6).deployment("only-here", 2),
            World::new(1, "eks", Tier::Prod).deployment("cart", 1),
            World::new(2, "bare", Tier::Prod),
        ])
        .fleet;
        let at = |id| fleet.cluster(ClusterId(id)).unwrap();
        let text = recovery_proposal(at(0), at(1), None).unwrap();
        let file = RecoveryFile::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!((&*file.primary, &*file.standby), ("gke", "eks"));
        let [cart] = &file.workloads[..] else { panic!("{text}") };
        assert_eq!((cart.replicas, cart.standby_replicas), (Some(6), Some(1)));
        assert!(text.contains("# Not on eks: Deployment shop/only-here"), "{text}");
        assert!(recovery_proposal(at(0), at(1), Some("pay")).is_err());
        assert!(recovery_proposal(at(0), at(2), None).unwrap_err().contains("no workload in common"));
    }
}
