//! Verbs: from a row or marks to a plan on screen, or to why there is none.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Effect;
use super::overlays::{Item, Overlay, Pick};
use super::screen::Ui;
use crate::model::{Kind, ObjectKey, Text, Time, Uid, Version};
use crate::operations::{Choice, OperationDecl, Options, Plan, PlanInput, RecoveryWish, Way};
use crate::views::Snapshot;

impl Ui {
    pub(super) fn operation(&self, id: &str) -> Option<OperationDecl> {
        self.operations.iter().find(|operation| operation.id == id).copied()
    }

    /// What a verb takes: the marks, else the cursor's row; only the kinds that it acts on.
    fn subjects(&self, operation: &OperationDecl) -> Result<Vec<ObjectKey>, Text> {
        if operation.applies_to.is_empty() {
            return Ok(Vec::new());
        }
        let table = self.tables.get(self.active);
        if self.marks.is_empty() && table.is_some_and(|t| t.on_ghost()) {
            return Err("gone: it takes no verb".into());
        }
        let row = table.and_then(|t| t.current());
        if self.marks.is_empty() && row.is_none() {
            return Err("no row here".into());
        }
        let behind: Vec<&ObjectKey> = if self.marks.is_empty() {
            row.iter().flat_map(|row| &row.objects).collect()
        } else {
            self.marks.values().flatten().collect()
        };
        let fits = |key: &&ObjectKey| operation.applies_to.contains(&key.kind);
        let own = |key: &&ObjectKey| match fits(key) {
            true => Some((*key).clone()),
            false => self.stands_for(key).filter(|key| fits(&key)),
        };
        let mut fitting: Vec<ObjectKey> = behind.iter().filter_map(own).collect();
        fitting.sort_unstable();
        fitting.dedup();
        if !fitting.is_empty() {
            return Ok(fitting);
        }
        let mut wants: Vec<&str> = operation.applies_to.iter().map(|kind| kind.names().plural).collect();
        if wants.len() > 3 {
            wants.truncate(3);
            wants.push("…");
        }
        let has = behind.first().map_or("none of them", |key| key.kind.names().plural);
        Err(Text::from(format!("{} acts on {}; here are {has}", operation.id, wants.join(", "))))
    }

    /// The workload that a row of a pod or of a ReplicaSet stands for.
    fn stands_for(&self, key: &ObjectKey) -> Option<ObjectKey> {
        let cluster = self.newest.as_ref()?.fleet.cluster(key.cluster)?;
        let record = cluster.find(key.kind, &key.namespace, &key.name)?;
        let owner = match record.pod() {
            Some(pod) => pod.workload()?,
            None => {
                let owner = record.meta().owner.as_deref()?;
                (Kind::by_kind(&owner.kind)?, owner.name.clone())
            }
        };
        let found = cluster.find(owner.0, &key.namespace, &owner.1)?;
        // A ReplicaSet whose name does not tell its Deployment's still says who owns it.
        match found.meta().owner.as_deref().filter(|_| owner.0 == Kind::ReplicaSet) {
            Some(above) => {
                let kind = Kind::by_kind(&above.kind)?;
                Some(cluster.find(kind, &key.namespace, &above.name)?.key(cluster.id))
            }
            None => Some(found.key(cluster.id)),
        }
    }

    /// Why no verb works now at all.
    pub(super) fn held_back(&self) -> Option<Text> {
        if self.settings.read_only {
            Some("started read-only: nothing can be changed".into())
        } else if self.frozen.is_some() {
            Some("frozen: z first".into())
        } else {
            None
        }
    }

    /// Opens the plan of an operation on what is chosen, or says why not.
    pub(super) fn open_plan(&mut self, id: &str, now: Time) {
        let Some(operation) = self.operation(id) else { return };
        if let Some(why) = self.held_back() {
            return self.notice(now, why);
        }
        match self.subjects(&operation) {
            Ok(subjects) => self.plan_on(operation, subjects, now),
            Err(why) => self.notice(now, why),
        }
    }

