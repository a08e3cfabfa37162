//! `lensops matrix`: the registry is found, the lenses are read and the whole matrix is asked; its table
//! is printed, and the evidence is left behind.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::lens::Lens;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::verdict::acceptance::{Case, CaseResult, judge_cases};
use lensops_core::verdict::registry::Registry;
use lensops_core::verdict::{RunKind, Verdict};

use super::access::AccessMatrix;
use super::fetch::fetch_registry;
use super::role_matrix::RoleMatrix;
use super::table::Table;
use crate::commands::acceptance::registry::read_registry;
use crate::commands::acceptance::report::{Output, Report, finish};
use crate::commands::error::{Error, Result};
use crate::commands::evidence::bundle;
use crate::commands::exit::Exit;
use crate::commands::plans::{Loaded, Which, lens_paths, load, load_all, load_lens};
use crate::commands::signal::stop_on_signal;
use crate::config::Settings;
use crate::http::Client;

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    /// The lens whose actions are asked; `None`: all of the registry's.
    pub lens: Option<&'a str>,
    /// The API's action registry; `None`: that of the settings, else what the API lists of the lens.
    pub registry: Option<&'a Path>,
    /// The dialect that the API speaks; `None`: that of the settings.
    pub dialect: Option<&'a str>,
    /// Where JUnit goes.
    pub junit: Option<PathBuf>,
    /// Print JSON.
    pub json: bool,
}

/// Asks the API for every action as every role.
///
/// # Errors
/// No registry, a lens, plan or setting that is not valid, an API that does not list its actions, or
/// evidence that cannot be written.
pub async fn run(settings: &Settings, asked: Asked<'_>) -> Result<Exit> {
    let loaded = plan_of(settings, &asked)?;
    let client = settings.client()?;
    if let (Some(access), None) = (loaded.plan.access.clone(), asked.registry) {
        let matrix = AccessMatrix::new(settings, loaded, access, asked.dialect)?;
        let output = Output {
            json: asked.json,
            junit: asked.junit,
            flag_proof: None,
        };
        return matrix.ask(settings, &client, &output).await;
    }
    let registry = find_registry(settings, &asked, &loaded.plan, &client).await?;
    let lenses = lens_paths(settings)?.into_iter();
    let lenses = lenses.map(|path| Ok(load_lens(settings, &path, true)?.0));
    let lenses = lenses.collect::<Result<Vec<Lens>>>()?;
    let all = asked.lens.is_none();
    let run = RoleMatrix::new(settings, loaded, registry, all, &lenses, asked.dialect)?;
    let output = Output {
        json: asked.json,
        junit: asked.junit,
        flag_proof: None,
    };
    matrix(settings, &client, &run, &output).await
}

/// The plan of the lens that is named. Without one it is the only plan, or for a registry any that asks by it.
fn plan_of(settings: &Settings, asked: &Asked<'_>) -> Result<Loaded<AcceptancePlan>> {
    if let Some(lens) = asked.lens {
        return load(settings, &Which::Lens(lens));
    }
    let mut all: Vec<Loaded<AcceptancePlan>> = load_all(settings)?;
    let by_registry = all.iter().position(|loaded| loaded.plan.matrix.is_some());
    match by_registry {
        Some(at) => Ok(all.swap_remove(at)),
        None if all.len() == 1 => Ok(all.swap_remove(0)),
        None => Err(Error::usage("name one lens: a matrix of endpoints is of one lens")),
    }
}

/// The registry that is named, else the one of the settings, else what the API lists of one lens.
async fn find_registry(
    settings: &Settings,
    asked: &Asked<'_>,
    plan: &AcceptancePlan,
    client: &Client,
) -> Result<Registry> {
    match read_registry(settings, asked.registry)? {
        Some(registry) => Ok(registry),
        None if asked.lens.is_some() => fetch_registry(settings, plan, client).await,
        None => Err(Error::usage(
            "no action registry: give --registry FILE, `registry:` in lensops.yml, or one lens, whose list is asked for",
        )),
    }
}

/// Asks, prints and writes. Ctrl-C and SIGTERM end the run in order: cells that were not answered are
/// unjudged, and the evidence is written.
///
/// # Errors
/// When the evidence cannot be written.
pub async fn matrix<S: Sender>(settings: &Settings, sender: &S, run: &RoleMatrix, output: &Output) -> Result<Exit> {
    if let Some(warning) = run.loaded.warning() {
        complain!("⚠️ {warning}");
    }
    bundle::ready(settings)?;
    for line in &run.left_out {
        complain!("⚠️ {line}");
    }
    let stop = stop_on_signal();
    let (cases, rows) = run.ask(sender, fastrand::u64(..), &stop).await;
    let table = Table {
        columns: run.columns(),
        rows,
        held_to: "the registry",
    };
    let (mut verdict, mut reason) = judge_cases(&cases);
    if stop.is_cancelled() && verdict != Verdict::Fail {
        // Half a table proves nothing.
        (verdict, reason) = (Verdict::CouldNotJudge, format!("interrupted ({reason})"));
    }
    if !output.json {
        say!("{}", table.text().trim_end());
        for case in cases
            .iter()
            .filter(|case| matches!(case.result, CaseResult::Failed { .. }))
        {
            say!("{}", run.redactor.text(&case.line()));
        }
    }
    let mut report = report(run, cases, verdict, reason);
    let page = run.redactor.text(&table.html(&report));
    report.pages.push(("html", page));
    finish(settings, &run.redactor, &report, output, fastrand::u32(..))
}

/// What the run says of itself.
fn report(run: &RoleMatrix, cases: Vec<Case>, verdict: Verdict, reason: String) -> Report {
    Report {
        kind: RunKind::Matrix,
        title: format!("Role matrix: {}", run.lens.title()),
        lens: run.lens.clone(),
        // Nobody says which tenant an outsider is of.
        tenants: run.outsiders.is_empty().then(|| run.loaded.plan.tenants.to_vec()),
        facts: [
            ("api", run.base.to_string()),
            ("dialect", run.dialect_name.clone()),
            ("tenant", run.loaded.plan.tenants.name(run.loaded.plan.tenants[0])),
            ("actions", run.actions.len().to_string()),
            ("roles", run.roles.len().to_string()),
            (
                "destructive",
                if run.destructive { "allowed" } else { "forbidden" }.to_owned(),
            ),
        ]
        .into_iter()
        .chain((!run.left_out.is_empty()).then(|| ("left_out", run.left_out.join(" · "))))
        .collect(),
        plan_origin: run.loaded.origin,
        plan_text: run.loaded.text.clone(),
        finished_at: Timestamp::now(),
        verdict,
        reason,
        cases,
        pages: Vec::new(),
    }
}
