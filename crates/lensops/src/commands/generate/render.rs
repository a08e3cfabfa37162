//! Renders the files of all lenses, and holds each beside the one on disk.

use std::collections::BTreeSet;

use lensops_core::ident::LensId;
use lensops_core::lens::Lens;
use lensops_core::template::{PlanKind, Rendered, RepoContext, TemplateError, TemplateSet, render_all};
use lensops_core::yaml::{self, Mistake, YamlErrors};

use super::attributes::plan_attributes;
use super::lens_options::NewLens;
use super::options::Options;
use super::planned::{Left, Planned, plan_file, plan_lens_file, stale_files};
use super::repo::repo_context;
use super::sets::Sets;
use super::{project_keys, templates};
use crate::commands::error::{Error, Result};
use crate::commands::files;
use crate::commands::plans::{LENSES, lens_paths, load_lens};
use crate::config::{PROJECT_FILE, Settings};

/// Renders everything; the notes say what came from where and what is missing.
pub(super) fn plan(
    settings: &Settings,
    new: Option<NewLens>,
    options: &Options,
) -> Result<(Vec<Planned>, Vec<String>)> {
    let mut found = project_keys::find(settings, options);
    found.api(new.as_ref().and_then(|new| new.first.as_deref()));
    if new.as_ref().is_some_and(NewLens::is_asked_for) {
        found.alerts();
    }
    let mut sets = Sets::load(&found.settings, options.template_dir.as_deref())?;
    let mut planned: Vec<Planned> = found.planned(options)?.into_iter().collect();
    let (settings, mut notes) = (&found.settings, found.notes);
    let new_id = new.as_ref().map(|new| LensId::from_human(&new.lens_id)).transpose()?;
    let (mut lenses, told) = others(settings, new_id.as_ref(), options)?;
    notes.extend(told);
    if let Some(new) = new {
        let (lens, told) = new.into_lens(settings, &lenses, sets.project().name())?;
        notes.extend(told);
        sets.add(settings, &lens)?;
        let (resolved, told) = lens.clone().resolve(&settings.defaults(), options.allow_placeholders)?;
        notes.extend(told);
        planned.extend(plan_lens_file(
            settings,
            &lens,
            &resolved,
            sets.of(&lens).terms(),
            options,
        )?);
        lenses.push(resolved);
        lenses.sort_by(|a, b| a.lens.cmp(&b.lens));
    }
    for lens in &lenses {
        sets.add(settings, lens)?;
    }
    renderable(settings, &lenses, options)?;
    let wanted = |lens: Option<&LensId>| new_id.is_none() || lens.is_none() || lens == new_id.as_ref();
    for lens in lenses.iter().filter(|lens| wanted(Some(&lens.lens))) {
        let takes = |option: &str| sets.of(lens).terms().takes(option);
        notes.extend(lens.warnings(takes).into_iter().map(|warning| format!("⚠️ {warning}")));
    }
    let repo = repo_context(settings);
    overridden(settings, &sets, &lenses, &repo)?;
    let rendered = render_all(&sets.with(&lenses), &repo)?;
    notes.extend(workflow_notes(&rendered));
    notes.extend(untaken(settings, &sets));
    let names: Vec<&str> = sets.all().map(TemplateSet::name).chain(templates::BUILT_INS).collect();
    let stale = stale_files(settings, &left_behind(&sets, &repo), &rendered, &names)?;
    for file in rendered.into_iter().filter(|file| wanted(file.lens.as_ref())) {
        let (file, told) = plan_file(settings, file, options.prune)?;
        planned.push(file);
        notes.extend(told);
    }
    let lines = if lenses.is_empty() {
        Vec::new()
    } else {
        sets.attributes(&repo)
    };
    planned.extend(plan_attributes(settings, &lines)?);
    notes.extend(header_note(&planned, &sets.tell()));
    for file in stale.iter().filter(|_| !options.prune) {
        notes.push(stale_note(file));
    }
    if new_id.is_none() {
        planned.extend(stale.into_iter().map(|file| file.planned));
    }
    Ok((planned, notes))
}

fn stale_note(file: &Left) -> String {
    let what = match &file.moved_to {
        Some(path) => format!("is generated as {path} now"),
        None => "is of no lens".to_owned(),
    };
    format!(
        "⚠️ {} {what}: `lensops generate --prune` removes it",
        file.planned.shown
    )
}

/// Where files of these sets may stand that they make no more: their folders, those of the built-in sets that they may
/// be made of, and those below this folder where workflows go to the repository's root.
fn left_behind(sets: &Sets, repo: &RepoContext) -> BTreeSet<(bool, String)> {
    let below = RepoContext {
        folder: None,
        ..repo.clone()
    };
    let mut folders: BTreeSet<(bool, String)> = sets.all().flat_map(|set| set.folders(repo)).collect();
    folders.extend(sets.all().flat_map(|set| set.folders(&below)));
    folders.extend(templates::USUAL_FOLDERS.map(|folder| (false, folder.to_owned())));
    folders
}

