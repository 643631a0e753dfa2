//! The program: everything is in the library.

use std::process::ExitCode;

/// Flows come and go by the hundred thousand; `Cargo.toml` says what this saves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wirefault::cli::main()
}
