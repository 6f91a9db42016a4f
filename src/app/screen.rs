//! The main loop: keys and news in, effects run, frames out.
//!
//! It is generic over the canvas, the input and the clock, so that tests run this very loop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, MouseButton, MouseEventKind};
use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::input::Key;
use crate::model::Time;
use crate::operations::OpEvent;
use crate::ui::{Effect, Inbound, Opening, SheetDone, Ui};
use crate::views::Snapshot;

/// Frames that nobody's key asked for are at least this far apart.
const PACE: Duration = Duration::from_millis(50);

/// Frames for a new state of the fleet alone: what most of the screen shows is computed from it
/// first, and asks for a frame of its own.
const STATES: Duration = Duration::from_millis(500);

/// What frames are drawn on.
pub(super) trait Canvas {
    /// Draws one frame.
    fn draw(&mut self, ui: &mut Ui, now: Time) -> io::Result<()>;
    /// Draws everything anew at the next frame.
    fn clear(&mut self) -> io::Result<()>;
    /// Puts text on the clipboard.
    fn copy(&mut self, text: &str) -> io::Result<()>;
    /// Gives the terminal back and stops this process until somebody wakes it.
    fn suspend(&mut self) -> io::Result<()>;
}

/// What runs effects that go beyond the screen.
pub(super) trait Effects {
    /// Runs one effect. What comes of it arrives among the news.
    fn run(&mut self, effect: Effect);
}

/// What comes in from outside.
pub(super) struct News {
    /// What was asked for before the first frame: on the command line of the program.
    pub(super) wanted: Vec<Effect>,
    /// States of the fleet.
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What runs tell.
    pub(super) events: mpsc::Receiver<OpEvent>,
    /// Everything else.
    pub(super) inbound: mpsc::Receiver<Inbound>,
}

/// What the loop waits for.
enum Wake {
    Input(Option<io::Result<Event>>),
    Inbound(Box<Inbound>),
    Snapshot,
    Sheet(Option<Box<SheetDone>>),
    Time,
    Looking,
    End,
}

/// Runs until somebody leaves, or `end` resolves; or until something else is to be opened, and says
/// what.
///
/// # Errors
/// The terminal is gone.
pub(super) async fn run(
    ui: &mut Ui,
    canvas: &mut impl Canvas,
    mut input: impl Stream<Item = io::Result<Event>> + Unpin,
    mut news: News,
    effects: &mut impl Effects,
    clock: impl Fn() -> Time,
    end: impl Future<Output = ()>,
) -> io::Result<Option<Opening>> {
    let mut end = std::pin::pin!(end);
    let mut sheet: Option<JoinHandle<SheetDone>> = None;
    let mut last_frame = Instant::now() - PACE;
    let mut draw_at = Some(Instant::now());
    let newest = Arc::clone(&news.snapshots.borrow_and_update());
    let mut wanted = std::mem::take(&mut news.wanted);
    wanted.extend(ui.inbound(Inbound::Snapshot(newest), clock()));
    loop {
        for effect in wanted.drain(..) {
            match effect {
                Effect::Quit => return Ok(None),
                Effect::Open(opening) => return Ok(Some(opening)),
                Effect::Copy(text) => canvas.copy(&text)?,
                Effect::Suspend => canvas.suspend()?,
                Effect::Redraw => canvas.clear()?,
                other => effects.run(other),
            }
        }
        let now = clock();
        if sheet.is_none() {
            // Sheets are computed beside the keys: a large one must not hold them up.
            sheet = ui.job(now).map(|job| tokio::task::spawn_blocking(|| job.run()));
        }
        if draw_at.is_some_and(|at| at <= Instant::now()) {
            canvas.draw(ui, now)?;
            last_frame = Instant::now();
            draw_at = None;
        }
        let change = ui.next_change(now).map(|at| Instant::now() + until(now, at));
        let wake_at = [draw_at, change].into_iter().flatten().min();
        let wake = tokio::select! {
            biased;
            () = &mut end => Wake::End,
            event = input.next() => Wake::Input(event),
            Some(event) = news.events.recv() => Wake::Inbound(Box::new(Inbound::Op(event))),
            Some(inbound) = news.inbound.recv() => Wake::Inbound(Box::new(inbound)),
            done = finished(&mut sheet) => Wake::Sheet(done.map(Box::new)),
            Ok(()) = news.snapshots.changed() => Wake::Snapshot,
            () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => Wake::Time,
            // Whatever else there is comes first.
            () = std::future::ready(()), if ui.looking() => Wake::Looking,
        };
        let now = clock();
        let mut pace = PACE;
        match wake {
            Wake::End | Wake::Input(None) => return Ok(None),
            Wake::Input(Some(event)) => {
                wanted = feed(ui, event?, now);
                draw_at = Some(Instant::now());
                continue;
            }
            Wake::Inbound(inbound) => wanted = ui.inbound(*inbound, now),
            Wake::Snapshot => {
                let snapshot = Arc::clone(&news.snapshots.borrow_and_update());
                wanted = ui.inbound(Inbound::Snapshot(snapshot), now);
                if !ui.shows_states() {
                    pace = STATES;
                }
            }
            Wake::Sheet(done) => {
                sheet = None;
                if let Some(done) = done {
                    ui.sheet(*done, now);
                }
            }
            Wake::Time => {}
            Wake::Looking => ui.look_on(),
        }
        let frame = last_frame + pace;
        draw_at = Some(draw_at.map_or(frame, |at| at.min(frame)));
    }
}