/// What `lensops.yml` says for a template set that no lens is of.
fn untaken(settings: &Settings, sets: &Sets) -> Option<String> {
    let given = settings.project.registry.is_some();
    let taken = sets.all().any(|set| set.terms().takes_of_project("registry"));
    (given && !taken).then(|| {
        format!(
            "⚠️ {PROJECT_FILE} names a `registry`, which template set {} does not take",
            sets.tell()
        )
    })
}

/// What a workflow lacks that the lens or the repository asks for: a set that was made before does not know it.
fn workflow_notes(rendered: &[Rendered]) -> Vec<String> {
    let mut notes = Vec::new();
    for file in rendered
        .iter()
        .filter(|file| file.at_root && !file.text.contains("working-directory:"))
    {
        notes.push(format!(
            "⚠️ {} does not run in the folder of lensops.yml: give its template `working-directory: [[ repo.root|yaml ]]`",
            file.path
        ));
    }
    for plan in rendered {
        let command = match plan.plan {
            Some(PlanKind::Acceptance) => "lensops accept ",
            Some(PlanKind::Stress) => "lensops stress ",
            Some(PlanKind::Monitor) | None => continue,
        };
        let listed = if plan.plan == Some(PlanKind::Stress) {
            "stress_env"
        } else {
            "plan_env"
        };
        // A document that shows the command runs nothing.
        let is_page = |file: &Rendered| file.path.ends_with(".md");
        let runs = |file: &&Rendered| file.lens == plan.lens && !is_page(file) && file.text.contains(command);
        for asked in &plan.env {
            for workflow in rendered.iter().filter(runs) {
                if !workflow.text.contains(asked.name.as_str()) {
                    notes.push(format!(
                        "⚠️ {} does not give {} that {} asks for: let its template list `{listed}`",
                        workflow.path, asked.name, plan.path
                    ));
                }
            }
        }
    }
    notes
}

/// Says once why files change that nobody changed.
fn header_note(planned: &[Planned], set: &str) -> Option<String> {
    let count = planned.iter().filter(|file| file.is_header_alone()).count();
    (count > 0).then(|| {
        format!(
            "· {count} files change in their header line alone: it hashes the templates and the parts of the lens that each is made of, and lensops {} or template set {set} brings others",
            env!("CARGO_PKG_VERSION")
        )
    })
}

/// The lenses of the repository but the new one. Only where there is no new one do their notes count.
fn others(settings: &Settings, new_id: Option<&LensId>, options: &Options) -> Result<(Vec<Lens>, Vec<String>)> {
    let (mut lenses, mut notes) = (Vec::new(), Vec::new());
    for path in lens_paths(settings)? {
        let is_new = new_id.is_some_and(|id| path.file_stem().is_some_and(|stem| stem == id.as_str()));
        if !is_new {
            let (lens, told) = load_lens(settings, &path, options.allow_placeholders)?;
            lenses.push(lens);
            if new_id.is_none() {
                notes.extend(told);
            }
        }
    }
    Ok((lenses, notes))
}

/// Refuses to render no lens at all.
fn renderable(settings: &Settings, lenses: &[Lens], options: &Options) -> Result<()> {
    if lenses.is_empty() && !options.prune {
        return Err(Error::usage(format!(
            "no lens below {}: give --lens-id and its options to make the first",
            settings.root.join(LENSES).display()
        )));
    }
    Ok(())
}

/// Refuses overrides whose plans cannot run, all of them at once and each where the lens says it.
fn overridden(settings: &Settings, sets: &Sets, lenses: &[Lens], repo: &RepoContext) -> Result<()> {
    let mut wrong = Vec::new();
    for lens in lenses.iter().filter(|lens| lens.overrides.is_some()) {
        let errors = sets.of(lens).override_errors(lens, repo);
        if errors.is_empty() {
            continue;
        }
        let path = settings.root.join(LENSES).join(format!("{}.yml", lens.lens));
        let text = files::read(&path)?;
        let mistake = |(kind, error): (PlanKind, TemplateError)| {
            let (line, column) = yaml::place(&text, &["overrides", kind.key()]);
            let message = format!("overrides.{}: {}", kind.key(), Error::from(error).line());
            Mistake { line, column, message }
        };
        let mistakes = errors.into_iter().map(mistake).collect();
        wrong.extend(YamlErrors::at(&path.display().to_string(), &text, mistakes).0);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(YamlErrors(wrong).into())
}
