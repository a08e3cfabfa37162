//! `lensops matrix`: the registry found, the lenses read, and the role matrix put together and run.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use jiff::Timestamp;
use lensops_core::lens::Lens;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::verdict::registry::Registry;

use super::{RoleMatrix, fetch_registry, matrix};
use crate::commands::acceptance::{Output, read_registry};
use crate::commands::exit::Exit;
use crate::commands::plans::{Loaded, Which, lens_paths, load, load_all, load_lens};
use crate::config::Settings;
use crate::http::{Client, TIMEOUT};

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
pub async fn run(settings: &Settings, asked: Asked<'_>, now: Timestamp) -> Result<Exit> {
    let loaded: Loaded<AcceptancePlan> = match asked.lens {
        Some(lens) => load(settings, &Which::Lens(lens))?,
        None => load_all(settings)?.swap_remove(0),
    };
    let client = Client::new(TIMEOUT);
    let registry = find_registry(settings, &asked, &loaded.plan, &client).await?;
    let lenses = lens_paths(settings)?.into_iter();
    let lenses = lenses.map(|path| Ok(load_lens(settings, &path, true)?.0));
    let lenses = lenses.collect::<Result<Vec<Lens>>>()?;
    let all = asked.lens.is_none();
    let run = RoleMatrix::new(settings, loaded, registry, all, &lenses, asked.dialect, now)?;
    let output = Output {
        json: asked.json,
        junit: asked.junit,
        flag_proof: None,
    };
    matrix(settings, &client, &run, &output).await
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
        None => bail!(
            "no action registry: give --registry FILE, `registry:` in lensops.yml, or one lens, whose list is asked for"
        ),
    }
}
