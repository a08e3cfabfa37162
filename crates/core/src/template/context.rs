//! What templates see of a lens. Everything is defined, if only as null: templates are strict.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::http;
use super::manifest::Pin;
use super::terms::Terms;
use crate::auth::Auth;
use crate::crypto::digest::{sha256_hex, uuid_v8};
use crate::ident::{EntityId, LensId};
use crate::lens::{Defaults, Lens, SignedAction, User};
use crate::repository::{Branch, PathPattern, RepoFolder};

/// Where the CI service looks for workflows, below the repository's root.
const WORKFLOWS: &str = ".github/workflows/";

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
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// The branch whose pushes start workflows.
    pub branch: Branch,
    /// The folder of `lensops.yml` below the repository's root, where workflows go to the root.
    pub folder: Option<RepoFolder>,
    /// Paths of the API's code, of lenses that name none.
    pub paths: Vec<PathPattern>,
    /// What lenses and plans take of `lensops.yml`.
    pub shared: Defaults,
    /// Whether the project says that it is hosted at Render.
    pub render: bool,
}

impl RepoContext {
    /// As templates see it. `root` is the folder; `prefix` stands before its paths, `slug` before the names
    /// of its files at the repository's root: both empty where it is the root.
    fn shown(&self) -> Value {
        let folder = self.folder.as_ref();
        json!({
            "version": self.version,
            "install": self.install,
            "single_worker": self.single_worker,
            "runtime": self.runtime,
            "api_base_url": self.api_base_url,
            "branch": self.branch.as_str(),
            "root": folder.map(RepoFolder::as_str),
            "prefix": folder.map(|folder| format!("{folder}/")).unwrap_or_default(),
            "slug": folder.map(RepoFolder::slug).unwrap_or_default(),
            "outsiders": self.shared.outsiders,
            "render": self.render,
        })
    }

    /// Whether a file goes to the repository's root, and its path from where it goes.
    pub(super) fn place(&self, path: &str) -> (bool, String) {
        match (&self.folder, path.strip_prefix(WORKFLOWS)) {
            (Some(folder), Some(name)) => (true, format!("{WORKFLOWS}{}{name}", folder.slug())),
            _ => (false, path.to_owned()),
        }
    }

    /// A path from the repository's root.
    pub(super) fn rooted(&self, path: &str) -> String {
        match (self.place(path), &self.folder) {
            ((false, path), Some(folder)) => format!("{folder}/{path}"),
            ((_, path), _) => path,
        }
    }
}

/// The minute of the night at which a lens is stressed, from its id: lenses would measure one another. From
/// 30 lenses on an hour holds no longer enough minutes.
pub(super) fn night(id: &LensId, lenses: usize) -> Value {
    const MANY: usize = 30;
    let hash = sha256_hex(id.as_str().as_bytes());
    let number = hash
        .get(..8)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .unwrap_or_default();
    let hour = if lenses < MANY { 2 } else { number / 60 % 6 };
    json!({"minute": number % 60, "hour": hour})
}

/// A case of the signed flow that must be let in.
#[derive(Serialize)]
struct Signer<'a> {
    name: &'a str,
    upper: String,
    role: &'a str,
    signs_as: &'a str,
    entity: Option<&'a EntityId>,
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
            let entity = action.entities.get(if action.consumes_entity { index } else { 0 });
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
pub(super) fn of(lens: &Lens, repo: &RepoContext, pins: &IndexMap<String, Pin>, terms: &Terms) -> Value {
    let signed = lens.signed_action.as_ref();
    let read = lens.read_action.as_ref();
    let denied = lens.users.iter().find(|(name, _)| Some(*name) == terms.user("denied"));
    let denied = denied.filter(|(name, _)| signed.is_none_or(|action| !action.signers.contains(name)));
    // Deterministic, and known to nobody: a READ of it is a 404 by design.
    let unknown_entity = uuid_v8(0, &[b"unknown entity", lens.lens.as_str().as_bytes()]);
    let mut context = json!({
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
        "auth": lens.auth,
        "hosts": lens.hosts,
        "secrets": secrets(lens, repo),
        "probe_user": lens.probe_user(terms.user("probe")),
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
        "own_paths": lens.paths,
        "accept_lacks": lens.accept_lacks_entity().map(|(name, key)| json!({"action": name, "key": key})),
        "pins": pins,
        "repo": repo.shown(),
    });
    let more = json!({
        "minted": lens.users.values().any(|user| user.auth.is_none()),
        "options": terms.values(lens),
        "own_options": lens.options,
        "http": http::of(lens),
        "endpoints": lens.endpoints,
        "health": lens.health,
        "off": lens.off,
        "denied": lens.denied,
    });
    if let (Some(context), Value::Object(more)) = (context.as_object_mut(), more) {
        context.extend(more);
    }
    context
}

/// The environment variables that hold the secrets of the lens's users.
fn secrets(lens: &Lens, repo: &RepoContext) -> Vec<String> {
    let of_auth = lens.users.values().filter_map(|user| {
        let name = user.auth.as_ref()?;
        lens.auth.get(name).or_else(|| repo.shared.auth.get(name))
    });
    let names = of_auth
        .flat_map(Auth::variables)
        .chain(lens.users.values().flat_map(User::variables))
        .chain(lens.tenants.variables());
    let mut names: Vec<String> = names.map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    names
}

/// The context of the outputs that are rendered once.
pub(super) fn of_repo(
    contexts: Vec<minijinja::Value>,
    lenses: &[&Lens],
    repo: &RepoContext,
    pins: &IndexMap<String, Pin>,
) -> minijinja::Value {
    let secrets: BTreeSet<String> = lenses.iter().flat_map(|lens| secrets(lens, repo)).collect();
    let serde = |value: Value| minijinja::Value::from(minijinja::value::Serde(value));
    minijinja::context! { lenses => contexts, secrets => serde(json!(secrets)), pins => serde(json!(pins)), repo => serde(repo.shown()) }
}

/// The paths of the API's code that start acceptance, from the repository's root.
pub(super) fn paths(lens: &Lens, repo: &RepoContext) -> Vec<String> {
    let own = if lens.paths.is_empty() {
        &repo.paths
    } else {
        &lens.paths
    };
    own.iter().map(|path| path.rooted(repo.folder.as_ref())).collect()
}
