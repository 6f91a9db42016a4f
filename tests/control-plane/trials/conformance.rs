//! What a real server says in the conversations that the embedded fleet is measured by.

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::conversation::{MOVING, STILL, Script, converse, differences};
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
    let said = runtime()?.block_on(converse(script, &real, false));
    if current && std::env::var_os("QUARTERDECK_RECORD").is_some() {
        std::fs::write(script.record(), serde_json::to_string_pretty(&said)? + "\n")?;
        return Ok(());
    }
    let found: Vec<String> = differences(script, &said, !current).iter().map(ToString::to_string).collect();
    if !found.is_empty() {
        return Err(format!("the record is not what a real server says:\n{}", found.join("\n")).into());
    }
    Ok(())
}