    /// Opens the plan of an operation on these objects; asks first for what it has to know.
    pub(super) fn plan_on(&mut self, operation: OperationDecl, subjects: Vec<ObjectKey>, now: Time) {
        if let Some(why) = self.held_back() {
            return self.notice(now, why);
        }
        if operation.applies_to.is_empty() {
            return self.choose_recovery(operation, now);
        }
        let options = self.options(now);
        if operation.id == "scale" {
            let overlay = Overlay::ask_replicas(self, operation, subjects, options);
            return self.overlays.push(overlay);
        }
        self.plan_with(operation, subjects, options, now);
    }

    pub(super) fn options(&self, now: Time) -> Options {
        Options {
            asked: Some(now),
            recovery_plans: self.settings.recoveries.plans.clone(),
            rules: self.settings.rules.clone(),
            ..Options::default()
        }
    }

    /// Opens the plan, or says why there is none.
    pub(super) fn plan_with(
        &mut self,
        operation: OperationDecl,
        subjects: Vec<ObjectKey>,
        options: Options,
        now: Time,
    ) {
        match self.plan(&operation, &subjects, &options, now) {
            Ok(plan) => {
                self.effects.push(Effect::Check(Box::new(plan.clone())));
                self.overlays.push(Overlay::plan(operation, subjects, options, plan));
            }
            Err(why) => self.notice(now, format!("{}: {why}", operation.id)),
        }
    }

    /// Makes a plan from the newest state.
    pub(super) fn plan(
        &self,
        operation: &OperationDecl,
        subjects: &[ObjectKey],
        options: &Options,
        now: Time,
    ) -> Result<Plan, Text> {
        let Some(snapshot) = &self.newest else { return Err("no cluster was seen yet".into()) };
        let running = self.runs.iter().filter(|run| run.ended.is_none()).map(|run| run.plan.clone());
        let elsewhere = Arc::clone(&self.elsewhere);
        let options = &Options { under_way: Arc::new(running.collect()), elsewhere, ..options.clone() };
        operation.plan(&PlanInput { snapshot, subjects, options, now })
    }

    /// Makes the plan on screen again with these options, and says what there is to choose then.
    pub(super) fn replan(&mut self, options: Options, now: Time) -> Result<Vec<Choice>, Text> {
        let plan = |overlay: &Overlay| matches!(overlay, Overlay::Plan(_));
        let at = self.overlays.iter().rposition(plan).ok_or("there is no plan on screen")?;
        let Some(Overlay::Plan(view)) = self.overlays.get(at) else { return Ok(Vec::new()) };
        let made = self.plan(&view.operation, &view.subjects, &options, now)?;
        let Some(Overlay::Plan(view)) = self.overlays.get_mut(at) else { return Ok(Vec::new()) };
        let other = view.decided(options, made, now);
        let (plan, choices) = (view.plan.clone(), view.plan.choices.clone());
        if other {
            self.effects.push(Effect::Check(Box::new(plan)));
        }
        Ok(choices)
    }

    /// Recovery plans and ways, the harmless way first.
    fn choose_recovery(&mut self, operation: OperationDecl, now: Time) {
        let plans = self.settings.recoveries.plans.clone();
        if plans.is_empty() {
            return self.notice(now, "no recovery plan: :failover init proposes one from what runs now");
        }
        let mut items = Vec::new();
        for (way, word) in [(Way::Drill, "drill"), (Way::Run, "fail over"), (Way::Back, "return")] {
            for file in plans.iter() {
                let (from, to) = match way {
                    Way::Back => (&file.standby, &file.primary),
                    _ => (&file.primary, &file.standby),
                };
                let label = format!("{word} {} · {from} → {to}", file.name);
                let options =
                    Options { recovery: Some(RecoveryWish { file: file.clone(), way }), ..self.options(now) };
                items.push(Item {
                    label: label.into(),
                    why_not: None,
                    pick: Pick::Plan(operation, Box::new(options)),
                });
            }
        }
        self.overlays.push(Overlay::menu("which recovery plan, which way", items));
    }

