//! A plan on screen: read, decide, type the word. Nothing is sent before that.

mod shown;

use shown::Shown;

use super::Flow;
use crate::input::{Command, Key};
use crate::model::{ObjectKey, Text, Tier, Time, Tone};
use crate::operations::{Approval, Line, OperationDecl, Options, Permit, Plan};
use crate::theme::Role;
use crate::ui::Effect;
use crate::ui::canvas::{Canvas, cells};
use crate::ui::field::Field;
use crate::ui::screen::Ui;

/// Cells of the label column.
const LABEL: usize = 14;

/// Refusals that are shown at the foot; the others stay among the lines.
const MOST_REFUSALS: usize = 4;

/// The least room in which a plan can be read, and so confirmed.
const LEAST: (u16, u16) = (50, 9);

/// A plan and what was decided about it.
pub(in crate::ui) struct PlanView {
    pub(in crate::ui) operation: OperationDecl,
    pub(in crate::ui) subjects: Vec<ObjectKey>,
    pub(in crate::ui) options: Options,
    pub(in crate::ui) plan: Plan,
    hash: String,
    /// What the clusters say to it; `None` while they were not heard.
    checks: Option<Vec<Line>>,
    /// What changed since it was first shown.
    changed: Vec<Text>,
    /// Why it is no plan any more.
    void: Option<Text>,
    cursor: usize,
    top: usize,
    /// Whether the choice under the cursor must be seen: not once somebody scrolls past it.
    follow: bool,
    pub(super) field: Option<Field>,
    wrong: bool,
    pub(super) drawn: bool,
    /// Whether there was room to read it.
    legible: bool,
}

impl PlanView {
    pub(super) fn new(
        operation: OperationDecl,
        subjects: Vec<ObjectKey>,
        options: Options,
        plan: Plan,
    ) -> PlanView {
        let hash = plan.hash();
        PlanView {
            operation,
            subjects,
            options,
            plan,
            hash,
            checks: None,
            changed: Vec::new(),
            void: None,
            cursor: 0,
            top: 0,
            follow: true,
            field: None,
            wrong: false,
            drawn: false,
            legible: false,
        }
    }

    /// Takes what the clusters say, if it is about this plan as it is now.
    pub(in crate::ui) fn checked(&mut self, hash: &str, lines: Vec<Line>) {
        if hash == self.hash {
            self.checks = Some(lines);
        }
    }

    /// Takes the plan as the world now makes it; says whether it became another one. What was
    /// typed for the old one does not count, and keys wait until the new one was drawn.
    pub(in crate::ui) fn remade(&mut self, plan: Plan, now: Time) -> bool {
        let hash = plan.hash();
        let same = hash == self.hash;
        if !same {
            self.changed = differences(&self.plan, &plan, now);
            self.checks = None;
            self.field = None;
            self.wrong = false;
            self.drawn = false;
        }
        self.void = None;
        self.plan = plan;
        self.hash = hash;
        !same
    }

    /// The world makes this plan impossible.
    pub(in crate::ui) fn void(&mut self, why: &Text) {
        self.void = Some(why.clone());
        self.field = None;
    }

    /// Whether the clusters have not said yet if they allow it.
    fn unheard(&self) -> bool {
        self.checks.is_none()
    }

    /// Why it is refused; empty when nothing stands against it.
    fn blocks(&self) -> Vec<Text> {
        let refused = self.checks.iter().flatten().filter(|line| line.tone == Tone::Crit);
        let void = self.void.iter().cloned();
        void.chain(self.plan.refusals.iter().cloned()).chain(refused.map(|line| line.text.clone())).collect()
    }

