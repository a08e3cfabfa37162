//! Files: read with a clear error, written whole or not at all.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be {}", .path.display(), .attempt.as_str())]
pub struct FileError {
    path: PathBuf,
    attempt: Attempt,
    source: io::Error,
}

/// What was attempted on a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Read,
    Create,
    Write,
    Remove,
}

impl Attempt {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "created",
            Self::Write => "written",
            Self::Remove => "removed",
        }
    }
}

impl FileError {
    /// `path` could not be read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::on(path, Attempt::Read)
    }

    /// `path` could not be created.
    pub(crate) fn create(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::on(path, Attempt::Create)
    }

    /// `path` could not be written.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::on(path, Attempt::Write)
    }

    /// `path` could not be removed.
    pub(crate) fn remove(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::on(path, Attempt::Remove)
    }

    fn on(path: &Path, attempt: Attempt) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, attempt, source }
    }

    /// Whether something could not be created, written or removed, rather than read.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.attempt != Attempt::Read
    }
}

/// Reads a text file.
///
/// # Errors
/// When it is not there, is no text, or cannot be read.
pub fn read(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(|error| FileError::read(path)(in_words(error)))
}

/// What the library says of bytes that are no text, said so that a person knows what to do.
fn in_words(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::InvalidData {
        return io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8: save it as such");
    }
    error
}

/// Reads a text file that may be missing.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_if_there(path: &Path) -> Result<Option<String>, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(FileError::read(path)(in_words(source))),
    }
}

/// Removes a file that may be missing.
///
/// # Errors
/// When it is there and cannot be removed.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::remove(path)(error)),
        _ => Ok(()),
    }
}

/// Replaces files, each atomically, and keeps links and modes: all are written beside their targets before the first takes
/// its place, so that a full disk or a missing right leaves everything as it was.
///
/// # Errors
/// The first file that cannot be written.
pub fn replace_all<T: AsRef<[u8]>>(files: &[(PathBuf, T)]) -> Result<(), FileError> {
    let mut staged = Vec::with_capacity(files.len());
    for (path, content) in files {
        let there = followed(path).map_err(FileError::write(path))?;
        let file = stage(&there, content.as_ref()).map_err(FileError::write(path))?;
        staged.push((path, there, file));
    }
    for (path, there, file) in staged {
        file.persist(there)
            .map_err(|error| FileError::write(path)(error.error))?;
    }
    Ok(())
}

/// Where the content of `path` is: behind links, which stay links.
fn followed(path: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// Gives `file` the mode of the one that it replaces.
fn keep_mode(path: &Path, file: &std::fs::File) -> io::Result<()> {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = found.permissions().mode() & 0o777;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}

fn stage(path: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    if path.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "there is a folder of that name",
        ));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lensops-");
    // A temporary file is for its owner alone; what it becomes is for everybody the umask lets in.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    keep_mode(path, file.as_file())?;
    Ok(file)
}

/// The files below `folder` with that ending, sorted; none where the folder is missing.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn list(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, FileError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::read(folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(FileError::read(folder))?.path();
        if path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.ends_with(ending) && !name.starts_with('.'))
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
