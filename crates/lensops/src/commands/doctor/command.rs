//! `lensops doctor`: what can be put together is looked at; what cannot is a finding.

use lensops_core::plan::monitor::MonitorPlan;

use super::finding::Findings;
use super::subject::Subject;
use super::{api, clock, files, flags, fleet, leaks, repository, secrets, sign_in, store};
use crate::commands::context::{monitor, tenant_source};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::plans::{Loaded, Which, lens_paths, load, load_lens, plan_paths};
use crate::config::Settings;

/// Looks at everything below the root of `settings` and at what it names, and prints the findings.
///
/// # Errors
/// When a folder cannot be read.
pub async fn run(settings: &Settings, json: bool) -> Result<Exit> {
    let lenses = lens_paths(settings)?.into_iter().map(|path| {
        let lens = load_lens(settings, &path, false);
        lens.map(|(lens, _)| lens).map_err(|error| one_line(&error))
    });
    let plans: Vec<Result<Loaded<MonitorPlan>, String>> = plan_paths::<MonitorPlan>(settings)?
        .iter()
        .map(|path| load(settings, &Which::File(path)).map_err(|error| one_line(&error)))
        .collect();
    // What keeps a monitor from being put together is found in the settings.
    let monitors = plans
        .iter()
        .flatten()
        .filter_map(|loaded| monitor(settings, loaded.clone()).ok());
    let subject = Subject {
        settings,
        lenses: lenses.collect(),
        monitors: monitors.collect(),
        plans,
        tenants: tenant_source(settings).map_err(|error| one_line(&error)),
        client: settings.client()?,
    };
    Ok(doctor(&subject, json).await)
}

fn one_line(error: &Error) -> String {
    error.line().lines().next().unwrap_or_default().to_owned()
}

/// Looks at everything and prints what was found, worst first.
pub async fn doctor(subject: &Subject<'_>, as_json: bool) -> Exit {
    let secrets = subject
        .monitors
        .iter()
        .flat_map(|monitor| monitor.signing.environment.secrets());
    let mut findings = Findings::new(subject.settings.redactor().with(secrets));
    secrets::look(subject, &mut findings);
    files::look(subject, &mut findings);
    leaks::look(subject, &mut findings);
    repository::look(subject, &mut findings);
    sign_in::look(subject, &mut findings).await;
    api::look(subject, &mut findings).await;
    flags::look(subject, &mut findings).await;
    store::look(subject, &mut findings).await;
    fleet::look(subject, &mut findings).await;
    clock::look(subject, &mut findings).await;
    findings.report(as_json)
}
