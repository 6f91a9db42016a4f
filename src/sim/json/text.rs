//! Strings that many objects say are kept once.

use std::cell::RefCell;

use arcstr::ArcStr;
use rustc_hash::FxHashSet;

/// Longer strings are seldom said twice.
const LONGEST: usize = 64;

/// How many strings a thread remembers. When there are more, it begins anew: what is in use
/// stays, and is only not found again.
const MOST: usize = 16_384;

thread_local! {
    static KNOWN: RefCell<FxHashSet<ArcStr>> = RefCell::default();
}

/// The string, shared with the others like it.
pub(crate) fn intern(text: &str) -> ArcStr {
    if text.len() > LONGEST {
        return ArcStr::from(text);
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(found) = known.get(text) {
            return found.clone();
        }
        if known.len() >= MOST {
            known.clear();
        }
        let new = ArcStr::from(text);
        known.insert(new.clone());
        new
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_strings_are_kept_once() {
        assert!(ArcStr::ptr_eq(&intern("Running"), &intern("Running")));
        let long = "x".repeat(LONGEST + 1);
        assert!(!ArcStr::ptr_eq(&intern(&long), &intern(&long)));
    }
}
