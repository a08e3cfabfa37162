//! A role matrix, ready to be asked: its actions, its roles and their tokens.

use lensops_core::exchange::Base;
use lensops_core::ident::{Ident, LensId};
use lensops_core::lens::{Lens, User};
use lensops_core::plan::acceptance::{AcceptancePlan, Matrix};
use lensops_core::plan::{Dialect, Request, Vars};
use lensops_core::redaction::Redactor;
use lensops_core::request::prepare::vars_with;
use lensops_core::verdict::registry::{Action, Registry};
use serde_json::{Map, Value, json};

use crate::auth::Signing;
use crate::commands::acceptance::run::DEFAULT_DIALECT;
use crate::commands::context::first_vars;
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::plans::Loaded;
use crate::config::{Destructive, Settings, Target};

/// A role matrix, ready to be asked.
pub struct RoleMatrix {
    pub(super) loaded: Loaded<AcceptancePlan>,
    pub(super) matrix: Matrix,
    pub(super) request: Request,
    pub(super) lens: LensId,
    pub(super) actions: Vec<Action>,
    pub(super) roles: Vec<Ident>,
    pub(super) outsiders: Vec<(Ident, User)>,
    /// What is not asked for want of somebody to ask as.
    pub(super) left_out: Vec<String>,
    /// Payload fields whose values are known: entity keys of the lens files.
    pub(super) known: Map<String, Value>,
    pub(super) destructive: bool,
    pub(super) dialect_name: String,
    pub(super) dialect: Dialect,
    pub(super) base: Base,
    /// The plan's variables, those of the environment among them.
    pub(super) vars: Vars,
    pub(super) signing: Signing,
    pub(super) redactor: Redactor,
}

impl RoleMatrix {
    /// Puts a matrix together: the actions of the plan's lens, or all of the registry's.
    ///
    /// # Errors
    /// A missing address, secret or `matrix` section, an unknown dialect, or nothing to ask.
    pub fn new(
        settings: &Settings,
        loaded: Loaded<AcceptancePlan>,
        registry: Registry,
        all: bool,
        lenses: &[Lens],
        dialect: Option<&str>,
    ) -> Result<Self> {
        let base = settings.api_for(Target::Staging, &first_vars(settings, &loaded.plan.tenants))?;
        let dialect_name = dialect
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
        let matrix = loaded
            .plan
            .matrix
            .clone()
            .with_context(|| format!("{} has no `matrix` section: generate it again", loaded.path.display()))?;
        let actions = actions_of(&loaded.plan, registry.actions, all, lenses)?;
        let left_out = left_out(&loaded.plan, lenses, &registry.roles, settings);
        let outsiders: Vec<(Ident, User)> = settings.project.outsiders.clone().into_iter().collect();
        let mut users = loaded.plan.users.values().chain(outsiders.iter().map(|(_, user)| user));
        if signing.jwt_secret.is_none() && users.any(|user| user.auth.is_none()) {
            return Err(Error::usage(format!(
                "{} is not set: the matrix sends requests as users, whose tokens it signs",
                Settings::jwt_secret_names(Target::Staging)
            )));
        }
        let (mut known, secrets) = settings.plan_environment(&loaded.plan.env);
        known.extend(loaded.plan.tenants.vars(loaded.plan.tenants[0], &signing.environment));
        Ok(Self {
            left_out,
            request: loaded.plan.requests[&matrix.send].clone(),
            lens: if all {
                "all".parse()?
            } else {
                loaded.plan.acceptance.clone()
            },
            known: entities(lenses),
            roles: if registry.roles.is_empty() {
                return Err(Error::usage("the registry names no `roles`"));
            } else {
                registry.roles
            },
            outsiders,
            destructive: settings.project.destructive == Some(Destructive::Allowed),
            redactor: settings
                .redactor()
                .with(secrets.iter().chain(signing.environment.secrets())),
            vars: vars_with(&loaded.plan.vars, known),
            signing,
            loaded,
            matrix,
            actions,
            dialect_name,
            dialect,
            base,
        })
    }

    pub(super) fn columns(&self) -> Vec<String> {
        let outsiders = self.outsiders.iter().map(|(name, _)| format!("{name} (other tenant)"));
        self.roles.iter().map(ToString::to_string).chain(outsiders).collect()
    }
}

/// The actions to ask for: those of the lens's domain, or all of them.
fn actions_of(plan: &AcceptancePlan, actions: Vec<Action>, all: bool, lenses: &[Lens]) -> Result<Vec<Action>> {
    let domain = lenses
        .iter()
        .find(|lens| lens.lens == plan.acceptance)
        .and_then(|lens| lens.domain.clone());
    let domain = domain.map_or_else(|| plan.acceptance.as_str().parse(), Ok)?;
    let actions: Vec<Action> = actions
        .into_iter()
        .filter(|action| all || action.domain == domain)
        .collect();
    if actions.is_empty() {
        return Err(Error::usage(format!(
            "the registry has no action of domain {domain}: nothing to ask"
        )));
    }
    Ok(actions)
}

/// The payload fields that lens files know the value of: the entity of each, by its key.
fn entities(lenses: &[Lens]) -> Map<String, Value> {
    let keyed = lenses.iter().filter_map(|lens| {
        let key = lens
            .signed_action
            .as_ref()
            .map(|a| &a.entity_id_key)
            .or_else(|| lens.read_action.as_ref().map(|a| &a.entity_id_key))?;
        let entity = lens.read_action.as_ref().and_then(|a| a.entity.clone())?;
        Some((key.to_string(), json!(entity)))
    });
    keyed.collect()
}

/// What the table cannot show, and what would change that.
fn left_out(plan: &AcceptancePlan, lenses: &[Lens], asked: &[Ident], settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let lens = lenses.iter().find(|lens| lens.lens == plan.acceptance);
    let roles = lens.into_iter().flat_map(|lens| &lens.roles);
    let silent: Vec<&str> = roles.filter(|role| !asked.contains(role)).map(Ident::as_str).collect();
    if !silent.is_empty() {
        lines.push(format!(
            "not asked, for they have no user: {}; name one each in `users:` of the lens or of lensops.yml",
            silent.join(", ")
        ));
    }
    if settings.project.outsiders.is_empty() {
        lines.push(
            "not asked: what users of another tenant see; name them in `outsiders: {NAME: {id: UUID, role: ROLE}}` of lensops.yml"
                .to_owned(),
        );
    }
    lines
}
