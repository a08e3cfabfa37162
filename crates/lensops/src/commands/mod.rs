//! The commands: everything above the rim, with clock, seed, sender and journal passed in.

pub mod acceptance;
pub mod alerts;
pub mod check;
pub mod check_url;
pub mod config;
pub(crate) mod context;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod doctor;
pub mod error;
pub mod evidence;
pub mod exit;
pub mod files;
pub mod fleet;
pub mod generate;
mod git;
mod plan_files;
pub mod plans;
pub mod rollout;
pub mod serve;
pub mod signal;
pub mod simulate;
pub mod storage;
pub mod stress;
pub mod worker;
