//! What templates see of a lens. Everything is defined, if only as null: templates are strict.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::manifest::Pin;
use crate::crypto::digest::uuid_v8;
use crate::lens::{Lens, SignedAction};

/// Where CI gets the binary from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// An archive or binary to download.
    pub url: String,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
}

/// What templates see besides the lens.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RepoContext {
    /// The tool's version.
    pub version: String,
    /// Where CI gets the binary from; `None`: from crates.io.
    pub install: Option<Install>,
    /// One worker service for all lenses instead of one a lens.
    pub single_worker: bool,
    /// `docker` or `rust`.
    pub runtime: String,
    /// The API's address, where `lensops.yml` states it.
    pub api_base_url: Option<String>,
}

/// A case of the signed flow that must be let in.
#[derive(Serialize)]
struct Signer<'a> {
    name: &'a str,
    upper: String,
    role: &'a str,
    signs_as: &'a str,
    entity: Option<uuid::Uuid>,
    skip: Option<String>,
}

fn signers<'a>(lens: &'a Lens, action: &'a SignedAction) -> Vec<Signer<'a>> {
    let with_user = action
        .signers
        .iter()
        .filter_map(|name| Some((name, lens.users.get(name)?)));
    with_user
        .enumerate()
        .map(|(index, (name, user))| {
            // An action that uses its entity up needs another one for each signer.
            let entity = action
                .entities
                .get(if action.consumes_entity { index } else { 0 })
                .copied();
            let missing = action.consumes_entity && index > 0 && entity.is_none();
            Signer {
                name: name.as_str(),
                upper: name.as_str().to_ascii_uppercase(),
                role: user.role.as_str(),
                signs_as: user.signing_role().as_str(),
                entity,
                skip: missing.then(|| {
                    format!(
                        "no entity of its own: {} consumes its entity, and signed_action.entities of lens {} holds {}",
                        action.name,
                        lens.lens,
                        action.entities.len()
                    )
                }),
            }
        })
        .collect()
}

/// The context of one lens.
pub(super) fn of(lens: &Lens, repo: &RepoContext, pins: &IndexMap<String, Pin>) -> Value {
    let signed = lens.signed_action.as_ref();
    let read = lens.read_action.as_ref();
    let denied = lens.users.iter().find(|(name, _)| name.as_str() == "crew");
    let denied = denied.filter(|(name, _)| signed.is_none_or(|action| !action.signers.contains(name)));
    // Deterministic, and known to nobody: a READ of it is a 404 by design.
    let unknown_entity = uuid_v8(0, &[b"unknown entity", lens.lens.as_str().as_bytes()]);
    json!({
        "id": lens.lens,
        "kebab": lens.lens.kebab(),
        "upper": lens.lens.upper(),
        "title": lens.lens.title(),
        "domain": lens.domain,
        "template_set": lens.template_set,
        "flags": lens.flags,
        "master_flag": lens.flags.first(),
        "roles": lens.roles,
        "tenants": lens.tenants,
        "users": lens.users,
        "probe_user": lens.probe_user(),
        "denied_user": denied.map(|(name, _)| name),
        "signed": signed.map(|action| json!({
            "name": action.name,
            "entity_type": action.entity_type,
            "entity_id_key": action.entity_id_key,
            "payload": action.payload,
            "entities": action.entities,
            "first_entity": action.entities.first(),
            "consumes_entity": action.consumes_entity,
            "creates": action.entity_id_key.as_str() != format!("{}_id", action.entity_type),
            "proof_sql": action.proof.as_ref().map(|proof| &proof.sql),
            "idempotency": action.idempotency.as_ref().map(|twice| json!({"entity": twice.entity, "code": twice.code, "omit": twice.omit, "sql": twice.sql})),
            "signer_names": action.signers,
            "signers": signers(lens, action),
        })),
        "read": read.map(|action| json!({"name": action.name, "entity_id_key": action.entity_id_key, "entity": action.entity})),
        "unknown_entity": unknown_entity,
        "every": lens.every,
        "every_minutes": lens.every.minutes(),
        "every_words": lens.every.tell(),
        "samples": lens.samples_per_probe(),
        "samples_given": lens.samples,
        "slo": lens.slo,
        "gate": lens.gate,
        "paused": lens.paused,
        "maintenance": lens.maintenance,
        "overrides": lens.overrides,
        "pins": pins,
        "repo": repo,
    })
}

/// The context of the outputs that are rendered once.
pub(super) fn of_repo(lenses: &[minijinja::Value], repo: &RepoContext, pins: &IndexMap<String, Pin>) -> Value {
    json!({"lenses": lenses, "pins": pins, "repo": repo})
}
