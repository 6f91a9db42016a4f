//! How a drain is carried out: grace period, timeout, how many at once, which pods. Each change
//! makes the plan again.

use super::Flow;
use super::plan::PlanView;
use crate::input::{Command, Key};
use crate::model::{Span, Text, Time};
use crate::operations::{Choice, Options};
use crate::theme::Role;
use crate::ui::canvas::{Canvas, cells};
use crate::ui::field::Field;
use crate::ui::screen::Ui;

/// What is typed; the plan's choices follow.
const TYPED: [Typed; 4] = [Typed::Grace, Typed::Timeout, Typed::AtOnce, Typed::Selector];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Typed {
    Grace,
    Timeout,
    AtOnce,
    Selector,
}

/// The options of the plan under it.
pub(in crate::ui) struct OptionsView {
    options: Options,
    choices: Vec<Choice>,
    cursor: usize,
    pub(super) field: Option<Field>,
    error: Text,
}

impl Typed {
    const fn label(self) -> &'static str {
        match self {
            Typed::Grace => "grace period",
            Typed::Timeout => "timeout per node",
            Typed::AtOnce => "pods at once",
            Typed::Selector => "only pods with",
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Typed::Grace => {
                "seconds until a pod is killed, instead of its own; 0 kills at once; empty: its own"
            }
            Typed::Timeout => "how long emptying one node may take: 90s, 30m, 1h; 0 is no limit; empty: 30m",
            Typed::AtOnce => {
                "how many pods of a node may be on their way out at a time; empty: as budgets let"
            }
            Typed::Selector => "labels: app=pay,tier!=web; empty: every pod",
        }
    }

    fn value(self, options: &Options) -> String {
        match self {
            Typed::Grace => options.grace.map(|seconds| seconds.to_string()),
            Typed::Timeout => options.timeout.map(|span| match span {
                Span::ZERO => "0".to_owned(),
                span => span.to_string(),
            }),
            Typed::AtOnce => options.at_once.map(|number| number.to_string()),
            Typed::Selector => (!options.pod_selector.is_empty()).then(|| options.pod_selector.to_string()),
        }
        .unwrap_or_default()
    }

    const fn unset(self) -> &'static str {
        match self {
            Typed::Grace => "each pod's own",
            Typed::Timeout => "30m",
            Typed::AtOnce => "as budgets let",
            Typed::Selector => "every pod",
        }
    }

    /// The options with what was typed.
    fn set(self, typed: &str, options: &Options) -> Result<Options, Text> {
        let mut options = options.clone();
        let number = |what: &str| {
            let read = typed.parse::<u32>().map(Some);
            read.map_err(|_| Text::from(format!("{typed:?} is no {what}; type a whole number, or nothing")))
        };
        let empty = typed.is_empty();
        match self {
            Typed::Grace => options.grace = if empty { None } else { number("number of seconds")? },
            Typed::AtOnce if empty => options.at_once = None,
            Typed::AtOnce => {
                options.at_once = number("number of pods")?;
                if options.at_once == Some(0) {
                    return Err("with no pod at once none would ever go".into());
                }
            }
            Typed::Timeout if empty => options.timeout = None,
            Typed::Timeout => {
                let span = if typed == "0" { Some(Span::ZERO) } else { Span::parse(typed) };
                let span = span.filter(|span| *span >= Span::ZERO);
                let wrong = || Text::from(format!("{typed:?} is no time; type 90s, 30m or 1h"));
                options.timeout = Some(span.ok_or_else(wrong)?);
            }
            Typed::Selector => {
                if !empty {
                    crate::operations::parse_selector(typed)?;
                }
                options.pod_selector = Text::clean(typed);
            }
        }
        Ok(options)
    }
}

impl OptionsView {
    pub(super) fn new(plan: &PlanView) -> OptionsView {
        OptionsView {
            options: plan.options.clone(),
            choices: plan.plan.choices.clone(),
            cursor: 0,
            field: None,
            error: Text::EMPTY,
        }
    }

