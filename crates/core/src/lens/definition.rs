//! What a lens file says, field by field.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::endpoint::Endpoint;
use super::gate_policy::GateFile;
use super::mute::{Maintenance, Paused};
use super::tenants::Tenants;
use super::user::User;
use crate::auth::Auths;
use crate::duration::Every;
use crate::expect::Expect;
use crate::ident::{EntityId, FlagName, Ident, LensId};
use crate::repository::PathPattern;
use crate::request::{Hosts, RequestPath};

/// The signed action of a lens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedAction {
    /// Its name in the action router.
    pub name: Ident,
    /// What it creates or changes; `<entity_type>_id` is looked for in a success.
    pub entity_type: Ident,
    /// The payload key that names the entity it acts on.
    pub entity_id_key: Ident,
    /// The users whose signature must be accepted, by name.
    pub signers: Vec<Ident>,
    /// What the action needs besides tenant, entity and signature.
    #[serde(default)]
    pub payload: IndexMap<Ident, Value>,
    /// Test entities: one a positive case where the action consumes it.
    #[serde(default)]
    pub entities: Vec<EntityId>,
    /// Whether a success uses the entity up (supersede, delete, decommission).
    #[serde(deserialize_with = "crate::yaml::own_boolean", default)]
    pub consumes_entity: bool,
    /// How the database proves that a success happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// How a second try of the same is refused, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
}

/// How an action refuses to be done twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// The entity it is tried on, its own: other cases must not have used it.
    pub entity: EntityId,
    /// The error code of the second try.
    pub code: String,
    /// Payload keys that are left out, since they allow a second one.
    #[serde(default)]
    pub omit: Vec<Ident>,
    /// A statement that returns one row afterwards; `$entity` is the entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

/// A statement that returns one row when the success is in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// A read-only statement; `$entity_id` is the id the success returned.
    pub sql: String,
}

/// The READ action of a lens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadAction {
    /// Its name in the action router.
    pub name: Ident,
    /// The payload key that names the entity.
    pub entity_id_key: Ident,
    /// The entity to read; without one the cases that need it are unjudged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityId>,
}

/// Two thresholds of one figure: above `warn` is degraded, above `fail` unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Above it, degraded.
    pub warn: f64,
    /// Above it, unhealthy.
    pub fail: f64,
}

/// What a lens promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Slo {
    /// The span whose samples make the P95.
    pub window: Every,
    /// P95 latency in milliseconds.
    pub p95_ms: Limits,
    /// Failed samples of one check, in percent.
    pub error_rate_percent: Limits,
}

impl Default for Slo {
    fn default() -> Self {
        Self {
            window: "1h".parse().unwrap_or(Every::QUARTER_HOUR),
            p95_ms: Limits {
                warn: 2000.0,
                fail: 10_000.0,
            },
            error_rate_percent: Limits { warn: 1.0, fail: 5.0 },
        }
    }
}

/// Changes a person makes to the generated plans: maps merge, lists of named items merge by
/// `name`, anything else is replaced.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// Merged into the monitor plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Value>,
    /// Merged into the acceptance plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Value>,
    /// Merged into the stress plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stress: Option<Value>,
}

fn default_every() -> Every {
    Every::QUARTER_HOUR
}

/// A lens as its file states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lens {
    /// The lens id.
    pub lens: LensId,
    /// The API domain. Of template set `action-router`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Ident>,
    /// The template set that renders it: a built-in one (`action-router`, `http`) or a folder. Without it that of
    /// `lensops.yml`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub template_set: String,
    /// Its feature flags, any number; the first is the master flag.
    #[serde(default)]
    pub flags: Vec<FlagName>,
    /// The roles that see it. Of a lens with `endpoints` they are those of its users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Ident>,
    /// The tenants it runs for; empty: those of `lensops.yml`.
    #[serde(default)]
    pub tenants: Tenants,
    /// Its users by name; missing ones come from `lensops.yml`.
    #[serde(default)]
    pub users: IndexMap<Ident, User>,
    /// How its users sign in, besides the ways of `lensops.yml`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub auth: Auths,
    /// Hosts besides the API, by the names that requests call them in `at`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub hosts: Hosts,
    /// Its endpoints, those that create something before those that name it. Of template set `http`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// The path that tells whether the API is well. Of template set `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<RequestPath>,
    /// How this API says that the feature is off: `{status: 404}`. Of template set `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off: Option<Expect>,
    /// How this API lets nobody in; 401, 403 or 404 where nothing is said. Of template set `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Expect>,
    /// What a template set of your own takes besides, as its manifest says.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub options: IndexMap<Ident, Value>,
    /// Its signed action, if it has one. Of template set `action-router`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_action: Option<SignedAction>,
    /// Its READ action, if it has one. Of template set `action-router`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_action: Option<ReadAction>,
    /// Paths of the API's code: acceptance runs when they change. Without any: those of `lensops.yml`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathPattern>,
    /// How often it is checked.
    #[serde(default = "default_every")]
    pub every: Every,
    /// Samples a timed probe takes in a check; `None`: 7, or 11 where there are only two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// What it promises.
    #[serde(default)]
    pub slo: Slo,
    /// How the gate decides; what `lensops.yml` says, or strict, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateFile>,
    /// Why it is rolled back on purpose; checked, shown as paused, and pages nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// When it is expected to be down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<Maintenance>,
    /// Changes to the generated plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
}

