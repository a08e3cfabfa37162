//! The repository as templates see it.

use lensops_core::template::RepoContext;

use crate::config::{FlagsAt, Runtime, Settings};

/// What templates see of the repository that `settings` are of.
pub(crate) fn repo_context(settings: &Settings) -> RepoContext {
    let project = &settings.project;
    let runtime = match project.runtime.unwrap_or(Runtime::Docker) {
        Runtime::Docker => "docker",
        Runtime::Rust => "rust",
    };
    RepoContext {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        install: project.install.clone(),
        single_worker: project.single_worker,
        runtime: runtime.to_owned(),
        api_base_url: project.api_base_url.clone(),
        branch: project.repository.branch.clone().unwrap_or_default(),
        folder: project.repository.root.clone(),
        paths: project.paths.clone(),
        shared: settings.defaults(),
        render: project.runtime.is_some() || matches!(project.flags, Some(FlagsAt::Render)),
    }
}
