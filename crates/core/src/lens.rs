//! The lens file: the one file a person edits.
//!
//! Parsing refuses unknown and duplicate keys and every name that is not safe; [`Lens::resolve`]
//! fills what a lens leaves to `lensops.yml` and checks what one field says against another.
//! Nothing is invented: what is missing and found nowhere is an error that names its option.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::ident::{EnvName, Ident, LensId, nearest};
use crate::mute::{Maintenance, Paused};
use crate::schedule::Every;

/// A user of the API under one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The `sub` of the user's tokens.
    pub id: Uuid,
    /// The job role the API looks up for the user.
    pub role: Ident,
    /// The role the user writes into signatures, where it is not the job role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_as: Option<Ident>,
}

impl User {
    /// The role the user signs as.
    #[must_use]
    pub fn signing_role(&self) -> &Ident {
        self.signs_as.as_ref().unwrap_or(&self.role)
    }
}

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
    pub entities: Vec<Uuid>,
    /// Whether a success uses the entity up (supersede, delete, decommission).
    #[serde(default)]
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
    pub entity: Uuid,
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
    pub entity: Option<Uuid>,
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

fn default_template_set() -> String {
    "action-router".to_owned()
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
    /// The API domain.
    pub domain: Ident,
    /// The template set that renders it.
    #[serde(default = "default_template_set")]
    pub template_set: String,
    /// Its feature flags, any number; the first is the master flag.
    #[serde(default)]
    pub flags: Vec<EnvName>,
    /// The roles that see it.
    pub roles: Vec<Ident>,
    /// The tenants it runs for; empty: those of `lensops.yml`.
    #[serde(default)]
    pub tenants: Vec<Uuid>,
    /// Its users by name; missing ones come from `lensops.yml`.
    #[serde(default)]
    pub users: IndexMap<Ident, User>,
    /// Its signed action, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_action: Option<SignedAction>,
    /// Its READ action, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_action: Option<ReadAction>,
    /// How often it is checked.
    #[serde(default = "default_every")]
    pub every: Every,
    /// Samples a timed probe takes in a check; `None`: 7, or 11 where there are only two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// What it promises.
    #[serde(default)]
    pub slo: Slo,
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
    pub tenants: Vec<Uuid>,
    /// Users by name.
    pub users: IndexMap<Ident, User>,
}

/// Why a lens does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LensError {
    /// No tenant in the lens nor in `lensops.yml`.
    #[error("lens {0} has no tenant: give --yacht-id, or `tenants:` in the lens or in lensops.yml")]
    NoTenant(LensId),
    /// Nobody to send requests as.
    #[error(
        "lens {0} has no user: give --hod-user-id, --user NAME=ROLE:UUID, or `users:` in the lens or in lensops.yml"
    )]
    NoUser(LensId),
    /// A signer that is no user.
    #[error(
        "lens {lens}: signer {signer} is no user{}: give --user {signer}=ROLE:UUID, or add it to `users:` in the lens or in lensops.yml",
        meant(signer, known)
    )]
    UnknownSigner {
        /// The lens.
        lens: LensId,
        /// The signer's name.
        signer: Ident,
        /// The users there are.
        known: Vec<String>,
    },
    /// A signed action that nobody signs.
    #[error("lens {0}: signed_action.signers is empty: name the users whose signature must be accepted (--signers)")]
    NoSigner(LensId),
    /// An id that was never replaced.
    #[error("lens {lens}: {field} is the placeholder {id}: give a real id, or --allow-placeholders")]
    Placeholder {
        /// The lens.
        lens: LensId,
        /// Where it stands.
        field: String,
        /// The id.
        id: Uuid,
    },
    /// Limits the wrong way round, or not numbers.
    #[error("lens {lens}: slo.{field} needs 0 <= warn <= fail")]
    Limits {
        /// The lens.
        lens: LensId,
        /// Which limits.
        field: &'static str,
    },
    /// A sample count that cannot be.
    #[error("lens {0}: samples must be 1 to 1000")]
    Samples(LensId),
    /// A pause or a maintenance window that makes no sense.
    #[error("lens {lens}: {why}")]
    Muted {
        /// The lens.
        lens: LensId,
        /// Which of the two.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A payload key that is filled already.
    #[error("lens {lens}: {place} names {key}, which every request carries already: leave it out")]
    Reserved {
        /// The lens.
        lens: LensId,
        /// Where it stands.
        place: &'static str,
        /// The key.
        key: Ident,
    },
    /// Something listed twice.
    #[error("lens {lens}: {field} lists {item} twice")]
    Twice {
        /// The lens.
        lens: LensId,
        /// Which list.
        field: &'static str,
        /// What.
        item: String,
    },
}

