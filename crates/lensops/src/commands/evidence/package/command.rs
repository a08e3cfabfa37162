//! `lensops evidence package`: the runs read, the gate asked, the document written.

use std::path::PathBuf;

use jiff::Timestamp;
use lensops_core::duration::parse_span;
use lensops_core::ident::LensId;
use lensops_core::verdict::RunKind;
use serde_json::Value;

use super::criteria::Gates;
use super::criteria::{flags, idempotency, readiness, roles, scripts, signatures, stress_section};
use super::render::{html, markdown};
use super::results::{Runs, is_flag_case, is_idempotency};
use super::section::Section;
use crate::commands::context::{monitor_plan, open_history};
use crate::commands::error::Result;
use crate::commands::evidence::runs::FOLDER;
use crate::commands::evidence::trust::Trust;
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::commands::plans::{Which, load};
use crate::commands::rollout::gate::gate;
use crate::config::Settings;

/// The windows of the gate that a package looks at.
///
/// # Errors
/// Never: both are constants.
pub fn windows() -> Result<[jiff::SignedDuration; 2]> {
    Ok([parse_span("24h")?, parse_span("7d")?])
}

/// Writes the evidence package of `lens` as of `now`.
///
/// # Errors
/// A plan that is not valid, history that cannot be read, or a package that cannot be written.
pub async fn run(settings: &Settings, lens: &str, head: Option<&str>, now: Timestamp) -> Result<Exit> {
    let plan = monitor_plan(settings, load(settings, &Which::Lens(lens))?)?.plan;
    let history = open_history(settings).await?;
    let [day, week] = windows()?;
    let day = gate(&history, &plan, day, now, now).await?;
    let week = gate(&history, &plan, week, now, now).await?;
    package(settings, &plan.monitor, &Gates { day, week }, head, now)
}

/// Writes the package of `lens` from the runs that verify and what the gate says. With `head` they must be in
/// one chain with the run that has it.
///
/// # Errors
/// When a run that is there cannot be read, or the package cannot be written.
pub fn package(settings: &Settings, lens: &LensId, gates: &Gates, head: Option<&str>, now: Timestamp) -> Result<Exit> {
    let folder = settings.root.join(FOLDER).join("phase6");
    let below = settings.root.join(FOLDER).join("runs");
    let trust = Trust::of(settings.project.evidence.as_ref(), head, &below)?;
    let runs = Runs::of(settings, lens, &trust)?;
    let sections = sections(lens, &runs, gates);
    let title = format!("Evidence: {}", lens.title());
    let made = format!(
        "Made {} from the runs that were there.",
        now.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    let redactor = settings.redactor();
    let texts = [
        ("md", redactor.text(&markdown(&title, &made, &sections))),
        ("html", redactor.text(&html(&title, &made, &sections))),
    ];
    let paths = texts.iter().map(|(ending, text)| {
        (
            folder.join(format!("{}_EVIDENCE.{ending}", lens.upper())),
            text.as_str(),
        )
    });
    let paths: Vec<(PathBuf, &str)> = paths.collect();
    files::replace_all(&paths)?;
    for (path, _) in &paths {
        say!("✅ Created: {}", path.display());
    }
    for line in &runs.refused {
        say!("❌ Not used: {line}");
    }
    for name in &runs.foreign {
        say!("⚠️ Not used: {name}: its plan was not generated for the lens");
    }
    Ok(if runs.refused.is_empty() { Exit::Good } else { Exit::Bad })
}

/// Every part of the document, runs that were not used last.
fn sections(lens: &LensId, runs: &Runs, gates: &Gates) -> Vec<Section> {
    let has =
        |run: &Value, wanted: fn(&Value) -> bool| run["cases"].as_array().is_some_and(|cases| cases.iter().any(wanted));
    // A run of chosen scenarios says nothing of those that were left out.
    let acceptance = runs.newest(RunKind::Acceptance, |run| run["scenarios"].is_null());
    let stress = runs.newest(RunKind::Stress, |_| true);
    let matrix = runs.newest(RunKind::Matrix, |_| true);
    let flag_run = runs.newest(RunKind::Acceptance, |run| has(run, is_flag_case));
    let twice = runs.newest(RunKind::Acceptance, |run| has(run, is_idempotency));
    let mut sections = vec![
        signatures(lens, acceptance),
        stress_section(lens, stress),
        flags(lens, flag_run),
        idempotency(twice),
        roles(lens, matrix),
        scripts(lens),
        readiness(acceptance, stress, matrix, gates),
    ];
    if !runs.refused.is_empty() {
        let mut section = Section::new("Runs that were not used");
        section.text.push(
            "Their files are not as the runs left them, or no trusted key signed them: nothing is taken from them."
                .to_owned(),
        );
        section.head = vec!["run and finding"];
        section.rows = runs.refused.iter().map(|line| vec![line.clone()]).collect();
        sections.push(section);
    }
    if !runs.foreign.is_empty() {
        let mut section = Section::new("Runs of other plans");
        let why =
            "Their plans were not generated for the lens and may ask for less than it needs: they prove nothing here.";
        section.text.push(why.to_owned());
        section.head = vec!["run"];
        section.rows = runs.foreign.iter().map(|name| vec![name.clone()]).collect();
        sections.push(section);
    }
    sections
}
