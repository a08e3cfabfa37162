//! The private key that seals evidence: where it comes from, and making one.

use std::path::Path;

use lensops_core::evidence::signature::SigningKey;
use lensops_core::secret::Secret;

use crate::commands::error::{Context as _, Error, Result};
use crate::commands::exit::Exit;
use crate::commands::files::{self, FileError};
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
        return Err(Error::usage(format!(
            "{shown} lies within the repository: keep the evidence key outside of it"
        )));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path)
            .map_err(FileError::read(&path))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(Error::usage(format!("{shown} can be read by others: chmod 600 it")));
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
    let Ok(root) = root.canonicalize() else { return false };
    // A link within leads others to the key; one without may lead to a key that lies within.
    let places = [folder.canonicalize(), path.canonicalize()];
    places.into_iter().flatten().any(|place| place.starts_with(&root))
}

/// `lensops evidence keygen`: a private key into a 0600 file outside the repository. Prints the
/// public key.
///
/// # Errors
/// When the file is there already, lies within the repository, or cannot be written.
pub fn keygen(settings: &Settings, out: &Path) -> Result<Exit> {
    use std::io::Write as _;
    if is_within(out, &settings.root) {
        return Err(Error::usage(format!(
            "{} lies within the repository: keep the evidence key outside of it",
            out.display()
        )));
    }
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Error::Unanswered(format!("the system gives no random bytes: {error}")))?;
    let seed = Secret::new(seed.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let key = SigningKey::from_hex(&seed)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(out).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::usage(format!("{} exists already: choose another file", out.display()))
        }
        _ => FileError::create(out)(error).into(),
    })?;
    writeln!(file, "{}", seed.expose()).map_err(FileError::write(out))?;
    say!(
        "✅ Created: {} (keep it secret; name it in LENSOPS_EVIDENCE_KEY_FILE)",
        out.display()
    );
    say!("Public key: {}", key.public());
    Ok(Exit::Good)
}