fn meant(signer: &Ident, known: &[String]) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    nearest(signer.as_str(), &known).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"))
}

impl LensError {
    /// Where it stands in the lens file, key by key.
    #[must_use]
    pub fn place(&self) -> Vec<&str> {
        match self {
            Self::NoTenant(_) => vec!["tenants"],
            Self::NoUser(_) => vec!["users"],
            Self::UnknownSigner { .. } | Self::NoSigner(_) => vec!["signed_action", "signers"],
            Self::Placeholder { field, .. } => field.split('.').collect(),
            Self::Limits { field, .. } => vec!["slo", field],
            Self::Samples(_) => vec!["samples"],
            Self::Muted { field, .. } => vec![field],
            Self::Twice { field, .. } => field.split('.').collect(),
            Self::Reserved { place, .. } => place.split('.').collect(),
        }
    }
}

/// Everything about a lens that does not hold together, never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LensErrors(pub Vec<LensError>);

/// Whether an id is one that people type to fill a field: all zeros, one digit repeated, or the
/// counting patterns of examples.
#[must_use]
pub fn is_placeholder(id: Uuid) -> bool {
    let hex = id.simple().to_string();
    let first = hex.as_bytes()[0];
    let one_digit = hex.bytes().filter(|b| *b != first).count() <= 2;
    // 11111111-2222-… and its kin: each group repeats one digit.
    let groups = id
        .hyphenated()
        .to_string()
        .split('-')
        .all(|group| group.bytes().all(|b| b == group.as_bytes()[0]));
    one_digit
        || groups
        || hex.starts_with("123456781234")
        || hex.starts_with("0123456789ab")
        || hex.starts_with("deadbeef")
}

/// Checks a pause and maintenance windows.
///
/// # Errors
/// The first thing that makes no sense.
pub(crate) fn check_muted(paused: Option<&Paused>, windows: &[Maintenance]) -> Result<(), (&'static str, String)> {
    if paused.is_some_and(|paused| paused.reason.trim().is_empty()) {
        return Err(("paused", "`paused` needs a reason".to_owned()));
    }
    let all = windows.iter().try_for_each(Maintenance::validate);
    all.map_err(|why| ("maintenance", why))
}

impl Lens {
    /// Fills tenants and users from `defaults`, then checks the whole. The notes say what came
    /// from where.
    ///
    /// # Errors
    /// Everything that does not hold together.
    pub fn resolve(mut self, defaults: &Defaults, allow_placeholders: bool) -> Result<(Self, Vec<String>), LensErrors> {
        let mut notes = Vec::new();
        if self.tenants.is_empty() && !defaults.tenants.is_empty() {
            self.tenants.clone_from(&defaults.tenants);
            notes.push(format!("tenants of {} come from lensops.yml", self.lens));
        }
        let mut borrowed = Vec::new();
        for (name, user) in &defaults.users {
            if !self.users.contains_key(name) {
                self.users.insert(name.clone(), user.clone());
                borrowed.push(name.as_str().to_owned());
            }
        }
        if !borrowed.is_empty() {
            notes.push(format!(
                "users {} of {} come from lensops.yml",
                borrowed.join(", "),
                self.lens
            ));
        }
        let errors = self.errors(allow_placeholders);
        if errors.is_empty() {
            Ok((self, notes))
        } else {
            Err(LensErrors(errors))
        }
    }

    fn errors(&self, allow_placeholders: bool) -> Vec<LensError> {
        let mut errors = Vec::new();
        let lens = || self.lens.clone();
        if self.tenants.is_empty() {
            errors.push(LensError::NoTenant(lens()));
        }
        if self.users.is_empty() {
            errors.push(LensError::NoUser(lens()));
        }
        for (field, limits) in [
            ("p95_ms", self.slo.p95_ms),
            ("error_rate_percent", self.slo.error_rate_percent),
        ] {
            if !(limits.warn >= 0.0 && limits.warn <= limits.fail && limits.fail.is_finite()) {
                errors.push(LensError::Limits { lens: lens(), field });
            }
        }
        if self.samples.is_some_and(|n| !(1..=1000).contains(&n)) {
            errors.push(LensError::Samples(lens()));
        }
        let muted = check_muted(self.paused.as_ref(), &self.maintenance);
        errors.extend(muted.err().map(|(field, why)| LensError::Muted {
            lens: lens(),
            field,
            why,
        }));
        errors.extend(self.doubled());
        if let Some(action) = &self.signed_action {
            if action.signers.is_empty() {
                errors.push(LensError::NoSigner(lens()));
            }
            let strangers = action.signers.iter().filter(|name| !self.users.contains_key(*name));
            errors.extend(strangers.map(|signer| LensError::UnknownSigner {
                lens: lens(),
                signer: signer.clone(),
                known: self.users.keys().map(ToString::to_string).collect(),
            }));
        }
        errors.extend(self.reserved());
        let placeholders = self.ids().filter(|(_, id)| !allow_placeholders && is_placeholder(*id));
        errors.extend(placeholders.map(|(field, id)| LensError::Placeholder {
            lens: lens(),
            field,
            id,
        }));
        errors
    }

