//! `antumbra`: a self-hosted privacy gateway and export daemon.
//!
//! Reads the command line, builds the runtime, runs the command, ends with its exit code. What each command does is
//! in [`antumbra::cli`].

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use antumbra::cli::{self, Exit};
use tokio::runtime::{Builder, Runtime};

/// Frees to the system what an export no longer needs. The C library's allocator keeps it, by arena and thread: resident memory then
/// grows with the length of an export although what it holds does not. Its settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return cli::failed(&error.into()).into(),
    };
    let exit: Exit = runtime.block_on(cli.run());
    // Blocking work that outlived the drain has had its time.
    runtime.shutdown_timeout(LAST_WORDS);
    exit.into()
}

/// The work is waiting and sealing: more threads than cores help neither, and each costs memory.
fn runtime() -> std::io::Result<Runtime> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(cores.min(MOST_THREADS))
        .thread_name("antumbra")
        .enable_all()
        .build()
}

const MOST_THREADS: usize = 4;
const LAST_WORDS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_is_built_with_the_settings_of_this_repository() {
        // Built elsewhere, or with an allocator of its own, this program would hold on to what it frees.
        let settings = include_str!("../../.cargo/config.toml");
        let built_with = tikv_jemalloc_ctl::config::malloc_conf::read().unwrap();
        let built_with = built_with.trim_end_matches('\0');
        assert!(settings.contains(&format!("\"{built_with}\"")), "{built_with:?}");
        assert_eq!(tikv_jemalloc_ctl::opt::narenas::read().unwrap(), 4);
        let _used: &tikv_jemallocator::Jemalloc = &ALLOCATOR;
    }
}
