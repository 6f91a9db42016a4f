//! Quarterdeck: a terminal fleet console for Kubernetes.

use std::process::ExitCode;

use clap::Parser;
use quarterdeck::app::{self, cli::Cli, cli::Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let began = color_eyre::install().and_then(|()| {
        Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
    });
    match began.and_then(|runtime| runtime.block_on(app::run(cli))) {
        Ok(exit) => exit.into(),
        Err(error) => {
            report(&error);
            Exit::Usage.into()
        }
    }
}

#[expect(clippy::print_stderr, reason = "there is no screen any more")]
fn report(error: &color_eyre::Report) {
    eprintln!("quarterdeck: {error:#}");
}
