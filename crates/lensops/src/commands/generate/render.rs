//! Renders the files of all lenses, and holds each beside the one on disk.

use lensops_core::ident::LensId;
use lensops_core::lens::Lens;
use lensops_core::template::{PlanKind, RepoContext, TemplateError, TemplateSet};
use lensops_core::yaml::{self, Mistake, YamlErrors};

use super::lens_options::NewLens;
use super::options::Options;
use super::planned::{Planned, plan_file, plan_lens_file, stale_files};
use super::templates;
use crate::commands::error::{Error, Result};
use crate::commands::files;
use crate::commands::plans::{LENSES, lens_paths, load_lens};
use crate::config::{Runtime, Settings};

/// Renders everything; the notes say what came from where and what is missing.
pub(super) fn plan(
    settings: &Settings,
    new: Option<NewLens>,
    options: &Options,
) -> Result<(Vec<Planned>, Vec<String>)> {
    let set = templates::load(options.template_dir.as_deref())?;
    let new_id = new.as_ref().map(|new| LensId::from_human(&new.lens_id)).transpose()?;
    let (mut lenses, mut notes) = others(settings, new_id.as_ref(), options)?;
    let mut planned = Vec::new();
    if let Some(new) = new {
        let (lens, told) = new.into_lens(settings, &lenses)?;
        notes.extend(told);
        let (resolved, told) = lens.clone().resolve(&settings.defaults(), options.allow_placeholders)?;
        notes.extend(told);
        planned.extend(plan_lens_file(settings, &lens, &resolved, options)?);
        lenses.push(resolved);
        lenses.sort_by(|a, b| a.lens.cmp(&b.lens));
    }
    renderable(settings, &set, &lenses, options)?;
    let wanted = |lens: Option<&LensId>| new_id.is_none() || lens.is_none() || lens == new_id.as_ref();
    for lens in lenses.iter().filter(|lens| wanted(Some(&lens.lens))) {
        notes.extend(lens.warnings().into_iter().map(|warning| format!("⚠️ {warning}")));
    }
    let repo = repo_context(settings, options);
    overridden(settings, &set, &lenses, &repo)?;
    let rendered = set.render(&lenses, &repo)?;
    let stale = stale_files(settings, &set.folders(), &rendered, set.name())?;
    for file in rendered.into_iter().filter(|file| wanted(file.lens.as_ref())) {
        let (file, told) = plan_file(settings, file, options.prune)?;
        planned.push(file);
        notes.extend(told);
    }
    for file in &stale {
        if !options.prune {
            notes.push(format!(
                "⚠️ {} is of no lens: `lensops generate --prune` removes it",
                file.shown
            ));
        }
    }
    if new_id.is_none() {
        planned.extend(stale);
    }
    Ok((planned, notes))
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

/// Refuses to render no lens at all, and a lens of another template set.
fn renderable(settings: &Settings, set: &TemplateSet, lenses: &[Lens], options: &Options) -> Result<()> {
    if lenses.is_empty() && !options.prune {
        return Err(Error::usage(format!(
            "no lens below {}: give --lens-id and its options to make the first",
            settings.root.join(LENSES).display()
        )));
    }
    if let Some(lens) = lenses.iter().find(|lens| lens.template_set != set.name()) {
        return Err(Error::usage(format!(
            "lens {} wants template set {:?}, which is not {:?}: give --template-dir, or mend its `template_set:`",
            lens.lens,
            lens.template_set,
            set.name()
        )));
    }
    Ok(())
}

/// Refuses overrides whose plans cannot run, all of them at once and each where the lens says it.
fn overridden(settings: &Settings, set: &TemplateSet, lenses: &[Lens], repo: &RepoContext) -> Result<()> {
    let mut wrong = Vec::new();
    for lens in lenses.iter().filter(|lens| lens.overrides.is_some()) {
        let errors = set.override_errors(lens, repo);
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

fn repo_context(settings: &Settings, options: &Options) -> RepoContext {
    let runtime = match options.runtime.or(settings.project.runtime).unwrap_or(Runtime::Docker) {
        Runtime::Docker => "docker",
        Runtime::Rust => "rust",
    };
    RepoContext {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        install: settings.project.install.clone(),
        single_worker: options.single_worker,
        runtime: runtime.to_owned(),
        api_base_url: settings.project.api_base_url.clone(),
    }
}