/// The sheet that is being computed, when it is; for ever when none is.
async fn finished(sheet: &mut Option<JoinHandle<SheetDone>>) -> Option<SheetDone> {
    match sheet {
        Some(task) => task.await.ok(),
        None => std::future::pending().await,
    }
}

fn until(now: Time, at: Time) -> Duration {
    Duration::from_millis(u64::try_from(now.age(at).millis()).unwrap_or(0))
}

/// Hands one report of the terminal to the screen.
fn feed(ui: &mut Ui, event: Event, now: Time) -> Vec<Effect> {
    match event {
        Event::Key(event) => Key::of_event(&event).map(|key| ui.key(key, now)).unwrap_or_default(),
        Event::Paste(text) => ui.paste(&text, now),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => ui.click(mouse.column, mouse.row, now),
            MouseEventKind::ScrollDown => ui.wheel(true, now),
            MouseEventKind::ScrollUp => ui.wheel(false, now),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::pictures;
    use crate::model::Span;
    use crate::views::scenes;

    /// Counts frames.
    #[derive(Default)]
    struct Counter(usize);

    impl Canvas for Counter {
        fn draw(&mut self, ui: &mut Ui, now: Time) -> io::Result<()> {
            let backend = ratatui::backend::TestBackend::new(80, 24);
            let mut terminal = ratatui::Terminal::new(backend).map_err(io::Error::other)?;
            terminal.draw(|frame| ui.draw(frame, now)).map_err(io::Error::other)?;
            self.0 += 1;
            Ok(())
        }

        fn clear(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn copy(&mut self, _: &str) -> io::Result<()> {
            Ok(())
        }

        fn suspend(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Effects for Counter {
        fn run(&mut self, _: Effect) {}
    }

    #[tokio::test(start_paused = true)]
    async fn states_alone_are_drawn_a_few_times_a_second() {
        let mut ui = pictures::screen();
        let began = Instant::now();
        let clock = move || scenes::now() + millis(began.elapsed());
        let fleet = pictures::healthy(1, 3).end().fleet;
        let state = move |sequence| Arc::new(Snapshot::new(clock(), sequence, fleet.clone()));
        let (publish, snapshots) = watch::channel(state(1));
        let publisher = tokio::spawn(async move {
            for sequence in 2..42 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                publish.send_replace(state(sequence));
            }
        });
        let (_events, events) = mpsc::channel(1);
        let (_inbound, inbound) = mpsc::channel(1);
        let news = News { wanted: Vec::new(), snapshots, events, inbound };
        let (mut frames, mut effects) = (Counter::default(), Counter::default());
        let end = async { publisher.await.unwrap() };
        let input = futures::stream::pending();
        run(&mut ui, &mut frames, input, news, &mut effects, clock, end).await.unwrap();
        assert!((4..=24).contains(&frames.0), "{} frames for 40 states in 4 s", frames.0);
    }

    fn millis(elapsed: Duration) -> Span {
        Span::from_millis(i64::try_from(elapsed.as_millis()).unwrap())
    }
}
