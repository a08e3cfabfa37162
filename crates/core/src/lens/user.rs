//! A user of the API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::auth::{Environment, Given, Values, literals};
use crate::ident::{EntityId, EnvName, Ident, is_slip};
use crate::request::Vars;
use crate::request::prepare::set;

/// The keys of a user that are no values of its own.
const KEYS: [&str; 4] = ["id", "role", "signs_as", "auth"];

/// A user of the API under one role. Further keys are values of the user: variables of its `auth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// The `sub` of the user's tokens. A user with an `auth` may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EntityId>,
    /// The job role the API looks up for the user.
    pub role: Ident,
    /// The role the user writes into signatures, where it is not the job role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_as: Option<Ident>,
    /// How the user signs in, by a name of `auth`. Without it a token is minted for `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Ident>,
    /// Its values, such as `email` or `password`: texts, numbers, or `{env: NAME}` for a secret.
    #[serde(flatten)]
    pub values: Values,
}

impl User {
    /// A user that has an id and a role, and whose tokens lensops mints.
    #[must_use]
    pub fn new(id: EntityId, role: Ident) -> Self {
        Self {
            id: Some(id),
            role,
            signs_as: None,
            auth: None,
            values: Values::new(),
        }
    }

    /// The role the user signs as.
    #[must_use]
    pub fn signing_role(&self) -> &Ident {
        self.signs_as.as_ref().unwrap_or(&self.role)
    }

    /// The id as text; empty where the user has none.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.id.as_ref().map(EntityId::as_str).unwrap_or_default()
    }

    /// The environment variables that its values name.
    pub fn variables(&self) -> impl Iterator<Item = &EnvName> {
        self.values.values().filter_map(Given::variable)
    }

    /// `vars` with what the user gives: `$id`, `$role` and its values.
    #[must_use]
    pub fn vars(&self, vars: &Vars, environment: &Environment) -> Vars {
        let mut vars = vars.clone();
        if let Some(id) = &self.id {
            set(&mut vars, "id", json!(id));
        }
        set(&mut vars, "role", json!(self.role));
        let values = self.values.iter();
        vars.extend(values.map(|(name, value)| (name.clone(), value.value(environment))));
        vars
    }

    /// What is wrong with it: the key, and why.
    #[must_use]
    pub fn wrong(&self) -> Vec<(String, String)> {
        let mut wrong: Vec<(String, String)> = literals(&self.values)
            .into_iter()
            .map(|(key, why)| (key.to_string(), why))
            .collect();
        let slips = self.values.keys().filter_map(|key| {
            let meant = KEYS.iter().find(|known| is_slip(key.as_str(), known))?;
            Some((key.to_string(), format!("did you mean {meant:?}?")))
        });
        wrong.extend(slips);
        if self.id.is_none() && self.auth.is_none() {
            let why = "a user has an `id`, for which tokens are minted, or an `auth`";
            wrong.push((String::new(), why.to_owned()));
        }
        wrong
    }
}