    /// Lists every operation, each with its key and why it cannot run here.
    pub(super) fn open_actions(&mut self, now: Time) {
        let items = self
            .operations
            .iter()
            .map(|operation| {
                let why_not = self.why_not(operation, now);
                let label = format!("{}  {:<10} {}", operation.key, operation.id, operation.title);
                Item { label: label.into(), why_not, pick: Pick::Operation(operation.id) }
            })
            .collect();
        let title = match self.marks.len() {
            0 => "actions on the cursor's row".to_owned(),
            _ => format!("actions on {}", self.marks_text()),
        };
        self.overlays.push(Overlay::menu(&title, items));
    }

    fn why_not(&self, operation: &OperationDecl, now: Time) -> Option<Text> {
        if let Some(why) = self.held_back() {
            return Some(why);
        }
        if operation.applies_to.is_empty() {
            return self
                .settings
                .recoveries
                .plans
                .is_empty()
                .then(|| "no recovery plan; :failover init proposes one".into());
        }
        let subjects = match self.subjects(operation) {
            Ok(subjects) => subjects,
            Err(why) => return Some(why),
        };
        if operation.id == "scale" {
            return None;
        }
        self.plan(operation, &subjects, &self.options(now), now).err()
    }

    /// Makes the plan on screen again if something that it rests on changed, or while it is refused:
    /// what stands against it may have gone.
    pub(super) fn remake_plan(&mut self, now: Time) {
        let Some(snapshot) = self.newest.clone() else { return };
        let Some(at) = self.overlays.iter().position(|overlay| matches!(overlay, Overlay::Plan(_))) else {
            return;
        };
        let Some(Overlay::Plan(view)) = self.overlays.get(at) else { return };
        if view.plan.refusals.is_empty() && unchanged(&snapshot, &view.plan.rests_on) {
            return;
        }
        let made = self.plan(&view.operation, &view.subjects, &view.options, now);
        let Some(Overlay::Plan(view)) = self.overlays.get_mut(at) else { return };
        match made {
            Ok(plan) => {
                if view.remade(plan, now) {
                    self.effects.push(Effect::Check(Box::new(view.plan.clone())));
                }
            }
            Err(why) => view.void(&why),
        }
    }

    /// Objects of a kind that are called so, in scope.
    pub(super) fn named(&self, kinds: &[Kind], name: &str) -> Vec<ObjectKey> {
        let (namespace, name) = name.split_once('/').map_or((None, name), |(ns, name)| (Some(ns), name));
        let Some(snapshot) = &self.newest else { return Vec::new() };
        let clusters = snapshot.fleet.clusters.iter().filter(|c| self.scope.holds(c));
        clusters
            .flat_map(|cluster| {
                kinds.iter().flat_map(|kind| cluster.records(*kind)).filter_map(|record| {
                    let meta = record.meta();
                    let is = meta.name == name && namespace.is_none_or(|ns| meta.namespace == ns);
                    let held =
                        !record.kind().names().namespaced || self.scope.holds_namespace(&meta.namespace);
                    (is && held).then(|| record.key(cluster.id))
                })
            })
            .collect()
    }
}

/// Whether every object that a plan rests on is as it was. One pass over the tables in question.
fn unchanged(snapshot: &Snapshot, rests_on: &[(ObjectKey, Version)]) -> bool {
    let mut wanted: FxHashMap<Uid, Version> =
        rests_on.iter().map(|(key, version)| (key.uid, *version)).collect();
    let mut tables: Vec<_> = rests_on.iter().map(|(key, _)| (key.cluster, key.kind)).collect();
    tables.sort_unstable();
    tables.dedup();
    for (cluster, kind) in tables {
        let Some(cluster) = snapshot.fleet.cluster(cluster) else { return false };
        for record in cluster.records(kind) {
            if let Some(version) = wanted.remove(&record.meta().uid)
                && version != record.meta().version
            {
                return false;
            }
        }
    }
    wanted.is_empty()
}
