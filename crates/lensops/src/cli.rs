//! The command line: arguments, and which command they call.

mod args;
mod dispatch;
mod doctor;
mod keeper;
mod monitoring;
mod parts;
mod switching;

pub use args::Cli;
pub use dispatch::dispatch;
pub use parts::monitor;
