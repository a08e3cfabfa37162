//! Seeded histories, healthy and of every kind of incident, and the error rates of the gate's policies on them.
//!
//! Pure and deterministic: the same seed makes the same history on every machine. The generator knows what is
//! true of each history (its onset, its P95), which no real history tells.

mod generate;
mod incident;
mod lines;
mod random;
mod render;
mod rivals;
mod table;
mod world;

pub use generate::{Shapes, SimCheck, SimResult, SimSample, Simulated, simulate};
pub use incident::{Kind, Truth};
pub use lines::lines;
pub use random::Random;
pub use render::markdown;
pub use table::{Row, Tally, run_kind};
