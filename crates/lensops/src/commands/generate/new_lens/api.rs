//! What the API says of a new lens: the actions it lists, and whether it finds the test entity.

use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::ident::Ident;
use lensops_core::lens::User;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::request::prepare::{prepare, vars_with};
use lensops_core::verdict::registry::Registry;
use lensops_core::yaml;
use serde_json::Value;

use crate::auth::Sending;
use crate::commands::acceptance::matrix::{fetch_lists, registry_of};
use crate::commands::context::first_vars;
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::generate::command::preview;
use crate::commands::generate::lens_options::NewLens;
use crate::commands::generate::options::Options;
use crate::config::{Settings, Target};

/// Asks the API what it lists for each user, and whether each has the role that was given.
pub(super) async fn registry<S: Sender>(
    settings: &Settings,
    sender: &S,
    given: &NewLens,
    options: &Options,
) -> Result<Registry> {
    let bare = NewLens {
        signed_action: None,
        read_action: None,
        signers: Vec::new(),
        entity_type: None,
        consumes_entity: false,
        signed_payload: indexmap::IndexMap::new(),
        ..given.clone()
    };
    let plan: AcceptancePlan = rendered(settings, bare, options, "acceptance")?;
    let users: Vec<(&Ident, &User)> = plan.users.iter().collect();
    let lists = fetch_lists(settings, &plan, sender, &users).await?;
    complain!("{}", verified(&users, &lists)?);
    registry_of(&plan, &lists)
}

/// What the API shows of the users' roles, in words.
fn verified(users: &[(&Ident, &User)], lists: &[(Ident, Value)]) -> Result<String> {
    let mut told = Vec::new();
    let (mut wrong, mut unseen) = (Vec::new(), Vec::new());
    for (name, user) in users {
        let list = lists.iter().find(|(listed, _)| listed == *name);
        match list.and_then(|(_, list)| list["role"].as_str()) {
            Some(shown) if shown == user.role.as_str() => told.push(format!("{name} ({shown})")),
            Some(shown) => wrong.push(format!(
                "user {name} ({}) is {shown} there, and was given as {}",
                user.subject(),
                user.role
            )),
            None => unseen.push(format!("{name} ({})", user.role)),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::usage(format!(
            "{}: the ids of two users may be swapped, correct --user or the options of that name",
            wrong.join("; ")
        )));
    }
    if unseen.is_empty() {
        return Ok(format!("✅ The API knows every user in its role: {}", told.join(", ")));
    }
    Ok(format!(
        "⚠️ The API lets every user in and does not show the role of {}: not verified",
        unseen.join(", ")
    ))
}

/// The plan of `lens` that opens with `kind:`, rendered in memory.
fn rendered<T: serde::de::DeserializeOwned>(
    settings: &Settings,
    lens: NewLens,
    options: &Options,
    kind: &str,
) -> Result<T> {
    let texts = preview(settings, lens, options)?;
    // Of one lens alone: the key is enough, and its value may be quoted.
    let opening = format!("\n{kind}: ");
    let (path, text) = texts
        .into_iter()
        .find(|(_, text)| text.contains(&opening))
        .with_context(|| format!("the template set makes no {kind} plan"))?;
    Ok(yaml::read(&path, &text)?)
}

/// Sends the READ probe once, so that a wrong tenant or entity is told before anything is written.
pub(super) async fn check_entity<S: Sender>(
    settings: &Settings,
    sender: &S,
    given: &NewLens,
    options: &Options,
) -> Result<()> {
    if given.read_action.is_none() || given.test_entities.is_empty() {
        return Ok(());
    }
    let plan: MonitorPlan = rendered(settings, given.clone(), options, "monitor")?;
    let base = settings.api_for(Target::Staging, &first_vars(settings, &plan.tenants))?;
    let signing = settings.signing(Target::Staging, &base, &plan.tenants, &plan.users, &plan.auth);
    let vars = vars_with(&plan.vars, plan.tenants.vars(plan.tenants[0], &signing.environment));
    for probe in &plan.probes {
        let (Some(spec), Some(user)) = (
            &probe.request,
            probe.user.as_ref().and_then(|name| plan.users.get(name)),
        ) else {
            continue;
        };
        let of_entity = spec.json().is_some_and(|body| body.to_string().contains("$entity"));
        if !of_entity {
            continue;
        }
        let sending = Sending {
            user: Some(user),
            base: &base,
            hosts: &plan.hosts,
            vars: &vars,
            tenant: plan.tenants.values(plan.tenants[0]),
            now: Timestamp::now(),
        };
        let Ok(signed) = signing.sign(sender, &sending).await else {
            continue;
        };
        let request = prepare(&base, spec, signed.credential.as_ref(), &vars)?;
        let exchange = sender.send(Arc::new(request)).await;
        match exchange.result {
            Ok(response) if response.status == 200 => complain!("✅ The API finds the test entity"),
            Ok(response) if response.status == 404 => {
                complain!("⚠️ The API does not find the test entity: cases that need it will fail (--test-entity-id)");
            }
            Ok(response) => {
                return Err(Error::usage(format!(
                    "the API answers {} to the READ action for tenant {}: mend --yacht-id, --user or --test-entity-id",
                    response.status, plan.tenants[0]
                )));
            }
            Err(failure) => return Err(Error::Unanswered(format!("the API did not answer: {}", failure.detail))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::generate::usual_user;

    #[test]
    fn a_plan_is_found_whatever_the_lens_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::load(folder.path(), crate::config::Env::default()).unwrap();
        for id in ["n", "y", "parts"] {
            let lens = NewLens {
                lens_id: id.to_owned(),
                domain: "parts".to_owned(),
                roles: vec!["crew".parse().unwrap()],
                yacht_ids: vec!["53fbdf09-b709-509d-aad0-3a6f50239a5d".parse().unwrap()],
                users: usual_user("crew", "eb3fdfe4-81e3-53a5-b423-fd13884b12e8".parse().unwrap())
                    .into_iter()
                    .collect(),
                ..NewLens::default()
            };
            let plan: MonitorPlan = rendered(&settings, lens.clone(), &Options::default(), "monitor").unwrap();
            assert_eq!(plan.monitor.as_str(), id);
            let plan: AcceptancePlan = rendered(&settings, lens, &Options::default(), "acceptance").unwrap();
            assert_eq!(plan.acceptance.as_str(), id);
        }
    }
}
