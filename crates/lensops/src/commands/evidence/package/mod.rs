//! `lensops evidence package`: one document a lens, filled from the runs that exist.
//!
//! It invents nothing: a section whose run is missing says so and names the command that makes it.
//! The sections are data, written once as Markdown and once as a page of its own.

mod command;
mod criteria;
mod render;
mod results;
mod section;

pub use command::{package, run, windows};
pub use criteria::Gates;
pub(crate) use results::Runs;