    /// Payload keys that the plans fill themselves.
    fn reserved(&self) -> Vec<LensError> {
        let taken = |key: &Ident| matches!(key.as_str(), "yacht_id" | "signature");
        let refuse = |place, key: &Ident| LensError::Reserved {
            lens: self.lens.clone(),
            place,
            key: key.clone(),
        };
        let mut errors = Vec::new();
        if let Some(action) = &self.signed_action {
            let key = Some(&action.entity_id_key).filter(|key| taken(key));
            errors.extend(key.map(|key| refuse("signed_action.entity_id_key", key)));
            let twice = action
                .payload
                .keys()
                .filter(|key| taken(key) || **key == action.entity_id_key);
            errors.extend(twice.map(|key| refuse("signed_action.payload", key)));
        }
        let read = self.read_action.iter().map(|action| &action.entity_id_key);
        errors.extend(
            read.filter(|key| taken(key))
                .map(|key| refuse("read_action.entity_id_key", key)),
        );
        errors
    }

    /// What lists name twice, the first of each list.
    fn doubled(&self) -> Vec<LensError> {
        let lists: [(&'static str, Vec<String>); 4] = [
            ("flags", self.flags.iter().map(ToString::to_string).collect()),
            ("roles", self.roles.iter().map(ToString::to_string).collect()),
            ("tenants", self.tenants.iter().map(ToString::to_string).collect()),
            (
                "signed_action.signers",
                self.signed_action
                    .iter()
                    .flat_map(|a| &a.signers)
                    .map(ToString::to_string)
                    .collect(),
            ),
        ];
        let twice = |(field, items): (&'static str, Vec<String>)| {
            let (_, item) = items
                .iter()
                .enumerate()
                .find(|(at, item)| items[..*at].contains(item))?;
            Some(LensError::Twice {
                lens: self.lens.clone(),
                field,
                item: item.clone(),
            })
        };
        lists.into_iter().filter_map(twice).collect()
    }

    /// Every id of the lens with the field it stands in.
    fn ids(&self) -> impl Iterator<Item = (String, Uuid)> + '_ {
        let tenants = self.tenants.iter().map(|id| ("tenants".to_owned(), *id));
        let users = self
            .users
            .iter()
            .map(|(name, user)| (format!("users.{name}.id"), user.id));
        let signed = self.signed_action.iter().flat_map(|action| &action.entities);
        let read = self.read_action.iter().filter_map(|action| action.entity);
        let twice = self
            .signed_action
            .iter()
            .filter_map(|action| Some(action.idempotency.as_ref()?.entity));
        tenants
            .chain(users)
            .chain(signed.map(|id| ("signed_action.entities".to_owned(), *id)))
            .chain(read.map(|id| ("read_action.entity".to_owned(), id)))
            .chain(twice.map(|id| ("signed_action.idempotency.entity".to_owned(), id)))
    }