    pub(super) fn typed(&mut self, key: Key) -> Flow {
        if let Some(field) = &mut self.field {
            self.wrong = false;
            field.key(key);
        }
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        let choices = self.plan.choices.len();
        match command {
            Command::Back if self.field.is_some() => self.field = None,
            Command::Back => {
                ui.notice(now, "left; nothing has been changed");
                return Flow::Close;
            }
            Command::Accept => return self.confirm(ui, now),
            Command::EraseWord | Command::EraseLine => {
                if let Some(field) = &mut self.field {
                    field.clear();
                }
            }
            Command::Open if !self.legible => ui.notice(now, "make the terminal larger to read this plan"),
            Command::Open if self.blocks().is_empty() && self.unheard() => {
                ui.notice(now, "the clusters have not said yet whether they allow it");
            }
            Command::Open if self.blocks().is_empty() => self.field = Some(Field::default()),
            Command::Open => ui.notice(now, "refused as it is; see the lines marked ✖"),
            Command::Down if self.cursor + 1 < choices => {
                (self.cursor, self.follow) = (self.cursor + 1, true)
            }
            Command::Up if self.cursor > 0 && choices > 0 => {
                (self.cursor, self.follow) = (self.cursor - 1, true);
            }
            Command::Down => self.scroll(self.top.saturating_add(1)),
            Command::Up => self.scroll(self.top.saturating_sub(1)),
            Command::HalfDown | Command::PageDown => self.scroll(self.top.saturating_add(10)),
            Command::HalfUp | Command::PageUp => self.scroll(self.top.saturating_sub(10)),
            Command::Top => self.scroll(0),
            Command::Bottom => self.scroll(usize::MAX),
            Command::Mark => self.choose(ui, now),
            Command::Options if self.operation.id == "drain" => {
                let overlay = super::Overlay::options(self);
                ui.overlays.push(overlay);
            }
            Command::Options => ui.notice(now, format!("{} has no options", self.operation.id)),
            Command::Copy => {
                ui.effects.push(Effect::Copy(self.plan.kubectl.join("\n")));
                ui.notice(now, "kubectl commands sent to the terminal's clipboard");
            }
            _ => return Flow::Ignored,
        }
        Flow::Keep
    }

    fn scroll(&mut self, top: usize) {
        (self.top, self.follow) = (top, false);
    }

    /// Whether it cannot be confirmed as it is.
    pub(super) fn blocked(&self) -> bool {
        self.unheard() || !self.blocks().is_empty()
    }

    /// The keys that work now.
    pub(super) fn hints(&self) -> Vec<(Command, &'static str)> {
        use Command::{Accept, Back, Copy, Help, Mark, Open};
        if self.field.is_some() {
            return vec![(Accept, "run it"), (Back, "no")];
        }
        let mut hints = Vec::new();
        if !self.blocked() {
            hints.push((Open, "confirm"));
        }
        if !self.plan.choices.is_empty() {
            hints.push((Mark, "choose"));
        }
        if self.operation.id == "drain" {
            hints.push((Command::Options, "options"));
        }
        hints.extend([(Copy, "copy kubectl"), (Back, "leave, nothing happens"), (Help, "keys")]);
        hints
    }

    /// Takes what somebody decided: the plan is made again with it.
    pub(in crate::ui) fn decided(&mut self, options: Options, plan: Plan, now: Time) -> bool {
        self.options = options;
        let other = self.remade(plan, now);
        if other {
            self.changed.clear();
        }
        other
    }

    /// The next answer of the choice under the cursor; the plan is made again with it.
    fn choose(&mut self, ui: &mut Ui, now: Time) {
        let Some(choice) = self.plan.choices.get(self.cursor) else { return };
        let next = (choice.chosen + 1) % choice.answers.len().max(1);
        let mut options = self.options.clone();
        options.answers.insert(choice.id.clone(), next);
        match ui.plan(&self.operation, &self.subjects, &options, now) {
            Ok(plan) => {
                if self.decided(options, plan, now) {
                    // This is what was asked for, so the next key is meant for it.
                    self.drawn = true;
                    ui.effects.push(Effect::Check(Box::new(self.plan.clone())));
                }
            }
            Err(why) => ui.notice(now, why),
        }
    }

