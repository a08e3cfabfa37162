//! Which API the demo is of, and how its project is made.

use std::path::Path;

use lensops_sandbox::{Dialect, LENSES_JSON, ORDERS_FLAG, Sandbox};

use super::setup;
use crate::commands::error::Result;
use crate::commands::files;
use crate::commands::generate::{self, Options};
use crate::config::{Env, PROJECT_FILE, Settings};

/// The kind of API that the demo is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Api {
    /// Actions that go through one router.
    ActionRouter,
    /// Any HTTP API: a shop with orders.
    Http,
}

/// The project of the shop, as `examples/orders` has it: `lensops.yml`, and the lens.
const PROJECT: &str = include_str!("../../../demo/orders/lensops.yml");
const LENS: &str = include_str!("../../../demo/orders/lens.yml");

/// The lens of the shop.
const ORDERS: &str = "orders";

impl Api {
    /// The lens that the incident hits.
    pub(super) fn struck(self) -> &'static str {
        match self {
            Self::ActionRouter => setup::STRUCK,
            Self::Http => ORDERS,
        }
    }

    /// The lens of the second incident, and its master flag.
    pub(super) fn second(self) -> (&'static str, &'static str) {
        match self {
            Self::ActionRouter => ("documents", "DOCUMENT_LENS_V2_ENABLED"),
            Self::Http => (ORDERS, ORDERS_FLAG),
        }
    }

    /// The dialects that it is tried in.
    pub(super) fn dialects(self) -> &'static [Dialect] {
        match self {
            Self::ActionRouter => &[Dialect::DeployedA, Dialect::DeployedB, Dialect::Documented],
            Self::Http => &[Dialect::Documented],
        }
    }

    /// Writes `lensops.yml` and what stands beside it. No secret is in any of it.
    pub(super) fn write_project(self, folder: &Path, sandbox: &Sandbox) -> Result<()> {
        match self {
            Self::ActionRouter => setup::write_project(folder, sandbox),
            Self::Http => Ok(files::replace_all(&[
                (folder.join(PROJECT_FILE), PROJECT),
                (folder.join(format!("lenses/{ORDERS}.yml")), LENS),
            ])?),
        }
    }

    /// The settings of a run against `sandbox`; its secrets stay in memory.
    pub(super) fn settings(self, folder: &Path, sandbox: &Sandbox) -> Result<Settings> {
        let mut env: Env = setup::environment(sandbox);
        if self == Self::Http {
            for user in &sandbox.config().shop {
                let name = format!("{}_{}", user.tenant, user.role).to_uppercase();
                env.insert(format!("{name}_KEY"), user.key.clone());
                env.insert(format!("{name}_PASSWORD"), user.password.clone());
            }
        }
        Ok(Settings::load(folder, env)?)
    }

    /// Generates every lens; returns their ids, and how many files there are.
    pub(super) fn generate(self, settings: &Settings) -> Result<(Vec<String>, usize)> {
        match self {
            Self::ActionRouter => {
                let lenses = setup::lenses(LENSES_JSON)?;
                let files = setup::generate(settings, &lenses)?;
                Ok((lenses.into_iter().map(|lens| lens.lens_id).collect(), files))
            }
            Self::Http => {
                let files = generate::generate_quietly(settings, None, &Options::default())?;
                Ok((vec![ORDERS.to_owned()], files))
            }
        }
    }
}
