//! The `vitrine` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    vault::cli::run()
}
