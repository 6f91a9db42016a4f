//! What becomes of a crash while the screen is ours.
//!
//! A crash of the screen itself ends the program: the terminal is given back and the report printed.
//! A part that crashes beside it is begun anew by whoever watches over it, and the screen says so; a
//! report would be drawn over it.

use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use tokio::sync::mpsc;

use crate::model::{Text, sparing};
use crate::ui::Inbound;

/// Where crashes of parts are told.
static SCREEN: Mutex<Option<mpsc::Sender<Inbound>>> = Mutex::new(None);

/// From now on crashes of parts are told on this screen.
pub(super) fn tell(screen: mpsc::Sender<Inbound>) {
    *SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(screen);
}

/// From now on a crash of this thread gives the terminal back, and one of another is told on the screen.
pub(super) fn watch(give_back: fn()) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let screen = thread::current().id();
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if thread::current().id() == screen && !sparing() {
                give_back();
                report(panic);
            } else {
                on_screen(panic);
            }
        }));
    });
}

/// Where it crashed, and nothing of what it was about: that may be anybody's words.
fn on_screen(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let said = format!("a part of Quarterdeck crashed{place} and is begun anew: a bug, please report it");
    // Whoever crashes may hold anything: nothing is waited for.
    if let Ok(screen) = SCREEN.try_lock()
        && let Some(screen) = screen.as_ref()
    {
        let _ = screen.try_send(Inbound::Notice(Text::clean(&said)));
    }
}
