//! What a credential is made of: an API, the variables of tenant and user, the environment and the time.

use jiff::Timestamp;
use serde_json::Value;

use super::given::{Environment, Given, SecretText, Values};
use crate::crypto::sign::SignError;
use crate::exchange::{Base, BaseError};
use crate::ident::EnvName;
use crate::request::fill::{PrepareError, expand_text};
use crate::request::{Hosts, Vars};
use crate::secret::Secret;

/// Why no credential can be made. The cases that need one are unjudged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// An environment variable that is not set.
    #[error("{0} is not set")]
    NotSet(EnvName),
    /// A variable that is not defined or not known.
    #[error("auth: {0}")]
    Variable(PrepareError),
    /// The address of a token endpoint that is none.
    #[error("auth: the address of the token endpoint cannot be used")]
    Address(#[source] BaseError),
    /// A key that does not sign.
    #[error("auth: {0}")]
    Key(#[from] SignError),
    /// A secret that is no text.
    #[error("auth: ${0} is not a text")]
    NotText(String),
}

/// What a credential is made of.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The API.
    pub base: &'a Base,
    /// Hosts besides it.
    pub hosts: &'a Hosts,
    /// The variables of the tenant and the user.
    pub vars: &'a Vars,
    /// The values among them that files give, to name the environment variable that is not set.
    pub given: &'a [&'a Values],
    /// The environment variables that files name.
    pub environment: &'a Environment,
    /// Real time.
    pub now: Timestamp,
}

impl Asking<'_> {
    pub(super) fn secret(&self, text: &SecretText) -> Result<Secret, AuthError> {
        match text {
            SecretText::Env(from) => {
                let found = self.environment.get(from.env.as_str()).cloned();
                found.ok_or_else(|| AuthError::NotSet(from.env.clone()))
            }
            SecretText::Variable(variable) => {
                let name = variable.name().as_str();
                match self.vars.get(name) {
                    None => Err(AuthError::Variable(PrepareError::Undefined(name.to_owned()))),
                    Some(Value::Null) => Err(self.unfilled(PrepareError::NotKnown(name.to_owned()))),
                    Some(Value::String(text)) => Ok(Secret::new(text)),
                    Some(_) => Err(AuthError::NotText(name.to_owned())),
                }
            }
        }
    }

    /// A value as text, its variables filled in.
    pub(super) fn text(&self, given: &Given) -> Result<String, AuthError> {
        match (given, given.value(self.environment)) {
            (Given::Env(from), Value::Null) => Err(AuthError::NotSet(from.env.clone())),
            (Given::Text(text), _) => self.fill(text),
            (_, Value::String(text)) => Ok(text),
            (_, value) => Ok(value.to_string()),
        }
    }

    pub(super) fn fill(&self, text: &str) -> Result<String, AuthError> {
        expand_text(text, self.vars).map_err(|error| self.unfilled(error))
    }

    /// The same error with the environment variable behind what is not known.
    pub(super) fn unfilled(&self, error: PrepareError) -> AuthError {
        let PrepareError::NotKnown(name) = &error else {
            return AuthError::Variable(error);
        };
        let given = self.given.iter().find_map(|values| values.get(name.as_str()));
        match given.and_then(Given::variable) {
            Some(variable) => AuthError::NotSet(variable.clone()),
            None => AuthError::Variable(error),
        }
    }

    /// Every value of tenant and user that came from the environment.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let variables = self
            .given
            .iter()
            .flat_map(|values| values.values())
            .filter_map(Given::variable);
        variables
            .filter_map(|name| self.environment.get(name.as_str()).cloned())
            .collect()
    }
}
