//! A template set, and what a lens becomes with it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use error::{manifest_error, told};
use indexmap::IndexMap;
use manifest::{Output, SetManifest};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::context::RepoContext;
use super::error::TemplateError;
use super::kind::PlanKind;
use super::manifest::MANIFEST;
use super::terms::Terms;
use super::tracked::Tracked;
use crate::auth::{Auth, Auths};
use crate::ident::{EnvName, Ident, LensId};
use crate::lens::{Defaults, Lens, Tenants, User};
use crate::plan::EnvVars;
use crate::plan::acceptance::AcceptancePlan;
use crate::plan::header::{Made, lf, short_hash, stamp};
use crate::plan::monitor::MonitorPlan;
use crate::plan::stress::StressPlan;
use crate::repository::RepoFolder;
use crate::template::{attributes, context, error, filters, manifest, merge, provenance, tracked};
use crate::yaml::{self};

/// A rendered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Its path below the output folder, with `/`.
    pub path: String,
    /// Whether the path begins at the repository's root instead: workflows of a folder below it.
    pub at_root: bool,
    /// Its text, header included.
    pub text: String,
    /// Which plan it is.
    pub plan: Option<PlanKind>,
    /// The environment variables that the plan asks for.
    pub env: Vec<PlanEnv>,
    /// Whether its services are entered into the file that is there: see [`super::blueprint`].
    pub blueprint: bool,
    /// The lens it is for; `None` for a file of all lenses.
    pub lens: Option<LensId>,
}

/// An environment variable that a plan asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanEnv {
    /// Its name.
    pub name: EnvName,
    /// Whether its value is hidden.
    pub secret: bool,
}

/// A template set ready to render.
pub struct TemplateSet {
    manifest: SetManifest,
    terms: Terms,
    /// For each output the set's name and the hash of what it is made of, as headers carry it.
    labels: Vec<String>,
    env: Environment<'static>,
}

impl std::fmt::Debug for TemplateSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemplateSet")
            .field("name", &self.manifest.template_set)
            .finish_non_exhaustive()
    }
}

/// What the outputs of one lens, or those of all lenses, are rendered from.
struct Ground<'a> {
    lens: Option<&'a Lens>,
    json: Json,
    value: minijinja::Value,
    repo: &'a RepoContext,
    extra: Arc<BTreeMap<&'static str, minijinja::Value>>,
}

impl<'a> Ground<'a> {
    fn of(lens: &'a Lens, lenses: usize, repo: &'a RepoContext, set: &TemplateSet) -> Self {
        let json = context::of(lens, repo, &set.manifest.pins, &set.terms);
        let extra = BTreeMap::from([
            ("night", to_value(context::night(&lens.lens, lenses))),
            ("paths", to_value(context::paths(lens, repo).into())),
        ]);
        Self {
            lens: Some(lens),
            value: minijinja::Value::from(minijinja::value::Serde(&json)),
            json,
            repo,
            extra: Arc::new(extra),
        }
    }

    /// The context of one output.
    fn tracked(&self, path: Option<&str>) -> Arc<Tracked> {
        Tracked::new(&self.value, &self.extra, path.map(|path| self.repo.rooted(path).into()))
    }
}

impl TemplateSet {
    /// Reads a set from its files (name → text). Line ends count as line feeds, whatever a checkout made of them.
    ///
    /// # Errors
    /// A missing or malformed manifest, or a template that does not parse.
    pub fn load(files: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let files: BTreeMap<String, String> = files
            .into_iter()
            .map(|(name, text)| match lf(&text) {
                Cow::Borrowed(_) => (name, text),
                Cow::Owned(text) => (name, text),
            })
            .collect();
        let manifest: SetManifest = yaml::read(MANIFEST, files.get(MANIFEST).ok_or(TemplateError::NoManifest)?)?;
        if let Some(output) = manifest
            .outputs
            .iter()
            .find(|output| !files.contains_key(&output.template))
        {
            return Err(TemplateError::Missing(output.template.clone()));
        }
        let label = |output| {
            let hash = provenance::hash_of(output, &files, &manifest.pins);
            format!("{}@{hash}", manifest.template_set)
        };
        let labels = manifest.outputs.iter().map(label).collect();
        let mut env = environment()?;
        for (name, text) in files {
            if name != MANIFEST {
                env.add_template_owned(name, text).map_err(|error| told(&error))?;
            }
        }
        let terms = Terms::of(manifest.clone())?;
        Ok(Self {
            manifest,
            terms,
            labels,
            env,
        })
    }

