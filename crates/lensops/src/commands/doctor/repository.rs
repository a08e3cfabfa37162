//! The repository: workflows lie where they run, start on the right branch and paths, and every generated file
//! is as the repository's own files say.

use lensops_core::plan::header;
use lensops_core::repository::PathPattern;

use super::finding::Findings;
use super::leaks::tracked;
use super::subject::Subject;
use crate::commands::files;
use crate::commands::generate::{drifted, templates};
use crate::commands::git::{self, Checkout};
use crate::config::{PROJECT_FILE, Settings};

const WORKFLOWS: &str = ".github/workflows";

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let settings = subject.settings;
    if let Err(error) = templates::load(settings, None) {
        findings.error(
            error.line(),
            format!("{PROJECT_FILE}, template_set"),
            "name a built-in set or a folder of the repository, or take the key out",
        );
    }
    if let Some(checkout) = git::checkout(&settings.root) {
        folder(settings, &checkout, findings);
        branch(settings, &checkout, findings);
        paths(subject, &checkout, findings);
    }
    // What keeps files from being rendered is found with the lenses.
    if let Ok(Some(drift)) = drifted(settings) {
        generated(&drift, findings);
    }
}

/// Whether the workflows lie where the service looks for them.
fn folder(settings: &Settings, checkout: &Checkout, findings: &mut Findings) {
    let place = format!("{PROJECT_FILE}, repository.root");
    let said = settings.project.repository.root.as_ref().map(ToString::to_string);
    let branch = settings.project.repository.branch.clone();
    let branch = branch
        .or_else(|| git::default_branch(&checkout.top))
        .unwrap_or_default();
    match (&said, &checkout.folder) {
        (Some(said), there) if Some(said) != there.as_ref() => findings.error(
            format!(
                "repository.root says {said}, and this folder is {} of the repository",
                there.as_deref().unwrap_or("the root")
            ),
            place,
            "name the folder of lensops.yml below the repository's root, or take the key out at the root",
        ),
        (None, Some(there)) if has_workflows(settings) => findings.warning(
            format!("the workflows below {there}/{WORKFLOWS} are run by nobody: the service reads the repository's root alone"),
            WORKFLOWS,
            format!("`repository: {{branch: {branch}, root: {there}}}` in {PROJECT_FILE}, then `lensops generate --prune`"),
        ),
        (Some(said), _) => findings.good(format!("workflows of {said} go to the repository's root")),
        _ => {}
    }
}

fn has_workflows(settings: &Settings) -> bool {
    let paths = files::list(&settings.root.join(WORKFLOWS), "").unwrap_or_default();
    let mut texts = paths.iter().filter_map(|path| files::read(path).ok());
    texts.any(|text| header::split(&text).is_some())
}

/// Whether pushes to the default branch start workflows.
fn branch(settings: &Settings, checkout: &Checkout, findings: &mut Findings) {
    let said = settings.project.repository.branch.clone().unwrap_or_default();
    let default = git::default_branch(&checkout.top);
    match default {
        Some(default) if default == said => {
            findings.good(format!("workflows start on pushes to {said}, the default branch"));
        }
        Some(default) => findings.warning(
            format!("workflows start on pushes to {said}, and the default branch is {default}"),
            format!("{PROJECT_FILE}, repository.branch"),
            format!("`repository: {{branch: {default}}}` in {PROJECT_FILE}, then `lensops generate`"),
        ),
        // A shallow checkout does not tell.
        None => {}
    }
}

/// Whether the paths that start acceptance are of files that there are.
fn paths(subject: &Subject<'_>, checkout: &Checkout, findings: &mut Findings) {
    let settings = subject.settings;
    let of_lenses = subject.lenses.iter().flatten().flat_map(|lens| &lens.paths);
    let patterns: Vec<&PathPattern> = settings.project.paths.iter().chain(of_lenses).collect();
    let Some(tracked) = (!patterns.is_empty()).then(|| tracked(&checkout.top)).flatten() else {
        return;
    };
    let folder = settings.project.repository.root.as_ref();
    for pattern in patterns {
        let rooted = pattern.rooted(folder).replace('\\', "");
        let fixed = rooted.split(['*', '?', '[', '+']).next().unwrap_or_default();
        if rooted.starts_with('!') || tracked.iter().any(|path| path.starts_with(fixed)) {
            continue;
        }
        findings.warning(
            format!("no tracked file is of path {pattern}: no change of it starts acceptance"),
            format!("paths of {PROJECT_FILE} or a lens"),
            "name the folder of the API's code; `/` in front begins at the repository's root",
        );
    }
}

/// Whether the files are as they would be generated.
fn generated(drift: &[String], findings: &mut Findings) {
    const SHOWN: usize = 3;
    if drift.is_empty() {
        return findings.good("every generated file is as its lens and lensops.yml say");
    }
    let more = if drift.len() > SHOWN { ", …" } else { "" };
    findings.warning(
        format!(
            "{} generated files are not as their lenses and lensops.yml say",
            drift.len()
        ),
        format!(
            "{}{more}",
            drift.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ")
        ),
        "`lensops generate --check` shows the differences, `lensops generate` writes them",
    );
}
