//! Where the money of a cluster goes: what stands under the table.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::rows::idle_cells;
use super::unit::Unit;
use super::{Share, breakdown, waste};
use crate::model::{Text, Time};
use crate::views::{Evidence, EvidenceLine, RowId, Scope, Snapshot};

/// What stands under the table: where the money of the selected row goes.
#[must_use]
pub fn evidence(snapshot: &Snapshot, scope: &Scope, row: &RowId, now: Time) -> Evidence {
    let RowId::Cluster(id) = row else { return Evidence::default() };
    let Some(cluster) = snapshot.fleet.cluster(*id) else { return Evidence::default() };
    let cost = breakdown(cluster, scope);
    let line = |label: &str, text: String| EvidenceLine {
        label: Text::clean(label),
        text: text.into(),
        ..EvidenceLine::default()
    };
    let mut lines: Vec<EvidenceLine> = dearest(&cost.pools)
        .map(|(pool, share)| {
            let pool = if pool.is_empty() { "(no pool)" } else { pool.as_str() };
            let approximate = if share.basis.approximate() { "~" } else { "" };
            let idle = idle_cells(share.idle, share.blind, false, share.rate, Unit::Hour).0.text;
            line(
                "pool",
                format!("{pool}  {} nodes  {approximate}${}/h  idle {idle}", share.count, share.rate),
            )
        })
        .collect();
    lines.extend(dearest(&cost.namespaces).map(|(namespace, share)| {
        line("namespace", format!("{namespace}  {} pods  ${}/h", share.count, share.rate))
    }));
    for (label, share) in
        [("control", &cost.control_plane), ("volumes", &cost.volumes), ("balancers", &cost.balancers)]
    {
        if !share.is_empty() {
            let more = if share.unknown > 0 {
                format!(", {} without a price", share.unknown)
            } else {
                String::new()
            };
            lines.push(line(label, format!("{}  ${}/h{more}", share.count, share.rate)));
        }
    }
    let idle =
        match idle_cells(cost.idle, cost.blind, cost.unread, cost.whole.rate, Unit::Hour).1.text.as_str() {
            "?" if cost.unread => "? (nodes not known)".to_owned(),
            "?" => "? (pods not known)".to_owned(),
            amount => format!("${amount}/h"),
        };
    lines.push(line("idle", format!("{idle}, and ${}/h kept by the system", cost.reserved)));
    let win = waste::waste(&[(&**cluster, Arc::clone(&cost))], now);
    lines.extend(win.iter().take(3).map(|item| line("win back", item.sentence())));
    let title = Text::clean(&format!("{} · where it goes", cluster.info.name));
    Evidence { title, lines, ..Evidence::default() }
}

/// The five dearest.
fn dearest(shares: &FxHashMap<Text, Share>) -> impl Iterator<Item = (&Text, &Share)> {
    let mut sorted: Vec<_> = shares.iter().collect();
    sorted.sort_unstable_by(|a, b| b.1.rate.cmp(&a.1.rate).then_with(|| a.0.cmp(b.0)));
    sorted.into_iter().take(5)
}
