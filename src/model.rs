//! What is known, as plain values: ids, quantities, money, time, records, deltas, the fleet.
//!
//! Rank 0: it names no client, no runtime, no file, no network and no clock. Time comes in as a
//! value. Strings that came from a cluster are [`Text`], sanitised once where they are made.

mod column;
mod delta;
mod derived;
mod extras;
mod face;
mod fleet;
mod identity;
mod ids;
mod link;
mod meta;
mod money;
mod price;
mod problem;
pub mod quantity;
mod record;
mod rows;
mod rules;
mod shipped;
mod signal;
mod spared;
pub mod text;
mod time;
mod usage;
mod words;

pub use column::{Cell, Column};
pub use delta::{Audit, Change, Delta};
pub use derived::Derived;
pub use extras::Extras;
pub use face::Face;
pub use fleet::{
    Badge, Cluster, ClusterInfo, EMBEDDED, Fleet, Login, PluginId, Prompt, SameAs, Sample, Series, Served,
    Table, Tier, Totals,
};
pub use identity::{Capacity, Identity, Provider, identify};
pub use ids::{ClusterId, Kind, KindNames, ObjectKey, Uid, Version};
pub use link::{BLINK, Cause, Fault, LINK_LIMIT, Link, LinkState, METRICS_LIMIT};
pub use meta::{Condition, Labels, Manager, Meta, Operator, Owner, Requirement, Selector, Truth, condition};
pub use money::{MONTH_HOURS, Money, grouped};
pub use price::{Basis, CostTotals, Price};
pub use problem::{Problem, Source};
pub use quantity::Resources;
pub use record::*;
pub use rows::{Held, Place, Rows};
pub use rules::{Freeze, Rules, Window};
pub use shipped::Shipped;
pub use signal::{CostChange, Direction, Happening, NodeChange, Signal, Symptom, SymptomCause, Tone};
pub use spared::{spared, sparing};
pub use text::Text;
pub use time::{Span, Time};
pub use usage::{PodUsage, PodUsageBuilder, Usage, Used};
pub use words::{many, nearest};
