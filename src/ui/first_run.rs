//! The screen without any cluster: what was looked at, and what to do.

use super::canvas::{Canvas, cells};
use super::screen::Ui;
use super::{Effect, Opening};
use crate::input::Command;
use crate::model::Text;
use crate::theme::Role;

/// What writes an entry into a kubeconfig.
const WAYS: [&str; 4] = [
    "aws eks update-kubeconfig --name NAME",
    "gcloud container clusters get-credentials NAME",
    "az aks get-credentials --name NAME --resource-group GROUP",
    "kubectl config set-cluster NAME --server https://…",
];

impl Ui {
    /// Whether there is nothing to show at all: not one cluster is known.
    pub(super) fn without_clusters(&self) -> bool {
        self.newest.as_ref().is_some_and(|snapshot| snapshot.fleet.clusters.is_empty())
    }

    /// Takes the commands that mean something else here; says whether it did.
    pub(super) fn run_first(&mut self, command: Command) -> bool {
        let opening = match command {
            Command::Open => Opening::Demo,
            Command::Retry => Opening::Again,
            _ => return false,
        };
        self.effects.push(Effect::Open(opening));
        true
    }

    /// Opens a kubeconfig file in place of what is open; without a name the one that was open, as it is now.
    pub(super) fn open_file(&mut self, path: &str) -> Result<(), Text> {
        if self.running() > 0 {
            return Err("an operation runs: stop it or wait for it before other clusters are opened".into());
        }
        let opening = if path.is_empty() { Opening::Again } else { Opening::File(path.to_owned()) };
        self.effects.push(Effect::Open(opening));
        Ok(())
    }

    pub(super) fn first_run(&self, canvas: &mut Canvas<'_>) {
        let modes = self.modes();
        let key = |command| self.keymap.key_of(command, &modes).unwrap_or_default();
        canvas.pieces(1, 2, &[("No clusters yet. Looked at", Role::TextStrong)]);
        let mut y = 3;
        for line in &self.settings.looked_at {
            canvas.pieces(3, y, &[(line, Role::Text)]);
            y += 1;
        }
        let (open, again, line) = (key(Command::Open), key(Command::Retry), key(Command::CommandLine));
        canvas.pieces(
            1,
            y + 1,
            &[
                (&open, Role::Key),
                (" plays the demo fleet · ", Role::Text),
                (&again, Role::Key),
                (" looks again · ", Role::Text),
                (&format!("{line}kubeconfig FILE"), Role::Key),
                (" opens a file · ", Role::Text),
                (&format!("{line}q"), Role::Key),
                (" leaves", Role::Text),
            ],
        );
        canvas.pieces(1, y + 3, &[("What makes one:", Role::TextDim)]);
        for (at, way) in WAYS.iter().enumerate() {
            canvas.pieces(3, y + 4 + cells(at), &[(way, Role::Text)]);
        }
    }
}
