//! From a key to the last byte of its frame: G11 to G13.

use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};

use crate::screen;
use crate::size::Size;
use crate::table::{Row, row, spread};
use driver::Fleet;
use driver::Session;

const KEYS: usize = 200;

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    let mut session = screen::open_complete(binary, &fleet, size)?;
    large(binary, &fleet, &mut session)?;
    let (mut times, mut sizes) = motions(&mut session)?;
    let (t50, t99) = spread(&mut times);
    row(&Row {
        figure: "G11",
        what: "key to the last byte",
        target: "p50 3 ms, p99 16 ms",
        measured: format!("p50 {t50:.1} ms, p99 {t99:.1} ms"),
        ..Row::default()
    });
    let (b50, b99) = spread(&mut sizes);
    let most = sizes.last().copied().unwrap_or_default();
    row(&Row {
        figure: "G13",
        what: "bytes of a frame",
        target: "p50 500, p99 9 KB, at most 14,600",
        measured: format!("p50 {b50:.0}, p99 {b99:.0}, at most {most:.0}"),
        ..Row::default()
    });
    filter(&mut session)
}

/// G13's exceptions: what draws everything, or nearly so.
fn large(binary: &Path, fleet: &Fleet, session: &mut Session) -> Result<()> {
    let mut first = screen::open(binary, fleet, &fleet.kubeconfig(), "fleet")?;
    screen::wait(&mut first, "Objects")?;
    // To the end of the frame in which the tabs came.
    first.burst(Duration::from_millis(100), Duration::from_millis(4));
    let first = first.bytes();
    let burst = |session: &mut Session| session.burst(Duration::from_secs(5), Duration::from_millis(50)).0;
    let (columns, rows) = screen::SIZE;
    let mut sizes = 0;
    for (columns, rows) in [(columns - 40, rows - 10), (columns, rows)] {
        session.resize(columns, rows);
        sizes = sizes.max(burst(session));
    }
    let mut panes = 0;
    for pane in ["1", "2", "3", "4", "5", "0"] {
        session.keys(pane);
        panes = panes.max(burst(session));
    }
    row(&Row {
        figure: "G13",
        what: "bytes of the first frame; of a resize, at most of 2; of a change of pane, at most of 6",
        target: "24 KB each",
        measured: format!("{first}; {sizes}; {panes}"),
        ..Row::default()
    });
    Ok(())
}

/// Moves through the table: milliseconds and bytes of each key.
pub(crate) fn motions(session: &mut Session) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for turn in 0..KEYS {
        let (time, bytes) = key(session, if turn % 40 < 20 { "j" } else { "k" })?;
        times.push(time);
        sizes.push(bytes);
    }
    Ok((times, sizes))
}

/// G12: typing a filter over every pod, and taking it back, letter by letter.
fn filter(session: &mut Session) -> Result<()> {
    let mut times = Vec::new();
    key(session, "/")?;
    for _ in 0..5 {
        for letter in ["w", "e", "b", "-", "1", "\x7f", "\x7f", "\x7f", "\x7f", "\x7f"] {
            times.push(key(session, letter)?.0);
        }
    }
    session.keys("\x1b");
    let (t50, t99) = spread(&mut times);
    row(&Row {
        figure: "G12",
        what: "a letter of a filter over every pod to the last byte",
        target: "p99 50 ms",
        measured: format!("p50 {t50:.1} ms, p99 {t99:.1} ms"),
        ..Row::default()
    });
    Ok(())
}

/// Types one key, and says after how many milliseconds its last byte came, and how many they were.
fn key(session: &mut Session, key: &str) -> Result<(f64, f64)> {
    let began = Instant::now();
    session.keys(key);
    let (bytes, last) = session.burst(Duration::from_secs(5), Duration::from_millis(4));
    let last = last.ok_or_else(|| eyre!("the key {key:?} changed nothing on screen"))?;
    Ok(((last - began).as_secs_f64() * 1000.0, bytes as f64))
}
