//! A template set, and what a lens becomes with it.

use std::collections::{BTreeMap, BTreeSet};

use error::{manifest_error, told};
use indexmap::IndexMap;
use manifest::{Output, SetManifest};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

use super::context::RepoContext;
use super::error::TemplateError;
use super::kind::PlanKind;
use super::manifest::MANIFEST;
use crate::crypto::digest::sha256_hex;
use crate::ident::LensId;
use crate::lens::Lens;
use crate::plan::acceptance::AcceptancePlan;
use crate::plan::header::{short_hash, stamp};
use crate::plan::monitor::MonitorPlan;
use crate::plan::stress::StressPlan;
use crate::template::{context, error, filters, manifest, merge};
use crate::yaml::{self};

/// A rendered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Its path below the output folder, with `/`.
    pub path: String,
    /// Its text, header included.
    pub text: String,
    /// Which plan it is.
    pub plan: Option<PlanKind>,
    /// Whether its services are entered into the file that is there: see [`super::blueprint`].
    pub blueprint: bool,
    /// The lens it is for; `None` for a file of all lenses.
    pub lens: Option<LensId>,
}

/// A template set ready to render.
pub struct TemplateSet {
    manifest: SetManifest,
    label: String,
    env: Environment<'static>,
}

impl std::fmt::Debug for TemplateSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemplateSet")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl TemplateSet {
    /// Reads a set from its files (name → text).
    ///
    /// # Errors
    /// A missing or malformed manifest, or a template that does not parse.
    pub fn load(files: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let manifest: SetManifest = yaml::read(MANIFEST, files.get(MANIFEST).ok_or(TemplateError::NoManifest)?)?;
        if let Some(output) = manifest
            .outputs
            .iter()
            .find(|output| !files.contains_key(&output.template))
        {
            return Err(TemplateError::Missing(output.template.clone()));
        }
        let all: Vec<String> = files
            .iter()
            .map(|(name, text)| format!("{name}\n{}", sha256_hex(text.as_bytes())))
            .collect();
        let label = format!("{}@{}", manifest.template_set, short_hash(all.join("\n").as_bytes()));
        let mut env = environment()?;
        for (name, text) in files {
            if name != MANIFEST {
                env.add_template_owned(name, text).map_err(|error| told(&error))?;
            }
        }
        Ok(Self { manifest, label, env })
    }

    /// Its name: the `template_set` of the lenses it renders.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.template_set
    }

    /// The folders that outputs go into, those whose name depends on a lens aside.
    #[must_use]
    pub fn folders(&self) -> BTreeSet<String> {
        let outputs = self
            .manifest
            .outputs
            .iter()
            .filter_map(|output| output.path.rsplit_once('/'));
        outputs
            .map(|(folder, _)| folder.to_owned())
            .filter(|folder| !folder.contains("[["))
            .collect()
    }

    /// Its name and hash, as headers carry it: `action-router@4f0c…`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Renders all outputs for `lenses`, those that are rendered once included. Paths are sorted
    /// as the manifest lists them, lens by lens.
    ///
    /// # Errors
    /// The first output that cannot be rendered, leaves the folder, or is a plan that cannot run.
    pub fn render(&self, lenses: &[Lens], repo: &RepoContext) -> Result<Vec<Rendered>, TemplateError> {
        let contexts: Vec<minijinja::Value> = lenses
            .iter()
            .map(|lens| to_value(context::of(lens, repo, &self.manifest.pins)))
            .collect();
        let all: Vec<String> = lenses.iter().map(lens_hash).collect();
        let all_lenses = short_hash(all.join("\n").as_bytes());
        let mut files = Vec::new();
        for (lens, context) in lenses.iter().zip(&contexts) {
            for output in self.manifest.outputs.iter().filter(|output| !output.once) {
                files.extend(self.output(output, Some(lens), &all_lenses, context)?);
            }
        }
        // Of a repository without lenses nothing is left but what others write as well.
        let context = to_value(context::of_repo(&contexts, repo, &self.manifest.pins));
        {
            let wanted = |output: &&Output| output.once && (!lenses.is_empty() || output.blueprint);
            for output in self.manifest.outputs.iter().filter(wanted) {
                files.extend(self.output(output, None, &all_lenses, &context)?);
            }
        }
        let mut paths: Vec<&str> = files.iter().map(|file: &Rendered| file.path.as_str()).collect();
        paths.sort_unstable();
        match paths.iter().zip(paths.iter().skip(1)).find(|(path, next)| path == next) {
            Some((path, _)) => Err(TemplateError::SamePath((*path).to_owned())),
            None => Ok(files),
        }
    }

    /// What is wrong with each plan of `lens` that its overrides change; empty where they can run.
    #[must_use]
    pub fn override_errors(&self, lens: &Lens, repo: &RepoContext) -> Vec<(PlanKind, TemplateError)> {
        let context = to_value(context::of(lens, repo, &self.manifest.pins));
        let changed = |output: &&Output| output.plan.is_some_and(|kind| override_of(lens, kind).is_some());
        let outputs = self.manifest.outputs.iter().filter(|output| !output.once);
        outputs
            .filter(changed)
            .filter_map(|output| Some((output.plan?, self.output(output, Some(lens), "", &context).err()?)))
            .collect()
    }

    fn output(
        &self,
        output: &Output,
        lens: Option<&Lens>,
        all_lenses: &str,
        context: &minijinja::Value,
    ) -> Result<Option<Rendered>, TemplateError> {
        if let Some(when) = &output.when {
            let expression = self
                .env
                .compile_expression(when)
                .map_err(|error| manifest_error(&error))?;
            if !expression
                .eval(context.clone())
                .map_err(|error| manifest_error(&error))?
                .is_true()
            {
                return Ok(None);
            }
        }
        let path = self
            .env
            .render_named_str(MANIFEST, &output.path, context.clone())
            .map_err(|error| told(&error))?;
        if !is_inside(&path) {
            return Err(TemplateError::Path(path));
        }
        let template = self.env.get_template(&output.template).map_err(|error| told(&error))?;
        let mut body = template.render(context.clone()).map_err(|error| told(&error))?;
        if let (Some(kind), Some(change)) = (output.plan, lens.and_then(|lens| override_of(lens, output.plan?))) {
            body = merge::merged(&path, &body, change, kind)?;
        }
        if let Some(kind) = output.plan {
            // Editors check and complete what names its schema.
            body = format!(
                "# yaml-language-server: $schema={}\n{body}",
                yaml::address(kind.schema())
            );
        }
        check_body(output.plan, &path, &body)?;
        let lens_hash = lens.map_or_else(|| all_lenses.to_owned(), lens_hash);
        Ok(Some(Rendered {
            text: if output.blueprint {
                body
            } else {
                stamp(&path, &lens_hash, &self.label, &body)
            },
            blueprint: output.blueprint,
            path,
            plan: output.plan,
            lens: lens.map(|lens| lens.lens.clone()),
        }))
    }
}

