//! The command line: arguments, and which command they call.

mod alerting;
mod args;
mod beside;
mod dispatch;
mod doctor;
mod examples;
mod keeper;
mod monitoring;
mod parts;
mod switching;

pub use args::Cli;
pub use dispatch::dispatch;
pub use examples::command;
pub use parts::monitor;
