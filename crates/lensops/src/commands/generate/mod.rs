//! `lensops generate`: lens files become everything that follows from them.
//!
//! All is rendered before the first file is written. What a person edited by hand stops the run;
//! what is the same is not touched.

mod attributes;
mod command;
mod drift;
mod first_lens;
mod lens_options;
pub mod new_lens;
mod options;
mod planned;
mod project_keys;
mod render;
mod repo;
pub mod schemas;
mod sets;
pub mod templates;
mod write;

pub use command::{drifted, generate, generate_quietly, preview};
pub use first_lens::{FirstAsked, FirstLens};
pub use lens_options::{NewLens, parse_payload, parse_user, usual_user};
pub use options::{Mode, Options};
pub(crate) use repo::repo_context;
