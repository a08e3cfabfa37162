//! The command line: arguments, and which command they call.

mod args;
mod dispatch;
mod examples;
mod manual;
mod overview;

pub use args::Cli;
pub use dispatch::dispatch;
pub use examples::command;