    /// What it takes of a lens.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Its name: the `template_set` of the lenses it renders.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.template_set
    }

    /// The folders that outputs go into, those whose name depends on a lens aside, and whether each begins at
    /// the repository's root.
    #[must_use]
    pub fn folders(&self, repo: &RepoContext) -> BTreeSet<(bool, String)> {
        let outputs = self.manifest.outputs.iter().filter_map(|output| {
            let (at_root, path) = repo.place(&output.path);
            Some((at_root, path.rsplit_once('/')?.0.to_owned()))
        });
        outputs.filter(|(_, folder)| !folder.contains("[[")).collect()
    }

    /// The lines of `.gitattributes` for what this set writes below the output folder.
    #[must_use]
    pub fn attributes(&self, repo: &RepoContext) -> Vec<String> {
        let mut lines = vec!["/lenses/*.yml text eol=lf".to_owned()];
        for output in self.manifest.outputs.iter().filter(|output| !output.blueprint) {
            let line = attributes::line(&output.path).filter(|_| !repo.place(&output.path).0);
            lines.extend(line.filter(|line| !lines.contains(line)));
        }
        lines
    }

    /// Where the plan of `lens` is, below the output folder; `None` where the set makes none.
    ///
    /// # Errors
    /// When the manifest's path does not render.
    pub fn plan_path(&self, kind: PlanKind, lens: &Lens, repo: &RepoContext) -> Result<Option<String>, TemplateError> {
        let ground = Ground::of(lens, 1, repo, self);
        let mut outputs = self.manifest.outputs.iter().filter(|output| output.plan == Some(kind));
        outputs
            .find_map(|output| self.path(output, &ground).transpose())
            .transpose()
    }

    /// Renders all outputs for `lenses`, those that are rendered once included. Paths are sorted
    /// as the manifest lists them, lens by lens.
    ///
    /// # Errors
    /// The first output that cannot be rendered, leaves the folder, or is a plan that cannot run.
    pub fn render(&self, lenses: &[Lens], repo: &RepoContext) -> Result<Vec<Rendered>, TemplateError> {
        render_all(&[(self, lenses.to_vec())], repo)
    }

    /// The outputs that are rendered once, each with where it goes.
    fn once(&self, lenses: &[&Lens], repo: &RepoContext) -> Result<Vec<(usize, String)>, TemplateError> {
        let ground = self.ground_of_all(lenses, repo);
        let mut paths = Vec::new();
        for (index, output) in self.manifest.outputs.iter().enumerate() {
            if output.once && (!lenses.is_empty() || output.blueprint) {
                paths.extend(self.path(output, &ground)?.map(|path| (index, path)));
            }
        }
        Ok(paths)
    }

    /// What the outputs of all of `lenses` are rendered from.
    fn ground_of_all<'a>(&self, lenses: &[&Lens], repo: &'a RepoContext) -> Ground<'a> {
        let pins = &self.manifest.pins;
        let value = |lens: &&Lens| to_value(context::of(lens, repo, pins, &self.terms));
        let all: Vec<String> = lenses.iter().map(|lens| lens_hash(lens)).collect();
        // Of a repository without lenses nothing is left but what others write as well.
        Ground {
            lens: None,
            value: context::of_repo(lenses.iter().map(value).collect(), lenses, repo, pins),
            json: json!({"lenses": all}),
            repo,
            extra: Arc::default(),
        }
    }

    fn outputs(&self) -> impl Iterator<Item = (&Output, &str)> {
        self.manifest.outputs.iter().zip(self.labels.iter().map(String::as_str))
    }

    /// The outputs of one lens, in the order of the manifest. Plans go first: the others name what they ask for.
    fn of_lens(&self, ground: &mut Ground<'_>) -> Result<Vec<Rendered>, TemplateError> {
        let of_lens = || self.outputs().filter(|(output, _)| !output.once).enumerate();
        let mut files: BTreeMap<usize, Rendered> = BTreeMap::new();
        for (at, (output, label)) in of_lens().filter(|(_, (output, _))| output.plan.is_some()) {
            files.extend(self.output(output, label, ground)?.map(|file| (at, file)));
        }
        let mut plans = BTreeMap::new();
        for kind in PlanKind::ALL {
            let found = files.values().find(|file| file.plan == Some(kind));
            plans.insert(kind.key(), found.map(|file| ground.repo.rooted(&file.path)));
        }
        let asks = |kind: PlanKind| {
            let mut env: Vec<&PlanEnv> = Vec::new();
            for asked in files
                .values()
                .filter(|file| file.plan == Some(kind))
                .flat_map(|file| &file.env)
            {
                if !GIVEN.contains(&asked.name.as_str()) && !env.iter().any(|known| known.name == asked.name) {
                    env.push(asked);
                }
            }
            to_value(json!(env))
        };
        let mut extra = (*ground.extra).clone();
        extra.insert("plans", to_value(json!(plans)));
        extra.insert("plan_env", asks(PlanKind::Acceptance));
        extra.insert("stress_env", asks(PlanKind::Stress));
        ground.extra = Arc::new(extra);
        for (at, (output, label)) in of_lens().filter(|(_, (output, _))| output.plan.is_none()) {
            files.extend(self.output(output, label, ground)?.map(|file| (at, file)));
        }
        Ok(files.into_values().collect())
    }

    /// What is wrong with each plan of `lens` that its overrides change; empty where they can run.
    #[must_use]
    pub fn override_errors(&self, lens: &Lens, repo: &RepoContext) -> Vec<(PlanKind, TemplateError)> {
        let ground = Ground::of(lens, 1, repo, self);
        let changed = |output: &&Output| output.plan.is_some_and(|kind| override_of(lens, kind).is_some());
        let outputs = self.manifest.outputs.iter().filter(|output| !output.once);
        outputs
            .filter(changed)
            .filter_map(|output| Some((output.plan?, self.output(output, "", &ground).err()?)))
            .collect()
    }

    /// The path of an output; `None` where it is left out.
    fn path(&self, output: &Output, ground: &Ground<'_>) -> Result<Option<String>, TemplateError> {
        let context = minijinja::Value::from_dyn_object(ground.tracked(None));
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
            .render_named_str(MANIFEST, &output.path, context)
            .map_err(|error| told(&error))?;
        if !is_inside(&path) {
            return Err(TemplateError::Path(path));
        }
        Ok(Some(path))
    }

    fn output(&self, output: &Output, label: &str, ground: &Ground<'_>) -> Result<Option<Rendered>, TemplateError> {
        let Some(path) = self.path(output, ground)? else {
            return Ok(None);
        };
        let tracked = ground.tracked(Some(&path));
        let template = self.env.get_template(&output.template).map_err(|error| told(&error))?;
        let context = minijinja::Value::from_dyn_object(tracked.clone());
        let mut body = template.render(context).map_err(|error| told(&error))?;
        let mut parts = tracked.parts();
        if let (Some(kind), Some(change)) = (
            output.plan,
            ground.lens.and_then(|lens| override_of(lens, output.plan?)),
        ) {
            body = merge::merged(&path, &body, change, kind)?;
            parts.push(format!("overrides.{}", kind.key()));
        }
        if let Some(kind) = output.plan {
            // Editors check and complete what names its schema.
            body = format!(
                "# yaml-language-server: $schema={}\n{body}",
                yaml::address(kind.schema())
            );
        }
        let env = check_body(output.plan, &path, &body, &ground.repo.shared)?;
        let (at_root, path) = ground.repo.place(&path);
        let made = Made {
            lens: &tracked::hash_of(&ground.json, &parts),
            parts: output.plan.map(|_| parts.as_slice()),
            folder: ground.repo.folder.as_ref().filter(|_| at_root).map(RepoFolder::as_str),
            template_set: label,
        };
        Ok(Some(Rendered {
            text: if output.blueprint {
                body
            } else {
                stamp(&path, &made, &body)
            },
            blueprint: output.blueprint,
            path,
            at_root,
            plan: output.plan,
            env,
            lens: ground.lens.map(|lens| lens.lens.clone()),
        }))
    }
}

