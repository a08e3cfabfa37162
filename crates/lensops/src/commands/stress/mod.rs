//! `lensops stress`: targets under load, a tally of each, and the verdict.

mod command;
mod job;
mod load_run;
mod markdown;
mod page;
mod progress;
mod results;
mod tally_text;
mod unready;

pub use command::{run, stress};
pub use load_run::{Ran, Stress};
pub use progress::View;
