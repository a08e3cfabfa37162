//! The gate: a window of checks becomes a decision, by one of two policies.
//!
//! *strict* looks at the status of each check. *statistical* looks at requests: criteria one by one, each with
//! its value, its bound and its sample, whose error rates are published (docs/src/gate.md) and hold however
//! often the gate is asked. Both are pure: no clock, no store.

mod answer;
mod constants;
mod coverage;
mod decision;
mod edetector;
mod errors;
mod history;
mod latency;
mod line;
mod output;
mod shape;
mod slot;
mod statistical;
mod strict;

pub use answer::{Answer, Criterion};
pub use coverage::CheckPoint;
pub use decision::Decision;
pub use history::History;
pub use line::{Line, Otherwise, Recorded, recorded};
pub use output::{FileAnswer, GateOutput, Gated, StoreAnswer, TenantAnswer};
pub use slot::{Counts, RowFigures, Slot, State, TAIL_STEPS, fill};
pub use statistical::{Question, judge};
pub use strict::{GateReport, Named, decide, strict_of_slots, worst};

#[cfg(test)]
mod tests;
