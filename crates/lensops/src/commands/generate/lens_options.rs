//! A lens as the options of a command give it.

use indexmap::IndexMap;
use lensops_core::duration::Every;
use lensops_core::ident::{EntityId, FlagName, Ident, LensId};
use lensops_core::lens::{GateFile, Lens, ReadAction, SignedAction, Slo, Tenants, User};
use serde_json::Value;

use super::first_lens::{FirstAsked, FirstLens};
use crate::commands::error::{Context as _, Error, Result};
use crate::config::Settings;

/// A lens as the command line gives it.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the option of the same name")]
pub struct NewLens {
    pub lens_id: String,
    pub domain: String,
    pub feature_flags: Vec<FlagName>,
    pub roles: Vec<Ident>,
    pub yacht_ids: Vec<EntityId>,
    pub users: IndexMap<Ident, User>,
    pub signed_action: Option<Ident>,
    pub entity_type: Option<Ident>,
    pub entity_id_key: Option<Ident>,
    pub read_action: Option<Ident>,
    pub test_entities: Vec<EntityId>,
    pub signers: Vec<Ident>,
    pub consumes_entity: bool,
    pub signed_payload: IndexMap<Ident, Value>,
    pub interval: Option<Every>,
    pub gate: Option<GateFile>,
    pub template_set: Option<String>,
    /// What is known of an API whose lens is of endpoints.
    pub first_asked: Option<FirstAsked>,
    /// The lens of endpoints that came of it.
    pub first: Option<Box<FirstLens>>,
}

impl NewLens {
    /// The lens of the options. Ids they leave out come from `lensops.yml`, which is looked at
    /// when the lens is resolved, or from another lens; the notes say which. `set` renders it.
    pub(super) fn into_lens(self, settings: &Settings, others: &[Lens], set: &str) -> Result<(Lens, Vec<String>)> {
        if let Some(first) = self.first {
            return Ok((first.lens, Vec::new()));
        }
        let id = LensId::from_human(&self.lens_id)?;
        let (users, mut notes) = self.users(settings, others);
        let (tenants, told) = self.tenants(settings, others);
        notes.extend(told);
        let signed_action = self.signed_action(settings, &users)?;
        let read_action = match &self.read_action {
            None => None,
            Some(name) => Some(ReadAction {
                name: name.clone(),
                entity_id_key: self.entity_id_key("--read-action")?,
                entity: self.test_entities.first().cloned(),
            }),
        };
        let lens = Lens {
            lens: id,
            domain: Some(self.domain.parse().context("--domain")?),
            template_set: self.template_set.clone().unwrap_or_else(|| set.to_owned()),
            flags: self.feature_flags,
            roles: self.roles,
            tenants,
            users,
            signed_action,
            read_action,
            auth: IndexMap::new(),
            hosts: IndexMap::new(),
            endpoints: Vec::new(),
            health: None,
            off: None,
            denied: None,
            options: IndexMap::new(),
            paths: Vec::new(),
            every: self.interval.unwrap_or(Every::QUARTER_HOUR),
            samples: None,
            slo: Slo::default(),
            gate: self.gate,
            paused: None,
            maintenance: Vec::new(),
            overrides: None,
        };
        Ok((lens, notes))
    }

    /// The users of the options, and those of the usual names and of the signers that another lens has.
    fn users(&self, settings: &Settings, others: &[Lens]) -> (IndexMap<Ident, User>, Vec<String>) {
        let mut users = self.users.clone();
        let mut notes = Vec::new();
        let usual = ["hod", "crew", "captain"].into_iter().map(str::parse::<Ident>);
        for name in usual.filter_map(Result::ok).chain(self.signers.clone()) {
            let other = others.iter().find_map(|other| Some((other, other.users.get(&name)?)));
            if let (false, Some((other, user))) = (is_known(&name, &users, settings), other) {
                notes.push(format!("user {name} comes from lens {}", other.lens));
                users.insert(name, user.clone());
            }
        }
        (users, notes)
    }

