//! `lensops evidence verify` and `show`: a run's folder held against its manifest, and against the
//! run before it where that lies beside it.

use std::path::Path;

use lensops_core::evidence::manifest::Manifest;
use lensops_core::evidence::seal::{Signed, Verification};
use lensops_core::evidence::signature::PublicKey;
use lensops_core::evidence::{EvidenceFile, Finding, Standing, Whose};
use lensops_core::redaction::one_line;
use serde_json::{Value, json};

use super::runs::{FOLDER, verified};
use super::trust::{Trust, exit_of};
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
        Ok(if same && found.findings.iter().all(Finding::is_line_ends) {
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

/// What a run is held against.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held<'a> {
    /// `--key`: the key that must have signed it, whatever the project trusts.
    pub key: Option<&'a PublicKey>,
    /// The project's keys.
    pub keys: Option<&'a EvidenceFile>,
    /// `--expect-head`: the head of a run that somebody kept elsewhere.
    pub head: Option<&'a str>,
}

/// Who vouches for a run, held against who has to.
fn signer(found: &Verification, held: &Held<'_>, trust: &Trust) -> (bool, String) {
    match (&found.signed, held.key) {
        (Signed::By(key), Some(trusted)) if key == trusted => return (true, "✅ signed by the given key".to_owned()),
        (Signed::By(key), Some(_)) => return (false, format!("❌ signed by another key: {key}")),
        (Signed::Unsigned, Some(_)) => return (false, "❌ unsigned, though a key was given".to_owned()),
        (_, None) => {}
    }
    match trust.whose(found) {
        Some(Whose::By(key)) => (
            true,
            format!(
                "⚠️ signed by {key}: consistent, and whose it is nobody says (give --key, or name trusted_keys in lensops.yml)"
            ),
        ),
        Some(Whose::Unsigned) | None => (true, "⚠️ unsigned: nobody vouches for it".to_owned()),
        Some(whose @ Whose::Trusted(_)) => (true, format!("✅ {whose}, whose key is trusted")),
        Some(whose @ Whose::NotTrusted(_)) => (false, format!("❌ {whose}")),
    }
}

/// How a run stands to the head that somebody kept, where one was given.
fn kept(trust: &Trust, manifest: &Manifest) -> Option<(bool, String)> {
    Some(match trust.standing(manifest)? {
        Standing::UpTo => (
            true,
            "✅ it stands up to the expected head: nobody wrote it later".to_owned(),
        ),
        Standing::After => (true, "✅ it follows the run with the expected head".to_owned()),
        Standing::NotInChain => (
            false,
            "❌ the expected head is in no chain with it: runs were removed, or were never here".to_owned(),
        ),
    })
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

/// Compares a run's folder with its manifest, with the keys that are trusted and the head that was kept,
/// and prints what differs. A run before it that is not beside it is said, and is no failure: evidence
/// travels run by run.
///
/// # Errors
/// When the folder cannot be read.
pub fn verify(folder: &Path, held: &Held<'_>, as_json: bool) -> Result<Exit> {
    let (found, _) = verified(folder)?;
    let Some(manifest) = found.manifest.as_ref().filter(|_| found.is_as_left()) else {
        tell_changed(&found, as_json);
        return Ok(Exit::Bad);
    };
    let at = folder.canonicalize().map_err(FileError::read(folder))?;
    let trust = Trust::of(held.keys, held.head, at.parent().unwrap_or(&at))?;
    let before = Before::of(folder, manifest)?;
    let checks: Vec<(bool, String)> = [signer(&found, held, &trust), before.tell()]
        .into_iter()
        .chain(kept(&trust, manifest))
        .chain(place(folder, manifest)?)
        .collect();
    let good = checks.iter().all(|(good, _)| *good);
    if as_json {
        let signed_by = match &found.signed {
            Signed::By(key) => json!(key.to_string()),
            Signed::Unsigned => Value::Null,
        };
        let failed = checks.iter().filter(|(good, _)| !good);
        let findings: Vec<String> = failed
            .map(|(_, line)| line.trim_start_matches("❌ ").to_owned())
            .chain(found.findings.iter().map(ToString::to_string))
            .collect();
        say!(
            "{:#}",
            json!({"intact": good, "signed_by": signed_by, "whose": trust.whose(&found).map(|whose| whose.to_string()),
                "line_ends_differ": !found.findings.is_empty(), "previous": before.word(), "findings": findings,
                "manifest": manifest})
        );
    } else {
        for (_, line) in &checks {
            say!("{}", one_line(line));
        }
        if let Some(finding) = found.findings.first() {
            let more = found.findings.len() - 1;
            say!("⚠️ {} (and {more} more files)", one_line(&finding.to_string()));
        }
        if good {
            let as_left = if found.findings.is_empty() {
                "✅ {} files are as the run left them"
            } else {
                "⚠️ {} files are as the run left them but for their line ends"
            };
            let as_left = as_left.replace("{}", &manifest.files.len().to_string());
            let (kind, lens, verdict) = (&manifest.kind, &manifest.lens, &manifest.verdict);
            let told = format!(
                "{as_left}: {kind} of {lens}, verdict {verdict}, plan {}",
                manifest.plan_origin
            );
            say!("{}", one_line(&told));
        }
    }
    Ok(exit_of(good, &found))
}

/// Prints what makes a run another than it was.
fn tell_changed(found: &Verification, as_json: bool) {
    let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
    if as_json {
        say!(
            "{:#}",
            json!({"intact": false, "findings": findings, "manifest": found.manifest})
        );
        return;
    }
    for finding in &findings {
        say!("❌ {}", one_line(finding));
    }
}

/// What a run's folder says of itself, verified or not.
///
/// # Errors
/// When the folder cannot be read or holds no manifest.
pub fn show(folder: &Path, as_json: bool) -> Result<Exit> {
    let (found, _) = verified(folder)?;
    let Some(manifest) = found.manifest.clone() else {
        return Err(Error::usage(format!(
            "{} holds no manifest that can be read",
            folder.display()
        )));
    };
    let exit = exit_of(found.findings.iter().all(Finding::is_line_ends), &found);
    let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
    if as_json {
        say!("{:#}", json!({"manifest": manifest, "findings": findings}));
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
    for finding in &findings {
        say!("❌ {}", one_line(finding));
    }
    Ok(exit)
}