    /// What a person should know before running: missing test entities, missing usual users.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let lens = &self.lens;
        if let Some(action) = &self.signed_action {
            let needed = if action.consumes_entity {
                action.signers.len()
            } else {
                1
            };
            if action.entities.is_empty() {
                warnings.push(format!("lens {lens} has no test entity for {}: its signed-flow cases are unjudged (--test-entity-id, or signed_action.entities)", action.name));
            } else if action.entities.len() < needed {
                warnings.push(format!("{} consumes its entity and lens {lens} has {} for {needed} signers: the rest is skipped (--test-entity-id)", action.name, action.entities.len()));
            }
        } else {
            warnings.push(format!(
                "lens {lens} has no signed action: its signed-flow scenarios are left out"
            ));
        }
        match &self.read_action {
            Some(read) if read.entity.is_none() => {
                warnings.push(format!("lens {lens} has no test entity for {}: its READ case is unjudged (--test-entity-id, or read_action.entity)", read.name));
            }
            Some(_) => {}
            None => warnings.push(format!(
                "lens {lens} has no READ action: that probe and target are left out"
            )),
        }
        if self.flags.is_empty() {
            warnings.push(format!(
                "lens {lens} names no feature flag: its flag probe is left out, and it cannot be rolled back by a flag"
            ));
        }
        warnings
    }

    /// The user that probes run as: `hod` where there is one, else the first signer, else the first user.
    #[must_use]
    pub fn probe_user(&self) -> Option<&Ident> {
        let hod = self.users.keys().find(|name| name.as_str() == "hod");
        hod.or_else(|| self.signed_action.as_ref().and_then(|action| action.signers.first()))
            .or_else(|| self.users.keys().next())
    }

    /// Samples a timed probe takes: at least 20 in a check, so that it can support a P95.
    #[must_use]
    pub fn samples_per_probe(&self) -> u32 {
        let timed = if self.read_action.is_some() { 3 } else { 2 };
        self.samples.unwrap_or(if timed == 3 { 7 } else { 11 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const MINIMAL: &str = "lens: parts\ndomain: parts\nroles: [crew]\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\nusers: {crew: {id: eb3fdfe4-81e3-53a5-b423-fd13884b12e8, role: crew}}\n";

    fn lens(text: &str) -> Lens {
        crate::yaml::read("lenses/x.yml", text).unwrap()
    }

    #[test]
    fn a_minimal_lens_takes_the_defaults_of_the_product_and_none_of_another_lens() {
        let (lens, notes) = lens(MINIMAL).resolve(&Defaults::default(), false).unwrap();
        assert_eq!(
            (lens.every, lens.samples_per_probe(), lens.flags.len()),
            (Every::QUARTER_HOUR, 11, 0)
        );
        assert!(notes.is_empty() && lens.signed_action.is_none() && lens.read_action.is_none());
    }

    #[test]
    fn a_lens_without_tenant_names_the_option() {
        let text = MINIMAL.replace("tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n", "");
        let error = lens(&text).resolve(&Defaults::default(), false).unwrap_err();
        assert!(error.to_string().contains("--yacht-id"), "{error}");
        let defaults = Defaults {
            tenants: vec![Uuid::from_u128(0x53fb_df09_b709)],
            ..Defaults::default()
        };
        let (_, notes) = lens(&text).resolve(&defaults, false).unwrap();
        assert_eq!(notes, ["tenants of parts come from lensops.yml"]);
    }

    #[test]
    fn placeholder_ids_are_refused_unless_allowed() {
        for id in [
            "00000000-0000-0000-0000-000000000000",
            "00000000-0000-0000-0000-000000000001",
            "11111111-2222-3333-4444-555555555555",
            "12345678-1234-1234-1234-123456789012",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            let text = MINIMAL.replace("53fbdf09-b709-509d-aad0-3a6f50239a5d", id);
            let error = lens(&text).resolve(&Defaults::default(), false).unwrap_err();
            assert!(
                matches!(error.0.as_slice(), [LensError::Placeholder { .. }]),
                "{id}: {error}"
            );
            assert!(lens(&text).resolve(&Defaults::default(), true).is_ok(), "{id}");
        }
        assert!(!is_placeholder("53fbdf09-b709-509d-aad0-3a6f50239a5d".parse().unwrap()));
    }

    #[test]
    fn a_signer_that_is_no_user_is_named() {
        let text = format!(
            "{MINIMAL}signed_action: {{name: sign, entity_type: part, entity_id_key: part_id, signers: [captain]}}\n"
        );
        let error = lens(&text).resolve(&Defaults::default(), false).unwrap_err();
        assert!(error.to_string().contains("--user captain=ROLE:UUID"), "{error}");
    }

    #[test]
    fn limits_the_wrong_way_round_are_refused() {
        for slo in [
            "{p95_ms: {warn: 9, fail: 2}}",
            "{error_rate_percent: {warn: .nan, fail: 5}}",
            "{p95_ms: {warn: -1, fail: 2}}",
        ] {
            let parsed = crate::yaml::read::<Lens>("x", &format!("{MINIMAL}slo: {slo}\n"));
            assert!(
                parsed.is_err() || parsed.unwrap().resolve(&Defaults::default(), false).is_err(),
                "{slo}"
            );
        }
    }
}