/// Renders the outputs of several sets, each for its lenses. What several of them make once, at one path, is made by the
/// first of them, for the lenses of all.
///
/// # Errors
/// The first output that cannot be rendered, leaves the folder, or is a plan that cannot run.
pub fn render_all(sets: &[(&TemplateSet, Vec<Lens>)], repo: &RepoContext) -> Result<Vec<Rendered>, TemplateError> {
    let count = sets.iter().map(|(_, lenses)| lenses.len()).sum();
    let mut files = Vec::new();
    for (set, lenses) in sets {
        for lens in lenses {
            files.extend(set.of_lens(&mut Ground::of(lens, count, repo, set))?);
        }
    }
    let mut once: IndexMap<String, (&TemplateSet, usize, Vec<&Lens>)> = IndexMap::new();
    for (set, lenses) in sets {
        let lenses: Vec<&Lens> = lenses.iter().collect();
        for (index, path) in set.once(&lenses, repo)? {
            let (_, _, of_path) = once.entry(path).or_insert((set, index, Vec::new()));
            of_path.extend(&lenses);
        }
    }
    for (set, index, mut lenses) in once.into_values() {
        lenses.sort_by(|a, b| a.lens.cmp(&b.lens));
        let ground = set.ground_of_all(&lenses, repo);
        if let Some((output, label)) = set.outputs().nth(index) {
            files.extend(set.output(output, label, &ground)?);
        }
    }
    let mut paths: Vec<&str> = files.iter().map(|file: &Rendered| file.path.as_str()).collect();
    paths.sort_unstable();
    match paths.iter().zip(paths.iter().skip(1)).find(|(path, next)| path == next) {
        Some((path, _)) => Err(TemplateError::SamePath((*path).to_owned())),
        None => Ok(files),
    }
}

