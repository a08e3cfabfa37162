//! The command line: arguments, and which command they call.

mod alerts;
mod args;
mod dispatch;
mod doctor;
mod examples;
mod rollout;
mod worker;

pub use crate::commands::context::monitor;
pub use args::Cli;
pub use dispatch::dispatch;
pub use examples::command;
