//! The application: puts the rooms together and runs effects.
//!
//! Rank 5, the composition root: the only room that knows all others.

mod abilities;
pub mod cli;
mod clock;
mod crash;
mod cut_off;
mod demo;
mod effects;
mod engine;
mod files;
mod headless;
mod journal;
mod keyboard;
mod live;
mod opened;
mod output;
#[cfg(test)]
mod pictures;
mod read;
mod recovery;
mod registry;
mod reports;
mod rewritten;
mod screen;
mod terminal;
#[cfg(test)]
mod tests;

use color_eyre::eyre::Result;

use cli::{Cli, Command, Exit};

/// Does what the command line asks for.
///
/// # Errors
/// What kept it from that, for the person who reads it.
pub async fn run(cli: Cli) -> Result<Exit> {
    // With only one provider compiled in, rustls would find it too; this says which.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match &cli.command {
        None => {
            abilities::need_terminal()?;
            let opened = opened::open(&cli.clusters)?;
            live::run(opened, None, &cli.clusters, &cli.screen).await.map(|()| Exit::Done)
        }
        Some(Command::Demo(arguments)) => demo::run(arguments, &cli.clusters).await.map(|()| Exit::Done),
        Some(command) => Ok(headless::run(command, &cli.clusters).await),
    }
}
