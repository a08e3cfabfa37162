//! `lensops generate --check`: what would change, as a unified diff, and nothing written.

use lensops_core::plan::header::lf;
use serde_json::json;
use similar::TextDiff;

use super::planned::{Planned, Standing};
use crate::commands::exit::Exit;

/// A file that is not as it would be generated.
struct Drift<'a> {
    path: &'a str,
    /// Why nobody but a person may mend it; `None` where `generate` does.
    refused: Option<&'a str>,
    /// What would change, or the text to be entered by hand.
    change: String,
}

fn drift(file: &Planned) -> Drift<'_> {
    let change = if file.why.is_some() {
        file.text.trim_end().to_owned()
    } else {
        let before = lf(file.before.as_deref().unwrap_or_default());
        let diff = TextDiff::from_lines(before.as_ref(), &file.text);
        let (before, after) = (format!("a/{}", file.shown), format!("b/{}", file.shown));
        let text = diff.unified_diff().header(&before, &after).to_string();
        text.trim_end_matches('\n').to_owned()
    };
    Drift {
        path: &file.shown,
        refused: file.why.as_deref(),
        change,
    }
}

/// What makes the files as they would be generated.
fn remedies(planned: &[Planned]) -> String {
    let any = |standings: &[Standing]| planned.iter().any(|file| standings.contains(&file.standing));
    let mut remedies = Vec::new();
    if any(&[Standing::New, Standing::Changed]) {
        remedies.push("`lensops generate` writes them");
    }
    if any(&[Standing::Edited, Standing::Foreign]) {
        remedies.push(
            "what was written by hand belongs into the lens's `overrides` (`lensops generate --force` overwrites it)",
        );
    }
    if any(&[Standing::Stale]) {
        remedies.push("`lensops generate --prune` removes what is of no lens");
    }
    if any(&[Standing::Refused]) {
        remedies.push("what cannot be edited safely is entered by hand");
    }
    remedies.join("; ")
}

/// Prints every difference. None: 0; any: 1.
pub(super) fn check(planned: &[Planned], as_json: bool) -> Exit {
    let differing = planned.iter().filter(|file| file.standing != Standing::Same);
    let drifts: Vec<Drift<'_>> = differing.map(drift).collect();
    let exit = if drifts.is_empty() { Exit::Good } else { Exit::Bad };
    if as_json {
        let told: Vec<_> = drifts
            .iter()
            .map(|drift| match drift.refused {
                Some(why) => json!({"path": drift.path, "by_hand": why, "text": drift.change}),
                None => json!({"path": drift.path, "diff": drift.change}),
            })
            .collect();
        say!("{:#}", json!({"files": planned.len(), "drifted": told}));
        return exit;
    }
    for drift in &drifts {
        match drift.refused {
            Some(why) => say!(
                "{} cannot be edited safely ({why}): enter by hand\n{}",
                drift.path,
                drift.change
            ),
            None => say!("{}", drift.change),
        }
    }
    if drifts.is_empty() {
        say!("✅ {} files are as generated", planned.len());
    } else {
        say!(
            "❌ {} of {} files differ: {}",
            drifts.len(),
            planned.len(),
            remedies(planned)
        );
    }
    exit
}
