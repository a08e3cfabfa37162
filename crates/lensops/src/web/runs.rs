//! The runs that left evidence, and where the dashboard finds them.

use lensops_core::ident::LensId;
use lensops_core::named::Named;
use lensops_core::verdict::{RunKind, Verdict};
use uuid::Uuid;

/// A run that left evidence, as it verifies now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id, which is the name of its folder.
    pub id: String,
    /// What kind of run.
    pub kind: Named<RunKind>,
    /// What it came to.
    pub verdict: Named<Verdict>,
    /// The tenants that its files may speak of; `None` where nobody knows all of them.
    pub tenants: Option<Vec<Uuid>>,
    /// When it ended.
    pub finished_at: String,
    /// Whether every file is as the run left it.
    pub intact: bool,
    /// Whether it counts: where keys are trusted, one of them signed it.
    pub counts: bool,
    /// Whose it is.
    pub whose: String,
    /// What differs; one line.
    pub told: String,
    /// Names of its files.
    pub files: Vec<String>,
}

impl Run {
    /// Whether it proves a pass.
    pub(super) fn passed(&self) -> bool {
        self.intact && self.counts && self.verdict.is(Verdict::Pass)
    }
}

/// Where evidence is found. Reading may block.
pub trait Runs: Send + Sync {
    /// The latest runs of `lens`, newest first; none where there are none.
    fn of(&self, lens: &LensId) -> Vec<Run>;
    /// The run with this id; `None` where there is none.
    fn run(&self, id: &str) -> Option<Run>;
    /// The bytes of a file of a run; `None` where there is none.
    fn file(&self, run: &str, name: &str) -> Option<Vec<u8>>;
}
