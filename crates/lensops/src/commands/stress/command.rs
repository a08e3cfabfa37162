//! `lensops stress`: the run with its progress on the terminal, its comparison and its evidence.

use std::path::Path;

use jiff::Timestamp;
use lensops_core::plan::stress::StressPlan;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::baseline::{Change, compare};
use lensops_core::verdict::results::{FigureChange, StressResults};
use lensops_core::verdict::tally::Tally;
use serde_json::{Value, json};

use super::load_run::Stress;
use super::progress::View;
use crate::commands::acceptance::report::{add_to_summary, annotate};
use crate::commands::error::{Context as _, Result};
use crate::commands::evidence::bundle;
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::commands::plans::{self, Which};
use crate::commands::signal::stop_on_signal;
use crate::config::Settings;

/// Prints what changed since the run of `path`.
fn print_changes(path: &Path, earlier: &Value, tallies: &[Tally]) {
    let (changes, missing) = compare(earlier, tallies);
    say!("Compared with {}:", path.display());
    for line in changes.iter().map(Change::tell) {
        say!("  {line}");
    }
    for name in missing {
        say!("  {name}: the earlier run holds nothing to compare with");
    }
}

/// Runs the stress plan `which` with so many threads, compares it with the result at `baseline`, and
/// prints and keeps what it came to.
///
/// # Errors
/// A plan, a baseline or a setting that is not valid, or evidence that cannot be written.
pub async fn run(
    settings: &Settings,
    which: &Which<'_>,
    baseline: Option<&Path>,
    threads: Option<u32>,
    as_json: bool,
) -> Result<Exit> {
    let run = Stress::new(settings, plans::load::<StressPlan>(settings, which)?, threads)?;
    stress(settings, &run, baseline, as_json).await
}

/// Runs, prints and writes.
///
/// # Errors
/// When a request cannot be made of the plan, the baseline cannot be read, or the results cannot be written.
pub async fn stress(settings: &Settings, run: &Stress, baseline: Option<&Path>, as_json: bool) -> Result<Exit> {
    if let Some(warning) = run.loaded.warning() {
        complain!("⚠️ {warning}");
    }
    // Read before anything is sent: a run takes minutes, a wrong path should not.
    let earlier = baseline.map(|path| -> Result<(&Path, Value)> {
        let text = files::read(path)?;
        let value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        Ok((path, value))
    });
    let earlier = earlier.transpose()?;
    bundle::ready(settings)?;
    let ran = run.run(&mut View::new(!as_json), &stop_on_signal()).await?;
    let finished_at = Timestamp::now();
    let written = run.write(settings, &ran, finished_at, fastrand::u32(..))?;
    let verdict = &ran.verdict;
    add_to_summary(settings, &run.redactor.text(&run.markdown(&ran, finished_at)))?;
    if settings.in_github_actions() && verdict.verdict != Verdict::Pass {
        let title = format!("Stress of {}", run.loaded.plan.stress);
        annotate("error", &title, run.redactor.text(&verdict.reason).as_str(), as_json);
    }
    if as_json {
        let changes = earlier.as_ref().map(|(_, earlier)| compare(earlier, &ran.tallies).0);
        let results = StressResults {
            changes: changes
                .as_ref()
                .map(|changes| changes.iter().map(FigureChange::of).collect()),
            ..run.results(&ran, finished_at)
        };
        say!("{}", run.redactor.json_pretty(json!(results)));
    } else {
        if let Some((path, earlier)) = &earlier {
            print_changes(path, earlier, &ran.tallies);
        }
        say!("{}: {}", verdict.verdict.tell(), verdict.reason);
        say!("Evidence: {}", written.folder.display());
        for path in &written.latest {
            say!("          {}", path.display());
        }
    }
    Ok(verdict.verdict.into())
}
