//! Whose the runs are that lie in a folder: by the project's keys, and by a head that somebody kept.

use std::path::Path;

use lensops_core::evidence::manifest::{self, Manifest};
use lensops_core::evidence::seal::Verification;
use lensops_core::evidence::{EvidenceFile, Standing, Whose};

use crate::commands::error::Result;
use crate::commands::exit::Exit;
use crate::commands::files;

/// What runs are held against.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    keys: EvidenceFile,
    /// The head of a run that somebody kept elsewhere, and what lies in the folder of runs.
    kept: Option<(String, Vec<Manifest>)>,
}

impl Trust {
    /// By these keys, and by `head` of one of the runs below the folder `runs`.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn of(keys: Option<&EvidenceFile>, head: Option<&str>, runs: &Path) -> Result<Self> {
        let kept = match head {
            None => None,
            Some(head) => {
                let folders = files::list(runs, "")?;
                let manifests = folders.iter().filter_map(|folder| {
                    let text = files::read(&folder.join(manifest::FILE)).ok()?;
                    serde_json::from_str(&text).ok()
                });
                Some((head.to_owned(), manifests.collect()))
            }
        };
        Ok(Self {
            keys: keys.cloned().unwrap_or_default(),
            kept,
        })
    }

    /// How a run stands to the head that was kept; `None` where none was.
    #[must_use]
    pub fn standing(&self, run: &Manifest) -> Option<Standing> {
        let (head, runs) = self.kept.as_ref()?;
        Some(Standing::of(run, head, runs))
    }

    /// Whose a run is that is as it was left; `None` where it is not.
    #[must_use]
    pub fn whose(&self, found: &Verification) -> Option<Whose> {
        let manifest = found.manifest.as_ref().filter(|_| found.is_as_left())?;
        let standing = self.standing(manifest);
        Some(Whose::of(found.signed, &manifest.finished_at, &self.keys, standing))
    }
}

/// The exit code of a run that may count, by whether its line ends are as it left them.
pub(crate) fn exit_of(counts: bool, found: &Verification) -> Exit {
    match (counts, found.findings.is_empty()) {
        (false, _) => Exit::Bad,
        (true, true) => Exit::Good,
        (true, false) => Exit::Degraded,
    }
}