    pub(super) fn typed(&mut self, key: Key) -> Flow {
        self.error = Text::EMPTY;
        if let Some(field) = &mut self.field {
            field.key(key);
        }
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        let last = TYPED.len() + self.choices.len() - 1;
        match command {
            Command::Back if self.field.is_some() => self.field = None,
            Command::Back => return Flow::Close,
            Command::Accept => self.accept(ui, now),
            Command::EraseWord | Command::EraseLine => {
                if let Some(field) = &mut self.field {
                    field.clear();
                }
            }
            Command::Down => self.cursor = (self.cursor + 1).min(last),
            Command::Up => self.cursor = self.cursor.saturating_sub(1),
            Command::Top => self.cursor = 0,
            Command::Bottom => self.cursor = last,
            Command::Open | Command::Mark => self.open(ui, now),
            _ if self.field.is_none() => return Flow::Ignored,
            _ => {}
        }
        Flow::Keep
    }

    fn open(&mut self, ui: &mut Ui, now: Time) {
        self.error = Text::EMPTY;
        if let Some(typed) = TYPED.get(self.cursor) {
            self.field = Some(Field::with(&typed.value(&self.options)));
        } else if let Some(choice) = self.choices.get(self.cursor - TYPED.len()) {
            let mut options = self.options.clone();
            let next = (choice.chosen + 1) % choice.answers.len().max(1);
            options.answers.insert(choice.id.clone(), next);
            self.take(ui, options, now);
        }
    }

    fn accept(&mut self, ui: &mut Ui, now: Time) {
        let (Some(typed), Some(field)) = (TYPED.get(self.cursor), &self.field) else { return };
        match typed.set(field.text().trim(), &self.options) {
            Ok(options) => self.take(ui, options, now),
            Err(why) => self.error = why,
        }
    }

    /// Makes the plan again with these; it stays as it was when there is none with them.
    fn take(&mut self, ui: &mut Ui, options: Options, now: Time) {
        match ui.replan(options.clone(), now) {
            Ok(choices) => {
                (self.options, self.choices, self.field) = (options, choices, None);
                let last = TYPED.len() + self.choices.len() - 1;
                self.cursor = self.cursor.min(last);
            }
            Err(why) => self.error = why,
        }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        canvas.pieces(1, 0, &[("OPTIONS  ", Role::Title), ("of this drain", Role::TextStrong)]);
        let note = " · each change makes the plan again";
        canvas.pieces(24, 0, &[(note, Role::TextDim)]);
        for (at, typed) in TYPED.into_iter().enumerate() {
            let y = cells(at) + 2;
            let value = typed.value(&self.options);
            let (value, role) = match value.is_empty() {
                true => (typed.unset().to_owned(), Role::TextDim),
                false => (value, Role::TextStrong),
            };
            let label = format!("{:<18}", typed.label());
            canvas.pieces(
                1,
                y,
                &[(&label, Role::Text), (&format!("{value:<16}"), role), (typed.meaning(), Role::TextDim)],
            );
            self.mark(canvas, at, y);
        }
        for (at, choice) in self.choices.iter().enumerate() {
            let y = cells(at + TYPED.len()) + 3;
            let answers = choice.answers.iter().enumerate();
            let answers: String = answers
                .map(|(n, answer)| format!("[{}] {answer}  ", if n == choice.chosen { "x" } else { " " }))
                .collect();
            canvas.pieces(1, y, &[(&answers, Role::TextStrong), (&choice.text, Role::Text)]);
            self.mark(canvas, at + TYPED.len(), y);
        }
        let last = canvas.height().saturating_sub(1);
        if !self.error.is_empty() {
            canvas.pieces(1, last.saturating_sub(1), &[(&self.error, Role::Warn)]);
        }
        if let (Some(field), Some(typed)) = (&self.field, TYPED.get(self.cursor)) {
            field.draw(canvas, last, &format!(" {}: ", typed.label()));
        }
    }

    fn mark(&self, canvas: &mut Canvas<'_>, at: usize, y: u16) {
        if at == self.cursor {
            canvas.pieces(0, y, &[("▸", Role::Text)]);
            let (style, width) = (canvas.role(Role::Select), canvas.width());
            canvas.restyle(0, y, width, style);
        }
    }

    /// The keys that work now.
    pub(super) fn hints(&self) -> Vec<(Command, &'static str)> {
        match self.field {
            Some(_) => vec![(Command::Accept, "take it"), (Command::Back, "no")],
            None => {
                vec![(Command::Open, "change"), (Command::Back, "back to the plan"), (Command::Help, "keys")]
            }
        }
    }
}
