//! What a run of cases leaves behind: Markdown, JSON, JUnit, the evidence bundle, and what CI shows.
//!
//! One report for every command that runs cases, so that an auditor, a dashboard and a CI service
//! read the same facts.

mod ci;
mod escape;
mod junit;
mod markdown;
mod output;
mod run_report;
mod write;

pub(crate) use ci::{add_to_summary, annotate};
pub(crate) use escape::{cell, html_escaped};
pub use output::Output;
pub use run_report::Report;
pub use write::finish;
