//! The results of the runs of a lens, as far as a package may take anything from them.

use lensops_core::evidence::manifest::Manifest;
use lensops_core::evidence::seal::Verification;
use lensops_core::evidence::{Standing, Whose};
use lensops_core::ident::LensId;
use lensops_core::plan::header::PlanOrigin;
use lensops_core::redaction::one_line;
use lensops_core::verdict::RunKind;
use serde_json::Value;

use crate::commands::error::{Context as _, Result};
use crate::commands::evidence::runs::{folders, verified};
use crate::commands::evidence::trust::Trust;
use crate::config::Settings;

/// A run whose folder is as the run left it.
pub(crate) struct Finished {
    pub(crate) manifest: Manifest,
    /// Whose it is, and whether its line ends differ.
    pub(super) whose: String,
    /// Its results, of any version.
    pub(super) results: Value,
}

/// The results of the runs of a lens whose folders are as the runs left them, newest first.
pub(crate) struct Runs {
    pub(super) finished: Vec<Finished>,
    /// Folders that are not, or that nobody trusted vouches for, and why: nothing is taken from them.
    pub(crate) refused: Vec<String>,
    /// Runs of plans that were not generated: they may ask for less than the lens needs.
    pub(super) foreign: Vec<String>,
}

impl Runs {
    pub(crate) fn of(settings: &Settings, lens: &LensId, trust: &Trust) -> Result<Self> {
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
            let Some(whose) = trust.whose(&found) else {
                let changed = found.findings.iter().find(|finding| !finding.is_line_ends());
                let finding = changed
                    .map(|finding| one_line(&finding.to_string()))
                    .unwrap_or_default();
                runs.refused.push(format!("{name}: {finding}"));
                continue;
            };
            let whose_it_is = told(&whose, &found);
            let Some(manifest) = found.manifest.filter(|manifest| manifest.lens == lens.as_str()) else {
                continue;
            };
            if manifest.run_id != name {
                runs.refused
                    .push(format!("{name}: {} was renamed to it", one_line(&manifest.run_id)));
                continue;
            }
            if !whose.counts() {
                runs.refused.push(format!("{name}: {}", one_line(&whose_it_is)));
                continue;
            }
            if trust.standing(&manifest) == Some(Standing::NotInChain) {
                runs.refused.push(format!("{name}: in no chain with the expected head"));
                continue;
            }
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
                runs.finished.push(Finished {
                    manifest,
                    whose: whose_it_is,
                    results,
                });
            }
        }
        Ok(runs)
    }

    /// The newest run of `kind` that `fits`.
    pub(crate) fn newest(&self, kind: RunKind, fits: impl Fn(&Value) -> bool) -> Option<&Finished> {
        let mut finished = self.finished.iter();
        finished.find(|run| run.manifest.kind.is(kind) && fits(&run.results))
    }
}

/// Whose a run is, as a row says it.
fn told(whose: &Whose, found: &Verification) -> String {
    let line_ends = if found.findings.is_empty() {
        ""
    } else {
        ", only line ends differ"
    };
    format!("{whose}{line_ends}")
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

/// `pass: 5 passed, … (finished 2026-…, run …, signed by CI)`.
pub(crate) fn outcome(run: &Finished) -> String {
    format!(
        "{}: {} (finished {}, run {}, {})",
        run.manifest.verdict,
        text(&run.results["reason"]),
        run.manifest.finished_at,
        run.manifest.run_id,
        run.whose
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
