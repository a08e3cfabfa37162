//! `lensops accept`: a plan with the options of the command line, put together and run.

use std::path::{Path, PathBuf};

use anyhow::Result;
use lensops_core::plan::acceptance::AcceptancePlan;

use super::{Acceptance, Output, accept};
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::config::Settings;
use crate::http::{Client, TIMEOUT};

/// What the command line asks for besides the plan.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    /// The dialect that the API speaks; `None`: that of the settings.
    pub dialect: Option<&'a str>,
    /// The API's action registry.
    pub registry: Option<&'a Path>,
    /// Scenarios to run alone; all where none is named.
    pub scenarios: &'a [String],
    /// Where JUnit goes.
    pub junit: Option<PathBuf>,
    /// How often the API is asked until it follows a switched flag; `None`: no flag is switched.
    pub flag_proof: Option<u32>,
    /// Print JSON.
    pub json: bool,
}

/// Runs the acceptance plan `which`.
///
/// # Errors
/// A plan, an option or a setting that is not valid, or evidence that cannot be written.
pub async fn run(settings: &Settings, which: &Which<'_>, asked: Asked<'_>) -> Result<Exit> {
    let plan = load::<AcceptancePlan>(settings, which)?;
    let run = Acceptance::new(settings, plan, asked.scenarios, asked.dialect, asked.registry)?;
    let output = Output {
        json: asked.json,
        junit: asked.junit,
        flag_proof: asked.flag_proof,
    };
    accept(settings, &Client::new(TIMEOUT), &run, &output).await
}
