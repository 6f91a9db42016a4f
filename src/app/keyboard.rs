//! What comes from the terminal: its reports, and that it is gone.
//!
//! crossterm reads a terminal that is gone for ever, without a pause
//! (<https://github.com/crossterm-rs/crossterm/issues/793>), and `EventStream` does that on the thread
//! that asks it: nothing else would run there again. So it reads on a thread of its own, and the end
//! of the terminal is noticed beside it.

use std::io;

use crossterm::event::Event;
use futures::Stream;
use rustix::event::{PollFd, PollFlags};
use tokio::sync::{mpsc, oneshot};

/// Reports that may wait. Whoever types faster waits in the terminal.
const WAITING: usize = 256;

/// Keys, pasted text, the mouse and new sizes, from now on. For one reader in a process.
pub(super) fn reports() -> impl Stream<Item = io::Result<Event>> + Unpin {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        loop {
            let report = crossterm::event::read();
            let last = report.is_err();
            if sender.blocking_send(report).is_err() || last {
                return;
            }
        }
    });
    futures::stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// Resolves when the terminal of standard input is gone. A process whose terminal goes is told by
/// a signal, but not when it was started to ignore that one (`nohup`), or leads no session.
pub(super) async fn gone() {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        loop {
            // Without any flag only what is always told is told: errors and the end.
            let mut input = [PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::empty())];
            match rustix::event::poll(&mut input, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
                Ok(_) => break,
            }
        }
        let _ = sender.send(());
    });
    if receiver.await.is_err() {
        // It cannot be known.
        std::future::pending().await
    }
}
