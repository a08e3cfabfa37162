//! `lensops matrix`: action × role × tenant, held against the API's own registry.
//!
//! A cell that must be denied leaves out every field but the tenant, so that a hole in the API
//! changes nothing; a cell that would be let in to change something runs only against a target
//! that is marked for it.

mod access;
mod cell;
mod cells;
mod command;
mod fetch;
mod role_matrix;
mod table;

pub use access::AccessMatrix;
pub use command::{Asked, matrix, run};
pub use fetch::{fetch_lists, fetch_registry, registry_of};
pub use role_matrix::RoleMatrix;
