//! The private key that seals evidence: where it comes from, and making one.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use lensops_core::evidence::signature::SigningKey;
use lensops_core::secret::Secret;

use crate::commands::exit::Exit;
use crate::commands::files;
use crate::config::Settings;

/// The key of the settings: the variable, else the file it names.
pub(crate) fn signing_key(settings: &Settings) -> Result<Option<SigningKey>> {
    if let Some(seed) = settings.evidence_key() {
        return Ok(Some(SigningKey::from_hex(&seed).context("LENSOPS_EVIDENCE_KEY")?));
    }
    let Some(path) = settings.evidence_key_file() else {
        return Ok(None);
    };
    let shown = path.display();
    if is_within(&path, &settings.root) {
        bail!("{shown} lies within the repository: keep the evidence key outside of it");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path)
            .with_context(|| format!("{shown} cannot be read"))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            bail!("{shown} can be read by others: chmod 600 it");
        }
    }
    let seed = Secret::new(files::read(&path)?);
    Ok(Some(SigningKey::from_hex(&seed).with_context(|| shown.to_string())?))
}

pub(crate) fn is_within(path: &Path, root: &Path) -> bool {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match (folder.canonicalize(), root.canonicalize()) {
        (Ok(folder), Ok(root)) => folder.starts_with(root),
        _ => false,
    }
}

/// `lensops evidence keygen`: a private key into a 0600 file outside the repository. Prints the
/// public key.
///
/// # Errors
/// When the file is there already, lies within the repository, or cannot be written.
pub fn keygen(settings: &Settings, out: &Path) -> Result<Exit> {
    use std::io::Write as _;
    if is_within(out, &settings.root) {
        bail!(
            "{} lies within the repository: keep the evidence key outside of it",
            out.display()
        );
    }
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    let seed = Secret::new(seed.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let key = SigningKey::from_hex(&seed)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .open(out)
        .with_context(|| format!("{} cannot be created", out.display()))?;
    writeln!(file, "{}", seed.expose()).with_context(|| format!("{} cannot be written", out.display()))?;
    say!(
        "✅ Created: {} (keep it secret; name it in LENSOPS_EVIDENCE_KEY_FILE)",
        out.display()
    );
    say!("Public key: {}", key.public());
    Ok(Exit::Good)
}
