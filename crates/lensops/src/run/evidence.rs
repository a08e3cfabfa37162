//! Evidence bundles: a folder a run, made whole before it gets its name, and copies of the latest.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use lensops_core::digest::sha256_hex;
use lensops_core::evidence::{Manifest, Redacted, Redactor, manifest};
use lensops_core::ident::LensId;
use lensops_core::verdict::Verdict;

use super::{Exit, files};

/// The folder of all evidence below the repository.
pub const FOLDER: &str = "verification_handoff";

/// What a run leaves behind.
#[derive(Debug)]
pub struct Bundle<'a> {
    /// `acceptance` or `stress`.
    pub kind: &'static str,
    /// The lens.
    pub lens: &'a LensId,
    /// What the run came to.
    pub verdict: Verdict,
    /// The plan that ran.
    pub plan_text: &'a str,
    /// `generated`, `edited`, `stale` or `foreign`.
    pub plan_origin: &'static str,
    /// When the run ended.
    pub finished_at: Timestamp,
    /// Keeps two runs of one second apart.
    pub nonce: u32,
    /// The artefacts: name and redacted text. The first two are copied to `phase6/` under the
    /// given names.
    pub files: Vec<(String, Redacted)>,
}

/// Where a bundle was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The run's folder.
    pub folder: PathBuf,
    /// The copies of the latest.
    pub latest: Vec<PathBuf>,
}

/// Writes `bundle` below `root`.
///
/// # Errors
/// When a file cannot be written; then no folder of that run is there.
pub fn write(root: &Path, bundle: Bundle<'_>, redactor: &Redactor) -> Result<Written> {
    let stamp = bundle.finished_at.strftime("%Y%m%dT%H%M%SZ");
    let run_id = format!(
        "{stamp}-{}-{}-{:06x}",
        bundle.lens,
        bundle.kind,
        bundle.nonce & 0xff_ffff
    );
    let runs = root.join(FOLDER).join("runs");
    let folder = runs.join(&run_id);
    std::fs::create_dir_all(&runs).with_context(|| format!("{} cannot be created", runs.display()))?;
    let staged = tempfile::Builder::new()
        .prefix(".run-")
        .tempdir_in(&runs)
        .with_context(|| format!("{} cannot be written", runs.display()))?;

    let latest_names: Vec<String> = bundle.files.iter().take(2).map(|(name, _)| name.clone()).collect();
    let mut artefacts = bundle.files;
    artefacts.push(("plan.yml".to_owned(), redactor.text(bundle.plan_text)));
    let manifest = Manifest {
        run_id,
        kind: bundle.kind.to_owned(),
        lens: bundle.lens.to_string(),
        verdict: bundle.verdict.as_str().to_owned(),
        plan_sha256: sha256_hex(bundle.plan_text.as_bytes()),
        plan_origin: bundle.plan_origin.to_owned(),
        finished_at: bundle.finished_at.to_string(),
        lensops: env!("CARGO_PKG_VERSION").to_owned(),
        files: Vec::new(),
        head: String::new(),
        signature: "unsigned".to_owned(),
    };
    let sealed = manifest.seal(
        artefacts
            .iter()
            .map(|(name, text)| (name.clone(), text.as_str().into()))
            .collect(),
    );
    artefacts.push((
        manifest::FILE.to_owned(),
        redactor.json_pretty(&serde_json::to_value(&sealed)?),
    ));
    for (name, text) in &artefacts {
        let path = staged.path().join(name);
        std::fs::write(&path, text.as_str()).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let staged = staged.keep();
    std::fs::rename(&staged, &folder).with_context(|| format!("{} cannot be written", folder.display()))?;
    readable(&folder)?;

    let phase = root.join(FOLDER).join("phase6");
    let texts = artefacts.iter().filter(|(name, _)| latest_names.contains(name));
    let latest: Vec<(PathBuf, &str)> = texts.map(|(name, text)| (phase.join(name), text.as_str())).collect();
    files::replace_all(&latest)?;
    Ok(Written {
        folder,
        latest: latest.into_iter().map(|(path, _)| path).collect(),
    })
}

/// A temporary folder is for its owner alone; evidence is for the auditor.
fn readable(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
            .with_context(|| format!("{} cannot be made readable", folder.display()))?;
    }
    Ok(())
}

/// Compares a run's folder with its manifest and prints what differs.
///
/// # Errors
/// When the folder holds no manifest that can be read.
pub fn verify(folder: &Path) -> Result<Exit> {
    let text = files::read(&folder.join(manifest::FILE))?;
    let manifest: Manifest = serde_json::from_str(&text)
        .with_context(|| format!("{} is no manifest", folder.join(manifest::FILE).display()))?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == manifest::FILE {
            continue;
        }
        if !entry.file_type()?.is_file() {
            bail!("{name} in {} is no file: a bundle holds files alone", folder.display());
        }
        found.push((name, std::fs::read(entry.path())?));
    }
    let differences = manifest.differences(found);
    if differences.is_empty() {
        println!(
            "✅ {} files are as the run left them; verdict {}, plan {}, {}",
            manifest.files.len(),
            manifest.verdict,
            manifest.plan_origin,
            manifest.signature
        );
        return Ok(Exit::Good);
    }
    for difference in &differences {
        println!("❌ {difference}");
    }
    Ok(Exit::Bad)
}

/// A fence for a block of Markdown: longer than any run of backticks within.
#[must_use]
pub fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}\n", text.trim_end())
}
