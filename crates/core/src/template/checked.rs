//! A rendered body read as what it is, so that what is written can run, and what it asks the environment for.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value as Json;

use super::error::TemplateError;
use super::kind::PlanKind;
use crate::auth::{Auth, Auths};
use crate::ident::{EnvName, Ident};
use crate::lens::{Defaults, Tenants, User};
use crate::plan::EnvVars;
use crate::plan::acceptance::AcceptancePlan;
use crate::plan::monitor::MonitorPlan;
use crate::plan::stress::StressPlan;
use crate::yaml;

/// An environment variable that a plan asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanEnv {
    /// Its name.
    pub name: EnvName,
    /// Whether its value is hidden.
    pub secret: bool,
}

/// Parses what was rendered, so that a broken template or override never reaches the disk. Returns what a
/// plan asks the environment for.
pub(super) fn check_body(
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
