//! `lensops generate`: lens files become everything that follows from them.
//!
//! All is rendered before the first file is written. What a person edited by hand stops the run;
//! what is the same is not touched.

mod drift;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use indexmap::IndexMap;
use lensops_core::ident::{EnvName, Ident, LensId};
use lensops_core::lens::{Lens, ReadAction, SignedAction, Slo, User};
use lensops_core::plan::header::{self, Origin, origin};
use lensops_core::schedule::Every;
use lensops_core::schema::{self, Mistake};
use lensops_core::template::{
    PlanKind, Rendered, RepoContext, TemplateError, TemplateSet, blueprint, render_lens_file,
};
use lensops_core::yaml::YamlErrors;
use serde_json::Value;
use uuid::Uuid;

use super::plans::{LENSES, lens_paths, load_lens};
use super::{Exit, files, templates};
use crate::config::{Runtime, Settings};

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

/// A lens as the command line gives it.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the option of the same name")]
pub struct NewLens {
    pub lens_id: String,
    pub domain: String,
    pub feature_flags: Vec<EnvName>,
    pub roles: Vec<Ident>,
    pub yacht_ids: Vec<Uuid>,
    pub users: IndexMap<Ident, User>,
    pub signed_action: Option<Ident>,
    pub entity_type: Option<Ident>,
    pub entity_id_key: Option<Ident>,
    pub read_action: Option<Ident>,
    pub test_entities: Vec<Uuid>,
    pub signers: Vec<Ident>,
    pub consumes_entity: bool,
    pub signed_payload: IndexMap<Ident, Value>,
    pub interval: Option<Every>,
}

impl NewLens {
    /// The lens of the options. Ids they leave out come from `lensops.yml`, which is looked at
    /// when the lens is resolved, or from another lens; the notes say which.
    fn into_lens(self, settings: &Settings, others: &[Lens]) -> Result<(Lens, Vec<String>)> {
        let mut notes = Vec::new();
        let id = LensId::from_human(&self.lens_id)?;
        let entity_id_key = |option: &str| {
            self.entity_id_key
                .clone()
                .with_context(|| format!("{option} needs --entity-id-key: the payload key that names the entity"))
        };
        let mut users = self.users.clone();
        let mut signers = self.signers.clone();
        let known = |name: &Ident, users: &IndexMap<Ident, User>| {
            users.contains_key(name) || settings.project.users.contains_key(name)
        };
        for name in ["hod", "crew", "captain"]
            .into_iter()
            .map(str::parse::<Ident>)
            .filter_map(Result::ok)
            .chain(signers.clone())
        {
            let other = others.iter().find_map(|other| Some((other, other.users.get(&name)?)));
            if let (false, Some((other, user))) = (known(&name, &users), other) {
                notes.push(format!("user {name} comes from lens {}", other.lens));
                users.insert(name, user.clone());
            }
        }
        let mut tenants = self.yacht_ids.clone();
        if let (true, true, Some(other)) = (tenants.is_empty(), settings.project.tenants.is_empty(), others.first()) {
            tenants.clone_from(&other.tenants);
            notes.push(format!("tenants come from lens {}", other.lens));
        }
        let signed_action = match &self.signed_action {
            None => {
                if self.entity_type.is_some()
                    || !signers.is_empty()
                    || self.consumes_entity
                    || !self.signed_payload.is_empty()
                {
                    bail!(
                        "--entity-type, --signers, --consumes-entity and --signed-payload describe a signed action: give --signed-action, or leave them out"
                    );
                }
                None
            }
            Some(name) => {
                if signers.is_empty() {
                    let usual = ["captain", "hod"].into_iter().filter_map(|name| name.parse().ok());
                    signers = usual.filter(|name| known(name, &users)).collect();
                    if signers.is_empty() {
                        bail!("--signed-action needs --signers: the users whose signature must be accepted");
                    }
                }
                Some(SignedAction {
                    name: name.clone(),
                    entity_type: self
                        .entity_type
                        .clone()
                        .context("--signed-action needs --entity-type: what it creates or changes")?,
                    entity_id_key: entity_id_key("--signed-action")?,
                    signers,
                    payload: self.signed_payload.clone(),
                    entities: self.test_entities.clone(),
                    consumes_entity: self.consumes_entity,
                    proof: None,
                    idempotency: None,
                })
            }
        };
        let read_action = match &self.read_action {
            None => None,
            Some(name) => Some(ReadAction {
                name: name.clone(),
                entity_id_key: entity_id_key("--read-action")?,
                entity: self.test_entities.first().copied(),
            }),
        };
        let lens = Lens {
            lens: id,
            domain: self.domain.parse().context("--domain")?,
            template_set: templates::BUILT_IN.to_owned(),
            flags: self.feature_flags,
            roles: self.roles,
            tenants,
            users,
            signed_action,
            read_action,
            every: self.interval.unwrap_or(Every::QUARTER_HOUR),
            samples: None,
            slo: Slo::default(),
            paused: None,
            maintenance: Vec::new(),
            overrides: None,
        };
        Ok((lens, notes))
    }
}

/// What a rendered file is beside the one on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Same,
    New,
    Changed,
    /// Edited by hand since it was generated.
    Edited,
    /// Not written by lensops.
    Foreign,
    /// Shared with others, and not safe to edit: what is missing is shown instead.
    Refused,
    /// Generated for a lens that is no more.
    Stale,
}

