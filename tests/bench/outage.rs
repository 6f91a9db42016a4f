//! When all clusters go away: G16 to G18.

use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};

use crate::relay::{Carry, Relays};
use crate::screen;
use crate::size::Size;
use crate::table::{Row, row};
use driver::Fleet;
use driver::Session;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    let relays = Relays::start(&fleet.kubeconfig())?;
    let mut session = screen::open(binary, &fleet, relays.kubeconfig(), "pods")?;
    screen::complete(&mut session, size, size.pods())?;
    let sync = relays.received();
    session.settle(Duration::from_secs(2), Duration::from_secs(10));

    let began = Instant::now();
    relays.carry(Carry::Nothing);
    wait(&mut session, |text| !text.contains(&screen::live(size)))?;
    row(&Row {
        figure: "G16",
        what: "every link falls silent: until the screen says so",
        target: "15 s",
        measured: format!("{:.1} s", began.elapsed().as_secs_f64()),
        ..Row::default()
    });

    relays.carry(Carry::Gone);
    session.settle(Duration::from_secs(30), Duration::from_secs(30));
    let (back, bytes) = comes_back(&mut session, &relays, size)?;
    let share = bytes as f64 / sync as f64 * 100.0;
    row(&Row {
        figure: "G17",
        what: "all clusters out for 30 s: until all are back, and bytes of a sync that took",
        target: "5 s, no list",
        measured: format!("{:.1} s, {share:.1} %", back.as_secs_f64()),
        ..Row::default()
    });

    let Some(control) = &fleet.control else {
        let measured = "this program's demo has no --control".to_owned();
        row(&Row { figure: "G18", what: "all versions expired", measured, ..Row::default() });
        return Ok(());
    };
    relays.carry(Carry::Gone);
    session.settle(Duration::from_secs(30), Duration::from_secs(30));
    // Each watch is refused once, as after an outage that is longer than servers remember.
    control.fault(r#"{"fault": "expired", "verb": "watch", "times": 16}"#)?;
    let (back, bytes) = comes_back(&mut session, &relays, size)?;
    control.heal()?;
    let share = bytes as f64 / sync as f64 * 100.0;
    row(&Row {
        figure: "G18",
        what: "all clusters out and every version expired: until all are back, and bytes of a sync that took",
        target: "30 s",
        measured: format!("{:.1} s, {share:.0} %", back.as_secs_f64()),
        ..Row::default()
    });
    Ok(())
}

/// Carries again, and says how long it takes until everything is live, and how many bytes came.
fn comes_back(session: &mut Session, relays: &Relays, size: Size) -> Result<(Duration, u64)> {
    let (began, before) = (Instant::now(), relays.received());
    relays.carry(Carry::All);
    wait(session, |text| text.contains(&screen::live(size)) && !text.contains("as last seen"))?;
    Ok((began.elapsed(), relays.received() - before))
}

fn wait(session: &mut Session, wanted: impl Fn(&str) -> bool) -> Result<()> {
    session.wait_for(PATIENCE, |screen| wanted(&screen.contents())).map_err(|why| eyre!(why))
}
