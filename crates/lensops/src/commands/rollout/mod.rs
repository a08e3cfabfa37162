//! Deciding over a rollout: flags as they stand, phases, the gate, status, rollback and restore.

pub mod annul;
pub mod flags;
pub mod gate;
pub mod note;
pub mod phase;
pub mod providers;
pub mod rollback;
pub mod status;
