//! `lensops export systemd|prometheus-rules|grafana`: what others run and watch the worker with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::files::FileError;

const UNIT: &str = include_str!("../../../operations/lensops-worker.service");
const RULES: &str = include_str!("../../../operations/prometheus-rules.yml");
const DASHBOARD: &str = include_str!("../../../operations/grafana.json");

/// Prints a hardened unit that runs `program`, this one where none is named, on the repository at `root`.
///
/// # Errors
/// When a path cannot stand in a unit.
pub fn systemd(program: Option<PathBuf>, root: &Path, listen: Option<SocketAddr>) -> Result<Exit> {
    let program = program.map_or_else(std::env::current_exe, Ok).map_err(Error::system)?;
    let root = root.canonicalize().map_err(FileError::read(root))?;
    let listen = listen.map_or_else(String::new, |address| format!(" --listen {address}"));
    let unit = UNIT
        .replace("@PROGRAM@", word(&program)?)
        .replace("@ROOT@", word(&root)?)
        .replace("@LISTEN@", &listen);
    say!("{}", unit.trim_end());
    Ok(Exit::Good)
}

/// A path as one word of a unit: what systemd would expand or split is refused, not escaped.
fn word(path: &Path) -> Result<&str> {
    match path.to_str() {
        Some(text) if text.starts_with('/') && !text.contains(['%', '$', '"', '\'', '\\', ' ', '\n', '\t']) => Ok(text),
        _ => Err(Error::usage(format!(
            "{} cannot stand in a unit: use an absolute path without spaces, quotes, % and $",
            path.display()
        ))),
    }
}

/// Prints alerting rules.
#[must_use]
pub fn prometheus_rules() -> Exit {
    say!("{}", RULES.trim_end());
    Exit::Good
}

/// Prints a dashboard.
#[must_use]
pub fn grafana() -> Exit {
    say!("{}", DASHBOARD.trim_end());
    Exit::Good
}
