//! The one binary: everything is a subcommand of `auricle`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