/// What workflows give to every acceptance run.
const GIVEN: [&str; 4] = [
    "STAGING_API_URL",
    "TENANT_SUPABASE_URL",
    "STAGING_JWT_SECRET",
    "STAGING_DB_URL",
];

/// The short hash of some parts of a resolved lens, as headers of plans name them. `terms` are those of its set.
#[must_use]
pub fn parts_hash(lens: &Lens, parts: &[String], terms: &Terms) -> String {
    let context = context::of(lens, &RepoContext::default(), &IndexMap::new(), terms);
    tracked::hash_of(&context, parts)
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
pub fn render_lens_file(template: &str, lens: &Lens, terms: &Terms) -> Result<String, TemplateError> {
    let env = environment()?;
    let context = to_value(context::of(lens, &RepoContext::default(), &IndexMap::new(), terms));
    env.render_named_str("lens.yml", template, context)
        .map_err(|error| told(&error))
}

/// `json` as templates see it.
pub(crate) fn to_value(json: Json) -> minijinja::Value {
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

pub(crate) fn override_of(lens: &Lens, kind: PlanKind) -> Option<&Json> {
    let overrides = lens.overrides.as_ref()?;
    match kind {
        PlanKind::Monitor => overrides.monitor.as_ref(),
        PlanKind::Acceptance => overrides.acceptance.as_ref(),
        PlanKind::Stress => overrides.stress.as_ref(),
    }
}

/// Parses what was rendered, so that a broken template or override never reaches the disk. Returns what a
/// plan asks the environment for.
fn check_body(
    plan: Option<PlanKind>,
    path: &str,
    body: &str,
    shared: &Defaults,
) -> Result<Vec<PlanEnv>, TemplateError> {
    let invalid = |source| TemplateError::Plan {
        path: path.to_owned(),
        source,
    };
    match plan {
        Some(PlanKind::Monitor) => {
            let mut plan = yaml::read::<MonitorPlan>(path, body)?;
            plan.share(shared);
            plan.validate().map_err(invalid)?;
            Ok(asked(&plan.env, &plan.users, &plan.auth, &plan.tenants))
        }
        Some(PlanKind::Acceptance) => {
            let mut plan = yaml::read::<AcceptancePlan>(path, body)?;
            plan.share(shared);
            plan.validate().map_err(invalid)?;
            Ok(asked(&plan.env, &plan.users, &plan.auth, &plan.tenants))
        }
        Some(PlanKind::Stress) => {
            let mut plan = yaml::read::<StressPlan>(path, body)?;
            plan.share(shared);
            plan.validate().map_err(invalid)?;
            Ok(asked(&plan.env, &plan.users, &plan.auth, &plan.tenants))
        }
        None if path.ends_with(".yml") || path.ends_with(".yaml") => {
            drop(yaml::read::<Json>(path, body)?);
            Ok(Vec::new())
        }
        None => Ok(Vec::new()),
    }
}

/// What a plan asks the environment for: its `env`, and the secrets of its users and tenants.
fn asked(env: &EnvVars, users: &IndexMap<Ident, User>, auth: &Auths, tenants: &Tenants) -> Vec<PlanEnv> {
    let of_env = env.values().map(|asked| PlanEnv {
        name: asked.from.clone(),
        secret: asked.secret,
    });
    let secrets = auth.values().flat_map(Auth::variables);
    let secrets = secrets
        .chain(users.values().flat_map(User::variables))
        .chain(tenants.variables())
        .map(|name| PlanEnv {
            name: name.clone(),
            secret: true,
        });
    of_env.chain(secrets).collect()
}

pub(crate) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(['\\', '\0', '\n'])
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}
