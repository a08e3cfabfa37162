//! lensops: from one lens definition to monitoring, acceptance, stress tests, evidence and a gate.
//!
//! This crate is the rim around `lensops-core`: it sends requests, keeps checks, reads files and
//! the environment, and runs the commands. See `ARCHITECTURE.md` for the way of the data.

/// Prints to standard output as `println!` does, and goes on where nobody reads: a run whose reader
/// left still writes its evidence and ends with its exit code. Output that could not be written for
/// another reason, a full disk say, is an error once the command is done: [`output_failed`].
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let text = format!($($text)*);
        $crate::written(writeln!(std::io::stdout(), "{}", $crate::terminal::output().dress(&text)));
    }};
}

/// Prints to standard error as `eprintln!` does, and goes on where it is closed or full: a warning that nobody reads is no
/// reason to leave a run without evidence.
macro_rules! complain {
    ($($text:tt)*) => { $crate::complain(&format!($($text)*)) };
}

/// Prints a line to standard error, as its terminal can show it. One that is closed or full changes nothing.
pub fn complain(text: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{}", terminal::error().dress(text)).ok();
}

/// Whether standard output refused something for another reason than that its reader left. The one
/// thing that is kept for the whole process: the stream is the process's too.
static OUTPUT_FAILED: std::sync::OnceLock<String> = std::sync::OnceLock::new();

pub(crate) fn written(result: std::io::Result<()>) {
    if let Err(error) = result
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        // The first reason stands.
        OUTPUT_FAILED.set(error.to_string()).ok();
    }
}

/// Why standard output could not be written; `None` where it was, or where its reader left.
#[must_use]
pub fn output_failed() -> Option<&'static str> {
    // What is buffered fails only now.
    written(std::io::Write::flush(&mut std::io::stdout()));
    OUTPUT_FAILED.get().map(String::as_str)
}

pub mod alert;
pub mod auth;
pub mod cli;
pub mod commands;
pub mod config;
pub mod connect;
pub mod flags;
pub mod http;
mod http1;
pub mod listen;
pub mod load;
pub mod log;
pub mod store;
pub mod terminal;
pub mod web;
