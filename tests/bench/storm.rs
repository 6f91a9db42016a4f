//! While pods change: G8, G10, G11 and G14. It needs a program whose `demo` has `--control`.

use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};

use crate::size::Size;
use crate::table::{Row, row, spread};
use crate::{keys, screen};
use driver::Control;
use driver::Fleet;
use driver::Session;
use driver::process;

/// How long the reference load is looked at.
const STEADY: Duration = Duration::from_secs(30);

/// The storm.
const STORM: (u32, Duration) = (20_000, Duration::from_secs(60));

/// How long a storm may take to be through before that is an error.
const THROUGH: Duration = Duration::from_secs(60);

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    let Some(control) = &fleet.control else {
        let measured = "this program's demo has no --control".to_owned();
        row(&Row { figure: "G8", what: "events", measured, ..Row::default() });
        return Ok(());
    };
    let mut session = screen::open_complete(binary, &fleet, size)?;
    let pid = process::of(&session)?;
    let idle = share(&mut session, pid, STEADY)?.0;
    steady(&mut session, control, size, pid, idle)?;
    storm(&mut session, control, pid)
}

/// What it uses for a while: share of a core, and bytes to the terminal a second.
fn share(session: &mut Session, pid: u32, time: Duration) -> Result<(f64, f64)> {
    let (before, began) = (process::cpu(pid)?, Instant::now());
    let bytes = until(session, began + time);
    let used = process::cpu(pid)?.saturating_sub(before).as_secs_f64();
    let seconds = began.elapsed().as_secs_f64();
    Ok((used / seconds, bytes as f64 / seconds))
}

/// Reads what comes until then.
fn until(session: &mut Session, end: Instant) -> u64 {
    let before = session.bytes();
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        session.settle(left, left);
    }
    session.bytes() - before
}

/// G8 and G14: the reference load.
fn steady(session: &mut Session, control: &Control, size: Size, pid: u32, idle: f64) -> Result<()> {
    control.churn(size.events())?;
    until(session, Instant::now() + Duration::from_secs(3));
    let counted = Counted::begin(control)?;
    let (used, bytes) = share(session, pid, STEADY)?;
    let made = counted.rate(control)?;
    control.churn(0)?;
    let each = (used - idle).max(0.0) * 1000.0 / made;
    row(&Row {
        figure: "G8",
        what: &format!("for 1,000 changes of pods a second, at {made:.0}: share of a core above idle"),
        target: "1.5 %",
        floor: format!("{:.2} % idle", idle * 100.0),
        measured: format!("{:.2} %", each * 100.0),
    });
    row(&Row {
        figure: "G14",
        what: "bytes to the terminal under the reference load",
        target: "4 KB/s",
        measured: format!("{:.1} KB/s", bytes / 1000.0),
        ..Row::default()
    });
    Ok(())
}

/// What a storm showed.
struct Weathered {
    /// Changes of pods a second. The servers share the machine with what is measured, and may not reach what
    /// is asked of them.
    rate: f64,
    /// Share of a core for each change a second, while no key was pressed.
    each: f64,
    /// Resident memory above what it was before, at most, in MiB.
    memory: f64,
    /// What came after it.
    rest: Rest,
    /// Milliseconds from a key to the last byte.
    keys: Vec<f64>,
}

/// What comes after a storm. The servers have queues, too, and share the machine with what is measured.
struct Rest {
    /// For how long they went on changing pods.
    changed: Duration,
    /// For how long they went on telling watches what had changed.
    told: Duration,
    /// From their last word until all of it was through.
    lag: Duration,
}

