//! The `lensops` binary: parse, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use lensops::cli::{Cli, dispatch};
use lensops::run::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli, std::env::vars().collect()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // The whole chain on one line; a snippet, where there is one, stands below it.
            eprintln!("error: {error:#}");
            Exit::Usage.into()
        }
    }
}