    /// Runs the plan if the word was typed; that arms its clusters.
    fn confirm(&mut self, ui: &mut Ui, now: Time) -> Flow {
        let Some(field) = &self.field else { return Flow::Keep };
        let word = self.plan.confirmation.word.clone();
        if !self.legible || word.is_empty() || field.text() != word.as_str() || self.blocked() {
            self.wrong = true;
            return Flow::Keep;
        }
        if !self.holds(ui, now) {
            return Flow::Keep;
        }
        for id in &self.plan.touches {
            ui.arming.arm(*id, now);
        }
        let permit = Permit {
            plan: self.hash.clone(),
            clusters: self.plan.touches.clone(),
            approval: Approval::Word(word.to_string()),
        };
        if let Some(run) = &self.options.unfinished {
            ui.taken_up.push((self.hash.clone(), run.seq));
        }
        ui.awaited = Some(self.hash.clone());
        ui.marks.clear();
        ui.effects.push(Effect::Run(Box::new(self.plan.clone()), permit));
        Flow::Close
    }

    /// Whether the world would make the same plan now: time goes by, links break and other runs begin
    /// without anything that it rests on changing. If not, it is made again and must be read again.
    fn holds(&mut self, ui: &mut Ui, now: Time) -> bool {
        let made = ui.plan(&self.operation, &self.subjects, &self.options, now);
        match made {
            Ok(plan) => {
                let refused = !plan.refusals.is_empty();
                if self.remade(plan, now) {
                    ui.effects.push(Effect::Check(Box::new(self.plan.clone())));
                } else if !refused {
                    return true;
                }
                self.field = None;
                ui.notice(now, "the plan was made again: read it before you confirm it");
            }
            Err(why) => self.void(&why),
        }
        false
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>, ui: &Ui, now: Time) {
        self.drawn = true;
        self.legible = canvas.width() >= LEAST.0 && canvas.height() >= LEAST.1;
        if !self.legible {
            canvas.pieces(0, 0, &[("make the terminal larger to read this plan", Role::Warn)]);
            return;
        }
        self.title(canvas, ui);
        let blocks = self.blocks();
        let width = usize::from(canvas.width());
        let mut said = self.foot_lines(ui, &blocks, width, now);
        // What to do stands last and stays; the plan itself keeps half of the screen.
        said.drain(..said.len().saturating_sub(usize::from(canvas.height() / 2)));
        let foot = cells(said.len()) + 2;
        let room = canvas.height().saturating_sub(2 + foot);
        if let Some((first, others)) = self.changed.split_first() {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            canvas.pieces(1, 1, &[("made again: ", Role::Warn), (first, Role::Text), (&more, Role::TextDim)]);
        }
        let lines: Vec<Shown> =
            self.lines(width, &blocks).iter().flat_map(|l| l.wrapped(width.saturating_sub(2))).collect();
        self.top = self.top.min(lines.len().saturating_sub(usize::from(room)));
        let chosen = lines.iter().position(|line| line.choice == Some(self.cursor));
        if let Some(at) = chosen.filter(|_| self.follow) {
            let page = usize::from(room).max(1);
            self.top = self.top.min(at).max((at + 1).saturating_sub(page));
        }
        for (row, line) in lines.iter().skip(self.top).take(usize::from(room)).enumerate() {
            let y = cells(row) + 2;
            canvas.pieces(1, y, &line.pieces());
            if line.choice == Some(self.cursor) {
                canvas.pieces(0, y, &[("▸", Role::Text)]);
                let style = canvas.role(Role::Select);
                let width = canvas.width();
                canvas.restyle(0, y, width, style);
            }
        }
        if lines.len() > usize::from(room) {
            let text =
                format!(" {} of {} lines", (self.top + usize::from(room)).min(lines.len()), lines.len());
            let x = canvas.width().saturating_sub(cells(text.len()) + 1);
            canvas.pieces(x, 1, &[(&text, Role::TextDim)]);
        }
        let height = canvas.height();
        self.foot(&mut canvas.below(height.saturating_sub(foot)), &said, now);
    }

