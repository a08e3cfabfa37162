//! The demo's project: a folder, `lensops.yml`, and the lenses of the sandbox's data.

use std::path::Path;

use indexmap::IndexMap;
use lensops_core::ident::{EntityId, FlagName, Ident};
use lensops_core::lens::User;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_sandbox::{ACTIONS_JSON, LENSES_JSON, Sandbox};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::commands::context::monitor;
use crate::commands::error::{Error, Result};
use crate::commands::files::{self, FileError};
use crate::commands::generate::{self, NewLens, Options};
use crate::commands::plans::{Which, load};
use crate::commands::worker::check::Monitor;
use crate::config::{Env, PROJECT_FILE, ProjectFile, Settings};

/// Marks a folder as the demo's own, to be made anew.
const MARKER: &str = ".lensops-demo";

/// Where the registry of the API stands below the folder.
const REGISTRY: &str = "actions.json";

#[derive(Debug, Deserialize)]
struct Data {
    tenants: IndexMap<String, Uuid>,
    users: IndexMap<Ident, User>,
    lenses: Vec<Definition>,
}

/// A lens of the sandbox's data.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    pub(crate) lens_id: String,
    domain: String,
    feature_flags: Vec<FlagName>,
    roles: Vec<Ident>,
    read_action: Option<Ident>,
    entity_id_key: Option<Ident>,
    signed_action: Option<Ident>,
    entity_type: Option<Ident>,
    #[serde(default)]
    signed_payload: IndexMap<Ident, Value>,
    #[serde(default)]
    test_entities: Vec<EntityId>,
    #[serde(default)]
    signers: Vec<Ident>,
    #[serde(default)]
    consumes_entity: bool,
}

/// Makes the folder anew; one that is not the demo's own is refused.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    let occupied = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied && !folder.join(MARKER).exists() {
        return Err(Error::usage(format!(
            "{} is there and is not the demo's: name another folder with --dir",
            folder.display()
        )));
    }
    if occupied {
        std::fs::remove_dir_all(folder).map_err(FileError::remove(folder))?;
    }
    files::replace_all(&[(
        folder.join(MARKER),
        "made by `lensops demo`, which removes and remakes this folder\n",
    )])?;
    Ok(())
}

/// The lens definitions.
pub(crate) fn lenses(json: &str) -> Result<Vec<Definition>> {
    Ok(serde_json::from_str::<Data>(json)?.lenses)
}

/// Writes `lensops.yml` and the registry. No secret is in either.
pub(crate) fn write_project(folder: &Path, sandbox: &Sandbox) -> Result<()> {
    let data: Data = serde_json::from_str(LENSES_JSON)?;
    let project = ProjectFile {
        tenants: data.tenants.get("north").copied().into_iter().collect(),
        users: data.users,
        api_base_url: Some(sandbox.url()),
        dialect: Some(sandbox.config().dialect.to_string()),
        registry: Some(REGISTRY.into()),
        ..ProjectFile::default()
    };
    let text = lensops_core::yaml::write(&project).map_err(Error::usage)?;
    files::replace_all(&[
        (folder.join(PROJECT_FILE), text.as_str()),
        (folder.join(REGISTRY), ACTIONS_JSON),
    ])?;
    Ok(())
}

/// The settings of a run against `sandbox`; its secrets stay in memory.
pub(crate) fn settings(folder: &Path, sandbox: &Sandbox) -> Result<Settings> {
    let config = sandbox.config();
    let env = [
        ("TENANT_SUPABASE_JWT_SECRET", config.jwt_secret.clone()),
        ("RENDER_API_KEY", config.provider_key.clone()),
        ("RENDER_SERVICE_ID", "srv-demo".to_owned()),
        ("RENDER_API_URL", sandbox.url()),
        ("API_BASE_URL", sandbox.url()),
    ];
    let env: Env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Settings::load(folder, env)?)
}

/// Generates every lens; returns how many files there are.
pub(crate) fn generate(settings: &Settings, lenses: &[Definition]) -> Result<usize> {
    let options = Options::default();
    let mut written = 0;
    for lens in lenses.iter().cloned() {
        let new = NewLens {
            lens_id: lens.lens_id,
            domain: lens.domain,
            feature_flags: lens.feature_flags,
            roles: lens.roles,
            signed_action: lens.signed_action,
            entity_type: lens.entity_type,
            entity_id_key: lens.entity_id_key,
            read_action: lens.read_action,
            test_entities: lens.test_entities,
            signers: lens.signers,
            consumes_entity: lens.consumes_entity,
            signed_payload: lens.signed_payload,
            ..NewLens::default()
        };
        written += generate::generate_quietly(settings, Some(new), &options)?;
    }
    Ok(written)
}

/// The monitors of all lenses.
pub(crate) fn monitors(settings: &Settings, lenses: &[Definition]) -> Result<Vec<Monitor>> {
    lenses
        .iter()
        .map(|lens| monitor(settings, load::<MonitorPlan>(settings, &Which::Lens(&lens.lens_id))?))
        .collect()
}

/// The lens that the incident hits.
pub(crate) const STRUCK: &str = "faults";
