//! Flapping: replicas that go up and down again and again.

use std::collections::BTreeMap;

use super::{autoscalers, since};
use crate::model::{Cluster, Direction, Happening, Kind, ObjectKey, Signal, Span, Text, Time};
use crate::views::Scope;

/// In this time …
pub(super) const FLAPS_WITHIN: Span = Span::from_seconds(1800);

/// … this many changes of direction are flapping.
const TURNS: usize = 4;

/// Something that flaps.
#[derive(Clone, PartialEq, Debug)]
pub struct Flap {
    /// The autoscaler or workload.
    pub object: ObjectKey,
    /// What people call it: `imgproc`.
    pub name: Text,
    /// The workload behind it.
    pub workload: Option<(Kind, Text)>,
    /// Fewest replicas that it asked for.
    pub low: u32,
    /// Most.
    pub high: u32,
    /// How often it scaled.
    pub times: usize,
    /// Since when.
    pub since: Time,
}

impl Flap {
    /// `imgproc scales 8 ↔ 14, 9 times in 30 min`.
    #[must_use]
    pub fn words(&self) -> Text {
        format!("{} scales {} ↔ {}, {} times in 30 min", self.name, self.low, self.high, self.times).into()
    }
}

/// What flaps in a cluster now.
#[must_use]
pub fn flaps(cluster: &Cluster, scope: &Scope, now: Time) -> Vec<Flap> {
    let mut by_object: BTreeMap<&ObjectKey, Vec<&Signal>> = BTreeMap::new();
    for signal in since(cluster, scope, now - FLAPS_WITHIN) {
        if let (Happening::Replicas, Some(object)) = (&signal.happening, &signal.object) {
            by_object.entry(object).or_default().push(signal);
        }
    }
    by_object.into_iter().filter_map(|(object, signals)| flap(cluster, object, &signals)).collect()
}

fn flap(cluster: &Cluster, object: &ObjectKey, signals: &[&Signal]) -> Option<Flap> {
    let moves: Vec<&&Signal> = signals.iter().filter(|s| s.direction != Direction::Held).collect();
    if turns(&moves) < TURNS {
        return None;
    }
    let sizes = || moves.iter().flat_map(|s| [s.from, s.to]).flatten();
    let scaler = autoscalers(cluster).find(|s| s.meta.uid == object.uid);
    let workload = match scaler {
        Some(scaler) => Kind::by_kind(&scaler.target_kind).map(|kind| (kind, scaler.target.clone())),
        None => object.kind.is_workload().then(|| (object.kind, object.name.clone())),
    };
    Some(Flap {
        name: scaler.map_or_else(|| object.name.clone(), |s| s.target.clone()),
        workload,
        low: sizes().min()?,
        high: sizes().max()?,
        times: moves.len(),
        since: moves.first()?.at,
        object: object.clone(),
    })
}

fn turns(moves: &[&&Signal]) -> usize {
    moves.windows(2).filter(|pair| pair[0].direction != pair[1].direction).count()
}
