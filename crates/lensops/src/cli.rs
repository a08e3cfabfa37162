//! The command line: arguments, and which command they call.

mod alerting;
mod args;
mod dispatch;
mod doctor;
mod examples;
mod monitoring;
mod switching;

pub use crate::commands::context::monitor;
pub use args::Cli;
pub use dispatch::dispatch;
pub use examples::command;
