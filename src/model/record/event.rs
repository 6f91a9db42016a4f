//! The record of an event, whichever of the two shapes it was written in.

use super::Pool;
use crate::model::{Meta, Text, Time, Uid};

/// An event (`core/v1`, or `events.k8s.io/v1` read through it).
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Event {
    /// What every object has.
    pub meta: Meta,
    /// What it is about.
    pub regarding: Regarding,
    /// The machine's word: `SuccessfulRescale`.
    pub reason: Text,
    /// The sentence for people.
    pub message: Text,
    /// Whether its type is `Warning`.
    pub warning: bool,
    /// Who wrote it.
    pub component: Text,
    /// When it first happened.
    pub first: Option<Time>,
    /// When it last happened.
    pub last: Option<Time>,
    /// How often it happened.
    pub count: u32,
}

/// The object that an event is about.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Regarding {
    /// Its kind: `Pod`.
    pub kind: Text,
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// Its uid; of nodes often the node's name, so match nodes by name.
    pub uid: Uid,
}

impl Event {
    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        let regarding = &mut self.regarding;
        for text in [
            &mut self.reason,
            &mut self.message,
            &mut self.component,
            &mut regarding.kind,
            &mut regarding.namespace,
            &mut regarding.name,
        ] {
            pool.text(text);
        }
    }
}
