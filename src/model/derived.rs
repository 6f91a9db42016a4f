//! What views derived from a cluster, remembered beside it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// How many things are remembered of a cluster at a time.
const SLOTS: usize = 4;

type Slot = OnceLock<(u64, Arc<dyn Any + Send + Sync>)>;

/// What was derived from one generation of a cluster, one value of each type.
///
/// It is no state: a value is made from the cluster alone, whoever comes first makes it, and a clone
/// of the cluster, which is there to be changed, begins with nothing.
#[derive(Default)]
pub struct Derived([Slot; SLOTS]);

impl Derived {
    /// The value of this type at this generation; made now if nobody did. What was made for an
    /// older generation is not handed out.
    pub(super) fn get<T: Any + Send + Sync>(&self, generation: u64, make: impl FnOnce() -> T) -> Arc<T> {
        let known = |slot: &Slot| {
            let (of, value) = slot.get()?;
            if *of == generation { Arc::clone(value).downcast::<T>().ok() } else { None }
        };
        if let Some(value) = self.0.iter().find_map(known) {
            return value;
        }
        let made = Arc::new(make());
        let mut kept = Some((generation, Arc::clone(&made) as Arc<dyn Any + Send + Sync>));
        for slot in &self.0 {
            let Some(value) = kept.take() else { break };
            kept = slot.set(value).err();
        }
        made
    }
}

impl Derived {
    /// The same values, for a copy of the cluster of the same generation.
    pub(super) fn kept(&self) -> Derived {
        Derived(self.0.clone())
    }
}

impl Clone for Derived {
    fn clone(&self) -> Derived {
        Derived::default()
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.iter().filter(|slot| slot.get().is_some()).count();
        write!(f, "Derived({known})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_for_each_generation_and_copy() {
        let derived = Derived::default();
        let mut made = 0;
        let mut ask = |derived: &Derived, generation| {
            *derived.get(generation, || {
                made += 1;
                made
            })
        };
        assert_eq!((ask(&derived, 7), ask(&derived, 7)), (1, 1));
        assert_eq!(ask(&derived.clone(), 7), 2, "a clone is there to be changed");
        assert_eq!(ask(&derived.kept(), 7), 1, "nothing changed yet");
        assert_eq!((ask(&derived, 8), ask(&derived, 8)), (3, 3));
        assert_eq!(*derived.get(8, || "another type"), "another type");
    }
}
