//! Folds: outcomes into the status of a check, cases and tallies into the verdict of a run.
//!
//! Each fold is pure and worst wins. "Could not judge" is an answer of its own: it never turns
//! into a pass, and it never hides a failure.

pub mod acceptance;
pub mod baseline;
pub mod check;
pub mod check_table;
pub mod judge;
pub mod load_generator;
pub mod note_rows;
pub mod notes;
mod number;
pub mod outcome;
pub mod own_fault;
pub mod probe;
mod probe_line;
pub mod record;
pub mod registry;
pub mod results;
pub mod stress;
pub mod tally;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named::names;

pub use check::{CheckContext, CheckReport, judge_check};
pub use probe::{ProbeReport, ProbeResult, Sample};

/// What a whole run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that ran is as expected.
    Pass,
    /// Something is not.
    Fail,
    /// Nothing failed, but what matters could not be told.
    CouldNotJudge,
}

names!(Verdict {
    Pass => "pass",
    Fail => "fail",
    CouldNotJudge => "could_not_judge",
});

impl Verdict {
    /// For people, with its mark.
    #[must_use]
    pub fn tell(self) -> &'static str {
        match self {
            Self::Pass => "✅ PASS",
            Self::Fail => "❌ FAIL",
            Self::CouldNotJudge => "❔ COULD NOT JUDGE",
        }
    }
}

/// What kind of run left evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// The scenarios of an acceptance plan.
    Acceptance,
    /// Load.
    Stress,
    /// Action × role × tenant, held to the API's registry.
    Matrix,
}

names!(RunKind {
    Acceptance => "acceptance",
    Stress => "stress",
    Matrix => "matrix",
});
