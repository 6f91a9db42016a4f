//! Overlays: what lies over the panes and takes every key while it is there.

mod arm;
mod choices;
mod command_line;
mod compare;
mod detail;
mod filter;
mod help;
mod login;
mod menu;
mod options;
mod plan;
mod run;
mod themes;

pub(super) use menu::{Item, Pick};

use arm::ArmView;
use command_line::CommandLine;
use compare::CompareView;
use detail::DetailView;
use filter::FilterLine;
use help::HelpView;
use login::LoginView;
use menu::{Asked, Menu};
use options::OptionsView;
use plan::PlanView;
use run::RunView;
use themes::ThemePicker;

use super::canvas::Canvas;
use super::screen::Ui;
use super::table::Filter;
use crate::input::{Command, Key, Mode};
use crate::model::{ClusterId, ObjectKey, Text, Time};
use crate::operations::{Control, OpId, OperationDecl, Options, Plan, Run};
use crate::views::SheetRow;

/// What becomes of an overlay after a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    Keep,
    Close,
    /// It stays, and knows nothing of that command.
    Ignored,
}

/// An overlay.
pub(super) enum Overlay {
    Plan(Box<PlanView>),
    Options(Box<OptionsView>),
    Run(RunView),
    Detail(Box<DetailView>),
    Compare(Box<CompareView>),
    Help(HelpView),
    Command(CommandLine),
    Filter(FilterLine),
    Arm(ArmView),
    Menu(Menu),
    Asked(Asked),
    Themes(Box<ThemePicker>),
    Login(LoginView),
}

impl Overlay {
    pub(super) fn plan(
        operation: OperationDecl,
        subjects: Vec<ObjectKey>,
        options: Options,
        plan: Plan,
    ) -> Overlay {
        Overlay::Plan(Box::new(PlanView::new(operation, subjects, options, plan)))
    }

    pub(super) fn run(op: OpId) -> Overlay {
        Overlay::Run(RunView::new(op))
    }

    pub(super) fn detail(ui: &mut Ui, key: &ObjectKey, command: Command, now: Time) -> Overlay {
        Overlay::Detail(Box::new(DetailView::open(ui, key, command, now)))
    }

    pub(super) fn help(ui: &Ui) -> Overlay {
        Overlay::Help(HelpView::new(ui))
    }

    pub(super) fn command_line() -> Overlay {
        Overlay::Command(CommandLine::default())
    }

    pub(super) fn filter(filter: &Filter) -> Overlay {
        Overlay::Filter(FilterLine::new(filter))
    }

    pub(super) fn arm(ui: &mut Ui, now: Time) -> Result<Overlay, Text> {
        ArmView::open(ui, now).map(Overlay::Arm)
    }

    pub(super) fn login(ui: &Ui, cluster: ClusterId) -> Overlay {
        Overlay::Login(LoginView::new(ui, cluster))
    }

    pub(super) fn themes(ui: &Ui) -> Overlay {
        Overlay::Themes(Box::new(ThemePicker::new(ui)))
    }

    pub(super) fn menu(title: &str, items: Vec<Item>) -> Overlay {
        Overlay::Menu(Menu::new(title, items))
    }

    pub(super) fn options(plan: &PlanView) -> Overlay {
        Overlay::Options(Box::new(OptionsView::new(plan)))
    }

    /// A menu that is deaf until it was seen: nobody asked for it.
    pub(super) fn question(title: &str, items: Vec<Item>) -> Overlay {
        Overlay::Menu(Menu::new(title, items).guarded())
    }

    pub(super) fn ask_replicas(
        ui: &Ui,
        operation: OperationDecl,
        subjects: Vec<ObjectKey>,
        options: Options,
    ) -> Overlay {
        Overlay::Asked(Asked::replicas(ui, operation, subjects, options))
    }

    /// The objects behind a row.
    pub(super) fn objects(ui: &Ui, row: &SheetRow, objects: &[ObjectKey]) -> Overlay {
        let name = |key: &ObjectKey| {
            let cluster = ui.snapshot().and_then(|s| s.fleet.cluster(key.cluster));
            cluster.map_or_else(String::new, |c| c.info.name.to_string())
        };
        let items = objects
            .iter()
            .map(|key| Item {
                label: format!("{:<16} {:<12} {}", name(key), key.kind.names().kind, key.path()).into(),
                why_not: None,
                pick: Pick::Object(key.clone()),
            })
            .collect();
        let what =
            row.cells.iter().map(|cell| cell.text.as_str()).max_by_key(|text| text.len()).unwrap_or("");
        Overlay::menu(&format!("{} objects · {what}", objects.len()), items)
    }