struct Planned {
    path: PathBuf,
    shown: String,
    text: String,
    before: Option<String>,
    standing: Standing,
    /// Why it is [`Standing::Refused`].
    why: Option<String>,
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
            let (line, column) = schema::place(&text, &["overrides", kind.key()]);
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

/// The lens file is a person's: one that says something else is not overwritten.
fn plan_lens_file(settings: &Settings, lens: &Lens, resolved: &Lens, options: &Options) -> Result<Option<Planned>> {
    let shown = format!("{LENSES}/{}.yml", lens.lens);
    let path = settings.root.join(&shown);
    let before = files::read_if_there(&path)?;
    if before.is_some() && !options.force {
        let (there, _) = load_lens(settings, &path, options.allow_placeholders)?;
        if there != *resolved {
            bail!(
                "{shown} is there and says something else: edit it and run `lensops generate`, or give --force to replace it"
            );
        }
        return Ok(None);
    }
    let text = render_lens_file(&templates::lens_file()?, lens)?;
    let standing = standing(before.as_deref(), &text);
    // With force the person asked for it to be replaced.
    let standing = if standing == Standing::Foreign {
        Standing::Changed
    } else {
        standing
    };
    Ok(Some(Planned {
        path,
        shown,
        text,
        before,
        standing,
        why: None,
    }))
}

/// What a rendered file is beside the one on disk, and what there is to say of it.
fn plan_file(settings: &Settings, file: Rendered, prune: bool) -> Result<(Planned, Vec<String>)> {
    let path = settings.root.join(&file.path);
    let before = files::read_if_there(&path)?;
    let (mut text, mut why, mut notes) = (file.text, None, Vec::new());
    let standing = if file.blueprint {
        match blueprint::edit(before.as_deref(), &text, prune) {
            Ok(edited) => {
                text = edited.text;
                let told = |name: &String| {
                    format!(
                        "⚠️ service {name} of {} is of no lens: `lensops generate --prune` removes it",
                        file.path
                    )
                };
                notes.extend(edited.orphans.iter().map(told));
                match &before {
                    None => Standing::New,
                    Some(before) if *before == text => Standing::Same,
                    Some(_) => Standing::Changed,
                }
            }
            Err(refusal) => {
                why = Some(refusal.to_string());
                Standing::Refused
            }
        }
    } else {
        standing(before.as_deref(), &text)
    };
    let planned = Planned {
        path,
        shown: file.path,
        text,
        before,
        standing,
        why,
    };
    Ok((planned, notes))
}

/// Files beside the rendered ones that this template set made for lenses that are no more.
fn stale_files(
    settings: &Settings,
    folders: &BTreeSet<String>,
    rendered: &[Rendered],
    set: &str,
) -> Result<Vec<Planned>> {
    let mut stale = Vec::new();
    for folder in folders {
        for path in files::list(&settings.root.join(folder), "")? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let shown = format!("{folder}/{name}");
            if rendered.iter().any(|file| file.path == shown) {
                continue;
            }
            // What is no text was not generated.
            let Ok(before) = files::read(&path) else { continue };
            let ours =
                header::split(&before).is_some_and(|(header, _)| header.template_set.split('@').next() == Some(set));
            if ours {
                stale.push(Planned {
                    path,
                    shown,
                    text: String::new(),
                    before: Some(before),
                    standing: Standing::Stale,
                    why: None,
                });
            }
        }
    }
    Ok(stale)
}

fn standing(before: Option<&str>, text: &str) -> Standing {
    match before {
        None => Standing::New,
        Some(before) if before == text => Standing::Same,
        Some(before) => match origin(before) {
            Origin::Generated => Standing::Changed,
            Origin::Edited => Standing::Edited,
            Origin::Foreign => Standing::Foreign,
        },
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

/// Reads `NAME=ROLE:UUID`.
///
/// # Errors
/// When it is anything else.
pub fn parse_user(text: &str) -> Result<(Ident, User), String> {
    let refuse =
        || format!("{text:?} is not NAME=ROLE:UUID, such as captain=captain:7672d3d4-fe80-5fb8-80e2-58b12b95d5b6");
    let (name, rest) = text.split_once('=').ok_or_else(refuse)?;
    let (role, id) = rest.rsplit_once(':').ok_or_else(refuse)?;
    let id = Uuid::try_parse(id).map_err(|_| refuse())?;
    let (name, role) = (name.parse().map_err(|_| refuse())?, role.parse().map_err(|_| refuse())?);
    Ok((
        name,
        User {
            id,
            role,
            signs_as: None,
        },
    ))
}

/// Reads `key=value`; a value that is JSON is taken as such, anything else as text.
///
/// # Errors
/// When there is no `=`, or the key is no name.
pub fn parse_payload(text: &str) -> Result<(Ident, Value), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not key=value"))?;
    let key = key.parse::<Ident>().map_err(|error| error.to_string())?;
    Ok((
        key,
        serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    ))
}

/// The user of `--hod-user-id` and its kin: the usual role of that name. The head of department
/// is a chief engineer who signs as manager.
#[must_use]
pub fn usual_user(name: &str, id: Uuid) -> Option<(Ident, User)> {
    let (role, signs_as) = match name {
        "hod" => ("chief_engineer", Some("manager")),
        other => (other, None),
    };
    let signs_as = signs_as.and_then(|role| role.parse().ok());
    Some((
        name.parse().ok()?,
        User {
            id,
            role: role.parse().ok()?,
            signs_as,
        },
    ))
}
