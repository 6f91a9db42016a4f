//! Deleting: at once, after a grace, or when the last finalizer is taken.

use std::sync::Arc;

use super::Store;
use crate::model::{Span, Time};
use crate::sim::fields::{self, deleting, list, set, text};
use crate::sim::json::Value;
use crate::sim::resources::{Res, Slot, Spec};

/// What a deletion asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deletion {
    /// Seconds that a pod may take; `None` takes the pod's own.
    pub(crate) grace: Option<i64>,
}

impl Store {
    /// What an object becomes that is asked to go at a time, with so many seconds of grace.
    fn leaving(spec: &Spec, old: &Value, new: Value, at: Time, grace: Option<i64>) -> Value {
        let mut new = Store::revised(spec, old, new);
        set(&mut new, "metadata.deletionTimestamp", at.rfc3339());
        if let Some(grace) = grace {
            set(&mut new, "metadata.deletionGracePeriodSeconds", grace);
        }
        let generation = fields::int(&new, "metadata.generation");
        if generation > 0 && !deleting(old) {
            set(&mut new, "metadata.generation", generation + 1);
        }
        new
    }

    /// Asks an object to go that its controller removes. Says what it is then.
    pub(crate) fn close(
        &mut self,
        of: impl Into<Slot>,
        old: &Arc<Value>,
        new: Value,
        now: Time,
    ) -> Arc<Value> {
        let slot = of.into();
        if deleting(old) {
            return self.replace(slot, old, new);
        }
        let new = Store::leaving(self.spec(slot), old, new, now, None);
        self.insert(slot, new)
    }

    /// Deletes as the API does: a running pod is given its grace, an object with finalizers waits
    /// for them, anything else goes at once. Says what the object is afterwards.
    pub(crate) fn delete(
        &mut self,
        of: impl Into<Slot>,
        object: &Arc<Value>,
        how: Deletion,
        now: Time,
    ) -> Arc<Value> {
        let slot = of.into();
        let grace = if slot == Res::Pods { Self::grace(object, how) } else { 0 };
        let waits = !list(object, "metadata.finalizers").is_empty();
        if grace == 0 && !waits && slot == Res::Pods {
            // a pod that goes at once has been asked to
            let last = Store::leaving(self.spec(slot), object, (**object).clone(), now, Some(0));
            return self.remove(slot, &Arc::new(last));
        }
        if grace == 0 && !waits {
            return self.remove(slot, object);
        }
        let current = fields::maybe_int(object, "metadata.deletionGracePeriodSeconds");
        if deleting(object) && current.is_none_or(|c| c <= grace) {
            return object.clone();
        }
        let end = now + Span::from_seconds(grace);
        let new = Store::leaving(self.spec(slot), object, (**object).clone(), end, Some(grace));
        self.insert(slot, new)
    }

    /// How long a pod may take to end: nothing when no kubelet has it or it has ended.
    fn grace(pod: &Value, how: Deletion) -> i64 {
        let ended = ["Succeeded", "Failed"].contains(&text(pod, "status.phase"));
        if text(pod, "spec.nodeName").is_empty() || ended {
            return 0;
        }
        let own = fields::maybe_int(pod, "spec.terminationGracePeriodSeconds").unwrap_or(30);
        how.grace.unwrap_or(own).max(0)
    }
}
