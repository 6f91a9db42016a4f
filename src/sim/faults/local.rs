//! Faults of the machine on which somebody looks at the fleet. A server cannot cause them: the
//! program that plays the fleet does, to itself.

use super::{FaultName, Faults};
use crate::model::Span;

/// A signal that the program gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGHUP: the terminal is gone.
    Hup,
    /// SIGINT.
    Int,
    /// SIGSTOP: it stands still until somebody sends SIGCONT.
    Stop,
    /// SIGWINCH: the terminal has another size, or may have.
    Winch,
}

impl Signal {
    /// By the name that faults have for it.
    pub(super) fn named(name: &str) -> Option<Signal> {
        Some(match name {
            "SIGTERM" => Signal::Term,
            "SIGHUP" => Signal::Hup,
            "SIGINT" => Signal::Int,
            "SIGSTOP" => Signal::Stop,
            "SIGWINCH" => Signal::Winch,
            _ => return None,
        })
    }
}

/// What is wrong with the machine, for all clusters together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Local {
    /// How many files may be open; `None` is as many as before.
    pub open_files: Option<u64>,
    /// Nothing can be written into files.
    pub disk_full: bool,
    /// How long the machine slept so far.
    pub slept: Span,
    /// The signals that came so far, in no order between clusters.
    pub signals: Vec<Signal>,
}

/// Files that may be open when it is not said how many.
const FEW_FILES: u64 = 32;

impl Local {
    /// What the faults of one more cluster add.
    pub(crate) fn add(&mut self, faults: &Faults) {
        if let Some(file) = faults.first(FaultName::FewFiles) {
            let files = file.value.as_deref().and_then(|v| v.parse().ok()).unwrap_or(FEW_FILES);
            self.open_files = Some(self.open_files.map_or(files, |least| least.min(files)));
        }
        self.disk_full |= faults.first(FaultName::DiskFull).is_some();
        self.slept = Span::from_millis(self.slept.millis().saturating_add(faults.slept.millis()));
        self.signals.extend(&faults.signals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_that_may_be_named_is_one() {
        for name in FaultName::Signal.values() {
            assert!(Signal::named(name).is_some(), "{name}");
        }
        assert_eq!(Signal::named("SIGSEGV"), None);
    }
}
