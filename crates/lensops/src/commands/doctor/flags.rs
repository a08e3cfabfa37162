//! Flags: named at the provider, and on.

use super::{Findings, Patient};
use crate::flags::{COMMAND_PATIENCE, FlagError, FlagProvider as _, is_on};

pub(crate) async fn look(patient: &Patient<'_>, findings: &mut Findings) {
    let plans: Vec<_> = patient.plans.iter().flatten().map(|loaded| &loaded.plan).collect();
    if plans.iter().all(|plan| plan.flags().is_empty()) {
        return;
    }
    let provider = match patient.settings.provider() {
        Ok(Ok(provider)) => provider.patient(COMMAND_PATIENCE / 9),
        Ok(Err(why)) => {
            return findings.warning(
                format!("flags are not judged: {why}"),
                "the environment",
                "set RENDER_API_KEY and RENDER_SERVICE_ID, or `flags` of lensops.yml to an environment file",
            );
        }
        Err(error) => {
            return findings.error(
                format!("{:#}", anyhow::Error::new(error)),
                "RENDER_API_URL",
                "mend the address",
            );
        }
    };
    let place = provider.name();
    let variables = match provider.read(&patient.client).await {
        Ok(variables) => variables,
        Err(error @ FlagError::Denied(_)) => {
            return findings.error(
                error.to_string(),
                place,
                "make a new key at the provider and set RENDER_API_KEY",
            );
        }
        Err(error @ (FlagError::File(_) | FlagError::Status(404))) => {
            return findings.error(
                error.to_string(),
                place,
                "mend `flags` of lensops.yml, or RENDER_SERVICE_ID",
            );
        }
        Err(error) => {
            return findings.unjudged(error.to_string(), place, "ask again when the provider answers");
        }
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
