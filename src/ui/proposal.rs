//! `:failover init`: a recovery plan proposed from what two clusters run now.

use std::sync::Arc;

use super::Effect;
use super::overlays::{Item, Overlay, Pick};
use super::screen::Ui;
use crate::model::{ClusterId, Text, Time};
use crate::operations::{RecoveryFile, recovery_proposal};

impl Ui {
    /// Proposes a recovery plan: `PRIMARY STANDBY [NAMESPACE]`, or asks for them.
    ///
    /// # Errors
    /// A name that is no cluster's, or too many words.
    pub(super) fn failover_init(&mut self, words: &str, now: Time) -> Result<(), Text> {
        let words: Vec<&str> = words.split_whitespace().collect();
        let find = |name: &str| {
            let fleet = self.newest.as_ref().map(|snapshot| &snapshot.fleet);
            let found = fleet.and_then(|fleet| fleet.by_name(name)).map(|cluster| cluster.id);
            found.ok_or_else(|| Text::from(format!("no cluster is called {name}")))
        };
        let (primary, standby, namespace) = match words[..] {
            [] => {
                self.ask_primary();
                return Ok(());
            }
            [primary] => {
                let primary = find(primary)?;
                self.ask_standby(primary, now);
                return Ok(());
            }
            [primary, standby] => (find(primary)?, find(standby)?, None),
            [primary, standby, namespace] => (find(primary)?, find(standby)?, Some(namespace)),
            _ => return Err("failover init PRIMARY STANDBY [NAMESPACE]".into()),
        };
        self.propose_recovery(primary, standby, namespace, now);
        Ok(())
    }

    fn ask_primary(&mut self) {
        let items = self.members(None, Pick::Primary);
        self.overlays.push(Overlay::menu("a recovery plan: which cluster serves now?", items));
    }

    /// Asks which cluster is to take over from this one.
    pub(super) fn ask_standby(&mut self, primary: ClusterId, now: Time) {
        let items = self.members(Some(primary), |standby| Pick::Propose(primary, standby));
        if items.is_empty() {
            return self.notice(now, "there is no other cluster that could take over");
        }
        self.overlays.push(Overlay::menu("which cluster is to take over from it?", items));
    }

    /// The clusters in scope but one; what is not known of one is why it cannot be chosen.
    fn members(&self, but: Option<ClusterId>, pick: impl Fn(ClusterId) -> Pick) -> Vec<Item> {
        let Some(snapshot) = &self.newest else { return Vec::new() };
        let others = snapshot.fleet.clusters.iter().filter(|c| Some(c.id) != but);
        others
            .map(|cluster| Item {
                label: cluster.info.name.clone(),
                why_not: (!cluster.seen()).then(|| "was never seen".into()),
                pick: pick(cluster.id),
            })
            .collect()
    }

    /// Proposes a recovery plan and has it written to a file.
    pub(super) fn propose_recovery(
        &mut self,
        primary: ClusterId,
        standby: ClusterId,
        namespace: Option<&str>,
        now: Time,
    ) {
        let Some(snapshot) = self.newest.clone() else { return };
        let (Some(from), Some(to)) = (snapshot.fleet.cluster(primary), snapshot.fleet.cluster(standby))
        else {
            return self.notice(now, "that cluster is not in the fleet any more");
        };
        if primary == standby {
            return self.notice(now, "a cluster cannot take over from itself");
        }
        match recovery_proposal(from, to, namespace) {
            Ok(text) => self.effects.push(Effect::KeepRecovery(text)),
            Err(why) => self.notice(now, why),
        }
    }

    /// Takes a recovery plan that was written.
    pub(super) fn take_recovery(&mut self, file: Arc<RecoveryFile>, path: &str, now: Time) {
        let recoveries = Arc::make_mut(&mut self.settings.recoveries);
        let plans = Arc::make_mut(&mut recoveries.plans);
        plans.retain(|plan| plan.name != file.name);
        self.runs_version += 1;
        let text = format!("recovery plan {} proposed in {path}: read it, then F drills it", file.name);
        plans.push(file);
        self.notice(now, text);
    }
}
