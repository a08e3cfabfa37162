//! The `lensops` binary: parse, dispatch, exit code.

use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;
use lensops::cli::{Cli, command, dispatch};
use lensops::commands::exit::Exit;
use lensops::config::{Env, redactor_of};
use lensops::terminal;

/// Static builds only: the allocator of musl serialises threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = command().try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let env: Env = std::env::vars().collect();
    terminal::start(cli.color, |name| env.get(name).cloned());
    let redactor = redactor_of(&env);
    match dispatch(cli, env) {
        Ok(exit) => match lensops::output_failed() {
            None => exit.into(),
            Some(why) => {
                lensops::complain(&format!("error: standard output cannot be written: {why}"));
                Exit::CouldNotJudge.into()
            }
        },
        Err(error) => {
            // The whole chain on one line; a snippet, where there is one, stands below it.
            // A library's error may hold what a server echoed.
            let line = format!("error: {}", redactor.text(&error.line()));
            lensops::complain(&line);
            error.exit().into()
        }
    }
}

/// Help and version go out as they are; a mistake is one line, and each tip one of its own.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Where nobody reads, there is nobody to tell.
        error.print().ok();
        return if error.use_stderr() {
            Exit::Usage.into()
        } else {
            ExitCode::SUCCESS
        };
    }
    let text = error.to_string();
    let mistake = text
        .split("\n\nUsage:")
        .next()
        .unwrap_or(&text)
        .split("\n\nFor more information")
        .next()
        .unwrap_or(&text);
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = mistake.split("\n  tip: ");
    lensops::complain(&format!("{} (see --help)", line(parts.next().unwrap_or(mistake))));
    for tip in parts {
        lensops::complain(&format!("  tip: {}", line(tip)));
    }
    Exit::Usage.into()
}
