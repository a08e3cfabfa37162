//! Flags: named at the provider, and on.

use super::finding::Findings;
use super::subject::Subject;
use crate::commands::error::Error;
use crate::flags::{COMMAND_PATIENCE, FlagError, FlagProvider as _, Variables, is_on};

pub(super) async fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let plans: Vec<_> = subject.plans.iter().flatten().map(|loaded| &loaded.plan).collect();
    if plans.iter().all(|plan| plan.flags().is_empty()) {
        return;
    }
    let Some((place, variables)) = read(subject, findings).await else {
        return;
    };
    for plan in plans {
        for flag in plan.flags() {
            match variables.get(flag.as_str()) {
                None => findings.warning(
                    format!(
                        "flag {flag} of lens {} is named in no environment: it counts as off",
                        plan.monitor
                    ),
                    &place,
                    "set it at the provider, or take it out of the lens file",
                ),
                Some(value) if !is_on(Some(value)) && plan.paused.is_none() => findings.warning(
                    format!("flag {flag} of lens {} is off", plan.monitor),
                    &place,
                    format!(
                        "`lensops restore {} --reason …`, or say `paused` in the lens file",
                        plan.monitor
                    ),
                ),
                Some(_) => findings.good(format!("flag {flag} is known at the provider")),
            }
        }
    }
}

/// The provider's name and the variables it holds; `None` where they are not to be had, which is a
/// finding.
async fn read(subject: &Subject<'_>, findings: &mut Findings) -> Option<(String, Variables)> {
    let provider = match subject.settings.provider() {
        Ok(Ok(provider)) => provider.patient(COMMAND_PATIENCE / 9),
        Ok(Err(why)) => {
            findings.warning(
                format!("flags are not judged: {why}"),
                "the environment",
                "set RENDER_API_KEY and RENDER_SERVICE_ID, or `flags` of lensops.yml to an environment file",
            );
            return None;
        }
        Err(error) => {
            findings.error(Error::from(error).line(), "RENDER_API_URL", "mend the address");
            return None;
        }
    };
    let place = provider.name();
    let variables = match provider.read(&subject.client).await {
        Ok(variables) => variables,
        Err(error @ FlagError::Denied(_)) => {
            findings.error(
                error.to_string(),
                place,
                "make a new key at the provider and set RENDER_API_KEY",
            );
            return None;
        }
        Err(error @ (FlagError::File(_) | FlagError::Status(404))) => {
            findings.error(
                error.to_string(),
                place,
                "mend `flags` of lensops.yml, or RENDER_SERVICE_ID",
            );
            return None;
        }
        Err(error) => {
            findings.unjudged(error.to_string(), place, "ask again when the provider answers");
            return None;
        }
    };
    Some((place, variables))
}
