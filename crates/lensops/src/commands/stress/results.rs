//! What a stress run leaves behind: its results as files, sealed as evidence.

use jiff::Timestamp;
use lensops_core::verdict::RunKind;
use lensops_core::verdict::results::{PlanFile, StressResults, TargetResult};
use serde_json::json;

use super::load_run::Ran;
use super::load_run::Stress;
use crate::commands::error::{Error, Result};
use crate::commands::evidence::bundle::{self, Bundle, Written};
use crate::config::Settings;

impl Stress {
    /// Writes the results of a run.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, settings: &Settings, ran: &Ran, finished_at: Timestamp, nonce: u32) -> Result<Written> {
        let lens = &self.loaded.plan.stress;
        let prefix = format!("{}_STRESS_RESULTS", lens.upper());
        let text = |text: String| self.redactor.text(&text);
        let files = vec![
            (format!("{prefix}.md"), text(self.markdown(ran, finished_at))),
            (
                format!("{prefix}.json"),
                self.redactor.json_pretty(json!(self.results(ran, finished_at))),
            ),
            (
                format!("{prefix}.html"),
                text(self.page(ran, finished_at).map_err(Error::system)?),
            ),
        ];
        let bundle = Bundle {
            kind: RunKind::Stress,
            lens,
            tenants: Some(self.loaded.plan.tenants.to_vec()),
            verdict: ran.verdict.verdict,
            plan_text: &self.loaded.text,
            plan_origin: self.loaded.origin,
            finished_at,
            nonce,
            latest: files.iter().map(|(name, _)| name.clone()).collect(),
            files,
        };
        bundle::write(settings, bundle, &self.redactor)
    }

    pub(super) fn results<'a>(&'a self, ran: &'a Ran, finished_at: Timestamp) -> StressResults<'a> {
        StressResults {
            lens: &self.loaded.plan.stress,
            tenant: self.loaded.plan.tenants.name(self.loaded.plan.tenants[0]),
            api: self.base.to_string(),
            plan: PlanFile {
                path: self.loaded.path.display().to_string(),
                origin: self.loaded.origin,
            },
            finished_at: finished_at.to_string(),
            verdict: ran.verdict.verdict,
            reason: &ran.verdict.reason,
            generator: ran.generator,
            targets: ran.tallies.iter().map(TargetResult::of).collect(),
            changes: None,
        }
    }
}
