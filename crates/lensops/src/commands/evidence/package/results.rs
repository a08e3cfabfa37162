//! The results of the runs of a lens, as far as a package may take anything from them.

use lensops_core::evidence::manifest::Manifest;
use lensops_core::ident::LensId;
use lensops_core::plan::header::PlanOrigin;
use lensops_core::redaction::one_line;
use lensops_core::verdict::RunKind;
use serde_json::Value;

use crate::commands::error::{Context as _, Result};
use crate::commands::evidence::runs::{folders, verified};
use crate::config::Settings;

/// A run whose folder is as the run left it.
pub(crate) struct Finished {
    pub(super) manifest: Manifest,
    /// Its results, of any version.
    pub(super) results: Value,
}

/// The results of the runs of a lens whose folders are as the runs left them, newest first.
pub(crate) struct Runs {
    pub(super) finished: Vec<Finished>,
    /// Folders that are not, and why: nothing is taken from them.
    pub(super) refused: Vec<String>,
    /// Runs of plans that were not generated: they may ask for less than the lens needs.
    pub(super) foreign: Vec<String>,
}

impl Runs {
    pub(super) fn of(settings: &Settings, lens: &LensId) -> Result<Self> {
        let mut runs = Self {
            finished: Vec::new(),
            refused: Vec::new(),
            foreign: Vec::new(),
        };
        for folder in folders(settings)?.into_iter().rev() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let name = one_line(&name);
            let (found, files) = match verified(&folder) {
                Ok(verified) => verified,
                Err(error) => {
                    runs.refused.push(format!("{name}: {}", error.line()));
                    continue;
                }
            };
            if let Some(finding) = found.findings.first() {
                runs.refused.push(format!("{name}: {}", one_line(finding)));
                continue;
            }
            let Some(manifest) = found.manifest.filter(|manifest| manifest.lens == lens.as_str()) else {
                continue;
            };
            if manifest.plan_origin.is(PlanOrigin::Foreign) {
                runs.foreign.push(name);
                continue;
            }
            let results = files.iter().find(|(name, _)| {
                ["ACCEPTANCE_EVIDENCE", "STRESS_RESULTS", "MATRIX_EVIDENCE"]
                    .iter()
                    .any(|suffix| **name == format!("{}_{suffix}.json", lens.upper()))
            });
            if let Some((_, bytes)) = results {
                let results = serde_json::from_slice(bytes).with_context(|| format!("{name} is not JSON"))?;
                runs.finished.push(Finished { manifest, results });
            }
        }
        Ok(runs)
    }

    /// The newest run of `kind` that `fits`.
    pub(super) fn newest(&self, kind: RunKind, fits: impl Fn(&Value) -> bool) -> Option<&Finished> {
        let mut finished = self.finished.iter();
        finished.find(|run| run.manifest.kind.is(kind) && fits(&run.results))
    }
}

pub(crate) fn is_flag_case(case: &Value) -> bool {
    case["phase"] == "flag"
}

pub(crate) fn is_idempotency(case: &Value) -> bool {
    text(&case["name"]).to_lowercase().contains("idempot")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `pass: 5 passed, …, finished 2026-…`.
pub(crate) fn outcome(run: &Finished) -> String {
    format!(
        "{}: {} (finished {}, run {})",
        run.manifest.verdict,
        text(&run.results["reason"]),
        run.manifest.finished_at,
        run.manifest.run_id
    )
}

pub(crate) fn case_rows(run: &Finished, wanted: impl Fn(&Value) -> bool) -> Vec<Vec<String>> {
    let cases = run.results["cases"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|case| wanted(case));
    let told = |case: &Value| {
        ["told", "why", "reason"]
            .iter()
            .find_map(|key| case[*key].as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    cases
        .map(|case| vec![text(&case["name"]), text(&case["result"]), told(case)])
        .collect()
}
