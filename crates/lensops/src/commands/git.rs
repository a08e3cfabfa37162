//! What git says of a folder: where its repository begins, and which branch is the default one.

use std::path::{Path, PathBuf};
use std::process::Command;

use lensops_core::repository::Branch;

/// The checkout that a folder lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// The repository's root.
    pub(crate) top: PathBuf,
    /// The folder below it, with `/`; `None` where it is the root.
    pub(crate) folder: Option<String>,
}

/// The checkout of `folder`; `None` where there is none. Looks for `.git` upwards and asks no program.
pub(crate) fn checkout(folder: &Path) -> Option<Checkout> {
    let here = folder.canonicalize().ok()?;
    let top = here.ancestors().find(|above| above.join(".git").exists())?;
    let below = here.strip_prefix(top).ok()?;
    let parts: Vec<&str> = below.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    Some(Checkout {
        top: top.to_owned(),
        folder: (!parts.is_empty()).then(|| parts.join("/")),
    })
}

/// What `git` prints; `None` where it fails or is not there. Variables of a hook do not count.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// The default branch of a repository; `None` where git does not tell it.
///
/// It is the one that the remote calls its head; else `main` where there is one; else the only one.
pub(crate) fn default_branch(top: &Path) -> Option<Branch> {
    let head = git(top, &["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"]);
    if let Some(name) = head.as_deref().and_then(|name| name.trim().strip_prefix("origin/")) {
        return name.parse().ok();
    }
    let all = git(
        top,
        &[
            "for-each-ref",
            "--format=%(refname)",
            "refs/heads",
            "refs/remotes/origin",
        ],
    )?;
    let below = |prefix: &str| -> Vec<&str> { all.lines().filter_map(|name| name.strip_prefix(prefix)).collect() };
    let (remote, local) = (below("refs/remotes/origin/"), below("refs/heads/"));
    if remote.contains(&"main") || local.contains(&"main") {
        return Some(Branch::default());
    }
    match (remote.as_slice(), local.as_slice()) {
        ([only], _) | ([], [only]) => only.parse().ok(),
        // Before the first commit there is no branch but the one to come.
        ([], []) => git(top, &["symbolic-ref", "--quiet", "--short", "HEAD"])?
            .trim()
            .parse()
            .ok(),
        _ => None,
    }
}