    fn title(&self, canvas: &mut Canvas<'_>, ui: &Ui) {
        let word = if self.plan.drill { " PLAN DRILL  " } else { " PLAN  " };
        let mut x = canvas.pieces(0, 0, &[(word, Role::Title), (&self.plan.title, Role::TextStrong)]);
        for id in &self.plan.touches {
            let cluster = ui.newest.as_ref().and_then(|s| s.fleet.cluster(*id));
            let Some(cluster) = cluster else { continue };
            let badge = format!("[{}]", cluster.info.tier.name().to_uppercase());
            let role = if cluster.info.tier == Tier::Prod { Role::TierProd } else { Role::TierOther };
            x = canvas.pieces(
                x,
                0,
                &[
                    (" · ", Role::TextDim),
                    (&cluster.info.name, Role::Text),
                    (" ", Role::Text),
                    (&badge, role),
                ],
            );
        }
        let end = if self.plan.drill { " · no traffic moves" } else { " · nothing has been changed yet" };
        canvas.pieces(x, 0, &[(end, Role::TextDim)]);
    }

    /// Why it is refused, as far as no choice says that, and what to do now.
    fn foot_lines(&self, ui: &Ui, blocks: &[Text], width: usize, now: Time) -> Vec<Shown> {
        let chosen = |why: &&Text| self.plan.choices.iter().any(|choice| choice.text == **why);
        let own = blocks.iter().filter(|why| !chosen(why)).take(MOST_REFUSALS);
        let mut said: Vec<Shown> =
            own.map(|why| Shown::of(&[(" ✖ ", Role::Crit), (why, Role::Text)])).collect();
        let word = &self.plan.confirmation.word;
        let unarmed: Vec<_> =
            self.plan.touches.iter().filter(|id| ui.arming.left(**id, now).is_none()).collect();
        let arming = if unarmed.is_empty() { "" } else { "This also arms what it writes to, for 15 min. " };
        let text = match (&self.field, blocks.is_empty(), self.wrong) {
            (_, false, _) if blocks.iter().any(|why| chosen(&why)) => {
                " refused as it is, until you choose otherwise; esc leaves".to_owned()
            }
            (_, false, _) => " refused as it is; esc leaves".to_owned(),
            _ if self.unheard() => {
                " the clusters have not said yet whether they allow it; esc leaves".to_owned()
            }
            (None, ..) => format!(" {arming}To run it: enter, type {word}, enter."),
            (Some(_), _, false) => format!(" {arming}Type {word} to run it."),
            (Some(_), _, true) => format!(" That is not it. Type {word} to run it, esc to leave."),
        };
        said.push(Shown::of(&[
            (" ", Role::Text),
            (text.trim_start(), if self.wrong { Role::Warn } else { Role::Text }),
        ]));
        said.iter().flat_map(|line| line.wrapped(width)).collect()
    }

    fn foot(&self, canvas: &mut Canvas<'_>, said: &[Shown], now: Time) {
        for (at, line) in said.iter().enumerate() {
            canvas.pieces(0, cells(at), &line.pieces());
        }
        let y = cells(said.len());
        if let Some(field) = &self.field {
            field.draw(canvas, y, " > ");
        }
        let hash = self.hash.get(..8).unwrap_or(&self.hash);
        let made = format!(
            " plan {hash}, made {} ago; made again if what it rests on changes",
            self.plan.made.age(now)
        );
        canvas.pieces(0, y + 1, &[(&made, Role::TextDim)]);
    }

