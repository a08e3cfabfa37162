//! Evidence bundles: a folder a run, made whole before it gets its name, and copies of the latest.

use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lensops_core::crypto::digest::sha256_hex;
use lensops_core::evidence::Whose;
use lensops_core::evidence::manifest::{self, Manifest, Previous};
use lensops_core::evidence::seal::{Files, Signed};
use lensops_core::ident::LensId;
use lensops_core::plan::header::PlanOrigin;
use lensops_core::redaction::{Redacted, Redactor};
use lensops_core::verdict::{RunKind, Verdict};
use uuid::Uuid;

use super::key::signing_key;
use super::runs::{FOLDER, LARGEST_ARTEFACT, readable};
use crate::commands::error::{Error, Result};
use crate::commands::files::{self, FileError};
use crate::config::Settings;

/// How a run's id begins.
const STAMP: &str = "%Y%m%dT%H%M%S%3fZ";

/// What a run leaves behind.
#[derive(Debug)]
pub struct Bundle<'a> {
    /// What kind of run.
    pub kind: RunKind,
    /// The lens.
    pub lens: &'a LensId,
    /// The tenants that its files may speak of; `None` where nobody knows all of them.
    pub tenants: Option<Vec<Uuid>>,
    /// What the run came to.
    pub verdict: Verdict,
    /// The plan that ran.
    pub plan_text: &'a str,
    /// How that plan stands to what is generated.
    pub plan_origin: PlanOrigin,
    /// When the run ended.
    pub finished_at: Timestamp,
    /// Keeps two runs of one second apart.
    pub nonce: u32,
    /// The artefacts: name and redacted text. Those named in `latest` are copied to `phase6/`.
    pub files: Vec<(String, Redacted)>,
    /// Names of the artefacts of which `phase6/` holds the latest.
    pub latest: Vec<String>,
}

/// Where a bundle was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The run's folder.
    pub folder: PathBuf,
    /// The copies of the latest.
    pub latest: Vec<PathBuf>,
}

/// Writes `bundle` below the repository, signed where the settings hold a key.
///
/// # Errors
/// When a file cannot be written, or the key cannot be used; then no folder of that run is there.
pub fn write(settings: &Settings, bundle: Bundle<'_>, redactor: &Redactor) -> Result<Written> {
    let key = signing_key(settings)?;
    let runs = settings.root.join(FOLDER).join("runs");
    std::fs::create_dir_all(&runs).map_err(FileError::create(&runs))?;
    let _held_until_written = lock(&runs);
    let (previous, last) = previous(&runs)?;
    let run_id = format!(
        "{}-{}-{}-{:06x}",
        stamp(bundle.finished_at, last),
        bundle.lens,
        bundle.kind,
        bundle.nonce & 0xff_ffff
    );
    let folder = runs.join(&run_id);
    let manifest = Manifest {
        run_id,
        kind: bundle.kind.into(),
        lens: bundle.lens.to_string(),
        tenants: bundle.tenants,
        verdict: bundle.verdict.into(),
        plan_sha256: sha256_hex(bundle.plan_text.as_bytes()),
        plan_origin: bundle.plan_origin.into(),
        finished_at: bundle.finished_at.to_string(),
        lensops: env!("CARGO_PKG_VERSION").to_owned(),
        previous,
        files: Vec::new(),
        head: String::new(),
        signature: String::new(),
    };
    let files = bundle.files.into_iter();
    let mut artefacts: Files = files.map(|(name, text)| (name, text.into_bytes())).collect();
    artefacts.insert("plan.yml".to_owned(), redactor.text(bundle.plan_text).into_bytes());
    if let Some((name, _)) = artefacts
        .iter()
        .find(|(_, bytes)| bytes.len() as u64 > LARGEST_ARTEFACT)
    {
        return Err(Error::usage(format!(
            "{name} is larger than {LARGEST_ARTEFACT} bytes: run fewer cases at a time"
        )));
    }
    let sealed = manifest.seal(artefacts, key.as_ref());
    place(&sealed, &runs, &folder)?;

    let phase = settings.root.join(FOLDER).join("phase6");
    let texts = bundle.latest.iter().filter_map(|name| sealed.get_key_value(name));
    let latest: Vec<(PathBuf, &[u8])> = texts.map(|(name, text)| (phase.join(name), text.as_slice())).collect();
    files::replace_all(&latest)?;
    Ok(Written {
        folder,
        latest: latest.into_iter().map(|(path, _)| path).collect(),
    })
}

