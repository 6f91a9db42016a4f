//! A model of the store: what is shown, and whether it may be.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Link, LinkState};
use super::server::{Past, Server};
use crate::model::{Change, Record, Time, Uid};

#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) rows: BTreeMap<Uid, u64>,
    pub(super) synced: bool,
    buffer: Option<BTreeMap<Uid, u64>>,
    /// The highest version at which each object was ever shown.
    best: BTreeMap<Uid, u64>,
    gone: BTreeSet<Uid>,
    /// The server was restored, and is ahead of what was seen: the store takes from its lists what is older.
    pub(super) restored: bool,
    pub(super) link: Option<Link>,
}

pub(super) fn uid(n: u64) -> Uid {
    Uid::parse(&format!("00000000-0000-0000-0000-{n:012}"))
}

impl Shown {
    pub(super) fn apply(&mut self, change: Change) -> Result<(), String> {
        match change {
            Change::KindLink(_, link) => self.link = Some(link),
            Change::Begin(_) => self.buffer = Some(BTreeMap::new()),
            Change::Page(_, records) => {
                let buffer = self.buffer.as_mut().ok_or("a page without a beginning")?;
                buffer.extend(records.iter().map(of));
            }
            Change::Synced(..) => {
                let new = self.buffer.take().ok_or("an end without a beginning")?;
                let removed: Vec<Uid> = self.rows.keys().filter(|u| !new.contains_key(u)).copied().collect();
                self.gone.extend(removed);
                self.rows = new;
                if self.restored {
                    (self.best, self.gone) = Default::default();
                }
                self.synced = true;
            }
            Change::Upsert(record) => {
                let (uid, version) = of(&record);
                let known = self.rows.get(&uid).copied().unwrap_or(0);
                if version < known {
                    return Ok(()); // the store refuses it, too
                }
                if self.restored {
                    // It went in a history that is not any more.
                    self.gone.remove(&uid);
                }
                self.rows.insert(uid, version);
            }
            Change::Gone(_, uid, _) => {
                self.rows.remove(&uid);
                self.gone.insert(uid);
            }
            Change::Reset => {
                *self = Shown { link: self.link.clone(), restored: self.restored, ..Shown::default() };
            }
            _ => {}
        }
        self.never_backwards()
    }

    fn never_backwards(&mut self) -> Result<(), String> {
        for (uid, version) in &self.rows {
            if self.gone.contains(uid) {
                return Err(format!("{uid} came back at {version}"));
            }
            let best = self.best.entry(*uid).or_default();
            if version < best {
                return Err(format!("{uid} went back from {best} to {version}"));
            }
            *best = *version;
        }
        Ok(())
    }

    /// What is not marked as stale holds everything that the server had in that past.
    pub(super) fn honest(&self, server: &Server, past: &Past, now: Time) -> Result<(), String> {
        if !self.synced || self.link.as_ref().is_none_or(|link| link.stale(now)) {
            return Ok(());
        }
        for (id, version) in &past.live {
            let shown = self.rows.get(&uid(*id));
            let right = shown.map_or(!server.live.contains_key(id), |shown| shown >= version);
            if !right {
                return Err(format!("{id} at {version} is not shown ({shown:?}) nor marked as stale"));
            }
        }
        match past.gone.iter().find(|id| self.rows.contains_key(&uid(**id))) {
            Some(id) => Err(format!("{id} is shown though it is gone, and not marked as stale")),
            None => Ok(()),
        }
    }

    /// What is shown is what the server has.
    pub(super) fn equals(&self, server: &Server) -> Result<(), String> {
        let wanted: BTreeMap<Uid, u64> =
            server.live.iter().map(|(id, version)| (uid(*id), *version)).collect();
        if !self.synced || self.rows != wanted {
            return Err(format!("shown {:?}\nserver {wanted:?}", self.rows));
        }
        match &self.link {
            Some(link) if link.state == LinkState::Live => Ok(()),
            other => Err(format!("the link is {other:?}")),
        }
    }
}

fn of(record: &Record) -> (Uid, u64) {
    (record.meta().uid, record.meta().version.0)
}
