//! Events (`k8s.io/api/core/v1/generated.proto`, `k8s.io/api/events/v1/generated.proto`).
//!
//! One object in two shapes: what is written as `events.k8s.io/v1` is read as `v1` with an empty
//! source, no first and last time, and repeats in `series` (`client-go/tools/events`); what is
//! written as `v1` has source, count and times. Both shapes are read the same way.

use super::meta::{ObjectMeta, count, text, time, uid};
use super::read::Watched;
use super::wire::{MicroTime, Str, Time, wire};
use crate::model::{self, Record, Regarding};

wire! {
    /// An event as core/v1 has it.
    pub struct Event<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "involvedObject" regarding: Reference<'a>,
        3 "reason" reason: Str<'a>,
        4 "message" message: Str<'a>,
        5 "source" source: Source<'a>,
        6 "firstTimestamp" first: Time,
        7 "lastTimestamp" last: Time,
        8 "count" count: i32,
        9 "type" kind: Str<'a>,
        10 "eventTime" at: MicroTime,
        11 "series" series: Option<Series>,
        14 "reportingComponent" component: Str<'a>,
    }

    /// An event as events.k8s.io/v1 has it.
    pub struct NewEvent<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "eventTime" at: MicroTime,
        3 "series" series: Option<Series>,
        4 "reportingController" component: Str<'a>,
        7 "reason" reason: Str<'a>,
        8 "regarding" regarding: Reference<'a>,
        10 "note" message: Str<'a>,
        11 "type" kind: Str<'a>,
        12 "deprecatedSource" source: Source<'a>,
        13 "deprecatedFirstTimestamp" first: Time,
        14 "deprecatedLastTimestamp" last: Time,
        15 "deprecatedCount" count: i32,
    }

    /// What an event is about.
    pub struct Reference<'a> {
        1 "kind" kind: Str<'a>,
        2 "namespace" namespace: Str<'a>,
        3 "name" name: Str<'a>,
        4 "uid" uid: Str<'a>,
    }

    /// Who wrote an event, in the old shape.
    pub struct Source<'a> {
        1 "component" component: Str<'a>,
    }

    /// How an event went on.
    pub struct Series {
        1 "count" count: i32,
        2 "lastObservedTime" last: MicroTime,
    }
}

macro_rules! watched {
    ($event:ident) => {
        impl<'a> Watched<'a> for $event<'a> {
            fn metadata(&self) -> &ObjectMeta<'a> {
                &self.metadata
            }

            fn record(&self) -> Record {
                let moment = |at: MicroTime| at.micros.map(|m| model::Time::from_millis(m.div_euclid(1000)));
                let (series, at) = (self.series.as_ref(), moment(self.at));
                let created = time(self.metadata.created);
                let last = series.and_then(|series| moment(series.last)).or(time(self.last)).or(at);
                let times = series.map(|series| series.count).filter(|n| *n > 0).unwrap_or(self.count);
                Record::Event(model::Event {
                    meta: self.metadata.record(),
                    regarding: self.regarding.record(),
                    reason: text(&self.reason),
                    message: text(&self.message),
                    warning: self.kind == "Warning",
                    component: text(self.component.non_empty().unwrap_or(&self.source.component)),
                    first: time(self.first).or(at).or(created),
                    last: last.or(created),
                    count: count(times).max(1),
                })
            }
        }
    };
}
watched!(Event);
watched!(NewEvent);

impl Reference<'_> {
    fn record(&self) -> Regarding {
        Regarding {
            kind: text(&self.kind),
            namespace: text(&self.namespace),
            name: text(&self.name),
            uid: uid(&self.uid),
        }
    }
}