/// Puts `sealed` into `folder` below `runs`, whole or not at all.
fn place(sealed: &Files, runs: &Path, folder: &Path) -> Result<()> {
    let staged = tempfile::Builder::new()
        .prefix(".run-")
        .tempdir_in(runs)
        .map_err(FileError::write(runs))?;
    for (name, bytes) in sealed {
        let path = staged.path().join(name);
        std::fs::write(&path, bytes).map_err(FileError::write(&path))?;
    }
    let staged = staged.keep();
    std::fs::rename(&staged, folder).map_err(FileError::write(folder))?;
    readable(folder)
}

/// Keeps other runs out while this one takes its place: two at once would both follow the same run,
/// and the chain would fork. The system lets go of the lock when the process ends, however it ends.
fn lock(runs: &Path) -> Option<std::fs::File> {
    let locked = std::fs::File::open(runs).and_then(|folder| folder.lock().map(|()| folder));
    // Some file systems know no locks; that must not cost a run its evidence.
    let untold = |error| {
        complain!(
            "⚠️ {} cannot be locked, do not run two at once: {error}",
            runs.display()
        )
    };
    locked.map_err(untold).ok()
}

/// The time in a run's id, to the millisecond: when the run ended, or just after the run that it
/// follows where that one ended later, so that ids sort as the chain goes.
fn stamp(finished_at: Timestamp, last: Option<Timestamp>) -> String {
    let after = last.map(|last| last.saturating_add(SignedDuration::from_millis(1)));
    let at = after
        .and_then(Result::ok)
        .map_or(finished_at, |after| after.max(finished_at));
    at.strftime(STAMP).to_string()
}

/// The run before and the time in its id: folders sort by time.
fn previous(runs: &Path) -> Result<(Option<Previous>, Option<Timestamp>)> {
    let folders = files::list(runs, "")?;
    let manifests = folders.iter().rev().map(|folder| folder.join(manifest::FILE));
    for path in manifests.filter(|path| path.exists()) {
        // What somebody broke must not cost this run its evidence; the chain goes on from the one before.
        match files::read(&path).map(|text| serde_json::from_str::<Manifest>(&text)) {
            Ok(Ok(manifest)) => {
                let last = stamp_of(&manifest.run_id);
                let previous = Previous {
                    run_id: manifest.run_id,
                    head: manifest.head,
                };
                return Ok((Some(previous), last));
            }
            _ => complain!("⚠️ {} cannot be read: this run follows an earlier one", path.display()),
        }
    }
    Ok((None, None))
}

fn stamp_of(run_id: &str) -> Option<Timestamp> {
    let (stamp, _) = run_id.split_once('-')?;
    let stamp = DateTime::strptime(STAMP, stamp).ok()?;
    TimeZone::UTC.to_timestamp(stamp).ok()
}

/// Whether a run could leave its evidence: the key opens and the folder takes a file. Asked before
/// the first request, since what a run did to the API cannot be taken back.
///
/// # Errors
/// When it could not.
pub fn ready(settings: &Settings) -> Result<()> {
    let key = signing_key(settings)?;
    if let Some(keys) = &settings.project.evidence {
        let signed = key.map_or(Signed::Unsigned, |key| Signed::By(key.public()));
        let whose = Whose::of(signed, &Timestamp::now().to_string(), keys, None);
        if !whose.counts() {
            complain!("⚠️ this run will not count: {whose}");
        }
    }
    for below in ["runs", "phase6"] {
        let folder = settings.root.join(FOLDER).join(below);
        std::fs::create_dir_all(&folder).map_err(FileError::create(&folder))?;
        tempfile::Builder::new()
            .prefix(".ready-")
            .tempfile_in(&folder)
            .map_err(FileError::write(&folder))?;
    }
    Ok(())
}
