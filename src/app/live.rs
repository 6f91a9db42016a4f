//! The screen on a fleet.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use color_eyre::eyre::Result;
use crossterm::event::Event;
use futures::Stream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::cli::{ClusterArgs, ScreenArgs};
use super::clock::now;
use super::demo::Played;
use super::effects::{Acts, report_runs};
use super::engine::Engine;
use super::opened::Opened;
use super::screen::{self, Canvas, News};
use super::terminal::Screen;
use super::{
    abilities, crash, cut_off, demo, files, keyboard, opened, recovery, registry, reports, rewritten,
};
use crate::input::{self, Keymap};
use crate::model::{ClusterId, Face, Problem, Source, Text, Time};
use crate::operations::{self, Recoveries};
use crate::runner::{Journal, Runner, Sessions, Who, system_clock};
use crate::theme::{self, Theme};
use crate::ui::{self, Opening, Ui};

/// Events and readings on their way to the screen.
const NEWS: usize = 256;

/// Opens the screen and stays until somebody leaves. `embedded` is the fleet that is played, if one
/// is; it ends with the screen.
///
/// # Errors
/// There is no terminal, it goes away, or what was asked for on it cannot be opened.
pub(super) async fn run(
    mut opened: Opened,
    mut embedded: Option<Played>,
    clusters: &ClusterArgs,
    arguments: &ScreenArgs,
) -> Result<()> {
    let asked = asked_to_end();
    let mut end = std::pin::pin!(async {
        tokio::select! {
            () = asked => {}
            () = keyboard::gone() => {}
        }
    });
    // The screen first: the first frame does not wait for any cluster.
    let mut terminal = Screen::take(arguments.mouse || opened.settings.mouse)?;
    let mut input = keyboard::reports();
    let mut arguments = arguments.clone();
    let mut clusters = clusters.clone();
    loop {
        let wanted = on(&opened, &arguments, &mut terminal, &mut input, now, &mut end).await?;
        // A command given at the start was for what was open then.
        arguments.command_line = None;
        match wanted {
            None => {
                drop(embedded);
                return Ok(());
            }
            Some(Opening::Demo) => {
                let (fleet, demo) = demo::embedded(&clusters).await?;
                (opened, embedded) = (demo, Some(fleet));
            }
            Some(Opening::Again) => (opened, embedded) = (opened::open(&clusters)?, None),
            Some(Opening::File(path)) => {
                clusters.kubeconfig = Some(files::from_home(&path));
                (opened, embedded) = (opened::open(&clusters)?, None);
            }
        }
    }
}

/// The screen on what is opened, on any canvas and with any input: until somebody leaves, or
/// something else is to be opened.
pub(super) async fn on(
    opened: &Opened,
    arguments: &ScreenArgs,
    canvas: &mut impl Canvas,
    input: impl Stream<Item = io::Result<Event>> + Unpin,
    clock: impl Fn() -> Time,
    end: impl Future<Output = ()>,
) -> io::Result<Option<Opening>> {
    let engine = Engine::start(opened);
    let mut ui = make_ui(opened, arguments);
    ui.tell_problems(clock());

    let (inbound, news_inbound) = mpsc::channel(NEWS);
    crash::tell(inbound.clone());
    let (runner_events, from_runner) = mpsc::channel(NEWS);
    let (onward, events) = mpsc::channel(NEWS);
    let names: Vec<Text> = opened.targets.iter().map(|t| t.info.name.clone()).collect();
    let name = move |id: ClusterId| names.get(usize::from(id.0)).cloned().unwrap_or_default();
    tokio::spawn(report_runs(from_runner, onward, inbound.clone(), opened.dirs.reports(), name));

    if let Some(kubeconfig) = &opened.kubeconfig {
        tokio::spawn(rewritten::tell(kubeconfig.clone(), inbound.clone()));
    }
    let cut_off = cut_off::runs(&opened.dirs.journal());
    if !cut_off.is_empty() {
        let _ = inbound.try_send(ui::Inbound::CutOff(cut_off));
    }
    let runner = Journal::open(&opened.dirs.journal()).map(|journal| {
        let (_, sessions) = watch::channel(engine.session_map());
        let snapshots = engine.snapshots.clone();
        Runner::start(Sessions::new(sessions), journal, Who::here(), system_clock(), snapshots, runner_events)
    });
    if let Err(fault) = &runner {
        let _ = inbound.try_send(ui::Inbound::Notice(Text::clean(&fault.to_string())));
    }
    let mut news =
        News { wanted: Vec::new(), snapshots: engine.snapshots.clone(), events, inbound: news_inbound };
    let mut acts = Acts {
        engine,
        runner,
        inbound,
        journal: opened.dirs.journal(),
        recovery: opened.dirs.recovery(),
        settings: opened.dirs.settings(),
        following: None,
    };
    if let Some(line) = &arguments.command_line {
        // A command may name clusters: they are known before any of them answers.
        let known = Arc::clone(&news.snapshots.borrow());
        ui.inbound(ui::Inbound::Snapshot(known), clock());
        news.wanted = ui.command(line, clock());
    }
    screen::run(&mut ui, canvas, input, news, &mut acts, clock, end).await
}

