//! An acceptance run, ready to go: its plan, its target, and what it signs and hides.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use lensops_core::exchange::Base;
use lensops_core::ident::Ident;
use lensops_core::plan::acceptance::{AcceptancePlan, PER_STEP};
use lensops_core::plan::{Dialect, Vars};
use lensops_core::redaction::Redactor;
use lensops_core::request::prepare::vars_with;
use lensops_core::verdict::registry::Registry;

use super::registry::read_registry;
use crate::auth::Signing;
use crate::commands::context::first_vars;
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::plans::Loaded;
use crate::config::{Settings, Target};
use crate::store::Staging;

/// The dialect where nothing says which.
pub const DEFAULT_DIALECT: &str = "documented";

/// An acceptance run, ready to go.
#[derive(Debug)]
pub struct Acceptance {
    pub(super) loaded: Loaded<AcceptancePlan>,
    /// The scenarios that were asked for; all where it is empty.
    pub(super) chosen: Vec<String>,
    pub(super) dialect_name: String,
    pub(super) dialect: Dialect,
    pub(super) base: Base,
    pub(super) signing: Signing,
    pub(super) redactor: Redactor,
    pub(super) registry: Option<Registry>,
    /// The plan's variables, those of the environment among them.
    pub(super) vars: Vars,
    /// Whether the plan names a variable that differs from step to step.
    pub(super) differs: bool,
    /// The steps that were counted so far.
    pub(super) count: AtomicU64,
    /// The tenant database, where there is one to look into.
    pub(super) database: Option<Staging>,
}

impl Acceptance {
    /// Puts a run together from the settings: of the scenarios named in `chosen`, or of all.
    ///
    /// # Errors
    /// A missing address, secret or registry file, or an unknown dialect.
    pub fn new(
        settings: &Settings,
        mut loaded: Loaded<AcceptancePlan>,
        chosen: &[String],
        dialect: Option<&str>,
        registry: Option<&Path>,
    ) -> Result<Self> {
        choose(&mut loaded.plan, chosen)?;
        let base = settings.api_for(Target::Staging, &first_vars(settings, &loaded.plan.tenants))?;
        // What lensops.yml says is for plans that leave a choice.
        let only = loaded
            .plan
            .dialects
            .keys()
            .next()
            .filter(|_| loaded.plan.access.is_some());
        let dialect_name = dialect
            .or(only.map(Ident::as_str))
            .or(settings.project.dialect.as_deref())
            .unwrap_or(DEFAULT_DIALECT)
            .to_owned();
        let dialect = loaded.plan.dialect(&dialect_name)?.clone();
        let signing = settings.signing(
            Target::Staging,
            &base,
            &loaded.plan.tenants,
            &loaded.plan.users,
            &loaded.plan.auth,
        );
        if signing.jwt_secret.is_none() && loaded.plan.needs_tokens() {
            return Err(Error::usage(format!(
                "{} is not set: the plan sends requests as users, whose tokens it signs",
                Settings::jwt_secret_names(Target::Staging)
            )));
        }
        // The actions of a registry are not the endpoints of a lens.
        let registry = match loaded.plan.access {
            Some(_) => None,
            None => read_registry(settings, registry)?,
        };
        let database = settings
            .staging_db()
            .map(|url| Staging::new(&url))
            .transpose()
            .context("STAGING_DB_URL")?;
        let (mut known, secrets) = settings.plan_environment(&loaded.plan.env);
        known.extend(loaded.plan.tenants.vars(loaded.plan.tenants[0], &signing.environment));
        let vars = vars_with(&loaded.plan.vars, known);
        let redactor = settings
            .redactor()
            .with(secrets.iter().chain(signing.environment.secrets()));
        Ok(Self {
            redactor,
            differs: PER_STEP.iter().any(|name| loaded.text.contains(&format!("${name}"))),
            count: AtomicU64::new(0),
            chosen: chosen.to_vec(),
            loaded,
            dialect_name,
            dialect,
            base,
            signing,
            registry,
            vars,
            database,
        })
    }

    /// Knows the secrets of the run.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// What to tell of the plan.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.loaded.warning()
    }
}

/// Leaves only the scenarios named `names` in `plan`; all where none is named.
///
/// # Errors
/// A name that no scenario has.
fn choose(plan: &mut AcceptancePlan, names: &[String]) -> Result<()> {
    if let Some(name) = names
        .iter()
        .find(|name| !plan.scenarios.iter().any(|scenario| scenario.name == **name))
    {
        let known: Vec<&str> = plan.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        return Err(Error::usage(format!(
            "--scenario {name:?} is not in the plan; there are {}",
            known.join(", ")
        )));
    }
    if !names.is_empty() {
        plan.scenarios.retain(|scenario| names.contains(&scenario.name));
    }
    Ok(())
}
