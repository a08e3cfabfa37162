//! Plans: generated, reviewed YAML files that the binary executes.
//!
//! The three kinds share their grammar: a `request`, an `expect`, the users and tenants they run
//! for. Parsing refuses what can never be right, so that a plan that loads can run.

pub mod acceptance;
pub mod arrivals;
mod environment;
mod error;
pub mod header;
pub mod load_shape;
pub mod monitor;
pub mod names;
pub mod request_template;
mod rules;
mod shared;
mod show;
mod signature;
pub mod sql;
pub mod stress;

pub use crate::expect::{Dialect, Expect, Limit, Pattern, StatusSet};
pub use crate::request::{Body, JsonPath, Request, Vars};
pub use environment::{EnvVars, FromEnv};
pub use error::PlanError;
pub use show::Show;
pub use signature::signature;
