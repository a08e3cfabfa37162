//! What the statistical policy answers: criteria one by one, and the decision that follows from them.

use schemars::JsonSchema;
use serde::Serialize;

use super::decision::Decision;

/// One thing that the gate looked at.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Criterion {
    /// Its name, which does not change.
    pub id: &'static str,
    /// Whether it holds.
    pub met: bool,
    /// What the gate says where it does not hold.
    pub otherwise: Decision,
    /// What was found; `None` where there was nothing to find it in.
    pub value: Option<f64>,
    /// What is compared with.
    pub bound: f64,
    /// How many requests, checks or slots the value rests on.
    pub sample: u64,
    /// The end of the worst stretch, in milliseconds since the epoch, where a window was moved over the checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// In plain words.
    pub sentence: String,
}

/// What the statistical policy says of one window.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// Why, one line.
    pub reason: String,
    /// Slots due in the window, those left out not among them.
    pub slots: u64,
    /// Slots with a check that could judge.
    pub covered: u64,
    /// Checks left out: paused, in maintenance or annulled.
    pub left_out: u64,
    /// Requests that the decision rests on.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// The background of failed requests that sums are held to: a share.
    pub background: f64,
    /// The criteria, in the order in which they decide.
    pub criteria: Vec<Criterion>,
}

impl Answer {
    /// The decision and its reason from criteria: roll back goes first, then not enough data, then investigate.
    pub(super) fn decided(criteria: &[Criterion]) -> (Decision, String) {
        for decision in [Decision::RollBack, Decision::NotEnoughData, Decision::Investigate] {
            let broken = criteria
                .iter()
                .filter(|found| !found.met && found.otherwise == decision);
            let told: Vec<&str> = broken.map(|found| found.sentence.as_str()).collect();
            if !told.is_empty() {
                return (decision, told.join("; "));
            }
        }
        (Decision::Proceed, format!("all {} criteria hold", criteria.len()))
    }
}
