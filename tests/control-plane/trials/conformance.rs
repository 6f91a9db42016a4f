//! What a real server says in the conversations that the embedded fleet is measured by.

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::conversation::{self, MOVING, STILL, Script};
use super::planes::{Binaries, Options, toolset};

/// An API server alone, so that nothing but the conversation changes anything.
pub(crate) fn conversations(binaries: &Binaries) -> Outcome {
    let alone = Options { controllers: false, kwok: false, nodes: false, ..Options::default() };
    talk(binaries, STILL, alone)
}

/// A whole control plane with nodes, on which controllers answer what the conversation does.
pub(crate) fn moving(binaries: &Binaries) -> Outcome {
    talk(binaries, MOVING, Options::default())
}

fn talk(binaries: &Binaries, script: Script, options: Options) -> Outcome {
    let real = Real::start(binaries, 1, &Options { service_accounts: true, ..options })?;
    let current = real.0.iter().all(|plane| plane.version() == toolset::current().kubernetes_version());
    runtime()?.block_on(async {
        if current {
            conversation::real(script, &real).await
        } else {
            conversation::older(script, &real).await
        }
    });
    Ok(())
}
