//! Plans: generated, reviewed YAML files that the binary executes.
//!
//! The three kinds share their grammar: a `request`, an `expect`, the users and tenants they run
//! for. Parsing refuses what can never be right, so that a plan that loads can run.

pub mod acceptance;
pub mod arrivals;
mod dialect;
mod error;
pub mod expect;
pub mod fill;
pub mod header;
mod json_path;
mod limit;
pub mod load_shape;
pub mod monitor;
pub mod names;
mod pattern;
pub mod prepare;
mod request;
pub mod request_template;
mod rules;
mod show;
pub mod sql;
mod status_set;
pub mod stress;

pub use dialect::Dialect;
pub use error::PlanError;
pub use expect::Expect;
pub use json_path::JsonPath;
pub use limit::Limit;
pub use pattern::Pattern;
pub use request::{Body, Request, Vars};
pub use show::Show;
pub use status_set::StatusSet;
