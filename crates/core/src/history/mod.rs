//! What a series of checks says: when each was due, roll-ups of old ones, how a lens stands now, and the gate.

pub mod gate;
pub mod page;
pub mod phase;
pub mod rollup;
pub mod schedule;
pub mod simulate;
pub mod status;
pub mod uptime;
