//! Texts that objects said lately. What the next ones say again, most of what they say, is neither made
//! harmless again nor copied.

use std::cell::RefCell;
use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::model::Text;

/// How many a thread remembers, each in the slot that follows from it.
const SLOTS: usize = 1024;

/// Longer texts are seldom said twice.
const LONGEST: usize = 64;

thread_local! {
    static RECENT: RefCell<Box<[Text]>> = RefCell::new(vec![Text::EMPTY; SLOTS].into());
}

/// [`Text::clean`], shared with whoever said the same lately.
pub(super) fn text(raw: &str) -> Text {
    if raw.is_empty() || raw.len() > LONGEST {
        return Text::clean(raw);
    }
    let slot = FxBuildHasher.hash_one(raw) % SLOTS as u64;
    RECENT.with_borrow_mut(|recent| {
        let Some(known) = usize::try_from(slot).ok().and_then(|slot| recent.get_mut(slot)) else {
            return Text::clean(raw);
        };
        if known != raw {
            *known = Text::clean(raw);
        }
        known.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_again_is_kept_once() {
        let (first, second) = (text("app.kubernetes.io/name"), text("app.kubernetes.io/name"));
        assert_eq!((first.as_str(), first.holders()), ("app.kubernetes.io/name", 3));
        drop(second);
        assert_eq!(text("\u{1b}[2J"), Text::clean("\u{1b}[2J"));
        let long = "x".repeat(LONGEST + 1);
        assert_eq!((text(&long), text(&long).holders()), (Text::clean(&long), 1));
        // More than it can remember: each is what was said.
        for n in 0..SLOTS * 8 {
            assert_eq!(text(&n.to_string()), *n.to_string());
        }
    }
}
