//! The action registry as the API itself tells it.

use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::ident::Ident;
use lensops_core::lens::User;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::request::prepare::{prepare, vars_with};
use lensops_core::verdict::registry::Registry;
use serde_json::Value;

use crate::auth::{Sending, Unsigned};
use crate::commands::context::first_vars;
use crate::commands::error::{Error, Result};
use crate::config::{Settings, Target};

const WAY_OUT: &str = "give --registry FILE, or `registry:` in lensops.yml";

/// The registry as the API itself tells it: what each role of the plan's users is listed.
///
/// # Errors
/// When the plan names no list, the signing secret is missing, or a role gets no list.
pub async fn fetch_registry<S: Sender>(settings: &Settings, plan: &AcceptancePlan, sender: &S) -> Result<Registry> {
    let mut users: Vec<(&Ident, &User)> = Vec::new();
    for (name, user) in &plan.users {
        if !users.iter().any(|(_, known)| known.role == user.role) {
            users.push((name, user));
        }
    }
    let lists = fetch_lists(settings, plan, sender, &users).await?;
    registry_of(plan, &lists)
}

/// The registry that the lists of users make, one list a role.
///
/// # Errors
/// When an answer is no list of actions.
pub fn registry_of(plan: &AcceptancePlan, lists: &[(Ident, Value)]) -> Result<Registry> {
    let mut by_role: Vec<(Ident, Value)> = Vec::new();
    for (name, list) in lists {
        let role = plan.users.get(name).map(|user| user.role.clone());
        let role = role.filter(|role| !by_role.iter().any(|(known, _)| known == role));
        by_role.extend(role.map(|role| (role, list.clone())));
    }
    Registry::from_lists(&by_role).map_err(|why| Error::Unanswered(format!("{why}: {WAY_OUT}")))
}

/// What the API lists for each of `users`, by their names in the plan.
///
/// # Errors
/// When it answers one with anything but a list.
pub async fn fetch_lists<S: Sender>(
    settings: &Settings,
    plan: &AcceptancePlan,
    sender: &S,
    users: &[(&Ident, &User)],
) -> Result<Vec<(Ident, Value)>> {
    let list = plan.matrix.as_ref().and_then(|matrix| matrix.list.as_ref());
    let Some(spec) = list.and_then(|name| plan.requests.get(name)) else {
        return Err(Error::usage(format!("no action registry: {WAY_OUT}")));
    };
    let base = settings.api_for(Target::Staging, &first_vars(settings, &plan.tenants))?;
    let signing = settings.signing(Target::Staging, &base, &plan.tenants, &plan.users, &plan.auth);
    if signing.jwt_secret.is_none() && users.iter().any(|(_, user)| user.auth.is_none()) {
        return Err(Error::usage(format!(
            "{} is not set: the matrix sends requests as users, whose tokens it signs",
            Settings::jwt_secret_names(Target::Staging)
        )));
    }
    let (mut known, _) = settings.plan_environment(&plan.env);
    known.extend(plan.tenants.vars(plan.tenants[0], &signing.environment));
    let vars = vars_with(&plan.vars, known);
    let mut lists: Vec<(Ident, Value)> = Vec::new();
    for &(name, user) in users {
        let sending = Sending {
            user: Some(user),
            base: &base,
            hosts: &plan.hosts,
            vars: &vars,
            tenant: plan.tenants.values(plan.tenants[0]),
            now: Timestamp::now(),
        };
        let signed = signing
            .sign(sender, &sending)
            .await
            .map_err(|unsigned| match unsigned {
                Unsigned::Unknown(why) => Error::Unanswered(format!("nobody can ask as {name}: {why}")),
                Unsigned::Failed(failed) => Error::Unanswered(failed.told),
            })?;
        let request = prepare(
            &spec.base(&base, &plan.hosts, &vars)?,
            spec,
            signed.credential.as_ref(),
            &vars,
        )?;
        let exchange = sender.send(Arc::new(request)).await;
        let answer = match &exchange.result {
            Ok(response) if response.status == 200 => response.json(),
            Ok(response) => {
                let way_out = match response.status {
                    401 => format!(
                        "it takes no token signed with {}: another environment's?",
                        Settings::jwt_secret_names(Target::Staging)
                    ),
                    403 => format!("user {} is nobody there: mend its id", user.subject()),
                    _ => WAY_OUT.to_owned(),
                };
                let told = format!(
                    "the list of actions for {} was answered with {}: {way_out}",
                    user.role, response.status
                );
                return Err(Error::Unanswered(told));
            }
            Err(failure) => {
                let told = format!(
                    "the list of actions for {} was not answered: {}",
                    user.role, failure.detail
                );
                return Err(Error::Unanswered(told));
            }
        };
        let Some(answer) = answer else {
            let told = format!("the list of actions for {} is not JSON: {WAY_OUT}", user.role);
            return Err(Error::Unanswered(told));
        };
        lists.push((name.clone(), answer));
    }
    Ok(lists)
}
