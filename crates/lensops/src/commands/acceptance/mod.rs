//! `lensops accept`: the setup, scenarios and teardown of an acceptance plan, with their evidence.

mod captures;
mod case;
mod command;
mod cookies;
mod database;
pub mod flag_proof;
pub mod matrix;
mod phases;
mod registry;
pub mod report;
mod run;
mod step;
mod undo;

pub use command::{Asked, accept, run};
pub use phases::Accepted;
pub use registry::read_registry;
pub use report::Output;
pub use run::{Acceptance, DEFAULT_DIALECT};
