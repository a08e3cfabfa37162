//! `lensops doctor`: what can be put together is looked at; what cannot is a finding.

use anyhow::Result;
use lensops_core::plan::monitor::MonitorPlan;

use crate::commands::context::monitor;
use crate::commands::context::tenant_source;
use crate::commands::doctor::{Subject, doctor as look};
use crate::commands::exit::Exit;
use crate::commands::plans::{Loaded, Plan as _, Which, lens_paths, load, load_lens};
use crate::config::Settings;
use crate::http::{Client, TIMEOUT};

pub(super) async fn doctor(settings: &Settings, json: bool) -> Result<Exit> {
    let lenses = lens_paths(settings)?.into_iter().map(|path| {
        let lens = load_lens(settings, &path, false);
        lens.map(|(lens, _)| lens).map_err(|error| one_line(&error))
    });
    let folder = settings.root.join(MonitorPlan::FOLDER);
    let plans: Vec<Result<Loaded<MonitorPlan>, String>> = crate::commands::files::list(&folder, MonitorPlan::ENDING)?
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
        client: Client::new(TIMEOUT),
    };
    Ok(look(&subject, json).await)
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().next().unwrap_or_default().to_owned()
}
