//! G5 by the store alone: what it holds for each pod of a fleet, counted by the allocator.

use std::path::Path;
use std::sync::Arc;

use color_eyre::eyre::{Result, eyre};
use quarterdeck::kinds::wire::Format;
use quarterdeck::kinds::{self, RecordList};
use quarterdeck::model::{Change, ClusterId, ClusterInfo, Delta, Extras, Kind, Price, Record, Time, Version};
use quarterdeck::store::{Derive, Store};
use stats_alloc::Region;

use crate::size::Size;
use crate::table::{Row, row};
use crate::{MEMORY, floor};
use driver::Fleet;

/// As many as a page of a list has.
const PAGE: usize = 500;

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    let lists = floor::pods(&fleet.kubeconfig())?;
    let held = Region::new(MEMORY);
    let at = Time::from_seconds(1_795_227_247);
    // No rule and no observer: only what the store keeps itself.
    let derive = Derive {
        rules: Vec::new(),
        observers: Vec::new(),
        price: Arc::new(|_, _| Price::default()),
        extras: Arc::new(|_| Extras::default()),
    };
    let clusters: Vec<_> = lists.iter().map(|_| Arc::new(ClusterInfo::default())).collect();
    let mut store = Store::new(clusters, at, derive);
    for (cluster, list) in (0..).map(ClusterId).zip(&lists) {
        fill(&mut store, cluster, list, at)?;
    }
    let pods: usize = store.snapshot(at).fleet.clusters.iter().map(|cluster| cluster.pods().count()).sum();
    // What the records were made from is the lists, which were there before.
    let change = held.change();
    let kept = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    row(&Row {
        figure: "G5",
        what: "held by the store for each pod, indexes included, by its allocations",
        target: "600 B",
        floor: format!("{pods} pods of {} clusters", lists.len()),
        measured: format!("{} B", kept / pods.max(1)),
    });
    drop(store);
    Ok(())
}

fn fill(store: &mut Store, cluster: ClusterId, list: &[u8], at: Time) -> Result<()> {
    let mut send = |change| store.apply(Delta { cluster, at, change });
    let mut reader = RecordList::new(kinds::of(Kind::Pod).preferred(), Format::Protobuf);
    let mut page: Vec<Record> = Vec::with_capacity(PAGE);
    send(Change::Begin(Kind::Pod));
    let mut keep = |record| {
        page.push(record);
        if page.len() == PAGE {
            send(Change::Page(Kind::Pod, std::mem::replace(&mut page, Vec::with_capacity(PAGE))));
        }
    };
    reader.feed(list, &mut keep).map_err(|error| eyre!("{error}"))?;
    reader.finish(&mut keep).map_err(|error| eyre!("{error}"))?;
    send(Change::Page(Kind::Pod, page));
    send(Change::Synced(Kind::Pod, Version(1)));
    Ok(())
}
