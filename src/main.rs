//! The program's entrance: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    seance::cli::run()
}