fn make_ui(opened: &Opened, arguments: &ScreenArgs) -> Ui {
    let mut problems = opened.problems.clone();
    let config = &opened.dirs.config;
    let (keymap, theme, wrong) = looks(opened, arguments);
    problems.extend(wrong);
    let (mut plans, wrong) = recovery::load_all(&opened.dirs.recovery());
    problems.extend(wrong);
    plans.extend(opened.recoveries.iter().cloned());
    let settings = ui::Settings {
        read_only: false,
        recoveries: Arc::new(Recoveries {
            plans: Arc::new(plans),
            drills: reports::last_drills(&opened.dirs.reports()),
        }),
        problems,
        looked_at: looked_at(opened),
        local: local_face(),
        rules: Arc::new(opened.settings.rules.clone()),
        themes: own_themes(&config.join("themes")),
    };
    Ui::new(registry::panes(), operations::ALL.to_vec(), keymap, theme, settings)
}

/// Keymap and theme, and what is wrong with their files.
pub(super) fn looks(opened: &Opened, arguments: &ScreenArgs) -> (Keymap, Theme, Vec<Problem>) {
    let settings = &opened.settings;
    let config = &opened.dirs.config;
    let name = arguments.keymap.as_deref().or(settings.keymap.as_deref()).unwrap_or("default");
    let own = |name: &str| own_file(config, "keymaps", name);
    let (keymap, mut problems) = input::load(name, &own, &input_operations());
    let name = arguments.theme.as_deref().or(settings.theme.as_deref()).unwrap_or("default");
    let own = |name: &str| own_file(config, "themes", name);
    let ascii = abilities::ascii(arguments, settings, &abilities::variable).is_some();
    let (theme, wrong) = theme::load(name, &own, abilities::depth(), ascii);
    problems.extend(wrong);
    (keymap, theme, problems)
}

/// What is wrong with any keymap or theme of the user's own, chosen or not.
pub(super) fn wrong_looks(opened: &Opened) -> Vec<Problem> {
    let (_, _, mut problems) = looks(opened, &ScreenArgs::default());
    let stems = |kind: &str| {
        let files = std::fs::read_dir(opened.dirs.config.join(kind)).into_iter().flatten().flatten();
        let named = |path: std::path::PathBuf| {
            let toml = path.extension().is_some_and(|e| e == "toml");
            path.file_stem().filter(|_| toml)?.to_str().map(str::to_owned)
        };
        files.filter_map(move |entry| named(entry.path())).collect::<Vec<_>>()
    };
    for name in stems("keymaps") {
        let arguments = ScreenArgs { keymap: Some(name), ..ScreenArgs::default() };
        problems.extend(looks(opened, &arguments).2);
    }
    for name in stems("themes") {
        let arguments = ScreenArgs { theme: Some(name), ..ScreenArgs::default() };
        problems.extend(looks(opened, &arguments).2);
    }
    let mut seen = Vec::new();
    problems.retain(|problem| {
        !seen.contains(problem) && {
            seen.push(problem.clone());
            true
        }
    });
    problems
}

/// The clock on the wall; where that is UTC there is nothing to choose.
fn local_face() -> Face {
    let zone = jiff::tz::TimeZone::system();
    let utc = zone.to_fixed_offset().is_ok_and(|offset| offset.seconds() == 0);
    if utc || zone.is_unknown() { Face::Utc } else { Face::Local(zone) }
}

/// The operations as keymaps know them.
pub(super) fn input_operations() -> Vec<input::Operation> {
    operations::ALL.iter().map(|o| input::Operation { id: o.id, key: o.key }).collect()
}

fn looked_at(opened: &Opened) -> Vec<Text> {
    let line = |l: &crate::cluster::Looked| Text::clean(&format!("{}: {}", l.place, l.found));
    opened.looked_at.iter().map(line).collect()
}

/// A keymap or theme of the user's own.
fn own_file(config: &Path, kind: &str, name: &str) -> Option<Source> {
    // A name is a name, not a path.
    if name.contains(['/', '\\']) || name.starts_with('.') {
        return None;
    }
    let path = config.join(kind).join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).ok()?;
    Some(Source { file: path.display().to_string(), text })
}

fn own_themes(folder: &Path) -> BTreeMap<String, Source> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let path = entry.path();
        let name = path.file_stem()?.to_str()?.to_owned();
        let text = std::fs::read_to_string(&path).ok()?;
        path.extension()
            .is_some_and(|e| e == "toml")
            .then(|| (name, Source { file: path.display().to_string(), text }))
    });
    named.collect()
}

/// Resolves when the system asks this process to end. It listens from this call on, not from the
/// first poll: a signal before that would end the process with the terminal still taken.
pub(super) fn asked_to_end() -> impl Future<Output = ()> {
    let signals =
        (signal(SignalKind::terminate()), signal(SignalKind::hangup()), signal(SignalKind::interrupt()));
    async {
        let (Ok(mut terminate), Ok(mut hangup), Ok(mut interrupt)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

impl Canvas for Screen {
    fn draw(&mut self, ui: &mut Ui, now: Time) -> io::Result<()> {
        Screen::draw(self, |frame| ui.draw(frame, now))
    }

    fn clear(&mut self) -> io::Result<()> {
        Screen::clear(self)
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        Screen::copy(self, text)
    }

    fn suspend(&mut self) -> io::Result<()> {
        Screen::suspend(self);
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP)?;
        // Here somebody sent SIGCONT.
        self.resume()
    }
}
