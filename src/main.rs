//! The program: everything is in the library.

use std::process::ExitCode;
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wirefault::cli::main()
}
