//! Folds: outcomes into the status of a check, cases and tallies into the verdict of a run.
//!
//! Each fold is pure and worst wins. "Could not judge" is an answer of its own: it never turns
//! into a pass, and it never hides a failure.

pub mod acceptance;
pub mod baseline;
pub mod check;
pub mod judge;
pub mod load_generator;
mod number;
pub mod notes;
pub mod outcome;
pub mod probe;
pub mod record;
pub mod registry;
pub mod results;
pub mod stress;
pub mod tally;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

impl Verdict {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::CouldNotJudge => "could_not_judge",
        }
    }

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
