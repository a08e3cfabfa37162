//! What `lensops gate --json` prints: one schema for what is read from a store and for what is read from files.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::answer::{Answer, Criterion};
use super::decision::Decision;
use super::strict::GateReport;
use crate::ident::LensId;
use crate::lens::Policy;

/// What `lensops gate --json` prints: an answer over the store, or one line a file, lens and tenant.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum GateOutput {
    /// Over the store.
    Store(StoreAnswer),
    /// Over a file: one line each.
    File(FileAnswer),
}

/// The answer over the store.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StoreAnswer {
    /// The lens.
    pub lens: LensId,
    /// The window, as it was asked.
    pub window: String,
    /// The policy that decided.
    pub policy: Policy,
    /// The decision over all tenants.
    pub decision: Decision,
    /// Whether any check was made under a virtual clock.
    pub virtual_clock: bool,
    /// Each tenant.
    pub tenants: Vec<TenantAnswer>,
}

/// The answer on one tenant.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TenantAnswer {
    /// The window by status. Its decision and reason are those of the policy that decided.
    #[serde(flatten)]
    pub report: GateReport,
    /// What the strict policy says.
    pub strict: Decision,
    /// What the statistical policy says, criterion by criterion.
    pub statistical: Answer,
}

/// The answer on one tenant of a file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FileAnswer {
    /// The file.
    pub file: String,
    /// The lens.
    pub lens: LensId,
    /// The tenant; `None` where the file has no check of the lens.
    pub tenant: Option<Uuid>,
    /// The end of the window; `None` where there is nothing to end it.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// The decision.
    pub decision: Decision,
    /// The policy that decided.
    pub policy: Policy,
    /// Why, one line.
    pub reason: String,
    /// What the strict policy says.
    pub strict: Decision,
    /// What the statistical policy says.
    pub statistical: Decision,
    /// Slots due in the window.
    pub slots: u64,
    /// Slots with a check that could judge.
    pub covered: u64,
    /// Checks left out: paused, in maintenance or annulled.
    pub left_out: u64,
    /// The criteria of the statistical policy.
    pub criteria: Vec<Criterion>,
}

/// What both policies say of one window.
#[derive(Debug, Clone)]
pub struct Gated {
    /// The policy that decides.
    pub policy: Policy,
    /// The strict decision and its reason.
    pub strict: (Decision, String),
    /// The statistical answer.
    pub statistical: Answer,
}

impl Gated {
    /// The decision and the reason of the policy that decides.
    #[must_use]
    pub fn decided(&self) -> (Decision, &str) {
        match self.policy {
            Policy::Strict => (self.strict.0, &self.strict.1),
            Policy::Statistical => (self.statistical.decision, &self.statistical.reason),
        }
    }
}
