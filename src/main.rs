//! Quarterdeck: a terminal fleet console for Kubernetes.

use std::process::ExitCode;

use clap::Parser;
use quarterdeck::app::{self, cli::Cli, cli::Exit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let began = color_eyre::install().and_then(|()| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        Ok(runtime.worker_threads(2).on_thread_start(give_way).enable_all().build()?)
    });
    match began.and_then(|runtime| runtime.block_on(app::run(cli))) {
        Ok(exit) => exit.into(),
        Err(error) => {
            report(&error);
            Exit::Usage.into()
        }
    }
}

/// What reads, keeps and computes gives way to the thread that takes keys and draws: in a storm there is work for every
/// core. Only Linux has a priority for each thread (`man 2 nice`, BUGS); elsewhere it would be that of all.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(5);
}

#[expect(clippy::print_stderr, reason = "there is no screen any more")]
fn report(error: &color_eyre::Report) {
    eprintln!("quarterdeck: {error:#}");
}
