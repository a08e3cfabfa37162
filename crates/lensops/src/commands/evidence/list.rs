//! `lensops evidence list`: every run, whether it is as it was left, and whose it is.

use std::path::Path;

use lensops_core::evidence::Standing;
use lensops_core::redaction::one_line;
use serde_json::json;

use super::runs::{FOLDER, folders, verified};
use super::trust::{Trust, exit_of};
use crate::commands::error::Result;
use crate::commands::exit::Exit;
use crate::config::Settings;

/// A run as it lies there.
struct Row {
    run: String,
    /// What it says it is, what it came to; `None` where no manifest can be read.
    what: Option<(String, String)>,
    /// `as left`, `line ends differ`, or the first finding.
    state: String,
    whose: String,
    exit: Exit,
}

impl Row {
    fn of(folder: &Path, trust: &Trust) -> Self {
        let run = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let found = match verified(folder) {
            Ok((found, _)) => found,
            Err(error) => {
                return Self {
                    run,
                    what: None,
                    state: error.line(),
                    whose: "-".to_owned(),
                    exit: Exit::Bad,
                };
            }
        };
        let whose = trust.whose(&found);
        let manifest = found.manifest.as_ref();
        let renamed = manifest.is_some_and(|manifest| manifest.run_id != run);
        let cut_off = manifest.and_then(|run| trust.standing(run)) == Some(Standing::NotInChain);
        let state = match found.findings.first() {
            _ if renamed => "was renamed".to_owned(),
            Some(finding) if !found.is_as_left() => finding.to_string(),
            _ if cut_off => "in no chain with the expected head".to_owned(),
            Some(_) => "only line ends differ".to_owned(),
            None => "as left".to_owned(),
        };
        let counts = whose.as_ref().is_some_and(lensops_core::evidence::Whose::counts) && !renamed && !cut_off;
        Self {
            run,
            what: manifest.map(|run| (format!("{} of {}", run.kind, run.lens), run.verdict.to_string())),
            state,
            whose: whose.map_or_else(|| "-".to_owned(), |whose| whose.to_string()),
            exit: exit_of(counts, &found),
        }
    }
}

/// Lists every run below the repository, oldest first.
///
/// # Errors
/// When the runs cannot be listed.
pub fn list(settings: &Settings, head: Option<&str>, as_json: bool) -> Result<Exit> {
    let runs = settings.root.join(FOLDER).join("runs");
    let trust = Trust::of(settings.project.evidence.as_ref(), head, &runs)?;
    let rows: Vec<Row> = folders(settings)?
        .iter()
        .filter(|folder| {
            !folder
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'))
        })
        .map(|folder| Row::of(folder, &trust))
        .collect();
    let exits = || rows.iter().map(|row| row.exit);
    if as_json {
        let told = rows.iter().map(|row| {
            let (what, verdict) = row.what.clone().unzip();
            json!({"run": row.run, "what": what, "verdict": verdict, "state": row.state, "whose": row.whose,
                "counts": row.exit != Exit::Bad})
        });
        say!("{:#}", json!(told.collect::<Vec<_>>()));
    } else if rows.is_empty() {
        say!("No run has left evidence.");
    } else {
        for row in &rows {
            let sign = match row.exit {
                Exit::Good => "✅",
                Exit::Degraded => "⚠️",
                _ => "❌",
            };
            let (what, verdict) = row.what.clone().unwrap_or_else(|| ("-".to_owned(), "-".to_owned()));
            let line = format!("{sign} {}  {what}: {verdict} · {} · {}", row.run, row.state, row.whose);
            say!("{}", one_line(&line));
        }
    }
    Ok(if exits().any(|exit| exit == Exit::Bad) {
        Exit::Bad
    } else if exits().any(|exit| exit == Exit::Degraded) {
        Exit::Degraded
    } else {
        Exit::Good
    })
}