    /// How to stop a run; keeping it comes first.
    pub(super) fn stop(ui: &Ui, op: OpId) -> Overlay {
        let run = ui.runs().iter().find(|run| run.op == op);
        let drains = run.is_some_and(|run| run.plan.operation == "drain");
        let (stop, undo) = if drains {
            ("stop, leave cordoned", "stop and uncordon")
        } else {
            ("stop, what is done stays done", "stop and put back what can be")
        };
        let serves = run.is_some_and(Run::serves);
        let stop = if serves { "stop; what takes over serves on" } else { stop };
        let mut items = vec![("keep running", Pick::Nothing), (stop, Pick::Control(op, Control::Stop))];
        // What serves is not taken away again by stopping the rest.
        if !serves {
            items.push((undo, Pick::Control(op, Control::StopAndUndo)));
        }
        let items = items.into_iter().map(|(label, pick)| Item { label: label.into(), why_not: None, pick });
        let title = run.map_or_else(String::new, |run| format!("stop {}?", run.plan.title));
        Overlay::Menu(Menu::new(&title, items.collect()).guarded())
    }

    /// Whether to put back what an ended run left; leaving it comes first.
    pub(super) fn put_back(ui: &Ui, op: OpId) -> Overlay {
        let run = ui.runs().iter().find(|run| run.op == op);
        let backs: Vec<&str> = run.map_or_else(Vec::new, |run| {
            let undoable = run.plan.steps.iter().filter(|step| !step.undo.is_empty());
            undoable.map(|step| step.way_back.as_str()).take(3).collect()
        });
        let items = [
            ("leave it as it is".to_owned(), Pick::Nothing),
            (format!("put back: {}", backs.join(", ")), Pick::Control(op, Control::StopAndUndo)),
        ]
        .map(|(label, pick)| Item { label: label.into(), why_not: None, pick });
        let title = run.map_or_else(String::new, |run| format!("put back what {} did?", run.plan.title));
        Overlay::Menu(Menu::new(&title, items.into()).guarded())
    }

    pub(super) fn ask_to_leave(running: usize) -> Overlay {
        let items =
            [("stay", Pick::Nothing), ("leave; what runs here stops before its next request", Pick::Quit)]
                .map(|(label, pick)| Item { label: label.into(), why_not: None, pick });
        let what =
            if running == 1 { "1 operation runs".to_owned() } else { format!("{running} operations run") };
        Overlay::Menu(Menu::new(&format!("{what}. Leave?"), items.into()).guarded())
    }

    /// Whether it is the filter's line: the table follows what is typed there.
    pub(super) fn filters(&self) -> bool {
        matches!(self, Overlay::Filter(_))
    }

    /// Whether keys type into it.
    pub(super) fn typing(&self) -> bool {
        match self {
            Overlay::Plan(view) => view.field.is_some(),
            Overlay::Options(view) => view.field.is_some(),
            Overlay::Detail(view) => view.search.is_some(),
            Overlay::Compare(view) => view.search.is_some(),
            Overlay::Command(_) | Overlay::Filter(_) | Overlay::Arm(_) | Overlay::Asked(_) => true,
            Overlay::Run(_)
            | Overlay::Help(_)
            | Overlay::Menu(_)
            | Overlay::Themes(_)
            | Overlay::Login(_) => false,
        }
    }

    /// Whether it decides about changes and was not on screen yet: keys that come before that
    /// were typed for something else.
    pub(super) fn too_early(&self) -> bool {
        match self {
            Overlay::Plan(view) => !view.drawn,
            Overlay::Arm(view) => !view.drawn,
            Overlay::Menu(menu) => menu.guarded && !menu.drawn,
            _ => false,
        }
    }

