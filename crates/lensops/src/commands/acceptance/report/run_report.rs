//! The facts of a run of cases.

use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::plan::header::PlanOrigin;
use lensops_core::redaction::Redacted;
use lensops_core::verdict::acceptance::Case;
use lensops_core::verdict::results::CaseResults;
use lensops_core::verdict::{RunKind, Verdict};
use uuid::Uuid;

/// A run of cases.
#[derive(Debug)]
pub struct Report {
    /// Acceptance, or the role matrix.
    pub kind: RunKind,
    /// The heading.
    pub title: String,
    /// The lens.
    pub lens: LensId,
    /// The tenants that it may speak of; `None` where nobody knows all of them.
    pub tenants: Option<Vec<Uuid>>,
    /// What the run was about: name and value.
    pub facts: Vec<(&'static str, String)>,
    /// How the plan stands to what is generated.
    pub plan_origin: PlanOrigin,
    /// The plan that ran.
    pub plan_text: String,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What it came to.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// Further pages: the ending of the file and its text.
    pub pages: Vec<(&'static str, Redacted)>,
}

impl Report {
    /// The name of its files without their ending: `FAULTS_ACCEPTANCE_EVIDENCE`.
    pub(super) fn stem(&self) -> String {
        format!(
            "{}_{}_EVIDENCE",
            self.lens.upper(),
            self.kind.as_str().to_ascii_uppercase()
        )
    }

    /// The run as JSON.
    #[must_use]
    pub fn results(&self) -> CaseResults<'_> {
        CaseResults {
            kind: self.kind,
            lens: &self.lens,
            facts: self.facts.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            plan_origin: self.plan_origin,
            finished_at: self.finished_at.to_string(),
            verdict: self.verdict,
            reason: &self.reason,
            cases: &self.cases,
        }
    }
}