/// The short hash of a resolved lens: comments and layout of its file do not count.
#[must_use]
pub fn lens_hash(lens: &Lens) -> String {
    short_hash(serde_json::to_string(lens).unwrap_or_default().as_bytes())
}

/// Renders the lens file itself.
///
/// # Errors
/// Never for a lens that resolved; a template error otherwise.
pub fn render_lens_file(template: &str, lens: &Lens) -> Result<String, TemplateError> {
    let env = environment()?;
    let context = to_value(context::of(lens, &RepoContext::default(), &IndexMap::new()));
    env.render_named_str("lens.yml", template, context)
        .map_err(|error| told(&error))
}

/// `json` as templates see it.
pub(crate) fn to_value(json: Value) -> minijinja::Value {
    minijinja::Value::from(minijinja::value::Serde(json))
}

pub(crate) fn environment() -> Result<Environment<'static>, TemplateError> {
    let syntax = SyntaxConfig::builder()
        .block_delimiters("[%", "%]")
        .variable_delimiters("[[", "]]")
        .comment_delimiters("[#", "#]")
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|error| told(&error))?;
    let mut env = Environment::new();
    env.set_syntax(syntax);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    filters::add(&mut env);
    Ok(env)
}

pub(crate) fn override_of(lens: &Lens, kind: PlanKind) -> Option<&Value> {
    let overrides = lens.overrides.as_ref()?;
    match kind {
        PlanKind::Monitor => overrides.monitor.as_ref(),
        PlanKind::Acceptance => overrides.acceptance.as_ref(),
        PlanKind::Stress => overrides.stress.as_ref(),
    }
}

/// Parses what was rendered, so that a broken template or override never reaches the disk.
pub(crate) fn check_body(plan: Option<PlanKind>, path: &str, body: &str) -> Result<(), TemplateError> {
    let invalid = |source| TemplateError::Plan {
        path: path.to_owned(),
        source,
    };
    match plan {
        Some(PlanKind::Monitor) => yaml::read::<MonitorPlan>(path, body)?.validate().map_err(invalid),
        Some(PlanKind::Acceptance) => yaml::read::<AcceptancePlan>(path, body)?.validate().map_err(invalid),
        Some(PlanKind::Stress) => yaml::read::<StressPlan>(path, body)?.validate().map_err(invalid),
        None if path.ends_with(".yml") || path.ends_with(".yaml") => Ok(yaml::read::<Value>(path, body).map(drop)?),
        None => Ok(()),
    }
}

pub(crate) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(['\\', '\0', '\n'])
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}
