//! Values that files give: written out, or taken from the environment.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::ident::{EnvName, Ident};
use crate::redaction::names_secret;
use crate::secret::Secret;

/// A value that stands in the environment. It is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromVariable {
    /// The environment variable. Unset, what needs it is unjudged.
    pub env: EnvName,
}

/// A value of a user or tenant: written out, or `{env: NAME}`, which makes it a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Given {
    /// From the environment.
    Env(FromVariable),
    /// Text.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Boolean(bool),
}

impl Given {
    /// The variable that holds it.
    #[must_use]
    pub fn variable(&self) -> Option<&EnvName> {
        match self {
            Self::Env(from) => Some(&from.env),
            _ => None,
        }
    }

    /// The value; `null` where its variable is not set.
    #[must_use]
    pub fn value(&self, environment: &Environment) -> Value {
        match self {
            Self::Env(from) => environment
                .get(from.env.as_str())
                .map_or(Value::Null, |secret| Value::String(secret.expose().to_owned())),
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Boolean(value) => Value::Bool(*value),
        }
    }
}

/// Values by the name of their variable in requests.
pub type Values = IndexMap<Ident, Given>;

/// A secret as a file names it: `{env: NAME}`, or `$name` for a value of the user or tenant that is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SecretText {
    // It stands first: its refusal of a literal is the one that is told.
    /// A variable alone.
    Variable(OneVariable),
    /// From the environment.
    Env(FromVariable),
}

/// A text that is one variable and nothing else: `$password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OneVariable(Ident);

impl OneVariable {
    /// The variable, without its dollar.
    #[must_use]
    pub fn name(&self) -> &Ident {
        &self.0
    }
}

impl TryFrom<String> for OneVariable {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix('$').and_then(|name| name.parse().ok());
        // The text is not repeated: it may be the secret.
        name.map(Self).ok_or_else(|| {
            "a secret is not written into a file: use {env: NAME}, or $name of a user or tenant".to_owned()
        })
    }
}

impl From<OneVariable> for String {
    fn from(variable: OneVariable) -> Self {
        format!("${}", variable.0)
    }
}

crate::text_form::text_form!(
    OneVariable,
    "variable",
    "^\\$[A-Za-z_]",
    "{env: NAME}, or $name for a value of the user or tenant"
);

/// The environment variables that files name with `{env}`, as far as they are set.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, Secret>);

impl Environment {
    /// The value of `variable`; `None` where it is not set.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&Secret> {
        self.0.get(variable)
    }

    /// Every value.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }
}

impl FromIterator<(String, Secret)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, Secret)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The names of `values` whose value is a secret by its name and stands in the file.
#[must_use]
pub fn literals(values: &Values) -> Vec<(&Ident, String)> {
    let written = values.iter().filter(|(name, value)| {
        let is_written = !matches!(value, Given::Env(_));
        is_written && names_secret(name.as_str())
    });
    written
        .map(|(name, _)| (name, format!("{name} is a secret: write {{env: NAME}}")))
        .collect()
}
