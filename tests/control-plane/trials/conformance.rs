//! What a real server says in the conversations that the embedded fleet is measured by.

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::conversation;
use super::planes::{Binaries, Options, toolset};

/// An API server alone, so that nothing but the conversation changes anything.
pub(crate) fn conversations(binaries: &Binaries) -> Outcome {
    let options = Options { controllers: false, kwok: false, nodes: false, ..Options::default() };
    let real = Real::start(binaries, 1, &options)?;
    let current = real.0.iter().all(|plane| plane.version() == toolset::current().kubernetes_version());
    runtime()?.block_on(async {
        if current { conversation::real(&real).await } else { conversation::older(&real).await }
    });
    Ok(())
}
