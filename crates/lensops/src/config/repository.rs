//! `repository` of `lensops.yml`: the git repository that the folder of lenses belongs to.

use lensops_core::repository::{Branch, RepoFolder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `repository` of `lensops.yml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RepositoryFile {
    /// The branch whose pushes start acceptance and drift; `main` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// The folder of `lensops.yml` below the repository's root, such as `services/api`: workflows are
    /// written to the root, where the service runs them. Left out, all files stay below this folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<RepoFolder>,
}

impl RepositoryFile {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
