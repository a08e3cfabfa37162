//! Template sets: a lens and a set become (path, text).
//!
//! A set is MiniJinja files and a manifest that lists its outputs, so that a new output is a new
//! template and a manifest line. Delimiters are `[[ ]]`, `[% %]` and `[# #]`: the usual braces
//! belong to the workflows that are generated. Everything is rendered in memory; plans are parsed
//! and checked before anyone sees them, so that what is written can run.

pub mod attributes;
pub mod blueprint;
mod context;
mod error;
mod filters;
mod http;
mod kind;
mod manifest;
mod merge;
mod option_rule;
mod provenance;
mod set;
mod terms;
mod tracked;

pub use context::{Install, RepoContext};
pub use error::TemplateError;
pub(crate) use filters::flow;
pub use kind::PlanKind;
pub use manifest::MANIFEST;
pub use merge::override_mistakes;
pub use set::{PlanEnv, Rendered, TemplateSet, lens_hash, parts_hash, render_all, render_lens_file};
pub use terms::Terms;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
