//! The one binary: everything is a subcommand of `auricle`.

mod cli;
mod demo;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