    /// The tenants of the options, else those of another lens where `lensops.yml` has none.
    fn tenants(&self, settings: &Settings, others: &[Lens]) -> (Tenants, Option<String>) {
        match others.first() {
            Some(other) if self.yacht_ids.is_empty() && settings.project.tenants.is_empty() => (
                other.tenants.clone(),
                Some(format!("tenants come from lens {}", other.lens)),
            ),
            _ => (self.yacht_ids.iter().cloned().collect(), None),
        }
    }

    fn entity_id_key(&self, option: &str) -> Result<Ident> {
        self.entity_id_key
            .clone()
            .with_context(|| format!("{option} needs --entity-id-key: the payload key that names the entity"))
    }

    /// The signed action of the options; `None` where they have none, and nothing that describes one.
    fn signed_action(&self, settings: &Settings, users: &IndexMap<Ident, User>) -> Result<Option<SignedAction>> {
        let mut signers = self.signers.clone();
        let Some(name) = &self.signed_action else {
            if self.entity_type.is_some()
                || !signers.is_empty()
                || self.consumes_entity
                || !self.signed_payload.is_empty()
            {
                return Err(Error::usage(
                    "--entity-type, --signers, --consumes-entity and --signed-payload describe a signed action: give --signed-action, or leave them out",
                ));
            }
            return Ok(None);
        };
        if signers.is_empty() {
            let usual = ["captain", "hod"].into_iter().filter_map(|name| name.parse().ok());
            signers = usual.filter(|name| is_known(name, users, settings)).collect();
            if signers.is_empty() {
                return Err(Error::usage(
                    "--signed-action needs --signers: the users whose signature must be accepted",
                ));
            }
        }
        Ok(Some(SignedAction {
            name: name.clone(),
            entity_type: self
                .entity_type
                .clone()
                .context("--signed-action needs --entity-type: what it creates or changes")?,
            entity_id_key: self.entity_id_key("--signed-action")?,
            signers,
            payload: self.signed_payload.clone(),
            entities: self.test_entities.clone(),
            consumes_entity: self.consumes_entity,
            proof: None,
            idempotency: None,
        }))
    }
}

/// Whether a user is of the lens or of `lensops.yml`.
fn is_known(name: &Ident, users: &IndexMap<Ident, User>, settings: &Settings) -> bool {
    users.contains_key(name) || settings.project.users.contains_key(name)
}

/// Reads `NAME=ROLE:ID`.
///
/// # Errors
/// When it is anything else.
pub fn parse_user(text: &str) -> Result<(Ident, User), String> {
    let refuse =
        || format!("{text:?} is not NAME=ROLE:ID, such as captain=captain:7672d3d4-fe80-5fb8-80e2-58b12b95d5b6");
    let (name, rest) = text.split_once('=').ok_or_else(refuse)?;
    let (role, id) = rest.split_once(':').ok_or_else(refuse)?;
    let id = id.parse::<EntityId>().map_err(|_| refuse())?;
    let (name, role) = (name.parse().map_err(|_| refuse())?, role.parse().map_err(|_| refuse())?);
    Ok((name, User::new(id, role)))
}

/// Reads `key=value`; a value that is JSON is taken as such, anything else as text.
///
/// # Errors
/// When there is no `=`, or the key is no name.
pub fn parse_payload(text: &str) -> Result<(Ident, Value), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not key=value"))?;
    let key = key.parse::<Ident>().map_err(|error| error.to_string())?;
    Ok((
        key,
        serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    ))
}

/// The user of `--hod-user-id` and its kin: the usual role of that name. The head of department
/// is a chief engineer who signs as manager.
#[must_use]
pub fn usual_user(name: &str, id: EntityId) -> Option<(Ident, User)> {
    let (role, signs_as) = match name {
        "hod" => ("chief_engineer", Some("manager")),
        other => (other, None),
    };
    let signs_as = signs_as.and_then(|role| role.parse().ok());
    Some((
        name.parse().ok()?,
        User {
            signs_as,
            ..User::new(id, role.parse().ok()?)
        },
    ))
}
