//! Flags: named at the provider, and on.

use lensops_core::flags::{FlagState, Readings};
use lensops_core::ident::FlagName;

use super::finding::Findings;
use super::subject::Subject;
use crate::commands::error::Error;
use crate::flags::{COMMAND_PATIENCE, FlagError, FlagProvider as _};

pub(super) async fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let plans: Vec<_> = subject.plans.iter().flatten().map(|loaded| &loaded.plan).collect();
    let mut asked: Vec<FlagName> = plans.iter().flat_map(|plan| plan.flags()).cloned().collect();
    asked.sort_unstable();
    asked.dedup();
    if asked.is_empty() {
        return;
    }
    let Some((place, readings)) = read(subject, &asked, findings).await else {
        return;
    };
    for plan in plans {
        for flag in plan.flags() {
            match readings.get(flag).map(|reading| reading.state) {
                None | Some(FlagState::NotThere) => findings.warning(
                    format!("flag {flag} of lens {} is not at the provider", plan.monitor),
                    &place,
                    "set it at the provider, or take it out of the lens file",
                ),
                Some(FlagState::Off) if plan.paused.is_none() => findings.warning(
                    format!("flag {flag} of lens {} is off", plan.monitor),
                    &place,
                    format!(
                        "`lensops restore {} --reason …`, or say `paused` in the lens file",
                        plan.monitor
                    ),
                ),
                Some(FlagState::Partly) => findings.good(format!("flag {flag} is on, for a part of those who ask")),
                Some(FlagState::On | FlagState::Off) => {
                    findings.good(format!("flag {flag} is known at the provider"));
                }
            }
        }
    }
}

/// The provider's name and the flags `asked`; `None` where they are not to be had, which is a
/// finding.
async fn read(subject: &Subject<'_>, asked: &[FlagName], findings: &mut Findings) -> Option<(String, Readings)> {
    let provider = match subject.settings.provider() {
        Ok(Ok(provider)) => provider.patient(COMMAND_PATIENCE / 9),
        Ok(Err(why)) => {
            findings.warning(
                format!("flags are not judged: {why}"),
                "the environment",
                "set what it names, or `flags` of lensops.yml to where the flags are kept",
            );
            return None;
        }
        Err(error) => {
            findings.error(
                Error::from(error).line(),
                "lensops.yml and the environment",
                "correct `flags` of lensops.yml, or RENDER_API_URL",
            );
            return None;
        }
    };
    let place = provider.name();
    let wrong = format!("correct {}", provider.settings());
    let readings = match provider.read(&subject.client, asked).await {
        Ok(readings) => readings,
        Err(error @ FlagError::Denied { .. }) => {
            findings.error(
                error.to_string(),
                place,
                "make a new key at the provider, and set the variable",
            );
            return None;
        }
        Err(error @ (FlagError::File(_) | FlagError::Status(404))) => {
            findings.error(error.to_string(), place, wrong);
            return None;
        }
        Err(error) => {
            findings.unjudged(error.to_string(), place, "ask again when the provider answers");
            return None;
        }
    };
    Some((place, readings))
}
