//! `lensops generate`: lens files become everything that follows from them.
//!
//! All is rendered before the first file is written. What a person edited by hand stops the run;
//! what is the same is not touched.

mod drift;
pub mod new_lens;
mod options;
mod planned;
pub mod schemas;
pub mod templates;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use lensops_core::ident::LensId;
use lensops_core::lens::Lens;
use lensops_core::plan::header::{Origin, origin};
use lensops_core::template::{PlanKind, RepoContext, TemplateError, TemplateSet};
use lensops_core::yaml::{self, Mistake, YamlErrors};

use crate::commands::exit::Exit;
use crate::commands::files;
use crate::commands::plans::{LENSES, lens_paths, load_lens};
use crate::config::{Runtime, Settings};
pub use options::{NewLens, parse_payload, parse_user, usual_user};
use planned::{Planned, Standing, plan_file, plan_lens_file, stale_files};

/// What to do with what was rendered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Write what differs.
    #[default]
    Write,
    /// Write nothing, show the differences, exit 1 on any.
    Check {
        /// As JSON.
        json: bool,
    },
    /// Write nothing, list what would be written.
    DryRun,
}

/// How to generate.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What to do.
    pub mode: Mode,
    /// Overwrite hand edits.
    pub force: bool,
    /// Accept placeholder ids.
    pub allow_placeholders: bool,
    /// A template set in a folder.
    pub template_dir: Option<PathBuf>,
    /// One worker service for all lenses.
    pub single_worker: bool,
    /// How the hosting provider runs it.
    pub runtime: Option<Runtime>,
    /// Remove what was generated for lenses that are no more.
    pub prune: bool,
}

/// Generates the files of one new lens, or of all lenses.
///
/// # Errors
/// Bad options, a lens that does not hold together, a template that does not render, hand edits
/// without `force`, or a file that cannot be written. Nothing is written then.
pub fn generate(settings: &Settings, new: Option<NewLens>, options: &Options) -> Result<Exit> {
    let (planned, notes) = plan(settings, new, options)?;
    for note in notes {
        eprintln!("{note}");
    }
    match options.mode {
        Mode::Write => {
            write(&planned, options)?;
            report(&planned, options);
            // Something is left for a person to do.
            let refused = planned.iter().any(|file| file.standing == Standing::Refused);
            Ok(if refused { Exit::Degraded } else { Exit::Good })
        }
        Mode::Check { json } => Ok(drift::check(&planned, json)),
        Mode::DryRun => {
            dry_run(&planned);
            Ok(Exit::Good)
        }
    }
}

/// Writes what [`generate`] would, says nothing, and returns how many files there are.
///
/// # Errors
/// As [`generate`].
pub fn generate_quietly(settings: &Settings, new: Option<NewLens>, options: &Options) -> Result<usize> {
    let (planned, _) = plan(settings, new, options)?;
    write(&planned, options)?;
    Ok(planned.len())
}

/// What the files of `new` would hold: path below the output folder and text.
///
/// # Errors
/// As [`generate`].
pub fn preview(settings: &Settings, new: NewLens, options: &Options) -> Result<Vec<(String, String)>> {
    let (planned, _) = plan(settings, Some(new), options)?;
    Ok(planned.into_iter().map(|file| (file.shown, file.text)).collect())
}

/// Renders everything; the notes say what came from where and what is missing.
fn plan(settings: &Settings, new: Option<NewLens>, options: &Options) -> Result<(Vec<Planned>, Vec<String>)> {
    let set = templates::load(options.template_dir.as_deref())?;
    let new_id = new.as_ref().map(|new| LensId::from_human(&new.lens_id)).transpose()?;
    let (mut lenses, mut notes) = (Vec::new(), Vec::new());
    for path in lens_paths(settings)? {
        let is_new = new_id
            .as_ref()
            .is_some_and(|id| path.file_stem().is_some_and(|stem| stem == id.as_str()));
        if !is_new {
            let (lens, told) = load_lens(settings, &path, options.allow_placeholders)?;
            lenses.push(lens);
            if new_id.is_none() {
                notes.extend(told);
            }
        }
    }
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
    if lenses.is_empty() && !options.prune {
        bail!(
            "no lens below {}: give --lens-id and its options to make the first",
            settings.root.join(LENSES).display()
        );
    }
    if let Some(lens) = lenses.iter().find(|lens| lens.template_set != set.name()) {
        bail!(
            "lens {} wants template set {:?}, which is not {:?}: give --template-dir, or mend its `template_set:`",
            lens.lens,
            lens.template_set,
            set.name()
        );
    }
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
            let message = format!("overrides.{}: {:#}", kind.key(), anyhow::Error::from(error));
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

/// Writes what differs; a file that is not safe to edit is left as it is.
fn write(planned: &[Planned], options: &Options) -> Result<()> {
    let is_edited = |file: &&Planned| match file.standing {
        Standing::Edited | Standing::Foreign => true,
        Standing::Stale => {
            options.prune
                && file
                    .before
                    .as_deref()
                    .is_some_and(|text| origin(text) == Origin::Edited)
        }
        _ => false,
    };
    let edited: Vec<&Planned> = planned.iter().filter(is_edited).collect();
    if let (false, Some(first)) = (options.force, edited.first()) {
        let names: Vec<&str> = edited.iter().map(|file| file.shown.as_str()).collect();
        let what = if first.standing == Standing::Foreign {
            "not written by lensops"
        } else {
            "edited by hand"
        };
        bail!(
            "{what}: {}: nothing was written; put the change into the lens's `overrides`, or give --force to overwrite",
            names.join(", ")
        );
    }
    let changed: Vec<(PathBuf, &str)> = planned
        .iter()
        .filter(|file| !matches!(file.standing, Standing::Same | Standing::Refused | Standing::Stale))
        .map(|file| (file.path.clone(), file.text.as_str()))
        .collect();
    files::replace_all(&changed)?;
    for file in planned
        .iter()
        .filter(|file| options.prune && file.standing == Standing::Stale)
    {
        std::fs::remove_file(&file.path).with_context(|| format!("{} cannot be removed", file.shown))?;
    }
    Ok(())
}

fn report(planned: &[Planned], options: &Options) {
    for file in planned {
        match file.standing {
            Standing::Refused => say!(
                "⚠️ Kept: {} cannot be edited safely ({}); enter this by hand:\n{}",
                file.shown,
                file.why.as_deref().unwrap_or_default(),
                file.text.trim_end()
            ),
            Standing::Stale if options.prune => say!("✅ Removed: {}", file.shown),
            Standing::Stale => {}
            Standing::Same => say!("✅ Unchanged: {}", file.shown),
            _ => say!("✅ Created: {}", file.shown),
        }
    }
}

fn dry_run(planned: &[Planned]) {
    for file in planned {
        let what = match file.standing {
            Standing::Same => "unchanged",
            Standing::New => "would create",
            Standing::Changed => "would update",
            Standing::Edited => "edited by hand, would stop",
            Standing::Foreign => "not written by lensops, would stop",
            Standing::Refused => "cannot be edited safely, would be kept",
            Standing::Stale => "of no lens, would go with --prune",
        };
        say!("{what}: {}", file.shown);
    }
}
