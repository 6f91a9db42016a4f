//! What a kubeconfig leads to now, against what it led to when its clusters were opened.
//!
//! What it says of users is no matter: that is read again when a server refuses it.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use crate::cluster::target::{ClusterTarget, Connection, Pem, Trust};
use crate::model::{Text, many};

/// What is otherwise now: `dev leads elsewhere, 2 contexts are new, 1 context is gone`; `None` when nothing is.
#[must_use]
pub fn rewritten(opened: &[ClusterTarget], now: &[ClusterTarget]) -> Option<String> {
    // A file that makes no sense is being written, or torn: nothing is known by it.
    if now.iter().any(|target| target.info.broken.is_some() && target.info.name == target.info.source) {
        return None;
    }
    let (opened, now) = (by_name(opened), by_name(now));
    let elsewhere: Vec<&str> = now
        .iter()
        .filter(|(name, target)| opened.get(*name).is_some_and(|before| !alike(before, target)))
        .map(|(name, _)| name.as_str())
        .collect();
    let count = |n: usize, what: &str| match n {
        0 => None,
        1 => Some(format!("1 context is {what}")),
        n => Some(format!("{} are {what}", many(n, "context"))),
    };
    let parts: Vec<String> = [
        match elsewhere.as_slice() {
            [] => None,
            [one] => Some(format!("{one} leads elsewhere")),
            several => Some(format!("{} lead elsewhere", many(several.len(), "context"))),
        },
        count(now.keys().filter(|name| !opened.contains_key(*name)).count(), "new"),
        count(opened.keys().filter(|name| !now.contains_key(*name)).count(), "gone"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Contexts of the same server and user are one target: each leads where it does.
fn by_name(targets: &[ClusterTarget]) -> BTreeMap<&Text, &ClusterTarget> {
    let each = targets.iter().flat_map(|target| {
        let names = target.info.aliases.iter().chain([&target.info.name]);
        names.map(move |name| (name, target))
    });
    each.collect()
}

fn alike(before: &ClusterTarget, now: &ClusterTarget) -> bool {
    let connections = match (before.connection.as_deref(), now.connection.as_deref()) {
        (Some(before), Some(now)) => same_server(before, now),
        (before, now) => before.is_none() && now.is_none(),
    };
    connections && before.info.server == now.info.server && before.info.broken == now.info.broken
}

fn same_server(before: &Connection, now: &Connection) -> bool {
    let trust = match (&before.trust, &now.trust) {
        (Trust::Ca(Pem::Data(before)), Trust::Ca(Pem::Data(now))) => {
            before.expose_secret() == now.expose_secret()
        }
        (Trust::Ca(Pem::File(before)), Trust::Ca(Pem::File(now))) => before == now,
        (Trust::Ca(_), Trust::Ca(_)) => false,
        (before, now) => std::mem::discriminant(before) == std::mem::discriminant(now),
    };
    trust && before.server == now.server && before.tls_server_name == now.tls_server_name
}
