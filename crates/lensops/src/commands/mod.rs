//! The commands: everything above the rim, with clock, seed, sender and journal passed in.

pub mod acceptance;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod doctor;
pub mod evidence;
pub mod generate;
pub mod rollout;
pub mod storage;
pub mod stress;
