//! G5 by the store alone: what it holds for each pod, counted by the allocator.

use std::sync::Arc;

use color_eyre::eyre::{Result, eyre};
use quarterdeck::model::{ClusterId, ClusterInfo, Extras, Price, Time};
use quarterdeck::store::{Derive, Store, load};
use stats_alloc::Region;

use crate::MEMORY;
use crate::table::{Row, row};

const PODS: u64 = 20_000;

pub(crate) fn measure() -> Result<()> {
    let at = Time::from_seconds(1_795_227_247);
    // No rule and no observer: only what the store keeps itself.
    let derive = Derive {
        rules: Vec::new(),
        observers: Vec::new(),
        price: Arc::new(|_, _| Price::default()),
        extras: Arc::new(|_| Extras::default()),
    };
    let mut store = Store::new(vec![Arc::new(ClusterInfo::default())], at, derive);
    let held = Region::new(MEMORY);
    let listed = load::list_pods(&mut store, ClusterId(0), PODS, at);
    if listed as u64 != PODS {
        return Err(eyre!("the store has {listed} of {PODS} pods"));
    }
    // What the lists were made from is gone; what is left is the store's.
    let change = held.change();
    let kept = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    row(&Row {
        figure: "G5",
        what: "held by the store for each of 20,000 pods of one cluster, indexes included, by its allocations",
        target: "600 B",
        measured: format!("{} B", kept / listed.max(1)),
        ..Row::default()
    });
    drop(store);
    Ok(())
}