    /// Whether something in it counts down.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Overlay::Login(_))
    }

    /// Whether it is only read: leaving it decides nothing.
    pub(super) fn reads(&self) -> bool {
        matches!(
            self,
            Overlay::Detail(_) | Overlay::Compare(_) | Overlay::Help(_) | Overlay::Login(_) | Overlay::Run(_)
        ) && !self.typing()
    }

    /// Whether it is the help.
    pub(super) fn helps(&self) -> bool {
        matches!(self, Overlay::Help(_))
    }

    /// Whether it is a plan that waits for a yes or no.
    pub(super) fn decides(&self) -> bool {
        matches!(self, Overlay::Plan(_)) && !self.typing()
    }

    /// Whether it is the question whether to leave.
    pub(super) fn asks_to_leave(&self) -> bool {
        matches!(self, Overlay::Menu(menu) if menu.leaves())
    }

    pub(super) fn mode(&self) -> Mode {
        match self {
            Overlay::Detail(_) | Overlay::Compare(_) | Overlay::Help(_) | Overlay::Login(_) => Mode::Text,
            _ => Mode::Menu,
        }
    }

    /// Whether it hides the panes; the others are lines at the bottom.
    pub(super) fn covers(&self) -> bool {
        !matches!(self, Overlay::Command(_) | Overlay::Filter(_) | Overlay::Arm(_) | Overlay::Asked(_))
    }

    pub(super) fn typed(&mut self, ui: &mut Ui, key: Key, now: Time) -> Flow {
        match self {
            Overlay::Plan(view) => view.typed(key),
            Overlay::Options(view) => view.typed(key),
            Overlay::Detail(view) => view.typed(key),
            Overlay::Compare(view) => view.typed(key),
            Overlay::Command(line) => line.typed(key),
            Overlay::Filter(line) => line.typed(ui, key),
            Overlay::Arm(view) => view.typed(key),
            Overlay::Asked(asked) => asked.typed(key),
            _ => {
                let _ = now;
                Flow::Keep
            }
        }
    }

    pub(super) fn paste(&mut self, ui: &mut Ui, text: &str, now: Time) {
        match self {
            Overlay::Command(line) => line.field.paste(text),
            Overlay::Filter(line) => line.paste(ui, text),
            Overlay::Detail(view) => {
                if let Some(field) = &mut view.search {
                    field.paste(text);
                }
            }
            Overlay::Plan(_) | Overlay::Arm(_) => ui.notice(now, "type it: what is pasted was not read"),
            _ => {}
        }
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        match self {
            Overlay::Plan(view) => view.command(ui, command, now),
            Overlay::Options(view) => view.command(ui, command, now),
            Overlay::Run(view) => view.command(ui, command, now),
            Overlay::Detail(view) => view.command(ui, command, now),
            Overlay::Compare(view) => view.command(ui, command, now),
            Overlay::Help(view) => view.command(command),
            Overlay::Command(line) => line.command(ui, command, now),
            Overlay::Filter(line) => line.command(ui, command),
            Overlay::Arm(view) => view.command(ui, command, now),
            Overlay::Menu(menu) => menu.command(ui, command, now),
            Overlay::Asked(asked) => asked.command(ui, command, now),
            Overlay::Themes(picker) => picker.command(ui, command, now),
            Overlay::Login(view) => view.command(ui, command, now),
        }
    }

    /// Draws it: on the whole room under row 1, or on the rows at the bottom.
    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>, ui: &Ui, now: Time) {
        match self {
            Overlay::Plan(view) => view.draw(canvas, ui, now),
            Overlay::Options(view) => view.draw(canvas),
            Overlay::Run(view) => view.draw(canvas, ui, now),
            Overlay::Detail(view) => view.draw(canvas, ui, now),
            Overlay::Compare(view) => view.draw(canvas),
            Overlay::Help(view) => view.draw(canvas),
            Overlay::Command(line) => line.draw(canvas, ui),
            Overlay::Filter(line) => line.draw(canvas, ui),
            Overlay::Arm(view) => view.draw(canvas),
            Overlay::Menu(menu) => menu.draw(canvas),
            Overlay::Asked(asked) => asked.draw(canvas),
            Overlay::Themes(picker) => picker.draw(canvas),
            Overlay::Login(view) => view.draw(canvas, ui, now),
        }
    }

    /// The keys that work in it, for the last row.
    pub(super) fn hints(&self) -> Vec<(Command, &'static str)> {
        match self {
            Overlay::Run(view) => view.hints(),
            Overlay::Plan(view) => view.hints(),
            Overlay::Options(view) => view.hints(),
            _ => self.fixed_hints().to_vec(),
        }
    }

    /// The keys of overlays in which always the same ones work.
    fn fixed_hints(&self) -> &'static [(Command, &'static str)] {
        use Command::{Accept, Back, Complete, Copy, Filter, Help, Lens, Open, Retry, Up};
        match self {
            Overlay::Run(_) | Overlay::Plan(_) | Overlay::Options(_) => &[],
            Overlay::Detail(_) => {
                &[(Back, "close"), (Lens, "next reading"), (Filter, "search"), (Copy, "copy"), (Help, "keys")]
            }
            Overlay::Compare(_) => &[
                (Back, "close"),
                (Command::Next, "next change"),
                (Lens, "all lines"),
                (Filter, "search"),
                (Copy, "copy"),
            ],
            Overlay::Help(_) => &[(Back, "close")],
            Overlay::Command(_) => {
                &[(Accept, "do it"), (Complete, "complete"), (Up, "earlier"), (Back, "no")]
            }
            Overlay::Filter(_) => &[(Accept, "keep"), (Complete, "complete"), (Back, "clear")],
            Overlay::Arm(_) => &[(Accept, "arm"), (Back, "no")],
            Overlay::Asked(_) => &[(Accept, "plan"), (Back, "no")],
            Overlay::Menu(_) => &[(Open, "choose"), (Back, "no")],
            Overlay::Themes(_) => &[(Open, "keep"), (Back, "restore")],
            Overlay::Login(_) => &[(Copy, "copy"), (Retry, "try again"), (Back, "close"), (Help, "keys")],
        }
    }
}