/// G8, G10 and G11 in a storm.
fn storm(session: &mut Session, control: &Control, pid: u32) -> Result<()> {
    let seen = weather(session, control, pid)?;
    let storm = format!("{:.0} changes of pods a second for {} s", seen.rate, STORM.1.as_secs());
    row(&Row {
        figure: "G8",
        what: &format!("{storm}: share of a core for 1,000 of them"),
        target: "1.5 %",
        measured: format!("{:.2} %", seen.each * 1000.0 * 100.0),
        ..Row::default()
    });
    row(&Row {
        figure: "G10",
        what: &format!("{storm}: from the servers' last word until all is through"),
        target: "2 s at 20,000",
        floor: format!(
            "the servers changed pods for {:.1} s, and told of it for {:.1} s after it",
            seen.rest.changed.as_secs_f64(),
            seen.rest.told.as_secs_f64()
        ),
        measured: format!("{:.1} s", seen.rest.lag.as_secs_f64()),
    });
    row(&Row {
        figure: "G10",
        what: "the same: memory above before, at most",
        target: "50 MB",
        measured: format!("{:.0} MiB", seen.memory),
        ..Row::default()
    });
    let (pods, measured) = shown_at_last(session, control)?;
    row(&Row {
        figure: "G10",
        what: "the same: pods on screen after it; floor: at the servers",
        target: "none lost",
        floor: pods.to_string(),
        measured,
    });
    let mut times = seen.keys;
    let (t50, t99) = spread(&mut times);
    row(&Row {
        figure: "G11",
        what: "key to the last byte in that storm",
        target: "p50 3 ms, p99 16 ms",
        measured: format!("p50 {t50:.1} ms, p99 {t99:.1} ms"),
        ..Row::default()
    });
    Ok(())
}

fn weather(session: &mut Session, control: &Control, pid: u32) -> Result<Weathered> {
    let before = process::memory_of(pid)?.0;
    let (rate, lasts) = STORM;
    let end = Instant::now() + lasts;
    control.churn(rate)?;
    let counted = Counted::begin(control)?;
    until(session, Instant::now() + Duration::from_secs(10));
    let (keys, _) = keys::motions(session)?;
    let alone = Counted::begin(control)?;
    let (used, _) = share(session, pid, end.saturating_duration_since(Instant::now()))?;
    let each = used / alone.rate(control)?;
    let memory = process::memory_of(pid)?.1 - before;
    let rate = counted.rate(control)?;
    control.churn(0)?;
    let rest = rests(session, control, pid)?;
    Ok(Weathered { rate, each, memory, rest, keys })
}

/// The changes of pods from one moment on.
pub(crate) struct Counted {
    since: Instant,
    before: u64,
}

impl Counted {
    pub(crate) fn begin(control: &Control) -> Result<Counted> {
        let before = control.pod_changes()?;
        Ok(Counted { since: Instant::now(), before })
    }

    /// How many the servers made a second. An error when they made none: that is nothing to measure.
    pub(crate) fn rate(self, control: &Control) -> Result<f64> {
        let seconds = self.since.elapsed().as_secs_f64();
        match control.pod_changes()?.saturating_sub(self.before) {
            0 => Err(eyre!("the servers changed no pods in {seconds:.0} s")),
            made => Ok(made as f64 / seconds),
        }
    }
}

/// Waits until three tenths of a second in a row were mostly idle.
fn rests(session: &mut Session, control: &Control, pid: u32) -> Result<Rest> {
    const LOOK: Duration = Duration::from_millis(100);
    let began = Instant::now();
    let (mut made, mut changed, mut told, mut calm) = (control.pod_changes()?, began, began, 0);
    while began.elapsed() < THROUGH {
        let before = process::cpu(pid)?;
        until(session, Instant::now() + LOOK);
        calm = if process::cpu(pid)?.saturating_sub(before) <= LOOK / 5 { calm + 1 } else { 0 };
        let (now, untold) = (control.pod_changes()?, control.untold()?);
        if now != made {
            (made, changed) = (now, Instant::now());
        }
        if changed > told || untold > 0 {
            (told, calm) = (Instant::now(), 0);
        }
        if calm == 3 {
            let lag = told.elapsed().saturating_sub(LOOK * 3);
            return Ok(Rest { changed: changed - began, told: told - changed, lag });
        }
    }
    Err(eyre!("it was still busy {} s after the storm", THROUGH.as_secs()))
}

/// The number of pods at the servers, which may have work left, and on screen, once that is the same: a large
/// table is computed every other second.
fn shown_at_last(session: &mut Session, control: &Control) -> Result<(u64, String)> {
    let began = Instant::now();
    loop {
        let (pods, shown) = (control.pods()?, shown(session)?);
        if shown == pods.to_string() || began.elapsed() > Duration::from_secs(10) {
            return Ok((pods, shown));
        }
        until(session, Instant::now() + Duration::from_millis(100));
    }
}

/// The number of pods that the title of the table says.
fn shown(session: &Session) -> Result<String> {
    let text = session.text();
    let before = text.split(" pods in ").next().filter(|_| text.contains(" pods in "));
    let word = before.and_then(|text| text.split_whitespace().next_back());
    Ok(word.ok_or_else(|| eyre!("no number of pods on screen:\n{text}"))?.replace(',', ""))
}
