//! lensops: from one lens definition to monitoring, acceptance, stress tests, evidence and a gate.
//!
//! This crate is the rim around `lensops-core`: it sends requests, keeps checks, reads files and
//! the environment, and runs the commands. See `ARCHITECTURE.md` for the way of the data.

pub mod cli;
pub mod config;
pub mod flags;
pub mod http;
pub mod load;
pub mod log;
pub mod run;
pub mod store;
pub mod tls;