/// What `lensops.yml` gives to lenses that do not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Defaults {
    /// The default tenants.
    pub tenants: Tenants,
    /// Users by name.
    pub users: IndexMap<Ident, User>,
    /// Users of another tenant, by name.
    pub outsiders: IndexMap<Ident, User>,
    /// Ways to sign in.
    pub auth: Auths,
    /// Hosts besides the API.
    pub hosts: Hosts,
    /// Headers of every request that does not set them itself.
    pub headers: IndexMap<String, String>,
}

impl Lens {
    /// What a person should know before running; `takes` says which options its template set has.
    #[must_use]
    pub fn warnings(&self, takes: impl Fn(&str) -> bool) -> Vec<String> {
        let mut warnings = Vec::new();
        let lens = &self.lens;
        match &self.signed_action {
            None if takes("signed_action") => warnings.push(format!(
                "lens {lens} has no signed action: its signed-flow scenarios are left out"
            )),
            Some(action) if action.consumes_entity && !action.entities.is_empty() => {
                let (has, needed) = (action.entities.len(), action.signers.len());
                if has < needed {
                    warnings.push(format!("{} consumes its entity and lens {lens} has {has} for {needed} signers: the rest is skipped (--test-entity-id)", action.name));
                }
            }
            _ => {}
        }
        if self.read_action.is_none() && takes("read_action") {
            warnings.push(format!(
                "lens {lens} has no READ action: that probe and target are left out"
            ));
        }
        warnings.extend(self.entity_warning());
        let strange = self.users.iter().filter(|(_, user)| !self.roles.contains(&user.role));
        let strange: Vec<String> = strange.map(|(name, user)| format!("{name} ({})", user.role)).collect();
        if !strange.is_empty() && takes("signed_action") {
            warnings.push(format!(
                "lens {lens}: `roles` does not name the role of {}: the API lists them nothing of it",
                strange.join(", ")
            ));
        }
        if self.flags.is_empty() {
            warnings.push(format!(
                "lens {lens} names no feature flag: its flag probe is left out, and it cannot be rolled back by a flag"
            ));
        }
        warnings
    }

    /// What follows from a missing test entity, and what names one.
    fn entity_warning(&self) -> Option<String> {
        let invented = self
            .read_action
            .as_ref()
            .filter(|read| read.entity.is_none())
            .map(|read| {
                let why = "its READ probe and stress test ask for an invented id, where 404 is right";
                (read.name.as_str(), "read_action.entity", why)
            });
        let unjudged = self.accept_lacks_entity().map(|(name, key)| {
            let why = "`accept` cannot judge the cases that need one and exits 3";
            (name.as_str(), key, why)
        });
        let all: Vec<_> = invented.into_iter().chain(unjudged).collect();
        let mut names: Vec<&str> = all.iter().map(|(name, _, _)| *name).collect();
        let mut keys: Vec<&str> = all.iter().map(|(_, key, _)| *key).collect();
        names.dedup();
        keys.dedup();
        let whys: Vec<&str> = all.iter().map(|(_, _, why)| *why).collect();
        (!all.is_empty()).then(|| {
            format!(
                "lens {} has no test entity for {}: {} (give --test-entity-id, or {} of the lens)",
                self.lens,
                names.join(" and "),
                whys.join("; "),
                keys.join(" and ")
            )
        })
    }

    /// The action whose acceptance cases want a test entity that the lens does not name, and the key of the
    /// lens file that would.
    #[must_use]
    pub fn accept_lacks_entity(&self) -> Option<(&Ident, &'static str)> {
        match (&self.signed_action, &self.read_action) {
            (Some(action), _) => action
                .entities
                .is_empty()
                .then_some((&action.name, "signed_action.entities")),
            (None, Some(read)) => read.entity.is_none().then_some((&read.name, "read_action.entity")),
            (None, None) => None,
        }
    }

    /// The user that probes run as: the one of the `usual` name where there is one, else the first signer, else the
    /// first user.
    #[must_use]
    pub fn probe_user(&self, usual: Option<&Ident>) -> Option<&Ident> {
        let usual = self.users.keys().find(|name| Some(*name) == usual);
        usual
            .or_else(|| self.signed_action.as_ref().and_then(|action| action.signers.first()))
            .or_else(|| self.users.keys().next())
    }

    /// Samples a timed probe takes: at least 20 in a check, so that it can support a P95.
    #[must_use]
    pub fn samples_per_probe(&self) -> u32 {
        let timed = if self.read_action.is_some() { 3 } else { 2 };
        self.samples.unwrap_or(if timed == 3 { 7 } else { 11 })
    }
}
