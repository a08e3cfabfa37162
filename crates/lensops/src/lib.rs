//! lensops: from one lens definition to monitoring, acceptance, stress tests, evidence and a gate.
//!
//! This crate is the rim around `lensops-core`: it sends requests, keeps checks, reads files and
//! the environment, and runs the commands. See `ARCHITECTURE.md` for the way of the data.

/// Prints to standard output as `println!` does, and goes on where nobody reads: a run whose reader
/// left still writes its evidence and ends with its exit code.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        // The reader is gone: there is nobody to tell.
        writeln!(std::io::stdout(), $($text)*).ok();
    }};
}

pub mod alert;
pub mod cli;
pub mod config;
pub mod flags;
pub mod http;
pub mod listen;
pub mod load;
pub mod log;
pub mod run;
pub mod store;
pub mod tls;
pub mod web;
