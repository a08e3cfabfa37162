//! `lensops evidence verify` and `show`: a run's folder held against its manifest, and against the
//! run before it where that lies beside it.

use std::path::Path;

use lensops_core::evidence::manifest::Manifest;
use lensops_core::evidence::seal::Signed;
use lensops_core::evidence::signature::PublicKey;
use lensops_core::redaction::one_line;
use serde_json::{Value, json};

use super::runs::{FOLDER, verified};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::files::FileError;

/// How the run before stands, which a manifest names by id and hash.
#[derive(Debug, PartialEq, Eq)]
enum Before {
    /// This is the first run.
    First,
    /// It lies beside this one, as its own run left it.
    AsLeft(String),
    /// It does not lie beside this one: it was deleted, or this one was copied alone.
    NotHere(String),
    /// It lies there and is not what this run followed.
    Changed(String),
}

impl Before {
    fn of(folder: &Path, manifest: &Manifest) -> Result<Self> {
        let Some(previous) = &manifest.previous else {
            return Ok(Self::First);
        };
        let id = previous.run_id.clone();
        // The id comes from a file that anybody may have written: it names no folder elsewhere.
        let runs = folder
            .canonicalize()
            .map_err(FileError::read(folder))?
            .parent()
            .map(Path::to_owned);
        let place = runs.filter(|_| !id.contains(['/', '\\'])).map(|runs| runs.join(&id));
        let Some(place) = place.filter(|place| place.is_dir()) else {
            return Ok(Self::NotHere(id));
        };
        let Ok((found, _)) = verified(&place) else {
            return Ok(Self::Changed(id));
        };
        let same = found.manifest.is_some_and(|manifest| manifest.head == previous.head);
        Ok(if same && found.findings.is_empty() {
            Self::AsLeft(id)
        } else {
            Self::Changed(id)
        })
    }

    fn tell(&self) -> (bool, String) {
        match self {
            Self::First => (true, "✅ no run came before it".to_owned()),
            Self::AsLeft(id) => (true, format!("✅ the run before it, {id}, is as it was")),
            Self::NotHere(id) => {
                let why = "deleted, or not copied along";
                (true, format!("⚠️ the run before it, {id}, is not beside it: {why}"))
            }
            Self::Changed(id) => (
                false,
                format!("❌ the run before it, {id}, is not what this one followed"),
            ),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::First => "none",
            Self::AsLeft(_) => "as_left",
            Self::NotHere(_) => "not_here",
            Self::Changed(_) => "changed",
        }
    }
}

/// Who vouches for a run, held against who has to.
fn signer(signed: &Signed, trusted: Option<&PublicKey>) -> (bool, String) {
    match (signed, trusted) {
        (Signed::By(key), Some(trusted)) if key == trusted => (true, "✅ signed by the given key".to_owned()),
        (Signed::By(key), Some(_)) => (false, format!("❌ signed by another key: {key}")),
        (Signed::Unsigned, Some(_)) => (false, "❌ unsigned, though a key was given".to_owned()),
        (Signed::By(key), None) => (true, format!("✅ signed by {key} (give --key to demand whose it is)")),
        (Signed::Unsigned, None) => (true, "⚠️ unsigned: nobody vouches for it".to_owned()),
    }
}

/// What a folder's name says of its run, where that is not its id. Among the runs of a repository the
/// name is a run's place; a copy may be called as one likes.
fn place(folder: &Path, manifest: &Manifest) -> Result<Option<(bool, String)>> {
    let folder = folder.canonicalize().map_err(FileError::read(folder))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let id = &manifest.run_id;
    if folder.ends_with(id) {
        return Ok(None);
    }
    let among_runs = folder
        .parent()
        .is_some_and(|parent| parent.ends_with(Path::new(FOLDER).join("runs")));
    Ok(Some(if among_runs {
        (false, format!("❌ {id} was renamed to {name}"))
    } else {
        (true, format!("⚠️ this is a copy of the run {id}"))
    }))
}

/// Compares a run's folder with its manifest and prints what differs. With `trusted` the run must be
/// signed by that key. A run before it that is not beside it is said, and is no failure: evidence
/// travels run by run.
///
/// # Errors
/// When the folder cannot be read.
pub fn verify(folder: &Path, trusted: Option<&PublicKey>, as_json: bool) -> Result<Exit> {
    let (found, _) = verified(folder)?;
    let Some(manifest) = found.manifest.as_ref().filter(|_| found.findings.is_empty()) else {
        if as_json {
            say!(
                "{:#}",
                json!({"intact": false, "findings": found.findings, "manifest": found.manifest})
            );
        } else {
            for finding in &found.findings {
                say!("❌ {}", one_line(finding));
            }
        }
        return Ok(Exit::Bad);
    };
    let before = Before::of(folder, manifest)?;
    let checks: Vec<(bool, String)> = [signer(&found.signed, trusted), before.tell()]
        .into_iter()
        .chain(place(folder, manifest)?)
        .collect();
    let good = checks.iter().all(|(good, _)| *good);
    if as_json {
        let signed_by = match &found.signed {
            Signed::By(key) => json!(key.to_string()),
            Signed::Unsigned => Value::Null,
        };
        let findings: Vec<&str> = checks
            .iter()
            .filter(|(good, _)| !good)
            .map(|(_, line)| line.trim_start_matches("❌ "))
            .collect();
        say!(
            "{:#}",
            json!({"intact": good, "signed_by": signed_by, "previous": before.word(), "findings": findings, "manifest": manifest})
        );
    } else {
        for (_, line) in &checks {
            say!("{}", one_line(line));
        }
        if good {
            let told = format!(
                "✅ {} files are as the run left them: {} of {}, verdict {}, plan {}",
                manifest.files.len(),
                manifest.kind,
                manifest.lens,
                manifest.verdict,
                manifest.plan_origin
            );
            say!("{}", one_line(&told));
        }
    }
    Ok(if good { Exit::Good } else { Exit::Bad })
}

/// What a run's folder says of itself, verified or not.
///
/// # Errors
/// When the folder cannot be read or holds no manifest.
pub fn show(folder: &Path, as_json: bool) -> Result<Exit> {
    let (found, _) = verified(folder)?;
    let Some(manifest) = found.manifest else {
        return Err(Error::usage(format!(
            "{} holds no manifest that can be read",
            folder.display()
        )));
    };
    let exit = if found.findings.is_empty() {
        Exit::Good
    } else {
        Exit::Bad
    };
    if as_json {
        say!("{:#}", json!({"manifest": manifest, "findings": found.findings}));
        return Ok(exit);
    }
    let previous = manifest.previous.map_or_else(|| "none".to_owned(), |run| run.run_id);
    let plan = format!("{} ({})", manifest.plan_sha256, manifest.plan_origin);
    for (name, value) in [
        ("run", &manifest.run_id),
        ("kind", &manifest.kind.to_string()),
        ("lens", &manifest.lens),
        ("verdict", &manifest.verdict.to_string()),
        ("plan", &plan),
        ("finished", &manifest.finished_at),
        ("previous", &previous),
        ("signature", &manifest.signature),
    ] {
        say!("{name:9} {}", one_line(value));
    }
    for file in &manifest.files {
        say!("file      {}  {}", one_line(&file.sha256), one_line(&file.name));
    }
    for finding in &found.findings {
        say!("❌ {}", one_line(finding));
    }
    Ok(exit)
}
