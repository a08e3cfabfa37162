//! The command line: arguments, and which command they call.

mod args;
mod dispatch;
mod monitoring;
mod parts;

pub use args::Cli;
pub use dispatch::dispatch;
pub use parts::monitor;
