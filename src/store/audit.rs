//! Audits: what the server lists, compared with what is here while both go on.
//!
//! A list shows the server as of one version. When the watch has passed that version, every
//! object must be here as listed, or have changed or gone since; what was here before and is not
//! listed must have gone. Anything else was lost on the way (or here), is put right, and counted.
//! Only what is in doubt is held meanwhile, and the ids of what was listed.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::list::Newer;
use super::{Derive, State};
use crate::model::{Audit, Kind, Record, Time, Uid, Version};

/// An audit that is under way.
pub(super) struct Audited {
    /// What the watch had delivered when it began.
    from: Version,
    /// What was listed.
    listed: FxHashSet<Uid>,
    /// What was listed otherwise than it was here.
    doubts: Vec<Arc<Record>>,
    /// What went since it began.
    gone: FxHashSet<Uid>,
    /// The version of the list, once it is complete.
    end: Option<Version>,
    /// Up to where the watch has come, beside what its events say.
    reached: Version,
}

impl Audited {
    fn new(from: Version) -> Audited {
        Audited {
            from,
            listed: FxHashSet::default(),
            doubts: Vec::new(),
            gone: FxHashSet::default(),
            end: None,
            reached: from,
        }
    }

    pub(super) fn gone(&mut self, uid: Uid) {
        self.gone.insert(uid);
    }
}

impl State {
    pub(super) fn audit_step(&mut self, kind: Kind, step: Audit) {
        match step {
            // While a list comes in there is nothing to compare with: the list puts all right.
            Audit::Begin => {
                let from = self.version(kind);
                *self.audit(kind) = self.list(kind).is_none().then(|| Audited::new(from));
            }
            Audit::Page(records) => self.audit_page(kind, records),
            Audit::End(version) => {
                // A list from before it began (another apiserver's cache) may have what has gone.
                let audit = self.audit(kind).take().filter(|audit| version >= audit.from);
                *self.audit(kind) = audit.map(|audit| Audited { end: Some(version), ..audit });
            }
            Audit::Reached(version) => {
                if let Some(audit) = self.audit(kind) {
                    audit.reached = audit.reached.max(version);
                }
            }
            Audit::Void => *self.audit(kind) = None,
        }
    }

    fn audit_page(&mut self, kind: Kind, records: Vec<Record>) {
        let Some(mut audit) = self.audit(kind).take() else { return };
        for mut record in records {
            let meta = record.meta();
            // What has no id or version cannot be compared.
            if record.kind() != kind || meta.uid.is_none() || meta.version == Version(0) {
                continue;
            }
            audit.listed.insert(meta.uid);
            if self.known(kind, meta.uid).is_none_or(|known| **known != record) {
                record.share(self.pool(), None);
                audit.doubts.push(Arc::new(record));
            }
        }
        *self.audit(kind) = Some(audit);
    }

    /// Ends an audit whose list is complete and whose version the watch has passed.
    pub(super) fn audit_ends(&mut self, derive: &Derive, kind: Kind, at: Time) {
        let known = self.version(kind);
        let due = |audit: &Audited| audit.end.is_some_and(|end| known.max(audit.reached) >= end);
        let due = self.audit(kind).as_ref().is_some_and(due);
        if !due {
            return;
        }
        let Some(Audited { listed, doubts, gone, end: Some(end), .. }) = self.audit(kind).take() else {
            return;
        };
        let mut repaired = 0;
        for uid in self.uids(kind) {
            let left = |known: &Arc<Record>| {
                let version = known.meta().version;
                version.0 != 0 && version <= end
            };
            if !listed.contains(&uid) && self.known(kind, uid).is_some_and(left) {
                self.remove(derive, kind, uid, at);
                repaired += 1;
            }
        }
        for record in doubts {
            let right = match self.known(kind, record.meta().uid) {
                None => gone.contains(&record.meta().uid),
                Some(known) => known.meta().version.newer_than(end) || *known == record,
            };
            if !right {
                self.put(derive, record, at);
                repaired += 1;
            }
        }
        if repaired > 0 {
            let cluster = self.cluster().info.name.clone();
            tracing::warn!(%cluster, ?kind, repaired, "an audit found rows that were not the server's");
        }
        let table = self.table(kind);
        table.audited = Some(at);
        table.repaired += repaired;
        // All as it was, as nearly always: it is shown with what comes next.
        if repaired > 0 { self.changed() } else { self.unseen() }
    }
}

#[cfg(test)]
mod tests;
