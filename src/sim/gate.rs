//! The connections of a server, and what is wrong with them: bytes that do not come or go, or
//! slowly, and ends in the middle.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::faults::{End, Way};
use super::world::Reach;

/// A gate for all connections of a server.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Whether bytes pass as they are.
    open: AtomicBool,
    /// Those of the way: connections from before the last of them are dead.
    naps: AtomicU64,
    /// Connections that were taken so far.
    taken: AtomicU64,
    way: watch::Sender<Way>,
    waiting: Mutex<Vec<Waker>>,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            open: AtomicBool::new(true),
            naps: AtomicU64::default(),
            taken: AtomicU64::default(),
            way: watch::Sender::default(),
            waiting: Mutex::default(),
        }
    }
}

impl Gate {
    /// Makes the way as it should be.
    pub(crate) fn set(&self, way: Way) {
        let held = way.reach == Reach::Silent || way.one_way;
        let changed = way.rate.is_some() || way.delay.is_some() || way.end.is_some();
        self.naps.store(way.naps, Ordering::Release);
        self.way.send_replace(way);
        self.open.store(!held && !changed, Ordering::Release);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Connections that were taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Hears of changes of the way.
    pub(crate) fn watch(&self) -> watch::Receiver<Way> {
        self.way.subscribe()
    }

    /// The way when there is something about it for a connection that saw so many naps.
    fn trouble(&self, naps: u64) -> Option<Way> {
        let fine = self.open.load(Ordering::Acquire) && self.naps.load(Ordering::Acquire) == naps;
        if fine { None } else { Some(self.way.borrow().clone()) }
    }

    /// Pending while bytes are held back: `held` looks at the way. A connection from before the
    /// last nap waits for ever.
    fn pass(&self, naps: u64, context: &Context<'_>, held: fn(&Way) -> bool) -> Poll<Option<Way>> {
        let Some(way) = self.trouble(naps) else { return Poll::Ready(None) };
        let stays = |way: &Way| held(way) || way.naps != naps;
        if !stays(&way) {
            return Poll::Ready(Some(way));
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // opened between the look above and the lock: then nobody would wake us
        match self.trouble(naps) {
            Some(way) if stays(&way) => {
                if !waiting.iter().any(|w| w.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
            other => Poll::Ready(other),
        }
    }
}

fn silent(way: &Way) -> bool {
    way.reach == Reach::Silent
}

fn mute(way: &Way) -> bool {
    way.reach == Reach::Silent || way.one_way
}

/// A connection behind a gate.
#[derive(Debug)]
pub(crate) struct Gated {
    stream: TcpStream,
    gate: Arc<Gate>,
    /// Naps of the way when it was made.
    naps: u64,
    /// Whether it ends with a reset.
    resets: Arc<AtomicBool>,
    /// What arrived waits for this.
    arriving: Option<Pin<Box<Sleep>>>,
    /// The next bytes leave after this.
    leaving: Option<Pin<Box<Sleep>>>,
    /// Bytes that left while an end in the middle was near.
    left: u64,
}

impl Gated {
    pub(crate) fn new(stream: TcpStream, gate: Arc<Gate>, resets: Arc<AtomicBool>) -> Gated {
        let naps = gate.naps.load(Ordering::Acquire);
        gate.taken.fetch_add(1, Ordering::AcqRel);
        Gated { stream, gate, naps, resets, arriving: None, leaving: None, left: 0 }
    }

    /// Writes as much as may leave now.
    fn write_part(&mut self, cx: &mut Context<'_>, way: &Way, from: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(leaving) = &mut self.leaving {
            ready!(leaving.as_mut().poll(cx));
            self.leaving = None;
        }
        let mut most = from.len() as u64;
        if let Some(rate) = way.rate {
            most = most.min((rate / 10).max(1));
        }
        if let Some((limit, end)) = way.end {
            if self.left >= limit {
                self.resets.store(end == End::Reset, Ordering::Release);
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            most = most.min(limit - self.left);
        }
        let part = &from[..usize::try_from(most).unwrap_or(from.len())];
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, part))?;
        self.left += written as u64;
        if let Some(rate) = way.rate {
            let wait = Duration::from_secs_f64(written as f64 / rate as f64);
            self.leaving = Some(Box::pin(sleep(wait)));
        }
        Poll::Ready(Ok(written))
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        if self.resets.load(Ordering::Acquire) {
            // what is closed without lingering is reset; a socket that is gone needs nothing
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Gated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(delay) = ready!(this.gate.pass(this.naps, cx, silent)).and_then(|way| way.delay) {
            ready!(this.stream.poll_read_ready(cx))?;
            let arriving = this.arriving.get_or_insert_with(|| Box::pin(sleep(delay)));
            ready!(arriving.as_mut().poll(cx));
            this.arriving = None;
        }
        Pin::new(&mut this.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.gate.pass(self.naps, cx, mute)) {
            None => Pin::new(&mut self.stream).poll_write(cx, from),
            Some(way) => self.write_part(cx, &way, from),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.gate.pass(self.naps, cx, mute));
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.gate.pass(self.naps, cx, mute));
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.gate.pass(self.naps, cx, mute)) {
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, from),
            Some(way) => {
                let first = from.iter().find(|part| !part.is_empty());
                self.write_part(cx, &way, first.map_or(&[], |part| part))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