    fn lines(&self, width: usize, blocks: &[Text]) -> Vec<Shown> {
        // What the foot or a choice says is not said again.
        let in_choice = |text: &Text| self.plan.choices.iter().any(|choice| choice.text == *text);
        let in_foot = |text: &Text| {
            blocks.iter().filter(|why| !in_choice(why)).take(MOST_REFUSALS).any(|why| why == text)
        };
        let new = |line: &&Line| !in_foot(&line.text) && !in_choice(&line.text);
        let checks = self.checks.iter().flatten().filter(new);
        let mut lines: Vec<Shown> = self.plan.preview.iter().filter(new).map(Shown::line).collect();
        for (index, choice) in self.plan.choices.iter().enumerate() {
            let answers: String = choice
                .answers
                .iter()
                .enumerate()
                .map(|(at, answer)| format!("  [{}] {answer}", if at == choice.chosen { "x" } else { " " }))
                .collect();
            let label = format!("{:<LABEL$}", "your choice");
            let mut shown =
                Shown::of(&[(&label, Role::Key), (&choice.text, Role::Text), (&answers, Role::TextStrong)]);
            shown.choice = Some(index);
            lines.push(shown);
        }
        lines.push(Shown::default());
        let way = width / 2 + 6;
        lines.push(Shown::of(&[(&format!("{:<way$}way back", "steps"), Role::TextDim)]));
        for (index, step) in self.plan.steps.iter().enumerate() {
            let number = format!("{:>2}  ", index + 1);
            let back = if step.way_back.is_empty() { "none" } else { &step.way_back };
            // A long title takes the place that it needs, over the column of the way back.
            let pad = way.saturating_sub(number.chars().count() + step.title.chars().count()).max(2);
            lines.push(Shown::of(&[
                (&number, Role::Text),
                (&step.title, Role::Text),
                (&" ".repeat(pad), Role::Text),
                (back, Role::TextDim),
            ]));
        }
        lines.push(Shown::default());
        match &self.checks {
            None => lines.push(Shown::of(&[
                (&format!("{:<LABEL$}", "allowed"), Role::TextDim),
                ("… asking the clusters", Role::Moving),
            ])),
            Some(_) => lines.extend(checks.map(Shown::line)),
        }
        for command in &self.plan.kubectl {
            lines.push(Shown::of(&[(&format!("{:<LABEL$}", "like"), Role::TextDim), (command, Role::Text)]));
        }
        if !self.plan.objects.is_empty() {
            lines.push(Shown::default());
            lines.push(Shown::of(&[("one by one", Role::TextDim)]));
            lines.extend(self.plan.objects.iter().map(Shown::line));
        }
        lines
    }
}

/// What is said otherwise in the newer plan, and when that was noticed.
fn differences(old: &Plan, new: &Plan, now: Time) -> Vec<Text> {
    let said = |plan: &Plan| -> Vec<(Text, String)> {
        let preview = plan.preview.iter().map(|line| {
            let count = line.count.map_or_else(String::new, |n| format!("{n} "));
            (line.label.clone(), format!("{count}{}", line.text))
        });
        let refusals = plan.refusals.iter().map(|text| ("refused".into(), text.to_string()));
        let steps = plan.steps.iter().map(|step| ("step".into(), step.title.to_string()));
        preview.chain(refusals).chain(steps).collect()
    };
    let (before, after) = (said(old), said(new));
    let clock = now.clock();
    let new_lines = after.iter().filter(|line| !before.contains(line));
    let mut out: Vec<Text> =
        new_lines.map(|(label, text)| Text::from(format!("{clock} {label}: {text}"))).take(4).collect();
    for (label, text) in before.iter().filter(|line| !after.contains(line)).take(4) {
        if !out.iter().any(|line| line.contains(&format!("{label}:"))) {
            out.push(Text::from(format!("{clock} no longer: {label} {text}")));
        }
    }
    if out.is_empty() {
        out.push(Text::from(format!("{clock} an object that it rests on changed")));
    }
    out
}
