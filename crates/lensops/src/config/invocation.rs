//! Who runs a command, and whether it is a step of a CI job.

use std::path::PathBuf;

use super::settings::Settings;

impl Settings {
    /// Who runs this: the actor of the CI job, else the user of this shell.
    #[must_use]
    pub fn who(&self) -> String {
        let named = ["GITHUB_ACTOR", "USER", "LOGNAME"];
        let found = named.into_iter().find_map(|name| self.var(name));
        found.unwrap_or("somebody unnamed").to_owned()
    }

    /// Whether the run is one of GitHub's CI service.
    #[must_use]
    pub fn in_github_actions(&self) -> bool {
        self.var("GITHUB_ACTIONS") == Some("true")
    }

    /// The file that becomes the summary page of a CI step, if there is one.
    #[must_use]
    pub fn step_summary(&self) -> Option<PathBuf> {
        self.var("GITHUB_STEP_SUMMARY").map(PathBuf::from)
    }
}
