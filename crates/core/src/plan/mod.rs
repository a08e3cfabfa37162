//! Plans: generated, reviewed YAML files that the binary executes.
//!
//! The three kinds share their grammar: a `request`, an `expect`, the users and tenants they run
//! for. Parsing refuses what can never be right, so that a plan that loads can run.

pub mod acceptance;
pub mod arrivals;
mod dialect;
mod environment;
mod error;
pub mod expect;
pub mod header;
mod limit;
pub mod load_shape;
pub mod monitor;
pub mod names;
mod pattern;
pub mod request_template;
mod rules;
mod shared;
mod show;
mod signature;
pub mod sql;
mod status_set;
pub mod stress;

pub use crate::request::{Body, JsonPath, Request, Vars};
pub use dialect::Dialect;
pub use environment::{EnvVars, FromEnv};
pub use error::PlanError;
pub use expect::Expect;
pub use limit::Limit;
pub use pattern::Pattern;
pub use show::Show;
pub use signature::signature;
pub use status_set::StatusSet;
